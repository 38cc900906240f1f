//! What a legacy client says to its session: which messages it wants, from which resources, and notifications.

use crate::{edge::post::Incoming, failure::Failure, lane::Caller, session::Use};
use bytes::Bytes;
use std::sync::Arc;
use tokio_util::sync::{CancellationToken, DropGuard};
use vmcp_core::{
    LoggingLevel,
    frame::{Notification, Request},
};

/// Answers a request about the session; `None` for any other.
pub(super) async fn answer(caller: &Caller, incoming: &Incoming, session: &Use, request: &Request<'_>) -> Option<Result<Bytes, Failure>> {
    Some(match &*request.method {
        "logging/setLevel" => set_level(incoming, session, request),
        // Boxed: what is rare must not make every request's future larger.
        "resources/subscribe" => Box::pin(subscribe(caller, incoming, request, true)).await,
        "resources/unsubscribe" => Box::pin(subscribe(caller, incoming, request, false)).await,
        _ => return None,
    })
}

/// `resources/subscribe` and `resources/unsubscribe` (2025-11-25, server/resources): at the backend that owns the resource.
async fn subscribe(caller: &Caller, incoming: &Incoming, request: &Request<'_>, on: bool) -> Result<Bytes, Failure> {
    let uri = request.params.as_ref().and_then(|params| params.get_str("uri"));
    let uri = uri.ok_or_else(|| Failure::invalid_params("`uri` has to be a string"))?;
    let session = caller.session().ok_or_else(|| Failure::unknown_method(&request.method))?;
    let (snapshot, is_new) = (&incoming.snapshot, on && !session.follows(&uri));
    let owned = snapshot.owner(caller, &uri).await?;
    if is_new {
        // Before the backend tells of it for the first time: what it tells is told under the client's URI.
        session.follow(&owned, true, snapshot.generation);
    }
    let told = snapshot.subscribe(caller, &session.backends, &owned, on).await;
    if told.is_ok() || is_new {
        session.follow(&owned, on && told.is_ok(), snapshot.generation);
    }
    told?;
    Ok(Bytes::from_static(b"{}"))
}

/// Subscribes again where the configuration has changed since: the new backends know nothing of it. What this stream's token may not read,
/// what nobody has just now and what its backend refuses is left to the next stream, which may come with another token; so is what has not
/// been come to when the guard is dropped. `None` where there is nothing to do.
pub(crate) fn subscribe_again(incoming: &Incoming, session: &Use) -> Option<DropGuard> {
    let uris = session.untold_resources(incoming.snapshot.generation);
    if uris.is_empty() {
        return None;
    }
    let (caller, snapshot) = (super::caller(incoming, session), Arc::clone(&incoming.snapshot));
    let (session, shutdown, stop) = (Arc::clone(session), incoming.inner.shutdown.clone(), CancellationToken::new());
    let stopped = stop.clone();
    incoming.inner.tracker.spawn(async move {
        let work = async {
            for uri in uris {
                // What a backend is being told it is told to the end, with or without this stream: another one takes it for told.
                let Some(owned) = stopped.run_until_cancelled(snapshot.owner(&caller, &uri)).await else { return };
                let again = async {
                    let owned = owned?;
                    let Some(telling) = session.follow_again(&owned, snapshot.generation) else { return Ok(()) };
                    let told = snapshot.subscribe(&caller, &session.backends, &owned, true).await;
                    if told.is_ok() {
                        telling.done();
                    }
                    told
                };
                if again.await.is_err() {
                    tracing::debug!("a resource that a client follows cannot be followed for this stream under the new configuration");
                }
            }
        };
        shutdown.run_until_cancelled(Box::pin(work)).await;
    });
    Some(stop.drop_guard())
}

/// `logging/setLevel` (2025-11-25, server/utilities/logging).
fn set_level(incoming: &Incoming, session: &Use, request: &Request<'_>) -> Result<Bytes, Failure> {
    let level = request.params.as_ref().and_then(|params| params.get_str("level"));
    let level = level.and_then(|level| LoggingLevel::parse(&level)).ok_or_else(|| {
        let levels = LoggingLevel::ALL.map(LoggingLevel::as_str).join(", ");
        Failure::invalid_params(&format!("`level` has to be one of: {levels}"))
    })?;
    session.set_log_level(level);
    session.backends.set_log_level(&incoming.snapshot.backends, &incoming.identity, level);
    Ok(Bytes::from_static(b"{}"))
}

/// Takes a notification. One that is not known is nobody's business here.
pub(super) fn notified(incoming: &Incoming, session: &Use, notification: &Notification<'_>) {
    if notification.method == "notifications/roots/list_changed" {
        return session.backends.roots_changed(&incoming.snapshot.backends, &incoming.identity);
    }
    let Some(params) = &notification.params else { return };
    match &*notification.method {
        "notifications/cancelled" => {
            if let Some(id) = params.get("requestId") {
                session.cancel(id);
            }
        }
        "notifications/progress" => session.progressed(params, &incoming.identity),
        _ => {}
    }
}
