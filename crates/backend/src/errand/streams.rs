//! Opening the stream of a session, and taking one up again that broke off.

use crate::{
    Backend, ErrorKind,
    content::Content,
    http::Reply,
    outgoing::{Audience, Outgoing, Protocol},
    session::Session,
};
use bytes::Bytes;
use http::{Method, StatusCode};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::time::sleep;
use vmcp_auth::Identity;

/// How long to wait before taking a stream up again where the server does not say.
const RETRY: Duration = Duration::from_secs(1);
/// The shortest pause, whatever a server asks for: one that ends each stream at once would have connections opened as fast as it likes.
const SHORTEST_RETRY: Duration = Duration::from_millis(50);

impl Backend {
    /// Takes up a stream that broke off, after the pause that the server asked for.
    pub(crate) fn resume_stream(
        self: &Arc<Self>,
        caller: Option<Identity>,
        session: &Arc<Session>,
        last_event_id: Bytes,
        retry: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, ErrorKind>> + Send>> {
        let (backend, session) = (Arc::clone(self), Arc::clone(session));
        Box::pin(async move {
            sleep(retry.unwrap_or(RETRY).max(SHORTEST_RETRY)).await;
            backend.listen(Audience::from(caller.as_ref()), &session, Some(&last_event_id)).await
        })
    }

    /// Opens a stream in a session.
    pub(crate) async fn listen(
        &self,
        audience: Audience<'_>,
        session: &Session,
        last_event_id: Option<&Bytes>,
    ) -> Result<Reply, ErrorKind> {
        let outgoing = Outgoing {
            method: Method::GET,
            audience,
            protocol: Protocol::Legacy(session),
            last_event_id,
            body: Bytes::new(),
            is_stream: true,
        };
        let (parts, reply) = self.transmit(&outgoing).await?;
        if parts.status == StatusCode::NOT_FOUND && session.id.is_some() {
            return Err(ErrorKind::SessionLost);
        }
        if parts.status != StatusCode::OK {
            return Err(ErrorKind::Status { status: parts.status, retry_after: None });
        }
        match Content::of(&parts.headers) {
            Content::Events => Ok(reply),
            Content::Json | Content::Other => Err(ErrorKind::Malformed("it is not an event stream".into())),
        }
    }
}
