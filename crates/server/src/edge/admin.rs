//! `/health`, `/ping`, `/readyz` and `/status`, in the original's shapes.

use super::{Body, Peer, identify::identify, noted::Look};
use crate::gateway::{Inner, Snapshot};
use axum::{
    Json, Router,
    extract::{Request, State},
    response::{IntoResponse, Response as AxumResponse},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Uri, header, request::Parts};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;
use vmcp_auth::Identity;
use vmcp_core::Era;

#[derive(Clone)]
struct Admin {
    inner: Arc<Inner>,
    snapshot: Arc<Snapshot>,
    peer: Peer,
}

/// Answers everything but the endpoint.
pub(crate) async fn respond(inner: Arc<Inner>, snapshot: Arc<Snapshot>, peer: Peer, head: Parts) -> Response<Body> {
    let routes = Router::new()
        // Probes come with whatever Host the prober uses: exempt from the guard, and they say nothing.
        .route("/health", get(health))
        .route("/ping", get(health))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .fallback(nothing)
        .with_state(Admin { inner, snapshot, peer });
    let answer = routes.oneshot(Request::from_parts(head, axum::body::Body::empty())).await;
    let (head, body) = answer.into_response().into_parts();
    let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    Response::from_parts(head, Body::full(body))
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// 503 once the gateway stops. Its own accept loop has closed the port by then; behind somebody else's server this is the sign.
async fn readyz(State(admin): State<Admin>) -> AxumResponse {
    if admin.inner.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not_ready", "mode": "static" }))).into_response();
    }
    Json(json!({ "status": "ready", "mode": "static" })).into_response()
}

async fn status(State(admin): State<Admin>, request: Request) -> AxumResponse {
    let (head, _) = request.into_parts();
    if let Err(refused) = admin.snapshot.guard.check(&head.uri, &Look::at(&head.headers)) {
        return (StatusCode::FORBIDDEN, Json(json!({ "error": refused.to_string() }))).into_response();
    }
    let caller = match admin.snapshot.authenticator.is_anonymous() {
        true => Ok(Identity::anonymous()),
        false => identify(&admin.snapshot, &admin.snapshot.config.path, &head, &admin.peer).await,
    };
    match caller {
        Ok(caller) => Json(admin.inner.status(Some(&caller))).into_response(),
        Err(failure) => {
            let mut refused = failure.into_response(None, Era::Legacy);
            refused.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            refused.map(axum::body::Body::new).into_response()
        }
    }
}

async fn nothing(State(admin): State<Admin>, uri: Uri) -> AxumResponse {
    // Clients that look for authorization metadata must take this for "there is none", not for a hint to follow.
    let mut answer = json!({ "error": "not found" });
    if !uri.path().starts_with("/.well-known/") && !admin.snapshot.backends.is_empty() {
        answer["hint"] = json!(format!("the MCP endpoint is {}", admin.snapshot.config.path));
    }
    (StatusCode::NOT_FOUND, Json(answer)).into_response()
}

#[cfg(test)]
mod tests {
    use crate::Gateway;
    use http::Request;
    use http_body_util::Empty;
    use tower::ServiceExt;
    use vmcp_core::config::{Backend, Config};

    #[tokio::test]
    async fn a_stopping_gateway_behind_somebody_elses_server_says_that_it_is_not_ready() {
        let backend = Backend::new("b", "http://127.0.0.1:1/mcp".parse().unwrap());
        let gateway = Gateway::builder(Config::with_backends(vec![backend])).build().unwrap();
        let status = async |path: &str| {
            let request = Request::get(path).body(Empty::<bytes::Bytes>::new()).unwrap();
            gateway.service(None).oneshot(request).await.unwrap().status().as_u16()
        };
        assert_eq!((status("/readyz").await, status("/health").await), (200, 200));
        gateway.shutdown().await;
        assert_eq!((status("/readyz").await, status("/health").await), (503, 200));
    }
}
