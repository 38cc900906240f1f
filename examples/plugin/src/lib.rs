//! `type: tenant_key`: each caller's requests carry the key of the tenant that its token names.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};
use vmcp_core::plugin::{BoxFuture, Credentials, Deps, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory};

/// Built for each backend whose `type` is `tenant_key`.
pub struct TenantKeyFactory;

/// The settings, under `tenantKey`.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantKeyConfig {
    /// The environment variable that holds each tenant's key.
    keys: BTreeMap<String, String>,
}

struct TenantKey(BTreeMap<String, HeaderMap>, [HeaderName; 1]);

impl StrategyFactory for TenantKeyFactory {
    const KIND: &'static str = "tenant_key";
    type Config = TenantKeyConfig;

    fn build(&self, config: TenantKeyConfig, deps: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        let name = HeaderName::from_static("x-api-key");
        let mut keys = BTreeMap::new();
        for (tenant, variable) in config.keys {
            let value = deps.secrets.variable(&variable).and_then(|value| HeaderValue::from_str(&value).ok());
            let value = value.ok_or_else(|| StrategyError::at(format!("keys.{tenant}"), format!("`{variable}` holds no key; set it")))?;
            keys.insert(tenant, HeaderMap::from_iter([(name.clone(), value)]));
        }
        Ok(Arc::new(TenantKey(keys, [name])))
    }
}

impl OutgoingStrategy for TenantKey {
    fn managed_headers(&self) -> &[HeaderName] {
        &self.1
    }

    fn subject_key<'a>(&self, context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        Some(context.claims.get("tenant").and_then(|tenant| tenant.as_str()).unwrap_or_default().into())
    }

    fn resolve<'a>(&'a self, context: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        if context.principal.is_none() {
            // A request of the gateway's own: no tenant's key is for it.
            return Box::pin(std::future::ready(Ok(Credentials::none())));
        }
        let key = context.claims.get("tenant").and_then(|tenant| self.0.get(tenant.as_str()?)).cloned().map(Credentials::headers);
        Box::pin(std::future::ready(key.ok_or_else(|| StrategyError::Caller("no key for the caller's tenant".to_owned()))))
    }
}
