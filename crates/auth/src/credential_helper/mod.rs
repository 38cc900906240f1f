//! The language in which programs and services outside of vmcp give credentials: what they are told of a caller, and what they answer.
//! `docs/plugins.md` describes it for those who write one.

mod answer;
mod summary;
mod timestamp;

pub(crate) use answer::read;

use crate::{oauth::refused, subject_issuers::SubjectIssuers};
use http::HeaderName;
use std::borrow::Cow;
use vmcp_core::plugin::{CallerTokens, Keep, StrategyContext, StrategyError};
use zeroize::Zeroizing;

/// What one helper is told, and which headers it may give.
pub(crate) struct Helper {
    headers: Vec<HeaderName>,
    claims: Vec<String>,
    send_token: bool,
    shared: bool,
    issuers: SubjectIssuers,
}

impl Helper {
    /// `key` is what the strategy's settings stand under. Without `headers` it gives `authorization`.
    ///
    /// # Errors
    /// When a header's name is none, or the settings contradict each other.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        key: &'static str,
        headers: &[String],
        claims: Vec<String>,
        send_token: bool,
        shared: bool,
        issuers: Option<Vec<String>>,
        tokens: &CallerTokens,
    ) -> Result<Self, StrategyError> {
        let issuers = match (send_token, &issuers) {
            // No token is shown to anybody.
            (false, None) => SubjectIssuers::new(key, None, &CallerTokens::Unknown)?,
            (false, Some(_)) => return Err(refused(key, "has `subjectIssuers`, which go with `sendToken: true`; remove them, or add it")),
            (true, _) => SubjectIssuers::new(key, issuers, tokens)?,
        };
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
        Ok(Self { headers, claims, send_token, shared, issuers })
    }

    pub(crate) fn headers(&self) -> &[HeaderName] {
        &self.headers
    }

    /// What a helper answers depends on the caller, unless it is not told who that is.
    pub(crate) fn subject_key<'a>(&self, context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        (!self.shared).then(|| context.by_token())
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

    /// Whether the helper may be told of this caller.
    ///
    /// # Errors
    /// [`StrategyError::Caller`] when the caller's token is none that is shown to it.
    pub(crate) fn admit(&self, context: &StrategyContext<'_>) -> Result<(), StrategyError> {
        context.principal.map_or(Ok(()), |caller| self.issuers.admit(caller))
    }

    /// What the helper is told, as JSON.
    pub(crate) fn summary(&self, context: &StrategyContext<'_>) -> Zeroizing<Vec<u8>> {
        summary::write(self, context)
    }
}
