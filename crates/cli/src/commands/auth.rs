//! `vmcp auth`.

use crate::{error::Failure, terminal};
use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use vmcp_auth::NewApiKey;

/// Makes what callers are known by.
#[derive(Args, Debug)]
pub(crate) struct Auth {
    #[command(subcommand)]
    command: AuthCommand,
}

#[derive(Subcommand, Debug)]
enum AuthCommand {
    /// Make a new API key, and its hash for the configuration
    ///
    /// The key is printed once and kept nowhere. The hash goes into `incomingAuth.apiKey.keys`, and leads nobody back to the key.
    NewKey(NewKey),
}

#[derive(Args, Debug)]
struct NewKey {
    /// Print one JSON value
    #[arg(long)]
    json: bool,
}

impl Auth {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let AuthCommand::NewKey(NewKey { json: as_json }) = self.command;
        let new = NewApiKey::make().context("the system gives no randomness")?;
        let (key, hash) = (new.expose_key(), new.hash());
        if as_json {
            terminal::print(json!({ "key": key, "hash": hash }))?;
        } else {
            terminal::print(format!("key:  {key}\nhash: {hash}"))?;
        }
        Ok(())
    }
}
