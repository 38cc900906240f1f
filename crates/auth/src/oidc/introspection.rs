//! Asking an issuer about a token that only it can read (RFC 7662).

use super::{ask::Asker, kept::Unavailable, keys::Keys, strict};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded::byte_serialize};
use zeroize::Zeroizing;

/// What vmcp asks as.
pub(super) struct Introspection {
    pub(super) url: Option<Url>,
    pub(super) client: String,
    pub(super) secret: SecretString,
}

impl Introspection {
    /// What the issuer says of a token; `None` when it is not active.
    pub(super) async fn ask(&self, issuer: &Keys, token: &str) -> Result<Option<Map<String, Value>>, Unavailable> {
        let what = "the answer about a token";
        let asker = &issuer.asker;
        let url = match &self.url {
            Some(url) => url.clone(),
            None => match &issuer.metadata().await?.introspection_endpoint {
                Some(url) => url.clone(),
                None => return Err(asker.failed(what, "the metadata has no `introspection_endpoint`; set `introspectionUrl`")),
            },
        };
        let answer = asker.post(what, &url, self.credentials(), form(token)).await?;
        if answer.status != StatusCode::OK {
            let hint = if answer.status == StatusCode::UNAUTHORIZED { "; check `clientId` and `clientSecretEnv`" } else { "" };
            return Err(asker.failed(what, &format!("{} answered with status {}{hint}", Asker::shown(&url), answer.status.as_u16())));
        }
        let Some(mut said) = strict::object(&answer.body) else {
            return Err(asker.failed(what, &format!("{} answered with something else than JSON", Asker::shown(&url))));
        };
        let is_active = said.remove("active") == Some(Value::Bool(true));
        // One issuer has one name; whoever answers with another speaks of another's token.
        let is_own = said.get("iss").is_none_or(|issuer| issuer.as_str() == Some(&asker.issuer));
        Ok((is_active && is_own).then_some(said))
    }

    /// Identifier and secret, each encoded first (RFC 6749 §2.3.1).
    fn credentials(&self) -> HeaderMap {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = Zeroizing::new(format!("{}:{}", encoded(&self.client), encoded(self.secret.expose_secret())));
        let basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let marked = basic.map(|mut value| {
            value.set_sensitive(true);
            (AUTHORIZATION, value)
        });
        marked.into_iter().collect()
    }
}

fn form(token: &str) -> Bytes {
    let mut form = String::from("token_type_hint=access_token&token=");
    form.extend(byte_serialize(token.as_bytes()));
    form.into()
}
