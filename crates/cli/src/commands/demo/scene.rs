//! What the demo consists of: the servers, the configuration of the gateway in front, and the users with what they send.

use super::server::Server;
use anyhow::Context;
use std::net::SocketAddr;
use vmcp_core::{Era, config::Config};

/// Everything set up.
pub(super) struct Scene {
    /// The gateway's endpoint.
    pub(super) url: String,
    /// The servers behind it, in the order of the configuration.
    pub(super) servers: Vec<Server>,
    /// The configuration as somebody would write it.
    pub(super) yaml: String,
}

/// Somebody who calls.
pub(super) struct User {
    pub(super) name: &'static str,
    /// How this user's client speaks: the table is the same for both.
    pub(super) era: Era,
    /// What the client sends with every request. All made up here, so that it may be shown; no value is part of another.
    pub(super) headers: &'static [(&'static str, &'static str)],
}

pub(super) const USERS: [User; 2] = [
    User {
        name: "alice",
        era: Era::Modern,
        headers: &[
            ("x-github-token", "gh-alice-111"),
            ("x-tenant", "blue"),
            ("x-request-id", "req-a1"),
            ("x-diary", "alice-secret"),
            ("authorization", "Bearer vmcp-alice"),
        ],
    },
    User {
        name: "bob",
        era: Era::Legacy,
        headers: &[
            ("x-github-token", "gh-bob-222"),
            ("x-tenant", "green"),
            ("x-request-id", "req-b1"),
            ("x-diary", "bob-secret"),
            ("authorization", "Bearer vmcp-bob"),
        ],
    },
];

/// The servers' names.
const NAMES: [&str; 2] = ["github", "wiki"];

impl Scene {
    /// Starts the servers, for a gateway at `address`.
    pub(super) async fn set(address: SocketAddr) -> anyhow::Result<Self> {
        let mut servers = Vec::new();
        for name in NAMES {
            servers.push(Server::start(name).await?);
        }
        let [github, wiki] = [&servers[0].url, &servers[1].url];
        let yaml = format!(
            r#"listen: {address}
passthroughHeaders: [x-request-id]        # to every backend
backends:
  - name: github
    url: {github}
    headers: {{ x-mcp-toolsets: issues }}   # the same for everybody
    passthroughHeaders:
      - name: x-github-token              # the caller's header ...
        as: authorization                 # ... under the name and in the form that this backend wants
        format: "Bearer {{}}"
  - name: wiki
    url: {wiki}
    passthroughHeaders: [x-tenant]        # to this backend alone"#
        );
        Ok(Self { url: format!("http://{address}/mcp"), servers, yaml })
    }

    /// The configuration, read from the text that is shown.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        let value: serde_json::Value = serde_saphyr::from_str(&self.yaml).context("the demo's configuration is no YAML")?;
        serde_json::from_value(value).context("the demo's configuration does not fit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, Request, Secrets, load};

    #[test]
    fn no_made_up_value_is_part_of_another_so_that_whoever_shows_it_got_it() {
        let values: Vec<&str> = USERS.iter().flat_map(|user| user.headers.iter().map(|(_, value)| *value)).collect();
        for (place, value) in values.iter().enumerate() {
            let others = values.iter().enumerate().filter(|(other, _)| *other != place);
            assert!(others.into_iter().all(|(_, other)| !other.contains(value)), "{value}");
        }
    }

    #[tokio::test]
    async fn the_configuration_that_is_shown_is_one_that_can_be_used_without_a_warning() {
        let scene = Scene::set(SocketAddr::from(([127, 0, 0, 1], 1))).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vmcp.yaml");
        std::fs::write(&file, &scene.yaml).unwrap();
        let request =
            Request { file: Some(file), flags: Flags::default(), environment: Environment::default(), secrets: Secrets::Required };
        let loaded = load(&request).into_loaded().unwrap_or_else(|findings| panic!("{findings:?}"));
        assert_eq!(loaded.findings, []);
        assert_eq!(format!("{:?}", loaded.config), format!("{:?}", scene.config().unwrap()));
    }
}
