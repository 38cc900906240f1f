//! What a token has to say, and who calls when it does (RFC 7519 §4.1, RFC 9068 §4).

use super::{jwt::Flaw, standing::standing};
use serde_json::{Map, Value};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use vmcp_core::plugin::{Authenticated, Principal};

/// So many parties may have acted for a subject one after the other.
const LONGEST_CHAIN: usize = 10;

/// The longest subject, in bytes; OpenID Connect has 255.
const LONGEST_SUBJECT: usize = 1024;

/// What an issuer's tokens have to say.
pub(super) struct Rules {
    pub(super) issuer: Arc<str>,
    /// One of them has to be among the token's.
    pub(super) audiences: Vec<String>,
    /// All of them have to be among the token's.
    pub(super) required_scopes: Vec<String>,
    /// How far the issuer's clock may be from this one.
    pub(super) leeway: Duration,
    /// Claims that hold groups and roles.
    pub(super) group_claims: Vec<String>,
}

/// Where claims come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A JWT.
    Jwt,
    /// A JWT whose type says that it is an access token.
    AccessToken,
    /// The issuer's answer about a token.
    Introspection,
}

/// Whether claims are certainly not those of an access token.
///
/// An ID token tells a client who logged in; it is no credential for others. It says hashes of what was given with it (OpenID Connect Core
/// §3.1.3.6 and §3.3.2.11, FAPI 1.0 part 2 §5.1) and the `nonce` of the login. Some issuers copied the latter into access tokens, which say in
/// another place that they are such (Keycloak before 24, with `typ`). What a token is stands in its type (RFC 9068), in `typ` (Keycloak) or
/// in `token_use` (Cognito, Hydra). One that says nothing of all this is taken: nothing tells it from an access token.
fn is_for_another_purpose(claims: &Map<String, Value>, source: Source) -> bool {
    let kind = claims.get("typ").and_then(Value::as_str).map(|kind| kind.eq_ignore_ascii_case("bearer"));
    let said_use = claims.get("token_use").and_then(Value::as_str).map(|said| matches!(said, "access" | "access_token"));
    let says_access = source != Source::Jwt || kind == Some(true) || said_use == Some(true);
    kind == Some(false)
        || said_use == Some(false)
        || ["at_hash", "c_hash", "s_hash"].iter().any(|name| claims.contains_key(*name))
        || (claims.contains_key("nonce") && !says_access)
}

/// Why a token that is good does not let anybody in.
pub(super) enum Denied {
    /// It says something wrong.
    Flaw(Flaw),
    /// It was given for less than what is needed.
    Scope,
}

impl From<Flaw> for Denied {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

/// A point in time (RFC 7519 §2, NumericDate); `None` when the claim is missing.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<SystemTime>, Flaw> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let since = value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    since.and_then(|since| UNIX_EPOCH.checked_add(since)).map(Some).ok_or("a date in the token is none")
}

/// The texts of a claim that is one text or a list of them.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Value::String(text) => (Some(text.as_str()), None),
        Value::Array(list) => (None, Some(list)),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str))
}

impl Rules {
    /// Whether a token is for here and now.
    pub(super) fn check(&self, claims: &Map<String, Value>, now: SystemTime, source: Source) -> Result<(), Flaw> {
        match date(claims, "exp")? {
            Some(end) if end.checked_add(self.leeway).is_some_and(|end| end <= now) => return Err("the token has expired"),
            None if source != Source::Introspection => return Err("the token does not say when it expires"),
            _ => {}
        }
        let soon = now + self.leeway;
        if date(claims, "nbf")?.is_some_and(|start| start > soon) {
            return Err("the token is not valid yet");
        }
        if date(claims, "iat")?.is_some_and(|issued| issued > soon) {
            return Err("the token was issued in the future");
        }
        let audience = claims.get("aud").ok_or("the token does not say for whom it is")?;
        if !texts(audience).any(|said| self.audiences.iter().any(|own| own == said)) {
            return Err("the token is for somebody else: its audience is not the one configured here");
        }
        if is_for_another_purpose(claims, source) { Err("the token is not an access token") } else { Ok(()) }
    }

    /// Who calls with a token whose signature was checked, or that its issuer told this of.
    pub(super) fn caller(&self, claims: Map<String, Value>) -> Result<Authenticated, Denied> {
        let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or("the token does not say whose it is")?;
        if subject.len() > LONGEST_SUBJECT {
            return Err("the token's subject is too long".into());
        }
        let mut caller = Authenticated::new(Principal { issuer: Arc::clone(&self.issuer), subject: subject.into() });
        // `scope` is text with spaces (RFC 8693 §4.2); some issuers write a list, or `scp`.
        let words = ["scope", "scp"].into_iter().filter_map(|name| claims.get(name)).flat_map(texts).flat_map(str::split_ascii_whitespace);
        caller.scopes = words.map(Arc::from).collect();
        if !self.required_scopes.iter().all(|needed| caller.scopes.iter().any(|given| **given == **needed)) {
            return Err(Denied::Scope);
        }
        caller.groups = self.groups(&claims);
        caller.delegation = self.chain(claims.get("act"))?;
        caller.expires_at = date(&claims, "exp")?;
        caller.leeway = caller.expires_at.map_or(Duration::ZERO, |_| self.leeway);
        caller.standing = Some(standing(&caller, &claims));
        caller.claims = claims;
        Ok(caller)
    }

    /// The groups and roles that claims say.
    pub(super) fn groups(&self, claims: &Map<String, Value>) -> Vec<Arc<str>> {
        self.group_claims.iter().filter_map(|name| found(claims, name)).flat_map(texts).map(Arc::from).collect()
    }

    /// Who acts for the subject (RFC 8693 §4.1).
    fn chain(&self, mut act: Option<&Value>) -> Result<Vec<Principal>, Flaw> {
        let mut chain = Vec::new();
        while let Some(actor) = act {
            let text = |name: &str| actor.get(name).and_then(Value::as_str);
            let subject = text("sub").ok_or("the token does not say who acts for its subject")?;
            if chain.len() == LONGEST_CHAIN {
                return Err("the token was handed on more than 10 times");
            }
            let issuer = text("iss").map_or_else(|| Arc::clone(&self.issuer), Arc::from);
            chain.push(Principal { issuer, subject: subject.into() });
            act = actor.get("act");
        }
        Ok(chain)
    }
}

/// A claim by its name, which may have any characters in it, or by its path (`realm_access.roles`).
fn found<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let mut parts = name.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    })
}

#[cfg(test)]
mod tests;
