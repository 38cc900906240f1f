//! A server and everything that it started: one process group.
//!
//! Package runners (`npx`, `uvx`) start the server as a child of theirs; whoever ends the runner alone leaves the server behind.

#[cfg(unix)]
pub(crate) use unix::Group;

#[cfg(not(unix))]
pub(crate) use elsewhere::Group;

#[cfg(unix)]
mod unix {
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid};

    /// The processes of one group, by their leader's id.
    ///
    /// The system does not give the id to another process as long as one member is left, so signals reach nobody else.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Group(Pid);

    impl Group {
        /// The group of a leader, `None` for a number that no process has.
        pub(crate) fn of(leader: u32) -> Option<Self> {
            // 0 is the caller's own group, 1 the system's first process: neither is a server.
            i32::try_from(leader).ok().filter(|leader| *leader > 1).and_then(Pid::from_raw).map(Self)
        }

        /// The leader's id.
        pub(crate) fn id(self) -> u32 {
            self.0.as_raw_pid().unsigned_abs()
        }

        /// Asks every member to end.
        pub(crate) fn terminate(self) {
            // Nobody left is what was wanted.
            let _ = kill_process_group(self.0, Signal::TERM);
        }

        /// Ends every member.
        pub(crate) fn kill(self) {
            let _ = kill_process_group(self.0, Signal::KILL);
        }

        /// Whether no member is left, once the leader was waited for.
        ///
        /// Members whose parent ended belong to the system's first process. Where that is vmcp itself (in a container), nobody else
        /// would ever take their exit status, so that is done here.
        pub(crate) fn is_gone(self) -> bool {
            while let Ok(Some(_)) = waitid(WaitId::Pgid(Some(self.0)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {}
            !self.has_members()
        }

        /// Whether a member is left, counting those whose exit status nobody has taken.
        pub(crate) fn has_members(self) -> bool {
            test_kill_process_group(self.0).is_ok()
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    /// Where there are no process groups, the leader is ended through its handle, and what it started ends with its pipes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Group(u32);

    impl Group {
        pub(crate) fn of(leader: u32) -> Option<Self> {
            Some(Self(leader))
        }

        pub(crate) fn id(self) -> u32 {
            self.0
        }

        pub(crate) fn terminate(self) {}

        pub(crate) fn kill(self) {}

        pub(crate) fn is_gone(self) -> bool {
            true
        }

        pub(crate) fn has_members(self) -> bool {
            false
        }
    }
}
