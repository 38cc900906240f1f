//! `subscriptions/listen`: what a modern client hears of, and what it costs.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Client, Conn},
    eventually,
    fixture::{Fixture, Items, Spec},
    process::Vmcp,
};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
const UPDATED: &str = "notifications/resources/updated";

/// A legacy backend `a` and a modern one `b`.
async fn scene(limits: Value) -> Result<(Fixture, Fixture, Vmcp)> {
    let (a, b) = (Fixture::start(Spec::legacy("a")).await?, Fixture::start(Spec::modern("b")).await?);
    let vmcp = Vmcp::serve(json!({ "backends": [a.entry(json!({})), b.entry(json!({}))], "limits": limits })).await?;
    Ok((a, b, vmcp))
}

fn uris(all: &[&str]) -> String {
    format!(r#""resourceSubscriptions":{}"#, json!(all))
}

#[tokio::test]
async fn updates_reach_the_subscription_that_names_the_resource_whatever_era_its_owner_speaks() -> Result<()> {
    let (a, b, vmcp) = scene(json!({})).await?;
    let client = vmcp.client(Era::Modern).await?;
    let (from_a, from_b) = ("fixture://a/text", "fixture://b/item/7");
    let (first, mut stream) = client.subscribe(&uris(&[from_b, "nowhere://x", from_a, from_b, "fixture://b/blob"])).await?;
    assert_eq!(
        first["params"]["notifications"],
        json!({ "resourceSubscriptions": [from_a, from_b] }),
        "what is heard of, and nothing else"
    );
    assert_eq!((a.followers(from_a), b.followers(from_b)), (1, 1));
    let id = &first["params"]["_meta"][SUBSCRIPTION];
    assert!(id.is_number(), "{first}");
    for (fixture, uri) in [(&a, from_a), (&b, from_b), (&a, from_a)] {
        fixture.announce("tools");
        fixture.updated(uri);
        let note = stream.message().await?;
        assert_eq!((&note["method"], &note["params"]["uri"]), (&json!(UPDATED), &json!(uri)), "{note}");
        assert_eq!(&note["params"]["_meta"][SUBSCRIPTION], id, "{note}");
    }
    drop(stream);
    eventually("the backends are not subscribed to any more", async || a.followers(from_a) + b.followers(from_b) == 0).await
}

#[tokio::test]
async fn subscriptions_with_one_id_hear_what_each_of_them_asked_for() -> Result<()> {
    let (a, b, vmcp) = scene(json!({})).await?;
    let clients: [Client; 2] = [vmcp.client(Era::Modern).await?, vmcp.client(Era::Modern).await?];
    for (fixture, name) in [(&a, "a"), (&b, "b")] {
        let named = [format!("fixture://{name}/text"), format!("fixture://{name}/item/1")];
        let (one, mut first) = clients[0].subscribe(&uris(&[&named[0]])).await?;
        let (other, mut second) = clients[1].subscribe(&uris(&[&named[1]])).await?;
        assert_eq!(one["params"]["_meta"], other["params"]["_meta"], "the ids are equal");
        for uri in [&named[1], &named[0], &named[1]] {
            fixture.updated(uri);
        }
        assert_eq!(first.message().await?["params"]["uri"], json!(named[0]));
        assert_eq!(second.message().await?["params"]["uri"], json!(named[1]));
        drop(first);
        eventually("one of them has ended", async || fixture.followers(&named[0]) == 0).await?;
        fixture.updated(&named[0]);
        fixture.part_updated(&named[1], &format!("{}/part", named[1]));
        loop {
            let note = second.message().await?;
            // Two equal notifications that wait are one.
            if note["params"]["uri"] != json!(named[1]) {
                assert_eq!(note["params"]["uri"], json!(format!("{}/part", named[1])), "{note}");
                break;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_subscription_asks_for_has_to_be_readable() -> Result<()> {
    let (_a, _b, vmcp) = scene(json!({})).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    for wanted in
        [r#""notifications":{"resourceSubscriptions":"fixture://a/text"}"#, r#""notifications":{"resourceSubscriptions":[1]}"#, ""]
    {
        let reply = client.send(&vmcp_tests::client::Rpc::new("subscriptions/listen", wanted)).await?;
        assert_eq!(reply.error()?.code, -32602, "{wanted}");
    }
    // It would be kept as long as the subscription.
    let rpc = vmcp_tests::client::Rpc::new("subscriptions/listen", r#""notifications":{"toolsListChanged":true}"#);
    let long = client.conn.exchange(&client.caller.request(&rpc, &json!("i".repeat(1 << 20)).to_string())).await?;
    assert_eq!((long.status(), &long.json()?["error"]["code"]), (400, &json!(-32600)));
    Ok(())
}

#[tokio::test]
async fn a_thousand_listeners_cost_the_backends_one_stream_each_and_all_of_them_hear() -> Result<()> {
    const LISTENERS: usize = 1000;
    let (a, b, vmcp) = scene(json!({})).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    client.tools().await?;
    for fixture in [&a, &b] {
        fixture.until("the gateway listens", |f| f.streams() == 1).await?;
    }
    let (sessions, connections) = (a.sessions(), a.connections() + b.connections());
    let mut streams = Vec::with_capacity(LISTENERS);
    for _ in 0..LISTENERS {
        streams.push(client.subscribe(r#""toolsListChanged":true"#).await?.1);
    }
    for fixture in [&a, &b] {
        fixture.change(|items: &mut Items| items.tools.push(r#"{"name":"fresh","inputSchema":{"type":"object"}}"#.to_owned()));
        fixture.announce("tools");
        for stream in &mut streams {
            assert_eq!(stream.message().await?["method"], "notifications/tools/list_changed");
        }
    }
    assert_eq!((a.streams(), b.streams(), a.sessions()), (1, 1, sessions));
    assert!(a.connections() + b.connections() < connections + 20, "{} connections", a.connections() + b.connections());
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_nobody_reads_ends_and_holds_up_nobody() -> Result<()> {
    const AT_ONCE: usize = 16;
    let (_a, b, vmcp) = scene(json!({ "writeTimeout": "1s" })).await?;
    let mut client = vmcp.client(Era::Modern).await?;
    let uri = "fixture://b/text";
    let (_, mut read) = client.subscribe(&uris(&[uri])).await?;
    let (_, _unread) = client.subscribe_over(Conn::narrow(vmcp.addr()).await?, &uris(&[uri])).await?;
    assert_eq!(b.followers(uri), 2);
    let mut part = 0;
    while b.followers(uri) == 2 {
        for _ in 0..AT_ONCE {
            part += 1;
            b.part_updated(uri, &format!("{uri}/{part}/{}", "x".repeat(8 * 1024)));
        }
        for heard in part - AT_ONCE..part {
            let note = read.message().await.context("a client that reads is ended")?;
            let told = note["params"]["uri"].as_str().context("no uri")?;
            assert!(told.starts_with(&format!("{uri}/{}/", heard + 1)), "the parts come in order");
        }
        client.call("b_echo", "{}").await?.result()?;
    }
    b.updated(uri);
    assert_eq!(read.message().await?["params"]["uri"], json!(uri));
    Ok(())
}
