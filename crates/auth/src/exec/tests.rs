#![cfg(unix)]

use crate::{Identity, registries, testing};
use http::HeaderMap;
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use vmcp_core::plugin::{
    Authenticated, Credentials, Keep, OutgoingStrategy, Principal, StrategyContext, StrategyError, SubjectToken, TokenKind,
};

const ANSWER: &str = r#"echo '{"headers": {"authorization": "Bearer x"}, "expiresAt": 4102444800}'"#;

fn build(settings: &Value) -> Result<Arc<dyn OutgoingStrategy>, String> {
    let mut deps = testing::deps();
    deps.secrets = testing::secrets();
    let built = registries().strategies.build("exec", &testing::settings(&json!({ "exec": settings }).to_string()), &deps);
    built.map_err(|error| error.to_string())
}

/// A strategy that runs a line of shell.
fn shell(line: &str, more: Value) -> Arc<dyn OutgoingStrategy> {
    let mut settings = json!({ "command": "sh", "args": ["-c", line] });
    let Value::Object(more) = more else { panic!("not settings") };
    settings.as_object_mut().unwrap().extend(more);
    build(&settings).unwrap()
}

fn ann() -> Identity {
    let mut who = Authenticated::new(Principal { issuer: "https://id.example.com".into(), subject: "ann".into() });
    who.claims.insert("email".to_owned(), json!("ann@example.com"));
    who.claims.insert("private".to_owned(), json!("hunter2"));
    who.groups = vec!["dev".into()];
    who.subject_token = Some(SubjectToken::new("anns.own.token".into(), TokenKind::Jwt));
    Identity::new(who)
}

async fn ask(strategy: &dyn OutgoingStrategy) -> Result<Credentials, String> {
    let ann = ann();
    let context = ann.strategy_context("github");
    strategy.resolve(&context).await.map_err(|error| {
        assert!(matches!(error, StrategyError::Issuer(_)));
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        error.to_string()
    })
}

async fn headers(strategy: &dyn OutgoingStrategy) -> HeaderMap {
    testing::headers(&ask(strategy).await.unwrap())
}

/// What a program that repeats its input was told.
async fn told(strategy: &dyn OutgoingStrategy, context: &StrategyContext<'_>) -> Value {
    let given = testing::headers(&strategy.resolve(context).await.unwrap());
    let hex: Vec<u8> = given["x-told"]
        .to_str()
        .unwrap()
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    serde_json::from_slice(&hex).unwrap()
}

/// Repeats its input in hexadecimal digits.
const REPEAT: &str = r#"echo '{"headers": {"x-told": "'$(od -An -v -tx1 | tr -d ' \n')'"}}'"#;

async fn until(is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looking).await.unwrap();
}

/// Asks with the clock stopped until the program has written these files, however long the machine takes to start it: its time begins to
/// run out then.
async fn ask_once_written(strategy: &dyn OutgoingStrategy, files: &[&Path]) -> Result<Credentials, String> {
    let files: Vec<PathBuf> = files.iter().map(|&file| file.to_owned()).collect();
    tokio::time::pause();
    // The clock that is stopped leaps ahead when all wait, but not while this thread is at work.
    let written = tokio::task::spawn_blocking(move || {
        let is_written = |file: &PathBuf| fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n'));
        let begun = Instant::now();
        while !files.iter().all(is_written) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the program never wrote its files");
            thread::sleep(Duration::from_millis(5));
        }
    });
    let (given, written) = tokio::join!(ask(strategy), written);
    tokio::time::resume();
    written.unwrap();
    given
}

fn is_running(pid: &Path) -> bool {
    let pid = fs::read_to_string(pid).unwrap();
    // One that has ended and that nobody has asked about yet is a zombie.
    fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim().starts_with('Z'))
}

#[tokio::test]
async fn what_the_program_writes_becomes_headers_with_an_expiry() {
    let given = ask(&*shell(ANSWER, json!({}))).await.unwrap();
    assert_eq!(testing::headers(&given)["authorization"], "Bearer x");
    assert!(given.expires_at().is_some());
}

#[tokio::test]
async fn the_program_is_told_who_calls_and_what_is_listed_and_no_more() {
    let ann = ann();
    let context = ann.strategy_context("github");
    let strategy = shell(REPEAT, json!({ "headers": ["x-told"], "claims": ["email", "absent"] }));
    let summary = json!({
        "version": 1, "backend": "github", "issuer": "https://id.example.com", "subject": "ann", "groups": ["dev"],
        "claims": { "email": "ann@example.com" }, "delegation": [],
    });
    assert_eq!(told(&*strategy, &context).await, summary);
    assert!(matches!(strategy.keep(&context), Keep::ForToken(_)));
    assert_eq!(strategy.subject_key(&context).as_deref(), Some("ann"));

    let strategy = shell(REPEAT, json!({ "headers": ["x-told"], "sendToken": true }));
    let told_token = told(&*strategy, &context).await;
    assert_eq!((&told_token["subjectToken"], &told_token["subjectTokenKind"]), (&json!("anns.own.token"), &json!("jwt")));
}

#[tokio::test]
async fn for_the_gateways_own_requests_and_where_all_are_the_same_nobody_is_named() {
    let (ann, claims) = (ann(), Map::new());
    let nobody = json!({ "version": 1, "backend": "b", "issuer": null, "subject": null, "groups": [], "claims": {}, "delegation": [] });
    let strategy = shell(REPEAT, json!({ "headers": ["x-told"], "claims": ["email"], "sendToken": true }));
    let own = StrategyContext::new("b", None, &claims);
    assert_eq!(told(&*strategy, &own).await, nobody);
    assert!(matches!(strategy.keep(&own), Keep::Shared));

    let shared = shell(REPEAT, json!({ "headers": ["x-told"], "shared": true }));
    let context = ann.strategy_context("b");
    assert_eq!(told(&*shared, &context).await, nobody);
    assert!(matches!(shared.keep(&context), Keep::Shared) && shared.subject_key(&context).is_none());
}

#[tokio::test]
async fn the_environment_is_what_programs_need_and_what_the_settings_name() {
    let line = r#"echo '{"headers": {"x-env": "'$(env | cut -d= -f1 | sort | tr '\n' ' ')'", "x-given": "'"$GIVEN"'"}}'"#;
    let strategy = shell(
        line,
        json!({ "headers": ["x-env", "x-given"], "env": { "GIVEN": { "fromEnv": "SECRET" } }, "envPassthrough": ["CARGO_PKG_NAME"] }),
    );
    let given = headers(&*strategy).await;
    assert_eq!(given["x-given"], "hunter2");
    let names: Vec<&str> = given["x-env"].to_str().unwrap().split_whitespace().collect();
    // What the shell itself adds is no concern.
    let known = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "TZ",
        "LANG",
        "LC_ALL",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    assert!(names.contains(&"GIVEN") && names.contains(&"CARGO_PKG_NAME") && names.contains(&"PATH"), "{names:?}");
    assert!(names.iter().all(|name| known.contains(name) || ["GIVEN", "CARGO_PKG_NAME"].contains(name)), "{names:?}");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (folder.path().join("own"), folder.path().join("other"));
    let line = format!("echo $$ > {}; sleep 60 & echo $! > {}; wait", own.display(), other.display());
    let error = ask_once_written(&*shell(&line, json!({ "timeout": "300ms" })), &[&own, &other]).await.unwrap_err();
    assert_eq!(error, "the command `sh` did not end within 300ms");
    until(|| !is_running(&own) && !is_running(&other)).await;
}

#[tokio::test]
async fn a_program_that_closes_its_output_and_stays_is_killed_too() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    let line = format!("{ANSWER}; exec >&- 2>&-; echo $$ > {}; sleep 60", own.display());
    let error = ask_once_written(&*shell(&line, json!({ "timeout": "300ms" })), &[&own]).await.unwrap_err();
    assert_eq!(error, "the command `sh` did not end within 300ms");
    until(|| !is_running(&own)).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_ended_when_it_has_answered() {
    // Whether it lets go of the program's output or holds on to it.
    for output in [">&- 2>&-", ""] {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        let line = format!("sleep 60 {output} & echo $! > {}; {ANSWER}", other.display());
        let given = headers(&*shell(&line, json!({}))).await;
        assert_eq!(given["authorization"], "Bearer x", "{output}");
        until(|| !is_running(&other)).await;
    }
}

#[tokio::test]
async fn a_program_that_floods_is_ended_at_once() {
    for (line, why) in [
        ("yes", "the command `sh` wrote more than 64 KiB and was ended"),
        ("yes >&2", "the command `sh` wrote more than 1024 KiB and was ended"),
    ] {
        assert_eq!(ask(&*shell(line, json!({}))).await.unwrap_err(), why);
    }
}

#[tokio::test]
async fn garbage_a_failure_and_a_missing_program_are_told_and_not_quoted() {
    assert!(ask(&*shell("echo hunter2", json!({}))).await.unwrap_err().starts_with("the command `sh` gave no answer of the form"));
    assert_eq!(ask(&*shell("echo hunter2 >&2; exit 3", json!({}))).await.unwrap_err(), "the command `sh` ended with exit status: 3");
    let missing = build(&json!({ "command": "/nowhere/at-all" })).unwrap();
    assert_eq!(ask(&*missing).await.unwrap_err(), "the command `/nowhere/at-all` cannot be started: entity not found");
}

#[tokio::test]
async fn so_many_run_at_a_time_and_the_others_wait() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let line = format!(
        "touch {}/$$; n=0; while [ ! -e {} ] && [ $n -lt 3000 ]; do n=$((n+1)); sleep 0.01; done; {ANSWER}",
        folder.path().display(),
        gate.display()
    );
    let strategy = shell(&line, json!({}));
    let ann = ann();
    let context = ann.strategy_context("b");
    let all = (0..12).map(|_| strategy.resolve(&context));
    let mut all: Vec<_> = all.collect();
    let started = || fs::read_dir(folder.path()).unwrap().count();
    let mut done = 0;
    let waiting = std::future::poll_fn(|cx| {
        all.retain_mut(|one| match one.as_mut().poll(cx) {
            std::task::Poll::Ready(given) => {
                given.unwrap();
                done += 1;
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    let opening = async {
        until(|| started() == super::RUNS).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(started(), super::RUNS, "no more than these run");
        fs::write(&gate, "").unwrap();
    };
    tokio::join!(waiting, opening);
    assert_eq!(done, 12);
}

#[test]
fn settings_that_cannot_work_are_refused_in_words() {
    for (settings, why) in [
        (json!({ "command": " " }), "command: exec needs a `command`; name a program"),
        (json!({ "command": "x", "timeout": "1h" }), "timeout: exec has a `timeout` that is not between 1ms and 30s; correct it"),
        (
            json!({ "command": "x", "headers": ["a b"] }),
            "headers[0]: exec has a name under `headers` that is none; use letters, digits and hyphens only",
        ),
        (
            json!({ "command": "x", "shared": true, "sendToken": true }),
            "shared: exec has `shared: true` and says something of the caller (`claims`, `sendToken`); remove one of them",
        ),
        (
            json!({ "command": "x", "env": { "A": { "fromEnv": "MISSING" } } }),
            "env.A.fromEnv: exec lacks the variable `A`: the environment variable `MISSING` is not set; set it where vmcp runs",
        ),
        (json!({ "command": "x", "env": { "A=B": "1" } }), "env[\"A=B\"]: exec has a variable `A=B` that cannot be one; correct its name"),
    ] {
        assert_eq!(build(&settings).err().unwrap(), why);
    }
    assert_eq!(build(&json!({ "command": "x" })).unwrap().managed_headers(), ["authorization"]);
}
