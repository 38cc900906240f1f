//! The incoming boundary: nobody without a credential learns or does anything, everybody learns where to get one, and what was opened with
//! a credential is its owner's alone and ends with it.

mod bearer;
mod served;

use anyhow::{Context, Result};
use bearer::BearerFactory;
use serde_json::{Value, json};
use served::serve;
use std::net::SocketAddr;
use vmcp_core::config::Config;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::{Caller, Client, Conn, Old, Reply, Request, Response, Rpc},
    fixture::{Fixture, Spec},
};

const METADATA: &str = "/.well-known/oauth-protected-resource";

struct Scene {
    fixture: Fixture,
    gateway: Gateway,
    addr: SocketAddr,
}

impl Scene {
    async fn set(more: Value) -> Result<Self> {
        Self::with(Spec::both("b").tasks(), more).await
    }

    async fn with(spec: Spec, more: Value) -> Result<Self> {
        let fixture = Fixture::start(spec).await?;
        let mut config = json!({
            "incomingAuth": { "type": "bearer" },
            "ssePath": "/sse",
            "allowedOrigins": ["https://app.example.com"],
            "backends": [fixture.entry(json!({}))],
            "endpoints": [{ "path": "/team", "backends": ["b"] }],
        });
        if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
            config.extend(more);
        }
        let config: Config = serde_json::from_value(config)?;
        let gateway = Gateway::builder(config).authenticator(BearerFactory).build()?;
        let (addr, _) = serve(&gateway).await?;
        Ok(Self { fixture, gateway, addr })
    }

    async fn exchange(&self, request: &Request) -> Result<Response> {
        Conn::open(self.addr).await?.exchange(request).await
    }

    async fn get(&self, path: &str) -> Result<Response> {
        self.exchange(&Request::get(path)).await
    }

    async fn client(&self, era: Era, token: &str) -> Result<Client> {
        Client::of(era, self.addr).header("authorization", format!("Bearer {token}")).capabilities(TASKS).connect().await
    }
}

/// What a client that follows tasks declares.
const TASKS: &str = r#"{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

fn at(verb: &str, path: &str) -> Request {
    Request { path: path.to_owned(), ..Request::new(verb) }
}

fn challenge(response: &Response) -> &str {
    response.head.header("www-authenticate").unwrap_or_default()
}

#[tokio::test]
async fn without_a_credential_every_path_and_method_is_the_same_401() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    for path in ["/mcp", "/mcp/", "/mcp/b", "/mcp/b/", "/mcp/none", "/team", "/sse", "/sse?sessionId=0"] {
        for verb in ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD"] {
            let mut conn = Conn::open(scene.addr).await?;
            // A body is announced and does not come: nobody reads it.
            conn.write(&at(verb, path).header("mcp-session-id", "v1.none").head((verb == "POST").then_some(1000))).await?;
            let head = conn.head().await?;
            let plain = path.split('?').next().unwrap_or(path).trim_end_matches('/');
            let expected = format!("Bearer resource_metadata=\"http://127.0.0.1{METADATA}{plain}\", scope=\"mcp:read\"");
            assert_eq!((head.status, head.header("www-authenticate")), (401, Some(expected.as_str())), "{verb} {path}");
            assert_eq!(head.header("connection"), (verb == "POST").then_some("close"), "{verb} {path}");
        }
    }
    assert_eq!(scene.get("/status").await?.status(), 401);
    assert_eq!(scene.exchange(&Request::get("/status").header("authorization", "Bearer ann")).await?.status(), 200);
    for open in ["/health", "/ping", "/readyz"] {
        assert_eq!(scene.get(open).await?.status(), 200, "{open}");
    }
    assert!(scene.fixture.calls().is_empty(), "nothing reached the backend");
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_client_that_is_told_to_log_in_comes_back_over_the_same_connection() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    let mut conn = Conn::open(scene.addr).await?;
    let body = Caller::new(Era::Modern).request(&Rpc::tool("b_echo", "{}"), "1").body;
    for path in ["/mcp", "/mcp/none"] {
        let token = if path == "/mcp" { "bad" } else { "ann" };
        let request = at("POST", path).header("authorization", format!("Bearer {token}"));
        conn.write(&request.head(Some(body.len()))).await?;
        // Others are answered meanwhile, so the head is known by now; the body is not.
        for _ in 0..3 {
            assert_eq!(scene.get("/health").await?.status(), 200);
        }
        conn.write(&body).await?;
        let refused = conn.response().await?;
        assert_eq!((refused.status(), refused.head.header("connection")), (if token == "bad" { 401 } else { 404 }, None), "{path}");
        let caller = Caller::new(Era::Modern).header("authorization", "Bearer ann");
        assert_eq!(conn.exchange(&caller.request(&Rpc::tool("b_echo", "{}"), "1")).await?.status(), 200, "{path}");
    }
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn who_has_a_credential_learns_what_is_there_and_what_is_not() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    for (verb, path, expected) in
        [("GET", "/mcp", 405), ("PUT", "/mcp/b", 405), ("GET", "/mcp/none", 404), ("POST", "/mcp/none", 404), ("DELETE", "/team", 405)]
    {
        let response = scene.exchange(&at(verb, path).header("authorization", "Bearer ann")).await?;
        assert_eq!(response.status(), expected, "{verb} {path}");
        assert_eq!(response.head.header("www-authenticate"), None);
    }
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_credential_is_said_also_to_a_page_that_may_ask() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    let with = |token: &str| Request::post("{}").header("authorization", format!("Bearer {token}"));
    let bad = scene.exchange(&with("bad")).await?;
    let metadata = format!("resource_metadata=\"http://127.0.0.1{METADATA}/mcp\"");
    assert_eq!(bad.status(), 401);
    assert_eq!(challenge(&bad), format!("Bearer {metadata}, error=\"invalid_token\", error_description=\"not a 'token'\""));
    let narrow = scene.exchange(&with("narrow").header("origin", "https://app.example.com")).await?;
    assert_eq!(narrow.status(), 403);
    let expected = "error=\"insufficient_scope\", error_description=\"the token does not reach\", scope=\"mcp:read mcp:call\"";
    assert_eq!(challenge(&narrow), format!("Bearer {metadata}, {expected}"));
    assert_eq!(narrow.head.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert!(narrow.head.header("access-control-expose-headers").is_some_and(|names| names.contains("WWW-Authenticate")));
    let foreign = scene.exchange(&with("narrow").header("origin", "https://evil.example.com")).await?;
    assert_eq!((foreign.status(), foreign.head.header("access-control-allow-origin")), (403, None));
    assert_eq!(challenge(&foreign), "", "a page that may not ask learns nothing");
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_page_asks_before_it_has_a_token_what_it_may_send_and_reads_where_to_get_one() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    let (own, foreign) = ("https://app.example.com", "https://evil.example.com");
    for path in ["/mcp", "/mcp/b", "/mcp/none", "/team", "/sse"] {
        for verb in ["POST", "GET", "DELETE"] {
            // Browsers send no credential with it (Fetch §4.8).
            let wanted = "authorization,content-type,mcp-protocol-version,mcp-session-id";
            let preflight = |origin: &str| {
                let request = at("OPTIONS", path).header("origin", origin).header("access-control-request-method", verb);
                request.header("access-control-request-headers", wanted)
            };
            let answer = scene.exchange(&preflight(own)).await?;
            let said = |name: &str| answer.head.header(name);
            assert_eq!(answer.status(), 204, "{verb} {path}: {}", answer.text());
            assert_eq!(said("access-control-allow-origin"), Some(own), "{verb} {path}");
            assert_eq!(said("access-control-allow-headers"), Some(wanted), "{verb} {path}");
            let methods: Vec<_> = said("access-control-allow-methods").unwrap_or_default().split(", ").collect();
            assert!(methods.contains(&verb), "{verb} {path}: {methods:?}");
            assert!(said("vary").is_some_and(|names| names.contains("origin")), "caches tell pages apart");
            assert_eq!(said("access-control-allow-credentials"), None, "cookies are nobody's credential here");
            let answer = scene.exchange(&preflight(foreign)).await?;
            assert_eq!((answer.status(), answer.head.header("access-control-allow-origin")), (403, None), "{verb} {path}");

            // Then the request itself, as a page without a token sends it.
            let refused = scene.exchange(&at(verb, path).header("origin", own)).await?;
            assert_eq!((refused.status(), refused.head.header("access-control-allow-origin")), (401, Some(own)), "{verb} {path}");
            let exposed = refused.head.header("access-control-expose-headers").unwrap_or_default();
            assert!(exposed.split(", ").any(|name| name == "WWW-Authenticate"), "{verb} {path}: {exposed}");
            assert!(challenge(&refused).contains("resource_metadata="), "{verb} {path}");
        }
    }
    assert!(scene.fixture.calls().is_empty(), "nothing reached the backend");
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn metadata_is_where_clients_look_for_it_for_every_endpoint_there_could_be() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    for (place, resource) in [
        ("", "/mcp"),
        ("/mcp", "/mcp"),
        ("/mcp/", "/mcp"),
        ("/mcp/b", "/mcp/b"),
        ("/mcp/none", "/mcp/none"),
        ("/team", "/team"),
        ("/sse", "/sse"),
    ] {
        let response = scene.exchange(&Request::get(&format!("{METADATA}{place}")).header("origin", "https://evil.example.com")).await?;
        let expected = json!({
            "resource": format!("http://127.0.0.1{resource}"),
            "authorization_servers": ["https://issuer.example.com/realm"],
            "scopes_supported": ["mcp:read", "mcp:call"],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!((response.status(), response.json()?), (200, expected), "{place}");
        assert_eq!(response.head.header("access-control-allow-origin"), Some("*"), "it is everybody's to read");
    }
    let preflight = at("OPTIONS", &format!("{METADATA}/mcp")).header("origin", "https://x.example.com");
    let preflight = scene.exchange(&preflight.header("access-control-request-headers", "mcp-protocol-version")).await?;
    assert_eq!((preflight.status(), preflight.head.header("access-control-allow-headers")), (204, Some("mcp-protocol-version")));
    for path in [
        &format!("{METADATA}/elsewhere"),
        &format!("{METADATA}x"),
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/register",
    ] {
        assert_eq!(scene.get(path).await?.status(), 404, "{path}");
    }
    assert_eq!(scene.exchange(&at("POST", METADATA)).await?.status(), 405);
    assert_eq!(scene.exchange(&Request::get(METADATA).set("host", "evil.example.com")).await?.status(), 403);
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn the_gateway_calls_itself_what_its_clients_call_it() -> Result<()> {
    let of = async |more: Value, host: &str| -> Result<(String, String)> {
        let scene = Scene::set(more).await?;
        let metadata = scene.exchange(&Request::get(METADATA).set("host", host)).await?.json()?;
        let refused = scene.exchange(&Request::post("{}").set("host", host)).await?;
        scene.gateway.shutdown().await;
        let resource = metadata["resource"].as_str().context("no resource")?.to_owned();
        let told = challenge(&refused).split('"').nth(1).context("no metadata")?.to_owned();
        Ok((resource, told))
    };
    let both = |origin: &str| (format!("{origin}/mcp"), format!("{origin}{METADATA}/mcp"));
    let proxied = json!({ "listen": { "behindTlsProxy": true } });
    assert_eq!(of(json!({}), "localhost:4483").await?, both("http://localhost:4483"));
    assert_eq!(of(proxied, "localhost").await?, both("https://localhost"));
    let public = json!({ "publicUrl": "https://mcp.example.com" });
    assert_eq!(of(public.clone(), "mcp.example.com").await?, both("https://mcp.example.com"));
    assert_eq!(of(public, "127.0.0.1:4483").await?, both("https://mcp.example.com"));
    // Endpoints' paths are added to it as a browser would write it, since that is how clients compare.
    for url in ["https://mcp.example.com/", "https://MCP.example.com", "https://mcp.example.com:443"] {
        assert_eq!(of(json!({ "publicUrl": url }), "mcp.example.com").await?, both("https://mcp.example.com"), "{url}");
    }
    assert_eq!(of(json!({ "publicUrl": "https://mcp.example.com:8443" }), "mcp.example.com").await?, both("https://mcp.example.com:8443"));
    Ok(())
}

#[tokio::test]
async fn where_nobody_is_told_how_to_log_in_nothing_is_well_known() -> Result<()> {
    let scene = Scene::set(json!({ "incomingAuth": { "type": "anonymous" } })).await?;
    let places = ["oauth-protected-resource", "oauth-protected-resource/mcp", "oauth-authorization-server", "openid-configuration"];
    for place in places {
        for verb in ["GET", "OPTIONS", "POST"] {
            let response = scene.exchange(&at(verb, &format!("/.well-known/{place}"))).await?;
            assert_eq!((response.status(), response.json()?), (404, json!({ "error": "not found" })), "{verb} {place}");
        }
    }
    scene.gateway.shutdown().await;
    Ok(())
}

/// Everything that a client can do with a session, sent with another credential.
fn attempts(owner: &Caller, token: &str) -> Vec<(&'static str, Request)> {
    let mut stranger = owner.clone();
    stranger.set("authorization", format!("Bearer {token}"));
    let uri = r#""uri":"fixture://b/text""#;
    let complete = r#""ref":{"type":"ref/prompt","name":"b_greet"},"argument":{"name":"name","value":"a"}"#;
    let methods = [
        ("tools/call", r#""name":"b_echo","arguments":{}"#),
        ("tools/list", ""),
        ("resources/list", ""),
        ("resources/templates/list", ""),
        ("resources/read", uri),
        ("resources/subscribe", uri),
        ("resources/unsubscribe", uri),
        ("prompts/list", ""),
        ("prompts/get", r#""name":"b_greet","arguments":{"name":"a"}"#),
        ("completion/complete", complete),
        ("logging/setLevel", r#""level":"debug""#),
        ("tasks/list", ""),
        ("ping", ""),
        ("a/method of nobody", ""),
    ];
    let requests = methods.map(|(method, params)| (method, stranger.request(&Rpc::new(method, params), "1")));
    let others = [
        ("a notification", stranger.notification(&Rpc::new("notifications/cancelled", r#""requestId":1"#))),
        ("an answer", stranger.answer(&json!(1), r#""result":{}"#)),
        ("a stream", stranger.get()),
        ("a stream that goes on", stranger.get().header("last-event-id", "0-0-0")),
        ("an end", stranger.delete()),
    ];
    requests.into_iter().chain(others).collect()
}

#[tokio::test]
async fn a_session_is_its_owners_on_every_method_and_strangers_do_it_no_harm() -> Result<()> {
    let scene = Scene::set(json!({ "endpoints": [] })).await?;
    let mut owner = scene.client(Era::Legacy, "ann").await?;
    owner.tools().await?;
    let mut stream = owner.listen().await?;
    scene.fixture.until("the gateway listens", |fixture| fixture.streams() > 0).await?;
    // The same name at another issuer is somebody else.
    for stranger in ["bob", "ann@second"] {
        for (what, request) in attempts(&owner.caller, stranger) {
            assert_eq!(scene.exchange(&request).await?.status(), 404, "{what} of {stranger}");
        }
    }
    for (what, request) in attempts(&owner.caller, "bad") {
        assert_eq!(scene.exchange(&request).await?.status(), 401, "{what} without a credential that holds");
    }
    owner.call("b_echo", r#"{"still":"there"}"#).await?.result()?;
    scene.fixture.change(|items| items.tools.push(r#"{"name":"fresh","inputSchema":{"type":"object"}}"#.to_owned()));
    scene.fixture.announce("tools");
    let mut told = stream.next().await?.context("the stream ended")?;
    if told.data.is_empty() {
        told = stream.next().await?.context("the stream ended")?;
    }
    assert_eq!(told.json()["method"], "notifications/tools/list_changed", "the owner's stream goes on");
    assert_eq!(scene.exchange(&owner.caller.delete()).await?.status(), 204);
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn an_old_clients_stream_takes_messages_of_its_owner_alone() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    let mut owner = Old::open(scene.addr, "/sse", &[("authorization", "Bearer ann")]).await?;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (token, expected) in [(Some("bob"), 404), (Some("ann@second"), 404), (Some("bad"), 401), (None, 401)] {
        let request = owner.request_of(ping).without("authorization");
        let request = token.map_or_else(|| request.clone(), |token| request.clone().header("authorization", format!("Bearer {token}")));
        assert_eq!(scene.exchange(&request).await?.status(), expected, "{token:?}");
    }
    assert_eq!(owner.post(ping).await?.status(), 202);
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_task_is_known_to_nobody_but_who_began_it() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    let mut owner = scene.client(Era::Modern, "ann").await?;
    let created = owner.call("b_job", "{}").await?.result()?;
    let id = created["taskId"].as_str().with_context(|| format!("no task: {created}"))?.to_owned();
    let about = |method: &str, more: &str| {
        let rpc = Rpc::new(method, format!(r#""taskId":{}{more}"#, json!(id)));
        Rpc { name: Some(id.clone()), ..rpc }
    };
    for stranger in ["bob", "ann@second"] {
        let mut stranger = scene.client(Era::Modern, stranger).await?;
        for (method, more) in [("tasks/get", ""), ("tasks/update", r#","inputResponses":{}"#), ("tasks/cancel", "")] {
            let error = stranger.send(&about(method, more)).await?.error()?;
            assert_eq!(error.code, -32602, "{method}: {error:?}");
        }
        let (told, _) = stranger.subscribe(&format!(r#""taskIds":[{}]"#, json!(id))).await?;
        assert!(!told.to_string().contains(&id), "a stranger follows the task: {told}");
    }
    assert_eq!(owner.send(&about("tasks/get", "")).await?.result()?["status"], "working");
    assert!(scene.fixture.requests_of("tasks/cancel").is_empty() && scene.fixture.requests_of("tasks/update").is_empty());
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn every_open_stream_ends_with_the_credential_that_opened_it() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    let mut session = scene.client(Era::Legacy, "ann").await?;
    session.caller.set("authorization", "Bearer ann+1500");
    let mut streams = vec![("a session's", session.listen().await?)];
    let mut modern = scene.client(Era::Modern, "ann+1500").await?;
    streams.push(("a subscription", modern.listen().await?));
    for (what, stream) in &mut streams {
        assert!(stream.next().await?.is_none_or(|event| event.data.is_empty()), "{what}");
        assert!(stream.next().await?.is_none(), "{what} goes on");
    }
    let opening = Request::get("/sse").header("accept", "text/event-stream").header("authorization", "Bearer ann+1500");
    let old = scene.exchange(&opening).await?;
    assert!(old.status() == 200 && old.text().starts_with("event: endpoint"), "{}", old.text());
    // The session itself lives on, for the next credential of the same caller.
    session.caller.set("authorization", "Bearer ann");
    session.call("b_echo", "{}").await?.result()?;
    modern.caller.set("authorization", "Bearer ann");
    modern.call("b_echo", "{}").await?.result()?;
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn who_calls_is_looked_at_on_every_request_of_a_connection() -> Result<()> {
    let scene = Scene::set(json!({})).await?;
    for era in Era::BOTH {
        let mut client = scene.client(era, "ann").await?;
        client.call("b_echo", "{}").await?.result()?;
        client.caller.set("authorization", "Bearer bad");
        let refused: Reply = client.call("b_echo", "{}").await?;
        assert_eq!(refused.status(), 401, "{era:?}");
        client.caller.set("authorization", "Bearer ann");
        client.call("b_echo", "{}").await?.result()?;
    }
    scene.gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn sessions_of_nobody_in_particular_are_counted_by_the_address_that_trusted_proxies_saw() -> Result<()> {
    let more = json!({
        "incomingAuth": { "type": "anonymous" },
        "listen": { "trustedProxies": ["127.0.0.1"] },
        "sessions": { "maxPerPeer": 1 },
    });
    let scene = Scene::set(more).await?;
    let open = |from: &str| Client::of(Era::Legacy, scene.addr).header("x-forwarded-for", from).connect();
    let _first = open("203.0.113.1").await?;
    assert!(open("203.0.113.1").await.is_err(), "a second session of one address");
    assert!(open("203.0.113.7, 203.0.113.1").await.is_err(), "what the caller invents does not count");
    open("203.0.113.2").await?;
    scene.gateway.shutdown().await;
    Ok(())
}
