//! Modern clients that asked to be told of changed lists (2026-07-28, basic/patterns/subscriptions).

use super::{current::Views, hashes::KindHashes, keys::ViewerKey};
use crate::edge::sse;
use bytes::Bytes;
use dashmap::DashMap;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc;
use vmcp_core::{catalogue::ListKind, frame};

/// How many events wait for a slow reader before its stream is ended.
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

impl Listener {
    fn meta(&self) -> String {
        format!("\"_meta\":{{\"io.modelcontextprotocol/subscriptionId\":{}}}", self.id)
    }

    fn send(&self, message: Vec<u8>) -> bool {
        self.events.try_send(sse::event(message.into())).is_ok()
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

    /// Tells of the kinds that differ from what was told last.
    pub(super) fn tell(&self, now: &KindHashes) {
        let changed = self.told.lock().unwrap_or_else(PoisonError::into_inner).take_changed(now);
        self.notify(changed.into_iter().map(|(kind, _)| kind));
    }

    /// Tells that this kind has changed, or every kind.
    pub(super) fn tell_of(&self, kind: Option<ListKind>) {
        self.notify(ListKind::ALL.into_iter().filter(|one| kind.is_none_or(|kind| kind == *one)));
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
    /// Opens a subscription: the acknowledgement is its first event.
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
            let mut result = frame::response_head(&listener.id);
            result.extend_from_slice(format!("{{\"resultType\":\"complete\",{}}}}}", listener.meta()).as_bytes());
            listener.send(result);
            self.listeners.open.remove(&listener.number);
        }
    }
}

/// An open subscription; ends when dropped.
pub(crate) struct Listening {
    views: Arc<Views>,
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.views.listeners.open.remove(&self.number);
    }
}
