//! `vmcp tools` from outside: against a gateway, against a configuration, and against a server of another make.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what it got has failed")]

mod support;

use serde_json::{Value, json};
use support::{Demo, Folder, Other};

#[test]
fn ls_shows_names_backends_and_descriptions() {
    let demo = Demo::start();
    let text = demo.folder.vmcp(&["tools", "ls", "--url", &demo.url]).good();
    let description = "Answers with the headers of the request that this server received.";
    assert_eq!(text, format!("NAME           DESCRIPTION\ngithub_whoami  {description}\nwiki_whoami    {description}\n"));
    let config = demo.config("vmcp.yaml", "", "");
    let text = demo.folder.vmcp(&["tools", "ls", "--config", &config]).good();
    assert_eq!(
        text,
        format!("NAME           BACKEND  DESCRIPTION\ngithub_whoami  github   {description}\nwiki_whoami    wiki     {description}\n")
    );
    // Names of an endpoint stay as they are.
    let direct = demo.folder.vmcp(&["tools", "ls", "--url", demo.backend("wiki"), "--json"]).json();
    assert_eq!(direct[0]["name"], "whoami");
    assert_eq!(direct[0]["annotations"]["readOnlyHint"], true);
}

#[test]
fn a_call_prints_structured_content_once_and_the_raw_result_with_json() {
    let demo = Demo::start();
    let call = |more: &[&str]| demo.folder.vmcp(&[&["tools", "call", "wiki_whoami", "--url", &demo.url], more].concat());
    let printed: Value = serde_json::from_str(&call(&[]).good()).unwrap();
    assert_eq!(printed["server"], "wiki");
    let raw = call(&["--json"]).json();
    assert_eq!((&raw["resultType"], &raw["structuredContent"]["server"]), (&json!("complete"), &json!("wiki")));
    let from_stdin = demo.folder.vmcp_with(" {}\n", &["tools", "call", "wiki_whoami", "-", "--url", &demo.url]).good();
    assert!(from_stdin.contains("\"server\": \"wiki\""), "{from_stdin}");
}

#[test]
fn headers_go_where_the_configuration_says_and_to_an_endpoint_all_of_them() {
    let demo = Demo::start();
    std::fs::write(demo.folder.path("headers"), "authorization: Bearer mine\nx-a: 1\n").unwrap();
    let text = demo.folder.vmcp(&["tools", "call", "whoami", "--url", demo.backend("wiki"), "-H", "@headers", "-H", "x-a: 2"]).good();
    for sent in ["authorization: Bearer mine", "x-a: 1", "x-a: 2"] {
        assert!(text.contains(&format!("\"{sent}\"")), "{sent}\n{text}");
    }
    let config = demo.config("vmcp.yaml", "passthroughHeaders: [{ name: x-t, as: authorization, format: 'Bearer {}' }]", "");
    let call = |tool: &str, header: &str| demo.folder.vmcp(&["tools", "call", tool, "--config", &config, "-H", header]);
    assert!(call("github_whoami", "x-t: mine").good().contains("\"authorization: Bearer mine\""));
    assert!(!call("wiki_whoami", "x-t: mine").good().contains("mine"));
    let ended = call("wiki_whoami", "x-nobody: hunter2");
    assert_eq!(
        ended.stderr,
        "warning: header `x-nobody` is listed for no backend and stays here; `vmcp headers explain` shows which are\n"
    );
    assert!(!ended.stdout.contains("hunter2"));
    let error = call("wiki_whoami", "x-t: not a token hunter2").error();
    assert!(error.contains("header `x-t`: backend `github`") && !error.contains("hunter2"), "{error}");
}

#[test]
fn failures_are_one_line_that_says_what_to_do() {
    let demo = Demo::start();
    let call = |arguments: &[&str]| demo.folder.vmcp(&[&["tools", "call", "--url", &demo.url], arguments].concat());
    assert_eq!(call(&["whoami"]).error(), "no tool `whoami`; did you mean `github_whoami` or `wiki_whoami`?");
    assert_eq!(call(&["github_whoam"]).error(), "no tool `github_whoam`; did you mean `github_whoami`?");
    assert_eq!(call(&["else"]).error(), "no tool `else`; `vmcp tools ls` lists what there is");
    let failed = call(&["wiki_whoami", r#"{"a": 1}"#]);
    assert_eq!(failed.stdout, "whoami takes no arguments\n");
    assert_eq!(failed.error(), "the tool `wiki_whoami` reports an error");
    let error = call(&["wiki_whoami", r#"{"a": hunter2"#]).error();
    assert!(error.starts_with("the arguments are not JSON (line 1, column ") && !error.contains("hunter2"), "{error}");
    assert!(call(&["wiki_whoami", "[]"]).error().starts_with("the arguments are JSON, but no object; "));
    let gone = demo.folder.vmcp(&["tools", "ls", "--url", "http://127.0.0.1:1/mcp"]).error();
    assert!(gone.starts_with("http://127.0.0.1:1/mcp: connect failed: "), "{gone}");
    let pathless = demo.url.trim_end_matches("mcp");
    assert!(demo.folder.vmcp(&["tools", "ls", "--url", pathless]).error().ends_with("; is the path missing? vmcp answers on /mcp"));
    let none = demo.folder.vmcp(&["tools", "ls"]).error();
    assert!(none.contains("give --config FILE or --backend NAME=URL"), "{none}");
}

#[test]
fn headers_that_leave_this_machine_unencrypted_are_warned_of_and_no_others() {
    let folder = Folder::new(&[]);
    for (host, warned) in [("127.0.0.1", false), ("localhost", false), ("[::ffff:127.0.0.1]", false), ("0.0.0.0", true)] {
        let told = folder.vmcp(&["tools", "ls", "--url", &format!("http://{host}:1/mcp"), "-H", "x-a: b"]).stderr;
        assert_eq!(told.contains("headers travel unencrypted"), warned, "{host}: {told}");
    }
}

#[test]
fn a_backend_that_is_missing_is_said_to_be_and_the_others_are_there() {
    let demo = Demo::start();
    let config = demo.config("vmcp.yaml", "passthroughHeaders: [{ name: x-t, required: true }]", "");
    let dead = ["--backend", "dead=http://127.0.0.1:1/mcp"];
    let ended = demo.folder.vmcp(&[&["tools", "ls", "--config", &config], &dead[..]].concat());
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.contains("wiki_whoami") && !ended.stdout.contains("github_whoami"), "{}", ended.stdout);
    let warnings: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(warnings[0], "warning: backend `github` needs the header `x-t`, which the request does not have");
    assert!(warnings[1].starts_with("warning: backend `dead`: connect failed: "), "{warnings:?}");
    let hidden = demo.folder.vmcp(&["tools", "call", "github_whoami", "--config", &config]).error();
    assert_eq!(
        hidden,
        "no tool `github_whoami` in what could be listed; backend `github` needs the header `x-t`, which the request does not have"
    );
    let listed = demo.folder.vmcp(&["tools", "ls", "--config", &config, "-H", "x-t: 1"]).good();
    assert!(listed.contains("github_whoami"));
    let nobody = demo.folder.vmcp(&[&["tools", "ls"], &dead[..]].concat()).error();
    assert!(nobody.starts_with("backend `dead`: connect failed: "), "{nobody}");
}

#[test]
fn count_adds_up_bytes_and_estimates_tokens() {
    let demo = Demo::start();
    let config = demo.config("vmcp.yaml", "", "");
    let list = demo.folder.vmcp(&["tools", "ls", "--config", &config, "--json"]).json();
    let bytes: Vec<usize> = list.as_array().unwrap().iter().map(|tool| tool.to_string().len()).collect();
    let count = demo.folder.vmcp(&["tools", "count", "--config", &config, "--json"]).json();
    let total = bytes[0] + bytes[1];
    assert_eq!(count["total"], json!({"tools": 2, "bytes": total, "tokens": total.div_ceil(4)}));
    assert_eq!(count["backends"][1], json!({"tools": 1, "bytes": bytes[1], "tokens": bytes[1].div_ceil(4), "backend": "wiki"}));
    let text = demo.folder.vmcp(&["tools", "count", "--config", &config]).good();
    assert!(text.contains(&format!("all      2      {total}")) && text.contains("an estimate"), "{text}");
    let endpoint = demo.folder.vmcp(&["tools", "count", "--url", &demo.url, "--json"]).json();
    assert_eq!((&endpoint["backends"], &endpoint["total"]["tools"]), (&json!([]), &json!(2)));
}

/// Policies for the callers of one issuer, and a backend that is given something for each caller's token.
const POLICIES: &str = r#"
incomingAuth:
  type: oidc
  oidc: { issuer: "https://id.example.com", audience: vmcp, rolesClaim: realm_access.roles }
  authz:
    type: cedar
    policies:
      - permit(principal == Client::"ann", action, resource);
      - permit(principal in THVGroup::"wiki", action, resource in Backend::"wiki");
"#;

#[test]
fn the_tools_are_those_of_somebody_whose_claims_are_given() {
    let demo = Demo::start();
    let config = demo.config("vmcp.yaml", "", "");
    let backends = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{POLICIES}{backends}")).unwrap();
    let folder = &demo.folder;
    for (name, claims) in [
        ("ann.json", json!({ "sub": "ann" })),
        ("bob.json", json!({ "iss": "https://id.example.com", "sub": "bob", "groups": ["wiki"] })),
        ("cat.json", json!({ "sub": "cat", "realm_access": { "roles": ["wiki"] } })),
        ("eve.json", json!({ "sub": "eve" })),
        ("stranger.json", json!({ "iss": "https://elsewhere.example.com", "sub": "ann" })),
        ("nobody.json", json!({ "groups": ["wiki"] })),
    ] {
        std::fs::write(folder.path(name), claims.to_string()).unwrap();
    }
    let run = |action: &[&str], claims: &str| folder.vmcp(&[&["tools"], action, &["--config", &config, "--as", claims]].concat());
    for (claims, names) in [
        ("ann.json", &["github_whoami", "wiki_whoami"][..]),
        ("bob.json", &["wiki_whoami"]),
        ("cat.json", &["wiki_whoami"]),
        ("eve.json", &[]),
        ("stranger.json", &[]),
    ] {
        let listed = run(&["ls", "--json"], claims).json();
        let listed: Vec<&str> = listed.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(listed, names, "{claims}");
        assert_eq!(run(&["count", "--json"], claims).json()["total"]["tools"], names.len(), "{claims}");
    }
    assert!(run(&["ls"], "bob.json").good().contains("wiki_whoami  wiki"));
    assert!(run(&["call", "wiki_whoami"], "bob.json").good().contains("\"server\": \"wiki\""));
    assert_eq!(run(&["call", "github_whoami"], "bob.json").error(), "no tool `github_whoami`; `vmcp tools ls` lists what there is");
    assert_eq!(run(&["ls"], "nobody.json").usage(), "--as: the claims have no `sub`; say who calls");
    assert!(run(&["ls"], "none.json").usage().starts_with("--as: cannot read none.json"));
    let unsaid = folder.vmcp(&["tools", "ls", "--config", &config]);
    assert!(unsaid.stderr.contains("say who does with --as") && unsaid.stdout.is_empty(), "{} {}", unsaid.stdout, unsaid.stderr);
    assert!(folder.vmcp(&["tools", "ls", "--url", &demo.url, "--as", "ann.json"]).usage().contains("--as"));
    // A claim is not quoted.
    std::fs::write(folder.path("wrong.json"), "{\"sub\": hunter2").unwrap();
    let wrong = run(&["ls"], "wrong.json").usage();
    assert!(wrong.starts_with("--as: it is not JSON (line 1, column ") && !wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn a_backend_whose_strategy_needs_the_callers_token_is_missing_from_the_list_with_the_reason() {
    let demo = Demo::start();
    let config = demo.config("vmcp.yaml", "", "");
    let backends = std::fs::read_to_string(&config).unwrap();
    let exchange = r#"
outgoingAuth:
  backends:
    github:
      type: token_exchange
      tokenExchange: { tokenUrl: "https://id.example.com/token", clientId: vmcp, clientSecret: x }
"#;
    std::fs::write(&config, format!("{POLICIES}{exchange}{backends}")).unwrap();
    std::fs::write(demo.folder.path("ann.json"), r#"{"sub":"ann"}"#).unwrap();
    let ended = demo.folder.vmcp(&["tools", "ls", "--config", &config, "--as", "ann.json"]);
    assert!(ended.stdout.contains("wiki_whoami") && !ended.stdout.contains("github_whoami"), "{}", ended.stdout);
    assert!(ended.stderr.contains("backend `github`") && ended.stderr.contains("token"), "{}", ended.stderr);
}

const TOOLS: &str = r#"[{"name":"odd","description":"\u001b[2Jgone\u202e\nsecond line","inputSchema":{"type":"object"},"x-own":1e400}]"#;
const RESULT: &str =
    r#"{"content":[ {"type":"text","text":"\u001b[31mred"} ],"x-big":12345678901234567890,"structuredContent":{"n":1e400}}"#;

#[test]
fn a_server_of_the_older_era_is_asked_too_and_nothing_of_it_changes_or_drives_the_terminal() {
    let other = Other::start(TOOLS, RESULT);
    let folder = Folder::new(&[]);
    let text = folder.vmcp(&["tools", "ls", "--url", &other.url]).good();
    assert_eq!(text, "NAME  DESCRIPTION\nodd   \\u{1b}[2Jgone\\u{202e}\n");
    let list = folder.vmcp(&["tools", "ls", "--url", &other.url, "--json"]).good();
    assert_eq!(list.trim_end(), TOOLS);
    let arguments = r#"{ "b":1e400 , "a":[12345678901234567890,"\u0041"] }"#;
    let raw = folder.vmcp(&["tools", "call", "odd", arguments, "--url", &other.url, "--json"]).good();
    assert!(raw.trim_end().starts_with(RESULT.trim_end_matches('}')), "{raw}");
    let calls = other.calls.lock().unwrap();
    assert!(calls[0].contains(&format!("\"arguments\":{arguments}")), "{calls:?}");
    drop(calls);
    let printed = folder.vmcp(&["tools", "call", "odd", "--url", &other.url]).good();
    assert_eq!(printed, "\x1b[31mred\n{\"n\":1e400}\n", "a pipe gets the text as it is");
}
