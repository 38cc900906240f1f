//! One endpoint named by its URL, asked as the only backend of a configuration that nobody wrote.

use http::HeaderMap;
use url::Url;
use vmcp_core::config::{Backend, Config, ConflictResolution, PassthroughEntry, PassthroughHeader};

/// What the endpoint behind `--url` is called in here.
const ENDPOINT: &str = "endpoint";

/// A configuration with one backend whose names stay as they are and which gets all the headers.
pub(super) fn endpoint(url: &Url, headers: &HeaderMap) -> Config {
    let listed = |name: &http::HeaderName| {
        PassthroughEntry::Full(PassthroughHeader { impersonation: true, ..PassthroughHeader::named(name.to_string()) })
    };
    let backend = Backend {
        passthrough_headers: headers.keys().map(listed).collect(),
        allow_credential_header_passthrough: true,
        allow_plaintext: true,
        ..Backend::new(ENDPOINT, url.clone())
    };
    let mut config = Config::with_backends(vec![backend]);
    config.aggregation.conflict_resolution = ConflictResolution::Priority;
    config.aggregation.conflict_resolution_config.priority_order = vec![ENDPOINT.to_owned()];
    config
}

/// A message with the URL in place of the name that nobody gave.
pub(super) fn renamed(message: &str, url: Option<&Url>) -> String {
    match url {
        Some(url) => message.replace(&format!("backend `{ENDPOINT}`"), &shown(url)),
        None => message.to_owned(),
    }
}

/// A URL without what may be a secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let url = Url::parse("https://user:hunter2@a.example.com/mcp?key=hunter2#x").unwrap();
        assert_eq!(shown(&url), "https://a.example.com/mcp");
        assert_eq!(renamed("backend `endpoint`: list timed out", Some(&url)), "https://a.example.com/mcp: list timed out");
        assert_eq!(renamed("backend `endpoint`: list timed out", None), "backend `endpoint`: list timed out");
    }

    #[test]
    fn an_endpoint_gets_every_header_that_may_travel_and_keeps_its_names() {
        let url = Url::parse("http://mcp.example.com/mcp").unwrap();
        let headers = HeaderMap::from_iter(
            ["authorization", "cookie", "x-remote-user", "x-a"]
                .map(|name| (http::HeaderName::from_static(name), http::HeaderValue::from_static("v"))),
        );
        assert_eq!(endpoint(&url, &headers).check(), []);
        let config = endpoint(&url, &headers);
        let rules = vmcp_core::catalogue::Rules::compile(&config.aggregation, &[ENDPOINT]);
        assert!(rules.is_ok_and(|rules| rules.warnings().is_empty()));
    }
}
