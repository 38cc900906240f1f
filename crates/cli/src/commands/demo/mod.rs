//! `vmcp demo`: two small MCP servers, a gateway in front of them, two users, and who got to see which header.

mod calls;
mod program;
mod protocol;
mod scene;
mod server;
mod story;

use super::serve::{Signals, bind, runtime, serve_until_signal};
use crate::{
    error::Failure,
    logging::LogArgs,
    terminal::{self, Terminal},
};
use anyhow::Context;
use clap::Args;
use scene::Scene;
use std::net::{Ipv4Addr, SocketAddr};
use vmcp_core::config::LogLevel;
use vmcp_server::{Gateway, Listener};

/// Shows what vmcp does with headers, on this machine alone.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// The gateway's port; 0 takes a free one. Without it: 4483, or a free one where that is taken
    #[arg(long)]
    port: Option<u16>,
    /// Stop after the table instead of serving on
    #[arg(long)]
    once: bool,
    /// Print an object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArgs,
}

const PORT: u16 = 4483;

impl Demo {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<(), Failure> {
        self.log.start(Some(LogLevel::Warn), terminal)?;
        Ok(runtime()?.block_on(self.show(terminal))?)
    }

    async fn show(self, terminal: &Terminal) -> anyhow::Result<()> {
        let listener = match self.port {
            Some(port) => bind(loopback(port)).await?,
            None => {
                let (listener, is_usual) = usual_or_free(PORT).await?;
                if !is_usual {
                    terminal.note(&format!("port {PORT} is taken, so the demo takes a free one"));
                }
                listener
            }
        };
        let address = listener.local_addr().ok().flatten().context("cannot tell the listener's address")?;
        let scene = Scene::set(address).await?;
        let gateway = Gateway::builder(scene.config()?).build()?;
        let serving = serve_until_signal(&gateway, gateway.serve(listener), Signals::new()?);
        let acting = async {
            let calls = calls::make(&scene).await?;
            let story = story::Story::new(&scene, calls);
            // What was seen is shown in any case, the conclusion only where it holds.
            let checked = story.check();
            if self.json {
                terminal::print(story.object())?;
            } else {
                terminal::print(story.text(checked.is_ok(), self.once))?;
            }
            checked?;
            if !self.once {
                terminal.note(&format!("listening on {}; Ctrl-C stops it", scene.url));
                std::future::pending::<()>().await;
            }
            anyhow::Ok(())
        };
        tokio::select! {
            served = serving => served,
            acted = acting => {
                gateway.shutdown().await;
                acted
            }
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A listener on a port, else on a free one; and whether it is the former.
async fn usual_or_free(usual: u16) -> anyhow::Result<(Listener, bool)> {
    match bind(loopback(usual)).await {
        Ok(listener) => Ok((listener, true)),
        Err(_) => Ok((bind(loopback(0)).await?, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_no_obstacle() {
        let (holder, is_usual) = usual_or_free(0).await.unwrap();
        assert!(is_usual);
        let taken = holder.local_addr().unwrap().unwrap().port();
        let (other, is_usual) = usual_or_free(taken).await.unwrap();
        assert!(!is_usual && other.local_addr().unwrap().unwrap().port() != taken);
    }
}
