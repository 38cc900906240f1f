//! Who sent a request, and what a caller is told who may not.

use super::{Peer, origin::origin, proxies};
use crate::{
    failure::{Failure, code},
    gateway::Snapshot,
};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use std::{net::IpAddr, sync::Arc};
use vmcp_auth::Identity;
use vmcp_core::{
    header::Forwarded,
    plugin::{Challenge, Rejected, RequestHead},
};

/// Where metadata of protected resources is (RFC 9728 §3): for the gateway's main endpoint, and with a path behind it for any other.
pub(super) const METADATA: &str = "/.well-known/oauth-protected-resource";

/// Authenticates a request for the endpoint at `path` and clones the identity with the headers that may be forwarded.
pub(super) async fn identify(snapshot: &Snapshot, path: &str, head: &Parts, peer: &Peer) -> Result<Identity, Failure> {
    let authenticator = &snapshot.authenticator;
    let authenticated = match authenticator.fixed() {
        Some(fixed) => Arc::clone(fixed),
        None => {
            let mut request = RequestHead::new(&head.headers, address(snapshot, &head.headers, peer));
            (request.client_certificate, request.local_user) = (peer.certificate(), peer.local_user());
            request.query = head.uri.query();
            match authenticator.known(&request) {
                Some(known) => known,
                None => authenticator.authenticate(&request).await.map_err(|error| rejected(&error, snapshot, path, head, peer))?,
            }
        }
    };
    Ok(Identity::new(authenticated).with_forwarded(captured(snapshot, &head.headers)?))
}

/// The headers that may be forwarded.
pub(super) fn captured(snapshot: &Snapshot, headers: &HeaderMap) -> Result<Forwarded, Failure> {
    snapshot.policy.capture(headers).map_err(|error| Failure::http(error.status, code::INVALID_REQUEST, &error.to_string()))
}

/// The address that a request comes from.
pub(super) fn address(snapshot: &Snapshot, headers: &HeaderMap, peer: &Peer) -> Option<IpAddr> {
    let trusted = snapshot.config.listen.trusted_proxies.as_slice();
    peer.ip().map(|ip| if trusted.is_empty() { ip } else { proxies::caller(ip, headers, trusted) })
}

fn rejected(rejected: &Rejected, snapshot: &Snapshot, path: &str, head: &Parts, peer: &Peer) -> Failure {
    tracing::debug!(status = rejected.status.as_u16(), "refused a request: {}", rejected.message);
    let failure = Failure::http(rejected.status, code::INVALID_REQUEST, &rejected.message);
    let failure = match rejected.retry_after {
        Some(after) => failure.with_header(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1))),
        None => failure,
    };
    let Some(challenge) = &rejected.challenge else { return failure };
    let metadata = snapshot.authenticator.resource().map(|_| {
        let path = path.strip_suffix('/').unwrap_or(path);
        format!("{}{METADATA}{path}", origin(snapshot, head, peer))
    });
    match HeaderValue::from_str(&challenged(challenge, metadata.as_deref(), &rejected.message)) {
        Ok(challenge) => failure.with_header(header::WWW_AUTHENTICATE, challenge),
        Err(_) => failure,
    }
}

/// A challenge as text (RFC 9110 §11.6.1, RFC 6750 §3, RFC 9728 §5.1).
fn challenged(challenge: &Challenge, metadata: Option<&str>, message: &str) -> String {
    let mut text = challenge.scheme.to_owned();
    let mut between = " ";
    let mut add = |name: &str, value: &str| {
        text += between;
        text += name;
        text += "=\"";
        text.extend(value.chars().map(|c| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '\'' }));
        text.push('"');
        between = ", ";
    };
    if let Some(metadata) = metadata {
        add("resource_metadata", metadata);
    }
    if let Some(error) = challenge.error {
        add("error", error);
        add("error_description", message);
    }
    if let Some(scope) = &challenge.scope {
        add("scope", scope);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_what_there_is_to_say() {
        let bearer = Challenge::bearer;
        assert_eq!(challenged(&bearer(), None, "who are you?"), "Bearer");
        assert_eq!(challenged(&bearer(), Some("https://a/m"), "who are you?"), r#"Bearer resource_metadata="https://a/m""#);
        assert_eq!(
            challenged(&bearer().with_error("insufficient_scope").with_scope("a b"), Some("https://a/m"), "more \"rights\" are needed"),
            r#"Bearer resource_metadata="https://a/m", error="insufficient_scope", error_description="more 'rights' are needed", scope="a b""#
        );
    }

    #[test]
    fn nothing_gets_out_of_its_quotes() {
        let told = challenged(&Challenge::bearer().with_error("invalid_token").with_scope("a\", x=\"\r\nb\\"), None, "é");
        assert_eq!(told, r#"Bearer error="invalid_token", error_description="'", scope="a', x='''b'""#);
    }
}
