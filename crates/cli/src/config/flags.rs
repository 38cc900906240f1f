//! Settings that are given as flags.

use super::layers::{Layer, Merged};
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Flags that win over file and environment; those that may be repeated add to what is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) backends: Vec<(String, String)>,
    pub(crate) passthrough_headers: Vec<String>,
    pub(crate) host: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) path: Option<String>,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) allowed_origins: Vec<String>,
}

/// The hosts that a loopback listener answers when the configuration names none.
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Flags {
    /// One layer for each flag that is given. Of the `listen` that lies below, --host and --port change a part each.
    pub(crate) fn layers(&self, below: &Merged) -> Vec<Layer> {
        let mut layers = Vec::new();
        let mut add = |flag: &str, key: &str, value: Value| layers.push(Layer::flag(flag, Map::from_iter([(key.to_owned(), value)])));
        if !self.backends.is_empty() {
            let backends: Vec<Value> = self.backends.iter().map(|(name, url)| json!({ "name": name, "url": url })).collect();
            add("--backend", "backends", backends.into());
        }
        let full = below.value.get("listen").is_some_and(Value::is_object);
        let listen = if full { below.value["listen"]["address"].as_str() } else { below.text("listen") };
        let listen = listen.and_then(|text| text.parse().ok());
        let listen = listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 4483)));
        let address = SocketAddr::new(self.host.unwrap_or_else(|| listen.ip()), self.port.unwrap_or_else(|| listen.port()));
        if self.host.is_some() || self.port.is_some() {
            let address = address.to_string();
            // Maps are joined, so that what else stands there stays.
            let listen = if full { json!({ "address": address }) } else { address.into() };
            add(if self.host.is_some() { "--host" } else { "--port" }, "listen", listen);
        }
        if let Some(path) = &self.path {
            add("--path", "path", path.as_str().into());
        }
        let mut hosts = self.allowed_hosts.clone();
        // Without a list this machine's own names are answered; naming one more is no reason to lose them.
        if !hosts.is_empty() && address.ip().is_loopback() && below.value.get("allowedHosts").is_none_or(Value::is_null) {
            hosts.extend(LOOPBACK_HOSTS.map(str::to_owned));
        }
        for (flag, key, values) in [
            ("--passthrough-header", "passthroughHeaders", &self.passthrough_headers),
            ("--allowed-host", "allowedHosts", &hosts),
            ("--allowed-origin", "allowedOrigins", &self.allowed_origins),
        ] {
            if !values.is_empty() {
                add(flag, key, values.as_slice().into());
            }
        }
        layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(settings: &Value) -> Merged {
        Merged::new(vec![Layer::file("vmcp.yaml", settings.as_object().unwrap().clone())])
    }

    #[test]
    fn each_flag_is_a_layer() {
        let flags = Flags {
            backends: vec![("a".to_owned(), "http://a/".to_owned())],
            passthrough_headers: vec!["x-a".to_owned(), "x-b".to_owned()],
            port: Some(0),
            path: Some("/".to_owned()),
            ..Flags::default()
        };
        let values: Vec<Value> = flags.layers(&below(&json!({ "listen": "0.0.0.0:80" }))).into_iter().map(Layer::into_value).collect();
        assert_eq!(
            values,
            [
                json!({"backends": [{"name": "a", "url": "http://a/"}]}),
                json!({"listen": "0.0.0.0:0"}),
                json!({"path": "/"}),
                json!({"passthroughHeaders": ["x-a", "x-b"]}),
            ]
        );
        assert!(Flags::default().layers(&Merged::default()).is_empty());
    }

    #[test]
    fn host_and_port_each_change_their_part_of_the_address() {
        let listen = |host: Option<&str>, port, listen: Option<&str>| {
            let flags = Flags { host: host.map(|text| text.parse().unwrap()), port, ..Flags::default() };
            let below = below(&listen.map_or_else(|| json!({}), |listen| json!({ "listen": listen })));
            flags.layers(&below).remove(0).into_value()["listen"].clone()
        };
        assert_eq!(listen(Some("0.0.0.0"), None, Some("127.0.0.1:99")), "0.0.0.0:99");
        assert_eq!(listen(Some("127.0.0.1"), Some(1), None), "127.0.0.1:1");
        assert_eq!(listen(Some("::1"), None, None), "[::1]:4483");
        assert_eq!(listen(None, Some(1), Some("nonsense")), "127.0.0.1:1");
        let full = |settings: Value| {
            let layer = Layer::file("vmcp.yaml", settings.as_object().unwrap().clone());
            let flags = Flags { port: Some(1), ..Flags::default() };
            let mut layers = vec![layer.clone()];
            layers.extend(flags.layers(&Merged::new(vec![layer])));
            Merged::new(layers).value["listen"].clone()
        };
        assert_eq!(full(json!({"listen": {"address": "0.0.0.0:99", "unix": "s"}})), json!({"address": "0.0.0.0:1", "unix": "s"}));
        assert_eq!(full(json!({"listen": {"unix": "s"}})), json!({"address": "127.0.0.1:1", "unix": "s"}));
    }

    #[test]
    fn one_more_host_does_not_take_the_name_of_the_machine_away() {
        let hosts = |host: Option<&str>, settings: Value| {
            let host = host.map(|text| text.parse().unwrap());
            let flags = Flags { host, allowed_hosts: vec!["gw.example.com".to_owned()], ..Flags::default() };
            let mut layers = vec![Layer::file("vmcp.yaml", settings.as_object().unwrap().clone())];
            layers.extend(flags.layers(&below(&settings)));
            Merged::new(layers).value["allowedHosts"].clone()
        };
        assert_eq!(hosts(None, json!({})), json!(["gw.example.com", "localhost", "127.0.0.1", "[::1]"]));
        assert_eq!(hosts(None, json!({"allowedHosts": ["a"]})), json!(["a", "gw.example.com"]), "a list that somebody wrote is theirs");
        assert_eq!(hosts(None, json!({"listen": "0.0.0.0:1"})), json!(["gw.example.com"]));
        assert_eq!(hosts(Some("0.0.0.0"), json!({})), json!(["gw.example.com"]));
        assert_eq!(hosts(Some("::1"), json!({"listen": "0.0.0.0:1"})), json!(["gw.example.com", "localhost", "127.0.0.1", "[::1]"]));
    }
}
