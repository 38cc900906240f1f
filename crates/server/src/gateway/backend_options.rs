//! What a backend is made of, by the configuration and by default.

use super::plan::Strategy;
use crate::gateway::BuildError;
use secrecy::SecretString;
use std::{sync::Arc, time::Duration};
use vmcp_auth::CredentialCache;
use vmcp_backend::{BackendOptions, HttpTransport, Place, Program};
use vmcp_core::{
    config::{Backend as BackendConfig, Config, Span, Transport},
    header::HeaderPolicy,
};

/// How patient the gateway is with a backend that says nothing about it.
const SILENCE: Duration = Duration::from_secs(120);
const MAX_DURATION: Duration = Duration::from_secs(3600);
const CONNECT: Duration = Duration::from_secs(5);
const MAX_CONCURRENT: u32 = 256;

/// How many processes one backend has, and how many of them one caller.
const MAX_PROCESSES: u32 = 64;
const MAX_PROCESSES_PER_PRINCIPAL: u32 = 16;

/// What the configuration says, or else the default.
pub(super) fn or(span: Option<Span>, default: Duration) -> Duration {
    span.map_or(default, |span| span.0)
}

/// How long a call of a backend may take in all.
pub(super) fn max_duration(backend: Option<&BackendConfig>) -> Duration {
    or(backend.and_then(|backend| backend.max_duration), MAX_DURATION)
}

/// What a backend is made of.
///
/// # Errors
/// When its certificates cannot be read.
pub(super) fn of(
    index: usize,
    backend: &BackendConfig,
    config: &Config,
    policy: &HeaderPolicy,
    strategy: &Strategy,
    credentials: Arc<CredentialCache>,
    env: Vec<(String, SecretString)>,
) -> Result<BackendOptions, BuildError> {
    let timeouts = &config.operational.timeouts;
    let silence = backend.timeout.or_else(|| timeouts.per_workload.get(&backend.name).copied()).or(timeouts.default);
    let ca_bundle = backend
        .ca_bundle_path
        .as_ref()
        .map(|path| std::fs::read(path).map_err(|error| BuildError::CaBundle { backend: backend.name.clone(), path: path.clone(), error }));
    Ok(BackendOptions {
        index,
        name: backend.name.clone(),
        place: place(backend, env),
        policy: Arc::clone(policy.backend(index)),
        strategy: Arc::clone(&strategy.strategy),
        on_error: strategy.on_error,
        credentials,
        timeout: or(silence, SILENCE),
        max_duration: max_duration(Some(backend)),
        connect_timeout: or(backend.connect_timeout, CONNECT),
        max_concurrent: backend.max_concurrent.unwrap_or(MAX_CONCURRENT),
        protocol_era: backend.protocol_era,
        ca_bundle: ca_bundle.transpose()?,
        http2: backend.http2,
        list_scope: backend.list_scope,
    })
}

/// Without a word on it, what an old server turns out to speak.
fn http_transport(backend: &BackendConfig) -> HttpTransport {
    match backend.transport {
        None => HttpTransport::Detect,
        Some(Transport::Sse) => HttpTransport::Sse,
        Some(_) => HttpTransport::Streamable,
    }
}

fn place(backend: &BackendConfig, env: Vec<(String, SecretString)>) -> Place {
    match (&backend.url, &backend.command) {
        (Some(url), _) => Place::Url { url: url.clone(), transport: http_transport(backend) },
        (None, command) => Place::Program(Program {
            command: command.clone().unwrap_or_default(),
            args: backend.args.clone(),
            env,
            env_passthrough: backend.env_passthrough.clone(),
            cwd: backend.cwd.clone(),
            scope: backend.process,
            max: backend.max_processes.unwrap_or(MAX_PROCESSES),
            max_per_principal: backend.max_processes_per_principal.unwrap_or(MAX_PROCESSES_PER_PRINCIPAL),
        }),
    }
}
