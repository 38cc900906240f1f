//! Authenticators that have their answer at once and know callers without a token.

use http::HeaderName;
use serde_json::{Map, Value};
use std::sync::Arc;
use vmcp_core::plugin::{Authenticated, Authenticator, BoxFuture, CallerTokens, Principal, Rejected, RequestHead};

/// What such an authenticator is: everything that it is asked is answered by [`Self::caller`].
pub(crate) trait Knows: Send + Sync + 'static {
    /// [`Authenticator::consumed_headers`].
    fn headers(&self) -> &[HeaderName] {
        &[]
    }

    /// [`Authenticator::issuer`].
    fn issuer(&self) -> Option<&str> {
        None
    }

    /// [`Authenticator::groups`].
    fn groups(&self, _principal: &Principal) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// [`Authenticator::is_local`].
    fn is_local(&self) -> bool {
        false
    }

    /// Who sent a request.
    fn caller(&self, head: &RequestHead<'_>) -> Result<Arc<Authenticated>, Rejected>;
}

/// The authenticator that answers with it.
pub(crate) struct AtOnce<T>(pub(crate) T);

impl<T: Knows> Authenticator for AtOnce<T> {
    fn consumed_headers(&self) -> &[HeaderName] {
        self.0.headers()
    }

    fn issuer(&self) -> Option<&str> {
        self.0.issuer()
    }

    fn groups(&self, principal: &Principal, _: &Map<String, Value>) -> Vec<Arc<str>> {
        self.0.groups(principal)
    }

    fn caller_tokens(&self) -> CallerTokens {
        CallerTokens::Absent
    }

    fn is_local(&self) -> bool {
        self.0.is_local()
    }

    fn known(&self, head: &RequestHead<'_>) -> Option<Arc<Authenticated>> {
        self.0.caller(head).ok()
    }

    fn authenticate<'a>(&'a self, head: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
        Box::pin(std::future::ready(self.0.caller(head)))
    }
}
