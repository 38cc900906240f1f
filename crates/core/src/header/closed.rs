//! Names that never travel, and in which direction.

use super::name::{fits, normalise};
use http::HeaderName;

/// The way that a name would take through the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// A caller's header (`name` of an entry).
    Inbound,
    /// What an entry calls the header towards the backend (`as`).
    Outbound,
    /// A static header of a backend (`headers`).
    Static,
    /// A header that an outgoing strategy writes.
    Strategy,
}

/// Why a name is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClosedGroup {
    /// Routing, framing and hop-by-hop (RFC 9110 §7.6.1), and `set-cookie`, which no request has. Closed to everybody.
    Framing,
    /// Address and identity of the peer, as proxies report them. Closed to everybody.
    Address,
    /// What vmcp writes itself. Closed to everybody.
    Own,
    /// Names that proxies set and servers trust. Closed to entries without `impersonation: true` and to static headers; a strategy
    /// speaks for the gateway, not for the caller, and may write them.
    Impersonation,
    /// `authorization` and `cookie`: closed as a caller's headers, unless `allowCredentialHeaderPassthrough` is set.
    Credential,
}

impl ClosedGroup {
    /// Every group.
    pub const ALL: [Self; 5] = [Self::Framing, Self::Address, Self::Own, Self::Impersonation, Self::Credential];

    /// The names of the group, normalised; a `*` at the end stands for anything.
    #[must_use]
    pub fn patterns(self) -> &'static [&'static str] {
        match self {
            Self::Framing => &[
                "host",
                "connection",
                "keep-alive",
                "te",
                "trailer",
                "upgrade",
                "transfer-encoding",
                "content-length",
                "http2-settings",
                "proxy-*",
                "expect",
                "set-cookie",
            ],
            Self::Address => {
                &["forwarded", "x-forwarded-*", "x-real-ip", "via", "x-original-*", "cf-connecting-ip", "true-client-ip", "x-client-ip"]
            }
            Self::Own => &[
                "mcp-*",
                "last-event-id",
                "accept",
                "accept-encoding",
                "content-type",
                "content-encoding",
                "origin",
                "traceparent",
                "tracestate",
                "baggage",
                "x-vmcp-*",
            ],
            Self::Impersonation => &[
                "remote-user",
                "x-remote-*",
                "x-auth-request-*",
                "x-amzn-*",
                "x-envoy-*",
                "x-goog-iap-*",
                "x-goog-authenticated-user-*",
                "x-ms-client-principal*",
                "cf-access-*",
                "x-client-cert",
                "ssl-client-*",
                "x-consumer-*",
                "x-rewrite-url",
                "x-http-method-override",
                "sec-*",
            ],
            Self::Credential => &["authorization", "cookie"],
        }
    }

    /// Whether the group is closed on that side, before any key of an entry opens it.
    #[must_use]
    pub fn closes(self, side: Side) -> bool {
        match self {
            Self::Framing | Self::Address | Self::Own => true,
            Self::Impersonation => side != Side::Strategy,
            Self::Credential => side == Side::Inbound,
        }
    }
}

/// The group that closes `name`, in whatever spelling, on that side; `None` when it may travel.
#[must_use]
pub fn closed(name: &HeaderName, side: Side) -> Option<ClosedGroup> {
    let name = normalise(name);
    ClosedGroup::ALL.into_iter().find(|group| group.closes(side) && fits(&name, group.patterns()))
}
