//! From a request to its caller.

use super::{
    claims::Denied,
    facade::Facade,
    issuer::{Issuer, Refusal},
    jwt::{self, Jwt},
    kept::Unavailable,
    keys::FRESH,
    rounds::Rounds,
    seen::{Caller, Digest, Seen, digest},
};
use crate::bearer;
use http::{HeaderName, header::AUTHORIZATION};
use serde_json::{Map, Value};
use std::{collections::HashMap, sync::Arc, time::Duration};
use vmcp_core::plugin::{
    Authenticated, Authenticator, BoxFuture, CallerTokens, Challenge, Page, PageRequest, Principal, ProtectedResource, Rejected,
    RequestHead, SettingWarning,
};

/// What an issuer said of a token that only it can read is believed for so long.
const ASKED_FOR: Duration = Duration::from_secs(60);

/// Takes the tokens of one or more issuers.
pub(super) struct Oidc {
    /// By the `iss` of their tokens.
    pub(super) issuers: HashMap<Arc<str>, Arc<Issuer>>,
    /// The one that is asked about tokens that are no JWTs.
    pub(super) asked: Option<Arc<Issuer>>,
    pub(super) resource: ProtectedResource,
    /// The scopes that callers are told to ask for.
    pub(super) scope: Option<String>,
    /// What its settings leave undone.
    pub(super) warnings: Vec<SettingWarning>,
    /// For clients that nobody registered with the issuer.
    pub(super) facade: Option<Facade>,
    pub(super) seen: Seen,
    pub(super) asking: Rounds<Digest, Result<Arc<Caller>, Answer>>,
}

/// Why a caller was not let in, for all who wait for the same answer.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    Flaw(&'static str),
    Scope,
    Unavailable(Unavailable),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(Denied::Flaw(flaw)) => Self::Flaw(flaw),
            Refusal::Denied(Denied::Scope) => Self::Scope,
            Refusal::Unavailable(unavailable) => Self::Unavailable(unavailable),
        }
    }
}

impl Oidc {
    fn challenge(&self) -> Challenge {
        let challenge = Challenge::bearer();
        match &self.scope {
            Some(scope) => challenge.with_scope(scope.as_str()),
            None => challenge,
        }
    }

    fn rejected(&self, answer: Answer) -> Rejected {
        match answer {
            Answer::Flaw(flaw) => Rejected::unauthorized(flaw, Some(self.challenge().with_error("invalid_token"))),
            Answer::Scope => {
                let message = "the token was not given for the scopes that are needed here";
                Rejected::forbidden(message, Some(self.challenge().with_error("insufficient_scope")))
            }
            Answer::Unavailable(Unavailable { retry_after }) => {
                Rejected::unavailable("the token's issuer cannot be asked now whether it is good", retry_after)
            }
        }
    }

    /// The caller of a token that its issuer signed.
    async fn by_signature(&self, token: &str, digest: Digest) -> Result<Arc<Caller>, Answer> {
        let jwt = Jwt::read(token).map_err(Answer::Flaw)?;
        // Not believed before the signature is checked with that issuer's keys.
        let said = jwt.claims.get("iss").and_then(Value::as_str);
        let issuer = said.and_then(|issuer| self.issuers.get(issuer));
        let issuer = issuer.ok_or(Answer::Flaw("the token is not of an issuer whose tokens are taken here"))?;
        let (caller, key) = issuer.verify(token, jwt).await?;
        let caller = Arc::new(caller);
        self.seen.keep(digest, &caller, Some(key), FRESH);
        Ok(caller)
    }

    /// The caller of a token that its issuer is asked about.
    async fn by_asking(&self, token: &str, digest: Digest) -> Result<Arc<Caller>, Answer> {
        let asked = self.asked.as_ref().and_then(|issuer| Some((issuer, issuer.introspection.as_ref()?)));
        let (issuer, introspection) = asked.ok_or(Answer::Flaw("the token is not a JWT"))?;
        if token.len() > jwt::LONGEST {
            return Err(Answer::Flaw("the token is longer than 16 KiB"));
        }
        if let Some(flaw) = self.seen.refused(&digest) {
            return Err(Answer::Flaw(flaw));
        }
        let ask = || async {
            let outcome = issuer.ask(introspection, token).await;
            match outcome {
                Ok(caller) => {
                    let caller = Arc::new(caller);
                    self.seen.keep(digest, &caller, None, ASKED_FOR);
                    Ok(caller)
                }
                Err(refusal) => {
                    if let Refusal::Denied(Denied::Flaw(flaw)) = refusal {
                        self.seen.refuse(digest, flaw);
                    }
                    Err(refusal.into())
                }
            }
        };
        self.asking.run(digest, ask).await
    }
}

impl Authenticator for Oidc {
    fn consumed_headers(&self) -> &[HeaderName] {
        &[AUTHORIZATION]
    }

    fn issuer(&self) -> Option<&str> {
        let mut all = self.issuers.keys();
        all.next().filter(|_| all.next().is_none()).map(|only| &**only)
    }

    fn groups(&self, principal: &Principal, claims: &Map<String, Value>) -> Vec<Arc<str>> {
        self.issuers.get(&principal.issuer).map(|issuer| issuer.rules.groups(claims)).unwrap_or_default()
    }

    fn caller_tokens(&self) -> CallerTokens {
        let mut issuers: Vec<_> = self.issuers.keys().cloned().collect();
        issuers.sort_unstable();
        CallerTokens::OfIssuers(issuers)
    }

    fn known(&self, head: &RequestHead<'_>) -> Option<Arc<Authenticated>> {
        let token = bearer::token(head).ok()??;
        // One that is not to be let in over this connection is told why by whoever is asked next.
        self.seen.caller(&digest(token))?.over(head.client_certificate).ok()
    }

    fn authenticate<'a>(&'a self, head: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
        Box::pin(async move {
            let Some(token) = bearer::token(head)? else {
                return Err(Rejected::unauthorized("a token is needed: Authorization: Bearer", Some(self.challenge())));
            };
            let digest = digest(token);
            let outcome = match self.seen.caller(&digest) {
                Some(known) => Ok(known),
                None if jwt::is_one(token) => self.by_signature(token, digest).await,
                None => self.by_asking(token, digest).await,
            };
            let caller = outcome.and_then(|caller| caller.over(head.client_certificate).map_err(Answer::Flaw));
            caller.map_err(|answer| self.rejected(answer))
        })
    }

    fn resource(&self) -> Option<&ProtectedResource> {
        Some(&self.resource)
    }

    fn warnings(&self) -> &[SettingWarning] {
        &self.warnings
    }

    fn page_paths(&self) -> &[&'static str] {
        self.facade.as_ref().map_or(&[], Facade::paths)
    }

    fn page<'a>(&'a self, request: &'a PageRequest<'a>) -> Option<BoxFuture<'a, Page>> {
        self.facade.as_ref()?.page(request)
    }
}
