//! `vmcp serve` from outside: how it starts, what it says, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what it got has failed")]

mod support;

use serde_json::Value;
use std::net::TcpListener;
use support::{Demo, Folder, post, request};

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
    for line in heard.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn what_stands_in_its_way_is_one_line_that_says_what_to_do() {
    let folder = Folder::new(&[
        ("vmcp.yaml", "backends: [{name: a, url: 'http://127.0.0.1:1/mcp', headers: {x-key: {fromEnv: NOT_SET}}}]\n"),
        ("good.yaml", "backends: [{name: a, url: 'http://127.0.0.1:1/mcp'}]\n"),
    ]);
    let error = folder.vmcp(&["serve"]).error();
    assert_eq!(error.trim_end(), "vmcp.yaml:1:63: backends[0].headers.x-key: the environment variable `NOT_SET` is not set");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let error = folder.vmcp(&["serve", "--config", "good.yaml", "--port", &address.port().to_string()]).error();
    assert_eq!(error, format!("{address} is in use; choose another port with --port or `listen`"));
    let error = Folder::new(&[]).vmcp(&["serve"]).error();
    assert!(error.contains("give --config FILE or --backend NAME=URL"), "{error}");
}
