//! What callers may see and do: what is denied is nowhere.

#[path = "../named/mod.rs"]
mod named;
#[path = "../served/mod.rs"]
mod served;

mod calls;
mod changes;
mod endpoints;
mod lists;
mod pages;
mod streams;
mod tasks;
mod tokens;
mod two_tokens;
mod unheard;

use anyhow::Result;
use named::NamedFactory;
use serde_json::{Value, json};
use served::serve;
use std::net::SocketAddr;
use vmcp_core::config::Config;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::{Client, ClientBuilder, Reply, Rpc},
    fixture::{Fixture, Spec},
};

/// Ann may do everything. Bob may do a little at `a`, and nothing at `b`.
const POLICIES: &str = r#"
@id("ann") permit(principal == Client::"ann", action, resource);
@id("bob-calls") permit(principal == Client::"bob", action == Action::"call_tool", resource == Tool::"a_echo");
@id("bob-jobs") permit(principal == Client::"bob", action == Action::"call_tool", resource == Tool::"a_job") when {
    !(principal has claim_jobs) || principal.claim_jobs };
@id("bob-greets") permit(principal == Client::"bob", action == Action::"get_prompt", resource == Prompt::"a_greet");
@id("bob-reads") permit(principal == Client::"bob", action == Action::"read_resource", resource) when {
    resource.uri == "fixture://a/text" || resource.uri like "fixture://a/item/*" };
"#;

/// A gateway in front of `a` and `b`.
struct Scene {
    a: Fixture,
    b: Fixture,
    gateway: Gateway,
    addr: SocketAddr,
}

impl Scene {
    async fn new(era: Era) -> Result<Self> {
        Self::with(Spec::new("a", era).tasks(), Spec::new("b", era), POLICIES, json!({})).await
    }

    async fn with(a: Spec, b: Spec, policies: &str, more: Value) -> Result<Self> {
        let (a, b) = (Fixture::start(a).await?, Fixture::start(b).await?);
        let gateway = Gateway::builder(config(&[&a, &b], policies, more)?).authenticator(NamedFactory).build()?;
        let (addr, _) = serve(&gateway).await?;
        Ok(Self { a, b, gateway, addr })
    }

    fn user(&self, era: Era, name: &str) -> ClientBuilder {
        Client::of(era, self.addr).header("x-user", name)
    }

    async fn client(&self, era: Era, name: &str) -> Result<Client> {
        self.user(era, name).connect().await
    }
}

fn config(backends: &[&Fixture], policies: &str, more: Value) -> Result<Config> {
    let mut config = json!({
        "backends": backends.iter().map(|backend| backend.entry(json!({}))).collect::<Vec<_>>(),
        "incomingAuth": { "type": "named", "authz": { "type": "cedar", "policies": [policies] } },
    });
    if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
        config.extend(more);
    }
    Ok(serde_json::from_value(config)?)
}

/// The members by which the items of a list are known, in order.
async fn listed(client: &mut Client, method: &str) -> Result<Vec<String>> {
    let items = client.list(method).await?;
    let key = |item: &Value| ["uri", "uriTemplate", "name"].into_iter().find_map(|key| item[key].as_str()).map(str::to_owned);
    Ok(items.iter().filter_map(key).collect())
}

/// A reply as its bytes, status and headers, without what every reply has of its own, and with `name` for the name that was asked for.
fn shape(reply: &Reply, name: &str) -> (u16, String, Vec<(String, String)>) {
    let mut headers: Vec<_> =
        reply.response.head.headers.iter().map(|(key, value)| (key.clone(), String::from_utf8_lossy(value).into_owned())).collect();
    headers.retain(|(key, _)| key != "date" && key != "content-length");
    let id = reply.id().unwrap_or_default().to_owned();
    (reply.status(), reply.message.replacen(&format!(r#""id":{id}"#), "", 1).replace(name, "…"), headers)
}

/// Asks for something that exists and is denied, and for something that nobody has: the answers have to be the same.
async fn alike(client: &mut Client, what: impl Fn(&str) -> Rpc, denied: &str, nobodys: &str) -> Result<()> {
    let (one, other) = (client.send(&what(denied)).await?, client.send(&what(nobodys)).await?);
    assert!(one.error().is_ok(), "{denied}: {}", one.message);
    assert_eq!(shape(&one, denied), shape(&other, nobodys), "{denied}");
    Ok(())
}
