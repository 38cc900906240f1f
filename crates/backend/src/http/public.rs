//! Addresses that anybody could reach, and a resolver that finds no others.
//!
//! A URL that somebody else named (a discovery document, say) may lead to what only this machine reaches: other services on it, the
//! network behind it, the metadata service of a cloud. The check is made where a name becomes an address, and the connection goes to
//! the address that was checked: a name that resolves anew to something else in between has nothing to gain.

use hyper_util::client::legacy::connect::dns::Name;
use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    vec,
};
use tower::Service;
use url::{Host, Url};

/// Why nothing is connected to.
#[derive(Debug)]
pub(super) struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its name leads to no public address")
    }
}

impl std::error::Error for NotPublic {}

/// Whether a URL may lead to a public address: an address that is written in it is one, a name is still to be resolved.
pub(super) fn may_be(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(_)) => true,
        None => false,
    }
}

/// Whether an address is one of the internet's (the registries of RFC 6890, as of 2026).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, private, loopback.
        (0 | 10 | 127, _, _) => true,
        // Shared by carriers.
        (100, 64..=127, _) => true,
        // Link-local, where clouds keep their metadata service.
        (169, 254, _) => true,
        (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, documentation, 6to4 relays.
        (192, 0, 0 | 2) | (192, 88, 99) => true,
        // Benchmarks, documentation.
        (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224.., _, _) => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // The ways to write an IPv4 address: mapped, NAT64 (RFC 6052), 6to4 (RFC 3056).
    let [a, b, c, ..] = address.segments();
    let [.., y, z] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    if address.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]) {
        return is_public_v4(v4(y, z));
    }
    if a == 0x2002 {
        return is_public_v4(v4(b, c));
    }
    // Only 2000::/3 is assigned; of that not Teredo and other protocol assignments (2001::/23), documentation (2001:db8::/32, 3fff::/20).
    let global = a & 0xe000 == 0x2000;
    let special = matches!((a, b), (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff));
    global && !special
}

/// Resolves names to public addresses. A name that also leads elsewhere is one that somebody plays with: it leads nowhere.
#[derive(Clone, Copy)]
pub(crate) struct PublicOnly;

impl Service<Name> for PublicOnly {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.iter().all(|address| is_public(address.ip())) {
                return Ok(found.into_iter());
            }
            Err(io::Error::other(NotPublic))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpFetch;
    use http::Method;
    use vmcp_core::plugin::{Fetch, FetchError, FetchRequest, Reach};

    #[test]
    fn an_address_that_only_this_machine_or_its_network_reaches_is_not_public() {
        for address in [
            "127.0.0.1",
            "127.255.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn a_request_to_the_public_reaches_nothing_of_this_machine_however_it_is_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fetch = HttpFetch::default();
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0"] {
            for scheme in ["http", "https"] {
                let mut request = FetchRequest::new(Method::GET, format!("{scheme}://{host}:{port}/").parse().unwrap());
                request.reach = Reach::Public;
                let refused = fetch.fetch(request).await;
                assert!(matches!(refused, Err(FetchError::Private { .. })), "{scheme}://{host}: {:?}", refused.err());
            }
        }
        let nobody = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
        assert!(nobody.is_err(), "something connected");
    }
}
