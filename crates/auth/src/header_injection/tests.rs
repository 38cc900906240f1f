use crate::{Identity, registries, testing};
use http::HeaderMap;
use std::{io, sync::Arc};
use vmcp_core::plugin::{BuildError, Deps, OutgoingStrategy, Secrets};

/// An environment with `TOKEN`, `EMPTY` and `BROKEN`, and one file.
fn secrets() -> Secrets {
    Secrets::new(
        |name| match name {
            "TOKEN" => Some("hunter2".to_owned()),
            "EMPTY" => Some(String::new()),
            "BROKEN" => Some("hunter2\r\nx-evil: 1".to_owned()),
            _ => None,
        },
        |path| if path.ends_with("token") { Ok("from file\n".to_owned()) } else { Err(io::ErrorKind::NotFound.into()) },
    )
}

fn build(secrets: Secrets, settings: &str) -> Result<Arc<dyn OutgoingStrategy>, BuildError> {
    let settings = testing::settings(&format!(r#"{{"headerInjection": {settings}}}"#));
    registries().strategies.build("header_injection", &settings, &Deps::new(testing::deps().fetch, secrets))
}

fn injected(secrets: Secrets, settings: &str) -> HeaderMap {
    let strategy = build(secrets, settings).unwrap();
    let caller = Identity::anonymous();
    let context = caller.strategy_context("b");
    let fixed = testing::headers(strategy.fixed().unwrap());
    assert_eq!(fixed, testing::headers(&testing::now(strategy.resolve(&context)).unwrap()));
    assert!(strategy.subject_key(&context).is_none());
    assert!(fixed.keys().all(|name| strategy.managed_headers().contains(name)));
    assert!(fixed.values().all(|value| value.is_sensitive()));
    fixed
}

fn refusal(secrets: Secrets, settings: &str) -> String {
    let error = build(secrets, settings).err().unwrap();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    error.to_string()
}

#[test]
fn the_value_comes_from_the_text_a_variable_or_a_file() {
    for (settings, value) in [
        (r#"{"headerName": "X-Key", "headerValue": "literal"}"#, "literal"),
        (r#"{"headerName": "X-Key", "headerValueEnv": "TOKEN"}"#, "hunter2"),
        (r#"{"headerName": "X-Key", "headerValue": {"fromEnv": "TOKEN"}}"#, "hunter2"),
        (r#"{"headerName": "X-Key", "headerValue": {"fromFile": "/run/token"}}"#, "from file"),
    ] {
        let headers = injected(secrets(), settings);
        assert_eq!((headers.len(), headers["x-key"].as_bytes()), (1, value.as_bytes()), "{settings}");
    }
}

#[test]
fn exactly_one_source_is_given() {
    assert_eq!(refusal(secrets(), r#"{"headerName": "x-key"}"#), "headerValue: headerInjection needs `headerValue` or `headerValueEnv`");
    assert_eq!(
        refusal(secrets(), r#"{"headerName": "x-key", "headerValue": "hunter2", "headerValueEnv": "TOKEN"}"#),
        "headerValueEnv: headerInjection has both `headerValue` and `headerValueEnv`; remove one"
    );
}

#[test]
fn what_cannot_be_sent_is_refused_and_never_shown() {
    for (settings, message) in [
        (
            r#"{"headerName": "x-key: hunter2", "headerValueEnv": "TOKEN"}"#,
            "headerName: headerInjection needs a `headerName` of letters, digits and hyphens only",
        ),
        (
            r#"{"headerName": "x-key", "headerValueEnv": "MISSING"}"#,
            "headerValueEnv: headerInjection has no value: the environment variable `MISSING` is not set; set it where vmcp runs",
        ),
        (
            r#"{"headerName": "x-key", "headerValueEnv": "EMPTY"}"#,
            "headerValueEnv: headerInjection has no value: the environment variable `EMPTY` is empty; set it where vmcp runs",
        ),
        (
            r#"{"headerName": "x-key", "headerValue": ""}"#,
            "headerValue: headerInjection has an empty value; set one, or use `type: unauthenticated`",
        ),
        (
            r#"{"headerName": "x-key", "headerValue": {"fromFile": "/run/none"}}"#,
            "headerValue.fromFile: headerInjection has no value: cannot read /run/none: no such file; put the file there, or correct the path",
        ),
        (
            r#"{"headerName": "x-key", "headerValueEnv": "BROKEN"}"#,
            "headerValueEnv: headerInjection has a value with a line break or another control character, which no header can carry",
        ),
    ] {
        assert_eq!(refusal(secrets(), settings), message, "{settings}");
    }
}

#[test]
fn a_misspelt_setting_is_named_with_its_place() {
    let text = refusal(secrets(), r#"{"headerName": "x-key", "headerValu": "hunter2"}"#);
    assert!(text.starts_with("headerInjection.headerValu: unknown field `headerValu`"), "{text}");
    let text = refusal(secrets(), r#"{"headerName": "x-key", "headerValue": {"fromEnv": "TOKEN", "x": "hunter2"}}"#);
    assert!(text.starts_with("headerInjection.headerValue: "), "{text}");
}

#[test]
fn without_secrets_everything_but_the_value_is_checked() {
    for settings in
        [r#"{"headerName": "x-key", "headerValueEnv": "MISSING"}"#, r#"{"headerName": "x-key", "headerValue": {"fromFile": "/run/none"}}"#]
    {
        let strategy = build(secrets().that_may_be_missing(), settings).unwrap();
        assert_eq!(strategy.managed_headers(), ["x-key"]);
        assert!(testing::headers(strategy.fixed().unwrap()).is_empty());
    }
    assert!(injected(secrets().that_may_be_missing(), r#"{"headerName": "x-key", "headerValue": "v"}"#)["x-key"] == "v");
    let text = refusal(secrets().that_may_be_missing(), r#"{"headerName": "x key", "headerValueEnv": "MISSING"}"#);
    assert!(text.contains("headerName"), "{text}");
    assert!(refusal(secrets().that_may_be_missing(), r#"{"headerName": "x-key"}"#).contains("needs `headerValue`"));
}

#[test]
fn the_schema_says_that_one_source_is_given() {
    let mut generator = schemars::SchemaGenerator::default();
    registries().strategies.schema("header_injection", &mut generator).unwrap();
    let definitions = serde_json::to_value(generator.definitions()).unwrap();
    let schema = &definitions["HeaderInjectionConfig"];
    assert_eq!(schema["required"], serde_json::json!(["headerName"]));
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["oneOf"].as_array().map(Vec::len), Some(2), "{schema}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_value_is_wiped_when_the_strategy_goes() {
    use testing::{left, mark, place};

    const LENGTH: usize = 4096;
    let mark = mark();
    let secrets = Secrets::new(move |_| Some(char::from(mark).to_string().repeat(LENGTH)), |_| Err(io::ErrorKind::NotFound.into()));
    let strategy = build(secrets, r#"{"headerName": "X-Key", "headerValueEnv": "KEY"}"#).unwrap();
    let at = place(testing::headers(strategy.fixed().unwrap())["x-key"].as_bytes());
    assert_eq!(left(at, LENGTH, mark), LENGTH);
    drop(strategy);
    assert!(left(at, LENGTH, mark) < LENGTH / 8, "{} bytes are still there", left(at, LENGTH, mark));
}
