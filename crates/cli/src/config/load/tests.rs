use super::*;
use std::fs;

/// A folder with files, an environment, and what loading says.
struct Case {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    flags: Flags,
    secrets: Secrets,
}

impl Case {
    fn new(name: &str, text: &str) -> Self {
        let case =
            Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new(), flags: Flags::default(), secrets: Secrets::Required };
        case.with_file(name, text)
    }

    fn with_file(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn optional(mut self) -> Self {
        self.secrets = Secrets::Optional;
        self
    }

    fn load(&self, name: &str) -> Report {
        load(&Request {
            file: Some(self.folder.path().join(name)),
            flags: self.flags.clone(),
            environment: self.environment.iter().cloned().collect(),
            secrets: self.secrets,
        })
    }

    /// The findings as printed, without the folder.
    fn says(&self, name: &str) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        self.load(name).findings.iter().map(|finding| finding.to_string().replace(&folder, "")).collect()
    }

    fn config(&self, name: &str) -> Config {
        match self.load(name).into_loaded() {
            Ok(loaded) => loaded.config,
            Err(findings) => panic!("{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        }
    }
}

const BACKEND: &str = "backends: [{name: a, url: 'https://a.example.com/mcp'}]\n";

#[test]
fn every_problem_has_file_line_column_and_path() {
    let text = "\
listen: nowhere
lisen: 127.0.0.1:1
backends:
  - name: github
    url: https://a.example.com/mcp
    headers:
      x-version: 2
  - name: jira
    url: https://b.example.com/mcp
    passthroughHeaders:
      - {name: x-token, formt: 'Bearer {}'}
aggregation:
  conflictResolution: prefx
compositeTools: []
";
    assert_eq!(
        Case::new("vmcp.yaml", text).says("vmcp.yaml"),
        [
            "vmcp.yaml:1:1: listen: `nowhere` is not an address and port; write for example 127.0.0.1:4483 or [::1]:4483",
            "vmcp.yaml:2:1: lisen: unknown key; did you mean `listen`?",
            "vmcp.yaml:7:7: backends[0].headers.x-version: expected text or a map, found a number; put it in quotes",
            "vmcp.yaml:11:25: backends[1].passthroughHeaders[0].formt: unknown key; did you mean `format`?",
            "vmcp.yaml:13:3: aggregation.conflictResolution: `prefx` is not one of `prefix`, `priority`, `manual`; did you mean `prefix`?",
            "vmcp.yaml:14:1: compositeTools: not available in this version of vmcp; remove it",
        ]
    );
}

#[test]
fn all_kinds_of_problems_are_told_at_once() {
    let text = "\
lisen: 127.0.0.1:1
colour: blue
path: mcp
backends:
  - name: Git Hub
    url: https://user:secret@a.example.com/mcp
    time_out: 0s
    passthroughHeaders: [host, {name: x-a, formt: 'a {} {}'}]
    caBundle: ca.pem
  - name: b
    url: http://10.0.0.7/mcp
    allow_plaintext: yes
    headers: {x-key: {fromEnv: KEY}}
  - name: c
    url: 5
aggregation: {listWait: 5, tools: [{workload: b, filtr: []}, {workload: d}]}
outgoingAuth: {backends: {e: {type: unauthenticated}}}
";
    let said = Case::new("vmcp.yaml", text).says("vmcp.yaml");
    let starts = [
        "vmcp.yaml:1:1: lisen: unknown key; did you mean `listen`?",
        "vmcp.yaml:2:1: colour: unknown key; known here: name, groupRef,",
        "vmcp.yaml:3:1: path: does not start with `/`; write for example /mcp",
        "vmcp.yaml:5:5: backends[0].name: not a backend name; use lower-case letters, digits, `-` and `_`, for example `git-hub`",
        "vmcp.yaml:6:5: backends[0].url: a URL with a user name or a password; put the credential under `headers`",
        "vmcp.yaml:7:5: backends[0].time_out: unknown key; did you mean `timeout`?",
        "vmcp.yaml:7:5: backends[0].time_out: must not be zero; leave it out for the default",
        "vmcp.yaml:8:26: backends[0].passthroughHeaders[0]: header `host` (backend `Git Hub`): it belongs to routing",
        "vmcp.yaml:8:32: backends[0].passthroughHeaders[1]: header `x-a` (backend `Git Hub`): `format` has more than one `{}`",
        "vmcp.yaml:8:44: backends[0].passthroughHeaders[1].formt: unknown key; did you mean `format`?",
        "vmcp.yaml:9:5: backends[0].caBundle: unknown key; known here: name, url,",
        "vmcp.yaml:12:5: backends[1].allow_plaintext: unknown key; did you mean `allowPlaintext`?",
        "vmcp.yaml:13:15: backends[1].headers.x-key: the environment variable `KEY` is not set; set it where vmcp runs",
        "vmcp.yaml:15:5: backends[2].url: expected text, found a number; put it in quotes",
        "vmcp.yaml:16:15: aggregation.listWait: expected text, found a number; add a unit, for example 30s",
        "vmcp.yaml:16:50: aggregation.tools[0].filtr: unknown key; did you mean `filter`?",
        "vmcp.yaml:16:50: aggregation.tools[0].filtr: is empty; leave it out to show every tool",
        "vmcp.yaml:16:63: aggregation.tools[1].workload: there is no backend `d`",
        "vmcp.yaml:17:27: outgoingAuth.backends.e: no backend is called `e`; known: `Git Hub`, `b`, `c`",
    ];
    for (line, start) in said.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\n{start}");
    }
    assert_eq!(said.len(), starts.len(), "{said:#?}");
}

#[test]
fn what_only_follows_from_something_unread_is_not_told() {
    // The list of backends is the variable's.
    let case = Case::new("vmcp.yaml", "path: /mcp\naggregation: {tools: [{workload: a}]}\n").env("VMCP_BACKENDS", "[");
    assert_eq!(case.says("vmcp.yaml"), ["VMCP_BACKENDS: backends: not valid JSON; write one JSON value on one line"]);
    // A backend whose name was not read may be the one that is meant.
    let text = "backends: [{name: 7, url: 'https://a.example.com/'}]\noutgoingAuth: {backends: {a: {type: unauthenticated}}}\n";
    let said = Case::new("vmcp.yaml", text).says("vmcp.yaml");
    assert_eq!(said, ["vmcp.yaml:1:13: backends[0].name: expected text, found a number; put it in quotes"]);
    // Nobody who writes `oidc` listens for everybody.
    let text = format!("{BACKEND}listen: 0.0.0.0:1\nallowedHosts: [a]\nincomingAuth: {{type: oidc}}\n");
    let said = Case::new("vmcp.yaml", &text).says("vmcp.yaml");
    assert_eq!(said.len(), 1, "{said:#?}");
}

#[test]
fn what_a_strategy_may_not_write_is_told_where_the_strategy_stands() {
    let text = "\
backends:
  - {name: a, url: 'https://a.example.com/mcp'}
  - {name: b, url: 'https://b.example.com/mcp'}
  - {name: c, url: 'https://c.example.com/mcp'}
outgoingAuth:
  default: {type: header_injection, headerInjection: {headerName: host, headerValue: x}}
  backends:
    b: {type: header_injection, headerInjection: {headerName: accept, headerValue: x}}
";
    let said = Case::new("vmcp.yaml", text).says("vmcp.yaml");
    let starts = [
        "vmcp.yaml:6:3: outgoingAuth.default: header `host` (backends `a`, `c`): it belongs",
        "vmcp.yaml:8:5: outgoingAuth.backends.b: header `accept` (backend `b`): vmcp writes it itself; remove it",
    ];
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{said:#?}");
}

#[test]
fn a_bundle_without_a_certificate_is_told_with_file_and_path() {
    let text = "\
backends:
  - {name: a, url: 'https://a.example.com/mcp', caBundlePath: empty.pem}
  - {name: b, url: 'https://b.example.com/mcp', caBundlePath: none.pem}
";
    let case = Case::new("vmcp.yaml", text).with_file("empty.pem", "hunter2\n").optional();
    let empty = "vmcp.yaml:2:49: backends[0].caBundlePath: empty.pem: it has no certificate; \
                 give a PEM file with the certificates of the authorities to trust";
    let none = "vmcp.yaml:3:49: note: backends[1].caBundlePath: cannot read none.pem: no such file; `vmcp serve` will need it";
    assert_eq!(case.says("vmcp.yaml"), [empty, none]);
    let strict = Case { secrets: Secrets::Required, ..case };
    assert!(strict.says("vmcp.yaml")[1].ends_with("cannot read none.pem: no such file; put the file there, or correct the path"));
}

#[test]
fn names_that_stand_for_unset_variables_may_be_any_backends() {
    let text = "\
backends:
  - {name: '${A}', url: 'https://a.example.com/mcp'}
  - {name: '${B}', url: 'https://b.example.com/mcp'}
outgoingAuth: {backends: {a: {type: unauthenticated}}}
operational: {timeouts: {perWorkload: {b: 1s}}}
aggregation:
  conflictResolution: priority
  conflictResolutionConfig: {priorityOrder: [b, a]}
  tools: [{workload: a}]
";
    let case = Case::new("vmcp.yaml", text).optional();
    let said = case.says("vmcp.yaml");
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said.iter().all(|line| line.contains("].name: the environment variable `")), "{said:#?}");
}

#[test]
fn what_an_unset_permission_may_allow_is_not_refused() {
    let text = "\
backends:
  - name: a
    url: http://10.0.0.7/mcp
    allowPlaintext: ${A}
    allowCredentialHeaderPassthrough: ${B}
    passthroughHeaders: [cookie, {name: x-remote-user, impersonation: '${C}'}]
";
    let report = Case::new("vmcp.yaml", text).optional().load("vmcp.yaml");
    assert!(report.findings.iter().all(|finding| !finding.is_error()), "{:#?}", report.findings);
    assert_eq!(report.findings.iter().filter(|finding| finding.message.contains("is not set")).count(), 3);
}

#[test]
fn advice_is_a_hint_for_programs_too() {
    let report = Case::new("vmcp.yaml", &format!("{BACKEND}passthroughHeaders: [host]\n")).load("vmcp.yaml");
    assert_eq!(report.findings[0].hint.as_deref(), Some("remove it"));
    assert!(!report.findings[0].message.contains(';'));
}

#[test]
fn toml_and_json_have_places_too() {
    assert_eq!(
        Case::new("vmcp.toml", "path = '/mcp'\n[[backends]]\nname = 'a'\nurll = 'https://a.example.com'\n").says("vmcp.toml"),
        ["vmcp.toml:4:1: backends[0].urll: unknown key; did you mean `url`?"]
    );
    assert_eq!(
        Case::new("vmcp.json", "{\n  // one\n  \"backends\": [\n    {\"name\": \"a\", \"url\": 5},\n  ],\n}").says("vmcp.json"),
        ["vmcp.json:4:19: backends[0].url: expected text, found a number; put it in quotes"]
    );
}

#[test]
fn what_does_not_parse_has_its_place() {
    assert_eq!(Case::new("vmcp.yaml", "backends: [\n").says("vmcp.yaml"), ["vmcp.yaml:1:11: unclosed bracket '['"]);
    assert_eq!(Case::new("vmcp.yaml", "- a\n").says("vmcp.yaml"), ["vmcp.yaml: expected a map at the top"]);
    assert_eq!(Case::new("vmcp.yaml", "").says("vmcp.yaml"), ["vmcp.yaml: the key `backends` is missing"]);
    assert_eq!(
        Case::new("vmcp.ini", "").says("vmcp.ini"),
        ["vmcp.ini: cannot be read: its extension is none of .yaml, .yml, .toml, .json and .jsonc"]
    );
    assert_eq!(Case::new("vmcp.yaml", "").says("other.yaml"), ["other.yaml: cannot be read: no such file"]);
}

#[test]
fn what_the_configuration_means_is_checked_with_its_place() {
    let text = "\
passthroughHeaders: [x-a, authorization]
backends:
  - name: A
    url: https://a.example.com/mcp
  - name: b
    url: http://b.example.com/mcp
    headers: {authorization: Basic Zm9v}
limits: {maxConnections: 0}
aggregation:
  tools:
    - workload: c
";
    let said = Case::new("vmcp.yaml", text).says("vmcp.yaml");
    let starts = [
        "vmcp.yaml:1:27: passthroughHeaders[1]: header `authorization` (backends `A`, `b`): MCP forbids",
        "vmcp.yaml:1:27: passthroughHeaders[1]: header `authorization` (backend `b`): `authorization` is written by",
        "vmcp.yaml:3:5: backends[0].name: not a backend name; use lower-case letters, digits, `-` and `_`, for example `a`",
        "vmcp.yaml:6:5: backends[1].url: header `authorization`",
        "vmcp.yaml:8:10: limits.maxConnections: must not be zero",
        "vmcp.yaml:11:7: aggregation.tools[0].workload: there is no backend `c`",
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    for (line, start) in said.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\n{start}");
    }
}

#[test]
fn the_environment_wins_over_the_file_and_flags_over_both() {
    let mut case = Case::new("vmcp.yaml", &format!("{BACKEND}listen: 127.0.0.1:1\npath: /file\nsessions: {{max: 1, idleTimeout: 1m}}\n"))
        .env("VMCP_SESSIONS__MAX", "2")
        .env("VMCP_LISTEN", "127.0.0.2:2")
        .env("VMCP_PATH", "/environment");
    case.flags = Flags {
        port: Some(3),
        path: Some("/flag".to_owned()),
        backends: vec![("b".to_owned(), "https://b.example.com/mcp".to_owned())],
        ..Flags::default()
    };
    let config = case.config("vmcp.yaml");
    assert_eq!(config.listen.address.unwrap().to_string(), "127.0.0.2:3");
    assert_eq!(config.path, "/flag");
    assert_eq!((config.sessions.max, config.sessions.idle_timeout.to_string()), (2, "1m".to_owned()));
    assert_eq!(config.backends.iter().map(|backend| backend.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let sources = case.load("vmcp.yaml").sources;
    assert_eq!(sources.others, ["VMCP_LISTEN", "VMCP_PATH", "VMCP_SESSIONS__MAX", "--backend", "--port", "--path"]);
}

#[test]
fn a_problem_of_another_layer_names_the_variable_or_the_flag() {
    let mut case = Case::new("vmcp.yaml", BACKEND).env("VMCP_LISTEN", "hunter2").env("VMCP_SESSIONS__MAX", "hunter2");
    case.flags.backends = vec![("b".to_owned(), "nowhere".to_owned())];
    assert_eq!(
        case.says("vmcp.yaml"),
        [
            "--backend: backends[1].url: `nowhere` is not a URL; write it in full, for example https://mcp.example.com/mcp",
            "VMCP_LISTEN: listen: the value is not an address and port; write for example 127.0.0.1:4483 or [::1]:4483",
            "VMCP_SESSIONS__MAX: sessions.max: expected a whole number, found text",
        ]
    );
}

#[test]
fn variables_stand_for_texts_numbers_and_truth_values() {
    let text = "\
backends:
  - name: a
    url: https://${HOST}/mcp
    http2: ${HTTP2}
    headers: {x-key: '${KEY}'}
sessions: {max: '${MAX:-7}'}
";
    let config = Case::new("vmcp.yaml", text).env("HOST", "a.example.com").env("HTTP2", "true").env("KEY", "hunter2").config("vmcp.yaml");
    assert_eq!(config.backends[0].url.as_ref().unwrap().as_str(), "https://a.example.com/mcp");
    assert!(config.backends[0].http2);
    assert_eq!(config.sessions.max, 7);
}

#[test]
fn missing_variables_are_errors_only_where_secrets_are_needed() {
    let text = "\
listen: ${LISTEN}
backends:
  - name: ${NAME}
    url: ${URL}
    timeout: ${TIMEOUT}
    http2: ${HTTP2}
    headers: {x-key: 'a-${KEY}', x-env: {fromEnv: ENV}, x-file: {fromFile: key.txt}}
sessions: {max: '${MAX}', keys: [{fromEnv: SESSION_KEY}]}
outgoingAuth: {default: {type: header_injection, headerInjection: {headerName: x-injected, headerValueEnv: INJECTED}}}
";
    let case = Case::new("vmcp.yaml", text).optional();
    let note = |at: &str, path: &str, what: &str| format!("vmcp.yaml:{at}: note: {path}: {what}; `vmcp serve` will need it");
    let unset = |at, path, name| note(at, path, &format!("the environment variable `{name}` is not set"));
    assert_eq!(
        case.says("vmcp.yaml"),
        [
            unset("1:1", "listen", "LISTEN"),
            unset("3:5", "backends[0].name", "NAME"),
            unset("4:5", "backends[0].url", "URL"),
            unset("5:5", "backends[0].timeout", "TIMEOUT"),
            unset("6:5", "backends[0].http2", "HTTP2"),
            unset("7:15", "backends[0].headers.x-key", "KEY"),
            unset("7:34", "backends[0].headers.x-env", "ENV"),
            note("7:57", "backends[0].headers.x-file", "cannot read key.txt: no such file"),
            unset("8:12", "sessions.max", "MAX"),
            unset("8:34", "sessions.keys[0]", "SESSION_KEY"),
            note(
                "9:92",
                "outgoingAuth.default.headerInjection.headerValueEnv",
                "headerInjection has no value: the environment variable `INJECTED` is not set"
            ),
        ]
    );
    assert!(case.load("vmcp.yaml").into_loaded().is_ok());

    let strict = Case { secrets: Secrets::Required, ..case };
    let said = strict.says("vmcp.yaml");
    assert_eq!(said[0], "vmcp.yaml:1:1: listen: the environment variable `LISTEN` is not set; set it, or write ${LISTEN:-default}");
    assert!(
        said.iter().any(|line| line.contains("outgoingAuth.default.headerInjection.headerValueEnv: ") && line.contains("INJECTED")),
        "{said:#?}"
    );
    assert!(said.iter().all(|line| !line.contains("note: ")), "{said:#?}");
    assert!(strict.load("vmcp.yaml").into_loaded().is_err());
}

#[test]
fn a_variable_that_a_later_layer_replaces_is_not_missed() {
    let case = Case::new("vmcp.yaml", &format!("{BACKEND}listen: ${{LISTEN}}\n")).env("VMCP_LISTEN", "127.0.0.1:9");
    assert_eq!(case.says("vmcp.yaml"), Vec::<String>::new());
    assert_eq!(case.config("vmcp.yaml").listen.address.unwrap().port(), 9);
}

#[test]
fn no_value_of_the_environment_appears_in_a_message() {
    let text = "\
name: ${S}
listen: ${S}
path: ${S}
groupRef: ${S}
passthroughHeaders: ['${S}', {name: x-a, as: '${S}', format: '${S}'}, {name: x-a}]
allowedHosts: ['${S}']
backends:
  - name: ${S}
    url: ${S}
    timeout: ${S}
    transport: ${S}
    headers: {x-b: '${S}', host: '${S}'}
  - name: ${S}
    url: https://u:${S}@a.example.com/mcp#${S}
  - name: ${T}
    url: ftp://${T}/
outgoingAuth:
  backends:
    a: {type: '${S}'}
    b: {type: header_injection, headerInjection: {headerName: '${S}', headerValue: '${S}'}}
aggregation: {conflictResolution: '${S}', tools: [{workload: '${S}'}]}
sessions: {max: '${S}', keys: ['${S}']}
limits: {maxRequestBytes: '${S}'}
operational: {logLevel: '${S}', timeouts: {default: '${S}'}}
";
    // First with values that break the shape, then with ones that only break the meaning.
    let shape = Case::new("vmcp.yaml", text).env("S", "HunTer \u{e9}2!").env("T", "q").says("vmcp.yaml");
    assert!(shape.len() > 8, "{shape:#?}");
    let odd = text.replace("listen: ${S}", "").replace("url: ${S}", "url: http://a.example.com/").replace("timeout: ${S}", "");
    let odd =
        odd.replace("transport: ${S}", "").replace("type: '${S}'", "type: unauthenticated").replace("conflictResolution: '${S}', ", "");
    let odd = odd.replace("max: '${S}', ", "").replace("limits: {maxRequestBytes: '${S}'}", "");
    let odd = odd.replace("operational: {logLevel: '${S}', timeouts: {default: '${S}'}}", "");
    let meaning =
        ["HunTer \u{e9}2!", "HunTer2", "hun"].map(|value| Case::new("vmcp.yaml", &odd).env("S", value).env("T", "q").says("vmcp.yaml"));
    assert!(meaning.iter().all(|lines| lines.len() > 8), "{meaning:#?}");
    for line in shape.iter().chain(meaning.iter().flatten()) {
        assert!(!line.to_lowercase().contains("hun") && !line.contains("`q`"), "{line}");
    }
}

#[test]
fn a_secret_may_be_called_like_a_setting() {
    let text = "backends: [{name: a, url: 'https://a.example.com/mcp', headers: {x-a: {fromEnv: VMCP_TOKEN}, x-b: '${VMCP_OTHER}'}}]\n";
    let case = Case::new("vmcp.yaml", text).env("VMCP_TOKEN", "t").env("VMCP_OTHER", "o");
    assert_eq!(case.says("vmcp.yaml"), Vec::<String>::new());
}

fn certificate() -> String {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()
}

#[test]
fn relative_paths_start_at_the_files_folder() {
    let text = "\
stateDir: state
backends:
  - name: a
    url: https://a.example.com/mcp
    caBundlePath: ca.pem
    headers: {x-key: {fromFile: key.txt}, x-other: {fromFile: /abs/key}}
";
    let case = Case::new("vmcp.yaml", text).with_file("ca.pem", &certificate()).with_file("key.txt", "k").optional();
    let config = case.config("vmcp.yaml");
    assert_eq!(config.state_dir, Some(case.folder.path().join("state")));
    assert_eq!(config.backends[0].ca_bundle_path, Some(case.folder.path().join("ca.pem")));
    let debug = format!("{:?}", config.backends[0].headers);
    assert!(debug.contains(&case.folder.path().join("key.txt").display().to_string()) && debug.contains("\"/abs/key\""), "{debug}");
}

#[test]
fn a_client_file_is_read_with_its_own_paths_in_messages() {
    let text = "{\n  \"mcpServers\": {\n    \"GitHub\": {\n      \"url\": \"ftp://a.example.com\",\n      \"headers\": {\"Authorization\": \"Bearer ${TOKEN}\", \"X-Real-IP\": \"x\"}\n    }\n  }\n}";
    let said = Case::new("mcp.json", text).says("mcp.json");
    assert_eq!(
        said[..3],
        [
            "mcp.json:3:5: note: mcpServers.GitHub: called `github` here",
            "mcp.json:4:7: mcpServers.GitHub.url: `ftp` URLs are not supported; use http or https",
            "mcp.json:5:19: mcpServers.GitHub.headers.Authorization: the environment variable `TOKEN` is not set; \
             set it, or write ${TOKEN:-default}",
        ]
    );
    assert!(said[3].starts_with("mcp.json:5:55: mcpServers.GitHub.headers.X-Real-IP: header `x-real-ip`"), "{}", said[3]);
    let twice = text.replace("ftp", "https").replace("X-Real-IP", "authorization");
    let said = Case::new("mcp.json", &twice).env("TOKEN", "t").says("mcp.json");
    assert!(said.iter().any(|line| line.contains("is written by mcpServers.GitHub.headers.")), "{said:#?}");
    let config =
        Case::new("mcp.json", &text.replace("ftp", "https").replace(", \"X-Real-IP\": \"x\"", "")).env("TOKEN", "t").config("mcp.json");
    assert_eq!(config.backends[0].name, "github");
}

#[test]
fn a_manifest_is_read_with_its_own_paths_in_messages() {
    let text = "\
apiVersion: toolhive.stacklok.dev/v1alpha1
kind: VirtualMCPServer
metadata: {name: Team}
spec:
  groupRef: {name: engineering}
  incomingAuth: {type: oidc, oidcConfigRef: {name: x}}
  config:
    audit: {}
";
    let not = "not available in this version of vmcp";
    assert_eq!(
        Case::new("vmcp.yaml", text).says("vmcp.yaml"),
        [
            "vmcp.yaml:5:3: spec.groupRef: only a cluster can resolve a group of servers; list them under spec.config.backends".to_owned(),
            "vmcp.yaml:6:30: spec.incomingAuth.oidcConfigRef: only a cluster can resolve this; write an `oidcConfig` of `type: inline` here"
                .to_owned(),
            format!("vmcp.yaml:8:5: spec.config.audit: {not}; remove it"),
        ]
    );
}

#[test]
fn flags_alone_are_a_configuration() {
    let flags = Flags { backends: vec![("a".to_owned(), "https://a.example.com/mcp".to_owned())], ..Flags::default() };
    let request = Request { file: None, flags, environment: Environment::default(), secrets: Secrets::Required };
    let loaded = load(&request).into_loaded().map_err(|findings| findings.len()).unwrap();
    assert_eq!(loaded.config.backends.len(), 1);
    assert_eq!(loaded.sources, Sources { file: None, others: vec!["--backend".to_owned()] });
}

#[test]
fn nothing_at_all_says_what_to_give() {
    let empty = tempfile::tempdir().unwrap();
    let environment = Environment::from_iter([("XDG_CONFIG_HOME", empty.path().to_string_lossy())]);
    let report = load(&Request { file: None, flags: Flags::default(), environment, secrets: Secrets::Required });
    let said: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [format!(
            "configuration: none found: neither ./vmcp.yaml nor {}/vmcp/vmcp.yaml is there; give --config FILE or --backend NAME=URL",
            empty.path().display()
        )]
    );
}
