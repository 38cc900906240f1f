//! Towards a backend that is a process: variables instead of headers.

use super::support::{entries, headers, name};
use crate::header::{BackendSpec, HeaderPolicy, OutgoingName, Place, PolicyProblem, PolicySpec, StartedSpec};
use http::HeaderMap;
use serde_json::{Value, json};
use url::Url;

/// A process `files` beside a server `web` at a URL.
struct House {
    global: Value,
    own: Value,
    web: Value,
    process: StartedSpec<'static>,
}

impl House {
    fn own(own: Value) -> Self {
        Self { global: json!([]), own, web: json!([]), process: StartedSpec::default() }
    }

    fn compile(&self) -> Result<HeaderPolicy, Vec<PolicyProblem>> {
        let url = Url::parse("https://mcp.example.com/mcp").unwrap();
        let (global, own, web) = (entries(self.global.clone()), entries(self.own.clone()), entries(self.web.clone()));
        HeaderPolicy::compile(&PolicySpec {
            global: &global,
            backends: vec![
                BackendSpec { passthrough: &own, ..BackendSpec::at("files", Place::Process(self.process.clone())) },
                BackendSpec { passthrough: &web, ..BackendSpec::new("web", &url) },
            ],
            ..PolicySpec::default()
        })
    }

    fn problems(&self) -> Vec<String> {
        self.compile().err().unwrap_or_default().iter().map(PolicyProblem::to_string).collect()
    }

    fn warnings(&self) -> Vec<String> {
        self.compile().unwrap().warnings().iter().map(ToString::to_string).collect()
    }
}

fn variables(policy: &HeaderPolicy, lines: &[(&str, &str)]) -> Vec<String> {
    let forwarded = policy.capture(&headers(lines)).unwrap();
    let environment = policy.backend(0).environment(&forwarded);
    environment.map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value.as_bytes()))).collect()
}

#[test]
fn a_header_fills_the_variable_that_its_entry_names_and_no_header() {
    let policy = House::own(json!([
        {"name": "x-github-token", "asEnv": "GITHUB_TOKEN"},
        {"name": "x-key", "asEnv": "API_KEY", "format": "key {}"},
    ]))
    .compile()
    .unwrap();
    assert_eq!(variables(&policy, &[("x-key", "k"), ("x-other", "o"), ("x-github-token", "a b")]), ["GITHUB_TOKEN=a b", "API_KEY=key k"]);
    assert_eq!(variables(&policy, &[("x-github-token", ""), ("x-key", "")]), ["GITHUB_TOKEN="]);
    let files = policy.backend(0);
    let forwarded = policy.capture(&headers(&[("x-github-token", "hunter2")])).unwrap();
    let mut out = HeaderMap::new();
    files.apply(&forwarded, &mut out);
    assert!(out.is_empty());
    assert!(files.has_environment() && files.is_caller_dependent() && !policy.backend(1).has_environment());
    assert_eq!(files.outgoing().next().unwrap().outbound, OutgoingName::Variable("GITHUB_TOKEN"));
    assert_eq!(files.credential_material(&forwarded).count(), 1, "the value tells one process from another");
    let shown = format!("{policy:?} {forwarded:?} {:?}", files.environment(&forwarded).collect::<Vec<_>>());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_variable_takes_one_value() {
    let policy = House::own(json!([{"name": "x-key", "asEnv": "API_KEY"}])).compile().unwrap();
    let error = policy.capture(&headers(&[("x-key", "1"), ("x-key", "2")])).unwrap_err();
    assert_eq!(error.to_string(), "header `x-key` was sent more than once, but backend `files` takes one value; send it once");
}

#[test]
fn no_value_of_a_header_can_end_a_variable_early() {
    assert!(http::HeaderValue::from_bytes(b"a\0b").is_err());
}

#[test]
fn a_correlation_id_in_a_variable_counts_as_a_credential_unless_the_entry_says_otherwise() {
    let is_credential = |entry: Value| House::own(json!([entry])).compile().unwrap().backend(0).outgoing().next().unwrap().credential;
    assert!(is_credential(json!({"name": "x-request-id", "asEnv": "REQUEST_ID"})));
    assert!(!is_credential(json!({"name": "x-request-id", "asEnv": "REQUEST_ID", "credential": false})));
}

#[test]
fn a_global_entry_can_mean_both_kinds_of_backends() {
    let house = House {
        global: json!([{"name": "x-token", "as": "authorization", "format": "Bearer {}", "asEnv": "TOKEN"}]),
        ..House::own(json!([]))
    };
    let policy = house.compile().unwrap();
    assert_eq!(variables(&policy, &[("x-token", "t")]), ["TOKEN=Bearer t"]);
    let rows: Vec<&str> = policy.backends().flat_map(|backend| backend.outgoing()).map(|row| row.outbound.as_str()).collect();
    assert_eq!(rows, ["TOKEN", "authorization"]);
    assert!(policy.warnings().is_empty());
}

#[test]
fn a_global_entry_that_cannot_reach_a_backend_is_a_warning() {
    let house = House { global: json!(["x-tenant", {"name": "x-token", "asEnv": "TOKEN"}]), ..House::own(json!([])) };
    assert_eq!(
        house.warnings(),
        [
            "`x-tenant` does not reach backend `files`, started with `command` and sent no headers; \
             give the entry `asEnv`, or set `inheritPassthroughHeaders: false` there",
            "`x-token` does not reach backend `web`, because its entry has `asEnv` alone; \
             give it `as` too, or set `inheritPassthroughHeaders: false` there",
        ]
    );
    let policy = house.compile().unwrap();
    assert_eq!(variables(&policy, &[("x-tenant", "a"), ("x-token", "t")]), ["TOKEN=t"]);
    let rows: Vec<String> = policy.backend(1).outgoing().map(|row| row.outbound.to_string()).collect();
    assert_eq!(rows, ["x-tenant"]);
    assert!(policy.lists(&name("x-tenant")));
}

#[test]
fn what_a_process_cannot_be_given_is_refused_with_what_to_write() {
    for entry in [json!("x-key"), json!({"name": "x-key", "as": "x-other"}), json!({"name": "x-key", "as": "x-other", "asEnv": "A"})] {
        let problems = House::own(json!([entry])).problems();
        assert_eq!(
            problems,
            ["backends[0].passthroughHeaders[0]: header `x-key` (backend `files`): a server that is started with `command` is sent no \
              headers; write `asEnv` with the variable that it takes the value from, and no `as`"]
        );
    }
    let at_url = House { web: json!([{"name": "x-key", "asEnv": "A"}]), ..House::own(json!([])) };
    assert_eq!(
        at_url.problems(),
        ["backends[1].passthroughHeaders[0]: header `x-key` (backend `web`): `asEnv` is for servers that are started with `command`; \
          use `as`"]
    );
}

#[test]
fn callers_who_share_a_process_put_nothing_into_it() {
    let process = StartedSpec { is_shared: true, ..StartedSpec::default() };
    let house = House { global: json!([{"name": "x-token", "asEnv": "TOKEN"}]), process, ..House::own(json!([])) };
    let problems = house.problems();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("passthroughHeaders[0]: header `x-token` (backend `files`): callers share the server's process"),
        "{problems:?}"
    );
}

#[test]
fn one_variable_has_one_source() {
    let passed = ["C".to_owned()];
    let passed: &'static [String] = Vec::leak(passed.into());
    let process = StartedSpec { env: vec!["A"], env_passthrough: passed, ..StartedSpec::default() };
    let own = json!([
        {"name": "x-a", "asEnv": "A"},
        {"name": "x-b", "asEnv": "B"},
        {"name": "x-bb", "asEnv": "B"},
        {"name": "x-c", "asEnv": "C"},
    ]);
    let problems = House { process, ..House::own(own) }.problems();
    let taken = |at: usize, header: &str, variable: &str, by: &str| {
        format!(
            "backends[0].passthroughHeaders[{at}]: header `{header}` (backend `files`): `{variable}` is written by {by} too; \
             remove one of the two, or use another name"
        )
    };
    assert_eq!(
        problems,
        [
            taken(0, "x-a", "A", "backends[0].env.A"),
            taken(2, "x-bb", "B", "backends[0].passthroughHeaders[1]"),
            taken(3, "x-c", "C", "backends[0].envPassthrough"),
        ]
    );
}

#[test]
fn no_caller_fills_a_variable_that_runs_or_redirects_something() {
    for variable in ["LD_PRELOAD", "NODE_OPTIONS", "PATH", "https_proxy", "GIT_SSH_COMMAND", "VMCP_LISTEN"] {
        let problems = House::own(json!([{"name": "x-key", "asEnv": variable}])).problems();
        assert_eq!(problems.len(), 1);
        let beginning = format!("backends[0].passthroughHeaders[0]: header `x-key` (backend `files`): no caller may fill `{variable}`: ");
        assert!(problems[0].starts_with(&beginning), "{problems:?}");
    }
    let problems = House::own(json!([{"name": "x-key", "asEnv": "KEY=hunter2"}])).problems();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("`asEnv` is not the name of a variable") && !problems[0].contains("hunter2"), "{problems:?}");
}

#[test]
fn a_strategy_that_writes_headers_has_no_use_for_a_process() {
    let managed = [name("authorization")];
    let spec = BackendSpec { managed: &managed, ..BackendSpec::at("files", Place::Process(StartedSpec::default())) };
    let problems = HeaderPolicy::compile(&PolicySpec { backends: vec![spec], ..PolicySpec::default() }).unwrap_err();
    assert!(problems[0].to_string().starts_with("backends[0]: header `authorization` (backend `files`): the backend's outgoing strategy"));
}
