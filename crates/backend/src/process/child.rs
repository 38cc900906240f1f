//! Starting a server, and the handle on it while it runs.

use super::{
    Environment, Program,
    allotment::Allotment,
    backoff::Backoff,
    end::{self, Tended},
    environment::CallerVariables,
    find::find,
    group::Group,
    stderr::{self, Listener},
    watchdog::Watchdog,
};
use crate::{ErrorKind, SessionKey};
use std::{process::Stdio, sync::Arc};
use tokio::{
    process::{ChildStdin, ChildStdout, Command},
    sync::watch,
    time::{Duration, Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vmcp_core::{Seldom, config::Span};

/// How long a start waits for the pause after a failure to be over; longer pauses fail at once, saying so.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it waits for a place at a cap: what was told to end a moment ago is gone by then, if it does not have to be killed.
const ROOM: Duration = Duration::from_secs(3);

/// How many lines that servers write to their standard error are in the log at the default level in a minute.
const LINES: u32 = 60;

/// How many ends of processes that nobody asked for are in the log in a minute.
const ENDS: u32 = 10;

const MINUTE: Duration = Duration::from_secs(60);

/// Starts the processes of one backend.
pub(crate) struct Starter {
    backend: Arc<str>,
    program: Program,
    allotment: Arc<Allotment>,
    backoff: Arc<Backoff>,
    watchdog: Option<Arc<Watchdog>>,
    tracker: TaskTracker,
    closing: CancellationToken,
    lines: Arc<Seldom>,
    ends: Arc<Seldom>,
}

/// Whose process it is to be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owner {
    /// For the caps: the caller's identity alone. `None` where it is nobody's in particular.
    pub(crate) principal: Option<SessionKey>,
    /// For the back-off: identity and credentials.
    pub(crate) key: Option<SessionKey>,
}

/// A process that was just started.
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
}

/// A running process. Dropping it ends the process, in order and in the background.
pub(crate) struct Process {
    id: u32,
    closing: CancellationToken,
    ended: watch::Receiver<Option<Arc<str>>>,
}

impl Starter {
    /// Everything that it started ends when `closing` is cancelled.
    pub(crate) fn new(
        backend: &Arc<str>,
        program: Program,
        watchdog: Option<Arc<Watchdog>>,
        tracker: &TaskTracker,
        closing: &CancellationToken,
    ) -> Self {
        Self {
            backend: Arc::clone(backend),
            allotment: Allotment::new(program.max, program.max_per_principal),
            program,
            backoff: Arc::default(),
            watchdog,
            tracker: tracker.clone(),
            closing: closing.clone(),
            lines: Arc::new(Seldom::new(LINES, MINUTE)),
            ends: Arc::new(Seldom::new(ENDS, MINUTE)),
        }
    }

    /// How many processes there are.
    pub(crate) fn running(&self) -> u32 {
        self.allotment.taken()
    }

    /// Whether there is a place for one more process of this owner's.
    pub(crate) fn place(&self, owner: Owner) -> Result<(), ErrorKind> {
        self.allotment.take(owner.principal).map(drop)
    }

    /// Starts a process in the present runtime, with these variables of the caller's. What it writes to its standard error goes to the
    /// log, less the values of its variables.
    ///
    /// # Errors
    /// [`ErrorKind::Processes`] at a cap; [`ErrorKind::Connect`] when it cannot be started, or ended so often that it is not started
    /// again yet. Nothing was sent then.
    pub(crate) async fn start(&self, owner: Owner, caller: &CallerVariables) -> Result<Started, ErrorKind> {
        if let Some(pause) = self.backoff.pause(owner.key) {
            if pause > PATIENCE {
                let pause = Span(Duration::from_secs(pause.as_secs().max(1)));
                return Err(ErrorKind::Connect(format!("its process keeps ending; it is not started again before {pause} are over")));
            }
            sleep(pause).await;
        }
        let seat = self.allotment.take_soon(owner.principal, ROOM).await?;
        let environment = Environment::new(&self.program, std::env::vars_os(), caller);
        let mut command = self.command(&environment)?;
        if let Some(watchdog) = &self.watchdog {
            watchdog.prepare();
        }
        let mut child = command.spawn().map_err(|error| self.cannot_start(&error.kind().to_string()))?;
        let (id, stdin, stdout, errors) = match (child.id(), child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(id), Some(stdin), Some(stdout), Some(errors)) => (id, stdin, stdout, errors),
            // It was started with all of them, a moment ago.
            _ => return Err(self.cannot_start("it was gone at once")),
        };
        let group = Group::of(id).ok_or_else(|| self.cannot_start("it has no process id"))?;
        if let Some(watchdog) = &self.watchdog {
            watchdog.watch(group);
        }
        let (closing, (told, ended)) = (self.closing.child_token(), watch::channel(None));
        let listener = Listener { backend: Arc::clone(&self.backend), secrets: environment.into_secrets(), lines: Arc::clone(&self.lines) };
        self.tracker.spawn(stderr::listen(errors, listener, ended.clone()));
        let tended = Tended {
            backend: Arc::clone(&self.backend),
            child,
            leash: end::Leash::new(group, self.watchdog.clone()),
            closing: closing.clone(),
            ended: told,
            seat,
            backoff: Arc::clone(&self.backoff),
            key: owner.key,
            begun: Instant::now(),
            log: Arc::clone(&self.ends),
        };
        self.tracker.spawn(tended.run());
        let process = Process { id, closing, ended };
        Ok(Started { process, stdin, stdout })
    }

    fn command(&self, environment: &Environment) -> Result<Command, ErrorKind> {
        let program = find(&self.program.command, environment).map_err(ErrorKind::Connect)?;
        let mut command = Command::new(program);
        command.args(&self.program.args).env_clear().envs(environment.variables());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(folder) = &self.program.cwd {
            if !folder.is_dir() {
                return Err(self.cannot_start(&format!("there is no folder {}", folder.display())));
            }
            command.current_dir(folder);
        }
        #[cfg(unix)]
        command.process_group(0);
        Ok(command)
    }

    fn cannot_start(&self, why: &str) -> ErrorKind {
        ErrorKind::Connect(format!("cannot start `{}`: {why}", self.program.command))
    }
}

impl Process {
    #[cfg(test)]
    /// The id that the system knows it by.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Cancelled when it is to end. Whoever holds its standard input lets go of it then, since that is how it is asked.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Begins to end it: its standard input is closed, then it is asked by a signal, then it is killed.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Whether it has ended.
    #[cfg(test)]
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// How it ended, as `its process ended with …`; waits until it has.
    #[cfg(test)]
    pub(crate) async fn ended(&self) -> Arc<str> {
        how_it_ended(self.ended.clone()).await
    }

    /// The same, to keep apart from the handle.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.ended.clone()
    }
}

/// Waits until a process has ended.
pub(crate) async fn how_it_ended(mut ended: watch::Receiver<Option<Arc<str>>>) -> Arc<str> {
    match ended.wait_for(Option::is_some).await {
        Ok(how) => how.clone().unwrap_or_default(),
        // The runtime that it belonged to is gone, and it with it.
        Err(_) => "its process was ended".into(),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("id", &self.id).finish_non_exhaustive()
    }
}
