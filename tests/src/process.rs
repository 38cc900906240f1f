//! The gateway under test: the `vmcp` binary in a process of its own.

mod command;
mod executables;
mod written;

pub use command::{command, new_key, run};
pub use executables::{beside, binary, example};
pub(crate) use written::Written;

use crate::{
    Era, PATIENCE,
    client::{Client, ClientBuilder},
    fixture::{Fixture, Spec},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
};

/// A running gateway. Dropping it kills it.
pub struct Vmcp {
    child: Child,
    output: Written,
    /// What reads its standard output and its standard error.
    pipes: JoinSet<std::io::Result<()>>,
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
        let mut changes = output.changes();
        let mut pipes = JoinSet::new();
        pipes.spawn(output.clone().collect(child.stdout.take().context("no stdout")?));
        pipes.spawn(output.clone().collect(child.stderr.take().context("no stderr")?));
        let listening = async {
            loop {
                if let Some(addr) = address(&output.text()) {
                    return Ok(addr);
                }
                tokio::select! {
                    _ = changes.changed() => {}
                    status = child.wait() => {
                        let status = status?;
                        written::read_out(&mut pipes).await?;
                        bail!("vmcp ended at once, {status}:\n{}", output.text());
                    }
                }
            }
        };
        let addr = match tokio::time::timeout(PATIENCE, listening).await {
            Ok(addr) => addr?,
            Err(_) => bail!("vmcp never said where it listens:\n{}", output.text()),
        };
        Ok(Vmcp { child, output, pipes, addr, folder })
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

    /// Starts a backend, and a gateway that has no other and nothing else in its configuration.
    ///
    /// # Errors
    /// When one of them does not come up.
    pub async fn with_backend(spec: Spec) -> Result<(Fixture, Self)> {
        let fixture = Fixture::start(spec).await?;
        let vmcp = Self::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
        Ok((fixture, vmcp))
    }

    /// Calls a backend `b` as a client of either era, to see that it still serves, ends it, and looks whether it has panicked.
    ///
    /// # Errors
    /// When it does not, or has.
    pub async fn unharmed(self) -> Result<()> {
        for era in Era::BOTH {
            self.client(era).await?.call("b_echo", "{}").await?.result()?;
        }
        let log = self.quit().await?;
        ensure!(!log.contains("panicked"), "{log}");
        Ok(())
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
        let mut changes = self.output.changes();
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

    /// Waits for its end. All that it wrote is in the log then.
    ///
    /// # Errors
    /// When it does not come within [`PATIENCE`].
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.with_context(|| format!("vmcp does not end:\n{}", self.output.text()))??;
        written::read_out(&mut self.pipes).await?;
        Ok(status)
    }

    /// Ends it in order. Returns everything that it wrote: only then is what does not stand there certainly not in its log.
    ///
    /// # Errors
    /// When it does not end, or says that it failed.
    pub async fn quit(mut self) -> Result<String> {
        self.signal("TERM").await?;
        let status = self.ended().await?;
        ensure!(status.success(), "vmcp ended with {status}:\n{}", self.log());
        Ok(self.log())
    }

    /// Ends it without a warning.
    ///
    /// # Errors
    /// When that is impossible.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}
