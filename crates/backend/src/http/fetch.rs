//! HTTP for plugins.

use super::{
    Connector, Target,
    line::{Line, SendError},
    reply::Reply,
};
use crate::ErrorKind;
use bytes::BytesMut;
use http::{HeaderMap, Request, header::HOST};
use http_body_util::Full;
use std::{sync::OnceLock, time::Duration};
use tokio::time::timeout;
use vmcp_core::plugin::{BoxFuture, Fetch, FetchError, FetchRequest, FetchResponse};

/// Makes plugins' requests over the connections that backends are reached with: the same TLS, no proxy, no redirect, and a connection
/// of its own for each, since plugins ask rarely.
#[derive(Default)]
pub struct HttpFetch {
    ca_bundle: Option<Vec<u8>>,
    /// Made when first needed: the platform's certificates take time to read.
    tls: OnceLock<Result<Connector, String>>,
}

impl HttpFetch {
    /// A client that trusts what the platform trusts, or only the certificates of a PEM bundle.
    #[must_use]
    pub fn new(ca_bundle: Option<Vec<u8>>) -> Self {
        Self { ca_bundle, tls: OnceLock::new() }
    }

    fn connector(&self, target: &Target, limit: Duration) -> Result<Connector, ErrorKind> {
        if !target.is_https() {
            return Ok(Connector::plain(limit));
        }
        let tls = self.tls.get_or_init(|| Connector::tls(self.ca_bundle.as_deref(), false, Duration::from_secs(30)));
        tls.clone().map_err(ErrorKind::Connect)
    }

    async fn run(&self, request: FetchRequest, target: &Target) -> Result<FetchResponse, ErrorKind> {
        let limit = request.timeout;
        let io = self.connector(target, limit)?.connect(target.origin().clone(), limit).await?;
        let mut line = Line::open(io).await.map_err(|error| ErrorKind::Connect(error.to_string()))?;
        let mut outgoing = Request::new(Full::new(request.body));
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = target.path();
        *outgoing.headers_mut() = with_host(request.headers, target);
        let answer = line.send(outgoing).await.map_err(|SendError { error, .. }| ErrorKind::Lost(error.to_string()))?;
        let (parts, body) = answer.into_parts();
        let mut reply = Reply::alone(body, line);
        let mut whole = BytesMut::new();
        while let Some(data) = reply.data().await {
            let data = data?;
            if whole.len() + data.len() > request.max_body {
                return Err(ErrorKind::TooLarge(request.max_body));
            }
            whole.extend_from_slice(&data);
        }
        Ok(FetchResponse::new(parts.status, parts.headers, whole.freeze()))
    }
}

fn with_host(mut headers: HeaderMap, target: &Target) -> HeaderMap {
    headers.insert(HOST, target.host().clone());
    headers
}

impl Fetch for HttpFetch {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        Box::pin(async move {
            let target = match Target::new(&request.url) {
                Ok(target) => target,
                Err(reason) => return Err(FetchError::Connect { host: String::new(), reason }),
            };
            let host = target.origin().authority().map(ToString::to_string).unwrap_or_default();
            let limit = request.timeout;
            match timeout(limit, self.run(request, &target)).await {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(ErrorKind::Connect(reason))) => Err(FetchError::Connect { host, reason }),
                Ok(Err(kind)) => Err(FetchError::Response { host, reason: kind.to_string() }),
                Err(_) => Err(FetchError::Timeout { host, timeout: limit }),
            }
        })
    }
}
