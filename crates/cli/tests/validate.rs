//! `vmcp validate` from outside: exit codes, streams and forms.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

use serde_json::{Value, json};
use std::{
    fs,
    process::{Command, Output},
};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    fn vmcp(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vmcp"));
        command.args(arguments).current_dir(self.0.path()).env_clear().envs(environment.iter().copied());
        command.output().unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const GOOD: &str = "backends: [{name: a, url: 'https://a.example.com/mcp', headers: {x-key: '${KEY}'}}]\n";

#[test]
fn a_good_file_exits_with_0_and_says_so_on_stdout() {
    let folder = Folder::new(&[("vmcp.yaml", GOOD)]);
    for arguments in
        [&["validate"][..], &["validate", "vmcp.yaml"], &["validate", "--config", "vmcp.yaml"], &["validate", "-c", "vmcp.yaml"]]
    {
        let output = folder.vmcp(arguments, &[("KEY", "k")]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), "vmcp.yaml: ok, 1 backend\n");
        assert_eq!(text(&output.stderr), "");
    }
    let output = folder.vmcp(&["validate"], &[("KEY", "k"), ("VMCP_CONFIG", "other.yaml")]);
    assert_eq!(text(&output.stderr), "other.yaml: cannot be read: no such file\n");
}

#[test]
fn problems_exit_with_1_one_line_each_on_stderr() {
    let folder = Folder::new(&[
        ("vmcp.yaml", "lisen: x\nbackends: [{name: A, url: 'ftp://a'}]\n"),
        ("b.yaml", "backends: [{name: A, url: 'ftp://a'}]\n"),
    ]);
    let output = folder.vmcp(&["validate"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    assert_eq!(
        text(&output.stderr),
        "vmcp.yaml:1:1: lisen: unknown key; did you mean `listen`?\n\
         vmcp.yaml:2:13: backends[0].name: not a backend name; use lower-case letters, digits, `-` and `_`, for example `a`\n\
         vmcp.yaml:2:22: backends[0].url: `ftp` URLs are not supported; use http or https\n"
    );
    let output = folder.vmcp(&["validate", "b.yaml"], &[]);
    assert_eq!(
        text(&output.stderr),
        "b.yaml:1:13: backends[0].name: not a backend name; use lower-case letters, digits, `-` and `_`, for example `a`\n\
         b.yaml:1:22: backends[0].url: `ftp` URLs are not supported; use http or https\n"
    );
}

#[test]
fn secrets_are_needed_only_when_asked_for() {
    let folder = Folder::new(&[("vmcp.yaml", GOOD)]);
    let output = folder.vmcp(&["validate"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let line = "vmcp.yaml:1:66: note: backends[0].headers.x-key: the environment variable `KEY` is not set; `vmcp serve` will need it\n";
    assert_eq!(text(&output.stderr), line);
    let output = folder.vmcp(&["validate", "--strict"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let line = "vmcp.yaml:1:66: backends[0].headers.x-key: the environment variable `KEY` is not set; set it, or write ${KEY:-default}\n";
    assert_eq!(text(&output.stderr), line);
}

#[test]
fn json_is_a_list_on_stdout() {
    let text_of_file = "lisen: x\nbackends: [{name: a, url: 'https://a.example.com/mcp', passthroughHeaders: [host]}]\n";
    let folder = Folder::new(&[("vmcp.yaml", text_of_file)]);
    let output = folder.vmcp(&["validate", "--json"], &[("VMCP_PATHS", "/")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "");
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap(),
        json!([
            {"severity": "error", "source": "vmcp.yaml", "line": 1, "column": 1, "path": "lisen", "message": "unknown key",
             "hint": "did you mean `listen`?"},
            {"severity": "error", "source": "vmcp.yaml", "line": 2, "column": 77, "path": "backends[0].passthroughHeaders[0]",
             "message": "header `host` (backend `a`): it belongs to routing, framing or one connection, and every hop makes its own",
             "hint": "remove it"},
            {"severity": "error", "source": "VMCP_PATHS", "line": null, "column": null, "path": "", "message": "unknown setting",
             "hint": "did you mean VMCP_PATH?"},
        ])
    );
    let folder = Folder::new(&[("vmcp.yaml", GOOD)]);
    let output = folder.vmcp(&["validate", "--json"], &[("KEY", "k")]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "[]\n"));
}

#[test]
fn colour_comes_only_when_asked_for() {
    let folder = Folder::new(&[("vmcp.yaml", "lisen: x\nbackends: []\n")]);
    let output = folder.vmcp(&["validate"], &[("TERM", "xterm")]);
    assert!(!text(&output.stderr).contains('\x1b'));
    let output = folder.vmcp(&["--color", "always", "validate"], &[]);
    assert!(text(&output.stderr).contains("\x1b[1mvmcp.yaml:1:1\x1b[0m: \x1b[1;31mlisen\x1b[0m: unknown key"));
}

#[test]
fn version_schema_and_completions_print_on_stdout() {
    let folder = Folder::new(&[]);
    let version = env!("CARGO_PKG_VERSION");
    let print = |arguments: &[&str]| {
        let output = folder.vmcp(arguments, &[]);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{arguments:?}");
        text(&output.stdout).to_owned()
    };
    assert_eq!(print(&["version"]), format!("vmcp {version}\nMCP 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26\n"));
    assert_eq!(print(&["--version"]), format!("vmcp {version}\n"));
    let object: Value = serde_json::from_str(&print(&["version", "--json"])).unwrap();
    assert_eq!(object["version"], version);
    let schema: Value = serde_json::from_str(&print(&["schema"])).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(print(&["completions", shell]).contains("validate"), "{shell}");
    }
}

#[test]
fn what_a_plugin_refuses_is_told_at_the_line_of_the_setting() {
    let oidc = "incomingAuth:
  type: oidc
  oidc:
    issuer: https://a.example.com
    audience: gateway
    issuers:
      - issuer: https://b.example.com
        audience: []
outgoingAuth:
  default:
    type: exec
    exec:
      command: token
      timeout: 1h
  backends:
    a:
      type: external
      external:
        url: http://creds.example.com
backends: [{name: a, url: 'https://a.example.com/mcp'}]
";
    let keys = "incomingAuth:
  type: apiKey
  apiKey:
    keys:
      - subject: ann
        hash: md5:1
outgoingAuth:
  default:
    type: header_injection
    headerInjection:
      headerName: 'x key'
      headerValueEnv: KEY
backends: [{name: a, url: 'https://a.example.com/mcp'}]
";
    let authz = "incomingAuth:
  type: anonymous
  authz:
    type: cedar
    policies: []
    entitiesJson: '['
backends: [{name: a, url: 'https://a.example.com/mcp'}]
";
    let facade = |settings: &str| {
        format!(
            "incomingAuth:
  type: oidc
  oidc:
    issuer: https://a.example.com
    audience: gateway
    facade:
{settings}
backends: [{{name: a, url: 'https://a.example.com/mcp'}}]
"
        )
    };
    let client = facade("      clientId: ''");
    let redirects = facade("      clientId: app\n      redirectUris:\n        - https://claude.ai/\n        - claude.ai");
    let secrets = "outgoingAuth:
  default:
    type: exec
    exec:
      command: token
      env:
        GIVEN: here
        LACKING:
          fromEnv: NOT_SET
  backends:
    a:
      type: client_credentials
      clientCredentials:
        tokenUrl: https://id.example.com/token
        clientId: vmcp
        clientSecret:
          fromFile: /nowhere/secret
backends: [{name: a, url: 'https://a.example.com/mcp'}]
";
    let folder = Folder::new(&[
        ("oidc.yaml", oidc),
        ("client.yaml", &client),
        ("redirects.yaml", &redirects),
        ("keys.yaml", keys),
        ("authz.yaml", authz),
        ("secrets.yaml", secrets),
    ]);
    let told = |file: &str| text(&folder.vmcp(&["validate", file], &[("KEY", "k")]).stderr).to_owned();
    for (file, place) in [
        ("oidc.yaml", "oidc.yaml:8:9: incomingAuth.oidc.issuers[0].audience: "),
        ("oidc.yaml", "oidc.yaml:14:7: outgoingAuth.default.exec.timeout: "),
        ("oidc.yaml", "oidc.yaml:19:9: outgoingAuth.backends.a.external.url: "),
        ("client.yaml", "client.yaml:7:7: incomingAuth.oidc.facade.clientId: "),
        ("redirects.yaml", "redirects.yaml:10:11: incomingAuth.oidc.facade.redirectUris[1]: "),
        ("keys.yaml", "keys.yaml:6:9: incomingAuth.apiKey.keys[0].hash: "),
        ("keys.yaml", "keys.yaml:11:7: outgoingAuth.default.headerInjection.headerName: "),
        ("secrets.yaml", "secrets.yaml:9:11: note: outgoingAuth.default.exec.env.LACKING.fromEnv: "),
        ("secrets.yaml", "secrets.yaml:17:11: note: outgoingAuth.backends.a.clientCredentials.clientSecret.fromFile: "),
        #[cfg(feature = "cedar")]
        ("authz.yaml", "authz.yaml:6:5: incomingAuth.authz.entitiesJson: "),
    ] {
        let told = told(file);
        assert!(told.lines().any(|line| line.starts_with(place)), "{place} in:\n{told}");
    }
}

#[test]
fn a_client_id_that_nothing_uses_is_a_warning_at_its_line() {
    let validated = |more: &str| {
        let config = format!(
            "incomingAuth:\n  type: oidc\n  oidc:\n    issuer: https://a.example.com\n    audience: gateway\n{more}\
             backends: [{{name: a, url: 'https://a.example.com/mcp'}}]\n"
        );
        let output = Folder::new(&[("vmcp.yaml", &config)]).vmcp(&["validate"], &[("SECRET", "s")]);
        (output.status.code(), text(&output.stderr).to_owned())
    };
    let (code, told) = validated("    clientId: vmcp\n");
    let place = "vmcp.yaml:6:5: warning: incomingAuth.oidc.clientId: has no effect without a client secret";
    assert!(code == Some(0) && told.starts_with(place), "{told}");
    for used in ["    clientId: vmcp\n    clientSecretEnv: SECRET\n", "    clientId: vmcp\n    facade: {clientId: app}\n"] {
        let (code, told) = validated(used);
        assert!(code == Some(0) && !told.contains("no effect"), "{used}{told}");
    }
}

#[cfg(feature = "cedar")]
#[test]
fn an_empty_text_is_nothing_where_it_is_the_default_of_the_original_and_a_mistake_elsewhere() {
    let config = "\
incomingAuth:
  type: oidc
  oidc: { issuer: https://id.example.com, audience: vmcp, clientId: '', clientSecretEnv: '', resource: '', jwksUrl: '', introspectionUrl: '',
    caBundlePath: '', scopes: [openid] }
  authz: { type: cedar, policies: ['permit(principal, action, resource);'], entitiesJson: '[]', primaryUpstreamProvider: '', groupClaimName: '',
    roleClaimName: '', groupEntityType: '' }
backends: [{ name: a, url: 'https://a.example.com/mcp' }]
outgoingAuth:
  default: &exchange
    type: token_exchange
    tokenExchange: { tokenUrl: 'https://id.example.com/token', clientId: '', clientSecretEnv: '', audience: '', scopes: [],
      subjectTokenType: '', subjectProviderName: '' }
  backends: { a: *exchange }
endpoints: [{ path: /team, backends: [a], outgoingAuth: { default: *exchange } }]
";
    let validated = |config: &str| {
        let output = Folder::new(&[("vmcp.yaml", config)]).vmcp(&["validate"], &[]);
        (output.status.code(), text(&output.stderr).to_owned())
    };
    assert_eq!(validated(config), (Some(0), String::new()));
    for (from, to, place) in [
        ("https://id.example.com,", "'',", "incomingAuth.oidc.issuer: "),
        ("audience: vmcp", "audience: ''", "incomingAuth.oidc.audience: "),
        ("'https://a.example.com/mcp'", "''", "backends[0].url: "),
        ("'https://id.example.com/token'", "''", "outgoingAuth.default.tokenExchange.tokenUrl: "),
        ("primaryUpstreamProvider: ''", "primaryUpstreamProvider: github", "incomingAuth.authz.primaryUpstreamProvider: not available"),
    ] {
        let (code, told) = validated(&config.replacen(from, to, 1));
        assert!(code == Some(1) && told.contains(place), "{place}\n{told}");
    }
}

#[test]
fn authorities_that_nothing_could_be_checked_against_are_refused_wherever_they_are_named() {
    let config = "\
incomingAuth: { type: oidc, oidc: { issuer: https://id.example.com, audience: vmcp, caBundlePath: ca.pem, issuers: [
  { issuer: https://other.example.com, audience: vmcp, caBundlePath: ca.pem }] } }
backends: [{ name: a, url: 'https://a.example.com/mcp', caBundlePath: ca.pem }, { name: b, url: 'https://b.example.com/mcp' },
  { name: c, url: 'https://c.example.com/mcp' }]
outgoingAuth:
  default: { type: external, external: { url: 'https://id.example.com/', caBundlePath: ca.pem } }
  backends:
    b: { type: token_exchange, tokenExchange: { tokenUrl: 'https://id.example.com/token', caBundlePath: ca.pem,
      subjectIssuers: [https://id.example.com] } }
    c: { type: client_credentials, clientCredentials: { tokenUrl: 'https://id.example.com/token', clientId: vmcp, clientSecret: { fromEnv: S },
      caBundlePath: ca.pem } }
";
    let good = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let validated = |config: &str, bad: &str| {
        let output = Folder::new(&[("vmcp.yaml", config), ("ca.pem", &good), ("bad.pem", bad)]).vmcp(&["validate"], &[("S", "secret")]);
        (output.status.code(), text(&output.stderr).to_owned())
    };
    assert_eq!(validated(config, ""), (Some(0), String::new()));
    let broken = |inside: &str| format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
    let places = [
        "incomingAuth.oidc.caBundlePath",
        "incomingAuth.oidc.issuers[0].caBundlePath",
        "backends[0].caBundlePath",
        "outgoingAuth.default.external.caBundlePath",
        "outgoingAuth.backends.b.tokenExchange.caBundlePath",
        "outgoingAuth.backends.c.clientCredentials.caBundlePath",
    ];
    for ((at, _), place) in config.match_indices("ca.pem").zip(places) {
        let config = format!("{}bad.pem{}", &config[..at], &config[at + "ca.pem".len()..]);
        for (bad, reason) in [
            (broken("aGVsbG8="), "it has a certificate that cannot be used"),
            (format!("{good}{}", broken("!!")), "it is not PEM"),
            (String::new(), "it has no certificate"),
        ] {
            let (code, told) = validated(&config, &bad);
            let is_told = told.contains(&format!(" {place}: ")) && told.contains(&format!("{reason}; give a PEM file"));
            assert!(code == Some(1) && told.lines().count() == 1 && is_told, "{place}: {reason}\n{told}");
        }
    }
}

#[test]
fn an_empty_variable_is_no_default_of_the_original_and_what_it_was_to_protect_does_not_go_missing() {
    let config = "\
incomingAuth:
  type: oidc
  oidc: { issuer: https://id.example.com, audience: vmcp, caBundlePath: '${IDP_CA}' }
backends: [{ name: a, url: 'https://a.example.com/mcp' }]
outgoingAuth:
  default: { type: token_exchange, tokenExchange: { tokenUrl: 'https://id.example.com/token', audience: '${AUD}' } }
endpoints:
- path: /team
  backends: [a]
  outgoingAuth: { default: { type: token_exchange, tokenExchange: { tokenUrl: 'https://id.example.com/token', audience: '${AUD}' } } }
";
    let validated = |config: &str| {
        let output = Folder::new(&[("vmcp.yaml", config)]).vmcp(&["validate"], &[("IDP_CA", ""), ("AUD", "")]);
        (output.status.code(), text(&output.stderr).to_owned())
    };
    let (code, told) = validated(config);
    let places = [
        "vmcp.yaml:3:59: incomingAuth.oidc.caBundlePath",
        "vmcp.yaml:6:95: outgoingAuth.default.tokenExchange.audience",
        "vmcp.yaml:10:111: endpoints[0].outgoingAuth.default.tokenExchange.audience",
    ];
    let why = "the environment variable behind it is empty; set it, remove the key, or write ${NAME:-} if it may be left out";
    assert_eq!((code, told), (Some(1), places.map(|place| format!("{place}: {why}\n")).concat()));
    // Whoever writes an empty default says that nothing is fine.
    assert_eq!(validated(&config.replace("}'", ":-}'")), (Some(0), String::new()));
}

#[test]
fn an_empty_default_of_the_original_is_one_in_a_variable_that_holds_settings_too() {
    let folder = Folder::new(&[("vmcp.yaml", "backends: [{ name: a, url: 'https://a.example.com/mcp' }]\n")]);
    let exchange = r#"{"default":{"type":"token_exchange","tokenExchange":{"tokenUrl":"https://id.example.com/token","audience":""}}}"#;
    let incoming = r#"{"type":"oidc","oidc":{"issuer":"https://id.example.com","audience":"vmcp","caBundlePath":""}}"#;
    let output = folder.vmcp(&["validate"], &[("VMCP_OUTGOING_AUTH", exchange), ("VMCP_INCOMING_AUTH", incoming)]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
