//! Where a backend is, and where it may send a request on to.

use http::{HeaderMap, HeaderValue, Uri, header::LOCATION, uri::PathAndQuery};
use std::sync::Arc;
use url::Url;

/// The address of a backend's endpoint. The same-origin rule is what it is for: credentials never leave the origin.
#[derive(Clone)]
pub(crate) struct Target {
    origin: Arc<Origin>,
    path: PathAndQuery,
    url: Arc<Url>,
}

struct Origin {
    /// Scheme and authority, with `/`, for connecting.
    uri: Uri,
    host: HeaderValue,
}

impl Target {
    /// The target that a URL names. User name, password and fragment are left out.
    ///
    /// # Errors
    /// What is wrong with the URL, without quoting it.
    pub(crate) fn new(url: &Url) -> Result<Self, String> {
        let mut url = url.clone();
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("its URL has the scheme `{}`; only http and https work", url.scheme()));
        }
        let unusable = || "its URL names no host that a connection could be made to".to_owned();
        url.set_username("").map_err(|()| unusable())?;
        url.set_password(None).map_err(|()| unusable())?;
        url.set_fragment(None);
        let uri: Uri = url.as_str().parse().map_err(|_| unusable())?;
        let authority = uri.authority().ok_or_else(unusable)?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| unusable())?;
        let path = uri.path_and_query().cloned().ok_or_else(unusable)?;
        let origin = Uri::builder().scheme(url.scheme()).authority(authority.clone()).path_and_query("/").build();
        Ok(Self { origin: Arc::new(Origin { uri: origin.map_err(|_| unusable())?, host }), path, url: Arc::new(url) })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The URL, without user name and password: for signers.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// What the `host` header says.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.origin.host
    }

    /// Where to connect to.
    pub(crate) fn origin(&self) -> &Uri {
        &self.origin.uri
    }

    /// The request target of HTTP/1.1 (RFC 9112 §3.2.1).
    pub(crate) fn path(&self) -> Uri {
        Uri::from(self.path.clone())
    }

    /// The whole URI, for HTTP/2.
    pub(super) fn absolute(&self, path: &Uri) -> Uri {
        let mut parts = self.origin.uri.clone().into_parts();
        parts.path_and_query = path.path_and_query().cloned();
        Uri::from_parts(parts).unwrap_or_else(|_| self.origin.uri.clone())
    }

    /// The target that a redirect names; `None` where it leads to another origin or nowhere.
    pub(crate) fn redirected(&self, headers: &HeaderMap) -> Option<Self> {
        self.within_origin(headers.get(LOCATION)?.to_str().ok()?)
    }

    /// The target that an address names, taken relative to this one; `None` where it is of another origin or none at all.
    pub(crate) fn within_origin(&self, address: &str) -> Option<Self> {
        let url = self.url.join(address).ok()?;
        (url.origin() == self.url.origin()).then(|| Self::new(&url).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(location: &str) -> Option<String> {
        let target = Target::new(&Url::parse("https://u:p@mcp.example.com/mcp?q=1#f").unwrap()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
        target.redirected(&headers).map(|target| target.url().as_str().to_owned())
    }

    #[test]
    fn only_the_same_origin_is_followed() {
        assert_eq!(redirect("/mcp/").as_deref(), Some("https://mcp.example.com/mcp/"));
        assert_eq!(redirect("https://mcp.example.com:443/x?y=1").as_deref(), Some("https://mcp.example.com/x?y=1"));
        for elsewhere in [
            "http://mcp.example.com/mcp",
            "https://mcp.example.com:8443/mcp",
            "https://example.com/mcp",
            "//evil.example/mcp",
            "https://mcp.example.com.evil.example/",
            "ftp://mcp.example.com/",
            "https://[",
        ] {
            assert_eq!(redirect(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn user_and_password_are_left_out() {
        let target = Target::new(&Url::parse("http://user:secret@127.0.0.1:80/mcp?k=v").unwrap()).unwrap();
        assert_eq!(target.host(), "127.0.0.1");
        assert_eq!(target.path().to_string(), "/mcp?k=v");
        assert_eq!(target.absolute(&target.path()).to_string(), "http://127.0.0.1/mcp?k=v");
        assert!(!target.url().as_str().contains("secret"));
        assert!(Target::new(&Url::parse("file:///mcp").unwrap()).is_err());
    }
}
