//! Programs of other people that tests and benchmark need: found on `PATH`, or installed once under `target/tools`.

use anyhow::{Context, Result, ensure};
use std::{
    ffi::OsStr,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

const MCP_PROXY: &str = "mcp-proxy@0.6.0";
const PYTHON_PACKAGES: [&str; 4] = ["fastmcp==4.1.2", "mcp==2.3.0", "mcp-server-git==2026.10.19", "mcp-server-time==2026.10.19"];
const CONFORMANCE: &str = "@modelcontextprotocol/conformance@0.2.0-alpha.12";
const INSPECTOR: &str = "@modelcontextprotocol/inspector@2.12.0";
/// What these two need: not every distribution has it.
const NODE: &str = "node@22.23.3";
const EVERYTHING: &str = "@modelcontextprotocol/server-everything@2026.8.31";
/// The protocol authors' other servers, in the folder of the first.
const NODE_SERVERS: [&str; 4] = [
    EVERYTHING,
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
    "@modelcontextprotocol/server-sequential-thinking@2026.8.31",
];
/// Works with the SDK's first major only, so it gets an environment of its own.
const SQLITE: [&str; 2] = ["mcp-server-sqlite==2025.4.25", "mcp==1.30.0"];

fn folder() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace folder")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("tools");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn on_path(name: &str, more: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(more.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn run<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[S], at: &Path) -> Result<()> {
    let words = arguments.iter().map(|argument| argument.as_ref().to_string_lossy());
    let shown = format!("{} {}", program.as_ref().to_string_lossy(), words.collect::<Vec<_>>().join(" "));
    // Whoever waits wants to know for what; nobody may be waiting.
    let _ = writeln!(std::io::stderr(), "installing: {shown}");
    let output = Command::new(program).args(arguments).current_dir(at).output().with_context(|| format!("running `{shown}`"))?;
    ensure!(output.status.success(), "`{shown}` failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Runs `install` unless it succeeded before with the same `versions`. Who comes meanwhile, in this process or another, waits.
fn once(folder: &Path, versions: &str, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let lock = File::create(folder.with_extension("lock"))?;
    lock.lock()?;
    let mark = folder.join(".installed");
    if std::fs::read_to_string(&mark).is_ok_and(|text| text == versions) {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    install()?;
    Ok(std::fs::write(mark, versions)?)
}

/// nginx: installed, or unpacked from Debian's package.
///
/// # Errors
/// When it is neither there nor to be had.
pub fn nginx() -> Result<PathBuf> {
    if let Some(found) = on_path("nginx", &["/usr/sbin", "/usr/local/sbin"]) {
        return Ok(found);
    }
    let folder = folder()?.join("nginx");
    once(&folder, "nginx", || {
        run("apt-get", &["download", "nginx"], &folder).context("nginx is neither on PATH nor in Debian's archive: install it")?;
        let files = std::fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
        let package = files.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "deb")).context("no package came")?;
        run("dpkg-deb", &[OsStr::new("-x"), package.as_os_str(), OsStr::new(".")], &folder)
    })?;
    Ok(folder.join("usr/sbin/nginx"))
}

/// The crate mcp-proxy.
///
/// # Errors
/// When it cannot be built.
pub fn mcp_proxy() -> Result<PathBuf> {
    // Other programs have this name too; only the crate's has this option.
    if let Some(found) = on_path("mcp-proxy", &[]) {
        let help = Command::new(&found).arg("--help").output();
        if help.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("--from-mcp-json")) {
            return Ok(found);
        }
    }
    let folder = folder()?.join("mcp-proxy");
    once(&folder, MCP_PROXY, || {
        let root = folder.to_string_lossy().into_owned();
        run("cargo", &["install", MCP_PROXY, "--locked", "--root", &root], &folder)
    })?;
    Ok(folder.join("bin/mcp-proxy"))
}

/// Installs Python packages into an environment of their own; returns its folder of programs.
fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = folder()?.join(name);
    once(&folder, &packages.join(" "), || {
        run("python3", &["-m", "venv", "."], &folder).context("Python 3 with venv is needed")?;
        run(folder.join("bin/pip"), &[&["install", "--quiet"], packages].concat(), &folder)
    })?;
    Ok(folder.join("bin"))
}

/// Installs npm packages; returns their folder.
fn npm(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = folder()?.join(name);
    once(&folder, &packages.join(" "), || {
        let install = [&["install", "--no-audit", "--no-fund", "--prefix", "."], packages].concat();
        run("npm", &install, &folder).context("Node with npm is needed")
    })?;
    Ok(folder)
}

/// A Python environment with FastMCP, the `mcp` package and the protocol authors' servers: the path of its `python`.
///
/// # Errors
/// When Python is missing, or a package cannot be had.
pub fn python() -> Result<PathBuf> {
    Ok(environment("python", &PYTHON_PACKAGES)?.join("python"))
}

/// FastMCP's command.
///
/// # Errors
/// When it cannot be installed.
pub fn fastmcp() -> Result<PathBuf> {
    Ok(python()?.with_file_name("fastmcp"))
}

/// The folder whose `node_modules` holds the protocol authors' servers.
///
/// # Errors
/// When Node is missing, or a package cannot be had.
pub fn node_servers() -> Result<PathBuf> {
    npm("node", &NODE_SERVERS)
}

/// The protocol authors' test server: the path of its script, for `node`.
///
/// # Errors
/// When Node is missing, or the package cannot be had.
pub fn everything() -> Result<PathBuf> {
    Ok(node_servers()?.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js"))
}

/// The folders of programs of the Python servers: FastMCP, time and git in the first, SQLite in the second.
///
/// # Errors
/// When Python is missing, or a package cannot be had.
pub fn python_servers() -> Result<[PathBuf; 2]> {
    Ok([environment("python", &PYTHON_PACKAGES)?, environment("sqlite", &SQLITE)?])
}

/// A Node that the suite and Inspector run on.
fn node() -> Result<PathBuf> {
    Ok(npm("node-22", &[NODE])?.join("node_modules/node/bin/node"))
}

/// The protocol authors' conformance suite: the paths of the `node` to run it with and of its script.
///
/// # Errors
/// When npm is missing, or the packages cannot be had.
pub fn conformance() -> Result<(PathBuf, PathBuf)> {
    let folder = npm("conformance", &[CONFORMANCE])?;
    Ok((node()?, folder.join("node_modules/@modelcontextprotocol/conformance/dist/index.js")))
}

/// The TypeScript SDKs that those two bring along, the newest of both majors: the path of the `node` to run them with, and for each the
/// folder of its package.
///
/// # Errors
/// When npm is missing, or the packages cannot be had.
pub fn typescript() -> Result<(PathBuf, [PathBuf; 2])> {
    let folder = |name, package| Ok::<_, anyhow::Error>(npm(name, &[package])?.join("node_modules/@modelcontextprotocol"));
    Ok((node()?, [folder("conformance", CONFORMANCE)?.join("sdk"), folder("inspector", INSPECTOR)?.join("client")]))
}

/// MCP Inspector: the paths of the `node` to run it with and of its script.
///
/// # Errors
/// When npm is missing, or a package cannot be had.
pub fn inspector() -> Result<(PathBuf, PathBuf)> {
    let folder = npm("inspector", &[INSPECTOR])?;
    Ok((node()?, folder.join("node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")))
}
