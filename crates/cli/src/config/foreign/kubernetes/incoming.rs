//! `spec.incomingAuth` of a manifest: who may call, in the words of ToolHive's operator.

use super::{CLUSTER, Reader};
use serde_json::{Map, Value};
use vmcp_core::config::{NOT_AVAILABLE, Problem, key_path, nearest};

const BASE: &str = "spec.incomingAuth";

const KEEP_ONE: &str = "keep one of them";

/// The variable in which the operator gives the gateway what `clientSecretRef` names.
const CLIENT_SECRET: &str = "VMCP_OIDC_CLIENT_SECRET";

/// Keys of `oidcConfig.inline` that are spelt otherwise in the configuration. All others are called the same.
const SPELT: [(&str, &str); 4] = [
    ("insecureAllowHTTP", "insecureAllowHttp"),
    ("jwksAllowPrivateIP", "jwksAllowPrivateIp"),
    ("protectedResourceAllowPrivateIP", "protectedResourceAllowPrivateIp"),
    ("thvCABundlePath", "caBundlePath"),
];

/// Keys beside `inline`, which hold what other kinds of source need.
const SOURCES: [&str; 3] = ["configMap", "inline", "kubernetes"];

impl Reader {
    /// Moves `spec.incomingAuth` to where it stands in a file of vmcp's own.
    pub(super) fn incoming(&mut self, config: &mut Map<String, Value>, spec: &Map<String, Value>) {
        let incoming = match spec.get("incomingAuth") {
            None | Some(Value::Null) => return,
            Some(Value::Object(incoming)) => incoming,
            // No map: what is said of it is said where it stands, and nobody is let in meanwhile.
            Some(other) => return self.take(config, "incomingAuth", other, BASE),
        };
        if config.get("incomingAuth").is_some_and(|other| !other.is_null()) {
            // It wins in a cluster too, and with the other its policies are gone, which somebody may count on.
            let message = format!("not read, policies included: `{BASE}` wins over it");
            self.problems.push(Problem::warning("spec.config.incomingAuth", message).with_hint(KEEP_ONE));
        }
        let mut own = Map::new();
        for (key, value) in incoming {
            match key.as_str() {
                "oidcConfig" => self.oidc(&mut own, value),
                "authzConfig" => self.authz(&mut own, value),
                "oidcConfigRef" => self.elsewhere(key, "write an `oidcConfig` of `type: inline` here"),
                "authzConfigRef" => self.elsewhere(key, "write an `authzConfig` of `type: inline` here"),
                // Whichever came last would win, in silence: without its policies, everybody may do everything.
                "oidc" if incoming.contains_key("oidcConfig") => self.twice(key, "oidcConfig"),
                "authz" if incoming.contains_key("authzConfig") => self.twice(key, "authzConfig"),
                _ => drop(own.insert(key.clone(), value.clone())),
            }
        }
        self.take(config, "incomingAuth", &Value::Object(own), BASE);
    }

    fn twice(&mut self, key: &str, other: &str) {
        self.error(key_path(BASE, key), format!("says the same as `{other}`"), KEEP_ONE);
    }

    fn elsewhere(&mut self, key: &str, hint: &str) {
        self.error(key_path(BASE, key), CLUSTER, hint);
        self.silenced.push("incomingAuth".to_owned());
    }

    /// What stands under `inline`, and everything beside it that belongs to no other source. None: it is refused, or nothing that could be
    /// read.
    fn inline(&mut self, base: &str, value: &Value) -> Option<(Map<String, Value>, Map<String, Value>)> {
        let Some(map) = value.as_object() else {
            self.error(base, "expected a map", "write `type: inline` and the settings under `inline`");
            self.silenced.push("incomingAuth".to_owned());
            return None;
        };
        let kind = map.get("type").and_then(Value::as_str);
        if kind != Some("inline") && !(kind.is_none() && map.contains_key("inline")) {
            self.error(key_path(base, "type"), CLUSTER, "write `type: inline` and the settings under `inline`");
            self.silenced.push("incomingAuth".to_owned());
            return None;
        }
        for source in SOURCES.into_iter().filter(|source| *source != "inline" && map.contains_key(*source)) {
            self.error(key_path(base, source), "is for another `type`", "remove it");
        }
        let inline = match map.get("inline") {
            Some(Value::Object(inline)) => inline.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(_) => {
                self.error(key_path(base, "inline"), "expected a map", "the settings stand in it");
                self.silenced.push("incomingAuth".to_owned());
                return None;
            }
        };
        let beside = map.iter().filter(|(key, _)| *key != "type" && !SOURCES.contains(&key.as_str()));
        Some((inline, beside.map(|(key, value)| (key.clone(), value.clone())).collect()))
    }

    fn oidc(&mut self, incoming: &mut Map<String, Value>, value: &Value) {
        let (base, own) = (key_path(BASE, "oidcConfig"), "incomingAuth.oidc");
        let Some((inline, beside)) = self.inline(&base, value) else { return };
        let mut oidc = Map::new();
        for (key, value) in &beside {
            if key == "resourceUrl" {
                self.put(&mut oidc, own, "resource", value, &key_path(&base, key));
            } else {
                let hint =
                    nearest(key, ["resourceUrl", "inline"]).map_or_else(|| "remove it".to_owned(), |key| format!("did you mean `{key}`?"));
                self.error(key_path(&base, key), "unknown key", &hint);
            }
        }
        let base = key_path(&base, "inline");
        for (key, value) in &inline {
            let at = key_path(&base, key);
            match key.as_str() {
                "clientSecretRef" if inline.contains_key("clientSecretEnv") => {
                    self.problems.push(Problem::note(at, "not read: `clientSecretEnv` says where the secret stands"));
                }
                "clientSecretRef" => {
                    self.problems.push(Problem::note(&at, format!("the secret is read from the variable `{CLIENT_SECRET}`")));
                    self.put(&mut oidc, own, "clientSecretEnv", &CLIENT_SECRET.into(), &at);
                }
                "caBundleRef" => self.error(at, CLUSTER, "write `caBundlePath` with the file that holds the certificates"),
                "jwksAuthTokenPath" => self.error(at, NOT_AVAILABLE, "remove it; keys are asked for without a credential"),
                _ => {
                    let name = SPELT.iter().find(|(theirs, _)| theirs == key).map_or(key.as_str(), |(_, ours)| ours);
                    self.put(&mut oidc, own, name, value, &at);
                }
            }
        }
        self.renames.push((own.to_owned(), base));
        incoming.insert("oidc".to_owned(), oidc.into());
    }

    /// Cedar is the only language of policies that a manifest can have.
    fn authz(&mut self, incoming: &mut Map<String, Value>, value: &Value) {
        let (base, own) = (key_path(BASE, "authzConfig"), "incomingAuth.authz");
        let Some((inline, beside)) = self.inline(&base, value) else { return };
        let mut authz = Map::new();
        authz.insert("type".to_owned(), "cedar".into());
        // Claims are named beside `inline`, since they mean the same for every source.
        for (base, settings) in [(key_path(&base, "inline"), inline), (base.clone(), beside)] {
            for (key, value) in &settings {
                if key == "type" {
                    self.error(key_path(&base, key), "is always `cedar` in a manifest", "remove it");
                    continue;
                }
                self.put(&mut authz, own, key, value, &key_path(&base, key));
            }
        }
        self.renames.push((own.to_owned(), base));
        incoming.insert("authz".to_owned(), authz.into());
    }

    /// A setting that stands at `from` in the manifest. One that was there already stays: what came later would win in silence, a `permit`
    /// over a `forbid`.
    fn put(&mut self, settings: &mut Map<String, Value>, own: &str, key: &str, value: &Value, from: &str) {
        // What has no value is left out, as everywhere.
        if value.is_null() {
            return;
        }
        let path = key_path(own, key);
        if settings.contains_key(key) {
            let first = self.renames.iter().find(|(known, _)| *known == path).map_or(key, |(_, first)| first).to_owned();
            return self.error(from, format!("says the same as `{first}`"), KEEP_ONE);
        }
        settings.insert(key.to_owned(), value.clone());
        self.renames.push((path, from.to_owned()));
    }
}
