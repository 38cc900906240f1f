//! Modern clients that asked to be told of changes (2026-07-28, basic/patterns/subscriptions).

use super::{
    current::Views,
    finished::{Finished, Waiting},
    hashes::KindHashes,
    heard::Heard,
    keys::ViewerKey,
    outbox::{Inbox, Outbox, outbox},
};
use crate::lane::has_result;
use bytes::Bytes;
use dashmap::DashMap;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use vmcp_backend::{Asked, Backend, Ear};
use vmcp_core::{
    catalogue::ListKind,
    frame::{self, json_string},
};

/// The member of `_meta` that names the subscription in each of its messages.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// Tells how a task is (SEP-2663), with its result when there is one.
const TASKS: &str = "notifications/tasks";

/// The kinds of change that a client asked to be told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
}

impl Wanted {
    /// Whether any list is among them.
    pub(crate) fn any(self) -> bool {
        self.tools || self.prompts || self.resources
    }

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
    outbox: Outbox,
    told: Mutex<KindHashes>,
    /// What it hears of single resources and tasks.
    heard: Mutex<Heard>,
    /// Where interceptors see results of tasks first.
    waiting: Option<Waiting>,
    me: Weak<Self>,
}

#[derive(Default)]
pub(super) struct Listeners {
    open: DashMap<u64, Arc<Listener>>,
    opened: AtomicU64,
    ended: AtomicBool,
}

impl Listeners {
    /// Whether listening under this configuration has ended, though requests may go on under it.
    pub(super) fn have_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn all(&self) -> Vec<Arc<Listener>> {
        self.open.iter().map(|entry| Arc::clone(&entry)).collect()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener {
    fn meta(&self) -> String {
        format!("\"_meta\":{{\"{SUBSCRIPTION}\":{}}}", self.id)
    }

    /// What is told of, as the subscription's first message.
    fn acknowledge(&self) {
        let Wanted { tools, prompts, resources } = self.wanted;
        let flag = |wanted: bool, name: &str| wanted.then(|| format!("\"{name}\":true"));
        let (uris, tasks) = {
            let heard = locked(&self.heard);
            let (uris, tasks) = heard.ours();
            (texts("resourceSubscriptions", &uris), texts("taskIds", &tasks))
        };
        let honoured =
            [flag(tools, "toolsListChanged"), flag(prompts, "promptsListChanged"), flag(resources, "resourcesListChanged"), uris, tasks];
        let honoured: Vec<String> = honoured.into_iter().flatten().collect();
        let params = format!("{{\"notifications\":{{{}}},{}}}", honoured.join(","), self.meta());
        self.outbox.push_first(frame::notification("notifications/subscriptions/acknowledged", Some(&params)).into());
    }

    /// Ends it in order: with the request's result.
    fn end(&self) {
        let text = format!("{{\"resultType\":\"complete\",{}}}}}", self.meta());
        let mut result = frame::response_head(&self.id, text.len());
        result.extend_from_slice(text.as_bytes());
        self.outbox.push(result.into());
        self.outbox.finish();
    }

    /// Tells of the kinds that differ from what was told last. What was told of ahead of this is as it is now.
    pub(super) fn tell(&self, now: &KindHashes) {
        let changed = {
            let mut told = locked(&self.told);
            let changed = told.take_changed(now);
            told.fill(now);
            changed
        };
        self.notify(changed.into_iter().map(|(kind, _)| kind));
    }

    /// Tells ahead of the list itself that this kind has changed, or every kind.
    pub(super) fn tell_of(&self, kind: Option<ListKind>) {
        let outdated = locked(&self.told).outdate(kind);
        self.notify(outdated.into_iter().map(|(kind, _)| kind));
    }

    pub(super) fn push(&self, message: Bytes) {
        self.outbox.push(message);
    }

    fn notify(&self, kinds: impl Iterator<Item = ListKind>) {
        let mut sent = Vec::new();
        for kind in kinds.filter(|kind| self.wanted.wants(*kind)) {
            // Resources and templates share one notification.
            let method = kind.changed_notification();
            if !sent.contains(&method) {
                sent.push(method);
                self.outbox.push_once(frame::notification(method, Some(&format!("{{{}}}", self.meta()))).into());
            }
        }
    }
}

/// A member that is an array of strings. `None` where it would be empty.
fn texts(member: &str, all: &[&str]) -> Option<String> {
    let mut out = Vec::new();
    for text in all {
        out.push(if out.is_empty() { b'[' } else { b',' });
        json_string(text, &mut out);
    }
    let array = String::from_utf8(out).ok().filter(|array| !array.is_empty())?;
    Some(format!("\"{member}\":{array}]"))
}

impl Ear for Listener {
    fn notified(&self, backend: &Backend, method: &str, params: Bytes) {
        // A subscription ends with its configuration, and its backends are all of that one.
        let backend = backend.index();
        let told = locked(&self.heard).translated(backend, method, &params, (SUBSCRIPTION, &self.id));
        let Some(told) = told else { return };
        if let (Some(waiting), TASKS) = (&self.waiting, method)
            && has_result(&told)
        {
            let began = locked(&self.heard).began(backend, &params);
            return began.map_or((), |began| Self::tell_when_seen(self.me.clone(), waiting, began, TASKS, told));
        }
        let message = frame::notification(method, Some(&told)).into();
        if method == "notifications/resources/updated" {
            self.outbox.push_once(message);
        } else {
            self.outbox.push(message);
        }
    }

    /// Nobody answers on a subscription: dropped, it is answered with an error.
    fn asked(&self, _asked: Asked) {}
}

impl Views {
    /// Prepares a subscription; it begins with [`Listening::begin`].
    pub(crate) fn listen(
        self: &Arc<Self>,
        viewer: ViewerKey,
        wanted: Wanted,
        heard: Heard,
        finished: Finished,
        id: &str,
    ) -> (Listening, Inbox) {
        let (outbox, inbox) = outbox();
        let number = self.listeners.opened.fetch_add(1, Ordering::Relaxed);
        let told = Mutex::new(KindHashes::of(&self.current(&viewer)));
        let (heard, waiting) = (Mutex::new(heard), Waiting::new(finished, &self.tracker, &self.shutdown));
        let listener = Arc::new_cyclic(|me| {
            let (id, me) = (id.into(), me.clone());
            Listener { number, viewer, wanted, id, outbox, told, heard, waiting, me }
        });
        (Listening { views: Arc::clone(self), listener }, inbox)
    }

    /// Ends every subscription in order: with the request's result.
    pub(crate) fn end_listening(&self) {
        self.listeners.ended.store(true, Ordering::Release);
        for listener in self.listeners.all() {
            self.listeners.open.remove(&listener.number);
            listener.end();
        }
    }
}

/// An open subscription; ends when dropped.
pub(crate) struct Listening {
    views: Arc<Views>,
    listener: Arc<Listener>,
}

impl Listening {
    /// Who hears what backends say to this subscription alone. What they say before it begins waits until then.
    pub(crate) fn ear(&self) -> Weak<dyn Ear> {
        let ear: Arc<dyn Ear> = Arc::clone(&self.listener) as _;
        Arc::downgrade(&ear)
    }

    /// Changes what is heard of.
    pub(crate) fn heard(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut locked(&self.listener.heard));
    }

    /// Begins: the acknowledgement of what is told of is the first message.
    pub(crate) fn begin(&self) {
        let Self { views, listener } = self;
        listener.acknowledge();
        views.listeners.open.insert(listener.number, Arc::clone(listener));
        // What changed between looking and being registered.
        views.tell_listener(listener);
        if views.listeners.have_ended() {
            // It was being opened when the others ended: a new configuration holds, and this one's policies are of the old one.
            self.end();
        }
    }

    /// Ends it in order: with the request's result.
    pub(crate) fn end(&self) {
        if self.views.listeners.open.remove(&self.listener.number).is_some() {
            self.listener.end();
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.views.listeners.open.remove(&self.listener.number);
    }
}

#[cfg(test)]
mod tests;
