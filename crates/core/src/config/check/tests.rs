use super::*;
use crate::config::{Backend, ByteSize, IncomingAuth, Listen, StrategyConfig};

fn backend(name: &str) -> Backend {
    Backend::new(name, "https://mcp.example.com/mcp".parse().unwrap())
}

fn config() -> Config {
    Config::with_backends(vec![backend("github"), backend("jira")])
}

fn complaints(config: &Config) -> Vec<String> {
    config.check().iter().map(|problem| format!("{} {problem}", problem.severity)).collect()
}

#[test]
fn a_plain_configuration_has_nothing_wrong() {
    assert_eq!(complaints(&config()), Vec::<String>::new());
}

#[test]
fn a_public_url_without_tls_is_warned_of_unless_clients_take_it_for_their_own_machine() {
    for (host, warned) in
        [("127.0.0.1", false), ("[::ffff:127.0.0.1]", false), ("localhost", false), ("gw.localhost", false), ("mcp.example.com", true)]
    {
        let config = Config { public_url: Some(format!("http://{host}:4483").parse().unwrap()), ..config() };
        assert_eq!(complaints(&config).iter().any(|line| line.starts_with("warning publicUrl: ")), warned, "{host}");
    }
}

#[test]
fn the_path_of_event_streams_is_its_own() {
    let complaint = |path: &str| {
        let mut config = Config { sse_path: Some(path.to_owned()), ..config() };
        config.endpoints = serde_json::from_str(r#"[{"path": "/team", "backends": ["jira"]}]"#).unwrap();
        complaints(&config).pop()
    };
    for path in ["/sse", "/mcp/sse", "/team/sse"] {
        assert_eq!(complaint(path), None, "{path}");
    }
    for (path, wrong) in [
        ("sse", "does not start with `/`"),
        ("/", "not a path of its own"),
        ("/status", "taken by the gateway itself"),
        ("/mcp", "the path of the endpoint of all backends, which speaks streamable HTTP"),
        ("/mcp/jira", "the path of backend `jira` alone"),
        ("/team", "the path of endpoints[0] too"),
    ] {
        assert_eq!(complaint(path), Some(format!("error ssePath: {wrong}; write for example /sse")), "{path}");
    }
}

#[test]
fn there_is_at_least_one_backend() {
    assert_eq!(
        complaints(&Config::with_backends(vec![])),
        ["error backends: no backend; add one with a `name` and a `url` or a `command`, or start with --backend name=url"]
    );
}

#[test]
fn backend_names_are_slugs_and_unique() {
    let config = Config::with_backends(vec![backend("Git Hub"), backend("a"), backend("日本"), backend("a"), backend("-x")]);
    assert_eq!(
        complaints(&config),
        [
            "error backends[0].name: not a backend name; use lower-case letters, digits, `-` and `_`, for example `git-hub`",
            "error backends[2].name: not a backend name; use lower-case letters, digits, `-` and `_`, starting with a letter or a digit",
            "error backends[3].name: `a` is the name of backends[1] too; give each backend a name of its own",
            "error backends[4].name: not a backend name; use lower-case letters, digits, `-` and `_`, for example `x`",
        ]
    );
}

#[test]
fn a_backend_url_is_http_without_credentials_or_fragment() {
    let urls = ["ftp://a/", "https://user:hunter2@a/", "https://a/#top", "http://a/"];
    let mut config =
        Config::with_backends(urls.iter().enumerate().map(|(i, url)| Backend::new(format!("b{i}"), url.parse().unwrap())).collect());
    config.backends[3].ca_bundle_path = Some("ca.pem".into());
    let found = complaints(&config);
    assert_eq!(
        found,
        [
            "error backends[0].url: `ftp` URLs are not supported; use http or https",
            "error backends[1].url: a URL with a user name or a password; put the credential under `headers`, with `fromEnv` or `fromFile`",
            "error backends[2].url: a URL with a fragment (`#…`); remove the fragment; it is never sent",
            "error backends[3].caBundlePath: without effect on an http:// URL; remove it, or use https",
        ]
    );
}

#[test]
fn the_endpoint_path_is_plain_and_not_the_gateways_own() {
    for (path, complaint) in [
        ("mcp", "does not start with `/`"),
        ("/mcp?x", "not a plain path"),
        ("/a//b", "not a plain path"),
        ("/a/../b", "not a plain path"),
        ("/{x}", "not a plain path"),
        ("/mcp/", "ends with `/`; a request may do so anyway"),
        ("/health", "taken by the gateway itself"),
        ("/status", "taken by the gateway itself"),
        ("/api/backends/health", "taken by the gateway itself"),
        ("/.well-known/x", "taken by the gateway itself"),
    ] {
        let config = Config { path: path.to_owned(), ..config() };
        assert_eq!(complaints(&config), [format!("error path: {complaint}; write for example /mcp")], "{path}");
    }
    for path in ["/mcp", "/", "/team/mcp", "/healthy"] {
        assert!(Config { path: path.to_owned(), ..config() }.check().is_empty(), "{path}");
    }
}

#[test]
fn every_reference_names_a_known_backend() {
    let mut config = config();
    let strategy = StrategyConfig::of_kind("unauthenticated");
    config.outgoing_auth.backends.insert("gihub".to_owned(), strategy);
    config.operational.timeouts.per_workload.insert("slack".to_owned(), Span::seconds(1));
    assert_eq!(
        complaints(&config),
        [
            "error outgoingAuth.backends.gihub: no backend is called `gihub`; did you mean `github`?",
            "error operational.timeouts.perWorkload.slack: no backend is called `slack`; known: `github`, `jira`",
        ]
    );
}

#[test]
fn no_limit_and_no_time_is_zero() {
    let mut config = config();
    config.sessions.max = 0;
    config.limits.max_request_bytes = ByteSize(0);
    config.limits.read_timeout = Span::seconds(0);
    config.backends[1].max_concurrent = Some(0);
    config.backends[1].timeout = Some(Span::seconds(0));
    config.operational.timeouts.default = Some(Span::seconds(400 * 24 * 3600));
    config.operational.timeouts.per_workload.insert("jira".to_owned(), Span::seconds(0));
    let zero = |path: &str| format!("error {path}: must not be zero; leave it out for the default");
    assert_eq!(
        complaints(&config),
        [
            "error operational.timeouts.default: longer than a year; write a shorter time".to_owned(),
            zero("limits.readTimeout"),
            zero("operational.timeouts.perWorkload.jira"),
            zero("backends[1].timeout"),
            zero("sessions.max"),
            zero("limits.maxRequestBytes"),
            zero("backends[1].maxConcurrent"),
        ]
    );
}

#[test]
fn one_request_fits_into_the_budget_of_all() {
    let mut config = config();
    config.limits.request_budget = ByteSize::mib(4);
    assert_eq!(
        complaints(&config),
        ["error limits.maxRequestBytes: larger than limits.requestBudget (4MiB), so such a request could never be read; \
          raise the budget or lower this"]
    );
}

#[test]
fn one_reply_fits_into_the_budget_of_all() {
    let mut config = config();
    config.limits.response_budget = ByteSize::mib(8);
    assert_eq!(
        complaints(&config),
        ["error limits.maxResponseBytes: larger than limits.responseBudget (8MiB), so such a reply could never be buffered; \
          raise the budget or lower this"]
    );
}

#[test]
fn a_listener_beyond_loopback_is_warned_of() {
    let mut config = Config { listen: Listen::at("0.0.0.0:4483".parse().unwrap()), ..config() };
    assert_eq!(
        complaints(&config),
        [
            "warning listen: anyone who reaches 0.0.0.0:4483 can call every tool; \
             listen on 127.0.0.1, or put something that authenticates in front",
            "warning allowedHosts: every `Host` is answered, which lets web pages reach the gateway by DNS rebinding; \
             list the names that clients use",
        ]
    );
    assert!(!has_errors(&config.check()));
    config.allowed_hosts = Some(vec!["mcp.example.com".to_owned()]);
    config.incoming_auth = IncomingAuth { kind: "custom".to_owned(), ..IncomingAuth::default() };
    assert!(config.check().is_empty());
}

#[test]
fn hosts_and_origins_have_their_form() {
    let mut config = config();
    let texts = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect());
    config.allowed_hosts = texts(&["mcp.example.com", "127.0.0.1:4483", "[::1]:4483", "https://x", "*.example.com", "a/b", ""]);
    config.allowed_origins =
        texts(&["https://app.example.com", "http://localhost:6274", "vscode-file://vscode-app", "*", "app.example.com", "https://a/b"]);
    let found = complaints(&config);
    let at: Vec<&str> = found.iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        at,
        [
            "error allowedHosts[3]",
            "error allowedHosts[4]",
            "error allowedHosts[5]",
            "error allowedHosts[6]",
            "error allowedOrigins[3]",
            "error allowedOrigins[4]",
            "error allowedOrigins[5]",
        ]
    );
}

#[test]
fn an_empty_list_of_hosts_would_answer_nobody() {
    let config = Config { allowed_hosts: Some(vec![]), allowed_origins: Some(vec![]), ..config() };
    assert_eq!(
        complaints(&config),
        ["error allowedHosts: empty, so that no request would be answered; list the names that clients use, or leave it out"]
    );
}

#[test]
fn any_text_has_its_slug() {
    for (text, expected) in [
        ("GitHub", "github"),
        ("My Server (dev)", "my-server-dev"),
        ("a__b", "a__b"),
        ("-_x_-", "x"),
        ("Käse", "kase"),
        ("Überwachung", "uberwachung"),
        ("Straße Ærø", "strasse-aero"),
        ("U\u{308}ber İ", "uber-i"),
    ] {
        assert_eq!(slug(text).as_deref(), Some(expected));
        assert!(is_name(expected));
    }
    assert_eq!(slug("日本"), None);
}
