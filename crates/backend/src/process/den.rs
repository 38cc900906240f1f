//! One process and those who talk to it.
//!
//! A process of a legacy server holds one MCP session, so it has one tenant, unless the configuration has callers share it: then the first
//! one's `initialize` goes out and the others get its answer, since servers refuse a second one. Ids of requests are unique at a backend,
//! so answers find their tenant by themselves.

mod tenant;

use crate::{
    AskId, Backend, ErrorKind,
    pipe::{ChildPipe, Inbound, Link},
    session::{Crowd, Switch},
    watch::answer_to,
};
use bytes::Bytes;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use tenant::Tenant;
use tokio::sync::watch;
use vmcp_core::frame::{Message, error_object, error_response};

/// How many messages one line may hold; only revision 2025-03-26 has more than one.
const BATCH: usize = 64;

/// A process with its tenants.
pub(crate) struct Den {
    backend: Weak<Backend>,
    pipe: OnceLock<ChildPipe>,
    state: Mutex<State>,
    /// Changes with the greeting.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    tenants: Vec<Arc<Switch>>,
    greeting: Greeting,
    /// The last tenant has left: the process is on its way out.
    is_closing: bool,
    ended: Option<ErrorKind>,
}

impl State {
    fn is_over(&self) -> bool {
        self.is_closing || self.ended.is_some()
    }
}

/// How far `initialize` has come.
#[derive(Default)]
enum Greeting {
    #[default]
    Open,
    /// It was sent for this tenant, with this id.
    Asked(Arc<Switch>, String),
    /// The result.
    Given { result: Bytes, is_confirmed: bool },
}

/// What a tenant's `initialize` comes to.
enum Turn {
    Ask,
    Wait,
    Have(Bytes),
    Over(ErrorKind),
}

impl Den {
    pub(super) fn new(backend: &Arc<Backend>) -> Arc<Self> {
        Arc::new(Self { backend: Arc::downgrade(backend), pipe: OnceLock::new(), state: Mutex::default(), changed: watch::Sender::new(()) })
    }

    /// The process moves in.
    pub(super) fn furnish(&self, pipe: ChildPipe) {
        let _ = self.pipe.set(pipe);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A way to the process for somebody, who opens a session with `initialize` or does not. When the last one is closed or dropped, the
    /// process ends. `None` when that has begun.
    pub(super) fn join(self: &Arc<Self>, switch: &Arc<Switch>, greets: bool) -> Option<Link> {
        let mut state = self.state();
        if state.is_over() {
            return None;
        }
        state.tenants.push(Arc::clone(switch));
        let tenant = Tenant::new(self, switch, greets);
        Some(Link { pipe: Arc::new(tenant), switch: Arc::clone(switch) })
    }

    /// Why the process has ended by itself, as the reason why something was never sent.
    pub(super) fn end(&self) -> Option<ErrorKind> {
        self.state().ended.clone().map(as_unsent)
    }

    /// Whether nobody can join any more.
    pub(super) fn is_over(&self) -> bool {
        self.state().is_over()
    }

    /// Whether no request is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.state().tenants.iter().all(|switch| switch.is_idle())
    }

    pub(super) fn close(&self) {
        if let Some(pipe) = self.pipe.get() {
            pipe.end();
        }
    }

    fn leave(&self, switch: &Arc<Switch>) {
        let mut state = self.state();
        state.tenants.retain(|tenant| !Arc::ptr_eq(tenant, switch));
        if matches!(&state.greeting, Greeting::Asked(asker, _) if Arc::ptr_eq(asker, switch)) {
            // Its answer never came: the next one asks.
            state.greeting = Greeting::Open;
        }
        let is_last = state.tenants.is_empty();
        state.is_closing |= is_last;
        drop(state);
        self.changed.send_replace(());
        if is_last {
            self.close();
        }
    }

    fn turn(&self, switch: &Arc<Switch>, id: &str) -> Turn {
        let mut state = self.state();
        match (&state.ended, &state.greeting) {
            (Some(why), _) => Turn::Over(why.clone()),
            (None, Greeting::Given { result, .. }) => Turn::Have(result.clone()),
            (None, Greeting::Asked(..)) => Turn::Wait,
            (None, Greeting::Open) => {
                state.greeting = Greeting::Asked(Arc::clone(switch), id.to_owned());
                Turn::Ask
            }
        }
    }

    /// Whether `notifications/initialized` is still to be sent.
    fn confirms(&self) -> bool {
        match &mut self.state().greeting {
            Greeting::Given { is_confirmed, .. } => !std::mem::replace(is_confirmed, true),
            Greeting::Open | Greeting::Asked(..) => true,
        }
    }

    /// Keeps the answer to `initialize` for those who come later.
    fn hear_greeting(&self, line: &Bytes) {
        let mut state = self.state();
        let Greeting::Asked(_, asked) = &state.greeting else { return };
        // It is never part of a batch (2025-03-26, basic/lifecycle).
        match Message::parse(line) {
            Ok(Message::Response(response)) if response.id.raw() == asked => {
                let result = line.slice_ref(response.result.as_bytes());
                state.greeting = Greeting::Given { result, is_confirmed: false };
            }
            Ok(Message::Error(Some(id), _)) if id.raw() == asked => state.greeting = Greeting::Open,
            Ok(_) | Err(_) => return,
        }
        drop(state);
        self.changed.send_replace(());
    }
}

impl Inbound for Den {
    fn message(&self, line: Bytes, say: &dyn Fn(Bytes)) -> Option<Crowd> {
        let backend = self.backend.upgrade()?;
        self.hear_greeting(&line);
        let tenants = self.state().tenants.clone();
        match tenants.as_slice() {
            [] => None,
            [only] => {
                only.route(&backend, &line, say);
                only.take_crowd()
            }
            several => {
                // Nobody can say whose call a question, or a message of the log, belongs to.
                let (messages, is_batch) = Message::parse_batch(&line, BATCH).unwrap_or_default();
                if !is_batch || several.iter().any(|tenant| tenant.has_batches()) {
                    for message in &messages {
                        if let Message::Request(request) = message
                            && let Some(id) = AskId::new(request.id.raw())
                        {
                            say(answer_to(&request.method, id.raw()).into());
                        }
                    }
                }
                let is_somebodys = |message: &Message<'_>| match message {
                    Message::Request(_) => false,
                    Message::Notification(notification) => notification.method != "notifications/message",
                    Message::Response(_) | Message::Error(..) => true,
                };
                several.iter().for_each(|tenant| tenant.route_some(&backend, &line, say, is_somebodys));
                several.iter().find_map(|tenant| tenant.take_crowd())
            }
        }
    }

    fn dropped(&self, why: ErrorKind, id: Option<u64>) {
        let Some(backend) = self.backend.upgrade() else { return };
        let mut waiting: Vec<(Arc<Switch>, u64)> = Vec::new();
        for tenant in &self.state().tenants {
            waiting.extend(tenant.seated().into_iter().map(|id| (Arc::clone(tenant), id)));
        }
        let named = waiting.iter().find(|(_, waiting)| Some(*waiting) == id);
        // With several in flight and no id, nothing says whose answer it was; their time will run out.
        let only = if let [only] = waiting.as_slice() { Some(only) } else { None };
        if let Some((tenant, id)) = named.or(only) {
            const INTERNAL: i64 = -32603;
            let error = error_object(INTERNAL, &format!("the backend `{}` {why}", backend.name()), None);
            tenant.route(&backend, &error_response(Some(&id.to_string()), &error).into(), &|_| ());
        } else {
            tracing::warn!(backend = &**backend.name(), "a message was dropped: {why}");
        }
    }

    fn ended(&self, why: ErrorKind) {
        let tenants = {
            let mut state = self.state();
            state.ended.get_or_insert_with(|| why.clone());
            std::mem::take(&mut state.tenants)
        };
        tenants.iter().for_each(|tenant| tenant.end(why.clone()));
        self.changed.send_replace(());
        if let Some(backend) = self.backend.upgrade()
            && let Some(programs) = backend.wire().programs()
        {
            programs.forget(self);
        }
    }
}

/// An end, as the reason why something was never sent.
fn as_unsent(why: ErrorKind) -> ErrorKind {
    match why {
        ErrorKind::Lost(why) => ErrorKind::Connect(why),
        other => other,
    }
}
