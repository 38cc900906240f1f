//! MCP Apps (SEP-1865): a tool's page is its own backend's, whatever the tool is called here and whoever else has a page of that URI.

mod paged;

use anyhow::{Context, Result};
use paged::page;
use serde_json::json;
use vmcp_tests::{
    Era,
    client::Rpc,
    eventually,
    fixture::{Fixture, Items, Spec},
    process::Vmcp,
};

async fn scene() -> Result<([Fixture; 2], Vmcp)> {
    let page = json!({ "uri": "ui://show", "name": "page", "mimeType": "text/html;profile=mcp-app" });
    paged::scene([Spec::legacy("a"), Spec::modern("b")], &page, json!({})).await
}

#[tokio::test]
async fn each_tool_opens_the_page_of_its_own_backend() -> Result<()> {
    let ([a, b], vmcp) = scene().await?;
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        let listed: Vec<_> = client.list("resources/list").await?.iter().map(|item| item["uri"].clone()).collect();
        for (tool, owner) in [("a_show", "a"), ("b_show", "b")] {
            let uri = page(&mut client, tool).await?;
            assert!(listed.contains(&json!(uri)), "{era:?}: {uri} of {listed:?}");
            let read = client.send(&Rpc::read(&uri)).await?.result()?;
            let content = &read["contents"][0];
            assert_eq!((&content["uri"], &content["text"]), (&json!(uri), &json!(format!("read from {owner}"))), "{era:?}: {read}");
        }
    }
    for fixture in [&a, &b] {
        let read = fixture.requests_of("resources/read");
        assert!(read.len() == 2 && read.iter().all(|read| read.json()["params"]["uri"] == "ui://show"), "each knows its own URI");
        assert!(fixture.violations().is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_change_of_a_page_is_told_under_the_uri_that_the_client_follows() -> Result<()> {
    let ([a, b], vmcp) = scene().await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(r#"{"roots":{}}"#).connect().await?;
    let uris = [page(&mut client, "a_show").await?, page(&mut client, "b_show").await?];
    assert_ne!(uris[0], uris[1], "one of them is not its backend's own");
    client.call("a_echo", "{}").await?.result()?;
    let mut stream = client.listen().await?;
    eventually("the gateway listens for the client", async || a.declared_streams() == 1).await?;
    for (fixture, uri) in [(&a, &uris[0]), (&b, &uris[1])] {
        client.send(&Rpc::new("resources/subscribe", format!(r#""uri":"{uri}""#))).await?.result()?;
        for part in ["", "#top"] {
            fixture.part_updated("ui://show", &format!("ui://show{part}"));
            let note = stream.next().await?.context("the stream ended")?.json();
            assert_eq!(note["method"], "notifications/resources/updated", "{note}");
            assert_eq!(note["params"], json!({ "uri": format!("{uri}{part}") }), "and nothing of the gateway's own subscription");
        }
    }
    // At the endpoint of one backend alone the same page has another name.
    let mut alone = vmcp.client_of(Era::Legacy).path("/mcp/b").connect().await?;
    alone.list("resources/list").await?;
    let mut elsewhere = alone.listen().await?;
    alone.send(&Rpc::new("resources/subscribe", r#""uri":"ui://show""#)).await?.result()?;
    b.updated("ui://show");
    assert_eq!(elsewhere.next().await?.context("the stream ended")?.json()["params"]["uri"], "ui://show");
    Ok(())
}

#[tokio::test]
async fn a_change_of_a_page_during_a_call_is_told_under_the_uri_that_the_client_follows() -> Result<()> {
    let legacy = ["a", "b"].map(|name| Spec::legacy(name).interactive());
    let (_fixtures, vmcp) = paged::scene(legacy, &json!({ "uri": "ui://show", "name": "page" }), json!({})).await?;
    let mut client = vmcp.client(Era::Legacy).await?;
    let uri = page(&mut client, "b_show").await?;
    assert_ne!(uri, "ui://show", "it is not its backend's own");
    client.send(&Rpc::new("resources/subscribe", format!(r#""uri":"{uri}""#))).await?.result()?;
    let told = ["ui://show", "ui://show#top", "ui://other"]
        .map(|uri| json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": uri, "x": 1 } }));
    // What it does not follow is passed on as it is.
    for (tool, names) in [("b_log", [&*uri, &format!("{uri}#top"), "ui://other"]), ("a_log", ["ui://show", "ui://show#top", "ui://other"])]
    {
        let (mut call, mut buffer) = (client.sibling().await?, Vec::new());
        call.start(&Rpc::tool(tool, &json!({ "notes": told }).to_string())).await?;
        for name in names {
            let note = call.conn.event(&mut buffer).await?.context("the stream ended")?.json();
            assert_eq!(note["params"], json!({ "uri": name, "x": 1 }), "{tool}: {note}");
        }
        let last = call.conn.event(&mut buffer).await?.context("the stream ended")?.json();
        assert!(last["result"].is_object(), "{last}");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_for_which_something_is_asked_or_that_is_gone_has_the_uri_that_was_read() -> Result<()> {
    let asking = ["a", "b"].map(|name| Spec::modern(name).interactive());
    let page_asked_for = json!({ "uri": "ui://show/ask", "name": "page" });
    let (fixtures, vmcp) = paged::scene(asking, &page_asked_for, json!({ "aggregation": { "listTtl": "1h" } })).await?;
    let mut client = vmcp.client_of(Era::Legacy).capabilities(r#"{"roots":{}}"#).connect().await?;
    let uris = [page(&mut client, "a_show").await?, page(&mut client, "b_show").await?];
    assert_ne!(uris[0], uris[1], "one of them is not its backend's own");
    for uri in &uris {
        let mut call = client.sibling().await?;
        call.start(&Rpc::read(uri)).await?;
        let mut buffer = Vec::new();
        let asked = call.conn.event(&mut buffer).await?.context("no question")?.json();
        assert_eq!(asked["method"], "roots/list", "{asked}");
        let answer = client.caller.answer(&asked["id"], r#""result":{"roots":[]}"#);
        assert_eq!(client.conn.exchange(&answer).await?.status(), 202);
        let read = call.conn.event(&mut buffer).await?.context("no result")?.json();
        assert_eq!(read["result"]["contents"][0]["uri"], json!(uri), "{read}");
    }
    for fixture in &fixtures {
        fixture.change(|items: &mut Items| items.resources.retain(|resource| !resource.contains("ui://show/ask")));
    }
    for era in Era::BOTH {
        let mut client = vmcp.client(era).await?;
        for uri in &uris {
            let error = client.send(&Rpc::read(uri)).await?.error()?;
            assert_eq!(error.code, if era == Era::Legacy { -32002 } else { -32602 }, "{}", error.message);
            assert_eq!(error.data, Some(json!({ "uri": uri }).to_string()), "{era:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn alone_a_backend_has_its_own_uris() -> Result<()> {
    let (_fixtures, vmcp) = scene().await?;
    for era in Era::BOTH {
        let mut client = vmcp.client_of(era).path("/mcp/b").connect().await?;
        assert_eq!(page(&mut client, "show").await?, "ui://show");
        let read = client.send(&Rpc::read("ui://show")).await?.result()?;
        assert_eq!(read["contents"][0]["text"], "read from b", "{era:?}");
    }
    Ok(())
}

#[tokio::test]
async fn servers_of_both_eras_hear_that_the_client_shows_pages() -> Result<()> {
    const APPS: &str = r#"{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}"#;
    let ([a, b], vmcp) = scene().await?;
    for era in Era::BOTH {
        a.forget_requests();
        b.forget_requests();
        let mut client = vmcp.client_of(era).capabilities(APPS).connect().await?;
        client.call("a_show", "{}").await?;
        client.call("b_show", "{}").await?;
        let told = |request: &vmcp_tests::fixture::Recorded| String::from_utf8_lossy(&request.body).contains(APPS);
        assert!(a.requests_of("initialize").iter().any(told), "{era:?}");
        assert!(b.calls().iter().all(told), "{era:?}");
    }
    Ok(())
}
