//! Which URLs lead to this machine.

use url::{Host, Url};

/// Whether a URL's host is this machine, where nobody else can read what travels.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        // An IPv4 address that comes dressed as IPv6 (RFC 4291 §2.5.5.2) is an IPv4 one.
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        // Other names below `localhost` are looked up like any name by some resolvers (RFC 6761 §6.3 is not universal).
        Some(Host::Domain(name)) => name.strip_suffix('.').unwrap_or(name) == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_its_loopback_addresses_and_localhost_and_no_name_below_it() {
        for own in ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_loopback(&Url::parse(&format!("http://{own}:1/mcp")).unwrap()), "{own}");
        }
        for other in ["a.localhost", "localhost.example.com", "localhost..", "10.0.0.1", "0.0.0.0", "[::]", "[::ffff:10.0.0.1]"] {
            assert!(Url::parse(&format!("http://{other}/mcp")).is_ok_and(|url| !is_loopback(&url)), "{other}");
        }
        assert!(!is_loopback(&Url::parse("unix:/run/mcp.sock").unwrap()));
    }
}
