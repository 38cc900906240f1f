use super::requester::Asker;
use crate::{
    Body, Gateway,
    edge::{
        Reply, ReplySlot,
        negotiate::Accepts,
        noted::Noted,
        post::{Carrier, Incoming},
        sse::KEEP_ALIVE,
    },
    lane::Owned,
};
use http::{Request, Response};
use http_body_util::Empty;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tower::ServiceExt;
use vmcp_auth::{Identity, NoSettings};
use vmcp_core::{
    CapabilitySet, Revision,
    config::{Backend, Config},
    plugin::{Authorizer, AuthorizerFactory, Decision, Deps, Question, StrategyError},
};

fn gateway() -> Gateway {
    let backend = Backend::new("b", "http://127.0.0.1:1/mcp".parse().unwrap());
    Gateway::builder(Config::with_backends(vec![backend])).build().unwrap()
}

async fn sent(gateway: &Gateway, verb: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = Request::builder().method(verb).uri("/mcp").header("host", "127.0.0.1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = gateway.service(None).oneshot(request.body(Empty::new()).unwrap()).await.unwrap();
    if verb == "GET" && response.status() == 200 {
        // A stream does not end.
        return (200, String::new());
    }
    told(response).await
}

async fn told(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    (status, String::from_utf8(response.into_body().collect().await.to_vec()).unwrap())
}

async fn session(gateway: &Gateway) -> String {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let request = Request::post("/mcp").header("host", "127.0.0.1").header("content-type", "application/json");
    let request = request.body(http_body_util::Full::new(bytes::Bytes::from_static(body.as_bytes()))).unwrap();
    let response = gateway.service(None).oneshot(request).await.unwrap();
    response.headers()["mcp-session-id"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_get_or_delete_that_names_no_revision_is_refused_and_ends_nothing() {
    let gateway = gateway();
    let id = session(&gateway).await;
    let with = |version: &'static str| [("mcp-session-id", id.clone()), ("mcp-protocol-version", version.to_owned())];
    for verb in ["GET", "DELETE"] {
        for version in ["1.2.3", "nonsense", "", "2025-11-25, 2025-11-25"] {
            let headers = with(version);
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            let (status, text) = sent(&gateway, verb, &headers).await;
            assert!(status == 400 && text.contains("MCP-Protocol-Version"), "{verb} {version:?}: {status} {text}");
        }
    }
    // One that exists is tolerated though another one was agreed on, and so is none.
    for headers in [vec![("mcp-protocol-version", "2025-06-18")], vec![]] {
        let headers = [headers, vec![("mcp-session-id", id.as_str())]].concat();
        assert_eq!(sent(&gateway, "GET", &headers).await.0, 200, "the session is still there");
    }
    assert_eq!(sent(&gateway, "DELETE", &[("mcp-session-id", &id), ("mcp-protocol-version", "2025-06-18")]).await.0, 204);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_session_id_that_stands_twice_is_said_to_stand_twice() {
    let gateway = gateway();
    let id = session(&gateway).await;
    for verb in ["GET", "DELETE"] {
        let (status, text) = sent(&gateway, verb, &[("mcp-session-id", &id), ("mcp-session-id", &id)]).await;
        assert!(status == 400 && text.contains("twice") && !text.contains("missing") && !text.contains(&id), "{verb}: {status} {text}");
    }
    gateway.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_long_in_coming_is_a_stream_where_that_is_accepted() {
    let gateway = gateway();
    let incoming = Incoming {
        inner: Arc::clone(&gateway.inner),
        snapshot: gateway.inner.snapshot(),
        carrier: Carrier::Http,
        headers: http::HeaderMap::new(),
        noted: Noted::default(),
        identity: Identity::anonymous(),
        counted_peer: None,
    };
    let (sessions, principal) = (&gateway.inner.sessions, incoming.identity.principal());
    let session =
        sessions.create(&crate::session::EndpointId::Main, principal, Revision::LATEST_LEGACY, CapabilitySet::NONE, None).unwrap();
    let session = sessions.find(&session.id, &crate::session::EndpointId::Main, principal, None).unwrap();
    for events in [true, false] {
        let slot = Arc::new(ReplySlot::default());
        let reply = Reply::new(Arc::clone(&slot), Accepts { json: true, events });
        let asker = Asker { incoming: &incoming, session: &session, reply: &reply };
        let mut waiting = std::pin::pin!(asker.stream_when_slow());
        let second = Duration::from_secs(1);
        assert!(timeout(KEEP_ALIVE - second, &mut waiting).await.is_err());
        assert!(slot.take_early().is_none(), "a quick answer needs no stream");
        assert!(timeout(2 * second, &mut waiting).await.is_err());
        assert_eq!(slot.take_early().is_some(), events);
    }
}

/// Everybody may do everything, and each is asked about.
struct House;

impl AuthorizerFactory for House {
    const KIND: &'static str = "house";
    type Config = NoSettings;

    fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn Authorizer>, StrategyError> {
        Ok(Arc::new(Self))
    }
}

impl Authorizer for House {
    fn decide(&self, _: &Question<'_>) -> Decision {
        Decision::new(true)
    }
}

#[tokio::test]
async fn streams_that_wait_for_lists_cost_no_task_each() {
    // It takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", silent.local_addr().unwrap());
    let config = serde_json::json!({
        "backends": [{ "name": "b", "url": url }],
        "incomingAuth": { "type": "anonymous", "authz": { "type": "house" } },
    });
    let gateway = Gateway::builder(serde_json::from_value(config).unwrap()).authorizer(House).build().unwrap();
    let id = session(&gateway).await;
    let get = || async {
        let request = Request::get("/mcp").header("host", "127.0.0.1").header("mcp-session-id", &id);
        let response = gateway.service(None).oneshot(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        response
    };
    let first = get().await;
    let tasks = gateway.inner.tracker.len();
    let mut more = Vec::new();
    for _ in 0..20 {
        more.push(get().await);
    }
    assert_eq!(gateway.inner.tracker.len(), tasks);
    drop((first, more));
}

#[tokio::test]
async fn what_a_client_follows_again_is_not_looked_for_longer_than_its_stream_is_open() {
    // It takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = Backend::new("b", format!("http://{}/mcp", silent.local_addr().unwrap()).parse().unwrap());
    let mut config = Config::with_backends(vec![backend]);
    config.aggregation.list_wait = Some(serde_json::from_value("1h".into()).unwrap());
    let gateway = Gateway::builder(config).build().unwrap();
    let id = session(&gateway).await;
    let snapshot = gateway.inner.snapshot();
    let session = gateway.inner.sessions.find(&id, &snapshot.endpoint, Identity::anonymous().principal(), None).unwrap();
    let owned = Owned { backend: Arc::clone(&snapshot.backends[0]), ours: "a:b".to_owned(), theirs: "a:b".into() };
    session.follow(&owned, true, 0);
    // Its backend is to be told of it.
    drop(session.follow_again(&owned, 1).unwrap());
    let tasks = gateway.inner.tracker.len();
    for _ in 0..3 {
        let get = Request::get("/mcp").header("host", "127.0.0.1").header("mcp-session-id", &id).body(Empty::<bytes::Bytes>::new());
        let stream = gateway.service(None).oneshot(get.unwrap()).await.unwrap();
        assert_eq!((stream.status().as_u16(), gateway.inner.tracker.len()), (200, tasks + 1));
        drop(stream);
        let ended = async {
            while gateway.inner.tracker.len() > tasks {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), ended).await.expect("the work goes on without its stream");
    }
}
