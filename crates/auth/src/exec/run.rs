//! One run of a program, from its start until nothing of it is left.

use super::{environment::Environment, group::Running};
use std::{fmt, process::Stdio, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};
use vmcp_core::plugin::Overseer;
use zeroize::Zeroizing;

/// The longest answer, in bytes.
const LONGEST: usize = 64 * 1024;

/// How much of the standard error is looked at, in bytes.
pub(super) const COMPLAINTS: usize = 8 * 1024;

/// How much it may be in all: a program that writes on and on is ended.
const FLOOD: usize = 1024 * 1024;

/// A program with its arguments and its environment. Shown as ``the command `NAME` ``: arguments may be secrets.
pub(super) struct Program {
    pub(super) command: String,
    pub(super) args: Vec<String>,
    pub(super) environment: Environment,
    /// Who is told of each run.
    pub(super) overseer: Option<Arc<dyn Overseer>>,
}

/// What a program wrote.
pub(super) struct Ran {
    pub(super) stdout: Zeroizing<Vec<u8>>,
    pub(super) stderr: Zeroizing<Vec<u8>>,
}

/// Why there is no answer, to follow the program's name, and what it wrote to its standard error.
pub(super) struct Failed {
    pub(super) why: String,
    pub(super) stderr: Zeroizing<Vec<u8>>,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the command `{}`", self.command)
    }
}

impl Program {
    /// Runs it with this on its standard input. Dropping the future ends it.
    pub(super) async fn run(&self, input: Zeroizing<Vec<u8>>) -> Result<Ran, Failed> {
        let cannot = |why: String| Failed { why, stderr: Zeroizing::default() };
        let mut running = self.start().map_err(|error| cannot(format!("cannot be started: {}", error.kind())))?;
        let child = running.child();
        let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(cannot("cannot be talked to".to_owned()));
        };
        let write = async move {
            // One that does not want to be told closes its end.
            let _ = stdin.write_all(&input).await;
            Ok(())
        };
        // Room for all of it, so that no part of a credential is left behind where the text grew.
        let (mut out, mut err) = (Zeroizing::new(Vec::with_capacity(LONGEST)), Zeroizing::new(Vec::with_capacity(COMPLAINTS)));
        let over = async {
            // What holds the pipes open when the program has ended is ended, so that they end too.
            #[cfg(unix)]
            running.over().await;
            Ok(())
        };
        let (stdout, stderr) = (read(&mut stdout, &mut out, LONGEST, LONGEST), read(&mut stderr, &mut err, COMPLAINTS, FLOOD));
        let flood = tokio::try_join!(write, stdout, stderr, over);
        if let Err(limit) = flood {
            drop(running);
            return Err(Failed { why: format!("wrote more than {} KiB and was ended", limit / 1024), stderr: err });
        }
        match running.status().await {
            Ok(status) if status.success() => Ok(Ran { stdout: out, stderr: err }),
            Ok(status) => Err(Failed { why: format!("ended with {status}"), stderr: err }),
            Err(error) => Err(Failed { why: format!("was lost: {}", error.kind()), stderr: err }),
        }
    }

    fn start(&self) -> std::io::Result<Running> {
        let mut command = Command::new(&self.command);
        command.args(&self.args).env_clear().envs(self.environment.variables());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(command, self.overseer.as_ref())
    }
}

/// Reads to the end: what comes first is kept. The error is the limit that it passed.
async fn read(from: &mut (impl AsyncRead + Unpin), kept: &mut Zeroizing<Vec<u8>>, keep: usize, most: usize) -> Result<(), usize> {
    let mut buffer = Zeroizing::new(vec![0; 4 * 1024]);
    let mut all = 0usize;
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        all = all.saturating_add(read);
        let room = keep.saturating_sub(kept.len());
        kept.extend(buffer.iter().take(read.min(room)));
        if all > most {
            return Err(most);
        }
    }
    Ok(())
}
