//! `vmcp stdio`.

use super::{
    headers::GivenHeaders,
    serve::{Signals, runtime},
    watchdog::watched,
};
use crate::{
    args::{ConfigArgs, EndpointArgs, variable},
    config::{Secrets, at_endpoint, load},
    error::Failure,
    logging::LogArgs,
    terminal::Terminal,
    values,
};
use anyhow::{Context, bail};
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::io::IsTerminal;
use vmcp_auth::Identity;
use vmcp_core::{config::Config, header::normalise};
use vmcp_server::Gateway;

/// Serves the gateway to the program that starts this one, over standard input and output.
#[derive(Args, Debug)]
pub(crate) struct Stdio {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    headers: GivenHeaders,
    /// A header with the value of an environment variable; may be repeated
    #[arg(long = "header-env", value_name = "NAME=VARIABLE", value_parser = values::header_variable)]
    variables: Vec<(HeaderName, String)>,
    #[command(flatten)]
    log: LogArgs,
}

impl Stdio {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<(), Failure> {
        let loaded = load(&self.config.request(Secrets::Required)).into_loaded();
        let level = loaded.as_ref().ok().and_then(|loaded| loaded.config.operational.log_level);
        let log = self.log.start(level, terminal)?;
        match loaded {
            Ok(loaded) => {
                log.findings(&loaded.findings, terminal);
                let served = headers(&self.headers, &self.variables)
                    .and_then(|headers| run(at_endpoint(loaded.config, self.endpoint.endpoint.as_deref())?, headers));
                served.map_err(|error| log.failure(error))
            }
            Err(findings) => {
                log.findings(&findings, terminal);
                Err(Failure::Reported)
            }
        }
    }
}

fn headers(given: &GivenHeaders, variables: &[(HeaderName, String)]) -> anyhow::Result<HeaderMap> {
    let mut headers = given.read()?;
    for (name, name_of_variable) in variables {
        let Some(value) = variable(name_of_variable) else {
            bail!("--header-env {name}={name_of_variable}: the variable is not set; set it where this program is started");
        };
        let Ok(mut value) = HeaderValue::from_bytes(value.as_encoded_bytes()) else {
            bail!(
                "--header-env {name}={name_of_variable}: the value has a line break or another control character, which no header can carry"
            );
        };
        value.set_sensitive(true);
        headers.append(name.clone(), value);
    }
    Ok(headers)
}

fn run(config: Config, headers: HeaderMap) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let served = runtime.block_on(serve(config, headers));
    // A thread of the runtime may wait for standard input, and nothing makes it stop.
    runtime.shutdown_background();
    served
}

async fn serve(config: Config, headers: HeaderMap) -> anyhow::Result<()> {
    let backends = config.backends.len();
    let mut signals = Signals::new()?;
    let gateway = watched(Gateway::builder(config).findings_are_told()).build()?;
    tell_of_unlisted(&gateway, &headers)?;
    if std::io::stdin().is_terminal() {
        tracing::warn!("standard input is a terminal: this command speaks MCP with the program that starts it, a message in each line");
    }
    tracing::info!(backends, "serving over standard input and output");
    let serving = gateway.serve_stdio(tokio::io::stdin(), tokio::io::stdout(), Identity::anonymous(), headers);
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        signal = signals.next() => {
            signal?;
            tracing::info!("stopping: requests in flight may end; a second signal stops at once");
            tokio::select! {
                (served, ()) = async { tokio::join!(serving, gateway.shutdown()) } => return served.context(NO_INPUT),
                signal = signals.next() => return signal,
            }
        }
    };
    tokio::select! {
        () = gateway.shutdown() => {}
        signal = signals.next() => signal?,
    }
    served.context(NO_INPUT)
}

const NO_INPUT: &str = "cannot read standard input";

/// Says which headers go nowhere.
fn tell_of_unlisted(gateway: &Gateway, headers: &HeaderMap) -> anyhow::Result<()> {
    let caller = gateway.identity(&Identity::anonymous(), headers)?;
    for name in headers.keys() {
        let key = normalise(name);
        if !caller.forwarded().names().any(|listed| *listed == key) {
            tracing::warn!("header `{name}` is listed for no backend and stays here; `vmcp headers explain` shows which are");
        }
    }
    Ok(())
}
