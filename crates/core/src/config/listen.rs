//! Where the gateway listens, and what it knows of who is at the other end.

use super::Network;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use std::{
    borrow::Cow,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

/// Where to listen when nothing is said.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4483);

/// Where the gateway listens. In a file an address, or a map that says more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
#[non_exhaustive]
pub struct Listen {
    /// The address; there is one unless `unix` stands alone.
    pub address: Option<SocketAddr>,
    /// A Unix socket, beside the address or instead of it.
    pub unix: Option<PathBuf>,
    /// TLS at the address.
    pub tls: Option<ListenTls>,
    /// Whose word on client addresses is taken.
    pub trusted_proxies: Vec<Network>,
    /// Something in front speaks TLS with clients.
    pub behind_tls_proxy: bool,
}

impl Listen {
    /// Listens at an address, without TLS.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address: Some(address), unix: None, tls: None, trusted_proxies: Vec::new(), behind_tls_proxy: false }
    }

    /// Whether only this machine can connect.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.is_none_or(|address| address.ip().to_canonical().is_loopback())
    }

    /// Whether only this machine can connect and nothing lets others in through it, as far as is known.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.is_loopback() && !self.behind_tls_proxy && self.trusted_proxies.is_empty()
    }

    /// Whether what clients send can be read on its way: over a network, without TLS here or in front.
    #[must_use]
    pub fn is_readable_on_the_way(&self) -> bool {
        !self.is_loopback() && self.tls.is_none() && !self.behind_tls_proxy
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self::at(USUAL)
    }
}

impl JsonSchema for Listen {
    fn schema_name() -> Cow<'static, str> {
        Written::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

/// What stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Listen", title = "Where to listen")]
enum Written {
    /// Address and port.
    Address(#[schemars(extend("format" = "socket-address"))] SocketAddr),
    /// The full form.
    Full(Listener),
}

/// Where to listen, in full.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Listener {
    /// Address and port. Default: `127.0.0.1:4483`, or none where there is `unix`.
    #[schemars(extend("format" = "socket-address"))]
    address: Option<SocketAddr>,
    /// A Unix socket that only the user who runs vmcp (and root) can open, beside `address` or instead of it. A socket that nobody listens at
    /// any more is replaced. A relative path starts at the configuration file's folder.
    #[schemars(extend("format" = "path"))]
    unix: Option<PathBuf>,
    /// Speaks TLS (1.2 and 1.3) at `address`.
    tls: Option<ListenTls>,
    /// The proxies in front, as addresses or networks (`10.0.0.0/8`, `fd00::/8`). Of what they say in `X-Forwarded-For` or `Forwarded` the
    /// rightmost address that is none of theirs counts as the caller's.
    #[serde(default)]
    trusted_proxies: Vec<Network>,
    /// Says that a proxy in front speaks TLS with clients. Without this and without `tls`, credentials are taken on loopback addresses only.
    #[serde(default)]
    behind_tls_proxy: bool,
}

impl From<Written> for Listen {
    fn from(written: Written) -> Self {
        match written {
            Written::Address(address) => Self::at(address),
            Written::Full(Listener { address, unix, tls, trusted_proxies, behind_tls_proxy }) => {
                let address = address.or_else(|| unix.is_none().then_some(USUAL));
                Self { address, unix, tls, trusted_proxies, behind_tls_proxy }
            }
        }
    }
}

/// The gateway's certificate, and whom of its clients it knows by theirs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "TLS at the listener")]
pub struct ListenTls {
    /// A PEM file with the certificate, followed by those between it and its authority. This file and those below are read again when they
    /// change; what cannot be used is told in the log, and the former goes on. Relative paths start at the configuration file's folder.
    #[schemars(extend("format" = "path"))]
    pub certificate: PathBuf,
    /// A PEM file with the certificate's private key.
    #[schemars(extend("format" = "path"))]
    pub key: PathBuf,
    /// A PEM file with the authorities whose clients' certificates are taken. Clients are asked for one then; `type: clientCertificate`
    /// tells them apart by it.
    #[schemars(extend("format" = "path"))]
    pub client_ca: Option<PathBuf>,
    /// Lets no client in without such a certificate.
    #[serde(default)]
    pub require_client_certificate: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Listen {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_address_alone_and_a_map_with_one_are_the_same() {
        assert_eq!(read(json!("0.0.0.0:1")), read(json!({ "address": "0.0.0.0:1" })));
        assert_eq!(read(json!({})), Listen::default());
        let socket = read(json!({ "unix": "/run/vmcp.sock" }));
        assert_eq!((socket.address, socket.unix.as_deref()), (None, Some("/run/vmcp.sock".as_ref())));
    }

    #[test]
    fn what_others_can_reach_and_read_follows_from_all_of_it() {
        let told = |value| {
            let listen = read(value);
            (listen.is_loopback(), listen.is_local(), listen.is_readable_on_the_way())
        };
        assert_eq!(told(json!("127.0.0.1:1")), (true, true, false));
        assert_eq!(told(json!("[::ffff:127.0.0.1]:1")), (true, true, false));
        assert_eq!(told(json!({ "unix": "s" })), (true, true, false));
        assert_eq!(told(json!({ "behindTlsProxy": true })), (true, false, false));
        assert_eq!(told(json!({ "trustedProxies": ["::1"] })), (true, false, false));
        assert_eq!(told(json!("0.0.0.0:1")), (false, false, true));
        assert_eq!(told(json!({ "address": "0.0.0.0:1", "unix": "s" })), (false, false, true));
        assert_eq!(told(json!({ "address": "0.0.0.0:1", "behindTlsProxy": true })), (false, false, false));
        assert_eq!(told(json!({ "address": "0.0.0.0:1", "tls": { "certificate": "c", "key": "k" } })), (false, false, false));
    }
}
