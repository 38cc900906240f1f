use super::*;
use crate::config::{Backend, Listen, PassthroughEntry, SecretSource, Transport};
use crate::plugin::{
    Authenticated, Authenticator, AuthenticatorFactory, BoxFuture, Credentials, Deps, OutgoingStrategy, Principal, Rejected, RequestHead,
    StrategyContext, StrategyError, StrategyFactory,
};
use http::HeaderName;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_oneof, proptest};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

mod mending;
mod variables;

struct Nothing;

impl OutgoingStrategy for Nothing {
    fn managed_headers(&self) -> &[HeaderName] {
        &[]
    }

    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(async { Ok(Credentials::none()) })
    }
}

impl Authenticator for Nothing {
    fn consumed_headers(&self) -> &[HeaderName] {
        &[]
    }

    fn authenticate<'a>(&'a self, _: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
        Box::pin(async { Ok(Arc::new(Authenticated::new(Principal { issuer: "x".into(), subject: "x".into() }))) })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["headerValue"]}, {"required": ["headerValueEnv"]}]))]
#[allow(dead_code)]
struct Injection {
    header_name: String,
    header_value: Option<SecretSource>,
    header_value_env: Option<String>,
}

struct Plain;
struct Inject;
struct Anonymous;

impl StrategyFactory for Plain {
    const KIND: &'static str = "unauthenticated";
    const IS_FIXED: bool = true;
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        Ok(Arc::new(Nothing))
    }
}

impl StrategyFactory for Inject {
    const KIND: &'static str = "header_injection";
    type Config = Injection;

    fn build(&self, _: Injection, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        Ok(Arc::new(Nothing))
    }
}

impl AuthenticatorFactory for Anonymous {
    const KIND: &'static str = "anonymous";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        Ok(Arc::new(Nothing))
    }
}

fn shape() -> Shape {
    let mut plugins = Registries::default();
    plugins.strategies.register(Plain).unwrap();
    plugins.strategies.register(Inject).unwrap();
    plugins.authenticators.register(Anonymous).unwrap();
    Shape::new(&plugins)
}

fn visible(_: &str) -> bool {
    false
}

fn complaints(value: Value) -> Vec<String> {
    shape().read(value, &visible).unwrap_err().iter().map(ToString::to_string).collect()
}

/// What is said about a configuration with one good backend and these further members.
fn complaints_beside_a_backend(mut members: Value) -> Vec<String> {
    members["backends"] = json!([{"name": "a", "url": "http://127.0.0.1:1/mcp"}]);
    complaints(members)
}

fn read(mut members: Value) -> Config {
    if members.get("backends").is_none() {
        members["backends"] = json!([{"name": "a", "url": "http://127.0.0.1:1/mcp"}]);
    }
    shape().read(members, &visible).unwrap()
}

#[test]
fn the_smallest_configuration_is_a_backend() {
    let config = read(json!({}));
    assert_eq!((config.backends[0].name.as_str(), config.path.as_str()), ("a", "/mcp"));
    assert_eq!(config.listen, Listen::default());
}

#[test]
fn every_unknown_key_is_found_in_one_pass_with_the_nearest_known_one() {
    let found = complaints(json!({
        "lisen": "127.0.0.1:1",
        "backends": [
            {"name": "a", "url": "http://a/", "passthrough_headers": []},
            {"name": "b", "url": "http://b/", "passthroughHeaders": ["x-a", {"name": "x-b", "formt": "Bearer {}"}]},
        ],
        "aggregation": {"tools": [{"workload": "a", "overrides": {"t": {"annotations": {"readOnly": true}}}}]},
        "limits": {"banana": 1},
    }));
    assert_eq!(
        found,
        [
            "lisen: unknown key; did you mean `listen`?",
            "backends[0].passthrough_headers: unknown key; did you mean `passthroughHeaders`?",
            "backends[1].passthroughHeaders[1].formt: unknown key; did you mean `format`?",
            "aggregation.tools[0].overrides.t.annotations.readOnly: unknown key; \
             known here: title, readOnlyHint, destructiveHint, idempotentHint, openWorldHint",
            "limits.banana: unknown key; known here: maxRequestBytes, requestBudget, maxResponseBytes, responseBudget, \
             maxRequestsInFlight, maxRequestsPerSession, maxParkedCalls, parkedCallTimeout, maxConnections, readTimeout, keepAliveTimeout, writeTimeout, shutdownTimeout",
        ]
    );
}

#[test]
fn every_wrong_type_is_found_in_one_pass() {
    let found = complaints(json!({
        "backends": [
            {"name": 7, "url": ["http://a/"], "http2": "yes", "maxConcurrent": "many", "timeout": 30, "headers": {"x-version": 2}},
            "github",
        ],
        "passthroughHeaders": "x-a",
        "sessions": {"max": -1, "maxPerPeer": 5_000_000_000_u64, "idleTimeout": true},
        "aggregation": [],
        "limits": {"maxRequestBytes": 1.5},
    }));
    assert_eq!(
        found,
        [
            "backends[0].name: expected text, found a number; put it in quotes",
            "backends[0].url: expected text, found a list",
            "backends[0].http2: expected true or false, found text",
            "backends[0].maxConcurrent: expected a whole number, found text",
            "backends[0].timeout: expected text, found a number; add a unit, for example 30s",
            "backends[0].headers.x-version: expected text or a map, found a number; put it in quotes",
            "backends[1]: expected a map, found text",
            "passthroughHeaders: expected a list, found text",
            "sessions.max: too small; at least 0",
            "sessions.maxPerPeer: too large; at most 4294967295",
            "sessions.idleTimeout: expected text, found true or false; add a unit, for example 30s",
            "aggregation: expected a map, found a list",
            "limits.maxRequestBytes: expected a whole number or text, found a number with a fraction; put it in quotes",
        ]
    );
}

#[test]
fn texts_with_a_form_say_what_the_form_is() {
    let found = complaints(json!({
        "listen": "localhost:4483",
        "backends": [{"name": "a", "url": "mcp.example.com/mcp", "timeout": "30"}],
        "limits": {"maxRequestBytes": "8 megs"},
        "aggregation": {"conflictResolution": "prefx", "lint": "off"},
    }));
    assert_eq!(
        found,
        [
            "listen: `localhost:4483` is not an address and port; write 127.0.0.1:4483",
            "backends[0].url: `mcp.example.com/mcp` is not a URL; write it in full, for example https://mcp.example.com/mcp",
            "backends[0].timeout: `30` is not a duration; write for example 500ms, 30s, 1m30s or 2h",
            "limits.maxRequestBytes: `8 megs` is not a size; write for example 65536, 64KiB or 16MiB",
            "aggregation.conflictResolution: `prefx` is not one of `prefix`, `priority`, `manual`; did you mean `prefix`?",
            "aggregation.lint: `off` is not one of `warn`, `quarantine`",
        ]
    );
    assert_eq!(
        complaints_beside_a_backend(json!({"listen": ":8080"})),
        ["listen: `:8080` is not an address and port; write 0.0.0.0:8080 for every interface, 127.0.0.1:8080 for this machine alone"]
    );
}

#[test]
fn missing_keys_are_named_where_they_belong() {
    assert_eq!(complaints(json!({})), ["the key `backends` is missing"]);
    assert_eq!(complaints(json!({"backends": null})), ["the key `backends` is missing"]);
    assert_eq!(
        complaints(json!({"backends": [{}, {"nam": "b", "url": "http://b/"}]})),
        [
            "backends[0]: the key `name` is missing",
            // What was probably meant is not missing.
            "backends[1].nam: unknown key; did you mean `name`?",
        ]
    );
}

#[test]
fn what_the_original_has_and_this_version_has_not_is_said_to_be_unavailable() {
    for key in ["compositeTools", "compositeToolRefs", "telemetry", "audit", "optimizer", "codeMode", "rateLimiting"] {
        let found = complaints_beside_a_backend(json!({key: {"enabled": true}}));
        assert_eq!(found, [format!("{key}: not available in this version of vmcp; remove it")]);
    }
    let found = complaints(json!({
        "backends": [
            {"name": "a", "url": "http://a/", "type": "container"},
            {"name": "b", "command": "npx", "type": "stdio"},
        ],
        "outgoingAuth": {"source": "discovered", "default": {"type": "xaa"}, "backends": {"a": {"type": "obo", "obo": {}}}},
        "operational": {"failureHandling": {}},
        "sessionStorage": {"provider": "redis"},
        "aggregation": {"tools": [{"workload": "a", "toolConfigRef": {"name": "x"}}]},
    }));
    let not = "not available in this version of vmcp";
    assert_eq!(
        found,
        [
            format!("backends[0].type: `container` is {not}; write `entry` or leave it out; a server has a `url` or a `command`"),
            format!("backends[1].type: `stdio` is {not}; write `transport: stdio`"),
            format!("outgoingAuth.source: `discovered` is {not}; write the strategies here and remove `source`"),
            format!("outgoingAuth.default.type: `xaa` is {not}; use `type: exec` or `type: external`, which can make both exchanges"),
            format!(
                "outgoingAuth.backends.a.type: `obo` is {not}; use `type: token_exchange` where the authorization server knows RFC 8693; \
                 elsewhere `type: exec` or `type: external` can ask it"
            ),
            format!("operational.failureHandling: {not}; remove it; a failing backend never stops the others"),
            format!("sessionStorage: {not}; remove it; `sessions.keys` lets several replicas share sessions without a store"),
            format!("aggregation.tools[0].toolConfigRef: {not}; write the tool's `filter` and `overrides` here"),
        ]
    );
    assert_eq!(
        complaints_beside_a_backend(json!({"incomingAuth": {"type": "anonymous", "authz": {"type": "none"}}})),
        [format!("incomingAuth.authz: {not}; build vmcp with its Cargo feature `cedar`, or remove it")]
    );
}

#[test]
fn a_strategy_takes_the_settings_of_its_kind_alone() {
    let found = complaints_beside_a_backend(json!({
        "outgoingAuth": {"backends": {
            "a": {"type": "header_injection", "headerInjection": {"headerName": 1, "headerVal": "hunter2"}},
            "b": {"type": "header_injection"},
            "c": {"type": "unauthenticated", "headerInjection": {}},
            "d": {"type": "header_injecton"},
            "e": {},
            "f": {"type": 1},
            "g": "unauthenticated",
            "h": {"type": "header_injection", "headerInjection": {"headerName": "x"}},
            "i": {"type": "header_injection", "headerInjection": {"headerName": "x", "headerValue": "hunter2", "headerValueEnv": "X"}},
        }},
    }));
    assert_eq!(
        found,
        [
            "outgoingAuth.backends.a.headerInjection.headerName: expected text, found a number; put it in quotes",
            "outgoingAuth.backends.a.headerInjection.headerVal: unknown key; did you mean `headerValue`?",
            "outgoingAuth.backends.b: the key `headerInjection` is missing",
            "outgoingAuth.backends.c.headerInjection: belongs to `type: header_injection` and does nothing here; remove it, or change `type`",
            "outgoingAuth.backends.d.type: `header_injecton` is not one of `header_injection`, `unauthenticated`; \
             did you mean `header_injection`?",
            "outgoingAuth.backends.e: the key `type` is missing; known kinds: header_injection, unauthenticated",
            "outgoingAuth.backends.f.type: expected text, found a number",
            "outgoingAuth.backends.g: expected a map, found text",
            "outgoingAuth.backends.h.headerInjection: one of the keys `headerValue` and `headerValueEnv` is missing",
            "outgoingAuth.backends.i.headerInjection: `headerValue` and `headerValueEnv` exclude each other; keep one of them",
        ]
    );
    read(
        json!({"outgoingAuth": {"default": {"type": "header_injection", "headerInjection": {"headerName": "x", "headerValue": {"fromEnv": "X"}}}}}),
    );
}

#[test]
fn a_secret_comes_from_one_place() {
    let found = complaints(json!({"backends": [{"name": "a", "url": "http://a/", "headers": {
        "x-a": {"fromEnvv": "A"}, "x-b": {"fromEnv": "B", "fromFile": "b"}, "x-c": {},
        "x-d": {"vault": "v"}, "x-e": {"fromEnv": 1},
    }}]}));
    assert_eq!(
        found,
        [
            "backends[0].headers.x-a.fromEnvv: unknown key; did you mean `fromEnv`?",
            "backends[0].headers.x-b: `fromEnv` and `fromFile` exclude each other; keep one of them",
            "backends[0].headers.x-c: one of the keys `fromEnv` and `fromFile` is missing",
            "backends[0].headers.x-d.vault: unknown key; known here: fromEnv, fromFile",
            "backends[0].headers.x-e.fromEnv: expected text, found a number; put it in quotes",
        ]
    );
}

#[test]
fn values_from_the_environment_are_never_quoted() {
    let value = json!({
        "listen": "hunter2",
        "backends": [{"name": "a", "url": "hunter2", "timeout": "hunter2", "transport": "hunter2"}],
        "incomingAuth": {"type": "hunter2"},
    });
    let problems = shape().read(value, &|_| true).unwrap_err();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|line| !line.contains("hunter2")), "{lines:?}");
    assert_eq!(lines[0], "listen: the value is not an address and port; write for example 127.0.0.1:4483 or [::1]:4483");
}

#[test]
fn an_empty_text_of_the_environment_is_not_taken_for_a_default_of_the_original() {
    let exchange = json!({"tokenExchange": {"audience": "", "clientId": ""}});
    let mut value = json!({
        "outgoingAuth": {"default": exchange, "backends": {"a b": exchange}},
        "endpoints": [{"outgoingAuth": {"default": exchange}}],
    });
    let mut visible_value = value.clone();
    let found = super::defaults::drop(&mut value, &|path| path.ends_with("audience"));
    assert_eq!(
        found,
        [
            "endpoints[0].outgoingAuth.default.tokenExchange.audience",
            "outgoingAuth.default.tokenExchange.audience",
            r#"outgoingAuth.backends["a b"].tokenExchange.audience"#,
        ]
    );
    assert_eq!(super::defaults::drop(&mut visible_value, &visible), Vec::<String>::new());
}

#[test]
fn an_empty_text_in_what_was_written_out_as_a_whole_is_a_default_of_the_original_though_nothing_of_it_is_quoted() {
    let value = || {
        json!({
            "backends": [{"name": "a", "url": "http://127.0.0.1:1/mcp"}],
            "incomingAuth": {"type": "anonymous", "authz": {"type": "cedar", "primaryUpstreamProvider": ""}},
        })
    };
    let path = "incomingAuth.authz.primaryUpstreamProvider";
    let said = |filled: &dyn Fn(&str) -> bool| {
        let problems = shape().read_what_fits(value(), &|_| true, filled).problems;
        problems.iter().map(|problem| problem.path.clone()).filter(|at| at == path).collect::<Vec<_>>()
    };
    assert_eq!(said(&visible), Vec::<String>::new());
    assert_eq!(said(&|at| at == path), [path]);
}

#[test]
fn a_key_without_a_value_counts_as_left_out() {
    let config = read(json!({"aggregation": null, "sessions": {"max": null}, "instructions": null, "metadata": {"owner": null}}));
    assert_eq!(config.sessions.max, 100_000);
    assert_eq!(config.metadata["owner"], Value::Null);
}

#[test]
fn other_spellings_of_the_original_and_of_clients_are_accepted() {
    for transport in ["streamable-http", "streamable", "http"] {
        let config = read(json!({"backends": [{"name": "a", "url": "http://a/", "transport": transport}]}));
        assert_eq!(config.backends[0].transport, Some(Transport::StreamableHttp));
    }
    for kind in ["", "entry"] {
        read(json!({"backends": [{"name": "a", "url": "http://a/", "type": kind}]}));
    }
    assert_eq!(
        complaints(json!({"backends": [{"name": "a", "url": "http://a/", "type": "entrie"}]})),
        ["backends[0].type: `entrie` is not one of `entry`; did you mean `entry`?"]
    );
    read(json!({"aggregation": {"defaultToolVisibility": ""}}));
    read(json!({"$schema": "../docs/vmcp.schema.json", "groupRef": "team"}));
}

#[test]
fn passthrough_entries_come_in_two_forms() {
    let config =
        read(json!({"passthroughHeaders": ["x-a", {"name": "x-b", "as": "authorization", "format": "Bearer {}", "required": true}]}));
    assert!(matches!(&config.passthrough_headers[0], PassthroughEntry::Name(name) if name == "x-a"));
    assert_eq!(config.passthrough_headers[1].to_full().rename.as_deref(), Some("authorization"));
}

#[test]
fn a_backend_made_by_hand_has_the_defaults_of_a_file() {
    let config = read(json!({}));
    let by_hand = Backend::new("a", "http://127.0.0.1:1/mcp".parse().unwrap());
    let from_file = &config.backends[0];
    assert_eq!(from_file.inherit_passthrough_headers, by_hand.inherit_passthrough_headers);
    assert_eq!((from_file.http2, from_file.list_scope, from_file.protocol_era), (by_hand.http2, by_hand.list_scope, by_hand.protocol_era));
}

#[test]
fn the_schema_carries_titles_descriptions_and_defaults() {
    let shape = shape();
    let schema = shape.schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], "Configuration of vmcp");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["backends"]));
    assert_eq!(schema["properties"]["path"]["default"], "/mcp");
    assert_eq!(schema["$defs"]["Sessions"]["properties"]["idleTimeout"]["default"], "30m");
    assert_eq!(schema["$defs"]["Backend"]["properties"]["connectTimeout"]["default"], "5s");
    assert_eq!(schema["$defs"]["Backend"]["properties"]["maxDuration"]["default"], "1h");
    let kinds: Vec<_> = schema["$defs"]["OutgoingStrategy"]["oneOf"].as_array().unwrap().iter().map(|kind| &kind["title"]).collect();
    assert_eq!(kinds, ["header_injection", "unauthenticated"]);
    for (path, property) in properties(schema) {
        assert!(property.get("description").is_some() || property.get("const").is_some() || path.contains("Injection"), "{path}");
    }
}

/// A configuration with every kind of key in it.
fn rich() -> Value {
    json!({
        "name": "team", "groupRef": "g", "metadata": {"k": [1, {"x": null}]}, "listen": "127.0.0.1:0", "path": "/", "instructions": "text",
        "backends": [{
            "name": "a", "url": "https://a/", "transport": "http", "headers": {"x-a": "v", "x-b": {"fromEnv": "B"}, "x-c": {"fromFile": "c"}},
            "passthroughHeaders": ["x-d", {"name": "x-e", "as": "x-f", "format": "{}", "required": true, "credential": false, "impersonation": true}],
            "inheritPassthroughHeaders": false, "allowCredentialHeaderPassthrough": true, "timeout": "1s", "maxDuration": "1m",
            "connectTimeout": "500ms", "maxConcurrent": 1, "protocolEra": "modern", "caBundlePath": "ca", "http2": true,
            "allowPlaintext": true, "listScope": "session", "metadata": {"k": "v"},
        }],
        "passthroughHeaders": ["x-g"], "allowCredentialHeaderPassthrough": false, "incomingAuth": {"type": "anonymous"},
        "outgoingAuth": {"source": "inline", "default": {"type": "unauthenticated"},
            "backends": {"a": {"type": "header_injection", "headerInjection": {"headerName": "x-h", "headerValue": {"fromFile": "f"}}}}},
        "aggregation": {"conflictResolution": "manual", "conflictResolutionConfig": {"prefixFormat": "p", "priorityOrder": ["a"]},
            "tools": [{"workload": "a", "filter": ["t"], "excludeAll": false, "overrides": {"t": {"name": "u", "description": "d",
                "annotations": {"title": "T", "readOnlyHint": true, "destructiveHint": false, "idempotentHint": null, "openWorldHint": true}}}}],
            "excludeAllTools": false, "defaultToolVisibility": "deny", "lint": "warn", "listWait": "1s", "listTtl": "1s"},
        "operational": {"timeouts": {"default": "1s", "perWorkload": {"a": "2s"}}, "logLevel": "trace"},
        "sessions": {"max": 1, "maxPerPeer": 2, "idleTimeout": "1s", "unusedTimeout": "1s", "maxAge": "1s", "keys": ["k", {"fromEnv": "K"}],
            "shareAnonymous": true},
        "limits": {"maxRequestBytes": 1, "requestBudget": 2, "maxResponseBytes": "1KiB", "responseBudget": "1MB", "maxRequestsInFlight": 1, "maxRequestsPerSession": 1, "maxParkedCalls": 1, "parkedCallTimeout": "1s", "maxConnections": 1,
            "readTimeout": "1s", "keepAliveTimeout": "1s", "writeTimeout": "1s", "shutdownTimeout": "1s"},
        "allowedHosts": ["h"], "allowedOrigins": ["http://h"], "stateDir": "s",
    })
}

/// The JSON pointers of everything in `value`.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(key, member)| pointers(member, &format!("{at}/{key}"), found)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| pointers(item, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["1s", "5", "http://a/", "127.0.0.1:1", "anonymous", "prefix", "modern", ""]).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(vec!["name", "type", "fromEnv", "x", "as"]), inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

#[test]
fn a_configuration_with_every_key_is_read() {
    let config = read(rich());
    assert_eq!(config.backends[0].headers.len(), 3);
    assert_eq!(config.limits.max_response_bytes.0, 1024);
}

proptest! {
    #[test]
    fn the_shape_leaves_nothing_for_serde_to_refuse(chosen in any::<prop::sample::Index>(), with in any_value()) {
        let mut value = rich();
        let mut places = Vec::new();
        pointers(&value, "", &mut places);
        if let Some(place) = value.pointer_mut(chosen.get::<String>(&places)) {
            *place = with;
        }
        let reading = shape().read_what_fits(value, &visible, &visible);
        for problem in reading.problems {
            prop_assert!(!problem.message.starts_with("does not fit"), "{problem}");
        }
        prop_assert!(reading.config.is_some());
    }
}

/// Every property of every definition, by its path.
fn properties(schema: &Value) -> Vec<(String, &Value)> {
    let definitions = schema["$defs"].as_object().unwrap();
    let all = std::iter::once(("", schema)).chain(definitions.iter().map(|(name, definition)| (name.as_str(), definition)));
    all.flat_map(|(name, definition)| {
        let own = definition.get("properties").and_then(Value::as_object);
        own.into_iter().flatten().map(move |(key, property)| (format!("{name}.{key}"), property))
    })
    .collect()
}

#[test]
fn environment_names_follow_the_schema() {
    let shape = shape();
    let find = |name: &str| shape.key_from_env(&name.split("__").collect::<Vec<_>>()).map(|(keys, wanted)| (keys.join("."), wanted));
    let text = |format| Wanted::Text { format, word: None };
    assert_eq!(find("LISTEN"), Ok(("listen".to_owned(), text(Some("socket-address")))));
    assert_eq!(find("SESSIONS__IDLE_TIMEOUT"), Ok(("sessions.idleTimeout".to_owned(), text(Some("go-duration")))));
    assert_eq!(find("SESSIONS__MAX"), Ok(("sessions.max".to_owned(), Wanted::Integer)));
    assert_eq!(find("ALLOWED_HOSTS"), Ok(("allowedHosts".to_owned(), Wanted::List)));
    assert_eq!(find("AGGREGATION__EXCLUDE_ALL_TOOLS"), Ok(("aggregation.excludeAllTools".to_owned(), Wanted::Boolean)));
    assert_eq!(
        find("OPERATIONAL__TIMEOUTS__PER_WORKLOAD__GIT_HUB"),
        Ok(("operational.timeouts.perWorkload.git_hub".to_owned(), text(Some("go-duration"))))
    );
    assert_eq!(find("LISTN"), Err(Some(vec!["LISTEN".to_owned()])));
    assert_eq!(find("SESSIONS__IDLETIMEOUT"), Err(Some(vec!["SESSIONS".to_owned(), "IDLE_TIMEOUT".to_owned()])));
    assert_eq!(find("LISTEN__PORT"), Err(None));
    assert_eq!(find("BANANA"), Err(None));
}

#[test]
fn every_text_is_visited_with_what_is_wanted_there() {
    let mut value = json!({
        "listen": "${L}",
        "backends": [{"name": "a", "url": "${U}", "http2": "${H}", "headers": {"x": "${X}", "y": {"fromFile": "f"}}, "transport": "${T}", "junk": "${J}"}],
        "sessions": {"max": "${M}"},
    });
    let mut seen = Vec::new();
    shape().edit_texts(&mut value, &mut |site| {
        seen.push(format!("{} {:?}", site.path, site.wanted));
        (site.text == "${M}").then(|| json!(5))
    });
    assert_eq!(
        seen,
        [
            r#"listen Text { format: Some("socket-address"), word: None }"#,
            "backends[0].name Text { format: None, word: None }",
            r#"backends[0].url Text { format: Some("uri"), word: None }"#,
            "backends[0].http2 Boolean",
            "backends[0].headers.x Text { format: None, word: None }",
            r#"backends[0].headers.y.fromFile Text { format: Some("path"), word: None }"#,
            r#"backends[0].transport Text { format: None, word: Some("streamable-http") }"#,
            "backends[0].junk Anything",
            "sessions.max Integer",
        ]
    );
    assert_eq!(value["sessions"]["max"], 5);
}
