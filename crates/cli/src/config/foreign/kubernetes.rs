//! Manifests of `kind: VirtualMCPServer`, as ToolHive's operator reads them.

mod incoming;

use super::{Converted, listing};
use crate::config::document::Document;
use serde_json::{Map, Value, json};
use vmcp_core::config::{NOT_AVAILABLE, Problem, index_path, key_path, nearest, unavailable_key};

const VERSIONS: [&str; 2] = ["toolhive.stacklok.dev/v1alpha1", "toolhive.stacklok.dev/v1beta1"];
const KIND: &str = "VirtualMCPServer";

/// Keys of `spec` that say how a cluster runs the gateway.
const DEPLOYMENT: [&str; 6] = ["imagePullSecrets", "podTemplateSpec", "replicas", "serviceAccount", "serviceType", "sessionAffinity"];

/// Keys of `spec` that mean the same as the configuration's and win over it.
const SAME: [&str; 8] = [
    "aggregation",
    "authServerConfig",
    "compositeTools",
    "operational",
    "passthroughHeaders",
    "rateLimiting",
    "sessionStorage",
    "telemetry",
];

/// Keys of `spec` that need a look.
const READ: [&str; 4] = ["config", "groupRef", "incomingAuth", "outgoingAuth"];

const CLUSTER: &str = "only a cluster can resolve this";

/// Whether a document is a manifest of a gateway.
pub(super) fn is_gateway(value: &Value) -> bool {
    value.get("kind").is_some_and(|kind| kind == KIND)
}

pub(super) fn convert(mut document: Document) -> Converted {
    let manifest = document.value.take();
    let mut reader = Reader { problems: Vec::new(), renames: vec![(String::new(), "spec.config".to_owned())], silenced: Vec::new() };
    let config = if reader.is_ours(&manifest) { reader.manifest(&manifest) } else { json!({ "backends": [] }) };
    document.value = config;
    document.renames = reader.renames;
    document.silenced = reader.silenced;
    Converted { document, problems: reader.problems }
}

struct Reader {
    problems: Vec<Problem>,
    renames: Vec<(String, String)>,
    silenced: Vec<String>,
}

impl Reader {
    fn error(&mut self, path: impl Into<String>, message: impl Into<String>, hint: &str) {
        self.problems.push(Problem::error(path, message).with_hint(hint));
    }

    fn is_ours(&mut self, manifest: &Value) -> bool {
        let before = self.problems.len();
        if !is_gateway(manifest) {
            self.error("kind", "not a kind that vmcp reads", &format!("it reads {KIND}"));
        }
        if !manifest.get("apiVersion").and_then(Value::as_str).is_some_and(|version| VERSIONS.contains(&version)) {
            self.error("apiVersion", "not a version that vmcp reads", &format!("it reads {}", VERSIONS.join(" and ")));
        }
        if !manifest.get("spec").is_some_and(Value::is_object) {
            self.error("", "the key `spec` is missing or no map", "it holds the gateway's configuration under `config`");
        }
        if self.problems.len() > before {
            self.silenced.push("backends".to_owned());
        }
        self.problems.len() == before
    }

    fn manifest(&mut self, manifest: &Value) -> Value {
        let spec = manifest.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut config = match spec.get("config") {
            Some(Value::Object(config)) => config.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(_) => {
                self.error("spec.config", "expected a map", "it holds the gateway's configuration");
                Map::new()
            }
        };
        if let (None, Some(name)) = (config.get("name"), manifest.pointer("/metadata/name")) {
            self.take(&mut config, "name", name, "metadata.name");
        }
        for key in SAME {
            if let Some(value) = spec.get(key) {
                self.take(&mut config, key, value, &key_path("spec", key));
            }
        }
        self.incoming(&mut config, &spec);
        if let Some(outgoing) = spec.get("outgoingAuth") {
            self.take(&mut config, "outgoingAuth", outgoing, "spec.outgoingAuth");
        }
        self.outgoing(&mut config);
        self.group(&mut config, &spec);
        self.references(&mut config, "", "");
        self.others(&spec);
        Value::Object(config)
    }

    /// Puts a value that stands elsewhere into the configuration.
    fn take(&mut self, config: &mut Map<String, Value>, key: &str, value: &Value, from: &str) {
        config.insert(key.to_owned(), value.clone());
        self.renames.push((key.to_owned(), from.to_owned()));
    }

    /// Strategies that stand in other resources.
    fn outgoing(&mut self, config: &mut Map<String, Value>) {
        let Some(Value::Object(outgoing)) = config.get_mut("outgoingAuth") else { return };
        let base =
            self.renames.iter().find(|(own, _)| own == "outgoingAuth").map_or("spec.config.outgoingAuth", |(_, from)| from).to_owned();
        let hint = "write the strategies here";
        if outgoing.get("source").is_some_and(|source| source == "discovered") {
            outgoing.shift_remove("source");
            self.error(key_path(&base, "source"), CLUSTER, hint);
        }
        let mut cluster_only = |strategy: &Value, path: String| {
            let kind = strategy.get("type").and_then(Value::as_str);
            if strategy.get("externalAuthConfigRef").is_some() {
                self.error(key_path(&path, "externalAuthConfigRef"), CLUSTER, hint);
            } else if matches!(kind, Some("discovered" | "externalAuthConfigRef" | "external_auth_config_ref")) {
                self.error(key_path(&path, "type"), CLUSTER, hint);
            } else {
                return false;
            }
            true
        };
        if outgoing.get("default").is_some_and(|strategy| cluster_only(strategy, key_path(&base, "default"))) {
            outgoing.shift_remove("default");
        }
        if let Some(Value::Object(backends)) = outgoing.get_mut("backends") {
            let base = key_path(&base, "backends");
            backends.retain(|name, strategy| !cluster_only(strategy, key_path(&base, name)));
        }
    }

    /// The group that lists the backends in a cluster.
    fn group(&mut self, config: &mut Map<String, Value>, spec: &Map<String, Value>) {
        let from_spec = spec.get("groupRef").is_some();
        let group = spec.get("groupRef").or_else(|| config.get("groupRef")).cloned();
        let at = if from_spec { "spec.groupRef" } else { "spec.config.groupRef" };
        let name = group.as_ref().map(|group| group.get("name").unwrap_or(group));
        if let Some(name) = name {
            self.take(config, "groupRef", name, at);
        }
        let has_backends = config.get("backends").and_then(Value::as_array).is_some_and(|backends| !backends.is_empty());
        if !has_backends {
            let at = if group.is_some() { at } else { "spec.config" };
            self.error(at, "only a cluster can resolve a group of servers", "list them under spec.config.backends");
            self.silenced.push("backends".to_owned());
            config.insert("backends".to_owned(), json!([]));
        }
    }

    /// Names of other resources, wherever they stand in the configuration.
    fn references(&mut self, map: &mut Map<String, Value>, path: &str, pattern: &str) {
        let mut found = Vec::new();
        map.retain(|key, _| {
            let is_reference = key.ends_with("Ref") || key.ends_with("Refs");
            let at = key_path(path, key);
            if is_reference && at != "groupRef" {
                found.push((at, key_path(pattern, key)));
                return false;
            }
            true
        });
        for (at, pattern) in found {
            let at = Document { renames: self.renames.clone(), ..Document::default() }.in_file(&at);
            self.reference(at, &pattern, advice(&pattern));
        }
        for (key, value) in map.iter_mut() {
            let (at, pattern) = (key_path(path, key), key_path(pattern, key));
            match value {
                Value::Object(map) if at != "metadata" => self.references(map, &at, &pattern),
                Value::Array(items) => {
                    for (index, item) in items.iter_mut().enumerate() {
                        if let Value::Object(map) = item {
                            self.references(map, &index_path(&at, index), &format!("{pattern}.*"));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// A name of another resource. Where nothing in this version takes what stands there, nobody is asked to write it here.
    fn reference(&mut self, at: String, pattern: &str, hint: &str) {
        let meant = ["ConfigRef", "Refs", "Ref"].iter().find_map(|end| pattern.strip_suffix(end));
        match unavailable_key(pattern).or_else(|| unavailable_key(meant?)) {
            Some(hint) => self.error(at, NOT_AVAILABLE, hint),
            None => self.error(at, CLUSTER, hint),
        }
    }

    /// The keys of `spec` that are not configuration.
    fn others(&mut self, spec: &Map<String, Value>) {
        let deployment: Vec<&str> = spec.keys().map(String::as_str).filter(|key| DEPLOYMENT.contains(key)).collect();
        if !deployment.is_empty() {
            self.problems.push(Problem::note("spec", format!("{} not read: a cluster's work", listing(deployment))));
        }
        let known = || DEPLOYMENT.into_iter().chain(SAME).chain(READ);
        for key in spec.keys().filter(|key| known().all(|known| known != key.as_str())) {
            let at = key_path("spec", key);
            if key.ends_with("Ref") {
                self.reference(at, key, "write what it names under spec.config, or remove it");
            } else {
                let hint = nearest(key, known()).map_or_else(|| "remove it".to_owned(), |meant| format!("did you mean `{meant}`?"));
                self.error(at, "unknown key", &hint);
            }
        }
    }
}

/// What to write in the place of a name of another resource.
fn advice(pattern: &str) -> &'static str {
    match pattern.rsplit('.').next() {
        Some("clientSecretRef") => "write `clientSecretEnv` with the variable that holds the secret",
        Some("valueSecretRef") => "write `headerValueEnv` with the variable that holds the value",
        _ => "write what it names here, or remove it",
    }
}
