//! Settings that are given as flags.

use super::layers::Layer;
use clap::Args;
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Flags that win over file and environment; those that may be repeated add to what is there.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Flags {
    /// Add a backend; without --config, no configuration file is looked for
    #[arg(long = "backend", value_name = "NAME=URL", value_parser = backend)]
    pub(crate) backends: Vec<(String, String)>,
    /// Pass this header of the caller on to every backend
    #[arg(long = "passthrough-header", value_name = "NAME")]
    pub(crate) passthrough_headers: Vec<String>,
    /// Listen on this address
    #[arg(long, value_name = "ADDRESS", value_parser = host)]
    pub(crate) host: Option<IpAddr>,
    /// Listen on this port; 0 takes a free one
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Answer on this path
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// Answer requests for this host
    #[arg(long = "allowed-host", value_name = "HOST")]
    pub(crate) allowed_hosts: Vec<String>,
    /// Answer requests from pages of this origin
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    pub(crate) allowed_origins: Vec<String>,
}

fn backend(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && !url.is_empty() => Ok((name.to_owned(), url.to_owned())),
        _ => Err("write NAME=URL, for example github=https://mcp.example.com/mcp".to_owned()),
    }
}

fn host(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.trim_matches(['[', ']']).parse().map_err(|_| "write an IP address, for example 127.0.0.1 or 0.0.0.0".to_owned())
}

impl Flags {
    /// One layer for each flag that is given. `listen` is what lies below, of which --host and --port change a part each.
    pub(crate) fn layers(&self, listen: Option<&str>) -> Vec<Layer> {
        let mut layers = Vec::new();
        let mut add = |flag: &str, key: &str, value: Value| layers.push(Layer::flag(flag, Map::from_iter([(key.to_owned(), value)])));
        if !self.backends.is_empty() {
            let backends: Vec<Value> = self.backends.iter().map(|(name, url)| json!({ "name": name, "url": url })).collect();
            add("--backend", "backends", backends.into());
        }
        if self.host.is_some() || self.port.is_some() {
            let below = listen.and_then(|text| text.parse().ok()).unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 4483)));
            let address = SocketAddr::new(self.host.unwrap_or_else(|| below.ip()), self.port.unwrap_or_else(|| below.port()));
            add(if self.host.is_some() { "--host" } else { "--port" }, "listen", address.to_string().into());
        }
        if let Some(path) = &self.path {
            add("--path", "path", path.as_str().into());
        }
        for (flag, key, values) in [
            ("--passthrough-header", "passthroughHeaders", &self.passthrough_headers),
            ("--allowed-host", "allowedHosts", &self.allowed_hosts),
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

    #[test]
    fn each_flag_is_a_layer() {
        let flags = Flags {
            backends: vec![("a".to_owned(), "http://a/".to_owned())],
            passthrough_headers: vec!["x-a".to_owned(), "x-b".to_owned()],
            port: Some(0),
            path: Some("/".to_owned()),
            ..Flags::default()
        };
        let values: Vec<Value> = flags.layers(Some("0.0.0.0:80")).into_iter().map(Layer::into_value).collect();
        assert_eq!(
            values,
            [
                json!({"backends": [{"name": "a", "url": "http://a/"}]}),
                json!({"listen": "0.0.0.0:0"}),
                json!({"path": "/"}),
                json!({"passthroughHeaders": ["x-a", "x-b"]}),
            ]
        );
        assert!(Flags::default().layers(None).is_empty());
    }

    #[test]
    fn host_and_port_each_change_their_part_of_the_address() {
        let listen = |host: Option<&str>, port, below| {
            let flags = Flags { host: host.map(|text| super::host(text).unwrap()), port, ..Flags::default() };
            flags.layers(below).remove(0).into_value()["listen"].clone()
        };
        assert_eq!(listen(Some("0.0.0.0"), None, Some("127.0.0.1:99")), "0.0.0.0:99");
        assert_eq!(listen(Some("localhost"), Some(1), None), "127.0.0.1:1");
        assert_eq!(listen(Some("[::1]"), None, None), "[::1]:4483");
        assert_eq!(listen(None, Some(1), Some("nonsense")), "127.0.0.1:1");
    }

    #[test]
    fn a_backend_is_a_name_and_a_url() {
        assert_eq!(backend("a=http://a/?x=y"), Ok(("a".to_owned(), "http://a/?x=y".to_owned())));
        assert!(backend("http://a/").is_err());
        assert!(backend("=http://a/").is_err());
    }
}
