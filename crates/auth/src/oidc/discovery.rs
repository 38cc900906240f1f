//! Where an issuer says what it has (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).

use super::{
    ask::{Asker, Document},
    kept::Unavailable,
};
use http::StatusCode;
use serde::Deserialize;
use url::Url;

/// What is read of an issuer's metadata.
#[derive(Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) jwks_uri: Option<Url>,
    pub(super) introspection_endpoint: Option<Url>,
}

/// Where the metadata may stand, in the order in which it is looked for: where OpenID Connect puts it, which nearly all issuers have,
/// then where RFC 8414 puts it, which differs where the issuer has a path.
pub(super) fn places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let (openid, oauth) = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server");
    let mut paths = vec![format!("{path}{openid}"), format!("{oauth}{path}")];
    if !path.is_empty() {
        paths.push(format!("{openid}{path}"));
    }
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    paths.into_iter().map(at).collect()
}

/// Finds the metadata. A document that names another issuer than the one that was asked for is not used (RFC 8414 §3.3), so that no issuer
/// can speak for another.
pub(super) async fn discover(asker: &Asker, issuer: &Url) -> Result<Metadata, Unavailable> {
    let what = Document::Metadata;
    for place in places(issuer) {
        let answer = asker.get(what, &place).await?;
        if answer.status == StatusCode::NOT_FOUND {
            continue;
        }
        if answer.status != StatusCode::OK {
            return Err(asker.failed(what, &format!("{place} answered with status {}", answer.status.as_u16())));
        }
        let Ok(metadata) = serde_json::from_slice::<Metadata>(&answer.body) else {
            return Err(asker.failed(what, &format!("{place} answered with something else than metadata")));
        };
        if metadata.issuer != *asker.issuer {
            return Err(
                asker.failed(what, &format!("{place} is the metadata of another issuer; write `issuer` exactly as it stands there"))
            );
        }
        return Ok(metadata);
    }
    Err(asker.failed(what, "it stands at none of the known places; `jwksUrl` would tell where the keys are"))
}

#[cfg(test)]
mod tests {
    use super::places;

    fn paths(issuer: &str) -> Vec<String> {
        places(&issuer.parse().unwrap()).into_iter().map(|url| url.path().to_owned()).collect()
    }

    #[test]
    fn metadata_is_looked_for_where_each_standard_puts_it() {
        assert_eq!(paths("https://id.example.com"), ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]);
        assert_eq!(paths("https://id.example.com/"), paths("https://id.example.com"));
        assert_eq!(
            paths("https://id.example.com/realms/acme"),
            [
                "/realms/acme/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/realms/acme",
                "/.well-known/openid-configuration/realms/acme",
            ]
        );
    }
}
