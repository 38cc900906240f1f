//! Layers of settings, the later ones winning: file, environment, flags. Figment merges them and remembers who said what.

use super::document::parent;
use figment::{
    Figment, Metadata, Profile, Provider,
    value::{Dict, Empty, Num, Value as Layered},
};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;
use vmcp_core::config::{index_path, key_path};

/// Where a layer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Environment,
    Flag,
}

/// One source of settings.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    kind: Kind,
    name: String,
    settings: Map<String, Value>,
}

impl Layer {
    pub(crate) fn file(name: impl Into<String>, settings: Map<String, Value>) -> Self {
        Self { kind: Kind::File, name: name.into(), settings }
    }

    pub(crate) fn environment(name: impl Into<String>, settings: Map<String, Value>) -> Self {
        Self { kind: Kind::Environment, name: name.into(), settings }
    }

    pub(crate) fn flag(name: impl Into<String>, settings: Map<String, Value>) -> Self {
        Self { kind: Kind::Flag, name: name.into(), settings }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(test)]
    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.settings)
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<figment::value::Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(Dict::from_iter(self.settings.iter().map(|(key, value)| (key.clone(), to_figment(value))))))
    }
}

/// Every layer merged into one value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Merged {
    pub(crate) value: Value,
    origins: HashMap<String, usize>,
    layers: Vec<(Kind, String)>,
}

impl Merged {
    /// Merges layers, the first one lowest. Maps are joined key by key; lists are replaced, but by a flag they are continued.
    pub(crate) fn new(layers: Vec<Layer>) -> Self {
        let mut figment = Figment::new();
        let mut known = Vec::with_capacity(layers.len());
        for layer in layers {
            known.push((layer.kind, layer.name.clone()));
            figment = if layer.kind == Kind::Flag { figment.admerge(layer) } else { figment.merge(layer) };
        }
        let settings = figment.data().ok().and_then(|mut profiles| profiles.remove(&Profile::Default)).unwrap_or_default();
        let mut merged = Self { layers: known, ..Self::default() };
        let members = settings.iter().map(|(key, value)| (key.clone(), merged.read(&figment, value, &key_path("", key))));
        merged.value = Value::Object(members.collect::<Vec<_>>().into_iter().collect());
        merged
    }

    /// Who said what is at `path`, or else what it is in: kind and name. `None` for the whole.
    pub(crate) fn origin(&self, path: &str) -> Option<(Kind, &str)> {
        let mut path = path;
        while !path.is_empty() {
            if let Some((kind, name)) = self.origins.get(path).and_then(|layer| self.layers.get(*layer)) {
                return Some((*kind, name));
            }
            path = parent(path);
        }
        None
    }

    /// The text at a top-level key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.value.get(key).and_then(Value::as_str)
    }

    fn read(&mut self, figment: &Figment, value: &Layered, path: &str) -> Value {
        let name = figment.get_metadata(value.tag()).map(|metadata| metadata.name.as_ref());
        if let Some(layer) = name.and_then(|name| self.layers.iter().position(|(_, known)| known == name)) {
            self.origins.insert(path.to_owned(), layer);
        }
        match value {
            Layered::String(_, text) => text.as_str().into(),
            Layered::Char(_, c) => c.to_string().into(),
            Layered::Bool(_, boolean) => (*boolean).into(),
            Layered::Num(_, number) => from_number(*number),
            Layered::Empty(_, Empty::None | Empty::Unit) => Value::Null,
            Layered::Dict(_, members) => {
                Value::Object(members.iter().map(|(key, member)| (key.clone(), self.read(figment, member, &key_path(path, key)))).collect())
            }
            Layered::Array(_, items) => {
                items.iter().enumerate().map(|(index, item)| self.read(figment, item, &index_path(path, index))).collect()
            }
        }
    }
}

fn to_figment(value: &Value) -> Layered {
    match value {
        Value::Null => Layered::from(Empty::Unit),
        Value::Bool(boolean) => Layered::from(*boolean),
        Value::String(text) => Layered::from(text.as_str()),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Layered::from(number),
            (None, Some(number)) => Layered::from(number),
            (None, None) => Layered::from(number.as_f64().unwrap_or_default()),
        },
        Value::Array(items) => Layered::from(items.iter().map(to_figment).collect::<Vec<_>>()),
        Value::Object(members) => Layered::from(members.iter().map(|(key, value)| (key.clone(), to_figment(value))).collect::<Dict>()),
    }
}

fn from_number(number: Num) -> Value {
    let whole = number.to_u128().and_then(|number| u64::try_from(number).ok()).map(Value::from);
    let signed = || number.to_i128().and_then(|number| i64::try_from(number).ok()).map(Value::from);
    let fraction = || number.to_f64().and_then(Number::from_f64).map(Value::Number);
    whole.or_else(signed).or_else(fraction).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no map"),
        }
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let merged = Merged::new(vec![
            Layer::file("vmcp.yaml", settings(json!({"path": "/a", "sessions": {"max": 1, "keys": ["x"]}, "allowedHosts": ["a", "b"]}))),
            Layer::environment("VMCP_SESSIONS__MAX", settings(json!({"sessions": {"max": 2}}))),
            Layer::environment("VMCP_ALLOWED_HOSTS", settings(json!({"allowedHosts": ["c"]}))),
            Layer::flag("--path", settings(json!({"path": "/b"}))),
        ]);
        assert_eq!(merged.value, json!({"path": "/b", "sessions": {"max": 2, "keys": ["x"]}, "allowedHosts": ["c"]}));
        assert_eq!(merged.origin("path"), Some((Kind::Flag, "--path")));
        assert_eq!(merged.origin("sessions.max"), Some((Kind::Environment, "VMCP_SESSIONS__MAX")));
        assert_eq!(merged.origin("sessions.keys[0]"), Some((Kind::File, "vmcp.yaml")));
        assert_eq!(merged.origin("allowedHosts[0]"), Some((Kind::Environment, "VMCP_ALLOWED_HOSTS")));
        assert_eq!(merged.origin("limits.maxConnections"), None);
    }

    #[test]
    fn a_flag_continues_a_list() {
        let merged = Merged::new(vec![
            Layer::file("vmcp.yaml", settings(json!({"passthroughHeaders": ["x-a"], "backends": [{"name": "a"}]}))),
            Layer::flag("--passthrough-header", settings(json!({"passthroughHeaders": ["x-b"]}))),
            Layer::flag("--backend", settings(json!({"backends": [{"name": "b"}]}))),
        ]);
        assert_eq!(merged.value, json!({"passthroughHeaders": ["x-a", "x-b"], "backends": [{"name": "a"}, {"name": "b"}]}));
        assert_eq!(merged.origin("passthroughHeaders[0]"), Some((Kind::File, "vmcp.yaml")));
        assert_eq!(merged.origin("passthroughHeaders[1]"), Some((Kind::Flag, "--passthrough-header")));
        assert_eq!(merged.origin("backends[1].url"), Some((Kind::Flag, "--backend")));
        assert_eq!(merged.origin("backends[0].url"), Some((Kind::File, "vmcp.yaml")));
    }

    #[test]
    fn values_survive_the_merge() {
        let all =
            json!({"a": null, "b": true, "c": "x", "d": -5, "e": 18446744073709551615_u64, "f": 1.5, "g": [[1], {}], "h": {"i j": 0}});
        assert_eq!(Merged::new(vec![Layer::file("f", settings(all.clone()))]).value, all);
    }
}
