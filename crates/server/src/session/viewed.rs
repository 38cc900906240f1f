//! What a client was last shown, so that it hears of changes to that and of nothing else.

use super::{client::ClientSession, locked};
use crate::views::{KindHashes, ViewerKey};
use smallvec::SmallVec;
use vmcp_core::catalogue::ListKind;

/// As how many different viewers one client is remembered; then the one goes as which it looked longest ago.
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
    /// The configuration to which the viewer's key belongs: under another one it names other backends.
    generation: u64,
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
    /// Notes what the client has just been shown of one kind, under which configuration.
    pub(crate) fn saw(&self, viewer: ViewerKey, generation: u64, kind: ListKind, hash: [u8; 16]) {
        let mut viewed = locked(&self.viewed);
        let rights = viewer.rights();
        let known = viewed.0.iter().position(|view| view.viewer.rights() == rights).map(|at| viewed.0.remove(at));
        let mut view = match known {
            // A list of the configuration before this one was long in coming: what is looked at is what is there now.
            Some(known) if known.generation > generation => known,
            known => View { viewer, generation, seen: known.map(|view| view.seen).unwrap_or_default() },
        };
        view.seen.set(kind, hash);
        viewed.push(view);
    }

    /// The views that this session looked through last, one for each different right; none before its first list.
    pub(crate) fn viewers(&self) -> Viewers {
        locked(&self.viewed).0.iter().map(|view| view.viewer.clone()).collect()
    }

    /// Notes as whom a client opens a stream, under which configuration. One that was shown nothing yet hears what differs from what the
    /// client saw last, with whatever right; one that was shown the lists of an earlier configuration, what differs from these.
    pub(crate) fn looks_as(&self, viewer: &ViewerKey, generation: u64) {
        let mut viewed = locked(&self.viewed);
        let Some(last) = viewed.0.last().cloned() else { return };
        match viewed.of(viewer) {
            Some(view) if view.generation < generation => (view.viewer, view.generation) = (viewer.clone(), generation),
            Some(_) => {}
            None => viewed.push(View { viewer: viewer.clone(), generation, seen: last.seen }),
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
