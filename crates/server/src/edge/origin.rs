//! What the gateway is called by whoever sent a request.

use super::Peer;
use crate::gateway::Snapshot;
use http::{header, request::Parts};

/// Scheme and host of the gateway as clients know them, without a slash at the end: `publicUrl`, or what the request says.
pub(super) fn origin(snapshot: &Snapshot, head: &Parts, peer: &Peer) -> String {
    let config = &snapshot.config;
    if let Some(url) = &config.public_url {
        return url.origin().ascii_serialization();
    }
    let scheme = if peer.is_encrypted() || config.listen.behind_tls_proxy { "https" } else { "http" };
    // A target that names a host goes before the header (RFC 9112 §3.2.2).
    let target = head.uri.authority().map(http::uri::Authority::as_str);
    let host = target.or_else(|| head.headers.get(header::HOST)?.to_str().ok()).filter(|host| is_plain(host));
    match (host, config.listen.address) {
        (Some(host), _) => format!("{scheme}://{host}"),
        (None, Some(address)) => format!("{scheme}://{address}"),
        (None, None) => format!("{scheme}://localhost"),
    }
}

/// Whether a host can stand in a URL as it is, and says nothing else there.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}
