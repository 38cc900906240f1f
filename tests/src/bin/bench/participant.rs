//! Who is measured, and how each is set up: one backend, logging off, and no authentication but where the name says so.

use anyhow::{Context, Result, bail};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Rpc},
    idp::Idp,
    proc_stat, process, tools,
};

/// The participants in the order of the table.
pub(crate) const NAMES: [&str; 6] = ["direct", "nginx", "vmcp", "vmcp-auth", "mcp-proxy", "FastMCP"];

/// What the provider writes into tokens for the gateway.
const AUDIENCE: &str = "vmcp";

/// The backend's process.
pub(crate) struct Backend {
    _child: Child,
    addr: SocketAddr,
    pub(crate) url: String,
}

impl Backend {
    /// Starts the fixture without recording, both eras on one endpoint.
    pub(crate) async fn start(name: &str) -> Result<Self> {
        let mut command = Command::new(process::beside("fixture")?);
        command.args(["--name", name, "--era", "both"]).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("starting the backend")?;
        let line = BufReader::new(child.stdout.take().context("no stdout")?).lines().next_line().await?.context("the backend ended")?;
        let url = line.trim_start_matches("listening on ").to_owned();
        let addr = url.trim_start_matches("http://").trim_end_matches("/mcp").parse()?;
        Ok(Self { _child: child, addr, url })
    }
}

/// One way to the backend.
pub(crate) struct Participant {
    pub(crate) name: &'static str,
    pub(crate) addr: SocketAddr,
    pub(crate) path: &'static str,
    /// The backend's `echo` under the name that it has here.
    pub(crate) tool: String,
    /// The gateway's process; none where there is no gateway.
    pub(crate) pid: Option<u32>,
    /// The caller's `authorization`, where callers are told apart.
    authorization: Option<String>,
    modern: bool,
    _child: Option<Child>,
    _folder: tempfile::TempDir,
}

impl Drop for Participant {
    fn drop(&mut self) {
        // A gateway with workers, as nginx is, has to end them itself: killed, it would leave them behind. What stays deaf to this is
        // killed with the child's own drop.
        if let Some(pid) = self.pid {
            let _ = std::process::Command::new("kill").arg("-TERM").arg(pid.to_string()).status();
            for _ in 0..100 {
                if proc_stat::family(pid).len() == 1 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn nginx(folder: &Path, backend: &Backend, port: u16) -> Result<Command> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let file = folder.join("nginx.conf");
    let at = folder.display();
    let temporary: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].iter().map(|kind| format!("  {kind}_temp_path {at}/{kind};\n")).collect();
    std::fs::write(
        &file,
        format!(
            "daemon off;\nworker_processes {cores};\npid {at}/pid;\nerror_log /dev/null crit;\nevents {{ worker_connections 4096; }}\nhttp {{\n  access_log off;\n{temporary}  keepalive_timeout 1h;\n  keepalive_requests 1000000000;\n  upstream backend {{ server {}; keepalive 64; keepalive_requests 1000000000; }}\n  server {{\n    listen 127.0.0.1:{port};\n    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}\n  }}\n}}\n",
            backend.addr
        ),
    )?;
    let mut command = Command::new(tools::nginx()?);
    command.arg("-c").arg(&file).arg("-p").arg(folder).args(["-e", "/dev/null"]);
    Ok(command)
}

fn vmcp(folder: &Path, backend: &Backend, port: u16) -> Result<Command> {
    let file = folder.join("vmcp.json");
    std::fs::write(&file, serde_json::json!({ "backends": [{ "name": "b", "url": backend.url }] }).to_string())?;
    let mut command = process::command()?;
    command.arg("serve").arg("--config").arg(&file).args(["--port", &port.to_string(), "--log-level", "error"]);
    Ok(command)
}

/// Callers bring a JWT, which is exchanged for another one for the backend.
fn vmcp_with_auth(folder: &Path, backend: &Backend, port: u16, idp: &Idp) -> Result<Command> {
    let file = folder.join("vmcp.json");
    let config = serde_json::json!({
        "backends": [{ "name": "b", "url": backend.url }],
        "incomingAuth": { "type": "oidc", "oidc": { "issuer": idp.issuer(), "audience": AUDIENCE, "insecureAllowHttp": true, "jwksAllowPrivateIp": true } },
        "outgoingAuth": { "default": { "type": "token_exchange", "tokenExchange": {
            "tokenUrl": idp.url("/token"), "clientId": "vmcp", "clientSecret": "vmcp-secret", "audience": "b",
        } } },
    });
    std::fs::write(&file, config.to_string())?;
    let mut command = process::command()?;
    command.arg("serve").arg("--config").arg(&file).args(["--port", &port.to_string(), "--log-level", "error"]);
    Ok(command)
}

fn mcp_proxy(folder: &Path, backend: &Backend, port: u16) -> Result<Command> {
    let file = folder.join("proxy.toml");
    let url = &backend.url;
    std::fs::write(
        &file,
        format!(
            "[proxy]\nname = \"bench\"\n[proxy.listen]\nhost = \"127.0.0.1\"\nport = {port}\n[[backends]]\nname = \"b\"\ntransport = \"http\"\nurl = \"{url}\"\n"
        ),
    )?;
    let mut command = Command::new(tools::mcp_proxy()?);
    command.arg("--config").arg(&file).env("RUST_LOG", "off");
    Ok(command)
}

fn fastmcp(folder: &Path, backend: &Backend, port: u16) -> Result<Command> {
    let file = folder.join("mcp.json");
    std::fs::write(&file, serde_json::json!({ "mcpServers": { "b": { "url": backend.url } } }).to_string())?;
    let mut command = Command::new(tools::fastmcp()?);
    command.arg("run").arg(&file).args(["--transport", "http", "--port", &port.to_string(), "--no-banner", "--log-level", "CRITICAL"]);
    command.env("FASTMCP_LOG_LEVEL", "CRITICAL").env("FASTMCP_CHECK_FOR_UPDATES", "off");
    Ok(command)
}

impl Participant {
    /// Sets one up in a folder of its own and waits until a call goes through.
    pub(crate) async fn start(name: &'static str, backend: &Backend, idp: &Idp) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let mut authorization = None;
        let command = match name {
            "direct" => None,
            "nginx" => Some(nginx(folder.path(), backend, port)?),
            "vmcp" => Some(vmcp(folder.path(), backend, port)?),
            "vmcp-auth" => {
                authorization = Some(format!("Bearer {}", idp.token()?.subject("caller").audience(AUDIENCE).expires_in(24 * 3600).sign()?));
                Some(vmcp_with_auth(folder.path(), backend, port, idp)?)
            }
            "mcp-proxy" => Some(mcp_proxy(folder.path(), backend, port)?),
            _ => Some(fastmcp(folder.path(), backend, port)?),
        };
        let addr = if command.is_some() { SocketAddr::from((Ipv4Addr::LOCALHOST, port)) } else { backend.addr };
        let child = match command {
            None => None,
            Some(mut command) => {
                command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
                Some(command.spawn().with_context(|| format!("starting {name}"))?)
            }
        };
        let path = if name == "mcp-proxy" { "/" } else { "/mcp" };
        let pid = child.as_ref().and_then(Child::id);
        let mut this = Self { name, addr, path, tool: String::new(), pid, authorization, modern: false, _child: child, _folder: folder };
        for _ in 0..300 {
            if let Ok(tool) = this.find_echo().await {
                this.tool = tool;
                this.modern = this.try_modern().await.is_ok();
                return Ok(this);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("no call goes through after 30 s")
    }

    /// A caller of this era, not yet connected.
    pub(crate) fn caller(&self, era: Era) -> Caller {
        let mut caller = Caller::new(era);
        self.path.clone_into(&mut caller.path);
        if let Some(authorization) = &self.authorization {
            caller.set("authorization", authorization);
        }
        caller
    }

    /// The name of the backend's `echo` here.
    async fn find_echo(&self) -> Result<String> {
        let mut conn = Conn::open(self.addr).await?;
        let mut caller = self.caller(Era::Legacy);
        caller.initialize(&mut conn).await?;
        let list = caller.send(&mut conn, &Rpc::list("tools/list", None)).await?.result()?;
        let names = list["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str());
        names.into_iter().find(|name| name.ends_with("echo")).map(str::to_owned).context("no echo yet")
    }

    async fn try_modern(&self) -> Result<()> {
        let mut conn = Conn::open(self.addr).await?;
        self.caller(Era::Modern).send(&mut conn, &Rpc::tool(&self.tool, "{}")).await?.result()?;
        Ok(())
    }

    /// Whether it answers calls of this era.
    pub(crate) fn speaks(&self, era: Era) -> bool {
        era == Era::Legacy || self.modern
    }
}
