//! A process and all that it started: one process group, which ends with the run.
//!
//! Signals go to the group's number. That belongs to the group as long as the exit status of its leader was not taken, so the group is
//! killed first, and the status is taken then: a signal reaches nobody else.

use std::{io, process::ExitStatus};
use tokio::process::{Child, Command};

/// A process and all that it started, which are killed with this value.
pub(super) struct Running {
    child: Child,
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
}

impl Running {
    /// Starts the leader of a new group.
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        command.kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn()?;
        Ok(Self {
            #[cfg(unix)]
            group: child.id().and_then(|id| i32::try_from(id).ok()).filter(|id| *id > 1).and_then(rustix::process::Pid::from_raw),
            child,
        })
    }

    /// The handle on the leader, for its pipes.
    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until the leader has ended by itself, and ends what it has left behind: nothing else holds its pipes open then.
    #[cfg(unix)]
    pub(super) async fn over(&self) {
        if let Some(group) = self.group {
            unix::ended(group).await;
            unix::kill(group);
        }
    }

    /// Takes the leader's exit status.
    pub(super) async fn status(mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        #[cfg(unix)]
        if let Some(group) = self.group.take() {
            unix::take_orphans(group).await;
        }
        status
    }
}

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            unix::kill(group);
        }
    }
}

#[cfg(unix)]
mod unix {
    use rustix::{
        io::Errno,
        process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid},
    };
    use std::time::Duration;
    use tokio::time::sleep;

    /// How soon is looked whether a process has ended, and how seldom at last. The system tells only whoever takes the exit status.
    const LOOK: Duration = Duration::from_millis(1);
    const SELDOM: Duration = Duration::from_millis(20);

    /// How often is looked whether those are gone that were killed.
    const LOOKS: u32 = 50;

    /// Waits until a process has ended. Its exit status stays.
    pub(super) async fn ended(leader: Pid) {
        let mut pause = LOOK;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while matches!(waitid(WaitId::Pid(leader), options), Ok(None) | Err(Errno::INTR)) {
            sleep(pause).await;
            pause = (pause * 2).min(SELDOM);
        }
    }

    /// Ends every member.
    pub(super) fn kill(group: Pid) {
        // Nobody left is what was wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }

    /// Takes the exit statuses of members that were killed after their leader, where they are vmcp's to take: it is the system's first
    /// process in a container, and nobody else would.
    pub(super) async fn take_orphans(group: Pid) {
        for _ in 0..LOOKS {
            while let Ok(Some(_)) = waitid(WaitId::Pgid(Some(group)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {}
            if test_kill_process_group(group).is_err() {
                return;
            }
            sleep(LOOK).await;
        }
    }
}
