//! What a legacy client says to the gateway itself: the level of log messages, and notifications.

use crate::{edge::post::Incoming, failure::Failure, session::Use};
use bytes::Bytes;
use vmcp_core::{
    LoggingLevel,
    frame::{Notification, Request},
};

/// Answers a request that no backend answers alone; `None` for any other.
pub(super) fn answer(_incoming: &Incoming, session: &Use, request: &Request<'_>) -> Option<Result<Bytes, Failure>> {
    match &*request.method {
        "logging/setLevel" => Some(set_level(session, request)),
        _ => None,
    }
}

/// `logging/setLevel` (2025-11-25, server/utilities/logging).
fn set_level(session: &Use, request: &Request<'_>) -> Result<Bytes, Failure> {
    let level = request.params.as_ref().and_then(|params| params.get_str("level"));
    let level = level.and_then(|level| LoggingLevel::parse(&level)).ok_or_else(|| {
        let levels = LoggingLevel::ALL.map(LoggingLevel::as_str).join(", ");
        Failure::invalid_params(&format!("`level` has to be one of: {levels}"))
    })?;
    session.set_log_level(level);
    Ok(Bytes::from_static(b"{}"))
}

/// Takes a notification. One that is not known is nobody's business here.
pub(super) fn notified(_incoming: &Incoming, session: &Use, notification: &Notification<'_>) {
    let Some(params) = &notification.params else { return };
    match &*notification.method {
        "notifications/cancelled" => {
            if let Some(id) = params.get("requestId") {
                session.cancel(id);
            }
        }
        "notifications/progress" => session.progressed(params),
        _ => {}
    }
}
