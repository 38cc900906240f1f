//! Where the metadata of an issuer stand, and whether they are its own (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).

use url::Url;

/// Which standard's places are looked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// OpenID Connect's, which nearly all issuers of people's tokens have.
    OpenId,
    /// RFC 8414's, as clients of authorization servers look (MCP 2025-11-25, basic/authorization).
    OAuth,
}

/// The places, in the order in which they are looked at. OpenID Connect puts its own behind the issuer's path, RFC 8414 in front of it, and some
/// put the former where the latter says.
pub(crate) fn places(issuer: &Url, first: First) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let openid = "/.well-known/openid-configuration";
    let (behind, in_front) = (format!("{path}{openid}"), format!("{openid}{path}"));
    let oauth = format!("/.well-known/oauth-authorization-server{path}");
    let mut paths = match first {
        First::OpenId => vec![behind, oauth, in_front],
        First::OAuth => vec![oauth, in_front, behind],
    };
    if path.is_empty() {
        // In front of nothing is behind nothing.
        paths.pop();
    }
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        url
    };
    paths.into_iter().map(at).collect()
}

/// Whether metadata are those of the issuer that was asked for: they have to name it to the letter (RFC 8414 §3.3), so that no issuer can speak
/// for another.
pub(crate) fn are_own(said: Option<&str>, issuer: &str) -> bool {
    said == Some(issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(issuer: &str, first: First) -> Vec<String> {
        places(&issuer.parse().unwrap(), first).into_iter().map(|url| url.path().to_owned()).collect()
    }

    #[test]
    fn metadata_are_looked_for_where_each_standard_puts_them() {
        let (openid, oauth) = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server");
        for bare in ["https://id.example.com", "https://id.example.com/"] {
            assert_eq!(paths(bare, First::OpenId), [openid, oauth]);
            assert_eq!(paths(bare, First::OAuth), [oauth, openid]);
        }
        let (behind, in_front) = (format!("/realms/a{openid}"), format!("{openid}/realms/a"));
        let oauth = format!("{oauth}/realms/a");
        for deep in ["https://id.example.com/realms/a", "https://id.example.com/realms/a/"] {
            assert_eq!(paths(deep, First::OpenId), [&*behind, &*oauth, &*in_front]);
            assert_eq!(paths(deep, First::OAuth), [&*oauth, &*in_front, &*behind]);
        }
    }

    #[test]
    fn an_issuer_is_named_to_the_letter() {
        let issuer = "https://id.example.com";
        assert!(are_own(Some(issuer), issuer));
        for other in [None, Some(""), Some("https://id.example.com/"), Some("https://ID.example.com"), Some("https://evil.example.com")] {
            assert!(!are_own(other, issuer), "{other:?}");
        }
    }
}
