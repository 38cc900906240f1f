//! The environment: values for `${ENV}` and `fromEnv`, and settings in variables called `VMCP_…`.

use super::{finding::Finding, layers::Layer, syntax::Syntax};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use vmcp_core::config::{Problem, Shape, Wanted};

const PREFIX: &str = "VMCP_";

/// Variables that are no settings of the configuration: flags of the command line, and what ToolHive's operator sets.
const OTHERS: [&str; 5] = ["VMCP_CONFIG", "VMCP_LOG_FORMAT", "VMCP_LOG_LEVEL", "VMCP_NAMESPACE", "VMCP_SESSION_HMAC_SECRET"];

/// A snapshot of environment variables. Variables that are not UTF-8 are not in it.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// This process's.
    pub(crate) fn of_process() -> Self {
        let variables = std::env::vars_os();
        Self(variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// One layer for each variable that is a setting, and what is wrong with the others that look like one, except for those that the
    /// file speaks of.
    pub(crate) fn layers(&self, shape: &Shape, mentioned: &BTreeSet<String>) -> (Vec<Layer>, Vec<Finding>) {
        let mut layers = Vec::new();
        let mut findings = Vec::new();
        // An empty variable counts as not set: that is how a template leaves one out.
        for (name, text) in self.0.iter().filter(|(name, text)| name.starts_with(PREFIX) && !text.is_empty()) {
            if OTHERS.contains(&name.as_str()) || mentioned.contains(name) || is_service_link(name, text) {
                continue;
            }
            match setting(name, text, shape) {
                Ok(value) => layers.push(Layer::environment(name, value)),
                Err(problem) => findings.push(Finding::new(name.as_str(), None, problem)),
            }
        }
        (layers, findings)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// What Kubernetes puts into every pod for a Service whose name starts with `vmcp`.
fn is_service_link(name: &str, text: &str) -> bool {
    let address = |text: &str| ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme));
    let port = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && address(text))
        || name.split_once("_PORT_").is_some_and(|(_, rest)| port(rest))
}

/// The configuration that one variable stands for: `VMCP_SESSIONS__MAX=5` is `{sessions: {max: 5}}`.
fn setting(name: &str, text: &str, shape: &Shape) -> Result<Map<String, Value>, Problem> {
    let segments: Vec<&str> = name[PREFIX.len()..].split("__").collect();
    let (keys, wanted) = shape.key_from_env(&segments).map_err(|meant| {
        let problem = Problem::error("", "unknown setting");
        match (name, meant) {
            ("VMCP_HOST" | "VMCP_PORT", _) => problem.with_hint("set VMCP_LISTEN to address and port, for example 127.0.0.1:4483"),
            (_, Some(segments)) => problem.with_hint(format!("did you mean {PREFIX}{}?", segments.join("__"))),
            (_, None) => problem.with_hint("unset it; `vmcp schema` prints the keys, of which `sessions.max` is VMCP_SESSIONS__MAX"),
        }
    })?;
    let path = keys.join(".");
    let value = read(text, wanted).map_err(|()| Problem::error(path, "not valid JSON").with_hint("write one JSON value on one line"))?;
    let value = keys.into_iter().rev().fold(value, |value, key| Value::Object(Map::from_iter([(key, value)])));
    Ok(if let Value::Object(settings) = value { settings } else { Map::new() })
}

/// A text as the value that is wanted; what cannot be read stays text, for the shape to complain about.
fn read(text: &str, wanted: Wanted<'_>) -> Result<Value, ()> {
    let trimmed = text.trim();
    let json = || Syntax::Json.parse(trimmed).ok().and_then(|mut documents| documents.pop()).map(|document| document.value);
    Ok(match wanted {
        Wanted::Integer | Wanted::Boolean => scalar(trimmed, wanted),
        Wanted::List if !trimmed.starts_with('[') => {
            trimmed.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()
        }
        Wanted::List | Wanted::Map => json().ok_or(())?,
        // A secret may be given by its source.
        Wanted::Text { .. } if trimmed.starts_with('{') => json().unwrap_or_else(|| text.into()),
        Wanted::Text { .. } => text.into(),
        Wanted::Anything => json().unwrap_or_else(|| text.into()),
    })
}

/// A number or a truth value from its text; the text itself where it is neither.
pub(crate) fn scalar(text: &str, wanted: Wanted<'_>) -> Value {
    let read = match wanted {
        Wanted::Integer => text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from)).ok(),
        Wanted::Boolean => match text {
            "true" | "1" => Some(true.into()),
            "false" | "0" => Some(false.into()),
            _ => None,
        },
        Wanted::Text { .. } | Wanted::List | Wanted::Map | Wanted::Anything => None,
    };
    read.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layers(variables: &[(&str, &str)]) -> (Vec<Value>, Vec<String>) {
        let shape = Shape::new(&vmcp_auth::registries());
        let (layers, findings) =
            variables.iter().copied().collect::<Environment>().layers(&shape, &BTreeSet::from(["VMCP_KEY".to_owned()]));
        (layers.into_iter().map(Layer::into_value).collect(), findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn each_variable_is_a_setting_of_its_kind() {
        let (values, findings) = layers(&[
            ("VMCP_AGGREGATION__EXCLUDE_ALL_TOOLS", "1"),
            ("VMCP_ALLOWED_HOSTS", "a.example.com, b.example.com,"),
            ("VMCP_BACKENDS", r#"[{"name": "a", "url": "http://127.0.0.1:1/"}]"#),
            ("VMCP_LISTEN", "127.0.0.1:0"),
            ("VMCP_NAME", "007"),
            ("VMCP_OPERATIONAL__TIMEOUTS__PER_WORKLOAD__MY_SERVER", "5s"),
            ("VMCP_PASSTHROUGH_HEADERS", r#"["x-a", {"name": "x-b"}]"#),
            ("VMCP_SESSIONS__IDLE_TIMEOUT", "5m"),
            ("VMCP_SESSIONS__MAX", "12"),
            ("OTHER_LISTEN", "x"),
        ]);
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!(
            values,
            [
                json!({"aggregation": {"excludeAllTools": true}}),
                json!({"allowedHosts": ["a.example.com", "b.example.com"]}),
                json!({"backends": [{"name": "a", "url": "http://127.0.0.1:1/"}]}),
                json!({"listen": "127.0.0.1:0"}),
                json!({"name": "007"}),
                json!({"operational": {"timeouts": {"perWorkload": {"my_server": "5s"}}}}),
                json!({"passthroughHeaders": ["x-a", {"name": "x-b"}]}),
                json!({"sessions": {"idleTimeout": "5m"}}),
                json!({"sessions": {"max": 12}}),
            ]
        );
    }

    #[test]
    fn a_variable_that_is_no_setting_is_told_without_its_value() {
        let (values, findings) = layers(&[
            ("VMCP_BACKENDS", "[hunter2"),
            ("VMCP_BANANA", "hunter2"),
            ("VMCP_LISTN", "hunter2"),
            ("VMCP_PORT", "8080"),
            ("VMCP_SESSION__MAX", "1"),
        ]);
        assert!(values.is_empty());
        assert_eq!(
            findings,
            [
                "VMCP_BACKENDS: backends: not valid JSON; write one JSON value on one line",
                "VMCP_BANANA: unknown setting; unset it; `vmcp schema` prints the keys, of which `sessions.max` is VMCP_SESSIONS__MAX",
                "VMCP_LISTN: unknown setting; did you mean VMCP_LISTEN?",
                "VMCP_PORT: unknown setting; set VMCP_LISTEN to address and port, for example 127.0.0.1:4483",
                "VMCP_SESSION__MAX: unknown setting; did you mean VMCP_SESSIONS__MAX?",
            ]
        );
    }

    #[test]
    fn what_others_put_into_the_environment_is_no_setting() {
        let (values, findings) = layers(&[
            ("VMCP_CONFIG", "vmcp.yaml"),
            ("VMCP_KEY", "the file speaks of it"),
            ("VMCP_LISTEN", ""),
            ("VMCP_NAMESPACE", "default"),
            ("VMCP_PORT", "tcp://10.0.0.1:4483"),
            ("VMCP_PORT_4483_TCP", "tcp://10.0.0.1:4483"),
            ("VMCP_PORT_4483_TCP_ADDR", "10.0.0.1"),
            ("VMCP_SERVICE_HOST", "10.0.0.1"),
            ("VMCP_SERVICE_PORT", "4483"),
            ("VMCP_SERVICE_PORT_HTTP", "4483"),
            ("VMCP_TEAM_SERVICE_HOST", "10.0.0.2"),
        ]);
        assert!(values.is_empty() && findings.is_empty(), "{values:?} {findings:?}");
    }

    #[test]
    fn what_is_neither_number_nor_truth_stays_text() {
        assert_eq!(scalar("-3", Wanted::Integer), json!(-3));
        assert_eq!(scalar("many", Wanted::Integer), json!("many"));
        assert_eq!(scalar("yes", Wanted::Boolean), json!("yes"));
    }
}
