//! What is learned about a backend while talking to it.

use crate::{Backend, ErrorKind, Speaks, ViewScope};
use std::sync::{Arc, atomic::Ordering};
use vmcp_core::{CapabilitySet, Era, Revision, catalogue::ListKind};

/// The revisions that `legacy_revision` counts, from 1.
const LEGACY: [Revision; 4] = [Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

/// Stands for extensions that nobody has asked for: beyond every set.
pub(crate) const UNKNOWN_EXTENSIONS: u32 = u32::MAX;

impl Backend {
    /// Takes down a fact about an era.
    pub(crate) fn learn(&self, era: Era, speaks: Speaks) {
        if self.eras().learn(era, speaks) {
            tracing::debug!(backend = &**self.name(), %era, ?speaks, "learned about an era");
            self.unlistened.forget();
            self.learned().notify_waiters();
        }
    }

    pub(crate) fn learn_revision(&self, revision: Revision) {
        let at = LEGACY.iter().position(|known| *known == revision).map_or(0, |at| at + 1);
        self.legacy_revision.store(u8::try_from(at).unwrap_or(0), Ordering::Relaxed);
        self.learn(Era::Legacy, Speaks::Yes);
    }

    /// Takes down which extensions it says that it has, in one of its eras.
    pub(crate) fn learn_extensions(&self, era: Era, declared: CapabilitySet) {
        self.extensions[usize::from(era == Era::Modern)].store(u32::from(declared.bits()), Ordering::Relaxed);
    }

    /// The extensions that it said it has, of those that are carried ([`CapabilitySet::TASKS`], [`CapabilitySet::APPS`]), in the era in which
    /// a caller of `caller_era` is served. `None` while it has not been asked.
    #[must_use]
    pub fn extensions(&self, caller_era: Era) -> Option<CapabilitySet> {
        let era = self.known_era(caller_era)?;
        let declared = self.extensions[usize::from(era == Era::Modern)].load(Ordering::Relaxed);
        u16::try_from(declared).ok().map(CapabilitySet::from_bits)
    }

    /// The revisions that it has spoken.
    pub(crate) fn revisions(&self) -> Vec<Revision> {
        let legacy = usize::from(self.legacy_revision.load(Ordering::Relaxed)).checked_sub(1).and_then(|at| LEGACY.get(at)).copied();
        let modern = (self.eras().speaks(Era::Modern) == Speaks::Yes).then_some(Revision::LATEST_MODERN);
        modern.into_iter().chain(legacy).collect()
    }

    /// The same text, kept once however many sessions it came with.
    pub(crate) fn intern_instructions(&self, text: Arc<str>) -> Arc<str> {
        let known = self.instructions.load();
        if let Some(known) = known.as_deref().filter(|known| ***known == *text) {
            return Arc::clone(known);
        }
        self.instructions.store(Some(Arc::new(Arc::clone(&text))));
        text
    }

    /// The error of a request whose credentials are too many in its client session. The log says so too, seldom.
    pub(crate) fn too_many_credentials(&self) -> ErrorKind {
        let names = self.policy().outgoing().filter(|row| row.credential).filter_map(|row| row.inbound);
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        let error = ErrorKind::ChangingCredentials(names.join(", "));
        if self.churn.may() {
            tracing::warn!(backend = &**self.name(), "a request {error}");
        }
        error
    }

    /// Passes on that a list is another one now. `false` when the notification says something else.
    pub(crate) fn hear_change(&self, method: &str, scope: ViewScope) -> bool {
        let Some(kind) = ListKind::ALL.into_iter().find(|kind| kind.changed_notification() == method) else { return false };
        self.shared().options.observer.list_changed(self.index(), scope, Some(kind));
        if kind == ListKind::Resources {
            self.shared().options.observer.list_changed(self.index(), scope, Some(ListKind::ResourceTemplates));
        }
        true
    }
}
