//! `list_changed` reaches those whose view changed, and nobody else.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    fixture::{Fixture, Items, Spec},
    process::Vmcp,
};

const TOOL: &str = r#"{"name":"fresh","description":"New","inputSchema":{"type":"object"}}"#;
const PROMPT: &str = r#"{"name":"fresh","description":"New"}"#;

fn change(fixture: &Fixture, what: &str) {
    fixture.change(|items: &mut Items| match what {
        "tools" => items.tools.push(TOOL.to_owned()),
        _ => items.prompts.push(PROMPT.to_owned()),
    });
    fixture.announce(what);
}

#[tokio::test]
async fn a_change_at_a_backend_reaches_listeners_of_both_eras() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [fixture.entry(json!({}))] })).await?;
        let mut client = vmcp.client(caller).await?;
        client.tools().await?;
        let mut stream = client.listen().await?;
        fixture.until("the gateway listens", |f| f.streams() > 0).await?;
        change(&fixture, "tools");
        let note = stream.message().await.with_context(|| format!("{caller:?} caller, {backend:?} backend"))?;
        assert_eq!(note["method"], "notifications/tools/list_changed", "{note}");
        let tagged = note["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].is_null();
        assert_eq!(tagged, caller == Era::Legacy, "{note}");
        assert!(
            client.tools().await?.contains(&"b_fresh".to_owned()),
            "{caller:?} {backend:?}: the new list is there with the notification"
        );
        client.call("b_fresh", "{}").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_change_in_a_list_of_ones_own_reaches_its_caller_in_both_eras() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let at = format!("{caller:?} caller, {backend:?} backend");
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let entry = fixture.entry(json!({ "passthroughHeaders": ["x-key"] }));
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [entry] })).await?;
        let mut client = vmcp.client_of(caller).header("x-key", "mine").connect().await?;
        client.tools().await?;
        let mut stream = client.listen().await?;
        fixture.until("the gateway listens for the caller", |f| f.streams() > 0).await.with_context(|| at.clone())?;
        change(&fixture, "tools");
        let note = stream.message().await.with_context(|| at.clone())?;
        assert_eq!(note["method"], "notifications/tools/list_changed", "{at}: {note}");
        assert!(client.tools().await?.contains(&"b_fresh".to_owned()), "{at}");
    }
    Ok(())
}

#[tokio::test]
async fn an_announcement_without_a_change_is_not_passed_on() -> Result<()> {
    for backend in Era::BOTH {
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [fixture.entry(json!({}))] })).await?;
        let mut client = vmcp.client(Era::Legacy).await?;
        client.tools().await?;
        client.list("prompts/list").await?;
        let mut stream = client.listen().await?;
        fixture.until("the gateway listens", |f| f.streams() > 0).await?;
        fixture.forget_requests();
        fixture.announce("tools");
        fixture.until("the gateway looks", |f| !f.requests_of("tools/list").is_empty()).await?;
        change(&fixture, "prompts");
        assert_eq!(stream.message().await?["method"], "notifications/prompts/list_changed", "{backend:?}");
    }
    Ok(())
}

#[tokio::test]
async fn who_joins_is_no_news_to_those_who_listen() -> Result<()> {
    let lists = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];
    for (caller, backend) in Era::PAIRINGS {
        for headers in [json!([]), json!(["x-key"])] {
            let at = format!("{caller:?} listener, {backend:?} backend, lists by {headers}");
            let fixture = Fixture::start(Spec::new("b", backend)).await?;
            let entry = fixture.entry(json!({ "passthroughHeaders": headers }));
            let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [entry] })).await?;
            let mut client = vmcp.client_of(caller).header("x-key", "mine").connect().await?;
            for list in lists {
                client.list(list).await?;
            }
            let mut stream = client.listen().await?;
            fixture.until("the gateway listens", |f| f.streams() > 0).await.with_context(|| at.clone())?;
            let mut joined = Vec::new();
            for (era, key) in [(Era::Legacy, "mine"), (Era::Modern, "mine"), (Era::Legacy, "another"), (Era::Modern, "third")] {
                let mut joining = vmcp.client_of(era).header("x-key", key).connect().await?;
                for list in lists {
                    joining.list(list).await?;
                }
                joining.call("b_echo", "{}").await?.result()?;
                joined.push((joining.listen().await?, joining));
            }
            change(&fixture, "prompts");
            let note = stream.message().await.with_context(|| at.clone())?;
            assert_eq!(note["method"], "notifications/prompts/list_changed", "{at}: the first that is heard");
        }
    }
    Ok(())
}

#[tokio::test]
async fn who_cannot_see_a_backend_does_not_hear_of_it() -> Result<()> {
    for era in Era::BOTH {
        let open = Fixture::start(Spec::legacy("open")).await?;
        let closed = Fixture::start(Spec::legacy("closed")).await?;
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "1h" }, "backends": [
            open.entry(json!({})),
            closed.entry(json!({ "passthroughHeaders": [{ "name": "x-key", "required": true }] })),
        ] }))
        .await?;
        let mut insider = vmcp.client_of(era).header("x-key", format!("{era:?}")).connect().await?;
        let mut outsider = vmcp.client(era).await?;
        for client in [&mut insider, &mut outsider] {
            client.tools().await?;
            client.list("prompts/list").await?;
        }
        let (heard, streams) = (open.streams(), closed.streams());
        let mut inside = insider.listen().await?;
        closed.until("the gateway listens for the insider", |f| f.streams() > streams).await?;
        let mut outside = outsider.listen().await?;
        open.until("the gateway listens", |f| f.streams() >= heard.max(1)).await?;
        change(&closed, "prompts");
        let note = inside.message().await.context("the insider's first")?;
        assert_eq!(note["method"], "notifications/prompts/list_changed", "{era:?}");
        change(&open, "tools");
        let note = inside.message().await.context("the insider's second")?;
        assert_eq!(note["method"], "notifications/tools/list_changed", "{era:?}");
        let note = outside.message().await.context("the outsider's first")?;
        assert_eq!(note["method"], "notifications/tools/list_changed", "{era:?}: the first that an outsider hears");
    }
    Ok(())
}

#[tokio::test]
async fn a_backend_that_comes_up_changes_the_view_of_those_who_listen() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let late = Fixture::start(Spec::new("late", backend)).await?;
        late.kill();
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "200ms" }, "backends": [late.entry(json!({}))] })).await?;
        let mut client = vmcp.client(caller).await?;
        assert_eq!(client.tools().await?, Vec::<String>::new());
        let mut stream = client.listen().await?;
        late.restart().await?;
        loop {
            let note = stream.message().await.with_context(|| format!("{caller:?} caller, {backend:?} backend"))?;
            if note["method"] == "notifications/tools/list_changed" {
                break;
            }
        }
        assert!(client.tools().await?.contains(&"late_echo".to_owned()), "{caller:?} {backend:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_list_that_the_backend_changed_silently_is_found_when_it_is_old() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let fixture = Fixture::start(Spec::new("b", backend)).await?;
        let vmcp = Vmcp::serve(json!({ "aggregation": { "listTtl": "100ms" }, "backends": [fixture.entry(json!({}))] })).await?;
        let mut client = vmcp.client(caller).await?;
        client.tools().await?;
        fixture.change(|items| items.tools.push(TOOL.to_owned()));
        vmcp_tests::eventually("the new tool", async || client.tools().await.is_ok_and(|tools| tools.contains(&"b_fresh".to_owned())))
            .await?;
    }
    Ok(())
}
