//! The guard against DNS rebinding and foreign web pages: which `Host` and `Origin` are answered.
//!
//! Specification 2025-11-25 and 2026-07-28, basic/transports: `Origin` has to be validated, an invalid one is a 403.

use super::noted::{Look, Once};
use http::Uri;
use vmcp_core::config::Config;

/// Which hosts and origins are answered. Compiled once.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    hosts: Option<Vec<String>>,
    origins: Origins,
}

#[derive(Clone, Debug)]
enum Origins {
    Loopback,
    Listed(Vec<String>),
}

/// What a request was refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("this Host is not served here; add it to `allowedHosts`")]
    Host,
    #[error("this Origin is not served here; add it to `allowedOrigins`")]
    Origin,
}

impl Guard {
    pub(crate) fn of(config: &Config) -> Self {
        let public = config.public_url.as_ref().and_then(|url| url.host_str());
        Self::new(config.allowed_hosts.as_deref(), config.allowed_origins.as_deref(), public, config.listen.is_loopback())
    }

    /// `loopback` tells whether the listener is reachable from this machine only, `public` is the host that clients know: these are what
    /// is answered by default.
    fn new(allowed_hosts: Option<&[String]>, allowed_origins: Option<&[String]>, public: Option<&str>, loopback: bool) -> Self {
        let lower = |list: &[String]| list.iter().map(|entry| entry.trim_end_matches('/').to_ascii_lowercase()).collect();
        let own = if loopback { &["localhost", "127.0.0.1", "[::1]"][..] } else { &[] };
        let usual: Vec<String> = own.iter().copied().chain(public).map(str::to_ascii_lowercase).collect();
        Self {
            hosts: match allowed_hosts {
                Some(hosts) if hosts.iter().any(|host| host == "*") => None,
                Some(hosts) => Some(lower(hosts)),
                None => (!usual.is_empty()).then_some(usual),
            },
            origins: match allowed_origins {
                Some(origins) => Origins::Listed(lower(origins)),
                None => Origins::Loopback,
            },
        }
    }

    pub(crate) fn check(&self, uri: &Uri, headers: &Look<'_>) -> Result<(), Refused> {
        self.check_host(uri, headers)?;
        match headers.origin {
            Once::Absent => Ok(()),
            Once::One(origin) if origin.to_str().is_ok_and(|origin| self.allows_origin(origin)) => Ok(()),
            _ => Err(Refused::Origin),
        }
    }

    /// For what every page may read.
    pub(crate) fn check_host(&self, uri: &Uri, headers: &Look<'_>) -> Result<(), Refused> {
        if let Some(hosts) = &self.hosts {
            let host = match headers.host {
                Once::Absent => None,
                Once::One(host) => Some(host.to_str().map_err(|_| Refused::Host)?),
                // Two Host headers are two opinions on where a request belongs.
                Once::More => return Err(Refused::Host),
            };
            let served = |host: &str| hosts.iter().any(|allowed| same_host(allowed, host));
            // A target that names a host is as good as a Host header (RFC 9112, section 3.2.2), so it must be one that is served too.
            let target = uri.authority().map(http::uri::Authority::as_str);
            if (host.is_none() && target.is_none()) || ![host, target].into_iter().flatten().all(served) {
                return Err(Refused::Host);
            }
        }
        Ok(())
    }

    fn allows_origin(&self, origin: &str) -> bool {
        match &self.origins {
            Origins::Listed(listed) => listed.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin)),
            Origins::Loopback => {
                let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                authority.is_some_and(|authority| ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| same_host(host, authority)))
            }
        }
    }
}

/// Whether `host` is `allowed`, with any port where `allowed` names none.
fn same_host(allowed: &str, host: &str) -> bool {
    if allowed.len() == host.len() {
        return allowed.eq_ignore_ascii_case(host);
    }
    let Some((name, port)) = host.split_at_checked(allowed.len()) else { return false };
    let Some(port) = port.strip_prefix(':') else { return false };
    (allowed == name || allowed.eq_ignore_ascii_case(name)) && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, header};

    fn check(guard: &Guard, host: Option<&str>, origin: Option<&str>) -> Result<(), Refused> {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        guard.check(&Uri::from_static("/mcp"), &Look::at(&headers))
    }

    #[test]
    fn on_loopback_only_loopback_hosts_and_origins_are_answered() {
        let guard = Guard::new(None, None, None, true);
        for host in ["localhost", "LOCALHOST:4483", "127.0.0.1:1", "[::1]:4483", "[::1]"] {
            assert_eq!(check(&guard, Some(host), None), Ok(()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "localhost:x", "localhost:", ""] {
            assert_eq!(check(&guard, Some(host), None), Err(Refused::Host), "{host}");
        }
        assert_eq!(check(&guard, None, None), Err(Refused::Host));
        for origin in ["http://localhost:6274", "https://127.0.0.1", "http://[::1]:3000"] {
            assert_eq!(check(&guard, Some("localhost"), Some(origin)), Ok(()), "{origin}");
        }
        for origin in ["http://evil.example", "null", "http://localhost.evil.example", "file://", "http://localhost:80@evil.example"] {
            assert_eq!(check(&guard, Some("localhost"), Some(origin)), Err(Refused::Origin), "{origin}");
        }
    }

    #[test]
    fn elsewhere_every_host_is_answered_until_some_are_listed() {
        assert_eq!(check(&Guard::new(None, None, None, false), Some("mcp.example.com"), None), Ok(()));
        let listed = Guard::new(Some(&["mcp.example.com".into()]), Some(&["https://app.example.com".into()]), None, false);
        assert_eq!(check(&listed, Some("MCP.example.com:8443"), Some("https://app.example.com")), Ok(()));
        assert_eq!(check(&listed, Some("localhost"), None), Err(Refused::Host));
        assert_eq!(check(&listed, Some("mcp.example.com"), Some("https://app.example.com:444")), Err(Refused::Origin));
    }

    #[test]
    fn the_name_that_clients_know_is_answered() {
        for (loopback, own) in [(true, Ok(())), (false, Err(Refused::Host))] {
            let guard = Guard::new(None, None, Some("mcp.example.com"), loopback);
            assert_eq!(check(&guard, Some("mcp.example.com"), None), Ok(()));
            assert_eq!(check(&guard, Some("localhost"), None), own);
            assert_eq!(check(&guard, Some("evil.example"), None), Err(Refused::Host));
        }
    }

    #[test]
    fn a_target_that_names_a_host_counts_as_much_as_the_header() {
        let guard = Guard::new(None, None, None, true);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        assert_eq!(guard.check(&Uri::from_static("http://evil.example/mcp"), &Look::at(&headers)), Err(Refused::Host));
        assert_eq!(guard.check(&Uri::from_static("http://127.0.0.1:4483/mcp"), &Look::at(&headers)), Ok(()));
        assert_eq!(guard.check(&Uri::from_static("http://127.0.0.1:4483/mcp"), &Look::at(&HeaderMap::new())), Ok(()));
    }

    #[test]
    fn a_second_host_or_origin_is_refused() {
        let guard = Guard::new(None, None, None, true);
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert_eq!(guard.check(&Uri::from_static("/"), &Look::at(&headers)), Err(Refused::Host));
        headers.remove(header::HOST);
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        headers.append(header::ORIGIN, HeaderValue::from_static("http://localhost"));
        headers.append(header::ORIGIN, HeaderValue::from_static("http://localhost"));
        assert_eq!(guard.check(&Uri::from_static("/"), &Look::at(&headers)), Err(Refused::Origin));
    }
}
