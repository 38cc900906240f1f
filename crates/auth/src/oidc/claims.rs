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
        for name in &self.group_claims {
            caller.groups.extend(found(&claims, name).into_iter().flat_map(texts).map(Arc::from));
        }
        caller.delegation = self.chain(claims.get("act"))?;
        caller.expires_at = date(&claims, "exp")?;
        caller.leeway = caller.expires_at.map_or(Duration::ZERO, |_| self.leeway);
        caller.standing = Some(standing(&caller, &claims));
        caller.claims = claims;
        Ok(caller)
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
mod tests {
    use super::*;
    use serde_json::json;

    fn rules() -> Rules {
        Rules {
            issuer: "https://id.example.com".into(),
            audiences: vec!["vmcp".to_owned(), "https://gw.example.com/mcp".to_owned()],
            required_scopes: Vec::new(),
            leeway: Duration::from_secs(60),
            group_claims: vec!["groups".to_owned(), "realm_access.roles".to_owned(), "https://example.com/roles".to_owned()],
        }
    }

    fn members(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(members) => members,
            other => panic!("no object: {other}"),
        }
    }

    /// A good token's claims at second 1000, with changes; `null` takes one away.
    fn claims(changes: Value) -> Map<String, Value> {
        let mut claims = members(json!({ "sub": "ann", "aud": "vmcp", "exp": 2000, "iat": 900, "nbf": 900 }));
        for (name, value) in members(changes) {
            if value.is_null() {
                claims.remove(&name);
            } else {
                claims.insert(name, value);
            }
        }
        claims
    }

    fn checked(changes: Value) -> Result<(), Flaw> {
        rules().check(&claims(changes), UNIX_EPOCH + Duration::from_secs(1000), Source::Jwt)
    }

    fn caller(changes: Value) -> Authenticated {
        rules().caller(claims(changes)).ok().unwrap()
    }

    #[test]
    fn a_token_is_good_from_its_start_to_its_end_with_leeway_at_both() {
        for (changes, why) in [
            (json!({}), None),
            (json!({ "exp": 1000.5 }), None),
            (json!({ "nbf": 1060, "iat": 1060 }), None),
            (json!({ "nbf": null, "iat": null }), None),
            (json!({ "exp": 1000 }), None),
            (json!({ "exp": 941 }), None),
            (json!({ "exp": 940.5 }), None),
            (json!({ "exp": 940 }), Some("expired")),
            (json!({ "exp": 9e18 }), None),
            (json!({ "exp": 0 }), Some("expired")),
            (json!({ "exp": null }), Some("does not say when")),
            (json!({ "nbf": 1061 }), Some("not valid yet")),
            (json!({ "iat": 1061 }), Some("in the future")),
            (json!({ "exp": "2000" }), Some("date")),
            (json!({ "exp": -1 }), Some("date")),
            (json!({ "exp": 1e300 }), Some("date")),
            (json!({ "exp": true }), Some("date")),
            (json!({ "nbf": "now" }), Some("date")),
        ] {
            let outcome = checked(changes.clone());
            assert_eq!(outcome.err().is_some(), why.is_some(), "{changes}: {outcome:?}");
            assert!(why.is_none_or(|why| outcome.unwrap_err().contains(why)), "{changes}");
        }
    }

    #[test]
    fn one_of_the_tokens_audiences_is_one_of_the_configured_ones_exactly() {
        for good in [json!("vmcp"), json!("https://gw.example.com/mcp"), json!(["other", "vmcp"])] {
            assert!(checked(json!({ "aud": good })).is_ok(), "{good}");
        }
        for bad in [
            json!("VMCP"),
            json!("vmcp "),
            json!("https://gw.example.com/mcp/"),
            json!([]),
            json!(["other"]),
            json!({}),
            json!(7),
            json!(null),
        ] {
            assert!(checked(json!({ "aud": bad })).is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_made_for_something_else_are_not_access_tokens() {
        for (name, value) in [
            ("at_hash", "x"),
            ("c_hash", "x"),
            ("s_hash", "x"),
            ("nonce", "x"),
            ("typ", "ID"),
            ("typ", "Refresh"),
            ("typ", "Logout"),
            ("token_use", "id"),
            ("token_use", "refresh_token"),
        ] {
            assert_eq!(checked(json!({ name: value })), Err("the token is not an access token"), "{name}");
        }
        for (name, value) in [("typ", "Bearer"), ("token_use", "access"), ("token_use", "access_token")] {
            assert!(checked(json!({ name: value })).is_ok(), "{name}");
            assert!(checked(json!({ name: value, "nonce": "x" })).is_ok(), "{name} says that it is one, whatever was copied into it");
        }
        let (now, odd) = (UNIX_EPOCH + Duration::from_secs(1000), claims(json!({ "nonce": "x" })));
        for source in [Source::AccessToken, Source::Introspection] {
            assert!(rules().check(&odd, now, source).is_ok(), "{source:?}");
            assert!(rules().check(&claims(json!({ "at_hash": "x" })), now, source).is_err(), "{source:?}");
        }
    }

    #[test]
    fn the_caller_is_the_subject_with_scopes_groups_and_claims() {
        let ann = caller(json!({
            "scope": "a b", "scp": ["c"], "groups": ["g1", 7, "g2"], "realm_access": { "roles": ["r"] }, "https://example.com/roles": "x",
            "email": "ann@example.com",
        }));
        assert_eq!((&*ann.principal.issuer, &*ann.principal.subject), ("https://id.example.com", "ann"));
        assert_eq!(ann.scopes.iter().map(|scope| &**scope).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(ann.groups.iter().map(|group| &**group).collect::<Vec<_>>(), ["g1", "g2", "r", "x"]);
        assert_eq!(ann.claims["email"], "ann@example.com");
        assert_eq!(ann.expires_at, Some(UNIX_EPOCH + Duration::from_secs(2000)), "for those who get credentials for it");
        assert_eq!(ann.good_until(), Some(UNIX_EPOCH + Duration::from_secs(2060)));
        assert_eq!(caller(json!({ "exp": null })).good_until(), None);
        for subject in [json!(null), json!(""), json!(7), json!("x".repeat(1025))] {
            assert!(rules().caller(claims(json!({ "sub": subject }))).is_err(), "{subject}");
        }
    }

    #[test]
    fn every_scope_that_is_required_has_to_be_there() {
        let needing = Rules { required_scopes: vec!["a".to_owned(), "b".to_owned()], ..rules() };
        assert!(needing.caller(claims(json!({ "scope": "b a c" }))).is_ok());
        for scope in ["a", "a bb", "A B", ""] {
            assert!(matches!(needing.caller(claims(json!({ "scope": scope }))), Err(Denied::Scope)), "{scope}");
        }
    }

    #[test]
    fn who_acts_for_the_subject_is_told_nearest_first_and_ten_at_most() {
        let chain = |depth: usize| (0..depth).fold(Value::Null, |inner, n| json!({ "sub": format!("actor-{n}"), "act": inner }));
        let strip = |mut value: Value| {
            fn inner(value: &mut Value) {
                if value["act"].is_null() {
                    value.as_object_mut().unwrap().remove("act");
                } else {
                    inner(&mut value["act"]);
                }
            }
            inner(&mut value);
            value
        };
        let two = caller(json!({ "act": { "sub": "agent", "iss": "https://other.example", "act": { "sub": "portal" } } })).delegation;
        assert_eq!(
            two.iter().map(|actor| (&*actor.issuer, &*actor.subject)).collect::<Vec<_>>(),
            [("https://other.example", "agent"), ("https://id.example.com", "portal")]
        );
        assert_eq!(caller(json!({ "act": strip(chain(10)) })).delegation.len(), 10);
        assert!(rules().caller(claims(json!({ "act": strip(chain(11)) }))).is_err());
        assert!(rules().caller(claims(json!({ "act": {} }))).is_err());
    }
}
