//! `vmcp demo` from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what it got has failed")]

mod support;

use serde_json::Value;
use std::net::TcpListener;
use support::{Demo, Folder, post};

#[test]
fn once_prints_the_configuration_and_which_header_reached_whom() {
    let text = Folder::new(&[]).vmcp(&["demo", "--once", "--port", "0"]).good();
    for row in [
        "alice   x-github-token: gh-alice-111      authorization: Bearer gh-alice-111  -",
        "alice   x-tenant: blue                    -                                   x-tenant: blue",
        "bob     x-request-id: req-b1              x-request-id: req-b1                x-request-id: req-b1",
        "bob     x-diary: bob-secret               -                                   -",
        "bob     authorization: Bearer vmcp-bob    -                                   -",
        "bob     (the configuration)               x-mcp-toolsets: issues              -",
    ] {
        assert!(text.lines().any(|line| line == row), "{row}\n\n{text}");
    }
    assert!(text.contains("      - name: x-github-token"), "{text}");
    assert!(!text.contains("Try"), "nothing is serving any more: {text}");
}

#[test]
fn json_has_every_call_and_no_value_where_it_must_not_be() {
    let story = Folder::new(&[]).vmcp(&["demo", "--once", "--port", "0", "--json"]).json();
    let calls = story["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 12);
    for call in calls {
        let (mine, others) = if call["caller"] == "alice" { ("alice", "bob") } else { ("bob", "alice") };
        assert_eq!(call["era"], if mine == "alice" { "modern" } else { "legacy" });
        let received = call["received"].to_string();
        assert!(!received.contains(others) && !received.contains("secret") && !received.contains("vmcp-"), "{call}");
        let (given, taken) = if call["backend"] == "github" { ("gh-", "x-tenant") } else { ("x-tenant", "gh-") };
        assert!(received.contains(given) && !received.contains(taken), "{call}");
    }
    let reached = |caller: &str, name: &str| {
        let rows = story["headers"].as_array().unwrap();
        let row = rows.iter().find(|row| row["caller"] == caller && row["sent"]["name"] == name).unwrap();
        let names = row["reached"].as_array().unwrap().iter().map(|reached| format!("{}: {}", reached["backend"], reached["name"]));
        names.collect::<Vec<_>>().join(", ").replace('"', "")
    };
    assert_eq!(reached("bob", "x-github-token"), "github: authorization");
    assert_eq!(reached("bob", "x-tenant"), "wiki: x-tenant");
    assert_eq!(reached("alice", "x-request-id"), "github: x-request-id, wiki: x-request-id");
    assert_eq!(reached("alice", "authorization"), "");
}

#[test]
fn it_serves_on_until_it_is_stopped() {
    let demo = Demo::start();
    assert_eq!(demo.url, demo.story["url"]);
    let answer = post(&demo.url, "github_whoami", &[("x-github-token", "mine"), ("x-other", "stays")]);
    let received = answer["result"]["structuredContent"]["headers"].to_string();
    assert!(received.contains("authorization: Bearer mine") && !received.contains("stays"), "{received}");
    #[cfg(unix)]
    {
        let (code, heard) = demo.running.stop("-INT");
        assert_eq!(code, Some(0));
        assert_eq!(heard, format!("note: listening on {}; Ctrl-C stops it\n", demo.url));
    }
}

#[test]
fn what_it_says_to_try_next_works() {
    let folder = Folder::new(&[]);
    let mut running = folder.start(&["demo", "--port", "0"]);
    let url = running.url();
    let mut text = vec![running.line()];
    while !text[text.len() - 1].contains("mcpServers") {
        text.push(running.line());
    }
    let line =
        |start: &str| text.iter().map(|line| line.trim()).find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text:#?}"));
    // Without a PATH no shell would find it by its name.
    let program = env!("CARGO_BIN_EXE_vmcp");
    for start in [format!("{program} tools ls "), format!("{program} tools call ")] {
        let words: Vec<&str> = line(&start)
            .split('\'')
            .enumerate()
            .flat_map(|(index, part)| if index % 2 == 1 { vec![part] } else { part.split(' ').collect() })
            .filter(|word| !word.is_empty())
            .collect();
        let said = folder.vmcp(&words[1..]).good();
        assert!(said.contains("github_whoami") || said.contains("authorization: Bearer mine"), "{said}");
    }
    let curl: Vec<&str> = line("curl ").split('\'').collect();
    let body: Value = serde_json::from_str(curl[curl.len() - 2]).unwrap();
    assert_eq!(body["params"]["name"], "github_whoami");
    assert!(curl.contains(&"mcp-name: github_whoami") && curl[0].contains(&url), "{curl:?}");
    let client: Value = serde_json::from_str(line("{\"mcpServers\"")).unwrap();
    assert_eq!(client["mcpServers"]["vmcp"]["url"], url);
}

#[test]
fn the_usual_port_is_taken_where_it_is_free_and_another_one_is_said_to_be() {
    let ended = Folder::new(&[]).vmcp(&["demo", "--once"]);
    let usual = ended.stdout.starts_with("A gateway at http://127.0.0.1:4483/mcp ");
    assert_eq!((ended.code, usual), (0, ended.stderr.is_empty()), "{}{}", ended.stdout, ended.stderr);
    assert!(usual || ended.stderr == "note: port 4483 is taken, so the demo takes a free one\n", "{}", ended.stderr);
}

#[test]
fn a_port_that_was_asked_for_is_that_one_or_an_error() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let error = Folder::new(&[]).vmcp(&["demo", "--once", "--port", &taken.port().to_string()]).error();
    assert_eq!(error, format!("{taken} is in use; choose another port with --port or `listen`"));
}
