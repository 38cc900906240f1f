//! What changes while the server runs, and who is told.

use rmcp::{
    RoleServer,
    model::ResourceUpdatedNotificationParam,
    service::{Peer, SubscriptionContext},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool, atomic::Ordering},
};
use tokio::sync::broadcast;

/// How many changes a listener may be behind before it misses some.
const BEHIND: usize = 64;

/// Something that changed.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Tools,
    Prompts,
    Resource(&'static str),
}

/// The changing part of the catalogue.
pub(crate) struct Changes {
    sender: broadcast::Sender<Change>,
    tool: AtomicBool,
    prompt: AtomicBool,
}

/// The URIs that one legacy session subscribed to.
#[derive(Clone, Default)]
pub(crate) struct Subscribed(Arc<Mutex<BTreeSet<String>>>);

impl Changes {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::channel(BEHIND).0, tool: AtomicBool::new(false), prompt: AtomicBool::new(false) }
    }

    /// Whether the tool that comes and goes is there.
    pub(crate) fn tool_is_there(&self) -> bool {
        self.tool.load(Ordering::SeqCst)
    }

    /// Whether the prompt that comes and goes is there.
    pub(crate) fn prompt_is_there(&self) -> bool {
        self.prompt.load(Ordering::SeqCst)
    }

    /// Lets the change happen and tells everybody who listens.
    pub(crate) fn happen(&self, change: Change) {
        match change {
            Change::Tools => _ = self.tool.fetch_xor(true, Ordering::SeqCst),
            Change::Prompts => _ = self.prompt.fetch_xor(true, Ordering::SeqCst),
            Change::Resource(_) => {}
        }
        // Nobody may be listening.
        let _ = self.sender.send(change);
    }

    /// Tells a legacy session until it is gone.
    pub(crate) fn tell_session(&self, peer: Peer<RoleServer>, subscribed: Subscribed) {
        let mut changes = self.sender.subscribe();
        tokio::spawn(async move {
            while let Ok(change) = changes.recv().await {
                let told = match change {
                    Change::Tools => peer.notify_tool_list_changed().await,
                    Change::Prompts => peer.notify_prompt_list_changed().await,
                    Change::Resource(uri) if subscribed.has(uri) => {
                        peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await
                    }
                    Change::Resource(_) => Ok(()),
                };
                if told.is_err() {
                    break;
                }
            }
        });
    }

    /// Tells a modern subscription until it is cancelled. The SDK leaves out what was not asked for.
    pub(crate) async fn tell_subscription(&self, subscription: &SubscriptionContext) {
        let mut changes = self.sender.subscribe();
        let sink = subscription.sink();
        let tell = async {
            while let Ok(change) = changes.recv().await {
                // Not asked for, or the client is gone: then the subscription is cancelled soon.
                let _ = match change {
                    Change::Tools => sink.notify_tool_list_changed().await,
                    Change::Prompts => sink.notify_prompt_list_changed().await,
                    Change::Resource(uri) => sink.notify_resource_updated(uri).await,
                };
            }
        };
        tokio::select! {
            () = tell => {}
            () = subscription.cancelled() => {}
        }
    }
}

impl Subscribed {
    pub(crate) fn add(&self, uri: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uri);
    }

    pub(crate) fn remove(&self, uri: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uri);
    }

    fn has(&self, uri: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(uri)
    }
}
