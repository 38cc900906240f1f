//! What `/status` says.

use super::inner::Inner;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vmcp_backend::BackendStatus;
use vmcp_core::{Era, catalogue::ListKind};

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
        let snapshot = self.snapshot();
        let viewer = crate::views::Viewer {
            caller: &vmcp_auth::Identity::anonymous(),
            era: Era::Modern,
            capabilities: vmcp_core::CapabilitySet::NONE,
            session: None,
        };
        let catalogue = snapshot.views.current(&viewer.key(&snapshot.backends));
        let mut healthy = true;
        let backends: Vec<Value> = snapshot
            .backends
            .iter()
            .zip(&snapshot.auth_types)
            .zip(&snapshot.config.backends)
            .map(|((backend, auth_type), config)| {
                let status: BackendStatus = backend.status();
                healthy &= !matches!(status.health, vmcp_backend::Health::Unhealthy);
                let report = BackendReport {
                    name: backend.name(),
                    health: json!(status.health),
                    transport: status.transport,
                    auth_type,
                    mcp_revision: status.revisions.first().copied(),
                    tools: catalogue.count_of(backend.index(), ListKind::Tools),
                    listing_error: snapshot.views.listing_error(backend.index()).map(|error| error.to_string()),
                    metadata: &config.metadata,
                    more: without_shared_keys(&status),
                };
                json!(report)
            })
            .collect();
        let sessions = self.sessions.counts();
        json!({
            "backends": backends,
            "healthy": healthy,
            "version": env!("CARGO_PKG_VERSION"),
            "group_ref": snapshot.config.group_ref.as_deref().unwrap_or_default(),
            "name": snapshot.config.name,
            "metadata": snapshot.config.metadata,
            "uptime_seconds": self.started.elapsed().as_secs(),
            "generation": snapshot.generation,
            "sessions": { "open": sessions.open, "max": sessions.max },
            "requests_in_flight": self.in_flight(),
            "catalogue": {
                "tools": catalogue.count(ListKind::Tools),
                "resources": catalogue.count(ListKind::Resources),
                "resource_templates": catalogue.count(ListKind::ResourceTemplates),
                "prompts": catalogue.count(ListKind::Prompts),
                "collisions": catalogue.collisions().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "findings": catalogue.findings().iter().map(ToString::to_string).collect::<Vec<_>>(),
            },
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
