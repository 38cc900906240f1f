//! The strategy that adds one fixed header.

use http::{HeaderMap, HeaderName};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use vmcp_core::{
    config::SecretSource,
    plugin::{BoxFuture, Credentials, Deps, OutgoingStrategy, Secrets, StrategyContext, StrategyError, StrategyFactory},
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

/// Builds `type: header_injection`: every request to the backend carries one fixed header, the same for all callers.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderInjectionFactory;

/// The value, for which `place` says where it is; `None` when it is not to be looked up.
fn value(secrets: &Secrets, place: &str, source: &SecretSource) -> Result<Option<SecretString>, StrategyError> {
    let value = secrets.get(source).map_err(|error| refused(place, format!("has no value: {error}; {}", error.advice())))?;
    if value.as_ref().is_some_and(|value| value.expose_secret().is_empty()) {
        return Err(refused(place, "has an empty value; set one, or use `type: unauthenticated`"));
    }
    Ok(value)
}

fn refused(place: &str, what: impl std::fmt::Display) -> StrategyError {
    StrategyError::at(place, format!("headerInjection {what}"))
}

impl StrategyFactory for HeaderInjectionFactory {
    const KIND: &'static str = "header_injection";
    const IS_FIXED: bool = true;
    type Config = HeaderInjectionConfig;

    fn build(&self, config: HeaderInjectionConfig, deps: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        // Whether the name is one that a strategy may write is the header policy's to say.
        let name = HeaderName::from_bytes(config.header_name.as_bytes())
            .map_err(|_| refused("headerName", "needs a `headerName` of letters, digits and hyphens only"))?;
        let (place, source) = match (config.header_value, config.header_value_env) {
            (Some(value), None) => (value.place("headerValue"), value),
            (None, Some(from_env)) => ("headerValueEnv".to_owned(), SecretSource::Env { from_env }),
            (Some(_), Some(_)) => return Err(refused("headerValueEnv", "has both `headerValue` and `headerValueEnv`; remove one")),
            (None, None) => return Err(refused("headerValue", "needs `headerValue` or `headerValueEnv`")),
        };
        let mut headers = HeaderMap::new();
        if let Some(value) = value(&deps.secrets, &place, &source)? {
            let value = crate::secret_value(value.expose_secret().as_bytes().to_vec());
            let unfit = || refused(&place, "has a value with a line break or another control character, which no header can carry");
            headers.insert(name.clone(), value.ok_or_else(unfit)?);
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
