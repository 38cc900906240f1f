//! The language in which programs and services outside of vmcp give credentials: what they are told of a caller, and what they answer.
//! `docs/plugins.md` describes it for those who write one.

mod answer;
mod helped;
mod settings;
mod summary;
mod timestamp;

pub(crate) use answer::read;
pub(crate) use helped::{Ask, Helped};
pub(crate) use settings::HelperSettings;

use crate::subject_issuers::SubjectIssuers;
use http::HeaderName;
use std::{borrow::Cow, time::Duration};
use vmcp_core::plugin::{Keep, StrategyContext, StrategyError};
use zeroize::Zeroizing;

/// What one helper is told, and which headers it may give.
pub(crate) struct Helper {
    headers: Vec<HeaderName>,
    claims: Vec<String>,
    send_token: bool,
    shared: bool,
    issuers: SubjectIssuers,
    limit: Duration,
}

impl Helper {
    fn headers(&self) -> &[HeaderName] {
        &self.headers
    }

    /// How long it may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// What a helper answers depends on the caller, unless it is not told who that is.
    fn subject_key<'a>(&self, context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        (!self.shared).then(|| context.by_token())
    }

    /// Claims and groups are those of the token: another token may have others.
    fn keep<'a>(&self, context: &StrategyContext<'a>) -> Keep<'a> {
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
    fn admit(&self, context: &StrategyContext<'_>) -> Result<(), StrategyError> {
        self.issuers.admit(context)
    }

    /// What the helper is told, as JSON.
    pub(crate) fn summary(&self, context: &StrategyContext<'_>) -> Zeroizing<Vec<u8>> {
        summary::write(self, context)
    }
}
