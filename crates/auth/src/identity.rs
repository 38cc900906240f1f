//! Who calls, together with what this one request brought along.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};
use vmcp_core::{
    header::Forwarded,
    plugin::{Authenticated, Principal, StrategyContext, SubjectToken},
};

/// The caller of one request: who it is, and the listed headers that the request brought.
///
/// Immutable and cheap to clone. At the incoming boundary the authenticated identity is cloned with the request's headers
/// ([`Identity::with_forwarded`]); that value is an explicit parameter from there on and lives as long as the request or stream. Only
/// the [`Principal`] may be stored. `Debug` shows the issuer and names, never a subject, a claim's value or a header's value.
#[derive(Clone)]
pub struct Identity {
    who: Arc<Authenticated>,
    forwarded: Forwarded,
}

static ANONYMOUS: LazyLock<Arc<Authenticated>> = LazyLock::new(|| {
    let word: Arc<str> = "anonymous".into();
    Arc::new(Authenticated::new(Principal { issuer: Arc::clone(&word), subject: word }))
});

impl Identity {
    /// An identity without forwarded headers.
    #[must_use]
    pub fn new(authenticated: impl Into<Arc<Authenticated>>) -> Self {
        Self { who: authenticated.into(), forwarded: Forwarded::default() }
    }

    /// The one identity of all callers where nobody is told apart: issuer and subject are `anonymous`. Costs no allocation.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { who: Arc::clone(&ANONYMOUS), forwarded: Forwarded::default() }
    }

    /// The same caller with the headers of one request, instead of any that this identity has.
    #[must_use]
    pub fn with_forwarded(&self, forwarded: Forwarded) -> Self {
        Self { who: Arc::clone(&self.who), forwarded }
    }

    /// The caller without the headers of one request.
    #[must_use]
    pub fn authenticated(&self) -> Arc<Authenticated> {
        Arc::clone(&self.who)
    }

    /// Issuer and subject: what sessions are bound to.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.who.principal
    }

    /// Further claims.
    #[must_use]
    pub fn claims(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.who.claims
    }

    /// The caller's groups.
    #[must_use]
    pub fn groups(&self) -> &[Arc<str>] {
        &self.who.groups
    }

    /// Who acts for the caller, the nearest first.
    #[must_use]
    pub fn delegation(&self) -> &[Principal] {
        &self.who.delegation
    }

    /// The token that the caller was let in with.
    #[must_use]
    pub fn subject_token(&self) -> Option<&SubjectToken> {
        self.who.subject_token.as_ref()
    }

    /// When the caller's credential expires.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.who.expires_at
    }

    /// When the bearer of the credential is let in no more, or has to show it again: its open streams close then.
    #[must_use]
    pub fn good_until(&self) -> Option<SystemTime> {
        self.who.good_until()
    }

    /// For how long the bearer is still let in without showing the credential again; zero when that is over, `None` when there is no end.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.good_until().map(|end| end.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// The listed headers of the request.
    #[must_use]
    pub fn forwarded(&self) -> &Forwarded {
        &self.forwarded
    }

    /// What an outgoing strategy may know of this caller: never the headers.
    #[must_use]
    pub fn strategy_context<'a>(&'a self, backend: &'a str) -> StrategyContext<'a> {
        let mut context = StrategyContext::new(backend, Some(&self.who.principal), &self.who.claims);
        context.groups = &self.who.groups;
        context.delegation = &self.who.delegation;
        context.subject_token = self.who.subject_token.as_ref();
        context.standing = self.who.standing.as_ref();
        context.expires_at = self.who.expires_at;
        context
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("issuer", &self.who.principal.issuer)
            .field("claims", &self.who.claims.keys().collect::<Vec<_>>())
            .field("expires_at", &self.who.expires_at)
            .field("forwarded", &self.forwarded)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};
    use serde_json::json;
    use vmcp_core::{
        config::PassthroughEntry,
        header::{BackendSpec, HeaderPolicy, PolicySpec},
    };

    fn forwarded(value: &'static str) -> Forwarded {
        let url = "https://mcp.example.com/mcp".parse().unwrap();
        let listed = [PassthroughEntry::Name("x-key".to_owned())];
        let spec = PolicySpec { global: &listed, backends: vec![BackendSpec::new("b", &url)], ..PolicySpec::default() };
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-key"), HeaderValue::from_static(value))]);
        HeaderPolicy::compile(&spec).unwrap().capture(&headers).unwrap()
    }

    fn somebody() -> Identity {
        let mut authenticated = Authenticated::new(Principal { issuer: "https://id.example.com".into(), subject: "MARKER-subject".into() });
        authenticated.claims.insert("email".to_owned(), json!("MARKER-claim"));
        Identity::new(authenticated)
    }

    #[test]
    fn headers_go_with_the_clone_and_leave_the_original_alone() {
        let caller = somebody();
        let request = caller.with_forwarded(forwarded("1"));
        assert!(caller.forwarded().is_empty());
        assert!(!request.forwarded().is_empty());
        assert!(request.principal() == caller.principal());
        assert!(request.with_forwarded(Forwarded::default()).forwarded().is_empty());
    }

    #[test]
    fn nothing_private_shows_in_debug() {
        let text = format!("{:#?}", somebody().with_forwarded(forwarded("MARKER-value")));
        assert!(text.contains("x-key") && text.contains("email") && text.contains("id.example.com"), "{text}");
        assert!(!text.contains("MARKER"), "{text}");
    }

    #[test]
    fn all_anonymous_callers_are_one_principal() {
        assert!(Identity::anonymous().principal() == Identity::anonymous().principal());
        assert!(Identity::anonymous().principal() != somebody().principal());
        assert!(Identity::anonymous().claims().is_empty() && Identity::anonymous().expires_at().is_none());
    }

    #[test]
    fn strategies_are_told_the_end_of_the_credential_and_streams_end_with_the_leeway() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let mut authenticated = Authenticated::new(Principal { issuer: "https://id.example.com".into(), subject: "ann".into() });
        (authenticated.expires_at, authenticated.leeway) = (Some(end), Duration::from_secs(60));
        let caller = Identity::new(authenticated);
        assert_eq!((caller.strategy_context("b").expires_at, caller.expires_at()), (Some(end), Some(end)));
        assert_eq!(caller.good_until(), Some(end + Duration::from_secs(60)));
        let mut authenticated = Authenticated::clone(&caller.authenticated());
        authenticated.check_again_at = Some(end - Duration::from_secs(60));
        let caller = Identity::new(authenticated);
        assert_eq!((caller.strategy_context("b").expires_at, caller.good_until()), (Some(end), Some(end - Duration::from_secs(60))));
    }

    #[test]
    fn a_strategy_sees_principal_and_claims_under_the_backends_name() {
        let caller = somebody();
        let context = caller.strategy_context("github");
        assert_eq!(context.backend, "github");
        assert!(context.principal == Some(caller.principal()));
        assert_eq!(context.claims["email"], "MARKER-claim");
    }
}
