//! `vmcp authz explain`, and what `vmcp validate` says of policies, from outside.

#![cfg(feature = "cedar")]
#![allow(clippy::unwrap_used, reason = "a test that cannot read what it got has failed")]

mod support;

use serde_json::{Value, json};
use support::{Ended, Folder};

const CONFIG: &str = r#"
name: corp
incomingAuth:
  type: anonymous
  authz:
    type: cedar
    policyFiles: [team.cedar]
    policies:
      - '@id("logs") permit(principal, action == Action::"call_tool", resource == Tool::"git_log") when { context.arg_env == "dev" };'
backends:
  - { name: git, url: "https://git.example.com/mcp" }
  - { name: mail, url: "https://mail.example.com/mcp" }
"#;

const POLICIES: &str = r#"
@id("engineers") permit(principal in THVGroup::"eng", action, resource in Backend::"mail");
@id("no-guests") forbid(principal, action, resource) when { principal.claim_kind == "guest" };
@id("hints") permit(principal, action, resource) when { resource has readOnlyHint && resource.readOnlyHint };
@id("public") permit(principal, action == Action::"read_resource", resource in MCP::"corp") when { resource.uri like "wiki://public/*" };
"#;

fn explain(claims: &Value, more: &[&str]) -> Ended {
    let folder = Folder::new(&[("vmcp.yaml", CONFIG), ("team.cedar", POLICIES), ("claims.json", &claims.to_string())]);
    folder.vmcp(&[&["authz", "explain", "--as", "claims.json"], more].concat())
}

fn ann() -> Value {
    json!({"sub": "anonymous", "kind": "user", "groups": ["eng"]})
}

#[test]
fn somebody_of_another_issuer_than_all_callers_is_told_which_one_that_is() {
    let ended = explain(&json!({"iss": "https://elsewhere.example", "sub": "anonymous", "groups": ["eng"]}), &["mail_send"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let why = "the caller's issuer (`iss`) is not `anonymous`, which all callers of this gateway come from";
    assert_eq!(ended.stdout, format!("denied: no policy permits it\nnot evaluated: {why}\n"));
}

#[test]
fn it_says_which_policies_decide_and_the_exit_code_says_how() {
    for (more, code, says) in [
        (&["mail_send"][..], 0, "allowed: by `engineers`\n"),
        (&["git_push"], 1, "denied: no policy permits it\n"),
        (&["git_log"], 0, "allowed: by `logs`\n"),
        (&["git_log", "--args", r#"{"env": "dev"}"#], 0, "allowed: by `logs`\n"),
        (&["git_log", "--args", r#"{"env": "prod"}"#], 1, "denied: no policy permits it\n"),
        (
            &["git_log", "--args", "{}"],
            1,
            "denied: no policy permits it\nnot evaluated: policy `logs`: `arg_env` is not there; ask with `has` first\n",
        ),
        (&["git_x", "--annotations", r#"{"readOnlyHint": true}"#], 0, "allowed: by `hints`\n"),
        (&["--prompt", "mail_greet"], 0, "allowed: by `engineers`\n"),
        (&["--resource", "wiki://public/a"], 0, "allowed: by `public`\n"),
        (&["--resource", "wiki://private/a"], 1, "denied: no policy permits it\n"),
        (&["--resource", "wiki://private/a", "--of", "mail"], 0, "allowed: by `engineers`\n"),
    ] {
        let ended = explain(&ann(), more);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, says), "{more:?} {}", ended.stderr);
    }
    let guest = explain(&json!({"sub": "anonymous", "kind": "guest", "groups": ["eng"]}), &["mail_send"]);
    assert_eq!((guest.code, guest.stdout.as_str()), (1, "denied: by `no-guests`\n"));
    let unknown = explain(&json!({"sub": "anonymous", "groups": ["eng"]}), &["mail_send"]);
    assert_eq!((unknown.code, unknown.stdout.lines().next()), (1, Some("denied: by `no-guests`")));
}

#[test]
fn the_answer_is_an_object_for_programs() {
    let ended = explain(&ann(), &["mail_send", "--json", "--args", "{}"]);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told, json!({"decision": "allowed", "asked": "call", "policies": ["engineers"], "errors": [], "backend": "mail"}));
}

#[test]
fn groups_are_those_that_the_authenticator_would_find_in_a_token_with_these_claims() {
    let policies = r#"permit(principal in THVGroup::"eng", action, resource);"#;
    let config = |incoming: &str| {
        format!(
            "incomingAuth:
  {incoming}
  authz:
    type: cedar
    policies: ['{policies}']
backends: [{{name: git, url: 'https://git.example.com/mcp'}}]
"
        )
    };
    let oidc = |more: &str| config(&format!("type: oidc\n  oidc: {{issuer: https://id.example.com, audience: x{more}}}"));
    let keys = config("type: apiKey\n  apiKey: {keys: [{subject: ann, key: {fromEnv: NOT_SET}, groups: [eng]}]}");
    let ann = |more: Value| {
        let mut claims = json!({"iss": "https://id.example.com", "sub": "ann"});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    let teams = || ann(json!({"https://x.example/teams": ["eng"]}));
    for (config, claims, is_allowed) in [
        (oidc(""), teams(), false),
        (oidc(", groupsClaim: https://x.example/teams"), teams(), true),
        (oidc(", rolesClaim: realm_access.roles"), ann(json!({"realm_access": {"roles": ["eng"]}})), true),
        (oidc(", groupsClaim: https://x.example/teams"), json!({"sub": "ann", "https://x.example/teams": "eng"}), true),
        (keys.clone(), json!({"sub": "ann"}), true),
        (keys, json!({"sub": "bob"}), false),
    ] {
        let folder = Folder::new(&[("vmcp.yaml", config.as_str()), ("claims.json", &claims.to_string())]);
        let ended = folder.vmcp(&["authz", "explain", "--as", "claims.json", "git_push"]);
        assert_eq!(ended.code, i32::from(!is_allowed), "{claims} {config} {}", ended.stderr);
    }
}

#[test]
fn a_question_that_cannot_be_asked_ends_with_two() {
    for (claims, more, says) in [
        (json!({}), &["x"][..], "--as: the claims have no `sub`"),
        (json!([]), &["x"], "--as: it is JSON, but no object"),
        (ann(), &["x", "--args", "[]"], "--args: it is JSON, but no object"),
        (ann(), &["x", "--args", "{SECRET"], "--args: it is not JSON (line 1, column 2)"),
        (ann(), &["x", "--of", "nobody"], "--of: there is no backend `nobody`; there are git, mail"),
        (ann(), &["x", "--config", "absent.yaml"], "absent.yaml"),
        (ann(), &[], "NAME"),
    ] {
        let ended = explain(&claims, more);
        assert_eq!(ended.code, 2, "{more:?} {}", ended.stderr);
        assert!(ended.stderr.contains(says) && !ended.stderr.contains("SECRET"), "{more:?} {}", ended.stderr);
    }
}

#[test]
fn validate_says_where_in_which_policy_something_is_wrong() {
    let broken = CONFIG.replace("context.arg_env ==", "context.arg_env = ");
    let folder = Folder::new(&[("vmcp.yaml", broken.as_str()), ("team.cedar", "permit(principal,\n  action resource);\n")]);
    let ended = folder.vmcp(&["validate"]);
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    assert!(ended.stderr.contains("vmcp.yaml:9:9: incomingAuth.authz.policies[0]: line 1, column "), "{}", ended.stderr);
    assert!(ended.stderr.contains("vmcp.yaml:7:19: incomingAuth.authz.policyFiles[0]: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("team.cedar, line 2, column 10: "), "{}", ended.stderr);
    let folder = Folder::new(&[("vmcp.yaml", CONFIG), ("team.cedar", POLICIES)]);
    assert_eq!(folder.vmcp(&["validate"]).code, 0);
    let switched_off = CONFIG.replace("type: cedar", "type: none");
    let ended = Folder::new(&[("vmcp.yaml", switched_off.as_str()), ("team.cedar", POLICIES)]).vmcp(&["validate"]);
    let words = "incomingAuth.authz.policies: belongs to `type: cedar` and does nothing here; remove it, or change `type`";
    assert!(ended.code == 1 && ended.stderr.contains(words), "{}", ended.stderr);
    let upstream = CONFIG.replace("type: cedar", "type: cedar\n    primaryUpstreamProvider: github");
    let ended = Folder::new(&[("vmcp.yaml", upstream.as_str()), ("team.cedar", POLICIES)]).vmcp(&["validate"]);
    assert!(ended.code == 1 && ended.stderr.contains("not available in this version of vmcp"), "{}", ended.stderr);
}
