//! A folder to work in, with the servers of `examples/eight-servers.json` installed for whoever works there.

use anyhow::{Context, Result, ensure};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use vmcp_tests::{
    process::{Serve, Vmcp},
    server::script,
    tools,
};

/// The variables of somebody whose home is there.
pub(crate) fn variables(home: &Path) -> [(&'static str, String); 2] {
    let path = std::env::var("PATH").unwrap_or_default();
    [("PATH", format!("{}:{path}", home.join("bin").display())), ("HOME", home.to_string_lossy().into_owned())]
}

/// The folder: a git repository with the example in it.
pub(crate) struct Workshop {
    folder: TempDir,
}

impl Workshop {
    /// Makes one.
    pub(crate) fn open() -> Result<Self> {
        let this = Self { folder: tempfile::tempdir()? };
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/eight-servers.json"), this.config())?;
        fs::copy(script("server.py"), this.path().join("server.py"))?;
        symlink(tools::node_servers()?.join("node_modules"), this.path().join("node_modules"))?;
        this.uvx()?;
        for arguments in [
            &["init", "--quiet", "--initial-branch", "main"][..],
            &["config", "user.name", "Ann"],
            &["config", "user.email", "ann@example.com"],
        ] {
            let status = Command::new("git").args(arguments).current_dir(this.path()).status().context("git is needed")?;
            ensure!(status.success(), "git {arguments:?}: {status}");
        }
        Ok(this)
    }

    /// Puts a `uvx` there that knows the packages which are installed, instead of one that asks a registry for their newest versions.
    fn uvx(&self) -> Result<()> {
        let [python, sqlite] = tools::python_servers()?;
        let (file, folders) = (self.path().join("bin/uvx"), format!("'{}' '{}'", python.display(), sqlite.display()));
        fs::create_dir(self.path().join("bin"))?;
        let find = format!("for folder in {folders}; do [ -x \"$folder/$program\" ] && exec \"$folder/$program\" \"$@\"; done");
        fs::write(&file, format!("#!/bin/sh\n[ \"$1\" = --with ] && shift 2\nprogram=$1\nshift\n{find}\nexit 127\n"))?;
        Ok(fs::set_permissions(&file, Permissions::from_mode(0o755))?)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The example's copy.
    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("eight-servers.json")
    }

    /// `vmcp serve` with the example, as it stands.
    pub(crate) fn serve(&self) -> Serve {
        self.serve_file(self.config())
    }

    /// `vmcp serve` with another file of the folder.
    pub(crate) fn serve_file(&self, file: PathBuf) -> Serve {
        variables(self.path()).iter().fold(Vmcp::with_file(file), |serve, (name, value)| serve.env(name, value))
    }
}
