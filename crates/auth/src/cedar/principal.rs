//! Who a caller is in policies.

use serde_json::{Map, Value};
use std::sync::Arc;

/// Claims in which groups stand where nothing else is said.
const GROUP_CLAIMS: [&str; 3] = ["groups", "roles", "cognito:groups"];

/// How the callers of a gateway and their groups are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// All come from this one issuer: subjects and groups stand as they are.
    Bare(Arc<str>),
    /// They come from several issuers, and equal subjects of two are two clients.
    Qualified,
}

impl Naming {
    /// The id of a `Client` or of a group. `Err` says why somebody has none: one of another issuer than the one that all come from, since
    /// whatever the id, one of that issuer's could have it. The issuer that it names is of the configuration, not of the caller.
    pub(super) fn id(&self, issuer: &str, name: &str) -> Result<String, String> {
        match self {
            Self::Bare(only) if **only != *issuer => {
                Err(format!("the caller's issuer (`iss`) is not `{only}`, which all callers of this gateway come from"))
            }
            Self::Bare(_) => Ok(name.to_owned()),
            Self::Qualified => Ok(format!("{}#{name}", escaped(issuer))),
        }
    }
}

/// An issuer in front of `#`: no two pairs of issuer and name have one id.
fn escaped(issuer: &str) -> String {
    issuer.replace('%', "%25").replace('#', "%23")
}

/// The groups of a caller, each once: those that the authenticator found, and those in its claims.
pub(super) fn groups(known: &[Arc<str>], claims: &Map<String, Value>, group_claim: Option<&str>, role_claim: Option<&str>) -> Vec<String> {
    let own = group_claim.and_then(|name| listed(claims, name));
    let of_group = own.or_else(|| GROUP_CLAIMS.iter().find_map(|name| listed(claims, name)));
    let of_role = role_claim.and_then(|name| listed(claims, name));
    let mut all: Vec<String> = Vec::new();
    for group in known.iter().map(|group| &**group).chain(of_group.into_iter().flatten()).chain(of_role.into_iter().flatten()) {
        if !all.iter().any(|other| other == group) {
            all.push(group.to_owned());
        }
    }
    all
}

/// The texts in a claim that is an array. `None` where there is no such claim, or it is something else.
fn listed<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<Vec<&'c str>> {
    Some(found(claims, name)?.as_array()?.iter().filter_map(Value::as_str).collect())
}

/// A claim of this name, or the one that lies within others on this path of names.
fn found<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut names = name.split('.');
    let first = claims.get(names.next()?)?;
    names.try_fold(first, |value, name| value.as_object()?.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "values are written where it is called")]
    fn groups_in(claims: Value, group: Option<&str>, role: Option<&str>) -> Vec<String> {
        groups(&["known".into()], claims.as_object().unwrap(), group, role)
    }

    #[test]
    fn equal_subjects_of_two_issuers_are_two_clients_however_they_are_written() {
        let pairs = [("a", "b"), ("a#b", "c"), ("a", "b#c"), ("a%23b", "c"), ("x", "b")];
        let ids = pairs.map(|(issuer, subject)| Naming::Qualified.id(issuer, subject).unwrap());
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{id}");
        }
    }

    #[test]
    fn the_one_issuers_subjects_stand_as_they_are_and_anothers_are_nobody() {
        let naming = Naming::Bare("https://id.example.com".into());
        assert_eq!(naming.id("https://id.example.com", "alice").as_deref(), Ok("alice"));
        assert!(naming.id("https://other.example.com", "alice").unwrap_err().contains("`https://id.example.com`"));
    }

    #[test]
    fn groups_come_from_the_claim_that_is_named_and_else_from_the_usual_ones() {
        let claims = json!({"groups": ["g"], "roles": ["r"], "https://x.example/groups": ["u", 1, "u"], "realm_access": {"roles": ["k"]}});
        assert_eq!(groups_in(claims.clone(), None, None), ["known", "g"]);
        assert_eq!(groups_in(claims.clone(), Some("https://x.example/groups"), None), ["known", "u"]);
        assert_eq!(groups_in(claims, Some("absent"), Some("realm_access.roles")), ["known", "g", "k"]);
        assert_eq!(groups_in(json!({"groups": [], "roles": ["r"]}), None, None), ["known"]);
        assert_eq!(groups_in(json!({"groups": "g"}), None, None), ["known"]);
    }
}
