//! The strategy that runs a program for credentials.

mod complaints;
mod environment;
mod group;
mod run;

use self::{complaints::Complaints, environment::Environment, run::Program};
use crate::{
    credential_helper::{self, Ask, Helped, Helper, HelperSettings},
    oauth::refused,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use vmcp_core::{
    config::{SecretSource, Span},
    plugin::{Credentials, Deps, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory},
};

const KEY: &str = "exec";

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How many programs of one strategy run at a time. Further callers wait for their turn, which counts as time of theirs.
const RUNS: usize = 8;

/// The settings of `type: exec`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "A credential command")]
pub struct ExecConfig {
    /// The program. It is told of the caller on its standard input, in JSON, and writes `{"headers": {…}, "expiresAt": …}`.
    #[schemars(extend("format" = "command"))]
    pub command: String,
    /// What the program is given on its command line.
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables that the program is given; each a value, or `fromEnv` or `fromFile` to say where it stands.
    #[serde(default)]
    pub env: BTreeMap<String, SecretSource>,
    /// Variables of vmcp's own environment that the program is given. Without being named here it sees `PATH`, `HOME`, `TMPDIR` and the
    /// like, and nothing else.
    #[serde(default)]
    pub env_passthrough: Vec<String>,
    /// How long the program may take; at most `30s`. It and what it started are killed then. Default: `10s`.
    pub timeout: Option<Span>,
    /// The headers that the program may give. Default: `authorization`.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The caller's claims that the program is told, beside issuer, subject and groups.
    #[serde(default)]
    pub claims: Vec<String>,
    /// Whether the program is given the caller's own token.
    #[serde(default)]
    pub send_token: bool,
    /// The issuers of those callers whose tokens the program is given; of others' calls it does not hear, and `onError` says what becomes of
    /// them. Goes with `sendToken`, and is needed there where `incomingAuth.oidc` has several issuers; otherwise it
    /// is the one that there is.
    #[schemars(length(min = 1))]
    pub subject_issuers: Option<Vec<String>>,
    /// Whether the credentials are the same for all callers: then the program is told of none, and runs once for all.
    #[serde(default)]
    pub shared: bool,
}

/// Builds `type: exec`: requests carry the headers that a program wrote.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExecFactory;

struct Exec {
    program: Program,
    runs: Semaphore,
    complaints: Complaints,
}

impl StrategyFactory for ExecFactory {
    const KIND: &'static str = "exec";
    type Config = ExecConfig;

    fn build(&self, config: ExecConfig, deps: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        if config.command.trim().is_empty() {
            return Err(refused(KEY, "command", "needs a `command`; name a program"));
        }
        let settings = HelperSettings {
            key: KEY,
            timeout: config.timeout,
            headers: config.headers,
            claims: config.claims,
            send_token: config.send_token,
            subject_issuers: config.subject_issuers,
            shared: config.shared,
        };
        let helper = settings.build(LIMIT, deps)?;
        let environment = Environment::new(&config.env, &config.env_passthrough, &deps.secrets)?;
        let program = Program { command: config.command, args: config.args, environment, overseer: deps.overseer.clone() };
        Ok(Arc::new(Helped { helper, way: Exec { program, runs: Semaphore::new(RUNS), complaints: Complaints::default() } }))
    }
}

impl Ask for Exec {
    async fn ask(&self, helper: &Helper, context: &StrategyContext<'_>) -> Result<Credentials, StrategyError> {
        let asked = async {
            // Never closed.
            let _permit = self.runs.acquire().await;
            self.program.run(helper.summary(context)).await
        };
        let ran = match tokio::time::timeout(helper.limit(), asked).await {
            Ok(ran) => ran,
            Err(_) => return Err(StrategyError::Issuer(format!("{} did not end within {}", self.program, Span(helper.limit())))),
        };
        let token = context.subject_token.map(|token| token.expose());
        let ran = ran.map_err(|failed| {
            self.complaints.tell(context.backend, &self.program, &failed.stderr, token, None);
            StrategyError::Issuer(format!("{} {}", self.program, failed.why))
        })?;
        let read = credential_helper::read(&self.program.to_string(), &ran.stdout);
        self.complaints.tell(context.backend, &self.program, &ran.stderr, token, read.as_ref().ok());
        read
    }
}

#[cfg(test)]
mod tests;
