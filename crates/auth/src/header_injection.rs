//! The strategy that adds one fixed header.

use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::{io, path::Path, sync::Arc};
use vmcp_core::{
    config::SecretSource,
    plugin::{BoxFuture, Credentials, Deps, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory},
};

/// The settings of `type: header_injection`. Exactly one of `headerValue` and `headerValueEnv` is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    title = "One fixed header",
    extend("oneOf" = [{"required": ["headerValue"]}, {"required": ["headerValueEnv"]}])
)]
pub struct HeaderInjectionConfig {
    /// The header's name, for example `authorization`.
    pub header_name: String,
    /// Its value, or `fromEnv` or `fromFile` to say where it stands.
    pub header_value: Option<SecretSource>,
    /// The environment variable that holds its value.
    pub header_value_env: Option<String>,
}

type Env = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;
type Read = Box<dyn Fn(&Path) -> io::Result<String> + Send + Sync>;

/// Builds `type: header_injection`: every request to the backend carries one fixed header, the same for all callers.
pub struct HeaderInjectionFactory {
    /// Where secrets are looked up; nowhere when only the shape of the settings is checked.
    sources: Option<(Env, Read)>,
}

impl HeaderInjectionFactory {
    /// Looks secrets up with `env` (an environment variable's value) and `read` (a file's text).
    #[must_use]
    pub fn with_sources(
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        read: impl Fn(&Path) -> io::Result<String> + Send + Sync + 'static,
    ) -> Self {
        Self { sources: Some((Box::new(env), Box::new(read))) }
    }

    /// Checks settings without looking up any secret: a strategy whose value stands elsewhere is built all the same, and gives
    /// nothing. For validation only.
    #[must_use]
    pub fn without_secrets() -> Self {
        Self { sources: None }
    }

    /// The value; `None` when it is not to be looked up.
    fn value(&self, source: &SecretSource) -> Result<Option<SecretString>, StrategyError> {
        let Some((env, read)) = &self.sources else {
            return Ok(match source {
                SecretSource::Text(text) => Some(text.clone()),
                _ => None,
            });
        };
        let value = source.resolve(env, read).map_err(|error| refused(format!("has no value: {error}; {}", error.advice())))?;
        if value.expose_secret().is_empty() {
            return Err(refused("has an empty value; set one, or use `type: unauthenticated`"));
        }
        Ok(Some(value))
    }
}

/// The process's environment and file system.
impl Default for HeaderInjectionFactory {
    fn default() -> Self {
        Self::with_sources(|name| std::env::var(name).ok(), |path| std::fs::read_to_string(path))
    }
}

fn refused(what: impl std::fmt::Display) -> StrategyError {
    StrategyError::Config(format!("headerInjection {what}"))
}

impl StrategyFactory for HeaderInjectionFactory {
    const KIND: &'static str = "header_injection";
    type Config = HeaderInjectionConfig;

    fn build(&self, config: HeaderInjectionConfig, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        // Whether the name is one that a strategy may write is the header policy's to say.
        let name = HeaderName::from_bytes(config.header_name.as_bytes())
            .map_err(|_| refused("needs a `headerName` of letters, digits and hyphens only"))?;
        let source = match (config.header_value, config.header_value_env) {
            (Some(value), None) => value,
            (None, Some(from_env)) => SecretSource::Env { from_env },
            (Some(_), Some(_)) => return Err(refused("has both `headerValue` and `headerValueEnv`; remove one")),
            (None, None) => return Err(refused("needs `headerValue` or `headerValueEnv`")),
        };
        let mut headers = HeaderMap::new();
        if let Some(value) = self.value(&source)? {
            let mut value = HeaderValue::from_bytes(value.expose_secret().as_bytes())
                .map_err(|_| refused("has a value with a line break or another control character, which no header can carry"))?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        Ok(Arc::new(HeaderInjection { managed: [name], credentials: Credentials::headers(headers) }))
    }
}

struct HeaderInjection {
    managed: [HeaderName; 1],
    credentials: Credentials,
}

impl OutgoingStrategy for HeaderInjection {
    fn managed_headers(&self) -> &[HeaderName] {
        &self.managed
    }

    fn fixed(&self) -> Option<&Credentials> {
        Some(&self.credentials)
    }

    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(std::future::ready(Ok(self.credentials.clone())))
    }
}

#[cfg(test)]
mod tests;
