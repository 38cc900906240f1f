//! What the values of flags may be. What cannot be is refused with what to write instead.

use http::HeaderName;
use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroUsize,
};
use url::Url;

/// More threads than this have no use on any machine, and too many of them end in a failure without words.
const MOST_WORKERS: usize = 1024;

/// `NAME=URL`.
pub(crate) fn backend(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && !url.is_empty() => Ok((name.to_owned(), url.to_owned())),
        _ => Err("write NAME=URL, for example github=https://mcp.example.com/mcp".to_owned()),
    }
}

/// `NAME=VARIABLE`, a header and the environment variable that has its value.
pub(crate) fn header_variable(text: &str) -> Result<(HeaderName, String), String> {
    let pair = text.split_once('=').filter(|(_, variable)| !variable.is_empty());
    let pair = pair.and_then(|(name, variable)| Some((HeaderName::from_bytes(name.as_bytes()).ok()?, variable.to_owned())));
    pair.ok_or_else(|| "write NAME=VARIABLE, for example x-github-token=GITHUB_TOKEN".to_owned())
}

/// An IP address, an IPv6 one with or without brackets.
pub(crate) fn host(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.trim_matches(['[', ']']).parse().map_err(|_| "write an IP address, for example 127.0.0.1 or 0.0.0.0".to_owned())
}

/// A port, 0 for a free one.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "write a number from 0 to 65535".to_owned())
}

/// A number of threads.
pub(crate) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MOST_WORKERS);
    number.ok_or_else(|| format!("write a number from 1 to {MOST_WORKERS}"))
}

/// The URL of an MCP endpoint.
pub(crate) fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| "write an http:// or https:// URL, for example http://127.0.0.1:4483/mcp".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_a_name_and_a_url() {
        assert_eq!(backend("a=http://a/?x=y"), Ok(("a".to_owned(), "http://a/?x=y".to_owned())));
        assert!(backend("http://a/").is_err());
        assert!(backend("=http://a/").is_err());
    }

    #[test]
    fn a_header_from_a_variable_has_both_names() {
        assert_eq!(header_variable("X-A=A_B"), Ok((HeaderName::from_static("x-a"), "A_B".to_owned())));
        assert!(header_variable("x-a").is_err() && header_variable("x-a=").is_err() && header_variable("x a=A").is_err());
    }

    #[test]
    fn a_host_is_an_address_of_this_machine() {
        assert_eq!(host("0.0.0.0"), Ok(IpAddr::from([0, 0, 0, 0])));
        assert_eq!(host("localhost"), Ok(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(host("[::1]"), host("::1"));
        assert!(host("gw.example.com").is_err());
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!((port("0"), port("65535")), (Ok(0), Ok(65535)));
        assert!(port("65536").is_err() && port("-1").is_err() && port("").is_err());
        assert_eq!((workers("1").map(NonZeroUsize::get), workers("1024").map(NonZeroUsize::get)), (Ok(1), Ok(1024)));
        assert!(workers("0").is_err() && workers("1025").is_err() && workers("many").is_err());
    }

    #[test]
    fn an_endpoint_is_reached_over_http() {
        assert!(endpoint("http://127.0.0.1:4483/mcp").is_ok() && endpoint("https://a.example.com").is_ok());
        assert!(endpoint("notaurl").is_err() && endpoint("ftp://a/").is_err() && endpoint("localhost:4483").is_err());
    }
}
