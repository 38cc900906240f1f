//! Whose address a request comes from where proxies are in front.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use vmcp_core::config::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many hops are looked at, from the last one back.
const MAX_HOPS: usize = 32;

/// The address that a request comes from: the connection's, or what trusted proxies say of it.
///
/// Each proxy adds the address that it sees to the end of a list. From there back, addresses of proxies count as vouched for; the first
/// other one is the caller's, and whatever stands before it is the caller's own invention.
pub(super) fn caller(connection: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let connection = connection.to_canonical();
    if !is_trusted(connection, trusted) {
        return connection;
    }
    let [listed, forwarded] = [X_FORWARDED_FOR, header::FORWARDED].map(|name| hops(headers, &name));
    let of = |hops: &[Hop]| follow(connection, hops, trusted);
    match (listed.is_empty(), forwarded.is_empty()) {
        (true, true) => connection,
        (false, true) => of(&listed),
        (true, false) => of(&forwarded),
        // A proxy writes one of them and passes the other on as it came. Which one it is nobody says, so they have to agree.
        (false, false) if of(&listed) == of(&forwarded) => of(&listed),
        (false, false) => somebody(connection),
    }
}

/// The address of one whom a proxy has not named. A proxy on this machine is no reason to take its callers for callers of this machine:
/// these are under the address that nobody has.
fn somebody(proxy: IpAddr) -> IpAddr {
    if proxy.is_loopback() { Ipv4Addr::UNSPECIFIED.into() } else { proxy }
}

/// An address that a proxy saw, or `None` where it does not say.
type Hop = Option<IpAddr>;

/// The last hop first.
fn hops(headers: &HeaderMap, name: &HeaderName) -> Vec<Hop> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let is_list = *name == X_FORWARDED_FOR;
    // What a proxy wrote is read even where it stands behind what no proxy would write.
    let hop = |element: &[u8]| {
        let element = std::str::from_utf8(element).ok()?.trim();
        if is_list { address(element) } else { forwarded(element) }
    };
    lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')).take(MAX_HOPS).map(hop).collect()
}

fn follow(connection: IpAddr, hops: &[Hop], trusted: &[Network]) -> IpAddr {
    let mut nearest = connection;
    for hop in hops {
        // Beyond a hop that cannot be read nothing is vouched for.
        let Some(hop) = hop else { return somebody(nearest) };
        nearest = *hop;
        if !is_trusted(nearest, trusted) {
            break;
        }
    }
    nearest
}

/// `for=` of an element of `Forwarded` (RFC 7239 §4). A quoted comma or semicolon can only be in what is no address.
fn forwarded(element: &str) -> Hop {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let node = node.trim();
    address(node.strip_prefix('"').and_then(|node| node.strip_suffix('"')).unwrap_or(node))
}

/// An address, with a port or without (RFC 7239 §6).
fn address(text: &str) -> Hop {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

fn is_trusted(ip: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The caller of a request over a proxy at 10.0.0.1, where 10.0.0.0/8 and 2001:db8:a::/48 are trusted.
    fn caller_by(headers: &[(HeaderName, &'static str)]) -> String {
        caller_over("10.0.0.1", headers)
    }

    fn caller_over(connection: &str, headers: &[(HeaderName, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8", "2001:db8:a::/48"].map(|text| text.parse().unwrap());
        caller(connection.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxys_is_the_callers() {
        let by = |list| caller_by(&[(X_FORWARDED_FOR, list)]);
        assert_eq!(by("203.0.113.9"), "203.0.113.9");
        assert_eq!(by("1.1.1.1, 203.0.113.9, 10.9.9.9"), "203.0.113.9");
        assert_eq!(by("203.0.113.9:5060"), "203.0.113.9");
        assert_eq!(by("[2001:db8::7]:443, 2001:db8:a::1"), "2001:db8::7");
        assert_eq!(by("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(by("10.2.2.2, 10.3.3.3"), "10.2.2.2", "proxies alone: the farthest of them");
        assert_eq!(caller_by(&[(X_FORWARDED_FOR, "1.1.1.1"), (X_FORWARDED_FOR, "203.0.113.9, 10.3.3.3")]), "203.0.113.9");
    }

    #[test]
    fn the_standard_header_says_the_same() {
        let by = |list| caller_by(&[(header::FORWARDED, list)]);
        assert_eq!(by("for=1.1.1.1, for=203.0.113.9;proto=https, By=x;FOR=10.3.3.3"), "203.0.113.9");
        assert_eq!(by("for=\"[2001:db8::7]:443\""), "2001:db8::7");
        assert_eq!(by("for=203.0.113.9, for=_hidden, for=10.3.3.3"), "10.3.3.3", "nobody vouches for what is beyond");
        assert_eq!(by("proto=https"), "10.0.0.1");
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        assert_eq!(caller_over("198.51.100.1", &[(X_FORWARDED_FOR, "203.0.113.9")]), "198.51.100.1");
        assert_eq!(caller_over("::ffff:10.0.0.1", &[(X_FORWARDED_FOR, "203.0.113.9")]), "203.0.113.9");
        assert_eq!(caller_by(&[]), "10.0.0.1");
        assert_eq!(caller_by(&[(X_FORWARDED_FOR, "203.0.113.9, unknown")]), "10.0.0.1");
    }

    #[test]
    fn two_headers_that_contradict_each_other_say_nothing() {
        let both = |forwarded| caller_by(&[(X_FORWARDED_FOR, "203.0.113.9"), (header::FORWARDED, forwarded)]);
        assert_eq!(both("for=203.0.113.9"), "203.0.113.9");
        assert_eq!(both("for=192.0.2.1"), "10.0.0.1");
    }

    #[test]
    fn nobody_becomes_a_caller_of_this_machine_by_what_it_writes() {
        let trusted = ["127.0.0.0/8".parse().unwrap()];
        let over = |headers: &[(HeaderName, &[u8])]| {
            let map = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_bytes(value).unwrap()));
            caller("127.0.0.1".parse().unwrap(), &HeaderMap::from_iter(map), &trusted).to_string()
        };
        // The proxy on this machine adds 203.0.113.9 to what the caller sent.
        assert_eq!(over(&[(X_FORWARDED_FOR, b"\xff, 203.0.113.9")]), "203.0.113.9");
        assert_eq!(over(&[(X_FORWARDED_FOR, b"127.0.0.1, 203.0.113.9")]), "203.0.113.9");
        assert_eq!(over(&[(header::FORWARDED, b"for=\"\xe4, for=203.0.113.9")]), "203.0.113.9");
        assert_eq!(over(&[(X_FORWARDED_FOR, b"203.0.113.9"), (header::FORWARDED, b"for=1.1.1.1")]), "0.0.0.0");
        assert_eq!(over(&[(X_FORWARDED_FOR, b"203.0.113.9"), (header::FORWARDED, b"for=127.0.0.1")]), "0.0.0.0");
        // A proxy that does not tell addresses.
        assert_eq!(over(&[(header::FORWARDED, b"for=unknown")]), "0.0.0.0");
        // Callers that are of this machine.
        assert_eq!(over(&[]), "127.0.0.1");
        assert_eq!(over(&[(X_FORWARDED_FOR, b"127.0.0.2")]), "127.0.0.2");
    }
}
