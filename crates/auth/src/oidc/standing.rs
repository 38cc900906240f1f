//! What a token allows, in short.

use serde_json::{Map, Value};
use std::sync::Arc;
use vmcp_core::{PartsHasher, plugin::Authenticated};

/// Claims that are other ones in each token, whatever it allows: when and how it was given (RFC 7519, RFC 9068, RFC 7662; the last ones are
/// Keycloak's, Entra's and Cognito's own), and those whose meaning is counted by itself (`scope`, `scp`). Whatever else a token says may be
/// what somebody decides by. Two that may look like these are none: `auth_time`, which says when the login was and stays when its tokens are
/// renewed (OpenID Connect Core §12.2, RFC 9068 §2.2.1), so that who has to have logged in lately can be told by it; and `cnf`, which says to
/// what the token is bound (RFC 7800) and stays with the certificate: what was got with a token that is its owner's alone is not for one that
/// is anybody's who has it.
const VOLATILE: [&str; 22] = [
    "exp",
    "iat",
    "nbf",
    "jti",
    "updated_at",
    "nonce",
    "at_hash",
    "c_hash",
    "sid",
    "active",
    "token_type",
    "scope",
    "scp",
    "session_state",
    "session_id",
    "uti",
    "rh",
    "aio",
    "xms_ftd",
    "origin_jti",
    "event_id",
    "trace_id",
];

/// A text that is the same for all tokens which allow the same: of one subject, with the same scopes, groups and claims but for
/// [`VOLATILE`] ones. One that was renewed without a change of these has that of the one before. It is a hash; no token or claim can be read
/// from it.
pub(super) fn standing(who: &Authenticated, claims: &Map<String, Value>) -> Arc<str> {
    let mut hasher = PartsHasher::new();
    hasher.part(who.principal.issuer.as_bytes()).part(who.principal.subject.as_bytes());
    for list in [&who.scopes, &who.groups] {
        let mut sorted: Vec<&str> = list.iter().map(|text| &**text).collect();
        sorted.sort_unstable();
        sorted.dedup();
        hasher.count(sorted.len());
        sorted.iter().for_each(|text| _ = hasher.part(text.as_bytes()));
    }
    let mut lasting: Vec<_> = claims.iter().filter(|(name, _)| !VOLATILE.contains(&name.as_str())).collect();
    lasting.sort_unstable_by_key(|(name, _)| name.as_str());
    for (name, value) in lasting {
        hasher.part(name.as_bytes()).part(written(value).as_bytes());
    }
    hasher.text().into()
}

/// A claim, with the texts of a list in an order of their own: issuers write them in any. A list of one text is not that text: policies tell
/// them apart.
fn written(value: &Value) -> String {
    let Value::Array(list) = value else { return value.to_string() };
    let mut texts: Vec<String> = list.iter().map(Value::to_string).collect();
    texts.sort_unstable();
    // JSON has no such byte outside of strings, and escapes it within; what is no list does not begin with it.
    format!("\n{}", texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vmcp_core::plugin::Principal;

    fn of(subject: &str, scopes: &[&str], groups: &[&str], claims: Value) -> Arc<str> {
        let mut who = Authenticated::new(Principal { issuer: "https://id.example.com".into(), subject: subject.into() });
        who.scopes = scopes.iter().map(|scope| (*scope).into()).collect();
        who.groups = groups.iter().map(|group| (*group).into()).collect();
        let Value::Object(claims) = claims else { panic!("no claims") };
        standing(&who, &claims)
    }

    #[test]
    fn a_renewed_token_that_allows_the_same_stands_the_same() {
        let bound = || json!({ "x5t#S256": "AAAA" });
        let first = json!({ "azp": "cli", "roles": ["r", "s"], "auth_time": 1, "cnf": bound(), "iat": 1, "exp": 2, "jti": "1" });
        let renewed = json!({ "roles": ["s", "r"], "cnf": bound(), "exp": 4, "jti": "2", "azp": "cli", "auth_time": 1, "sid": "z" });
        assert_eq!(of("ada", &["a", "b"], &["x", "y"], first), of("ada", &["b", "a", "a"], &["y", "x"], renewed));
    }

    #[test]
    fn whatever_a_token_allows_more_or_less_makes_another() {
        let claims = || json!({ "azp": "cli", "acr": "1" });
        let all = [
            of("ada", &["a"], &["x"], claims()),
            of("eve", &["a"], &["x"], claims()),
            of("ada", &["a", "b"], &["x"], claims()),
            of("ada", &["ab"], &["x"], claims()),
            of("ada", &["a"], &[], claims()),
            of("ada", &["a", "x"], &[], claims()),
            of("ada", &[], &["a", "x"], claims()),
            of("ada", &["a"], &["x"], json!({ "azp": "other", "acr": "1" })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "2" })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli" })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "amr": ["otp"] })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "auth_time": 1000 })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "auth_time": 2000 })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "cnf": { "x5t#S256": "AAAA" } })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "cnf": { "x5t#S256": "BBBB" } })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "act": { "sub": "agent" } })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "permissions": ["write"] })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "permissions": "write" })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "permissions": [] })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "permissions": "" })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "org_id": "org_1" })),
            of("ada", &["a"], &["x"], json!({ "azp": "cli", "acr": "1", "https://example.com/tenant": "b" })),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other != one), "{at}");
        }
    }
}
