//! Telling clients that their view changed: those whose view it is, and nobody else.

use super::{current::Views, hashes::KindHashes, listeners::Listener};
use crate::{edge::sse, session::ClientSession};
use bytes::Bytes;
use std::sync::{Arc, OnceLock, Weak};
use vmcp_backend::{Observer, ViewScope};
use vmcp_core::{catalogue::ListKind, frame};

/// The SSE event that tells of a changed list.
fn list_changed_message(kind: ListKind) -> Bytes {
    sse::event(frame::notification(kind.changed_notification(), None).into())
}

impl Views {
    /// A list under this scope changed: sessions that listen and look through it are told what differs from what they saw.
    pub(super) fn announce(&self, backend: usize, scope: ViewScope) {
        if scope == ViewScope::Shared {
            self.report();
        }
        for session in self.sessions.all() {
            if session.has_stream() && session.viewer().is_some_and(|viewer| viewer.looks_through(backend, scope)) {
                self.tell(&session);
            }
        }
        for listener in self.listeners.all() {
            if listener.viewer.looks_through(backend, scope) {
                self.tell_listener(&listener);
            }
        }
    }

    /// Tells a modern listener what differs from what it was told last.
    pub(super) fn tell_listener(&self, listener: &Listener) {
        listener.tell(&KindHashes::of(&self.current(&listener.viewer)));
    }

    /// Tells a session what differs from what it saw. Also called when it opens a stream, for what happened meanwhile.
    pub(crate) fn tell(&self, session: &Arc<ClientSession>) {
        let Some(viewer) = session.viewer() else { return };
        let now = KindHashes::of(&self.current(&viewer));
        let mut told_resources = false;
        for change in session.take_changed(&now) {
            let resources = matches!(change.0, ListKind::Resources | ListKind::ResourceTemplates);
            if resources && std::mem::replace(&mut told_resources, true) {
                // One notification stands for resources and templates.
                continue;
            }
            if !session.send(&list_changed_message(change.0)) {
                session.untold(change);
            }
        }
    }

    /// A backend said that its list changed.
    fn backend_changed(self: &Arc<Self>, backend: usize, scope: ViewScope, kind: Option<ListKind>) {
        let mut news = false;
        for (key, slot) in self.lists.of(backend, scope) {
            news |= slot.mark_changed(kind);
            if slot.change_due() {
                self.refresh(key, &slot, None);
            }
        }
        if let (ViewScope::Caller(_), true) = (scope, news) {
            // Only the caller's own next request can fetch it, so the client is told at once.
            for session in self.sessions.all() {
                if session.has_stream() && session.viewer().is_some_and(|viewer| viewer.looks_through(backend, scope)) {
                    let kinds = ListKind::ALL.into_iter().filter(|one| kind.is_none_or(|kind| kind == *one) && session.has_seen(*one));
                    for kind in kinds {
                        session.send(&list_changed_message(kind));
                    }
                }
            }
            for listener in self.listeners.all() {
                if listener.viewer.looks_through(backend, scope) {
                    listener.tell_of(kind);
                }
            }
        }
    }
}

/// Carries what backends tell to the views, which are made after them.
#[derive(Default)]
pub(crate) struct ListObserver(OnceLock<Weak<Views>>);

impl ListObserver {
    pub(crate) fn attach(&self, views: &Arc<Views>) {
        // A second set would be a second configuration's views: each has its own observer.
        let _ = self.0.set(Arc::downgrade(views));
    }
}

impl Observer for ListObserver {
    fn list_changed(&self, backend: usize, scope: ViewScope, kind: Option<ListKind>) {
        if let Some(views) = self.0.get().and_then(Weak::upgrade) {
            views.backend_changed(backend, scope, kind);
        }
    }
}
