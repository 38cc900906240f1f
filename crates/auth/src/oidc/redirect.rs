//! Where clients that register may have browsers sent back to.

use serde_json::Value;
use url::{Host, Url};
use vmcp_core::{config::index_path, plugin::Misplaced};

/// How many places one registration may name.
const MAX_URIS: usize = 16;

/// The longest of them, in bytes.
const MAX_LENGTH: usize = 2048;

/// Places beyond the client's own machine.
pub(super) struct Redirects(Vec<String>);

impl Redirects {
    /// # Errors
    /// The first of `redirectUris` that is no place to be sent to.
    pub(super) fn new(listed: Vec<String>) -> Result<Self, Misplaced> {
        match listed.iter().position(|uri| Url::parse(uri).map_or(true, |url| url.fragment().is_some())) {
            Some(wrong) => {
                let why = "is no URL without a fragment; write for example https://claude.ai/api/mcp/auth_callback";
                Err(Misplaced::new(index_path("redirectUris", wrong), why))
            }
            None => Ok(Self(listed)),
        }
    }

    /// The places that a registration asks for.
    ///
    /// # Errors
    /// Why it may not have them.
    pub(super) fn allowed(&self, asked: Option<&Value>) -> Result<Vec<Value>, &'static str> {
        let Some(Value::Array(uris)) = asked else { return Err("`redirect_uris` has to be a list") };
        if uris.is_empty() || uris.len() > MAX_URIS {
            return Err("`redirect_uris` has to have from 1 to 16 members");
        }
        if uris.iter().all(|uri| uri.as_str().is_some_and(|uri| self.allows(uri))) {
            Ok(uris.clone())
        } else {
            Err("one of `redirect_uris` is not allowed here; the operator lists them under `oidc.facade.redirectUris`")
        }
    }

    /// Listed ones letter by letter; a client's own machine at any port (RFC 8252 §7.3).
    fn allows(&self, uri: &str) -> bool {
        if uri.len() > MAX_LENGTH {
            return false;
        }
        self.0.iter().any(|listed| listed == uri) || Url::parse(uri).is_ok_and(|url| is_own_machine(&url))
    }
}

/// Narrower than where secrets may go without TLS: these are the forms that clients write, and issuers compare to the letter.
fn is_own_machine(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && is_loopback && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_client_is_sent_back_to_its_own_machine_or_to_a_listed_place() {
        let redirects = Redirects::new(vec!["https://claude.ai/api/mcp/auth_callback".to_owned(), "cursor://a.b/cb".to_owned()]).unwrap();
        for uri in [
            "http://localhost:6274/oauth/callback",
            "http://127.0.0.1:33418/",
            "http://[::1]:1/callback",
            "http://localhost/callback",
            "https://claude.ai/api/mcp/auth_callback",
            "cursor://a.b/cb",
        ] {
            assert!(redirects.allowed(Some(&json!([uri]))).is_ok(), "{uri}");
        }
        for uri in [
            "https://claude.ai/api/mcp/auth_callback/",
            "https://evil.example.com/api/mcp/auth_callback",
            "http://localhost.evil.example.com/callback",
            "http://127.0.0.1@evil.example.com/",
            "http://user@localhost/",
            "https://localhost/callback",
            "http://localhost/#fragment",
            "javascript:alert(1)",
            "cursor://a.b/other",
            "",
        ] {
            assert!(redirects.allowed(Some(&json!(["http://localhost/", uri]))).is_err(), "{uri}");
        }
        let many: Vec<_> = (0..17).map(|port| format!("http://localhost:{port}/")).collect();
        for wrong in [json!([]), json!("http://localhost/"), json!([1]), json!(many)] {
            assert!(redirects.allowed(Some(&wrong)).is_err(), "{wrong}");
        }
        assert!(redirects.allowed(None).is_err());
    }

    #[test]
    fn what_is_listed_is_a_place() {
        let wrong = |uri: &str| Redirects::new(vec!["https://claude.ai/".to_owned(), uri.to_owned()]).err().map(|wrong| wrong.place);
        assert_eq!(wrong("https://claude.ai/callback"), None);
        for uri in ["claude.ai", "https://claude.ai/#x"] {
            assert_eq!(wrong(uri).as_deref(), Some("redirectUris[1]"), "{uri}");
        }
    }
}
