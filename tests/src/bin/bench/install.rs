//! Finding the other participants, or installing them under `target/bench`.

use anyhow::{Context, Result, ensure};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

const MCP_PROXY: &str = "0.6.0";
const FASTMCP: &str = "4.1.2";

fn folder() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace folder")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn on_path(name: &str, more: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(more.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn run<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[S], at: &Path) -> Result<()> {
    let shown = program.as_ref().to_string_lossy().into_owned();
    crate::report::note(&format!(
        "installing: {shown} {}",
        arguments.iter().map(|a| a.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ")
    ));
    let status = Command::new(program).args(arguments).current_dir(at).stdout(std::io::stderr()).status();
    ensure!(status.with_context(|| shown.clone())?.success(), "{shown} failed");
    Ok(())
}

/// nginx: installed, or unpacked from Debian's package.
pub(crate) fn nginx() -> Result<PathBuf> {
    if let Some(found) = on_path("nginx", &["/usr/sbin", "/usr/local/sbin"]) {
        return Ok(found);
    }
    let folder = folder()?;
    let binary = folder.join("nginx/usr/sbin/nginx");
    if !binary.is_file() {
        run("apt-get", &["download", "nginx"], &folder).context("nginx is neither on PATH nor in Debian's archive; install it")?;
        let package = std::fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
        let package = package.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "deb")).context("no package came")?;
        run("dpkg-deb", &[OsStr::new("-x"), package.as_os_str(), OsStr::new("nginx")], &folder)?;
    }
    Ok(binary)
}

/// The crate mcp-proxy.
pub(crate) fn mcp_proxy() -> Result<PathBuf> {
    // Other programs have this name too; only the crate's has this option.
    if let Some(found) = on_path("mcp-proxy", &[]) {
        let help = Command::new(&found).arg("--help").output();
        if help.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("--from-mcp-json")) {
            return Ok(found);
        }
    }
    let root = folder()?.join("mcp-proxy");
    let binary = root.join("bin/mcp-proxy");
    if !binary.is_file() {
        let at = folder()?;
        let root = root.to_string_lossy().into_owned();
        run("cargo", &["install", "mcp-proxy", "--version", MCP_PROXY, "--locked", "--root", &root], &at)?;
    }
    Ok(binary)
}

/// FastMCP in a virtual environment of its own.
pub(crate) fn fastmcp() -> Result<PathBuf> {
    if let Some(found) = on_path("fastmcp", &[]) {
        return Ok(found);
    }
    let folder = folder()?;
    let binary = folder.join("venv/bin/fastmcp");
    if !binary.is_file() {
        run("python3", &["-m", "venv", "venv"], &folder)?;
        run(folder.join("venv/bin/pip"), &["install", "--quiet", &format!("fastmcp=={FASTMCP}")], &folder)?;
    }
    Ok(binary)
}
