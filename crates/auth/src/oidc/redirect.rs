//! Where clients that register may have browsers sent back to.

use serde_json::Value;
use url::{Host, Url};

/// How many places one registration may name.
const MAX_URIS: usize = 16;

/// The longest of them, in bytes.
const MAX_LENGTH: usize = 2048;

/// Places beyond the client's own machine.
pub(super) struct Redirects(Vec<String>);

impl Redirects {
    /// # Errors
    /// The first that is no place to be sent to.
    pub(super) fn new(listed: Vec<String>) -> Result<Self, String> {
        match listed.iter().find(|uri| Url::parse(uri).map_or(true, |url| url.fragment().is_some())) {
            Some(wrong) => {
                Err(format!("`{wrong}` is no URL without a fragment; write for example https://claude.ai/api/mcp/auth_callback"))
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
        assert!(Redirects::new(vec!["claude.ai".to_owned()]).is_err());
        assert!(Redirects::new(vec!["https://claude.ai/#x".to_owned()]).is_err());
    }
}
