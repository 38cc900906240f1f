//! What a strategy does that asks a helper, whichever way it asks.

use super::Helper;
use http::HeaderName;
use std::borrow::Cow;
use vmcp_core::plugin::{BoxFuture, Credentials, Keep, OutgoingStrategy, StrategyContext, StrategyError};

/// A way to ask.
pub(crate) trait Ask: Send + Sync + 'static {
    /// Asks for one caller, of whom the helper may be told.
    fn ask(&self, helper: &Helper, context: &StrategyContext<'_>) -> impl Future<Output = Result<Credentials, StrategyError>> + Send;
}

/// The strategy that asks this way.
pub(crate) struct Helped<A> {
    pub(crate) helper: Helper,
    pub(crate) way: A,
}

impl<A: Ask> OutgoingStrategy for Helped<A> {
    fn managed_headers(&self) -> &[HeaderName] {
        self.helper.headers()
    }

    fn subject_key<'a>(&self, context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        self.helper.subject_key(context)
    }

    fn keep<'a>(&self, context: &StrategyContext<'a>) -> Keep<'a> {
        self.helper.keep(context)
    }

    fn resolve<'a>(&'a self, context: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(async move {
            self.helper.admit(context)?;
            self.way.ask(&self.helper, context).await
        })
    }
}
