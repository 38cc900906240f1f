//! Whom to ask: the backends of a configuration, or one endpoint named by its URL. Both through a gateway in this process that listens
//! nowhere, so that eras, sessions and streams are spoken as `vmcp serve` speaks them.

use super::endpoint::{endpoint, renamed, shown};
use crate::{
    args::{ConfigArgs, EndpointArgs},
    commands::{headers::GivenHeaders, person::Person, watchdog::watched},
    config::{Environment, Secrets, at_endpoint, authorizer, load},
    error::Failure,
    logging::LogArgs,
    table::plain,
    terminal::Terminal,
    values,
};
use clap::Args;
use http::HeaderMap;
use serde_json::value::RawValue;
use std::{collections::HashMap, path::PathBuf};
use url::Url;
use vmcp_auth::Identity;
use vmcp_core::{
    catalogue::ListKind,
    config::{Config, LogLevel, Span, is_loopback},
    header::normalise,
};
use vmcp_server::{BuildError, CallError, Direct, Gateway, Origins};

/// Where the tools are.
#[derive(Args, Clone, Debug)]
pub(super) struct From {
    /// Ask this MCP endpoint instead of a configuration's backends, for example a running vmcp: http://127.0.0.1:4483/mcp
    #[arg(long, value_name = "URL", value_parser = values::endpoint, conflicts_with_all = ["config", "backends", "passthrough_headers", "endpoint"])]
    url: Option<Url>,
    /// Ask as the caller whose claims stand in this file, a JSON object with `iss` and `sub`: policies decide what it is shown and may call
    ///
    /// It brings no token. A backend whose outgoing strategy needs one (token_exchange, and exec or external with sendToken) cannot be
    /// asked so.
    #[arg(long = "as", value_name = "CLAIMS.json", conflicts_with = "url")]
    person: Option<PathBuf>,
    #[command(flatten)]
    headers: GivenHeaders,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    log: LogArgs,
}

/// Everything that is needed to ask.
pub(super) struct Opening {
    config: Config,
    headers: HeaderMap,
    url: Option<Url>,
    caller: Identity,
}

/// Somebody to ask.
pub(super) struct Source {
    gateway: Gateway,
    direct: Direct,
    url: Option<Url>,
}

/// One tool of a list.
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) description: String,
    /// Empty where the endpoint is not one of a configuration's.
    pub(super) backend: String,
    /// How long its definition is, in bytes of JSON.
    pub(super) bytes: usize,
}

/// A command has more patience than a client that waits for its list.
const LIST_WAIT: Span = Span::seconds(30);

impl From {
    /// Reads headers and configuration and starts the log.
    pub(super) fn prepare(&self, terminal: &Terminal) -> Result<Opening, Failure> {
        let headers = self.headers.read()?;
        let person = self.person.as_deref().map(Person::read).transpose()?;
        let mut config = match &self.url {
            Some(url) => {
                if !headers.is_empty() && url.scheme() == "http" && !is_loopback(url) {
                    terminal.warning(&format!("headers travel unencrypted to {}; use https:// where you can", shown(url)));
                }
                endpoint(url, &headers)
            }
            None => {
                let loaded = load(&self.config.clone().request(Secrets::Required)).into_loaded().map_err(|findings| {
                    terminal.findings(&findings);
                    Failure::Reported
                })?;
                terminal.findings(&loaded.findings);
                at_endpoint(loaded.config, self.endpoint.endpoint.as_deref())?
            }
        };
        let caller = caller(&config, person, terminal)?;
        // The findings have said everything worth knowing about the configuration; what goes wrong comes as an error.
        self.log.start(Some(LogLevel::Error), terminal)?;
        config.aggregation.list_wait.get_or_insert(LIST_WAIT);
        // Kept lists are a serving gateway's: here the backends are asked.
        config.state_dir = None;
        Ok(Opening { config, headers, url: self.url.clone(), caller })
    }
}

impl Opening {
    /// Builds the gateway. Has to be called inside the runtime.
    pub(super) fn open(self, terminal: &Terminal) -> Result<Source, Failure> {
        let gateway = watched(Gateway::builder(self.config).findings_are_told()).build().map_err(|error| match (error, &self.url) {
            (BuildError::Config(problems), Some(url)) => {
                let problems: Vec<String> = problems.iter().map(|problem| problem.message.clone()).collect();
                anyhow::anyhow!("{}: {}", shown(url), problems.join("; "))
            }
            (error, _) => anyhow::Error::new(error),
        })?;
        let caller = gateway.identity(&self.caller, &self.headers);
        let caller = caller.map_err(|error| anyhow::anyhow!("{}", renamed(&error.to_string(), self.url.as_ref())))?;
        for name in self.headers.keys() {
            let key = normalise(name);
            if !caller.forwarded().names().any(|listed| *listed == key) {
                terminal
                    .warning(&format!("header `{name}` is listed for no backend and stays here; `vmcp headers explain` shows which are"));
            }
        }
        let direct = gateway.direct(caller);
        Ok(Source { gateway, direct, url: self.url })
    }
}

impl Source {
    /// Whether one endpoint is asked, whose backends nobody here knows.
    pub(super) fn is_endpoint(&self) -> bool {
        self.url.is_some()
    }

    /// What is asked, for people.
    pub(super) fn name(&self) -> String {
        self.url.as_ref().map_or_else(|| "the configuration".to_owned(), shown)
    }

    /// The list of tools, as it came and taken apart, with a warning for each backend that is not in it.
    ///
    /// # Errors
    /// When no backend could be listed.
    pub(super) async fn tools(&self, terminal: &Terminal) -> Result<(Box<RawValue>, Vec<Tool>), Failure> {
        let raw = self.direct.list(ListKind::Tools).await.map_err(|error| self.failure(&error))?;
        let origins = self.origins().await;
        let tools = taken_apart(&raw, &origins, self.is_endpoint())?;
        let reasons = origins.absent.iter().map(|absent| self.renamed(&absent.reason));
        if tools.is_empty() && !origins.absent.is_empty() {
            reasons.for_each(|reason| terminal.error(&reason));
            return Err(Failure::Reported);
        }
        reasons.for_each(|reason| terminal.warning(&reason));
        Ok((raw, tools))
    }

    pub(super) async fn origins(&self) -> Origins {
        self.direct.origins().await
    }

    /// Calls a tool.
    pub(super) async fn call(&self, name: &str, arguments: &RawValue) -> Result<Box<RawValue>, CallError> {
        self.direct.call_tool(name, arguments).await
    }

    /// A JSON-RPC error as this command's own.
    pub(super) fn failure(&self, error: &CallError) -> Failure {
        Failure::Other(anyhow::anyhow!("{}", plain(&self.renamed(&error.to_string()))))
    }

    /// A message about backends as this command's own.
    pub(super) fn renamed(&self, message: &str) -> String {
        let mut message = plain(&renamed(message, self.url.as_ref()));
        if self.url.as_ref().is_some_and(|url| url.path() == "/") && message.contains("404") {
            message += "; is the path missing? vmcp answers on /mcp";
        }
        message
    }

    /// Ends the sessions that were opened.
    pub(super) async fn close(self) {
        self.gateway.shutdown().await;
    }
}

/// Who asks.
fn caller(config: &Config, person: Option<Person>, terminal: &Terminal) -> Result<Identity, Failure> {
    let has_policies = config.incoming_auth.authz.is_some();
    let Some(person) = person else {
        if has_policies && config.incoming_auth.kind != "anonymous" {
            terminal.warning("the policies under `incomingAuth.authz` decide what is shown, and nobody asks; say who does with --as");
        }
        return Ok(Identity::anonymous());
    };
    if !has_policies {
        terminal.warning("the configuration has no `incomingAuth.authz`, so everybody may do what --as may");
    }
    let built = authorizer(config, &Environment::of_process()).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("\n"))
    })?;
    person.identity(&*built.authenticator)
}

fn taken_apart(raw: &RawValue, origins: &Origins, endpoint: bool) -> anyhow::Result<Vec<Tool>> {
    #[derive(serde::Deserialize)]
    struct Fields {
        #[serde(default)]
        name: String,
        #[serde(default)]
        description: serde_json::Value,
    }
    let items: Vec<&RawValue> = serde_json::from_str(raw.get())?;
    let backends: HashMap<&str, &str> = origins.tools.iter().map(|(tool, backend)| (tool.as_str(), &**backend)).collect();
    let tool = |item: &RawValue| {
        let fields: Fields = serde_json::from_str(item.get())?;
        let backend = if endpoint { "" } else { backends.get(fields.name.as_str()).copied().unwrap_or_default() };
        let description = fields.description.as_str().unwrap_or_default().to_owned();
        Ok(Tool { backend: backend.to_owned(), name: fields.name, description, bytes: item.get().len() })
    };
    items.into_iter().map(tool).collect()
}
