//! A legacy client's session over a pipe: one for as long as the pipe, and all that belongs to no request goes on the pipe too.

use super::{Opener, Peer, peer::Session};
use crate::{
    edge::{legacy, post::Incoming, sse::Source},
    failure::{Failure, code},
    session::{EventStream, Reader, Use},
};
use std::{
    future::poll_fn,
    sync::{Arc, PoisonError},
};
use vmcp_core::frame::{Request, response_head};

impl Peer {
    /// Answers `initialize`.
    pub(super) async fn initialize(self: &Arc<Self>, incoming: Incoming, request: &Request<'_>, sender: &Arc<Opener>) {
        let id = request.id.raw();
        match self.begin(&incoming, request, sender) {
            Ok((session, result)) => {
                let opened = self.open_stream(&session, &incoming);
                let mut message = response_head(id, result.len() + 1);
                message.extend_from_slice(&result);
                message.push(b'}');
                self.say(message).await;
                let (peer, opener) = (Arc::clone(self), Arc::clone(sender));
                self.inner.tracker.spawn(async move { peer.tell(session, &opener, incoming, opened).await });
            }
            Err(failure) => self.say(failure.message(Some(id))).await,
        }
    }

    fn begin(&self, incoming: &Incoming, request: &Request<'_>, sender: &Arc<Opener>) -> Result<(Arc<Use>, bytes::Bytes), Failure> {
        let twice = || Failure::new(code::INVALID_REQUEST, "`initialize` came twice; begin anew to begin another session");
        if self.session().is_some() {
            return Err(twice());
        }
        let (session, result) = legacy::begin(incoming, request)?;
        let sessions = &incoming.inner.sessions;
        let session =
            Arc::new(sessions.find(&session.id, &session.endpoint, incoming.identity.principal(), None).map_err(legacy::no_session)?);
        let begun = Session { session: Arc::clone(&session), opener: Arc::clone(sender) };
        self.begun.set(begun).map_err(|_| twice())?;
        Ok((session, result))
    }

    /// Opens the stream of what belongs to no request, and of questions.
    fn open_stream(&self, session: &Use, incoming: &Incoming) -> (Arc<EventStream>, Reader) {
        let opened = session.open_pipe(legacy::binding(incoming), legacy::listening(incoming, session));
        *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&opened.0));
        opened
    }

    /// Carries what belongs to no request to the client, until no message comes from it any more.
    async fn tell(&self, session: Arc<Use>, opener: &Opener, incoming: Incoming, opened: (Arc<EventStream>, Reader)) {
        let identity = incoming.identity.clone();
        let telling = async {
            let (mut incoming, mut opened) = (incoming, opened);
            while !self.inner.shutdown.is_cancelled() {
                self.tell_under(&session, &incoming, opened).await;
                if !opener.stays(&self.inner.snapshot()) {
                    // The whole pipe ends, and its client learns it from that.
                    return;
                }
                // The configuration is another one, and so may be what of the headers is forwarded.
                match opener.incoming(&self.inner) {
                    Ok(now) => incoming = now,
                    Err(failure) => {
                        let code = failure.code();
                        tracing::warn!(code, "the headers of a client at a pipe cannot be forwarded any more; it is not told of changes");
                        return;
                    }
                }
                opened = self.open_stream(&session, &incoming);
            }
        };
        tokio::select! {
            biased;
            () = self.silent() => {}
            // It cannot come back for its session, nor show another credential for what it began with this one.
            () = self.overdue(&identity) => self.dismiss(),
            () = telling => {}
        }
    }

    /// The same under one configuration.
    async fn tell_under(&self, session: &Arc<Use>, incoming: &Incoming, (stream, mut reader): (Arc<EventStream>, Reader)) {
        if !Arc::ptr_eq(&incoming.snapshot, &incoming.inner.snapshot()) {
            // The configuration changed just now. What ends streams then may have come too early for this one.
            stream.close();
        }
        let views = &incoming.snapshot.views;
        views.tell(session);
        let watch = |backend: &Arc<vmcp_backend::Backend>| backend.watch_for(incoming.identity.clone(), &session.backends);
        let _watches: Vec<_> = incoming.snapshot.backends.iter().map(watch).collect();
        let _again = legacy::subscribe_again(incoming, session);
        loop {
            match poll_fn(|cx| reader.poll_event(cx)).await {
                Some(message) => self.say(message).await,
                None => match stream.read_on() {
                    // The client was slow; it is told now what it could not be told then.
                    Some(again) => {
                        reader = again;
                        views.tell(session);
                    }
                    None => return,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Gateway, testing::Listening};
    use bytes::Bytes;
    use http::Request;
    use http_body_util::{BodyExt, Full};
    use tower::ServiceExt;
    use tracing::Level;

    async fn answered(gateway: &Gateway, request: Request<Full<Bytes>>) -> crate::Body {
        let response = gateway.service(None).oneshot(request).await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        response.into_body()
    }

    async fn event(stream: &mut crate::Body) -> Option<String> {
        let frame = stream.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_reload_that_lets_others_in_ends_streams_without_a_word_about_headers() {
        let config = |callers: &str| {
            let backend = serde_json::json!({ "name": "b", "url": "http://127.0.0.1:1/mcp" });
            serde_json::from_value(serde_json::json!({ "backends": [backend], "ssePath": "/sse", "incomingAuth": { "type": callers } }))
        };
        let gateway = Gateway::builder(config("anonymous").unwrap()).build().unwrap();
        let mut streams = Vec::new();
        // Many, since which of two things a task hears of first may be chance.
        for _ in 0..16 {
            let get = Request::get("/sse").header("host", "127.0.0.1").header("accept", "text/event-stream");
            let mut stream = answered(&gateway, get.body(Full::default()).unwrap()).await;
            let opening = event(&mut stream).await.unwrap();
            let target = opening.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}"#;
            let post = Request::post(target).header("host", "127.0.0.1").header("content-type", "application/json");
            answered(&gateway, post.body(Full::from(initialize)).unwrap()).await;
            assert!(event(&mut stream).await.unwrap().contains("\"result\""));
            streams.push(stream);
        }
        let listening = Listening::at_file(Level::WARN, file!());
        gateway.reload(config("local").unwrap()).unwrap();
        for stream in &mut streams {
            while event(stream).await.is_some() {}
        }
        gateway.shutdown().await;
        assert_eq!(listening.heard(), Vec::<String>::new());
    }
}
