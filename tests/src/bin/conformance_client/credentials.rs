//! What an operator would write for a backend that wants tokens of a client of its own (SEP-1046, client credentials).

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::client::{Conn, Response};

/// The outgoing strategy for the suite's server at `url`, where the suite gives a client for its authorization server.
pub(crate) async fn strategy(url: &str, context: &Value) -> Result<Option<Value>> {
    let Some(client) = context["client_id"].as_str() else { return Ok(None) };
    let (host, path) = url.trim_start_matches("http://").split_once('/').context("a URL without a path")?;
    let metadata = get(host, &format!("/.well-known/oauth-protected-resource/{path}")).await?.json()?;
    let issuer = metadata["authorization_servers"][0].as_str().context("the suite's server names no authorization server")?;
    let mut settings = json!({ "issuer": issuer, "clientId": client });
    match (context["client_secret"].as_str(), context["private_key_pem"].as_str()) {
        (Some(secret), _) => settings["clientSecret"] = secret.into(),
        (None, Some(key)) => (settings["clientAuthMethod"], settings["privateKey"]) = ("private_key_jwt".into(), key.into()),
        (None, None) => return Ok(None),
    }
    Ok(Some(json!({ "type": "client_credentials", "clientCredentials": settings })))
}

async fn get(host: &str, path: &str) -> Result<Response> {
    let addr = tokio::net::lookup_host(host).await?.next().context("the suite's host has no address")?;
    let mut conn = Conn::open(addr).await?;
    conn.write(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await?;
    conn.response().await
}
