//! What `/status` says.

use super::{Snapshot, inner::Inner};
use crate::views::Viewer;
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use vmcp_auth::Identity;
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

/// What somebody may see of an endpoint.
struct Sight {
    /// What is the same for everybody, as far as it is seen.
    common: Arc<Catalogue>,
    /// What its viewer's own lists show, where not everybody may see everything.
    own: Option<Arc<Catalogue>>,
}

impl Sight {
    fn has(&self, backend: &Backend) -> bool {
        let shows = |catalogue: &Catalogue| ListKind::ALL.into_iter().any(|kind| catalogue.count_of(backend.index(), kind) > 0);
        self.own.as_ref().is_none_or(|own| shows(own) || shows(&self.common))
    }
}

impl Inner {
    /// What `/status` says to a caller: where not everybody may see everything, nothing of backends of which it may see nothing. To the
    /// operator (`None`) it says everything.
    pub(crate) fn status(&self, caller: Option<&Identity>) -> Value {
        let endpoints = self.endpoints();
        let main = endpoints.main();
        let sight = main.sight(caller);
        let named = endpoints.named().iter().map(|endpoint| (endpoint, endpoint.sight(caller)));
        let named: Vec<_> = named.filter(|(endpoint, sight)| endpoint.backends.iter().any(|backend| sight.has(backend))).collect();
        let healthy = main.is_healthy(&sight) && named.iter().all(|(endpoint, sight)| endpoint.is_healthy(sight));
        let named: Vec<Value> = named
            .iter()
            .map(|(endpoint, sight)| {
                json!({
                    "path": endpoint.config.path,
                    "name": endpoint.config.name,
                    "healthy": endpoint.is_healthy(sight),
                    "backends": endpoint.backend_reports(sight),
                    "catalogue": catalogue_report(&sight.common),
                })
            })
            .collect();
        let sessions = self.sessions.counts();
        json!({
            "backends": main.backend_reports(&sight),
            "healthy": healthy,
            "version": env!("CARGO_PKG_VERSION"),
            "group_ref": main.config.group_ref.as_deref().unwrap_or_default(),
            "name": main.config.name,
            "metadata": main.config.metadata,
            "uptime_seconds": self.started.elapsed().as_secs(),
            "generation": main.generation,
            "sessions": { "open": sessions.open, "max": sessions.max, "streams": sessions.streams },
            "requests_in_flight": self.in_flight(),
            "catalogue": catalogue_report(&sight.common),
            "endpoints": named,
        })
    }
}

impl Snapshot {
    /// What a caller may see of the catalogue that is the same for everybody, and of its own.
    fn sight(&self, caller: Option<&Identity>) -> Sight {
        let nobody = Identity::anonymous();
        let viewer = |caller| Viewer { caller, era: Era::Modern, capabilities: CapabilitySet::NONE, session: None };
        let common = self.key(&viewer(&nobody));
        match (&self.admission, caller) {
            (Some(admission), Some(caller)) => Sight {
                common: self.views.current(&common.granted(admission.grant(caller), None)),
                own: Some(self.views.current(&self.view(&viewer(caller)))),
            },
            _ => Sight { common: self.views.current(&common), own: None },
        }
    }

    fn is_healthy(&self, sight: &Sight) -> bool {
        let mut seen = self.backends.iter().filter(|backend| sight.has(backend));
        seen.all(|backend| !matches!(backend.status().health, vmcp_backend::Health::Unhealthy))
    }

    fn backend_reports(&self, sight: &Sight) -> Vec<Value> {
        let backends = self.backends.iter().zip(&self.auth_types).zip(&self.config.backends);
        let backends = backends.filter(|((backend, _), _)| sight.has(backend));
        let report = |((backend, auth_type), config): ((&Arc<Backend>, &String), &BackendConfig)| {
            let status: BackendStatus = backend.status();
            json!(BackendReport {
                name: backend.name(),
                health: json!(status.health),
                transport: status.transport,
                auth_type,
                mcp_revision: status.revisions.first().copied(),
                tools: sight.common.count_of(backend.index(), ListKind::Tools),
                listing_error: self.views.listing_error(backend.index()).map(|error| error.to_string()),
                metadata: &config.metadata,
                more: without_shared_keys(&status),
            })
        };
        backends.map(report).collect()
    }
}

/// The collisions and findings name what not everybody may see: a catalogue that was cut down has none.
fn catalogue_report(catalogue: &Catalogue) -> Value {
    json!({
        "tools": catalogue.count(ListKind::Tools),
        "resources": catalogue.count(ListKind::Resources),
        "resource_templates": catalogue.count(ListKind::ResourceTemplates),
        "prompts": catalogue.count(ListKind::Prompts),
        "collisions": catalogue.collisions().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "findings": catalogue.findings().iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
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
        let status = gateway.inner.status(None);
        assert_eq!(status["backends"][0]["metadata"], serde_json::json!({ "contact": "#help" }));
        assert_eq!(status["backends"][1]["metadata"], serde_json::json!({}));
        gateway.shutdown().await;
    }
}
