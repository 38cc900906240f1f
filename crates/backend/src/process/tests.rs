//! Real processes: how they are started, how they end, and that none is left.

use super::*;
use crate::ErrorKind;
use http::HeaderValue;
use std::{fs, io::Write as _, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long anything may take before a test fails. Processes that a test starts end by themselves after a minute: a test that is killed ends
/// none.
const LONG: Duration = Duration::from_secs(20);

/// A program that the shell reads from a file.
fn script(folder: &Path, text: &str) -> Program {
    let file = folder.join("server.sh");
    fs::write(&file, text).unwrap();
    Program { args: vec![file.display().to_string()], ..Program::new("sh") }
}

fn starter(program: Program, tracker: &TaskTracker) -> Starter {
    Starter::new(&"b".into(), program, None, tracker, &CancellationToken::new())
}

async fn start(starter: &Starter) -> Started {
    starter.start(Owner::default(), &Vec::new()).await.unwrap()
}

/// The next line of its output.
async fn line(stdout: &mut BufReader<tokio::process::ChildStdout>) -> String {
    let mut line = String::new();
    timeout(LONG, stdout.read_line(&mut line)).await.unwrap().unwrap();
    line.trim_end().to_owned()
}

/// Whether a process is there, zombies counted.
fn is_there(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

async fn gone(id: u32) {
    let wait = async {
        while is_there(id) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.unwrap_or_else(|_| panic!("process {id} is still there"));
}

async fn all_done(tracker: &TaskTracker) {
    tracker.close();
    timeout(LONG, tracker.wait()).await.unwrap();
}

#[tokio::test]
async fn a_process_starts_in_the_folder_that_its_entry_names() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = TaskTracker::new();
    let program = Program { args: vec!["-c".to_owned(), "pwd -P".to_owned()], cwd: Some(folder.path().into()), ..Program::new("sh") };
    let started = start(&starter(program, &tracker)).await;
    let there = line(&mut BufReader::new(started.stdout)).await;
    assert_eq!(Path::new(&there), folder.path().canonicalize().unwrap());
}

#[tokio::test]
async fn a_process_sees_its_own_variables_and_none_of_vmcps() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = TaskTracker::new();
    let mut program = script(folder.path(), "env; echo end");
    program.env = vec![("GIVEN".to_owned(), "by the operator".into())];
    let caller = vec![("TOKEN".to_owned(), HeaderValue::from_static("hunter2"))];
    let started = starter(program, &tracker).start(Owner::default(), &caller).await.unwrap();
    let mut stdout = BufReader::new(started.stdout);
    let mut names = Vec::new();
    loop {
        let line = line(&mut stdout).await;
        let Some((name, value)) = line.split_once('=') else { break };
        if name == "TOKEN" {
            assert_eq!(value, "hunter2");
        }
        names.push(name.to_owned());
    }
    assert!(["PATH", "GIVEN", "TOKEN"].iter().all(|name| names.iter().any(|it| it == name)), "{names:?}");
    // Cargo sets a dozen for this test.
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO_")));
    assert!(!names.iter().any(|name| name.starts_with("CARGO_")), "{names:?}");
    drop(started.process);
    all_done(&tracker).await;
}

#[tokio::test]
async fn a_process_that_ends_when_its_input_ends_is_not_killed() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = TaskTracker::new();
    let text =
        format!("trap 'echo asked > {0}/asked' TERM\necho ready\ncat > /dev/null\necho ended > {0}/ended\n", folder.path().display());
    let starter = starter(script(folder.path(), &text), &tracker);
    let Started { process, stdin, stdout } = start(&starter).await;
    assert_eq!(line(&mut BufReader::new(stdout)).await, "ready");
    assert_eq!(starter.running(), 1);
    drop(stdin);
    process.close();
    let how = timeout(LONG, process.ended()).await.unwrap();
    assert_eq!(&*how, "its process was ended");
    all_done(&tracker).await;
    assert!(folder.path().join("ended").exists() && !folder.path().join("asked").exists());
    assert!(!is_there(process.id()), "no zombie stays");
    assert_eq!(starter.running(), 0);
}

#[tokio::test]
async fn one_that_does_not_is_asked_and_then_killed_with_everything_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = TaskTracker::new();
    let stubborn =
        "trap '' TERM\nsh -c 'trap \"\" TERM; echo $$; for _ in $(seq 60); do sleep 1; done' &\nfor _ in $(seq 60); do sleep 1; done";
    let Started { process, stdin, stdout } = start(&starter(script(folder.path(), stubborn), &tracker)).await;
    let child: u32 = line(&mut BufReader::new(stdout)).await.parse().unwrap();
    assert!(is_there(child));
    drop((stdin, process));
    all_done(&tracker).await;
    gone(child).await;
}

#[tokio::test]
async fn what_a_runner_leaves_behind_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = TaskTracker::new();
    let started = start(&starter(script(folder.path(), "sleep 60 & echo $!; exit 3"), &tracker)).await;
    let child: u32 = line(&mut BufReader::new(started.stdout)).await.parse().unwrap();
    assert_eq!(&*timeout(LONG, started.process.ended()).await.unwrap(), "its process ended with exit status 3");
    all_done(&tracker).await;
    gone(child).await;
}

#[tokio::test]
async fn the_end_of_the_runtime_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path(), "trap '' TERM\necho $$\nfor _ in $(seq 60); do sleep 1; done");
    let id = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let started = start(&starter(program, &TaskTracker::new())).await;
            let id = line(&mut BufReader::new(started.stdout)).await.parse::<u32>().unwrap();
            std::mem::drop(started.process);
            id
        })
    })
    .join()
    .unwrap();
    let running = |id: u32| {
        // The runtime that would have waited for it is gone: it may be a zombie until the test's process ends.
        fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    };
    let wait = async {
        while running(id) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named_with_where_it_was_looked_for() {
    let starter = |program| starter(program, &TaskTracker::new());
    let error = |error: ErrorKind| error.to_string();
    let none = starter(Program::new("no-such-program")).start(Owner::default(), &Vec::new()).await.err().map(error);
    assert_eq!(none.as_deref(), Some("failed: there is no program `no-such-program` on the PATH"));
    let nowhere = Program { cwd: Some("/no/where".into()), ..Program::new("sh") };
    let none = starter(nowhere).start(Owner::default(), &Vec::new()).await.err().map(error);
    assert_eq!(none.as_deref(), Some("failed: cannot start `sh`: there is no folder /no/where"));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_keeps_ending_is_started_less_and_less_often() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = TaskTracker::new();
    let starter = starter(script(folder.path(), "exit 1"), &tracker);
    let mut started = 0;
    let refused = loop {
        match starter.start(Owner::default(), &Vec::new()).await {
            Ok(own) => {
                own.process.ended().await;
                started += 1;
            }
            Err(error) => break error.to_string(),
        }
    };
    // 0.5 s, 1 s and perhaps 2 s are waited for.
    assert!((3..=4).contains(&started), "{started}");
    assert!(refused.starts_with("failed: its process keeps ending; it is not started again before "), "{refused}");
}

#[tokio::test]
async fn nothing_is_started_beyond_the_cap() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = TaskTracker::new();
    let starter = starter(Program { max: 1, ..script(folder.path(), "cat") }, &tracker);
    let first = start(&starter).await;
    let refused = starter.start(Owner::default(), &Vec::new()).await.err().unwrap();
    assert!(matches!(refused, ErrorKind::Processes { limit: 1, is_principals: false }));
    drop(first);
    all_done(&tracker).await;
    assert_eq!(starter.running(), 0);
}

#[test]
fn the_helper_ends_the_groups_that_it_was_told_of_and_no_others() {
    use std::os::unix::process::CommandExt as _;
    let group = |script: &str| {
        let mut command = std::process::Command::new("sh");
        let command = command.args(["-c", script]).process_group(0);
        let (null, piped) = (std::process::Stdio::null, std::process::Stdio::piped);
        Killed(command.stdin(null()).stdout(piped()).stderr(null()).spawn().unwrap())
    };
    let stubborn = "trap '' TERM; echo deaf now; for _ in $(seq 60); do sleep 1; done";
    let (mut meek, mut deaf, mut other) = (group("sleep 60"), group(stubborn), group("sleep 60"));
    let mut word = [0; 8];
    std::io::Read::read_exact(&mut deaf.0.stdout.take().unwrap(), &mut word).unwrap();
    let (input, mut told) = std::io::pipe().unwrap();
    let helper = std::thread::spawn(move || watch_over_servers(std::io::BufReader::new(input)));
    write!(told, "+{}\n+{}\n+{}\nnonsense\n+1\n+0\n-{}\n", meek.0.id(), deaf.0.id(), other.0.id(), other.0.id()).unwrap();
    assert!(meek.0.try_wait().unwrap().is_none() && deaf.0.try_wait().unwrap().is_none());
    drop(told);
    helper.join().unwrap().unwrap();
    let signal = |own: &mut Killed| std::os::unix::process::ExitStatusExt::signal(&own.0.wait().unwrap());
    assert_eq!((signal(&mut meek), signal(&mut deaf)), (Some(15), Some(9)));
    assert!(other.0.try_wait().unwrap().is_none());
}

/// A process of a test's own, which does not outlive it.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_helper_hears_of_each_process_and_of_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let heard = folder.path().join("heard");
    let args = ["-c".to_owned(), format!("exec cat > {}", heard.display())];
    let sh = std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|folder| folder.join("sh")).find(|sh| sh.exists()).unwrap();
    let watchdog = Arc::new(Watchdog::new(sh, args.map(Into::into).to_vec()));
    let tracker = TaskTracker::new();
    let program = script(folder.path(), "cat");
    let starter = Starter::new(&"b".into(), Program { env: Vec::new(), ..program }, Some(watchdog), &tracker, &CancellationToken::new());
    let first = start(&starter).await;
    let (id, second) = (first.process.id(), start(&starter).await);
    drop(first);
    let wait = async {
        while !fs::read_to_string(&heard).unwrap_or_default().contains(&format!("-{id}\n")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.unwrap();
    let expected = format!("+{id}\n+{}\n-{id}\n", second.process.id());
    assert_eq!(fs::read_to_string(&heard).unwrap(), expected);
    drop(second);
    all_done(&tracker).await;
}
