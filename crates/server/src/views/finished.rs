//! Results of tasks on their way to a subscription: interceptors see them before its caller does.

use super::listeners::Listener;
use crate::lane::{Began, Onlooker};
use bytes::Bytes;
use std::sync::{Arc, Weak};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use vmcp_auth::Identity;
use vmcp_core::{frame, plugin::Interceptor};

/// How many of one subscription's wait for interceptors. What comes beyond is not told: its caller asks for it (`tasks/get`).
const WAITING: usize = 16;

/// What a subscription shows to interceptors, and on whose behalf.
pub(crate) struct Finished {
    pub(crate) interceptors: Arc<[Arc<dyn Interceptor>]>,
    pub(crate) caller: Identity,
}

/// The results of one subscription's tasks that wait for interceptors.
pub(super) struct Waiting {
    finished: Finished,
    places: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl Waiting {
    /// `None` where nobody looks at results.
    pub(super) fn new(finished: Finished, tracker: &TaskTracker) -> Option<Self> {
        Onlooker::new(&finished.interceptors, &finished.caller)?;
        Some(Self { finished, places: Arc::new(Semaphore::new(WAITING)), tracker: tracker.clone() })
    }
}

impl Listener {
    /// Tells of a task what interceptors let pass of it. One that is refused is not told of; who asks for it hears why.
    pub(super) fn tell_when_seen(me: Weak<Self>, waiting: &Waiting, began: Arc<Began>, method: &'static str, told: String) {
        let Ok(place) = Arc::clone(&waiting.places).try_acquire_owned() else { return };
        let Finished { interceptors, caller } = &waiting.finished;
        let (interceptors, caller) = (Arc::clone(interceptors), caller.clone());
        waiting.tracker.spawn(async move {
            let _place = place;
            let Some(onlooker) = Onlooker::new(&interceptors, &caller) else { return };
            let seen = onlooker.seen(&began, Bytes::from(told)).await;
            let seen = seen.ok().and_then(|seen| String::from_utf8(seen.into()).ok());
            if let (Some(seen), Some(listener)) = (seen, me.upgrade()) {
                listener.push(frame::notification(method, Some(&seen)).into());
            }
        });
    }
}
