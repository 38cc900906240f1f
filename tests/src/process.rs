//! The gateway under test: the `vmcp` binary in a process of its own.

use crate::{
    Era, PATIENCE,
    client::{Client, ClientBuilder},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::SystemTime,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
};

/// The path of the `vmcp` binary: `$VMCP_BIN`, or the one beside this executable, built when it is missing or older than its sources.
///
/// # Errors
/// When it cannot be built.
pub fn binary() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let find = || std::env::var_os("VMCP_BIN").map_or_else(|| built("vmcp", &["--package", "vmcp"]), |path| Ok(path.into()));
    match BINARY.get_or_init(|| find().map_err(|error| format!("{error:#}"))) {
        Ok(path) => Ok(path),
        Err(error) => bail!("{error}"),
    }
}

/// The path of an example of the crate `vmcp-server`, built when it is missing or older than its sources.
///
/// # Errors
/// When it cannot be built.
pub fn example(name: &str) -> Result<PathBuf> {
    built(&format!("examples/{name}"), &["--package", "vmcp-server", "--example", name])
}

/// The path of another executable of this crate, which is built together with this one.
///
/// # Errors
/// When it is not there.
pub fn beside(name: &str) -> Result<PathBuf> {
    let path = target()?.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    ensure!(path.is_file(), "{} is not there: `cargo build -p vmcp-tests --bins`", path.display());
    Ok(path)
}

/// The folder with the executables of this one's profile.
fn target() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.ancestors().skip(1).find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    Ok(folder.context("this executable is not in a target folder: set VMCP_BIN")?.to_owned())
}

/// An executable in the target folder of this one.
fn built(name: &str, arguments: &[&str]) -> Result<PathBuf> {
    let folder = target()?;
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace folder")?;
    let written = path.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if newest(&root.join("crates")) > written {
        let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet"]).args(arguments).current_dir(root);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        ensure!(cargo.status().context("running cargo")?.success(), "`cargo build {}` failed", arguments.join(" "));
    }
    Ok(path)
}

/// When the newest file under a folder was written.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let times = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        if metadata.is_dir() { Some(newest(&entry.path())) } else { metadata.modified().ok() }
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Runs a command of `vmcp` to its end, in `folder`, without the caller's `VMCP_…` variables.
///
/// # Errors
/// When it cannot be started, or hangs.
pub async fn run(folder: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = command()?;
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(PATIENCE, command.output()).await.context("vmcp does not end")?.context("starting vmcp")
}

/// The `vmcp` command without arguments and without the caller's `VMCP_…` variables, which would configure it.
///
/// # Errors
/// When the binary cannot be built.
pub fn command() -> Result<Command> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("VMCP_")) {
        command.env_remove(name);
    }
    Ok(command)
}

/// What a process wrote so far, with a signal at every line.
#[derive(Clone)]
pub(crate) struct Written {
    text: Arc<Mutex<String>>,
    changed: watch::Sender<()>,
}

impl Written {
    pub(crate) fn new() -> Self {
        Self { text: Arc::default(), changed: watch::Sender::new(()) }
    }

    pub(crate) fn collect(&self, pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let this = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut text = this.text.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&line);
                text.push('\n');
                drop(text);
                this.changed.send_replace(());
            }
        })
    }

    pub(crate) fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A running gateway. Dropping it kills it.
pub struct Vmcp {
    child: Child,
    output: Written,
    addr: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Vmcp {
    #[expect(clippy::print_stderr, reason = "the test harness shows it when the test fails, and nothing else")]
    fn drop(&mut self) {
        eprintln!("vmcp {} wrote:\n{}", self.addr, self.log());
    }
}

/// Where a gateway's configuration comes from.
#[derive(Clone, Debug)]
enum Source {
    /// Written for it, into a folder of its own.
    Value(Value),
    /// A file that is there, whose folder it is to run in.
    File(PathBuf),
}

/// How a gateway is started.
#[derive(Clone, Debug)]
pub struct Serve {
    config: Source,
    arguments: Vec<String>,
    env: Vec<(String, String)>,
}

impl Serve {
    /// Adds command line arguments.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Listens on this port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        self.args(&["--port", &port.to_string()])
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it ends or stays silent instead; the message holds what it wrote.
    pub async fn start(mut self) -> Result<Vmcp> {
        let folder = tempfile::tempdir()?;
        let file = match &self.config {
            Source::Value(config) => {
                let file = folder.path().join("vmcp.json");
                std::fs::write(&file, config.to_string())?;
                file
            }
            Source::File(file) => file.clone(),
        };
        let home = file.parent().context("the configuration is in no folder")?;
        if !self.arguments.iter().any(|argument| argument == "--port") {
            self = self.port(0);
        }
        let mut command = command()?;
        command.arg("serve").arg("--config").arg(&file).args(["--log-format", "json"]).args(&self.arguments);
        command.envs(self.env.clone()).current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().context("starting vmcp")?;
        let output = Written::new();
        let mut changes = output.changed.subscribe();
        let pipes = [output.collect(child.stdout.take().context("no stdout")?), output.collect(child.stderr.take().context("no stderr")?)];
        let listening = async {
            loop {
                if let Some(addr) = address(&output.text()) {
                    return Ok(addr);
                }
                tokio::select! {
                    _ = changes.changed() => {}
                    status = child.wait() => {
                        let status = status?;
                        for pipe in pipes {
                            pipe.await?;
                        }
                        bail!("vmcp ended at once, {status}:\n{}", output.text());
                    }
                }
            }
        };
        let addr = match tokio::time::timeout(PATIENCE, listening).await {
            Ok(addr) => addr?,
            Err(_) => bail!("vmcp never said where it listens:\n{}", output.text()),
        };
        Ok(Vmcp { child, output, addr, folder })
    }
}

/// The address in `listening on http://ADDRESS/…`; an unspecified one is reached over loopback.
fn address(log: &str) -> Option<SocketAddr> {
    let rest = log.split("listening on http").nth(1)?;
    let rest = rest.trim_start_matches('s').strip_prefix("://")?;
    let mut addr: SocketAddr = rest.split(['/', '"', ' ', '\n']).next()?.parse().ok()?;
    if addr.ip().is_unspecified() {
        addr.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Some(addr)
}

impl Vmcp {
    /// Begins a gateway with this configuration.
    #[must_use]
    pub fn with(config: Value) -> Serve {
        Serve { config: Source::Value(config), arguments: Vec::new(), env: Vec::new() }
    }

    /// Begins a gateway with the configuration in a file, which runs in that file's folder.
    #[must_use]
    pub fn with_file(file: impl Into<PathBuf>) -> Serve {
        Serve { config: Source::File(file.into()), arguments: Vec::new(), env: Vec::new() }
    }

    /// Starts a gateway with this configuration on a free loopback port.
    ///
    /// # Errors
    /// When it does not come up; the message holds what it wrote.
    pub async fn serve(config: Value) -> Result<Self> {
        Self::with(config).start().await
    }

    /// The address that it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The endpoint's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.addr)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// The folder that it runs in, with its configuration.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that it wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.output.text()
    }

    /// Waits until `text` stands in the log.
    ///
    /// # Errors
    /// When it does not within [`PATIENCE`].
    pub async fn logged(&self, text: &str) -> Result<()> {
        let mut changes = self.output.changed.subscribe();
        let wait = async { while !self.log().contains(text) && changes.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, wait).await.with_context(|| format!("never logged {text:?}:\n{}", self.log()))
    }

    /// A client of this era.
    ///
    /// # Errors
    /// When it cannot connect or open a session.
    pub async fn client(&self, era: Era) -> Result<Client> {
        Client::connect(era, self.addr).await
    }

    /// Begins a client of this era.
    #[must_use]
    pub fn client_of(&self, era: Era) -> ClientBuilder {
        Client::of(era, self.addr)
    }

    /// Sends a signal: `TERM`, `INT`.
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.pid().to_string()).status().await?;
        ensure!(status.success(), "kill -{signal} failed");
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not come within [`PATIENCE`].
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        Ok(status.with_context(|| format!("vmcp does not end:\n{}", self.output.text()))??)
    }

    /// Ends it without a warning.
    ///
    /// # Errors
    /// When that is impossible.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}
