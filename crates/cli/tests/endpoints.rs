//! More endpoints in one configuration, from outside: what is wrong with them, and commands that look at one.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what it got has failed")]

mod support;

use serde_json::Value;
use support::{Demo, Folder};

const CONFIG: &str = r#"
passthroughHeaders: [x-request-id]
backends:
  - name: github
    url: https://github.example.com/mcp
    passthroughHeaders: [x-tenant, x-team]
  - name: local
    url: https://mcp.example.com/mcp
    headers: { x-mode: fast }
endpoints:
  - path: /team-a
    passthroughHeaders: [x-team]
    backends:
      - github
      - use: github
        name: bot
        passthroughHeaders: [{ name: x-bot, as: authorization, format: "Bearer {}" }]
"#;

fn validate(config: &str) -> (i32, Vec<String>) {
    let ended = Folder::new(&[("vmcp.yaml", config)]).vmcp(&["validate"]);
    (ended.code, ended.stderr.lines().chain(ended.stdout.lines()).map(str::to_owned).collect())
}

#[test]
fn validate_counts_the_endpoints() {
    let (code, lines) = validate(CONFIG);
    assert_eq!((code, lines.as_slice()), (0, ["vmcp.yaml: ok, 2 backends, 1 more endpoint".to_owned()].as_slice()));
}

#[test]
fn problems_of_an_endpoint_have_the_place_in_the_file() {
    let config = r#"
backends:
  - { name: github, url: "https://github.example.com/mcp", passthroughHeaders: [x-a, authorization], allowCredentialHeaderPassthrough: true }
  - { name: plain, url: "http://mcp.example.com/mcp" }
endpoints:
  - path: /mcp/github
    backends:
      - gihub
      - use: plain
        headers: { authorization: abc }
      - use: github
        name: again
        allowCredentialHeaderPassthrough: false
      - { name: own, url: "https://own.example.com/mcp", passthroughHeaders: [x-b, host], retries: 3 }
    passthroughHeaders: [x-forwarded-for]
    aggregation:
      tools: [{ workload: agian, filter: [a] }]
"#;
    let (code, lines) = validate(config);
    assert_eq!(code, 1);
    let expected = [
        "vmcp.yaml:3:86: warning: backends[0].passthroughHeaders[1]: the caller's `authorization` is passed on",
        "vmcp.yaml:6:5: endpoints[0].path: the path of backend `github` alone; choose another path, for example /team-a",
        "vmcp.yaml:8:9: endpoints[0].backends[0]: no backend of the top level is called `gihub`; did you mean `github`?",
        "endpoints[0].backends[1]: with backends[1].url: header `authorization` (backend `plain`): would travel unencrypted",
        "endpoints[0].backends[2]: with backends[0].passthroughHeaders[1]: header `authorization` (backend `again`): MCP forbids",
        "endpoints[0].backends[3].passthroughHeaders[1]: header `host` (backend `own`)",
        "endpoints[0].backends[3].retries: unknown key",
        "endpoints[0].passthroughHeaders[0]: header `x-forwarded-for`",
    ];
    for expected in expected {
        assert!(lines.iter().any(|line| line.contains(expected)), "{expected}\n{lines:#?}");
    }
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
}

#[test]
fn headers_explain_looks_at_the_endpoint_that_is_named() {
    let folder = Folder::new(&[("vmcp.yaml", CONFIG)]);
    let explain = |more: &[&str]| folder.vmcp(&[&["headers", "explain", "--json"], more].concat());
    let outgoing = |more: &[&str]| {
        let policy: Value = explain(more).json();
        let backends = policy["backends"].as_array().unwrap().iter();
        let rows = backends.flat_map(|backend| {
            let headers = backend["headers"].as_array().unwrap().iter();
            headers
                .map(|header| format!("{} {}", backend["backend"].as_str().unwrap(), header["outbound"].as_str().unwrap()))
                .collect::<Vec<_>>()
        });
        rows.collect::<Vec<_>>()
    };
    let main = ["github x-request-id", "github x-tenant", "github x-team", "local x-mode", "local x-request-id"];
    assert_eq!(outgoing(&[]), main);
    assert_eq!(outgoing(&["--endpoint", "/mcp"]), main);
    assert_eq!(outgoing(&["--endpoint", "/team-a"]), ["github x-tenant", "github x-team", "bot x-team", "bot authorization"]);
    let error = explain(&["--endpoint", "/team-b"]).error();
    assert!(error.contains("there is no endpoint `/team-b`; there are /mcp, /team-a"), "{error}");
}

#[test]
fn tools_looks_at_the_endpoint_that_is_named() {
    let demo = Demo::start();
    let config = format!(
        "backends: []\nendpoints:\n  - path: /one\n    backends: [{{ name: a, url: \"{}\" }}]\n  - path: /two\n    backends: [{{ name: b, url: \"{}\" }}]\n",
        demo.backend("github"),
        demo.backend("wiki"),
    );
    let folder = Folder::new(&[("vmcp.yaml", &config)]);
    let names = |path: &str| {
        let tools: Value = folder.vmcp(&["tools", "ls", "--json", "--endpoint", path]).json();
        tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((names("/one"), names("/two/")), (vec!["a_whoami".to_owned()], vec!["b_whoami".to_owned()]));
    let error = folder.vmcp(&["tools", "ls"]).error();
    assert!(error.contains("the top level has no backends; choose an endpoint with --endpoint: /one, /two"), "{error}");
}
