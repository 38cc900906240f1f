//! Results of tasks on their way to a subscription: interceptors see them before its caller does.

use super::listeners::Listener;
use crate::lane::{Began, Onlooker};
use bytes::Bytes;
use std::sync::{Arc, Weak};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
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
    shutdown: CancellationToken,
}

impl Waiting {
    /// `None` where nobody looks at results.
    pub(super) fn new(finished: Finished, tracker: &TaskTracker, shutdown: &CancellationToken) -> Option<Self> {
        Onlooker::new(&finished.interceptors, &finished.caller)?;
        let (tracker, shutdown) = (tracker.clone(), shutdown.clone());
        Some(Self { finished, places: Arc::new(Semaphore::new(WAITING)), tracker, shutdown })
    }
}

impl Listener {
    /// Tells of a task what interceptors let pass of it. One that is refused is not told of; who asks for it hears why.
    pub(super) fn tell_when_seen(me: Weak<Self>, waiting: &Waiting, began: Arc<Began>, method: &'static str, told: String) {
        let Ok(place) = Arc::clone(&waiting.places).try_acquire_owned() else { return };
        let Finished { interceptors, caller } = &waiting.finished;
        let (interceptors, caller) = (Arc::clone(interceptors), caller.clone());
        let shutdown = waiting.shutdown.clone();
        waiting.tracker.spawn(async move {
            let _place = place;
            let tell = async {
                let Some(onlooker) = Onlooker::new(&interceptors, &caller) else { return };
                let seen = onlooker.seen(&began, Bytes::from(told)).await;
                let seen = seen.ok().and_then(|seen| String::from_utf8(seen.into()).ok());
                if let (Some(seen), Some(listener)) = (seen, me.upgrade()) {
                    listener.push(frame::notification(method, Some(&seen)).into());
                }
            };
            // An interceptor may take its time, and nobody hears of it any more.
            shutdown.run_until_cancelled(Box::pin(tell)).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use vmcp_core::plugin::{BoxFuture, Call, Verdict};

    /// An interceptor that never decides.
    struct Undecided;

    impl Interceptor for Undecided {
        fn sees_results(&self) -> bool {
            true
        }

        fn after<'a>(&'a self, _: &'a Call<'a>, _: &'a serde_json::value::RawValue) -> BoxFuture<'a, Verdict> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test]
    async fn a_shutdown_waits_for_no_interceptor_that_looks_at_a_task() {
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let finished = Finished { interceptors: [Arc::new(Undecided) as Arc<dyn Interceptor>].into(), caller: Identity::anonymous() };
        let waiting = Waiting::new(finished, &tracker, &shutdown).unwrap();
        let began = Arc::new(Began { backend: "b".into(), tool: "b_job".into() });
        Listener::tell_when_seen(Weak::new(), &waiting, began, "notifications/tasks", r#"{"taskId":"1","result":{}}"#.into());
        tokio::task::yield_now().await;
        assert_eq!(tracker.len(), 1);
        shutdown.cancel();
        tracker.close();
        tokio::time::timeout(Duration::from_secs(10), tracker.wait()).await.expect("the interceptor is waited for");
    }
}
