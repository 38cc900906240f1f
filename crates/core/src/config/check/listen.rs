//! Where the gateway listens, and what it is called outside.

use super::Check;
use crate::config::{Problem, index_path, is_loopback};

/// The longest path of a Unix socket that every system takes (macOS; Linux takes 107), in bytes.
const MAX_SOCKET_PATH: usize = 103;

impl Check<'_> {
    pub(super) fn listen(&mut self) {
        let listen = &self.config.listen;
        if let Some(path) = &listen.unix {
            let length = path.as_os_str().len();
            if length == 0 {
                self.error("listen.unix", "empty", "write the socket's path, for example /run/vmcp/vmcp.sock");
            } else if length > MAX_SOCKET_PATH {
                let message = format!("longer than {MAX_SOCKET_PATH} bytes, which not every system takes for a socket");
                self.error("listen.unix", message, "choose a shorter path");
            }
        }
        if let Some(tls) = &listen.tls {
            if listen.address.is_none() {
                self.error("listen.tls", "without effect on a Unix socket", "remove it, or add an `address`");
            }
            if tls.require_client_certificate && tls.client_ca.is_none() {
                let hint = "add `clientCa` with the authorities whose certificates are taken";
                self.error("listen.tls.requireClientCertificate", "nobody's certificate could be checked", hint);
            }
        }
        for (index, network) in listen.trusted_proxies.iter().enumerate() {
            if network.is_everything() {
                let message = "every caller can claim any address";
                let hint = "list the proxies in front alone";
                self.problems.push(Problem::warning(index_path("listen.trustedProxies", index), message).with_hint(hint));
            }
        }
    }

    pub(super) fn public_url(&mut self) {
        let Some(url) = &self.config.public_url else { return };
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            self.error("publicUrl", "not an http or https URL", "write for example https://mcp.example.com");
        } else if !url.username().is_empty() || url.password().is_some() {
            self.error("publicUrl", "a URL with a user name or a password", "write scheme and host alone");
        } else if !is_bare {
            let hint = "write scheme and host alone; the endpoints' paths are added to it";
            self.error("publicUrl", "more than scheme, host and port", hint);
        } else if url.scheme() == "http" && !is_own_to_clients(url) {
            let message = "clients send no credential to an http:// URL of another machine, or should not";
            self.problems
                .push(Problem::warning("publicUrl", message).with_hint("write https://, with `listen.tls` or a proxy that speaks TLS"));
        }
    }
}

/// Whether clients take the URL for one of their own machine. More names than [`is_loopback`] does: browsers look nothing up below `localhost`
/// (W3C Secure Contexts §3.1), and it is they who send what would be read on the way.
fn is_own_to_clients(url: &url::Url) -> bool {
    is_loopback(url) || url.domain().is_some_and(|name| name.ends_with(".localhost"))
}
