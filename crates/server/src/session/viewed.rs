//! What a client was last shown, so that it hears of changes to that and of nothing else.

use super::{client::ClientSession, locked};
use crate::views::{Audience, KindHashes, ViewerKey};
use smallvec::SmallVec;
use vmcp_core::catalogue::ListKind;

/// As how many different viewers one client is remembered; then the one goes as which it looked first.
const MAX_VIEWERS: usize = 4;

/// As whom a client looks: one, where everybody may see everything.
pub(crate) type Viewers = SmallVec<[ViewerKey; 1]>;
/// A kind of list whose change the client has to be told, and the hash of what it saw before.
pub(crate) type Change = (ListKind, [u8; 16]);

/// What the client was shown, for each different right that it looked with; the last one last.
#[derive(Default)]
pub(super) struct Viewed(Vec<View>);

#[derive(Clone)]
struct View {
    viewer: ViewerKey,
    seen: KindHashes,
}

impl Viewed {
    fn of(&mut self, viewer: &ViewerKey) -> Option<&mut View> {
        let rights = viewer.rights();
        self.0.iter_mut().find(|view| view.viewer.rights() == rights)
    }

    fn push(&mut self, view: View) {
        if self.0.len() >= MAX_VIEWERS {
            self.0.remove(0);
        }
        self.0.push(view);
    }
}

impl ClientSession {
    /// Notes what the client has just been shown of one kind.
    pub(crate) fn saw(&self, viewer: ViewerKey, kind: ListKind, hash: [u8; 16]) {
        let mut viewed = locked(&self.viewed);
        let rights = viewer.rights();
        let known = viewed.0.iter().position(|view| view.viewer.rights() == rights).map(|at| viewed.0.remove(at));
        let mut seen = known.map(|view| view.seen).unwrap_or_default();
        seen.set(kind, hash);
        viewed.push(View { viewer, seen });
    }

    /// The views that this session looked through last, one for each different right; none before its first list.
    pub(crate) fn viewers(&self) -> Viewers {
        locked(&self.viewed).0.iter().map(|view| view.viewer.clone()).collect()
    }

    /// Whoever opens a stream and was shown nothing yet hears what differs from what the client saw last, with whatever right.
    pub(super) fn looks_as(&self, audience: Option<&Audience>) {
        let mut viewed = locked(&self.viewed);
        let Some(last) = viewed.0.last().cloned() else { return };
        let viewer = audience.map_or_else(|| last.viewer.whole(), |audience| audience.key().clone());
        if viewed.of(&viewer).is_none() {
            viewed.push(View { viewer, seen: last.seen });
        }
    }

    /// The kinds that differ from what the client saw as this viewer. They count as told from now on.
    pub(crate) fn take_changed(&self, viewer: &ViewerKey, now: &KindHashes) -> Vec<Change> {
        locked(&self.viewed).of(viewer).map(|view| view.seen.take_changed(now)).unwrap_or_default()
    }

    /// The kinds that the client saw as this viewer and that are out of date now, all those of one notification together. They are not told
    /// of again until the client has seen them anew.
    pub(crate) fn outdate(&self, viewer: &ViewerKey, kind: Option<ListKind>) -> Vec<Change> {
        locked(&self.viewed).of(viewer).map(|view| view.seen.outdate(kind)).unwrap_or_default()
    }

    /// Undoes [`Self::take_changed`] or [`Self::outdate`] for a change that could not be told.
    pub(crate) fn untold(&self, viewer: &ViewerKey, (kind, seen): Change) {
        if let Some(view) = locked(&self.viewed).of(viewer) {
            view.seen.set(kind, seen);
        }
    }
}
