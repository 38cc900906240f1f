//! Telling clients that their view changed: those whose view it is, and nobody else.

use super::{current::Views, hashes::KindHashes, keys::ViewerKey, listeners::Listener};
use crate::session::{ClientSession, Viewers};
use bytes::Bytes;
use std::{
    collections::HashSet,
    sync::{Arc, OnceLock, Weak},
};
use vmcp_backend::{Observer, ViewScope};
use vmcp_core::{catalogue::ListKind, frame};

/// The notification that tells of a changed list.
fn list_changed_message(kind: ListKind) -> Bytes {
    frame::notification(kind.changed_notification(), None).into()
}

impl Views {
    /// A list under this scope changed: sessions that listen and look through it are told what differs from what they saw.
    pub(super) fn announce(&self, backend: usize, scope: ViewScope) {
        if scope == ViewScope::Shared {
            self.report();
        }
        for session in self.own_sessions() {
            for viewer in viewers(&session).iter().filter(|viewer| viewer.looks_through(backend, scope)) {
                self.tell_viewer(&session, viewer);
            }
        }
        for listener in self.listeners.all() {
            if listener.viewer.looks_through(backend, scope) {
                self.tell_listener(&listener);
            }
        }
    }

    /// The sessions whose lists these are.
    fn own_sessions(&self) -> impl Iterator<Item = Arc<ClientSession>> {
        self.sessions.all().into_iter().filter(|session| session.endpoint.shares_lists_with(&self.endpoint))
    }

    /// Tells a modern listener what differs from what it was told last.
    pub(super) fn tell_listener(&self, listener: &Listener) {
        listener.tell(&KindHashes::of(&self.current(&listener.viewer)));
    }

    /// Tells a session what differs from what it saw. Also called when it opens a stream, for what happened meanwhile.
    pub(crate) fn tell(&self, session: &Arc<ClientSession>) {
        for viewer in &session.viewers() {
            self.tell_viewer(session, viewer);
        }
    }

    /// The same for one of those as whom it looks: on a stream of one that may see the same.
    fn tell_viewer(&self, session: &Arc<ClientSession>, viewer: &ViewerKey) {
        let now = KindHashes::of(&self.current(viewer));
        let mut told_resources = false;
        for change in session.take_changed(viewer, &now) {
            let resources = matches!(change.0, ListKind::Resources | ListKind::ResourceTemplates);
            if resources && std::mem::replace(&mut told_resources, true) {
                // One notification stands for resources and templates.
                continue;
            }
            if !session.send_to(viewer, &list_changed_message(change.0)) {
                session.untold(viewer, change);
            }
        }
    }

    /// The gateway has looked at a list again and found it the same: who was told ahead that it changed is to hear of the next change.
    pub(super) fn confirm(&self, backend: usize, scope: ViewScope) {
        for listener in self.listeners.all() {
            if listener.viewer.looks_through(backend, scope) {
                self.tell_listener(&listener);
            }
        }
    }

    /// A backend said that its list changed. For everybody and without a kind it is back, and any of its lists may be another one.
    fn backend_changed(self: &Arc<Self>, backend: usize, scope: ViewScope, kind: Option<ListKind>) {
        let is_back = (scope, kind) == (ViewScope::Shared, None);
        let mut news = HashSet::new();
        for (key, slot) in if is_back { self.lists.of_all(backend) } else { self.lists.of(backend, scope) } {
            if slot.mark_changed(kind) {
                news.insert(key.scope);
            }
            if is_back {
                slot.come_back();
            }
            if slot.change_due() {
                self.refresh(key, &slot, None);
            }
        }
        // A caller's list only the caller's own next request can fetch, so the client is told at once.
        news.remove(&ViewScope::Shared);
        if news.is_empty() {
            return;
        }
        let looks = |viewer: &ViewerKey| viewer.scopes.get(backend).copied().flatten().is_some_and(|scope| news.contains(&scope));
        // Nobody knows yet whether it is a change of what its callers may see. Those who see nothing of the backend do not hear of it.
        for session in self.own_sessions() {
            for viewer in viewers(&session).iter().filter(|viewer| looks(viewer) && self.sees(viewer, backend)) {
                tell_ahead(&session, viewer, kind);
            }
        }
        for listener in self.listeners.all() {
            if looks(&listener.viewer) && self.sees(&listener.viewer, backend) {
                listener.tell_of(kind);
            }
        }
    }
}

/// As whom a session looks that can be told of it.
fn viewers(session: &ClientSession) -> Viewers {
    if session.has_stream() { session.viewers() } else { Viewers::new() }
}

/// Tells a session that what it saw of this kind, or of every kind, is out of date.
fn tell_ahead(session: &Arc<ClientSession>, viewer: &ViewerKey, kind: Option<ListKind>) {
    let mut sent = Vec::new();
    for change in session.outdate(viewer, kind) {
        let method = change.0.changed_notification();
        if sent.contains(&method) {
            continue;
        }
        if session.send_to(viewer, &list_changed_message(change.0)) {
            sent.push(method);
        } else {
            session.untold(viewer, change);
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
