//! `vmcp serve` from outside: how it starts, what it says, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what it got has failed")]

mod support;

use serde_json::Value;
use std::net::TcpListener;
use support::{Demo, Folder, post, post_to, request};

#[test]
fn flags_alone_are_a_configuration() {
    let demo = Demo::start();
    let backend = format!("wiki={}", demo.backend("wiki"));
    let folder = Folder::new(&[]);
    let mut running = folder.start(&["serve", "--port", "0", "--backend", &backend, "--passthrough-header", "x-tenant"]);
    let url = running.url();
    let answer = post(&url, "wiki_whoami", &[("x-tenant", "blue"), ("x-other", "stays")]);
    let received = answer["result"]["structuredContent"]["headers"].to_string();
    assert!(received.contains("\"x-tenant: blue\"") && !received.contains("stays"), "{received}");
    let (status, _) = request("GET", &url.replace("/mcp", "/health"), &[], "");
    assert_eq!(status, 200);
}

#[test]
fn a_file_in_the_working_folder_is_found_and_flags_win_over_it() {
    let folder = Folder::new(&[("vmcp.yaml", "listen: 127.0.0.1:1\npath: /tools\nbackends: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n")]);
    let mut running = folder.start(&["serve", "--port", "0"]);
    let url = running.url();
    assert!(url.ends_with("/tools"), "{url}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_in_good_order() {
    let folder = Folder::new(&[("vmcp.yaml", "backends: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n")]);
    for signal in ["-TERM", "-INT"] {
        let mut running = folder.start(&["serve", "--port", "0"]);
        running.url();
        let (code, heard) = running.stop(signal);
        assert_eq!(code, Some(0), "{heard}");
        assert!(heard.contains("stopping: "), "{heard}");
    }
}

#[cfg(unix)]
#[test]
fn the_log_is_json_where_it_is_asked_for_and_holds_no_value_however_much_it_says() {
    let demo = Demo::start();
    let backend = format!("wiki={}", demo.backend("wiki"));
    let folder = Folder::new(&[]);
    let flags = ["--log-format", "json", "--log-level", "trace", "--passthrough-header", "x-key"];
    let mut running = folder.start(&[&["serve", "--port", "0", "--backend", &backend], &flags[..]].concat());
    let url = running.url();
    post(&url, "wiki_whoami", &[("x-key", "hunter2"), ("x-other", "hunter2"), ("authorization", "Bearer hunter2")]);
    let (_, heard) = running.stop("-TERM");
    assert!(!heard.contains("hunter2"), "{heard}");
    events(&heard);
}

/// A log in JSON, in which every line is an event.
fn events(heard: &str) -> Vec<Value> {
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
        line
    };
    heard.lines().map(read).collect()
}

/// What is worth a warning, and what is worth a note.
const OPEN: &str = "listen: 0.0.0.0:0\nbackends: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n";

#[test]
fn what_is_worth_a_warning_is_an_event_in_the_log() {
    let folder = Folder::new(&[("vmcp.yaml", OPEN)]);
    let mut running = folder.start(&["serve", "--log-format", "json"]);
    running.url();
    let warnings: Vec<Value> = events(&running.heard).into_iter().filter(|event| event["level"] == "WARN").collect();
    let about: Vec<&str> = warnings.iter().map(|event| event["path"].as_str().unwrap()).collect();
    assert_eq!(about, ["listen", "allowedHosts"], "each once: {warnings:#?}");
    assert_eq!(warnings[0]["place"], "vmcp.yaml:1:1");
    assert!(warnings[0]["message"].as_str().unwrap().starts_with("anyone who reaches 0.0.0.0:0 can call every tool"), "{warnings:#?}");
    assert_eq!(warnings[1]["hint"], "list the names that clients use");
    let mut running = folder.start(&["serve"]);
    running.url();
    let lines: Vec<&str> = running.heard.lines().filter(|line| line.contains("anyone who reaches")).collect();
    assert!(matches!(lines.as_slice(), [line] if line.contains(" WARN ") && line.contains("vmcp.yaml:1:1")), "{}", running.heard);
}

#[test]
fn a_log_for_programs_ends_with_the_reason_in_its_own_form() {
    let folder = Folder::new(&[("bad.yaml", "lisen: x\nbackends: []\n"), ("vmcp.yaml", OPEN)]);
    let ended = folder.vmcp(&["serve", "--log-format", "json", "--config", "bad.yaml"]);
    assert_eq!(ended.code, 1);
    let event = &events(&ended.stderr)[0];
    assert_eq!((&event["level"], &event["path"], &event["place"]), (&"ERROR".into(), &"lisen".into(), &"bad.yaml:1:1".into()), "{event}");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let ended = folder.vmcp(&["serve", "--log-format", "json", "--host", "127.0.0.1", "--port", &address.port().to_string()]);
    assert_eq!(ended.code, 1);
    let last = events(&ended.stderr).pop().unwrap();
    assert_eq!(last["message"], format!("{address} is in use; choose another port with --port or `listen`"));
}

#[test]
fn the_log_is_coloured_when_all_else_is() {
    let folder = Folder::new(&[("vmcp.yaml", OPEN)]);
    let coloured = |environment: &[(&str, &str)], color: &str| {
        let mut running = folder.start_in(environment, &["serve", "--color", color]);
        running.url();
        running.heard.contains('\x1b')
    };
    assert!(coloured(&[], "always") && coloured(&[("NO_COLOR", "1")], "always"));
    assert!(!coloured(&[], "never") && !coloured(&[("TERM", "xterm")], "auto"));
}

#[test]
fn one_thread_serves_as_several_do() {
    let demo = Demo::start();
    let backend = format!("wiki={}", demo.backend("wiki"));
    for workers in ["1", "3"] {
        let folder = Folder::new(&[]);
        let mut running = folder.start(&["serve", "--port", "0", "--backend", &backend, "--workers", workers]);
        let url = running.url();
        for call in 0..6 {
            let answer = post(&url, "wiki_whoami", &[]);
            assert!(answer["result"]["structuredContent"]["server"] == "wiki", "{workers} {call}: {answer}");
        }
        #[cfg(target_os = "linux")]
        assert_eq!(running.threads("vmcp-worker-").to_string(), workers);
    }
}

#[test]
fn one_more_host_leaves_this_machines_own_names() {
    let folder = Folder::new(&[("vmcp.yaml", "backends: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n")]);
    let mut running = folder.start(&["serve", "--port", "0", "--allowed-host", "gw.example.com"]);
    let url = running.url();
    let status = |host: &str| post_to(&url, host);
    assert_eq!((status("localhost"), status("127.0.0.1:1"), status("gw.example.com")), (200, 200, 200));
    assert_eq!(status("evil.example.com"), 403);
}

#[test]
fn what_stands_in_its_way_is_one_line_that_says_what_to_do() {
    let folder = Folder::new(&[
        ("vmcp.yaml", "backends: [{name: a, url: 'http://127.0.0.1:1/mcp', headers: {x-key: {fromEnv: NOT_SET}}}]\n"),
        ("good.yaml", "backends: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n"),
    ]);
    let error = folder.vmcp(&["serve"]).error();
    assert!(error.starts_with("vmcp.yaml:1:63: backends[0].headers.x-key: the environment variable `NOT_SET` is not set"), "{error}");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let error = folder.vmcp(&["serve", "--config", "good.yaml", "--port", &address.port().to_string()]).error();
    assert_eq!(error, format!("{address} is in use; choose another port with --port or `listen`"));
    let error = Folder::new(&[]).vmcp(&["serve"]).error();
    assert!(error.contains("give --config FILE or --backend NAME=URL"), "{error}");
}
