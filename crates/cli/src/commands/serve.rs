//! `vmcp serve`.

use super::watchdog::watched;
use crate::{
    args::{ConfigArgs, ListenerArgs},
    config::{Secrets, load},
    error::Failure,
    logging::{LogArgs, READY},
    terminal::Terminal,
    values,
};
use anyhow::Context;
use clap::Args;
use std::{io, net::SocketAddr, num::NonZeroUsize};
use vmcp_core::config::{Config, Listen};
use vmcp_server::{BindError, Gateway, Listener, Workers};

/// Serves the gateway until SIGTERM or Ctrl-C.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    listener: ListenerArgs,
    #[command(flatten)]
    log: LogArgs,
    /// Threads that serve connections, each its own, from 1 to 1024; by default one for each core, and at least four
    #[arg(long, value_name = "N", value_parser = values::workers)]
    workers: Option<NonZeroUsize>,
}

impl Serve {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<(), Failure> {
        let loaded = load(&self.config.request_with(self.listener, Secrets::Required)).into_loaded();
        let level = loaded.as_ref().ok().and_then(|loaded| loaded.config.operational.log_level);
        let log = self.log.start(level, terminal)?;
        match loaded {
            Ok(loaded) => {
                log.findings(&loaded.findings, terminal);
                run(loaded.config, self.workers).map_err(|error| log.failure(error))
            }
            Err(findings) => {
                log.findings(&findings, terminal);
                Err(Failure::Reported)
            }
        }
    }
}

fn run(config: Config, workers: Option<NonZeroUsize>) -> anyhow::Result<()> {
    let count = workers.unwrap_or_else(Workers::usual);
    let workers = Workers::start(count).context("cannot start the threads that serve connections")?;
    // Accepting and what belongs to no connection is little work.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context(NO_RUNTIME)?;
    runtime.block_on(serve(config, &workers))
}

const NO_RUNTIME: &str = "cannot start the runtime";

/// The runtime of every command that talks to somebody.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context(NO_RUNTIME)
}

/// Listens at an address, without TLS.
pub(crate) async fn bind(address: SocketAddr) -> Result<Listener, BindError> {
    Listener::bind(&Listen::at(address)).await
}

async fn serve(config: Config, workers: &Workers) -> anyhow::Result<()> {
    let listener = Listener::bind(&config.listen).await?;
    let places = listener.places().context("cannot tell the listener's address")?;
    let (path, backends) = (config.path.clone(), config.backends.len());
    let more: Vec<String> = config.endpoints.iter().map(|endpoint| endpoint.path.clone()).collect();
    let signals = Signals::new()?;
    let gateway = watched(Gateway::builder(config).findings_are_told()).build()?;
    for place in &places {
        for path in &more {
            tracing::info!("an endpoint of its own is at {place}{path}");
        }
    }
    for place in &places {
        tracing::info!(target: READY, backends, "listening on {place}{path}");
    }
    serve_until_signal(&gateway, gateway.serve_on(listener, workers), signals).await
}

/// Serves until SIGTERM or Ctrl-C, then shuts down in order. A second signal ends at once.
pub(crate) async fn serve_until_signal(
    gateway: &Gateway,
    serving: impl Future<Output = io::Result<()>>,
    mut signals: Signals,
) -> anyhow::Result<()> {
    let stop = async {
        signals.next().await?;
        tracing::info!("stopping: no new connections, requests in flight may end; a second signal stops at once");
        tokio::select! {
            () = gateway.shutdown() => {}
            signal = signals.next() => signal?,
        }
        anyhow::Ok(())
    };
    tokio::pin!(stop, serving);
    tokio::select! {
        stopped = &mut stop => stopped,
        served = &mut serving => {
            served.context("the listener failed")?;
            // The accept loop has ended because of the signal; the rest of the shutdown goes on.
            stop.await
        }
    }
}

/// The signals that end a gateway, heard from the moment this is made: before anybody is told that there is something to end.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Has to be called inside the runtime.
    pub(crate) fn new() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hear = |kind| signal(kind).context("cannot wait for SIGTERM and Ctrl-C");
        Ok(Self { terminate: hear(SignalKind::terminate())?, interrupt: hear(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        Ok(())
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    pub(crate) async fn next(&mut self) -> anyhow::Result<()> {
        tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
    }
}
