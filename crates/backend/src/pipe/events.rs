//! HTTP+SSE: a stream of events whose first one says where to post to (2024-11-05, basic/transports).

use super::{Link, Pipe};
use crate::{
    Backend, ErrorKind,
    content::Content,
    http::{Reply, Target},
    outgoing::{Audience, Outgoing, Protocol},
    session::{Events, Switch},
};
use bytes::Bytes;
use http::{Method, StatusCode};
use std::sync::{Arc, Weak};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vmcp_core::plugin::BoxFuture;

/// The longest address to post to.
const MAX_ADDRESS: usize = 8 * 1024;

/// The way out: requests to an address that the stream named.
struct Posts {
    backend: Weak<Backend>,
    target: Target,
    stop: CancellationToken,
}

/// Opens the stream, with the headers of whoever needs it, and waits for the address. The address has to be of the same origin: what is
/// posted there carries the caller's headers.
pub(crate) async fn open_events(backend: &Arc<Backend>, audience: Audience<'_>, switch: Arc<Switch>) -> Result<Link, ErrorKind> {
    let outgoing =
        Outgoing { method: Method::GET, audience, protocol: Protocol::Opening, last_event_id: None, body: Bytes::new(), is_stream: true };
    let begin = async {
        let (parts, reply) = backend.transmit(&outgoing).await?;
        if parts.status != StatusCode::OK {
            return Err(ErrorKind::Status { status: parts.status, retry_after: None });
        }
        if Content::of(&parts.headers) != Content::Events {
            return Err(ErrorKind::Malformed("it is not an event stream".into()));
        }
        address(backend, reply).await
    };
    let (target, events) = timeout(backend.silence(), begin).await.unwrap_or(Err(ErrorKind::Timeout(backend.silence())))?;
    let stop = CancellationToken::new();
    let posts = Arc::new(Posts { backend: Arc::downgrade(backend), target, stop: stop.clone() });
    let link = Link { pipe: Arc::clone(&posts) as Arc<dyn Pipe>, switch: Arc::clone(&switch) };
    let reading = Reading { backend: Arc::clone(backend), posts, switch };
    backend.shared().spawn(async move { reading.run(events, &stop).await });
    Ok(link)
}

/// Reads until the address is there.
async fn address(backend: &Backend, reply: Reply) -> Result<(Target, Events), ErrorKind> {
    let mut events = Events::new(reply, backend.shared().options.max_response_bytes, backend.budget());
    while let Some(event) = events.next().await? {
        if event.is_endpoint {
            let address = std::str::from_utf8(&event.data).ok().filter(|address| address.len() <= MAX_ADDRESS);
            let target = address.and_then(|address| backend.target().within_origin(address.trim()));
            let target = target.ok_or(ErrorKind::Malformed("it names no address of its own origin to post to".into()))?;
            return Ok((target, events));
        }
    }
    Err(ErrorKind::Malformed("the stream ended before it named an address to post to".into()))
}

struct Reading {
    backend: Arc<Backend>,
    posts: Arc<Posts>,
    switch: Arc<Switch>,
}

impl Reading {
    /// Hands on what comes, until the stream ends or is not wanted any more.
    async fn run(self, mut events: Events, stop: &CancellationToken) {
        let read = async {
            loop {
                match events.next().await {
                    Ok(Some(event)) if event.is_message && !event.data.is_empty() => {
                        let say = |body| self.say(body);
                        self.switch.route(&self.backend, &event.data, &say);
                        if let Some(crowd) = self.switch.take_crowd() {
                            crowd.wait().await;
                        }
                    }
                    Ok(Some(_)) => {}
                    Err(why @ (ErrorKind::TooLarge(_) | ErrorKind::Budget)) => return why,
                    Ok(None) | Err(_) => return ErrorKind::Lost("the backend's event stream ended".to_owned()),
                }
            }
        };
        let closing = self.backend.closing().run_until_cancelled(read);
        let ended = stop.run_until_cancelled(closing).await.flatten();
        self.switch.end(ended.unwrap_or_else(|| ErrorKind::Lost("the backend's event stream was closed".to_owned())));
    }

    /// Answers what needs nobody, with the gateway's own credentials: no caller is at hand.
    fn say(&self, body: Bytes) {
        let link = Link { pipe: Arc::clone(&self.posts) as Arc<dyn Pipe>, switch: Arc::clone(&self.switch) };
        self.backend.send_answer_over(&link, body);
    }
}

impl Pipe for Posts {
    fn send<'a>(&'a self, message: Bytes, audience: Audience<'a>) -> BoxFuture<'a, Result<(), ErrorKind>> {
        Box::pin(async move {
            let backend = self.backend.upgrade().ok_or(ErrorKind::ShuttingDown)?;
            let outgoing = Outgoing {
                method: Method::POST,
                audience,
                protocol: Protocol::Opening,
                last_event_id: None,
                body: message,
                is_stream: false,
            };
            let (parts, reply) = backend.transmit_to(&self.target, &outgoing).await?;
            backend.drain_later(reply);
            if parts.status.is_success() { Ok(()) } else { Err(ErrorKind::Status { status: parts.status, retry_after: None }) }
        })
    }

    fn close(&self) {
        self.stop.cancel();
    }
}

impl Drop for Posts {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
