//! A pipe to real processes.

use super::{
    queue::{QUEUE, QUEUED},
    *,
};
use crate::{
    ErrorKind, Program,
    budget::Budget,
    process::{Owner, Starter},
    session::Crowd,
};
use bytes::Bytes;
use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vmcp_core::Seldom;

/// How long anything may take before a test fails.
const LONG: Duration = Duration::from_secs(20);

const MAX: usize = 100_000;

/// What was heard, a line each: messages as they are, the others in words.
#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<String>>,
    more: Notify,
}

impl Heard {
    fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
        self.more.notify_one();
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits until so many were heard.
    async fn at_least(&self, count: usize) -> Vec<String> {
        let wait = async {
            while self.lines().len() < count {
                self.more.notified().await;
            }
        };
        timeout(LONG, wait).await.unwrap_or_else(|_| panic!("only {:?}", self.lines()));
        self.lines()
    }
}

impl Inbound for Heard {
    fn message(&self, line: Bytes, _: &dyn Fn(Bytes)) -> Option<Crowd> {
        self.push(String::from_utf8_lossy(&line).into_owned());
        None
    }

    fn dropped(&self, why: ErrorKind, _: Option<u64>) {
        self.push(format!("dropped: {why}"));
    }

    fn ended(&self, why: ErrorKind) {
        self.push(format!("ended: {why}"));
    }
}

struct House {
    folder: tempfile::TempDir,
    options: PipeOptions,
    heard: Arc<Heard>,
}

impl House {
    fn new() -> Self {
        let options = PipeOptions {
            backend: "b".into(),
            max_message: MAX,
            budget: Budget::new(10 * MAX),
            tracker: TaskTracker::new(),
            garbage: Arc::new(Seldom::new(1, Duration::from_secs(60))),
        };
        Self { folder: tempfile::tempdir().unwrap(), options, heard: Arc::default() }
    }

    /// A pipe to a Python program.
    async fn open(&self, text: &str) -> ChildPipe {
        let file = self.folder.path().join("server.py");
        fs::write(&file, format!("import sys, json, time, os\n{text}\n")).unwrap();
        let program = Program { args: vec!["-u".to_owned(), file.display().to_string()], ..Program::new("python3") };
        let starter = Starter::new(&self.options.backend, program, None, &self.options.tracker, &CancellationToken::new());
        let started = starter.start(Owner::default(), &Vec::new()).await.unwrap();
        ChildPipe::open(started, Arc::clone(&self.heard) as Arc<dyn Inbound>, &self.options)
    }

    async fn done(&self) {
        self.options.tracker.close();
        timeout(LONG, self.options.tracker.wait()).await.unwrap();
    }
}

const ECHO: &str = "for line in sys.stdin:\n    sys.stdout.write(line)\n    sys.stdout.flush()";

#[tokio::test]
async fn messages_go_and_come_in_order_and_byte_for_byte() {
    let house = House::new();
    let pipe = house.open(ECHO).await;
    let messages: Vec<String> = (0..200).map(|id| format!("{{\"id\": {id},  \"text\":\"{}\\u00e4 ä\"}}", "x".repeat(id * 40))).collect();
    for message in &messages {
        pipe.put(Bytes::from(message.clone())).await.unwrap();
    }
    assert_eq!(house.heard.at_least(200).await, messages);
    drop(pipe);
    house.done().await;
    assert_eq!(house.heard.lines().last().unwrap(), "ended: failed: its process was ended");
}

#[tokio::test]
async fn what_is_no_message_is_passed_over() {
    let house = House::new();
    let pipe =
        house.open("print('Server started on stdio')\nprint()\nprint('  {\"id\":1}')\nprint('[1]')\nprint('42')\nsys.stdin.read()").await;
    assert_eq!(house.heard.at_least(2).await, ["  {\"id\":1}", "[1]"]);
    drop(pipe);
    house.done().await;
}

#[tokio::test]
async fn an_end_names_the_exit_status_after_everything_that_was_said() {
    let house = House::new();
    let pipe = house.open("print('{\"id\":1}')\nsys.stdout.flush()\nos._exit(7)").await;
    assert_eq!(house.heard.at_least(2).await, ["{\"id\":1}", "ended: failed: its process ended with exit status 7"]);
    house.done().await;
    let refused = pipe.put(Bytes::from_static(b"{}")).await.unwrap_err();
    assert_eq!(refused.to_string(), "failed: its process takes no more messages");
    assert!(pipe.process().has_ended());
}

#[tokio::test]
async fn a_process_that_closes_its_output_is_ended() {
    let house = House::new();
    let pipe = house.open("os.close(1)\nsys.stdin.read()").await;
    assert_eq!(house.heard.at_least(1).await, ["ended: failed: its process closed its output"]);
    house.done().await;
    assert!(pipe.process().has_ended());
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_dropped_and_the_next_one_is_heard() {
    let house = House::new();
    let pipe = house.open("print('{\"text\":\"' + 'x' * 300000 + '\"}')\nprint('{\"id\":2}')\nsys.stdin.read()").await;
    assert_eq!(house.heard.at_least(2).await, ["dropped: got an answer of more than 100000 bytes", "{\"id\":2}"]);
    drop(pipe);
    house.done().await;
}

#[tokio::test]
async fn messages_share_the_budget_of_all_answers() {
    let mut house = House::new();
    house.options.budget = Budget::new(30_000);
    let pipe = house.open("print('{\"text\":\"' + 'x' * 80000 + '\"}')\nprint('{\"id\":2}')\nsys.stdin.read()").await;
    let heard = house.heard.at_least(2).await;
    assert_eq!(heard, ["dropped: got an answer for which there is no memory left; retry later", "{\"id\":2}"]);
    assert_eq!(house.options.budget.used(), 0);
    drop(pipe);
    house.done().await;
}

#[tokio::test]
async fn a_server_that_does_not_read_lets_its_callers_wait_and_nobody_else() {
    let house = House::new();
    let pipe = house.open("time.sleep(1000)").await;
    let message = Bytes::from(format!("{{\"text\":\"{}\"}}", "x".repeat(60_000)));
    let mut sent = 0;
    while timeout(Duration::from_millis(200), pipe.put(message.clone())).await.is_ok() {
        sent += 1;
        assert!(sent < 2 * QUEUE, "the queue has no end");
    }
    assert!(sent >= QUEUE, "{sent}");
    pipe.end();
    house.done().await;
    assert_eq!(house.heard.lines(), ["ended: failed: its process was ended"]);
}

#[tokio::test]
async fn what_waits_for_a_server_that_does_not_read_has_a_bound_in_bytes() {
    let house = House::new();
    let pipe = house.open("time.sleep(1000)").await;
    let most = QUEUED as usize * 1024;
    let message = Bytes::from(format!("{{\"text\":\"{}\"}}", "x".repeat(most / 4)));
    let mut sent = 0;
    while timeout(Duration::from_millis(200), pipe.put(message.clone())).await.is_ok() {
        sent += 1;
        assert!(sent < 8, "{sent} messages of {} bytes wait", message.len());
    }
    let too_long = Bytes::from(format!("{{\"text\":\"{}\"}}", "x".repeat(2 * most)));
    assert!(timeout(Duration::from_millis(200), pipe.put(too_long)).await.is_err());
    pipe.end();
    house.done().await;
    // A place comes free with the end, and it is too late for it.
    assert!(timeout(LONG, pipe.put(message)).await.unwrap().is_err());
}

#[tokio::test]
async fn a_message_longer_than_all_that_may_wait_goes_alone() {
    let mut house = House::new();
    house.options.max_message = 100_000_000;
    house.options.budget = Budget::new(100_000_000);
    let pipe = house.open(ECHO).await;
    let message = format!("{{\"text\":\"{}\"}}", "x".repeat(QUEUED as usize * 1024 + 1));
    pipe.put(Bytes::from(message.clone())).await.unwrap();
    assert!(house.heard.at_least(1).await == [message]);
    drop(pipe);
    house.done().await;
}
