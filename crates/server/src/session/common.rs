//! What all sessions of a gateway share.

use super::replay::Replay;
use std::sync::Arc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) struct Common {
    pub(super) replay: Arc<Replay>,
    /// Of everything that goes on in the background of a gateway.
    pub(crate) tracker: TaskTracker,
    /// The gateway stops.
    pub(crate) shutdown: CancellationToken,
}

impl Common {
    pub(super) fn new(issuer: [u8; 4]) -> Arc<Self> {
        Arc::new(Self { replay: Arc::new(Replay::new(issuer)), tracker: TaskTracker::new(), shutdown: CancellationToken::new() })
    }
}
