//! Other people's HTTP servers, each in a process of its own.

use crate::{client::Conn, eventually, tools};
use anyhow::{Result, bail};
use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::process::{Child, Command};

/// How long a server has to live behind a port that answers before it counts as the one that answers.
const SETTLED: Duration = Duration::from_millis(200);

/// How often a server is started on another port because somebody took the first one.
const ATTEMPTS: usize = 5;

/// The path of a script of `tests/interop`.
#[must_use]
pub fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop").join(name).to_string_lossy().into_owned()
}

/// A running server. Dropping it kills it.
pub struct Server {
    _child: Child,
    port: u16,
}

impl Server {
    /// Starts a server that has to be told its port. Between looking for a free one and the server's own bind somebody else may take
    /// it: then the server ends, and gets another.
    ///
    /// # Errors
    /// When it does not come up; the message holds what it wrote.
    pub async fn start(command: impl Fn(u16) -> Result<Command>) -> Result<Self> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let mut command = command(port)?;
            let output = tempfile::NamedTempFile::new()?;
            let (stdout, stderr) = (output.reopen()?, output.reopen()?);
            let mut child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).kill_on_drop(true).spawn()?;
            let addr = (Ipv4Addr::LOCALHOST, port).into();
            let mut ended = None;
            eventually(&format!("port {port} of {command:?}"), async || {
                ended = child.try_wait().ok().flatten();
                ended.is_some() || Conn::open(addr).await.is_ok()
            })
            .await?;
            // Whoever took the port may be what answered on it.
            if ended.is_none() {
                tokio::time::sleep(SETTLED).await;
                ended = child.try_wait()?;
            }
            match ended {
                None => return Ok(Self { _child: child, port }),
                Some(status) => last = format!("{command:?} ended, {status}:\n{}", std::fs::read_to_string(output.path())?),
            }
        }
        bail!("{ATTEMPTS} attempts, the last: {last}")
    }

    /// The protocol authors' test server; `transport` is `streamableHttp` or `sse`.
    ///
    /// # Errors
    /// When it cannot be installed, or does not come up.
    pub async fn everything(transport: &str) -> Result<Self> {
        let file = tools::everything()?;
        Self::start(|port| {
            let mut command = Command::new("node");
            command.arg(&file).arg(transport).env("PORT", port.to_string());
            Ok(command)
        })
        .await
    }

    /// The FastMCP server of `tests/interop/server.py`.
    ///
    /// # Errors
    /// When it cannot be installed, or does not come up.
    pub async fn fastmcp() -> Result<Self> {
        let python = tools::python()?;
        Self::start(|port| {
            let mut command = Command::new(&python);
            command.arg(script("server.py")).arg(port.to_string()).env("FASTMCP_CHECK_FOR_UPDATES", "off");
            Ok(command)
        })
        .await
    }

    /// The URL of a path.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The URL of streamable HTTP.
    #[must_use]
    pub fn url(&self) -> String {
        self.at("/mcp")
    }
}
