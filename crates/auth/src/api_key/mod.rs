//! The authenticator that knows callers by keys.

mod config;
mod keys;
mod new;
#[cfg(test)]
mod tests;

pub use config::{ApiKeyConfig, ApiKeyEntry};
pub use new::NewApiKey;

use crate::{
    at_once::{AtOnce, Knows},
    bearer,
};
use http::{HeaderName, header::AUTHORIZATION};
use keys::Keys;
use std::sync::Arc;
use vmcp_core::{
    config::index_path,
    plugin::{
        Authenticated, Authenticator, AuthenticatorFactory, Challenge, Deps, Misplaced, Principal, Rejected, RequestHead, StrategyError,
    },
};

/// `incomingAuth: { type: apiKey }`: callers bring a key in a header. The configuration has the keys' hashes, or says where a key stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApiKeyFactory;

impl AuthenticatorFactory for ApiKeyFactory {
    const KIND: &'static str = "apiKey";
    type Config = ApiKeyConfig;

    fn build(&self, config: ApiKeyConfig, deps: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        let header = HeaderName::from_bytes(config.header.as_bytes())
            .map_err(|_| StrategyError::at("header", "needs a name of letters, digits and hyphens"))?;
        let mut keys = Keys::default();
        for (n, entry) in config.keys.iter().enumerate() {
            keys.add(entry, &deps.secrets).map_err(|wrong| StrategyError::Settings(vec![wrong.below(&index_path("keys", n))]))?;
        }
        let mut is_complete = true;
        if let Some(path) = &config.keys_file {
            let wrong = |why: String| StrategyError::at("keysFile", format!("{}: {why}", path.display()));
            match deps.secrets.read(path) {
                Ok(text) => {
                    // What serde says may quote a key that stands in the wrong place.
                    let entries: Vec<ApiKeyEntry> = serde_json::from_str(&text)
                        .map_err(|error| wrong(format!("line {}: not a JSON list of entries such as `keys` has", error.line())))?;
                    for (n, entry) in entries.iter().enumerate() {
                        keys.add(entry, &deps.secrets).map_err(|Misplaced { message, .. }| wrong(format!("entry {}: {message}", n + 1)))?;
                    }
                }
                Err(_) if deps.secrets.may_be_missing() => is_complete = false,
                Err(error) => return Err(wrong(format!("cannot be read: {error}"))),
            }
        }
        if keys.is_empty() && is_complete && !deps.secrets.may_be_missing() {
            return Err(StrategyError::at(
                "keys",
                "there are no keys, so nobody could call; add one to `keys` (`vmcp auth new-key` makes one)",
            ));
        }
        Ok(Arc::new(AtOnce(ApiKeys { header: [header], keys })))
    }
}

struct ApiKeys {
    header: [HeaderName; 1],
    keys: Keys,
}

impl ApiKeys {
    fn challenge(&self) -> Challenge {
        let mut challenge = Challenge::bearer();
        if self.header != [AUTHORIZATION] {
            // Not a scheme that anybody has registered: what HTTP wants to stand here (RFC 9110 §15.5.2).
            challenge.scheme = "ApiKey";
        }
        challenge
    }

    fn key<'a>(&self, head: &RequestHead<'a>) -> Result<Option<&'a [u8]>, Rejected> {
        let [header] = &self.header;
        if *header == AUTHORIZATION {
            return Ok(bearer::token(head)?.map(str::as_bytes));
        }
        let mut values = head.headers.get_all(header).iter();
        let value = values.next();
        if values.next().is_some() {
            return Err(Rejected::malformed(format!("the request has more than one header {header}"), None));
        }
        Ok(value.map(|value| value.as_bytes().trim_ascii()))
    }
}

impl Knows for ApiKeys {
    fn headers(&self) -> &[HeaderName] {
        &self.header
    }

    fn issuer(&self) -> Option<&str> {
        Some(keys::ISSUER)
    }

    fn groups(&self, principal: &Principal) -> Vec<Arc<str>> {
        self.keys.groups(principal)
    }

    fn caller(&self, head: &RequestHead<'_>) -> Result<Arc<Authenticated>, Rejected> {
        let [header] = &self.header;
        match self.key(head)? {
            None => Err(Rejected::unauthorized(format!("a key is needed, in the header {header}"), Some(self.challenge()))),
            Some(key) => self.keys.caller(key).cloned().ok_or_else(|| {
                Rejected::unauthorized("the key is not one that is known here", Some(self.challenge().with_error("invalid_token")))
            }),
        }
    }
}
