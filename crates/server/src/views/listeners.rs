//! Modern clients that asked to be told of changed lists (2026-07-28, basic/patterns/subscriptions).

use super::{current::Views, hashes::KindHashes, keys::ViewerKey};
use bytes::Bytes;
use dashmap::DashMap;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc;
use vmcp_core::{catalogue::ListKind, frame};

/// How many messages wait for a slow reader before its stream is ended.
const QUEUE: usize = 16;

/// The kinds of change that a client asked to be told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
}

impl Wanted {
    fn wants(self, kind: ListKind) -> bool {
        match kind {
            ListKind::Tools => self.tools,
            ListKind::Prompts => self.prompts,
            ListKind::Resources | ListKind::ResourceTemplates => self.resources,
        }
    }
}

/// One open `subscriptions/listen`.
pub(crate) struct Listener {
    number: u64,
    pub(super) viewer: ViewerKey,
    wanted: Wanted,
    /// The request's id, as JSON text: it names the subscription in every message.
    id: Box<str>,
    events: mpsc::Sender<Bytes>,
    told: Mutex<KindHashes>,
}

#[derive(Default)]
pub(super) struct Listeners {
    open: DashMap<u64, Arc<Listener>>,
    opened: AtomicU64,
}

impl Listeners {
    pub(super) fn all(&self) -> Vec<Arc<Listener>> {
        self.open.iter().map(|entry| Arc::clone(&entry)).collect()
    }
}

impl Listeners {
    fn end(&self, number: u64) {
        let Some((_, listener)) = self.open.remove(&number) else { return };
        let mut result = frame::response_head(&listener.id);
        result.extend_from_slice(format!("{{\"resultType\":\"complete\",{}}}}}", listener.meta()).as_bytes());
        listener.send(result);
    }
}

impl Listener {
    fn meta(&self) -> String {
        format!("\"_meta\":{{\"io.modelcontextprotocol/subscriptionId\":{}}}", self.id)
    }

    fn send(&self, message: Vec<u8>) -> bool {
        self.events.try_send(message.into()).is_ok()
    }

    fn acknowledge(&self) {
        let Wanted { tools, prompts, resources } = self.wanted;
        let honoured: Vec<&str> =
            [(tools, "\"toolsListChanged\":true"), (prompts, "\"promptsListChanged\":true"), (resources, "\"resourcesListChanged\":true")]
                .into_iter()
                .filter_map(|(wanted, text)| wanted.then_some(text))
                .collect();
        let params = format!("{{\"notifications\":{{{}}},{}}}", honoured.join(","), self.meta());
        self.send(frame::notification("notifications/subscriptions/acknowledged", Some(&params)));
    }

    /// Tells of the kinds that differ from what was told last. What was told of ahead of this is as it is now.
    pub(super) fn tell(&self, now: &KindHashes) {
        let changed = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = told.take_changed(now);
            told.fill(now);
            changed
        };
        self.notify(changed.into_iter().map(|(kind, _)| kind));
    }

    /// Tells ahead of the list itself that this kind has changed, or every kind.
    pub(super) fn tell_of(&self, kind: Option<ListKind>) {
        let outdated = self.told.lock().unwrap_or_else(PoisonError::into_inner).outdate(kind);
        self.notify(outdated.into_iter().map(|(kind, _)| kind));
    }

    fn notify(&self, kinds: impl Iterator<Item = ListKind>) {
        let mut sent = Vec::new();
        for kind in kinds.filter(|kind| self.wanted.wants(*kind)) {
            // Resources and templates share one notification.
            let method = kind.changed_notification();
            if !sent.contains(&method) {
                sent.push(method);
                self.send(frame::notification(method, Some(&format!("{{{}}}", self.meta()))));
            }
        }
    }
}

impl Views {
    /// Opens a subscription: the acknowledgement is its first message.
    pub(crate) fn listen(self: &Arc<Self>, viewer: ViewerKey, wanted: Wanted, id: &str) -> (Listening, mpsc::Receiver<Bytes>) {
        let (events, receiver) = mpsc::channel(QUEUE);
        let number = self.listeners.opened.fetch_add(1, Ordering::Relaxed);
        let told = Mutex::new(KindHashes::of(&self.current(&viewer)));
        let listener = Arc::new(Listener { number, viewer, wanted, id: id.into(), events, told });
        listener.acknowledge();
        self.listeners.open.insert(number, Arc::clone(&listener));
        // What changed between looking and being registered.
        self.tell_listener(&listener);
        (Listening { views: Arc::clone(self), number: listener.number }, receiver)
    }

    /// Ends every subscription in order: with the request's result.
    pub(crate) fn end_listening(&self) {
        for listener in self.listeners.all() {
            self.listeners.end(listener.number);
        }
    }
}

/// An open subscription; ends when dropped.
pub(crate) struct Listening {
    views: Arc<Views>,
    number: u64,
}

impl Listening {
    /// Ends the subscription in order: with the request's result.
    pub(crate) fn end(&self) {
        self.views.listeners.end(self.number);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.views.listeners.open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmcp_core::{CapabilitySet, Era};

    #[test]
    fn a_change_that_was_told_ahead_is_not_told_again_when_the_list_comes() {
        let (events, mut receiver) = mpsc::channel(QUEUE);
        let viewer = ViewerKey { era: Era::Modern, capabilities: CapabilitySet::NONE, lens: None, scopes: Default::default() };
        let all = |hash: u8| {
            let mut hashes = KindHashes::default();
            ListKind::ALL.into_iter().for_each(|kind| hashes.set(kind, [hash; 16]));
            hashes
        };
        let wanted = Wanted { tools: true, prompts: false, resources: true };
        let listener = Listener { number: 0, viewer, wanted, id: "1".into(), events, told: Mutex::new(all(1)) };
        let mut count = || std::iter::from_fn(|| receiver.try_recv().ok()).count();
        listener.tell_of(Some(ListKind::Resources));
        listener.tell_of(Some(ListKind::ResourceTemplates));
        listener.tell_of(Some(ListKind::Resources));
        assert_eq!(count(), 1, "one notification stands for resources and templates, and it has been sent");
        let mut now = all(1);
        now.set(ListKind::Resources, [2; 16]);
        listener.tell(&now);
        assert_eq!(count(), 0);
        listener.tell(&all(3));
        assert_eq!(count(), 2, "later changes are told");
    }
}
