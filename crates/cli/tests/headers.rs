//! `vmcp headers explain` from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what it got has failed")]

mod support;

use serde_json::{Value, json};
use support::Folder;

const CONFIG: &str = r#"
passthroughHeaders: [x-request-id, x-tenant]
backends:
  - name: github
    url: https://github.example.com/mcp
    headers: { x-key: { fromEnv: NOT_SET } }
    passthroughHeaders:
      - { name: x-github-token, as: authorization, format: "Bearer {}", required: true }
      - { name: x-tenant, as: x-org, credential: false }
  - name: wiki
    url: https://wiki.example.com/mcp
    inheritPassthroughHeaders: false
  - name: crm
    url: https://crm.example.com/mcp
outgoingAuth:
  backends:
    crm: { type: header_injection, headerInjection: { headerName: x-crm-key, headerValueEnv: NOT_SET } }
"#;

fn folder() -> Folder {
    Folder::new(&[("vmcp.yaml", CONFIG)])
}

/// A result whose warnings and notes are not looked at.
fn explain(more: &[&str]) -> String {
    let ended = folder().vmcp(&[&["headers", "explain"], more].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stdout
}

fn json(more: &[&str]) -> Value {
    serde_json::from_str(&explain(&[&["--json"], more].concat())).unwrap()
}

#[test]
fn the_policy_is_a_table_with_every_header_of_every_backend() {
    let text = explain(&[]);
    let rows: Vec<String> = text.lines().take(9).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        rows,
        [
            "BACKEND CALLER SENDS BACKEND GETS AS REQUIRED CREDENTIAL FROM",
            "github - x-key a value of its own - - own headers",
            "github x-request-id x-request-id the value - - global passthroughHeaders",
            "github x-github-token authorization Bearer {} yes yes own passthroughHeaders",
            "github x-tenant x-org the value - - own passthroughHeaders",
            "wiki - - - - - -",
            "crm - x-crm-key a value of its own - - outgoingAuth",
            "crm x-request-id x-request-id the value - - global passthroughHeaders",
            "crm x-tenant x-tenant the value - yes global passthroughHeaders",
        ],
        "{text}"
    );
    for closed in ["transfer-encoding", "x-forwarded-*", "mcp-*", "x-remote-*", "authorization, cookie"] {
        assert!(text.contains(closed), "{closed}\n{text}");
    }
}

#[test]
fn the_policy_is_an_object_for_programs() {
    let policy = json(&[]);
    assert_eq!(
        policy["backends"][0]["headers"][2],
        json!({"inbound": "x-github-token", "outbound": "authorization", "format": "Bearer {}", "required": true, "credential": true, "origin": "backend"})
    );
    assert_eq!(policy["backends"][1], json!({"backend": "wiki", "headers": []}));
    assert_eq!(policy["backends"][2]["headers"][0]["origin"], "strategy");
    let groups: Vec<&Value> = policy["closed"].as_array().unwrap().iter().map(|group| &group["openedBy"]).collect();
    assert_eq!(groups, [&json!(null), &json!(null), &json!(null), &json!("impersonation"), &json!("allowCredentialHeaderPassthrough")]);
}

#[test]
fn a_played_request_says_what_becomes_of_each_header() {
    let given =
        ["-H", "X_Tenant: blue", "-H", "x-github-token: abc", "-H", "x-forwarded-for: 1", "-H", "cookie: a", "-H", "x-nobody: hunter2"];
    let text = explain(&given);
    for row in [
        "x_tenant (value of 4 bytes) github sent as x-org",
        "wiki not listed",
        "crm sent as x-tenant",
        "x-github-token (value of 3 bytes) github sent as authorization, in the form `Bearer {}`",
        "x-forwarded-for (value of 1 byte) all cannot be listed",
        "cookie (value of 1 byte) all not listed; would need `allowCredentialHeaderPassthrough: true`",
        "x-nobody (value of 7 bytes) all not listed",
        "`x-forwarded-for`: it says where a request came from, which only a proxy in front may say.",
        "Backend `github` gets 1 header from the configuration too: x-key.",
    ] {
        let found = text.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == row);
        assert!(found, "{row}\n\n{text}");
    }
    let played = json(&given);
    assert_eq!(played["refused"], json!(null));
    assert_eq!(
        played["headers"][1]["backends"][0],
        json!({"backend": "github", "outcome": "sent", "as": "authorization", "format": "Bearer {}"})
    );
    assert_eq!(played["headers"][3]["backends"][1]["group"], "credential");
    assert_eq!(played["backends"][2], json!({"backend": "crm", "called": true, "missing": null, "ownHeaders": ["x-crm-key"]}));
    assert!(!format!("{text}{played}").contains("hunter2"));
}

#[test]
fn a_request_that_would_be_refused_says_so_and_why() {
    let text = explain(&["-H", "x-github-token: two words hunter2", "-H", "x-tenant: 1"]);
    assert!(
        text.starts_with("The request is refused with 400, and no backend sees any of it: header `x-github-token`: backend `github`"),
        "{text}"
    );
    assert!(text.contains("not sent: the request is refused") && !text.contains("hunter2"), "{text}");
    let played = json(&["-H", "x-tenant: 1", "-H", "x_tenant: 2"]);
    assert_eq!(played["refused"]["status"], 400);
    assert_eq!(played["backends"][2]["called"], false);
    let large = format!("x-tenant: {}", "a".repeat(40_000));
    assert_eq!(json(&["-H", &large])["refused"]["status"], 431);
}

#[test]
fn a_backend_that_lacks_a_required_header_is_not_called() {
    let played = json(&["-H", "x-tenant: 1"]);
    assert_eq!(played["headers"][0]["backends"][0], json!({"backend": "github", "outcome": "notCalled", "missing": "x-github-token"}));
    assert_eq!(played["backends"][0]["missing"], "x-github-token");
    assert!(explain(&["-H", "x-tenant: 1"]).contains("Backend `github` is left out for this caller: it needs `x-github-token`."));
}

#[test]
fn a_policy_that_cannot_be_is_said_to_be_wrong_where_it_is() {
    let folder = Folder::new(&[("a.yaml", "passthroughHeaders: [x-forwarded-for]\nbackends: [{name: a, url: 'https://a/'}]\n")]);
    let error = folder.vmcp(&["headers", "explain", "--config", "a.yaml"]).error();
    assert!(error.starts_with("a.yaml:1:22: passthroughHeaders[0]: header `x-forwarded-for`"), "{error}");
    for given in ["x-key hunter2", "a b: hunter2"] {
        let error = folder.vmcp(&["headers", "explain", "-H", given]).error();
        assert!(error.starts_with("-H: ") && !error.contains("hunter2"), "{error}");
    }
}

const OIDC: &str = r#"
incomingAuth: { type: oidc, oidc: { issuer: https://id.example.com, audience: vmcp } }
backends: [{ name: github, url: https://github.example.com/mcp }]
"#;

#[test]
fn a_header_that_the_gateway_itself_reads_is_opened_by_nothing() {
    let folder = Folder::new(&[("vmcp.yaml", OIDC)]);
    let explain = |more: &[&str]| folder.vmcp(&[&["headers", "explain"], more].concat());
    let text = explain(&[]).stdout;
    let last: Vec<&str> = text.lines().rev().take(4).collect();
    let [own_names, own, open_names, open] = last[..] else { panic!("{text}") };
    assert_eq!(
        (own, own_names),
        ("never: incoming authentication reads this header, so it stays at the gateway", "  authorization"),
        "{text}"
    );
    assert!(open.starts_with("only with `allowCredentialHeaderPassthrough: true`: "), "{text}");
    assert_eq!(open_names, "  cookie");
    let policy = explain(&["--json"]).json();
    assert_eq!(policy["consumed"], json!(["authorization"]));
    assert_eq!(policy["closed"][4]["names"], json!(["cookie"]));

    let given = ["-H", "Authorization: Bearer hunter2", "-H", "cookie: a"];
    let text = explain(&given).stdout;
    for row in [
        "authorization (value of 14 bytes) github cannot be listed",
        "cookie (value of 1 byte) github not listed; would need `allowCredentialHeaderPassthrough: true`",
        "`authorization`: incoming authentication reads this header, so it stays at the gateway.",
    ] {
        assert!(text.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == row), "{row}\n\n{text}");
    }
    let played = explain(&[&given[..], &["--json"]].concat()).json();
    let reason = "incoming authentication reads this header, so it stays at the gateway";
    assert_eq!(played["headers"][0]["backends"][0], json!({ "backend": "github", "outcome": "consumed", "reason": reason }));
    // And so says who is asked whether it is right.
    let listed = OIDC.replace("/mcp }", "/mcp, passthroughHeaders: [authorization], allowCredentialHeaderPassthrough: true }");
    let refused = Folder::new(&[("vmcp.yaml", &listed)]).vmcp(&["validate"]);
    assert!(refused.code == 1 && refused.stderr.contains(reason), "{}", refused.stderr);
}

const REFUSED: &str = r#"
passthroughHeaders: [x-request-id, x-forwarded-for]
backends:
  - name: github
    url: https://github.example.com/mcp
    headers: { via: x }
    passthroughHeaders:
      - { name: x-token, as: authorization, format: "Bearer {}" }
      - { name: x-t, as: host }
  - name: plain
    url: http://plain.example.com/mcp
    inheritPassthroughHeaders: false
    passthroughHeaders: [x-key]
"#;

#[test]
fn what_is_refused_does_not_hide_the_rest() {
    let folder = Folder::new(&[("team.yaml", REFUSED)]);
    let run = |more: &[&str]| {
        let ended = folder.vmcp(&[&["headers", "explain", "team.yaml"], more].concat());
        let places: Vec<&str> = ended.stderr.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
        let expected = ["passthroughHeaders[1]", "backends[0].headers.via", "backends[0].passthroughHeaders[1]", "backends[1].url"];
        assert_eq!((ended.code, places.as_slice()), (1, &expected[..]), "{}", ended.stderr);
        ended.stdout
    };
    let text = run(&[]);
    let rows: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for (row, start) in rows.iter().skip(1).zip([
        "github x-request-id x-request-id the value - - global passthroughHeaders",
        "github x-token authorization Bearer {} - yes own passthroughHeaders",
        "github x-t host - - - refused: it belongs to routing, framing or one connection",
        "github - via - - - refused: it says where a request came from",
        "plain - x-key - - - refused: ",
        "all x-forwarded-for - - - - refused: it says where a request came from",
    ]) {
        assert!(row.starts_with(start), "{start}\n{text}");
    }
    let policy: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    let refused = policy["refused"].as_array().unwrap();
    let told: Vec<_> = refused.iter().map(|refused| (&refused["path"], &refused["header"], &refused["backends"])).collect();
    assert_eq!(told[0], (&json!("passthroughHeaders[1]"), &json!("x-forwarded-for"), &json!([])));
    assert_eq!((told.len(), refused[0]["reason"].is_string()), (4, true), "{policy}");
    assert_eq!(policy["backends"][0]["headers"].as_array().unwrap().len(), 2);
    assert_eq!(policy["backends"][1]["headers"], json!([]));

    let given = ["-H", "x-t: 1", "-H", "x-forwarded-for: 1", "-H", "x-token: abc", "-H", "x-key: 1", "-H", "x-else: 1"];
    let played: Value = serde_json::from_str(&run(&[&given[..], &["--json"]].concat())).unwrap();
    let outcomes: Vec<Vec<&str>> = played["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| header["backends"].as_array().unwrap().iter().map(|backend| backend["outcome"].as_str().unwrap()).collect())
        .collect();
    assert_eq!(
        outcomes,
        [
            ["entryRefused", "notListed"],
            ["entryRefused", "entryRefused"],
            ["sent", "notListed"],
            ["notListed", "entryRefused"],
            ["notListed", "notListed"]
        ]
    );
    assert_eq!(played["refusedEntries"].as_array().unwrap().len(), 4);
    assert!(run(&given).contains("refused: it belongs to routing, framing or one connection"));
}

#[test]
fn nothing_is_refused_where_nothing_is_wrong() {
    assert_eq!(json(&[])["refused"], json!([]));
    assert_eq!(json(&["-H", "x-tenant: 1"])["refusedEntries"], json!([]));
}

#[test]
fn the_file_may_stand_without_its_flag() {
    let folder = Folder::new(&[("team.yaml", CONFIG)]);
    let rows = |arguments: &[&str]| folder.vmcp(&[&["headers", "explain"], arguments].concat()).stdout;
    assert!(rows(&["team.yaml"]).contains("x-github-token"));
    assert_eq!(rows(&["team.yaml"]), rows(&["--config", "team.yaml"]));
    assert_eq!(
        folder.vmcp(&["headers", "explain", "team.yaml", "-c", "team.yaml"]).usage(),
        "`FILE` does not go together with `--config`; leave one out"
    );
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf8_is_played_like_any_other() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let words = ["headers", "explain", "--json", "-H"].map(OsStr::new);
    let ended = folder().vmcp_os(&[&words[..], &[OsStr::from_bytes(b"x-tenant: gr\xfcn")]].concat());
    let played: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &played["headers"][0]["bytes"]), (0, &json!([4])));
    assert_eq!(played["headers"][0]["backends"][2]["outcome"], "sent");
}

#[test]
fn seventy_values_take_one_short_line() {
    let given: Vec<&str> = std::iter::repeat_n(["-H", "x-tenant: blue"], 70).flatten().collect();
    let text = explain(&given);
    assert!(text.lines().any(|line| line.starts_with("x-tenant (70 values of 4 bytes each)  ")), "{text}");
}

/// A page of the repository.
fn page(name: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

/// The blocks of a page in one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let parts = page.split("\n```").collect::<Vec<_>>();
    parts.iter().filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n')).collect()
}

#[test]
fn the_readmes_table_is_what_its_configuration_does() {
    let readme = page("README.md");
    let config = blocks(&readme, "yaml")[0];
    assert_eq!(config.lines().count(), 10);
    let folder = Folder::new(&[("vmcp.yaml", config)]);
    let rows = readme.split("| the caller sends |").nth(1).unwrap().lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let given = if cells[0] == "nothing" { "x-unlisted: 1" } else { cells[0] };
        let played = folder.vmcp(&["headers", "explain", "--json", "-H", given]).json();
        for (index, expected) in cells[1..].iter().enumerate() {
            let outcome = &played["headers"][0]["backends"][index];
            match expected.split_once(": ") {
                None => assert_ne!(outcome["outcome"], "sent", "{row}"),
                Some((name, _)) if cells[0] == "nothing" => assert_eq!(played["backends"][index]["ownHeaders"], json!([name]), "{row}"),
                Some((name, value)) => {
                    assert_eq!(outcome["as"], name, "{row}");
                    let sent = given.split_once(": ").unwrap().1;
                    assert_eq!(outcome["format"].as_str().unwrap_or("{}").replace("{}", sent), value, "{row}");
                }
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn the_pages_show_what_the_command_prints() {
    let (readme, quick_start, commands) = (page("README.md"), page("docs/quick-start.md"), page("docs/commands.md"));
    let configs = blocks(&quick_start, "yaml");
    let pages = [(&commands, blocks(&readme, "yaml")[0]), (&quick_start, configs[configs.len() - 1])];
    let mut seen = 0;
    for (page, config) in pages {
        let folder = Folder::new(&[("vmcp.yaml", config)]);
        for block in blocks(page, "console").iter().filter(|block| block.starts_with("$ vmcp headers explain")) {
            let (command, shown) = block.split_once('\n').unwrap();
            let quoted = command.split('\'').enumerate();
            let words = quoted.flat_map(|(index, part)| if index % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
            let printed = folder.vmcp(&words.skip(2).collect::<Vec<_>>()).stdout;
            let shown = shown.trim_end_matches('…').trim_end();
            assert!(printed.starts_with(shown), "{command}\n{printed}");
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
    for config in configs {
        let folder = Folder::new(&[("vmcp.yaml", config)]);
        assert_eq!(folder.vmcp(&["validate"]).code, 0, "{config}");
    }
}
