use super::*;
use crate::config::{Config, Problem, has_errors};
use serde_json::{Value, json};

/// A configuration with the backends `github` and `mail`, and these endpoints.
fn config(endpoints: Value) -> Config {
    config_with(json!({}), endpoints)
}

fn config_with(more: Value, endpoints: Value) -> Config {
    let (Value::Object(mut settings), Value::Object(more)) = (top(), more) else { panic!("not objects") };
    settings.extend(more);
    settings.insert("endpoints".to_owned(), endpoints);
    serde_json::from_value(Value::Object(settings)).unwrap()
}

fn top() -> Value {
    json!({
        "backends": [
            {
                "name": "github",
                "url": "https://github.example.com/mcp",
                "headers": { "x-toolsets": "all" },
                "passthroughHeaders": ["x-tenant"],
            },
            { "name": "mail", "url": "https://mail.example.com/mcp" },
        ],
    })
}

fn one(config: &Config) -> EndpointConfig {
    config.endpoint_configs().next().unwrap()
}

/// Everything that is wrong with the model, endpoints included, as the file has it.
fn complaints(config: &Config) -> Vec<String> {
    let told = config.check();
    let own = config.endpoint_configs().flat_map(|endpoint| {
        let problems = endpoint.config.check();
        problems.into_iter().filter_map(|problem| endpoint.in_file(problem, &told)).collect::<Vec<_>>()
    });
    told.iter().cloned().chain(own).map(|problem| problem.to_string()).collect()
}

#[test]
fn a_backend_is_used_as_it_is_with_changes_or_written_anew() {
    let config = config(json!([{
        "path": "/team",
        "backends": [
            "mail",
            { "use": "github", "name": "work", "headers": { "x-other": "1" }, "inheritPassthroughHeaders": false },
            { "name": "own", "url": "https://own.example.com/mcp" },
        ],
    }]));
    assert_eq!(complaints(&config), Vec::<String>::new());
    let team = one(&config).config;
    let names: Vec<&str> = team.backends.iter().map(|backend| backend.name.as_str()).collect();
    assert_eq!((names.as_slice(), team.path.as_str()), (["mail", "work", "own"].as_slice(), "/team"));
    let work = &team.backends[1];
    assert_eq!(work.url.as_ref().unwrap().as_str(), "https://github.example.com/mcp");
    assert_eq!(work.headers.keys().collect::<Vec<_>>(), ["x-other"], "in place of all of the entry's");
    assert_eq!((work.passthrough_headers.len(), work.inherit_passthrough_headers), (1, false), "what is not named stays");
}

#[test]
fn an_endpoint_takes_over_what_belongs_to_its_backends_and_no_rule_for_all() {
    let top = json!({
        "name": "house",
        "instructions": "The whole house.",
        "passthroughHeaders": ["x-everywhere"],
        "allowCredentialHeaderPassthrough": true,
        "outgoingAuth": {
            "default": { "type": "unauthenticated" },
            "backends": { "github": { "type": "header_injection", "headerInjection": {} } },
        },
        "aggregation": {
            "conflictResolution": "priority",
            "conflictResolutionConfig": { "priorityOrder": ["mail", "github"] },
            "tools": [{ "workload": "github", "filter": ["search"] }, { "workload": "mail", "excludeAll": true }],
        },
        "operational": { "timeouts": { "default": "7s", "perWorkload": { "github": "3s", "mail": "4s" } } },
        "stateDir": "/var/lib/vmcp",
    });
    let endpoint = json!([{
        "path": "/a/b",
        "backends": [{ "use": "github", "name": "work" }, { "use": "github", "name": "home" }, { "name": "own", "url": "https://o/" }],
    }]);
    let derived = one(&config_with(top, endpoint)).config;
    assert_eq!((derived.name.as_str(), &derived.instructions), ("house", &None));
    assert!(derived.passthrough_headers.is_empty() && !derived.allow_credential_header_passthrough);
    let strategies: Vec<_> = derived.outgoing_auth.backends.iter().map(|(name, it)| (name.as_str(), it.kind.as_str())).collect();
    assert_eq!(strategies, [("home", "header_injection"), ("work", "header_injection")]);
    assert!(derived.outgoing_auth.default.is_none(), "an entry of the endpoint's own is sent nothing that stands at the top level");
    let tools: Vec<_> = derived.aggregation.tools.iter().map(|entry| entry.workload.as_str()).collect();
    assert_eq!(tools, ["work", "home"], "what is hidden stays hidden");
    assert_eq!(derived.aggregation.conflict_resolution_config.priority_order, ["work", "home"]);
    assert_eq!(derived.operational.timeouts.per_workload.keys().collect::<Vec<_>>(), ["home", "work"]);
    assert_eq!(derived.state_dir.as_deref(), Some(std::path::Path::new("/var/lib/vmcp/endpoint%2Fa%2Fb")));
    assert!(derived.endpoints.is_empty());
}

#[test]
fn what_an_endpoint_says_itself_counts_alone() {
    let top = json!({
        "outgoingAuth": { "default": { "type": "header_injection", "headerInjection": {} } },
        "aggregation": { "tools": [{ "workload": "github", "filter": ["search"] }] },
    });
    let endpoint = json!([{
        "path": "/a",
        "name": "a",
        "instructions": "Be kind.",
        "backends": ["github"],
        "outgoingAuth": {},
        "aggregation": {},
        "passthroughHeaders": ["x-a"],
        "allowCredentialHeaderPassthrough": true,
    }]);
    let derived = one(&config_with(top, endpoint)).config;
    assert_eq!((derived.name.as_str(), derived.instructions.as_deref()), ("a", Some("Be kind.")));
    assert!(derived.outgoing_auth.default.is_none() && derived.outgoing_auth.backends.is_empty());
    assert!(derived.aggregation.tools.is_empty());
    assert!(derived.passthrough_headers.len() == 1 && derived.allow_credential_header_passthrough);
}

#[test]
fn a_path_belongs_to_one_endpoint_and_the_errors_say_which() {
    for (path, complaint) in [
        ("team", "does not start with `/`; write for example /team-a"),
        ("/team/", "ends with `/`; a request may do so anyway; write for example /team-a"),
        ("/status", "taken by the gateway itself; write for example /team-a"),
        ("/readyz", "taken by the gateway itself; write for example /team-a"),
        ("/metrics/x", "taken by the gateway itself; write for example /team-a"),
        ("/.well-known/x", "taken by the gateway itself; write for example /team-a"),
        ("/mcp", "the path of the endpoint of all backends; choose another path, for example /team-a"),
        ("/mcp/github", "the path of backend `github` alone; choose another path, for example /team-a"),
        ("/first", "the path of endpoints[0] too; give each endpoint a path of its own"),
        ("/First", "differs from the path of endpoints[0] in capital letters alone; give each endpoint a path of its own"),
    ] {
        let config = config(json!([{ "path": "/first", "backends": ["mail"] }, { "path": path, "backends": ["mail"] }]));
        assert_eq!(complaints(&config), [format!("endpoints[1].path: {complaint}")], "{path}");
    }
    for path in ["/team-a", "/mcp/team-a", "/mcp/github/more", "/mcpx", "/"] {
        assert_eq!(complaints(&config(json!([{ "path": path, "backends": ["mail"] }]))), Vec::<String>::new(), "{path}");
    }
    let root =
        config_with(json!({ "path": "/" }), json!([{ "path": "/github", "backends": ["mail"] }, { "path": "/x", "backends": ["mail"] }]));
    assert_eq!(complaints(&root), ["endpoints[0].path: the path of backend `github` alone; choose another path, for example /team-a"]);
}

#[test]
fn problems_are_told_where_they_stand_in_the_file() {
    let config = config(json!([
        { "path": "/empty", "backends": [] },
        {
            "path": "/b",
            "name": " ",
            "backends": [
                "gihub",
                { "use": "male" },
                "mail",
                { "use": "github", "name": "mail" },
                { "name": "Own", "url": "ftp://own/", "timeout": "0s" },
            ],
            "outgoingAuth": { "backends": { "ownn": { "type": "unauthenticated" } } },
        },
        { "path": "/c", "backends": ["mail"], "aggregation": { "listWait": "0s" }, "outgoingAuth": { "backends": { "github": { "type": "unauthenticated" } } } },
    ]));
    assert_eq!(
        complaints(&config),
        [
            "endpoints[1].backends[0]: no backend of the top level is called `gihub`; did you mean `github`?",
            "endpoints[1].backends[1].use: no backend of the top level is called `male`; did you mean `mail`?",
            "endpoints[0].backends: no backend; list names of backends of the top level, or entries of its own",
            "endpoints[1].name: not a name; write one line of text, or leave it out",
            "endpoints[1].backends[3].name: `mail` is the name of backends[1] too; give each backend a name of its own",
            "endpoints[1].backends[4].name: not a backend name; use lower-case letters, digits, `-` and `_`, for example `own`",
            "endpoints[1].backends[4].url: `ftp` URLs are not supported; use http or https",
            "endpoints[1].backends[4].timeout: must not be zero; leave it out for the default",
            "endpoints[2].outgoingAuth.backends.github: no backend is called `github`; known: `mail`",
            "endpoints[2].aggregation.listWait: must not be zero; leave it out for the default",
        ],
        "names are judged only where all backends are known"
    );
    assert!(has_errors(&config.check()));
}

#[test]
fn what_is_the_top_levels_mistake_is_told_once_and_what_the_endpoint_makes_of_it_is_told_there() {
    let config = config(json!([{
        "path": "/a",
        "backends": ["github", { "use": "mail", "headers": {}, "passthroughHeaders": ["x-a"] }],
        "passthroughHeaders": ["x-b"],
    }]));
    let endpoint = one(&config);
    let top = Problem::error("backends[0].headers.x-toolsets", "the variable `X` is not set");
    let at = |path: &str, message: &str, told: &[Problem]| {
        endpoint.in_file(Problem::error(path, message), told).map(|problem| problem.to_string())
    };
    assert_eq!(at("backends[0].headers.x-toolsets", "the variable `X` is not set", std::slice::from_ref(&top)), None);
    assert_eq!(
        at("backends[0].passthroughHeaders[0]", "listed already at passthroughHeaders[0]", &[top]).unwrap(),
        "endpoints[0].backends[0]: with backends[0].passthroughHeaders[0]: listed already at endpoints[0].passthroughHeaders[0]"
    );
    assert_eq!(
        at("backends[1].passthroughHeaders[0]", "is written by backends[1].headers.x-a and backends[0].headers.x too", &[]).unwrap(),
        "endpoints[0].backends[1].passthroughHeaders[0]: is written by endpoints[0].backends[1].headers.x-a and backends[0].headers.x too"
    );
    assert_eq!(at("passthroughHeaders[0]", "m", &[]).unwrap(), "endpoints[0].passthroughHeaders[0]: m");
    assert_eq!(at("outgoingAuth.backends.mail", "m", &[]).unwrap(), "endpoints[0].backends[1]: with the top level's outgoingAuth: m");
    assert_eq!(
        at("aggregation.tools[0].workload", "m", &[]).unwrap(),
        "endpoints[0]: with the top level's aggregation.tools[0].workload: m; give the endpoint an `aggregation` of its own"
    );
    for whole in ["listen", "limits.maxConnections", "sessions.max", "allowedHosts", "incomingAuth.type", "path", "name"] {
        assert_eq!(at(whole, "m", &[]), None, "{whole} is the whole gateway's");
    }
}

#[test]
fn the_top_level_may_be_without_backends_where_there_are_endpoints() {
    let own = json!([{ "path": "/a", "backends": [{ "name": "own", "url": "https://own/" }] }]);
    assert_eq!(complaints(&config_with(json!({ "backends": [] }), own)), Vec::<String>::new());
    assert_eq!(complaints(&config_with(json!({ "backends": [] }), json!([]))).len(), 1);
}
