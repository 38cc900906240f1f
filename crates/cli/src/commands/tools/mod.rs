//! `vmcp tools`: the tools of a configuration or of an MCP endpoint, without a client.

mod call;
mod count;
mod endpoint;
mod list;
mod result;
mod source;

use super::serve::runtime;
use crate::{error::Failure, terminal::Terminal};
use clap::{Args, Subcommand};
use source::From;

/// Lists, calls and counts tools.
#[derive(Args, Debug)]
pub(crate) struct Tools {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// List the tools
    Ls {
        /// Print the list as the server sends it: a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        from: From,
    },
    /// Call a tool and print what it answers; exit code 1 when it reports an error
    Call {
        #[command(flatten)]
        call: call::Request,
        #[command(flatten)]
        from: From,
    },
    /// Count the tools and what their definitions take
    Count {
        /// Print an object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        from: From,
    },
}

impl Tools {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<(), Failure> {
        // What needs no server comes first, so that its errors do too.
        let (Action::Ls { from, .. } | Action::Call { from, .. } | Action::Count { from, .. }) = &self.action;
        let opening = from.prepare(terminal)?;
        let arguments = if let Action::Call { call, .. } = &self.action { Some(call.arguments()?) } else { None };
        runtime()?.block_on(async {
            let source = opening.open(terminal)?;
            let done = match (&self.action, arguments) {
                (Action::Ls { json, .. }, _) => list::run(&source, *json, terminal).await,
                (Action::Count { json, .. }, _) => count::run(&source, *json, terminal).await,
                (Action::Call { call, .. }, Some(arguments)) => call.run(&source, &arguments).await,
                (Action::Call { .. }, None) => Ok(()),
            };
            source.close().await;
            done
        })
    }
}
