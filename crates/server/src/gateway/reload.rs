//! From one configuration to the next, while requests run.

use super::{
    endpoints::Endpoints,
    inner::{Gateway, Inner},
};
use crate::{gateway::BuildError, session::ClientSession};
use std::{
    sync::{Arc, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use vmcp_core::config::Config;

impl Gateway {
    /// Replaces the configuration. Requests in flight end under the old one, client sessions go on under the new one. On an error
    /// nothing has changed. Credentials that were kept stay where nothing of what decides them has changed. `listen`, `sessions` and
    /// `limits.maxConnections` need a restart.
    ///
    /// # Errors
    /// All that is wrong with the new configuration.
    pub fn reload(&self, config: Config) -> Result<(), BuildError> {
        let inner = &self.inner;
        // One after the other: what is in force is always the newest, and generations are told apart by their order.
        let _reloading = inner.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = inner.parts.plan(&config)?;
        let generation = inner.endpoints().main().generation + 1;
        let new = Arc::new(Endpoints::new(config, plan, Arc::clone(&inner.sessions), generation, inner.endpoints().credentials())?);
        new.start();
        let old = inner.replace(&new);
        if !new.keep_pipes_of(&old) {
            inner.pipes.dismiss();
        }
        let inner = Arc::clone(inner);
        self.inner.tracker.spawn(async move {
            // Who listens under the old configuration has to listen again to hear of changes under the new one: the headers that its
            // request brought were read by the old policy, and only a new request brings those that the new one lists.
            old.end_listening();
            // What ended before has its sessions at the old backends: of this configuration, or of one that has not drained yet.
            for session in inner.sessions.take_expired() {
                inner.end(&session);
            }
            for session in inner.sessions.all() {
                session.close_streams();
                // An endpoint that is gone takes its sessions with it.
                if new.of(&session.endpoint).is_none() {
                    inner.sessions.remove(&session.id);
                    session.cancel_all();
                    inner.end(&session);
                }
            }
            drop(new);
            // The rest may take long, and a gateway that nobody has any more is not to be kept for it.
            let sessions = Arc::clone(&inner.sessions);
            drop(inner);
            // Requests in flight hold the old snapshots; their background work ends when they have.
            while Arc::strong_count(&old) > 1 || !old.are_idle() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            old.end_listening();
            // Client sessions go on, but not with what they had at the old backends.
            for session in sessions.all() {
                if let Some(endpoint) = old.of(&session.endpoint) {
                    session.backends.close(&endpoint.backends);
                }
            }
            old.stop().await;
        });
        Ok(())
    }
}

impl Inner {
    /// Closes what a session has at the backends of configurations that are over, with the gateway's own credentials: what its caller
    /// sends now is read for those of another one.
    pub(super) fn end_at_old(&self, session: &ClientSession) {
        let draining: Vec<_> = self.draining().iter().filter_map(Weak::upgrade).collect();
        draining.iter().for_each(|old| old.end(session));
    }

    fn draining(&self) -> MutexGuard<'_, Vec<Weak<Endpoints>>> {
        self.draining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on requests begin under these. Returns what they worked with so far.
    fn replace(&self, new: &Arc<Endpoints>) -> Arc<Endpoints> {
        let mut draining = self.draining();
        draining.retain(|old| old.strong_count() > 0);
        let old = self.endpoints.swap(Arc::clone(new));
        draining.push(Arc::downgrade(&old));
        old
    }
}

#[cfg(test)]
mod tests {
    use crate::Gateway;
    use std::sync::{Arc, Barrier};
    use vmcp_core::config::{Backend, Config};

    fn config() -> Config {
        Config::with_backends(vec![Backend::new("b", "http://127.0.0.1:1/mcp".parse().unwrap())])
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_configurations_that_come_at_the_same_time_each_has_a_generation_and_the_newest_is_in_force() {
        const ROUNDS: u64 = 100;
        let gateway = Gateway::builder(config()).build().unwrap();
        for round in 1..=ROUNDS {
            let start = Arc::new(Barrier::new(2));
            let reload = || {
                let (gateway, start) = (gateway.clone(), Arc::clone(&start));
                tokio::task::spawn_blocking(move || {
                    start.wait();
                    gateway.reload(config()).unwrap();
                })
            };
            let (one, other) = tokio::join!(reload(), reload());
            one.unwrap();
            other.unwrap();
            assert_eq!(gateway.inner.snapshot().generation, 2 * round);
        }
        gateway.shutdown().await;
    }
}
