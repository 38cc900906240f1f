//! A process and all that it started: one process group, which ends with the run.
//!
//! Signals go to the group's number. That belongs to the group as long as the exit status of its leader was not taken, so the group is
//! killed first, and the status is taken then: a signal reaches nobody else.

use std::{io, process::ExitStatus, sync::Arc};
use tokio::process::{Child, Command};
use vmcp_core::plugin::Overseer;

/// A process and all that it started, which are killed with this value.
pub(super) struct Running {
    /// Before the leader, since members are dropped in this order: dropping a leader that has ended takes its exit status.
    #[cfg(unix)]
    group: Option<Group>,
    child: Child,
}

impl Running {
    /// Starts the leader of a new group, of which `overseer` is told: should vmcp be killed, it ends the group.
    #[cfg_attr(not(unix), allow(unused_variables))]
    pub(super) fn start(mut command: Command, overseer: Option<&Arc<dyn Overseer>>) -> io::Result<Self> {
        command.kill_on_drop(true);
        #[cfg(unix)]
        {
            command.process_group(0);
            if let Some(overseer) = overseer {
                overseer.prepare();
            }
        }
        let child = command.spawn()?;
        Ok(Self {
            #[cfg(unix)]
            group: child.id().and_then(|id| Group::of(id, overseer.cloned())),
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
        if let Some(group) = &self.group {
            group.led_by_none().await;
            group.kill();
        }
    }

    /// Takes the leader's exit status.
    pub(super) async fn status(mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        #[cfg(unix)]
        if let Some(group) = self.group.take() {
            group.over().await;
        }
        status
    }
}

#[cfg(unix)]
use unix::Group;

#[cfg(unix)]
mod unix {
    use rustix::{
        io::Errno,
        process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid},
    };
    use std::{sync::Arc, time::Duration};
    use tokio::time::sleep;
    use vmcp_core::plugin::Overseer;

    /// How soon is looked whether a process has ended, and how seldom at last. The system tells only whoever takes the exit status.
    const LOOK: Duration = Duration::from_millis(1);
    const SELDOM: Duration = Duration::from_millis(20);

    /// How often is looked whether those are gone that were killed.
    const LOOKS: u32 = 50;

    /// A group that is killed with this value.
    pub(super) struct Group {
        leader: Pid,
        overseer: Option<Arc<dyn Overseer>>,
        is_over: bool,
    }

    impl Group {
        pub(super) fn of(leader: u32, overseer: Option<Arc<dyn Overseer>>) -> Option<Self> {
            // 0 is the caller's own group, 1 the system's first process: neither is a program.
            let own = i32::try_from(leader).ok().filter(|leader| *leader > 1).and_then(Pid::from_raw)?;
            if let Some(overseer) = &overseer {
                overseer.watch(leader);
            }
            Some(Self { leader: own, overseer, is_over: false })
        }

        /// Waits until the leader has ended. Its exit status stays.
        pub(super) async fn led_by_none(&self) {
            let mut pause = LOOK;
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            while matches!(waitid(WaitId::Pid(self.leader), options), Ok(None) | Err(Errno::INTR)) {
                sleep(pause).await;
                pause = (pause * 2).min(SELDOM);
            }
        }

        /// Ends every member, as long as the leader's exit status was not taken.
        pub(super) fn kill(&self) {
            // Nobody left is what was wanted.
            let _ = kill_process_group(self.leader, Signal::KILL);
            if let Some(overseer) = &self.overseer {
                overseer.forget(self.leader.as_raw_pid().unsigned_abs());
            }
        }

        /// The leader's exit status was taken. Takes those of members that were killed after it, where they are vmcp's to take: it is the
        /// system's first process in a container, and nobody else would.
        pub(super) async fn over(mut self) {
            self.is_over = true;
            for _ in 0..LOOKS {
                while let Ok(Some(_)) = waitid(WaitId::Pgid(Some(self.leader)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {}
                if test_kill_process_group(self.leader).is_err() {
                    return;
                }
                sleep(LOOK).await;
            }
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            if !self.is_over {
                self.kill();
            }
        }
    }
}
