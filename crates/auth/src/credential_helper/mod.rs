//! The language in which programs and services outside of vmcp give credentials: what they are told of a caller, and what they answer.
//! `docs/plugins.md` describes it for those who write one.

mod answer;
mod summary;
mod timestamp;

pub(crate) use answer::read;

use crate::oauth::refused;
use http::HeaderName;
use std::borrow::Cow;
use vmcp_core::plugin::{Keep, StrategyContext, StrategyError};
use zeroize::Zeroizing;

/// What one helper is told, and which headers it may give.
pub(crate) struct Helper {
    headers: Vec<HeaderName>,
    claims: Vec<String>,
    send_token: bool,
    shared: bool,
}

impl Helper {
    /// `key` is what the strategy's settings stand under. Without `headers` it gives `authorization`.
    ///
    /// # Errors
    /// When a header's name is none, or the settings contradict each other.
    pub(crate) fn new(key: &str, headers: &[String], claims: Vec<String>, send_token: bool, shared: bool) -> Result<Self, StrategyError> {
        if shared && (send_token || !claims.is_empty()) {
            return Err(refused(key, "has `shared: true` and says something of the caller (`claims`, `sendToken`); remove one of them"));
        }
        let names = headers.iter().map(|name| HeaderName::from_bytes(name.as_bytes()));
        let headers = names.collect::<Result<Vec<_>, _>>();
        let mut headers =
            headers.map_err(|_| refused(key, "has a name under `headers` that is none; use letters, digits and hyphens only"))?;
        if headers.is_empty() {
            headers.push(http::header::AUTHORIZATION);
        }
        Ok(Self { headers, claims, send_token, shared })
    }

    pub(crate) fn headers(&self) -> &[HeaderName] {
        &self.headers
    }

    /// What a helper answers depends on the caller, unless it is not told who that is.
    pub(crate) fn subject_key<'a>(&self, context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        (!self.shared).then(|| Cow::Borrowed(context.principal.map_or("", |principal| &*principal.subject)))
    }

    /// Claims and groups are those of the token: another token may have others.
    pub(crate) fn keep<'a>(&self, context: &StrategyContext<'a>) -> Keep<'a> {
        match (context.principal, context.subject_token) {
            _ if self.shared => Keep::Shared,
            (None, _) => Keep::Shared,
            (Some(_), Some(token)) => Keep::ForToken(token),
            (Some(_), None) => Keep::ForPrincipal,
        }
    }

    /// What the helper is told, as JSON.
    pub(crate) fn summary(&self, context: &StrategyContext<'_>) -> Zeroizing<Vec<u8>> {
        summary::write(self, context)
    }
}
