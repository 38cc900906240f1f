//! What the settings of a strategy say of its helper.

use super::Helper;
use crate::{oauth::refused, subject_issuers::SubjectIssuers};
use http::HeaderName;
use std::time::Duration;
use vmcp_core::{
    config::{Span, index_path},
    plugin::{Deps, StrategyError},
};

/// The longest time that may be configured: calls wait for it.
const LONGEST_LIMIT: Duration = Duration::from_secs(30);

/// The settings, by the names of their keys.
pub(crate) struct HelperSettings {
    /// The key that they stand under.
    pub(crate) key: &'static str,
    pub(crate) timeout: Option<Span>,
    pub(crate) headers: Vec<String>,
    pub(crate) claims: Vec<String>,
    pub(crate) send_token: bool,
    pub(crate) subject_issuers: Option<Vec<String>>,
    pub(crate) shared: bool,
}

impl HelperSettings {
    /// The helper that they describe. It may take `limit` where they do not say how long, and gives `authorization` where they do not say
    /// what.
    ///
    /// # Errors
    /// When a header's name is none, or the settings contradict each other.
    pub(crate) fn build(self, limit: Duration, deps: &Deps) -> Result<Helper, StrategyError> {
        let Self { key, timeout, headers, claims, send_token, subject_issuers, shared } = self;
        let limit = timeout.map_or(limit, |timeout| timeout.0);
        if limit.is_zero() || limit > LONGEST_LIMIT {
            return Err(refused(
                key,
                "timeout",
                format!("has a `timeout` that is not between 1ms and {}; correct it", Span(LONGEST_LIMIT)),
            ));
        }
        let issuers = match (send_token, &subject_issuers) {
            // No token is shown to anybody.
            (false, None) => SubjectIssuers::of_none(key),
            (false, Some(_)) => {
                return Err(refused(
                    key,
                    "subjectIssuers",
                    "has `subjectIssuers`, which go with `sendToken: true`; remove them, or add it",
                ));
            }
            (true, _) => SubjectIssuers::new(key, subject_issuers, deps)?,
        };
        if shared && (send_token || !claims.is_empty()) {
            return Err(refused(
                key,
                "shared",
                "has `shared: true` and says something of the caller (`claims`, `sendToken`); remove one of them",
            ));
        }
        let name = |(n, name): (usize, &String)| {
            let why = "has a name under `headers` that is none; use letters, digits and hyphens only";
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused(key, index_path("headers", n), why))
        };
        let mut headers = headers.iter().enumerate().map(name).collect::<Result<Vec<_>, _>>()?;
        if headers.is_empty() {
            headers.push(http::header::AUTHORIZATION);
        }
        Ok(Helper { headers, claims, send_token, shared, issuers, limit })
    }
}
