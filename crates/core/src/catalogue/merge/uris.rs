//! Resources and resource templates: known by URI, the first backend in configuration order has it.

use super::{Array, Merge};
use crate::{
    catalogue::{Collision, CollisionReason, Concern, Finding, ListKind, uri::UriTemplate},
    frame::json_string,
};
use std::sync::Arc;

impl Merge<'_> {
    pub(super) fn uris(&mut self) {
        for kind in [ListKind::Resources, ListKind::ResourceTemplates] {
            let mut array = Array::new(self.rules.backends.len());
            for (backend, list) in self.lists.clone() {
                let list = list.list(kind);
                for item in list.items() {
                    let key = item.key();
                    let holder = if kind == ListKind::Resources {
                        self.router.resource(key, backend)
                    } else {
                        let template = UriTemplate::parse(key);
                        if let Err(error) = &template {
                            let (owner, concern) = (Some(self.rules.owner(backend)), Concern::from(*error));
                            let name = Some(Arc::clone(key));
                            self.out.findings.push(Finding { kind, backend: owner, name, concern, left_out: false });
                        }
                        self.router.template(key, template.ok(), backend)
                    };
                    let is_anothers_page = kind == ListKind::Resources && holder.is_some_and(|winner| winner != backend);
                    if is_anothers_page && let Some(own) = self.own_uri(backend, key) {
                        let out = array.item(backend, &own);
                        let (before, after) = item.around_key(list.text());
                        out.extend_from_slice(before.as_bytes());
                        json_string(&own, out);
                        out.extend_from_slice(after.as_bytes());
                    } else if let Some(winner) = holder {
                        let reason = if winner == backend { CollisionReason::SameBackend } else { CollisionReason::Order };
                        self.out.collisions.push(Collision {
                            kind,
                            name: Arc::clone(key),
                            winner: self.rules.owner(winner),
                            loser: self.rules.owner(backend),
                            original: Arc::clone(key),
                            reason,
                        });
                    } else {
                        array.item(backend, key).extend_from_slice(item.text(list.text()).as_bytes());
                    }
                }
            }
            self.publish(kind, array);
        }
    }
}
