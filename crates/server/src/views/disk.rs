//! Shared lists kept over a restart, where a state folder is configured. A caller's list is never written.

use super::{current::Views, keys::ListKey};
use std::{path::PathBuf, sync::Arc};
use vmcp_backend::ViewScope;
use vmcp_core::{CapabilitySet, Era, catalogue::BackendList};

impl Views {
    fn file(&self, key: &ListKey) -> Option<PathBuf> {
        let folder = self.settings.state_dir.as_ref()?;
        let backend = self.backends.get(key.backend)?;
        (key.scope == ViewScope::Shared && key.capabilities.is_empty())
            .then(|| folder.join(format!("list-{}-{}.json", backend.name(), key.era.as_str())))
    }

    /// Writes a shared list. Failing to is reported and costs nothing else.
    pub(super) async fn keep(&self, key: ListKey, list: &Arc<BackendList>) {
        let Some(path) = self.file(&key) else { return };
        let text = list.to_json();
        let written = tokio::task::spawn_blocking(move || {
            // Written beside and renamed, so that a crash leaves the old file or the new one.
            let beside = path.with_extension("json.new");
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(&beside, text)?;
            std::fs::rename(&beside, &path)
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%error, "cannot keep a list in `stateDir`");
        }
    }

    /// Reads what was kept; it is good until the backend was listed anew.
    pub(super) async fn restore(&self) {
        for backend in &self.backends {
            for era in [Era::Legacy, Era::Modern] {
                let key = ListKey { backend: backend.index(), era, capabilities: CapabilitySet::NONE, scope: ViewScope::Shared };
                let Some(path) = self.file(&key) else { return };
                let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
                let Ok(Ok(text)) = read else { continue };
                match BackendList::from_json(&text) {
                    Ok(list) => {
                        self.lists.slot(key).restore(self.lists.intern(list));
                        self.changed();
                    }
                    Err(error) => tracing::warn!(backend = %backend.name(), %error, "a kept list is unreadable and is not used"),
                }
            }
        }
    }
}
