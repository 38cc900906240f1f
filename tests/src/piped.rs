//! `vmcp stdio` in a process of its own, and a client at its pipe that writes byte by byte.

use crate::{
    PATIENCE,
    process::{Written, command},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
};

/// A gateway at the other end of a pipe. Dropping it kills it.
pub struct Piped {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<Lines<BufReader<ChildStdout>>>,
    /// What came and was not asked for yet.
    kept: Vec<Value>,
    log: Written,
    logged: JoinHandle<std::io::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Drop for Piped {
    #[expect(clippy::print_stderr, reason = "the test harness shows it when the test fails, and nothing else")]
    fn drop(&mut self) {
        eprintln!("vmcp stdio wrote:\n{}", self.log.text());
    }
}

impl Piped {
    /// Starts a gateway with this configuration, more arguments and variables.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(config: &Value, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("vmcp.json");
        std::fs::write(&file, config.to_string())?;
        let mut command = command()?;
        command.arg("stdio").arg("--config").arg(&file).args(["--log-level", "debug"]).args(arguments).envs(variables.iter().copied());
        command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().context("starting vmcp stdio")?;
        let log = Written::new();
        let logged = tokio::spawn(log.clone().collect(child.stderr.take().context("no stderr")?));
        let output = Some(BufReader::new(child.stdout.take().context("no stdout")?).lines());
        Ok(Self { input: child.stdin.take(), child, output, kept: Vec::new(), log, logged, _folder: folder })
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When nobody reads them.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let input = self.input.as_mut().context("standard input is closed")?;
        tokio::time::timeout(PATIENCE, input.write_all(bytes.as_ref())).await.context("vmcp does not read")??;
        Ok(())
    }

    /// Sends one message.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn send(&mut self, message: &Value) -> Result<()> {
        self.write(format!("{message}\n")).await
    }

    /// Sends a request of a legacy client.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn request(&mut self, id: impl Into<Value>, method: &str, params: Value) -> Result<()> {
        self.send(&json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })).await
    }

    /// Sends a request of a modern client. It declares what stands in `_meta` already, else nothing.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn modern(&mut self, id: impl Into<Value>, method: &str, mut params: Value) -> Result<()> {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
        let declared = &mut params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        if declared.is_null() {
            *declared = json!({});
        }
        self.request(id, method, params).await
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn notify(&mut self, method: &str, params: Value) -> Result<()> {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params })).await
    }

    /// Opens a session of this revision with these capabilities. Returns what `initialize` answered.
    ///
    /// # Errors
    /// When it does not.
    pub async fn initialize(&mut self, revision: &str, capabilities: Value) -> Result<Value> {
        let params =
            json!({ "protocolVersion": revision, "capabilities": capabilities, "clientInfo": { "name": "piped", "version": "1" } });
        self.request("initialize", "initialize", params).await?;
        let answer = self.answer("initialize").await?;
        self.notify("notifications/initialized", json!({})).await?;
        Ok(answer)
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// When none comes within [`PATIENCE`], or a line is no message.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        if !self.kept.is_empty() {
            return Ok(Some(self.kept.remove(0)));
        }
        self.read().await
    }

    async fn read(&mut self) -> Result<Option<Value>> {
        let output = self.output.as_mut().context("standard output is closed")?;
        let line = tokio::time::timeout(PATIENCE, output.next_line()).await.context("no message comes")??;
        line.map(|line| serde_json::from_str(&line).with_context(|| format!("not one message in a line: {line:?}"))).transpose()
    }

    /// The next message of which this holds; the others are kept.
    ///
    /// # Errors
    /// As [`Self::next`], and at the end.
    pub async fn until(&mut self, suits: impl Fn(&Value) -> bool) -> Result<Value> {
        if let Some(at) = self.kept.iter().position(&suits) {
            return Ok(self.kept.remove(at));
        }
        loop {
            match self.read().await? {
                Some(message) if suits(&message) => return Ok(message),
                Some(message) => self.kept.push(message),
                None => bail!("standard output ended; before that came {:?}", self.kept),
            }
        }
    }

    /// The response with this id.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub async fn answer(&mut self, id: impl Into<Value>) -> Result<Value> {
        let id = id.into();
        self.until(|message| message["id"] == id && message.get("method").is_none()).await
    }

    /// The next message of this method.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub async fn said(&mut self, method: &str) -> Result<Value> {
        self.until(|message| message["method"] == method).await
    }

    /// Closes standard input.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Everything that it wrote to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Sends a signal: `TERM`, `KILL`.
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.child.id().context("vmcp has ended")?;
        let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().await?;
        ensure!(status.success(), "kill -{signal} failed");
        Ok(())
    }

    /// Reads no more, as a client that has gone.
    pub fn hang_up(&mut self) {
        self.output = None;
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not come within [`PATIENCE`].
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.with_context(|| format!("vmcp does not end:\n{}", self.log()))??;
        tokio::time::timeout(PATIENCE, &mut self.logged).await.context("standard error stays open")???;
        Ok(status)
    }

    /// Waits a little, and fails if a message comes meanwhile.
    ///
    /// # Errors
    /// When one does.
    pub async fn silent(&mut self) -> Result<()> {
        ensure!(self.kept.is_empty(), "there were messages already: {:?}", self.kept);
        let output = self.output.as_mut().context("standard output is closed")?;
        match tokio::time::timeout(Duration::from_millis(300), output.next_line()).await {
            Err(_) => Ok(()),
            Ok(line) => bail!("a message came: {:?}", line?),
        }
    }
}
