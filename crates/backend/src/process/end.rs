//! How a process ends: by itself, or step by step (specification, "stdio": shutdown).

use super::{allotment::Seat, backoff::Backoff, group::Group, watchdog::Watchdog};
use crate::SessionKey;
use std::{io, process::ExitStatus, sync::Arc};
use tokio::{
    process::Child,
    sync::watch,
    time::{Duration, Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use vmcp_core::Seldom;

/// How long a process has to end when its standard input was closed.
const AFTER_CLOSED_INPUT: Duration = Duration::from_secs(2);

/// How long it has when it was asked by a signal.
const AFTER_TERMINATE: Duration = Duration::from_secs(2);

/// How long the system may take to end what was killed. Processes in the middle of broken disks take for ever.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// How often is looked whether those that the process started are gone. The system tells of its own children only.
const LOOK: Duration = Duration::from_millis(20);

/// A group that is killed with whoever holds it.
pub(super) struct Leash {
    group: Group,
    watchdog: Option<Arc<Watchdog>>,
    is_gone: bool,
}

impl Leash {
    pub(super) fn new(group: Group, watchdog: Option<Arc<Watchdog>>) -> Self {
        Self { group, watchdog, is_gone: false }
    }

    /// Ends those that the process has left behind.
    async fn sweep(mut self) {
        if !self.group.is_gone() {
            self.group.terminate();
            if !self.is_gone_within(AFTER_TERMINATE).await {
                self.group.kill();
                self.is_gone_within(AFTER_KILL).await;
            }
        }
        self.is_gone = true;
    }

    async fn is_gone_within(&self, wait: Duration) -> bool {
        let gone = async {
            while !self.group.is_gone() {
                sleep(LOOK).await;
            }
        };
        timeout(wait, gone).await.is_ok()
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if !self.is_gone {
            self.group.kill();
        }
        if let Some(watchdog) = &self.watchdog {
            watchdog.forget(self.group);
        }
    }
}

/// A process and what is to be done when it ends.
pub(super) struct Tended {
    pub(super) backend: Arc<str>,
    pub(super) child: Child,
    pub(super) leash: Leash,
    pub(super) closing: CancellationToken,
    pub(super) ended: watch::Sender<Option<Arc<str>>>,
    pub(super) seat: Seat,
    pub(super) backoff: Arc<Backoff>,
    pub(super) key: Option<SessionKey>,
    pub(super) begun: Instant,
    pub(super) log: Arc<Seldom>,
}

impl Tended {
    /// Waits for the end, brings it about when it is told to, and leaves nobody behind.
    pub(super) async fn run(mut self) {
        let by_itself = tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            status = self.child.wait() => Some(status),
        };
        let how: Arc<str> = match by_itself {
            Some(status) => {
                let how = describe(&status);
                self.backoff.failed(self.key, self.begun.elapsed());
                if self.log.may() {
                    tracing::warn!(backend = &*self.backend, "{how}");
                }
                how.into()
            }
            None => {
                self.climb_down().await;
                "its process was ended".into()
            }
        };
        self.ended.send_replace(Some(how));
        self.leash.sweep().await;
        drop(self.seat);
    }

    /// The steps: whoever holds the standard input has let go of it by now.
    async fn climb_down(&mut self) {
        if timeout(AFTER_CLOSED_INPUT, self.child.wait()).await.is_ok() {
            return;
        }
        self.leash.group.terminate();
        if timeout(AFTER_TERMINATE, self.child.wait()).await.is_ok() {
            return;
        }
        self.leash.group.kill();
        // Where there are no groups.
        let _ = self.child.start_kill();
        if timeout(AFTER_KILL, self.child.wait()).await.is_err() {
            tracing::warn!(backend = &*self.backend, "a process does not end, though it was killed");
        }
    }
}

fn describe(status: &io::Result<ExitStatus>) -> String {
    let Ok(status) = status else { return "its process ended".to_owned() };
    if let Some(code) = status.code() {
        return format!("its process ended with exit status {code}");
    }
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(status) {
        return format!("its process was ended by signal {signal}");
    }
    "its process ended".to_owned()
}
