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

/// The helper: started before the first server, told of each that comes and goes, gone with vmcp.
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

    /// A server is about to be started. A helper that is started after it would know of it only a while later, and vmcp may be killed by then.
    pub(crate) fn prepare(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = state.running.as_mut().is_some_and(|(child, _)| matches!(child.try_wait(), Ok(None)));
        if !runs {
            state.dismiss();
            self.start(&mut state);
        }
    }

    /// A server was started.
    pub(crate) fn watch(&self, group: Group) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.groups.insert(group.id());
        self.tell(&mut state, '+', group.id());
    }

    /// A server is gone.
    pub(crate) fn forget(&self, group: Group) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.groups.remove(&group.id()) {
            // One that missed it would end whoever has the number by then.
            self.tell(&mut state, '-', group.id());
        }
    }

    /// Tells the helper, or a new one of everybody: there was none yet, or it is gone, or deaf.
    fn tell(&self, state: &mut State, sign: char, group: u32) {
        if !state.tell(sign, group) {
            state.dismiss();
            self.start(state);
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
                // All of them, though they be more than the pipe holds. That fails only where it has ended, which shows when it is
                // told something next.
                let groups: String = state.groups.iter().map(|group| line('+', *group)).collect();
                let (_, stdin) = state.running.insert((child, stdin));
                let _ = stdin.write_all(groups.as_bytes());
                // From now on nobody waits for a helper that was stopped: one that takes nothing more is deaf.
                #[cfg(unix)]
                let _ = rustix::io::ioctl_fionbio(&*stdin, true);
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
    fn prepare(&self) {
        Self::prepare(self);
    }

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

    /// Whether there is a helper that could be told. So few bytes are written as a whole or not at all (POSIX, `write`).
    fn tell(&mut self, sign: char, group: u32) -> bool {
        self.running.as_mut().is_some_and(|(_, stdin)| stdin.write_all(line(sign, group).as_bytes()).is_ok())
    }
}

fn line(sign: char, group: u32) -> String {
    format!("{sign}{group}\n")
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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use rustix::process::{Pid, Signal, kill_process};
    use std::path::Path;

    fn state_of(process: u32) -> Option<String> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.get(..1)).map(str::to_owned)
    }

    /// Waits until the process is in this state, as the system names it.
    fn until(process: u32, state: &str) {
        while state_of(process).as_deref() != Some(state) {
            std::thread::yield_now();
        }
    }

    fn signal(process: u32, signal: Signal) {
        kill_process(Pid::from_raw(process.cast_signed()).unwrap(), signal).unwrap();
    }

    /// A watchdog whose helpers write what they are told into files named for their ids, in `folder`.
    fn writing(folder: &Path, first: &str) -> Watchdog {
        let script = format!("{first} exec cat > {}/$$", folder.display());
        Watchdog::new("/bin/sh".into(), vec!["-c".into(), script.into()])
    }

    fn helper(watchdog: &Watchdog) -> u32 {
        watchdog.state.lock().unwrap().running.as_ref().map(|(child, _)| child.id()).unwrap()
    }

    /// What the helper was told, once it has ended for want of more.
    fn told(watchdog: &Watchdog, folder: &Path) -> String {
        let (mut child, stdin) = watchdog.state.lock().unwrap().running.take().unwrap();
        drop(stdin);
        child.wait().unwrap();
        std::fs::read_to_string(folder.join(child.id().to_string())).unwrap()
    }

    #[test]
    fn a_helper_is_told_of_all_though_they_be_more_than_the_pipe_holds() {
        let folder = tempfile::tempdir().unwrap();
        let (ids, pipe) = (folder.path().join("id"), 64 << 10);
        let watchdog = writing(folder.path(), &format!("echo $$ > {0}.new; mv {0}.new {0}; kill -STOP $$;", ids.display()));
        let many = 1_000_000_000..1_000_010_000;
        watchdog.state.lock().unwrap().groups = many.clone().collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let id = loop {
                    match std::fs::read_to_string(&ids) {
                        Ok(id) => break id.trim().parse().unwrap(),
                        Err(_) => std::thread::yield_now(),
                    }
                };
                until(id, "T");
                // It reads nothing before no more than another line fits.
                let stdin = std::fs::File::open(format!("/proc/{id}/fd/0")).unwrap();
                while rustix::io::ioctl_fionread(&stdin).unwrap() < pipe - 4096 {
                    std::thread::yield_now();
                }
                signal(id, Signal::CONT);
            });
            watchdog.watch(Group::of(many.end).unwrap());
        });
        let told = told(&watchdog, folder.path());
        assert!(told.lines().eq((many.start..=many.end).map(|group| format!("+{group}"))), "{} lines", told.lines().count());
        watchdog.state.lock().unwrap().groups.clear();
    }

    #[test]
    fn a_helper_that_cannot_be_told_of_who_is_gone_is_replaced_by_one_that_never_knew_them() {
        let folder = tempfile::tempdir().unwrap();
        let watchdog = writing(folder.path(), "");
        let (gone, left) = (Group::of(1_000_000_001).unwrap(), Group::of(1_000_000_002).unwrap());
        watchdog.watch(gone);
        watchdog.watch(left);
        let deaf = helper(&watchdog);
        signal(deaf, Signal::STOP);
        until(deaf, "T");
        while watchdog.state.lock().unwrap().tell('+', left.id()) {}
        watchdog.forget(gone);
        assert_eq!(state_of(deaf), None);
        assert_eq!(told(&watchdog, folder.path()), format!("+{}\n", left.id()));
        watchdog.state.lock().unwrap().groups.clear();
    }

    #[test]
    fn a_helper_waits_before_there_is_anything_to_watch_and_ends_with_the_watchdog_where_nothing_came() {
        let folder = tempfile::tempdir().unwrap();
        let watchdog = writing(folder.path(), "");
        watchdog.prepare();
        let first = helper(&watchdog);
        watchdog.prepare();
        watchdog.watch(Group::of(1_000_000_001).unwrap());
        assert_eq!(helper(&watchdog), first, "one is enough");
        assert_eq!(told(&watchdog, folder.path()), "+1000000001\n");
        watchdog.state.lock().unwrap().groups.clear();
        watchdog.prepare();
        let second = helper(&watchdog);
        drop(watchdog);
        assert_eq!(state_of(second), None);
    }

    #[test]
    fn a_helper_that_dies_is_replaced_and_leaves_no_entry_among_the_processes() {
        let watchdog = Watchdog::new("/bin/sh".into(), vec!["-c".into(), "exit 0".into()]);
        watchdog.watch(Group::of(u32::MAX / 4).unwrap());
        let first = helper(&watchdog);
        until(first, "Z");
        watchdog.watch(Group::of(u32::MAX / 4 - 1).unwrap());
        assert_eq!(state_of(first), None);
        let second = helper(&watchdog);
        assert_ne!(second, first);
        until(second, "Z");
        watchdog.prepare();
        assert_eq!(state_of(second), None);
        assert_ne!(helper(&watchdog), second);
        // Groups that never were are nothing to leave a helper behind for.
        watchdog.state.lock().unwrap().groups.clear();
    }
}
