//! A second process that ends vmcp's servers when vmcp is killed and can end nothing any more.
//!
//! Servers see their standard input close then, and most end. Those that do not would stay for ever. So vmcp starts one small helper,
//! which knows the process groups and waits: when the pipe between the two closes, vmcp is gone, and the helper ends what is left.

use super::group::Group;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fmt,
    io::{self, BufRead, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};
use vmcp_core::plugin::Overseer;

/// How long servers have to end when vmcp is gone, before they are killed.
const AFTER_TERMINATE: Duration = Duration::from_secs(2);

/// How often is looked whether they are gone.
const LOOK: Duration = Duration::from_millis(20);

/// How many groups the helper knows at most: more than any configuration has a use for.
const MOST: usize = 100_000;

/// The helper: started with the first server, told of each that comes and goes, gone with vmcp.
pub struct Watchdog {
    program: PathBuf,
    args: Vec<OsString>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    groups: BTreeSet<u32>,
    running: Option<(Child, ChildStdin)>,
    /// It could not be started: that is said once, and not tried for every server.
    is_missing: bool,
}

impl Watchdog {
    /// A helper that is this program with these arguments. It has to run [`watch_over_servers`] over its standard input.
    #[must_use]
    pub fn new(program: PathBuf, args: Vec<OsString>) -> Self {
        Self { program, args, state: Mutex::default() }
    }

    /// A server was started.
    pub(crate) fn watch(&self, group: Group) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.groups.insert(group.id());
        if state.running.is_none() {
            self.start(&mut state);
        } else if !state.tell('+', group.id()) {
            // It is gone, or deaf: a new one is told of everybody.
            state.dismiss();
            self.start(&mut state);
        }
    }

    /// A server is gone.
    pub(crate) fn forget(&self, group: Group) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.groups.remove(&group.id()) {
            state.tell('-', group.id());
        }
    }

    fn start(&self, state: &mut State) {
        if state.is_missing || cfg!(not(unix)) {
            return;
        }
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A signal to vmcp's own group, like that of Ctrl-C, is not for it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        match command.spawn().map(|mut child| (child.stdin.take(), child)) {
            Ok((Some(stdin), child)) => {
                // Whoever starts a server does not wait for a helper that was stopped: one that takes nothing more is deaf.
                #[cfg(unix)]
                let _ = rustix::io::ioctl_fionbio(&stdin, true);
                state.running = Some((child, stdin));
                let groups: Vec<u32> = state.groups.iter().copied().collect();
                groups.into_iter().for_each(|group| _ = state.tell('+', group));
            }
            Ok((None, _)) => {}
            Err(error) => {
                state.is_missing = true;
                let reason = error.kind().to_string();
                tracing::warn!(reason, "no helper could be started that ends the servers if vmcp is killed");
            }
        }
    }
}

/// Of programs that give credentials.
impl Overseer for Watchdog {
    fn watch(&self, leader: u32) {
        if let Some(group) = Group::of(leader) {
            Self::watch(self, group);
        }
    }

    fn forget(&self, leader: u32) {
        if let Some(group) = Group::of(leader) {
            Self::forget(self, group);
        }
    }
}

impl State {
    /// Ends the helper and takes its exit status: without that its entry among the processes would stay.
    fn dismiss(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether the helper could be told. The few bytes fit into the pipe, which it empties at once.
    fn tell(&mut self, sign: char, group: u32) -> bool {
        self.running.as_mut().is_some_and(|(_, stdin)| stdin.write_all(format!("{sign}{group}\n").as_bytes()).is_ok())
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        // With servers left it does its work when the pipe closes, and the system takes its exit status after vmcp's.
        if state.groups.is_empty() {
            state.dismiss();
        }
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").field("program", &self.program).finish_non_exhaustive()
    }
}

/// What the helper does: learns of process groups (`+123` and `-123`, each on a line) until its input ends, and ends those that are left:
/// asks them, waits two seconds, kills them.
///
/// # Errors
/// When the input cannot be read; what is known by then is ended all the same.
pub fn watch_over_servers(input: impl BufRead) -> io::Result<()> {
    let mut groups = BTreeSet::new();
    let mut read = Ok(());
    for line in input.lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                read = Err(error);
                break;
            }
        };
        match (line.get(..1), line.get(1..).and_then(|id| id.parse::<u32>().ok())) {
            (Some("+"), Some(group)) if groups.len() < MOST => _ = groups.insert(group),
            (Some("-"), Some(group)) => _ = groups.remove(&group),
            _ => {}
        }
    }
    let groups: Vec<Group> = groups.into_iter().filter_map(Group::of).collect();
    groups.iter().for_each(|group| group.terminate());
    let begun = Instant::now();
    while begun.elapsed() < AFTER_TERMINATE && groups.iter().any(|group| group.has_members()) {
        sleep(LOOK);
    }
    groups.iter().for_each(|group| group.kill());
    read
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn state_of(process: u32) -> Option<String> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.get(..1)).map(str::to_owned)
    }

    #[test]
    fn a_helper_that_dies_is_replaced_and_leaves_no_entry_among_the_processes() {
        let watchdog = Watchdog::new("/bin/sh".into(), vec!["-c".into(), "exit 0".into()]);
        watchdog.watch(Group::of(u32::MAX / 4).unwrap());
        let first = watchdog.state.lock().unwrap().running.as_ref().map(|(child, _)| child.id()).unwrap();
        while state_of(first).as_deref() != Some("Z") {
            std::thread::yield_now();
        }
        watchdog.watch(Group::of(u32::MAX / 4 - 1).unwrap());
        assert_eq!(state_of(first), None);
        let second = watchdog.state.lock().unwrap().running.as_ref().map(|(child, _)| child.id());
        assert!(second.is_some_and(|second| second != first));
        // Groups that never were are nothing to leave a helper behind for.
        watchdog.state.lock().unwrap().groups.clear();
    }
}
