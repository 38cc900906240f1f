//! What `/status` says.

use super::{Snapshot, inner::Inner};
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use vmcp_backend::{Backend, BackendStatus};
use vmcp_core::{
    CapabilitySet, Era,
    catalogue::{Catalogue, ListKind},
    config::Backend as BackendConfig,
};

/// One backend. `name`, `health`, `transport`, `auth_type` and `mcp_revision` are the original's.
#[derive(Serialize)]
struct BackendReport<'a> {
    name: &'a str,
    health: Value,
    transport: &'static str,
    auth_type: &'a str,
    mcp_revision: Option<&'static str>,
    #[serde(flatten)]
    more: Value,
    tools: usize,
    listing_error: Option<String>,
    metadata: &'a BTreeMap<String, String>,
}

impl Inner {
    pub(crate) fn status(&self) -> Value {
        let endpoints = self.endpoints();
        let main = endpoints.main();
        let named: Vec<Value> = endpoints
            .named()
            .iter()
            .map(|endpoint| {
                json!({
                    "path": endpoint.config.path,
                    "name": endpoint.config.name,
                    "healthy": endpoint.is_healthy(),
                    "backends": endpoint.backend_reports(),
                    "catalogue": endpoint.catalogue_report(),
                })
            })
            .collect();
        let sessions = self.sessions.counts();
        json!({
            "backends": main.backend_reports(),
            "healthy": main.is_healthy() && endpoints.named().iter().all(|endpoint| endpoint.is_healthy()),
            "version": env!("CARGO_PKG_VERSION"),
            "group_ref": main.config.group_ref.as_deref().unwrap_or_default(),
            "name": main.config.name,
            "metadata": main.config.metadata,
            "uptime_seconds": self.started.elapsed().as_secs(),
            "generation": main.generation,
            "sessions": { "open": sessions.open, "max": sessions.max },
            "requests_in_flight": self.in_flight(),
            "catalogue": main.catalogue_report(),
            "endpoints": named,
        })
    }
}

impl Snapshot {
    /// The catalogue that everybody sees.
    fn common_catalogue(&self) -> Arc<Catalogue> {
        let caller = vmcp_auth::Identity::anonymous();
        let viewer = crate::views::Viewer { caller: &caller, era: Era::Modern, capabilities: CapabilitySet::NONE, session: None };
        self.views.current(&self.key(&viewer))
    }

    fn is_healthy(&self) -> bool {
        self.backends.iter().all(|backend| !matches!(backend.status().health, vmcp_backend::Health::Unhealthy))
    }

    fn backend_reports(&self) -> Vec<Value> {
        let catalogue = self.common_catalogue();
        let backends = self.backends.iter().zip(&self.auth_types).zip(&self.config.backends);
        let report = |((backend, auth_type), config): ((&Arc<Backend>, &String), &BackendConfig)| {
            let status: BackendStatus = backend.status();
            json!(BackendReport {
                name: backend.name(),
                health: json!(status.health),
                transport: status.transport,
                auth_type,
                mcp_revision: status.revisions.first().copied(),
                tools: catalogue.count_of(backend.index(), ListKind::Tools),
                listing_error: self.views.listing_error(backend.index()).map(|error| error.to_string()),
                metadata: &config.metadata,
                more: without_shared_keys(&status),
            })
        };
        backends.map(report).collect()
    }

    fn catalogue_report(&self) -> Value {
        let catalogue = self.common_catalogue();
        json!({
            "tools": catalogue.count(ListKind::Tools),
            "resources": catalogue.count(ListKind::Resources),
            "resource_templates": catalogue.count(ListKind::ResourceTemplates),
            "prompts": catalogue.count(ListKind::Prompts),
            "collisions": catalogue.collisions().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "findings": catalogue.findings().iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

/// A backend's own report, less what the original's shape has under names of its own.
fn without_shared_keys(status: &BackendStatus) -> Value {
    let mut value = json!(status);
    if let Some(object) = value.as_object_mut() {
        for key in ["name", "health", "transport"] {
            object.remove(key);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use crate::Gateway;
    use vmcp_core::config::{Backend, Config};

    #[tokio::test]
    async fn a_backends_metadata_stands_beside_its_health() {
        let mut noted = Backend::new("noted", "http://127.0.0.1:1/mcp".parse().unwrap());
        noted.metadata.insert("contact".to_owned(), "#help".to_owned());
        let plain = Backend::new("plain", "http://127.0.0.1:1/mcp".parse().unwrap());
        let gateway = Gateway::builder(Config::with_backends(vec![noted, plain])).build().unwrap();
        let status = gateway.inner.status();
        assert_eq!(status["backends"][0]["metadata"], serde_json::json!({ "contact": "#help" }));
        assert_eq!(status["backends"][1]["metadata"], serde_json::json!({}));
        gateway.shutdown().await;
    }
}
