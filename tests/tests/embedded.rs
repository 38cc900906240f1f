//! The gateway inside another program: without a process of its own, called with and without HTTP, reconfigured while it runs.

mod named;
mod served;

use anyhow::{Context, Result};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use named::NamedFactory;
use serde_json::{Value, json, value::to_raw_value};
use served::serve;
use std::{borrow::Cow, net::SocketAddr, sync::Arc};
use vmcp_auth::{Identity, NoSettings};
use vmcp_core::{
    catalogue::ListKind,
    config::Config,
    plugin::{Authenticated, BoxFuture, Credentials, Deps, OutgoingStrategy, Principal, StrategyContext, StrategyError, StrategyFactory},
};
use vmcp_server::{BuildError, Gateway};
use vmcp_tests::{
    Era,
    client::{Caller, Client, Conn, Old, Rpc},
    fixture::{Fixture, Spec},
};

/// What a client that follows tasks declares.
const TASKS: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

fn config(backends: &[&Fixture], more: &Value) -> Result<Config> {
    let mut config = json!({ "backends": backends.iter().map(|fixture| fixture.entry(json!({}))).collect::<Vec<_>>() });
    let (Some(config_object), Some(more)) = (config.as_object_mut(), more.as_object()) else { anyhow::bail!("not objects") };
    config_object.extend(more.clone());
    Ok(serde_json::from_value(config)?)
}

/// Sends each caller's subject as a bearer token.
struct Subject;

impl OutgoingStrategy for Subject {
    fn managed_headers(&self) -> &[HeaderName] {
        &[AUTHORIZATION]
    }

    fn subject_key<'a>(&self, context: &'a StrategyContext<'_>) -> Option<Cow<'a, str>> {
        Some(context.principal.map_or(Cow::Borrowed(""), |caller| Cow::Borrowed(&*caller.subject)))
    }

    fn resolve<'a>(&'a self, context: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(async move {
            let Some(caller) = context.principal else { return Ok(Credentials::none()) };
            let token = HeaderValue::from_str(&format!("Bearer {}", caller.subject)).map_err(|_| StrategyError::Caller("odd".into()))?;
            Ok(Credentials::headers(HeaderMap::from_iter([(AUTHORIZATION, token)])))
        })
    }
}

struct SubjectFactory;

impl StrategyFactory for SubjectFactory {
    const KIND: &'static str = "subject";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        Ok(Arc::new(Subject))
    }
}

fn user(subject: &str) -> Identity {
    Identity::new(Authenticated::new(Principal { issuer: "test".into(), subject: subject.into() }))
}

#[tokio::test]
async fn a_strategy_of_ones_own_gives_each_backend_what_belongs_to_the_caller() -> Result<()> {
    for era in Era::BOTH {
        let fixture = Fixture::start(Spec::new("b", era)).await?;
        let config = config(&[&fixture], &json!({ "outgoingAuth": { "default": { "type": "subject" } } }))?;
        let gateway = Gateway::builder(config).outgoing_strategy(SubjectFactory).build()?;
        for round in 0..20 {
            for name in ["alice", "bob"] {
                let result = gateway.direct(user(name)).call_tool("b_echo", &to_raw_value(&json!({ "round": round }))?).await?;
                assert!(result.get().contains("round"), "{result}");
            }
        }
        let tokens: Vec<_> = fixture.calls().iter().map(|call| call.value("authorization").map(str::to_owned)).collect();
        let expected: Vec<_> = ["Bearer alice", "Bearer bob"].iter().cycle().take(40).map(|token| Some((*token).to_owned())).collect();
        assert_eq!(tokens, expected, "{era:?}");
        gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn headers_for_a_direct_call_come_with_the_identity() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let gateway = Gateway::builder(config(&[&fixture], &json!({ "passthroughHeaders": ["x-tenant"] }))?).build()?;
    let headers = HeaderMap::from_iter([
        (HeaderName::from_static("x-tenant"), HeaderValue::from_static("blue")),
        (HeaderName::from_static("x-other"), HeaderValue::from_static("unlisted")),
    ]);
    let caller = gateway.identity(&Identity::anonymous(), &headers)?;
    gateway.direct(caller).call_tool("b_echo", &to_raw_value(&json!({}))?).await?;
    let calls = fixture.calls();
    let call = calls.first().context("no call")?;
    assert_eq!((call.value("x-tenant"), call.value("x-other")), (Some("blue"), None));
    let tools = gateway.direct(Identity::anonymous()).list(ListKind::Tools).await?;
    assert!(tools.get().contains("\"b_echo\""), "{tools}");
    let error = gateway.direct(Identity::anonymous()).call_tool("b_nothing", &to_raw_value(&json!({}))?).await.err().context("no error")?;
    assert_eq!((error.code, error.message.as_str()), (-32602, "Unknown tool: b_nothing"));
    gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn who_may_not_call_does_not_learn_which_backends_there_are() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("git")).await?;
    let endpoints = json!([{ "path": "/team", "backends": ["git"] }]);
    let config = config(&[&fixture], &json!({ "incomingAuth": { "type": "named" }, "endpoints": endpoints }))?;
    let gateway = Gateway::builder(config).authenticator(NamedFactory).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let status = async |path: &str, user: Option<&str>| {
        let mut caller = Caller::new(Era::Modern).at(path);
        if let Some(user) = user {
            caller.set("x-user", user);
        }
        let request = caller.request(&Rpc::list("tools/list", None), "1");
        anyhow::Ok(Conn::open(addr).await?.exchange(&request).await?.status())
    };
    for (path, known) in [("/mcp", 200), ("/mcp/git", 200), ("/mcp/mail", 404), ("/mcp/mail/", 404), ("/team", 200)] {
        assert_eq!((status(path, None).await?, status(path, Some("ann")).await?), (401, known), "{path}");
    }
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn the_stream_of_a_call_ends_when_the_credential_expires_that_opened_it() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("git")).await?;
    let config = config(&[&fixture], &json!({ "incomingAuth": { "type": "named" } }))?;
    let gateway = Gateway::builder(config).authenticator(NamedFactory).build()?;
    let (addr, serving) = serve(&gateway).await?;
    for (era, abandoned) in [(Era::Legacy, 0), (Era::Modern, 1)] {
        let mut client = Client::of(era, addr).header("x-user", "ann").connect().await?;
        client.call("git_echo", "{}").await?.result()?;
        let mut brief = client.sibling().await?;
        brief.caller.set("x-for", "700");
        brief.start(&Rpc::tool("git_progress", r#"{"steps":1,"hold":true}"#).meta(r#""progressToken":"t""#)).await?;
        let (mut buffer, mut last) = (Vec::new(), None);
        while let Some(event) = brief.conn.event(&mut buffer).await? {
            assert!(event.data.is_empty() || event.json()["result"].is_null(), "{era:?}: nothing has ended the call");
            last = event.id;
        }
        if abandoned == 1 {
            // For a modern client the end of its stream is the end of its call.
            fixture.until("the cancel", |f| !f.requests_of("notifications/cancelled").is_empty()).await?;
            continue;
        }
        fixture.release(1);
        let mut conn = client.come_back(&last.context("no id to come back with")?).await?;
        let mut buffer = Vec::new();
        let result = loop {
            let event = conn.event(&mut buffer).await?.context("the rest of the call ended without its result")?;
            if !event.data.is_empty() && !event.json()["result"].is_null() {
                break event.json();
            }
        };
        assert_eq!(result["result"]["content"][0]["text"], "progressed", "{result}");
    }
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn an_old_clients_stream_is_found_by_who_opened_it_and_by_nobody_else() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("git")).await?;
    let config = config(&[&fixture], &json!({ "incomingAuth": { "type": "named" }, "ssePath": "/sse" }))?;
    let gateway = Gateway::builder(config).authenticator(NamedFactory).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let refused = Old::open(addr, "/sse", &[]).await.err().context("opened without a name")?;
    assert!(refused.to_string().contains("401"), "{refused}");
    let mut ann = Old::open(addr, "/sse", &[("x-user", "ann")]).await?;
    ann.initialize("2024-11-05", json!({})).await?;
    for (user, status) in [("bob", 404), ("", 401), ("ann", 202)] {
        ann.headers = if user.is_empty() { Vec::new() } else { vec![("x-user".to_owned(), user.to_owned())] };
        let ping = json!({ "jsonrpc": "2.0", "id": user, "method": "ping" });
        assert_eq!(ann.post(ping.to_string()).await?.status(), status, "{user:?}");
    }
    assert_eq!(ann.event().await?.context("the end")?.json()["id"], "ann", "nothing came of the others");
    drop(ann);
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}

/// A client of revision 2024-11-05, as Ann with a credential that is good for as long as it is used here.
async fn old_ann(addr: SocketAddr) -> Result<Old> {
    Old::open(addr, "/sse", &[("x-user", "ann")]).await
}

#[tokio::test]
async fn what_an_old_client_begins_on_its_stream_ends_with_the_credential_that_it_began_it_with() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("git")).await?;
    let config = config(&[&fixture], &json!({ "incomingAuth": { "type": "named" }, "ssePath": "/sse" }))?;
    let gateway = Gateway::builder(config).authenticator(NamedFactory).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let brief = || ("x-for".to_owned(), "700".to_owned());

    // A subscription ends in order, and the stream goes on.
    let mut ann = old_ann(addr).await?;
    ann.headers.push(brief());
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "old", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let wanted = json!({ "notifications": { "toolsListChanged": true }, "_meta": meta });
    ann.request("s", "subscriptions/listen", wanted).await?;
    ann.said("notifications/subscriptions/acknowledged").await?;
    assert_eq!(ann.answer("s").await?["result"]["resultType"], "complete");
    ann.headers.pop();
    ann.request(1, "ping", json!({})).await?;
    assert_eq!(ann.answer(1).await?["result"], json!({}));

    // A session is told on the stream for as long as it is there: it goes with the stream.
    let mut ann = old_ann(addr).await?;
    ann.headers.push(brief());
    ann.request(0, "initialize", json!({ "protocolVersion": "2024-11-05", "capabilities": {} })).await?;
    assert!(ann.answer(0).await?["result"].is_object());
    ann.headers.pop();
    while let Some(event) = ann.event().await.context("the stream's end")? {
        assert!(event.json().get("method").is_some(), "{event:?}");
    }
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    assert_eq!(ann.post(ping.to_string()).await?.status(), 404);
    assert_eq!(gateway.status()["sessions"]["open"], 0);
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn a_direct_call_goes_to_the_endpoint_that_is_named_with_what_that_one_lists() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("git")).await?;
    let endpoints = json!([{ "path": "/team", "backends": [{ "use": "git", "name": "code" }], "passthroughHeaders": ["x-team"] }]);
    let gateway = Gateway::builder(config(&[&fixture], &json!({ "endpoints": endpoints }))?).build()?;
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-team"), HeaderValue::from_static("blue"))]);
    let none = to_raw_value(&json!({}))?;
    for (path, tool, sent) in [("/mcp", "git_echo", None), ("/mcp/git", "echo", None), ("/team", "code_echo", Some("blue"))] {
        let caller = gateway.identity_at(path, &Identity::anonymous(), &headers).context("no endpoint")??;
        let direct = gateway.direct_at(path, caller).context("no endpoint")?;
        assert!(direct.list(ListKind::Tools).await?.get().contains(&format!("\"{tool}\"")), "{path}");
        direct.call_tool(tool, &none).await?;
        assert_eq!(fixture.calls().last().and_then(|call| call.value("x-team").map(str::to_owned)).as_deref(), sent, "{path}");
    }
    assert!(gateway.direct_at("/mcp/mail", Identity::anonymous()).is_none());
    let team = gateway.direct_at("/team", Identity::anonymous()).context("no endpoint")?;
    gateway.reload(config(&[&fixture], &json!({}))?)?;
    assert!(team.call_tool("code_echo", &none).await.is_err(), "it is gone");
    gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_new_configuration_takes_over_while_sessions_and_calls_go_on() -> Result<()> {
    let (one, two) = (Fixture::start(Spec::legacy("one")).await?, Fixture::start(Spec::legacy("two")).await?);
    let gateway = Gateway::builder(config(&[&one], &json!({}))?).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let mut client = Client::connect(Era::Legacy, addr).await?;
    assert!(client.tools().await?.contains(&"one_echo".to_owned()));

    let mut waiting = Client::with(client.caller.clone(), addr).await?;
    let in_flight = tokio::spawn(async move { waiting.call("one_slow", "{}").await });
    one.until("the slow call is there", |fixture| !fixture.calls().is_empty()).await?;

    let wrong = config(&[&one], &json!({ "passthroughHeaders": ["host"] }))?;
    assert!(matches!(gateway.reload(wrong), Err(BuildError::Config(_))), "and nothing has changed:");
    client.call("one_echo", "{}").await?.result()?;

    gateway.reload(config(&[&two], &json!({}))?)?;
    vmcp_tests::eventually("the new backend's tools", async || {
        client.tools().await.is_ok_and(|tools| tools.contains(&"two_echo".to_owned()) && !tools.contains(&"one_echo".to_owned()))
    })
    .await?;
    client.call("two_echo", "{}").await?.result().context("the session goes on")?;
    one.release(1);
    in_flight.await??.result().context("what was in flight ends under the old configuration")?;
    // The old configuration's own sessions at its backend are closed when nothing needs them any more.
    one.until("its sessions are closed", |fixture| fixture.live_sessions() == 0).await?;
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn the_example_calls_a_tool_both_ways_with_the_header_of_its_own_strategy() -> Result<()> {
    let mut command = tokio::process::Command::new(vmcp_tests::process::example("embed")?);
    let output = tokio::time::timeout(vmcp_tests::PATIENCE, command.kill_on_drop(true).output()).await.context("it does not end")??;
    let (said, wrong) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{wrong}");
    let lines: Vec<&str> = said.lines().collect();
    let [service, direct] = lines.as_slice() else { anyhow::bail!("two lines are expected: {said}") };
    let service = service.strip_prefix("as a service, 200 OK: ").with_context(|| said.clone())?;
    let direct = direct.strip_prefix("directly: ").with_context(|| said.clone())?;
    let (service, direct): (Value, Value) = (serde_json::from_str(service)?, serde_json::from_str(direct)?);
    assert_eq!(service["result"], direct, "both ways give the same result");
    assert_eq!(direct["content"][0]["text"], "I was sent: Bearer token-for-notes");
    Ok(())
}

#[tokio::test]
async fn a_task_is_for_the_principal_whose_call_it_was() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("git").tasks()).await?;
    let config = config(&[&fixture], &json!({ "incomingAuth": { "type": "named" } }))?;
    let gateway = Gateway::builder(config).authenticator(NamedFactory).build()?;
    let (addr, serving) = serve(&gateway).await?;
    let of = |user: &str| Client::of(Era::Modern, addr).header("x-user", user).capabilities(TASKS).connect();
    let (mut ann, mut bob) = (of("ann").await?, of("bob").await?);
    let id = ann.call("git_job", "{}").await?.result()?["taskId"].as_str().context("no id")?.to_owned();
    let about = |method: &str| Rpc { name: Some(id.clone()), ..Rpc::new(method, format!(r#""taskId":"{id}""#)) };
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(bob.send(&about(method)).await?.error()?.code, -32602, "{method}");
        assert!(fixture.requests_of(method).is_empty(), "{method}");
    }
    let wanted = format!(r#""taskIds":["{id}"]"#);
    assert_eq!(bob.subscribe(&wanted).await?.0["params"]["notifications"], json!({}));
    assert_eq!(ann.subscribe(&wanted).await?.0["params"]["notifications"], json!({ "taskIds": [id] }));
    assert_eq!(ann.send(&about("tasks/get")).await?.result()?["status"], "working");
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}
