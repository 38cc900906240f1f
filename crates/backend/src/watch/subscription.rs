//! The streams of modern backends: `subscriptions/listen` (2026-07-28, basic/patterns/subscriptions).

use super::{
    End, MAX_EVENT, Watch,
    hearing::{Hearing, until_changed},
    unlistened::{is_unknown_method, says_unknown_method},
};
use crate::{
    Backend,
    content::Content,
    errand::method_only,
    exchange::{Speech, cancelled},
    http::Reply,
    offers::Offers,
    outgoing::{Meta, Outgoing, Protocol, request_body},
    pipe::Link,
    session::Events,
    subscribe::{declared, wanted},
};
use bytes::Bytes;
use http::{Method, StatusCode};
use std::{future::poll_fn, sync::Arc};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use vmcp_auth::Identity;
use vmcp_core::{
    Revision,
    catalogue::ListKind,
    frame::{Message, Notification, RawObject},
};

impl Watch {
    pub(super) async fn subscribe(&mut self) -> End {
        let backend = Arc::clone(&self.backend);
        let holder = self.sessions.as_ref().map(|sessions| Arc::clone(sessions.holder()));
        let mut changes = holder.as_ref().map(|holder| holder.changes());
        let change = changes.as_mut().map_or(0, |changes| *changes.borrow_and_update());
        let wishes = holder.as_ref().map_or_else(Vec::new, |holder| holder.wishes(backend.id()));
        // What everybody is told is heard on a stream of the gateway's own.
        let lists = self.caller.is_none() || !backend.is_shared();
        let offers = if lists {
            match backend.discover(self.audience()).await {
                Ok(told) => told.offers,
                Err(_) => return End::Failed,
            }
        } else {
            Offers::default()
        };
        if wishes.is_empty() && !offers.announces_any() {
            // There is nothing to take up for whoever waits for this.
            if let Some(holder) = &holder {
                holder.take_up(backend.id(), change, Vec::new());
            }
            return End::Refused;
        }
        let announced = |kind, member: &str| if offers.announces(kind) { format!("\"{member}\":true,") } else { String::new() };
        let filter = [
            announced(ListKind::Tools, "toolsListChanged"),
            announced(ListKind::Prompts, "promptsListChanged"),
            announced(ListKind::Resources, "resourcesListChanged"),
            wanted(&wishes),
        ]
        .concat();
        let params = format!("{{\"notifications\":{{{}}}}}", filter.trim_end_matches(','));
        let Ok(params) = RawObject::parse(&params) else { return End::None };
        let revision = Revision::LATEST_MODERN;
        let Ok(speech) = backend.modern(self.audience()).await else { return End::Failed };
        let id = backend.next_id();
        let meta = Meta::Modern { revision, client_info: &backend.shared().client_info, capabilities: declared(&wishes), log_level: None };
        let method = "subscriptions/listen";
        let body = request_body(id, method, &params, &[], meta, false).into();
        let hearing = Hearing::new(backend.id(), holder, wishes, change);
        if hearing.holder.is_some() && backend.unlistened.is_known() {
            hearing.refused();
            return End::Refused;
        }
        if let Speech::Modern(_, Some(link)) = &speech {
            return self.subscribe_over(link, id, body, &hearing, changes).await;
        }
        let outgoing = Outgoing {
            method: Method::POST,
            audience: self.audience(),
            protocol: Protocol::Modern(revision, method_only(method)),
            last_event_id: None,
            body,
            is_stream: true,
        };
        let Ok(Ok((parts, reply))) = timeout(backend.silence(), backend.transmit(&outgoing)).await else { return End::Failed };
        match parts.status {
            StatusCode::OK if Content::of(&parts.headers) == Content::Events => {
                until_changed(self.hear(reply, &hearing), changes, &hearing).await
            }
            status if status.is_success() || status.is_client_error() => self.refused(&hearing, says_unknown_method(status, reply).await),
            _ => End::Failed,
        }
    }

    /// The backend has no stream for what was asked. `ever` is whether it has none for anybody.
    fn refused(&self, hearing: &Hearing, ever: bool) -> End {
        if ever {
            self.backend.unlistened.note();
        }
        hearing.refused();
        End::Refused
    }

    /// Waits until something is wanted that the backend has not refused. Until then what it refused stays so.
    pub(super) async fn wants_more(&self) {
        let Some(sessions) = &self.sessions else { return std::future::pending().await };
        sessions.holder().wants_more(self.backend.id()).await;
    }

    /// As [`Self::subscribe`], over a pipe.
    async fn subscribe_over(&mut self, link: &Link, id: u64, body: Bytes, hearing: &Hearing, changes: Option<watch::Receiver<u64>>) -> End {
        let Ok(mut inbox) = link.switch.sit(id, false) else { return End::Failed };
        let sent = timeout(self.backend.silence(), link.pipe.send(body, self.audience())).await;
        if !matches!(sent, Ok(Ok(()))) {
            return End::Failed;
        }
        let taken_back = TakenBack { backend: Arc::clone(&self.backend), caller: self.caller.clone(), link: link.clone(), id };
        let start = Instant::now();
        self.comes_back();
        let hear = async {
            while let Ok(data) = poll_fn(|cx| inbox.poll(cx)).await {
                match Message::parse(&data) {
                    Ok(Message::Notification(_)) => self.message(&data, hearing),
                    Ok(Message::Error(_, error)) if !hearing.is_open() => return self.refused(hearing, is_unknown_method(&error)),
                    _ => break,
                }
            }
            End::Ended(start)
        };
        let end = until_changed(hear, changes, hearing).await;
        drop(taken_back);
        end
    }

    /// Hears until the stream ends.
    async fn hear(&mut self, reply: Reply, hearing: &Hearing) -> End {
        let start = Instant::now();
        self.comes_back();
        let mut events = Events::new(reply, MAX_EVENT, self.backend.budget());
        while let Ok(Some(event)) = events.next().await {
            if event.is_message && !event.data.is_empty() {
                match Message::parse(&event.data) {
                    Ok(Message::Error(_, error)) if !hearing.is_open() => return self.refused(hearing, is_unknown_method(&error)),
                    _ => self.message(&event.data, hearing),
                }
            }
        }
        End::Ended(start)
    }

    fn message(&self, data: &Bytes, hearing: &Hearing) {
        // A modern server sends no requests on it, and one message in each event.
        let Ok(Message::Notification(Notification { method, params })) = Message::parse(data) else { return };
        if method == "notifications/subscriptions/acknowledged" {
            hearing.opened(params.as_ref());
        } else if !self.backend.hear_change(&method, self.scope())
            && let Some(ear) = hearing.holder.as_ref().and_then(|holder| holder.ear())
        {
            let params = params.map_or(Bytes::from_static(b"{}"), |params| data.slice_ref(params.text().as_bytes()));
            ear.notified(&self.backend, &method, params);
        }
    }
}

/// Takes a subscription over a pipe back when it is not heard any more.
struct TakenBack {
    backend: Arc<Backend>,
    caller: Option<Identity>,
    link: Link,
    id: u64,
}

impl Drop for TakenBack {
    fn drop(&mut self) {
        self.backend.send_cancel_over(self.caller.take(), &self.link, cancelled(self.id));
    }
}
