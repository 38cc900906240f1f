//! A place for one session, opened by the first who needs it.

use super::{Holder, Session};
use crate::{Backend, Error, ErrorKind, flight::Flight, flight::Outcome};
use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};
use vmcp_auth::Identity;

/// One session, shared by requests of the same key. It is opened single-flight, and again when the backend forgot it.
pub(crate) struct SessionCell {
    holder: Arc<Holder>,
    session: Mutex<Option<Arc<Session>>>,
    opening: Flight<Result<Arc<Session>, Error>>,
    users: AtomicU32,
    /// Nobody new will come: the last user closes it.
    retired: AtomicBool,
    /// The caller whose request ended it, until it is closed on their behalf.
    ended_by: Mutex<Option<Identity>>,
}

impl SessionCell {
    pub(crate) fn new(holder: Arc<Holder>) -> Arc<Self> {
        Arc::new(Self {
            holder,
            session: Mutex::default(),
            opening: Flight::default(),
            users: AtomicU32::new(0),
            retired: AtomicBool::new(false),
            ended_by: Mutex::default(),
        })
    }

    /// For whom its sessions are.
    pub(crate) fn holder(&self) -> &Arc<Holder> {
        &self.holder
    }

    /// The open session.
    pub(crate) fn current(&self) -> Option<Arc<Session>> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().filter(|session| !session.is_gone()).cloned()
    }

    /// The open session, or a new one.
    pub(crate) async fn get<F>(&self, open: impl Fn() -> F) -> Result<Arc<Session>, Error>
    where
        F: Future<Output = Result<Arc<Session>, Error>>,
    {
        loop {
            if let Some(session) = self.current() {
                return Ok(session);
            }
            let opened = self.opening.run(|| async {
                // Somebody else may have been done just before this became ours to do.
                if let Some(session) = self.current() {
                    return Ok(session);
                }
                let session = open().await?;
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
                Ok(session)
            });
            match opened.await {
                // Whoever waited is of the same key, but its other headers may be what made it fail.
                Outcome::Shared(Err(error)) if !error.is_common() && !matches!(error.kind(), ErrorKind::Refused { .. }) => {}
                outcome => return outcome.into_inner(),
            }
        }
    }

    pub(crate) fn take(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether no request is in flight and no stream open.
    pub(super) fn is_idle(&self) -> bool {
        self.users.load(Ordering::SeqCst) == 0
    }

    /// Closes the session now or after its last user: on behalf of a caller whose session it is, else on the gateway's own account.
    pub(super) fn retire(&self, backend: &Arc<Backend>, caller: Option<Identity>) {
        *self.ended_by.lock().unwrap_or_else(PoisonError::into_inner) = caller;
        self.retired.store(true, Ordering::SeqCst);
        if self.is_idle() {
            self.close(backend);
        }
    }

    fn close(&self, backend: &Arc<Backend>) {
        let caller = self.ended_by.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(session) = self.take() {
            backend.close_session_of(caller, session);
        }
    }
}

/// Keeps a cell from being closed under its user.
pub(crate) struct CellUse {
    cell: Arc<SessionCell>,
    backend: Arc<Backend>,
}

impl CellUse {
    pub(crate) fn new(cell: &Arc<SessionCell>, backend: &Arc<Backend>) -> Self {
        cell.users.fetch_add(1, Ordering::SeqCst);
        Self { cell: Arc::clone(cell), backend: Arc::clone(backend) }
    }

    pub(crate) fn cell(&self) -> &Arc<SessionCell> {
        &self.cell
    }
}

impl Drop for CellUse {
    fn drop(&mut self) {
        if self.cell.users.fetch_sub(1, Ordering::SeqCst) == 1 && self.cell.retired.load(Ordering::SeqCst) {
            self.cell.close(&self.backend);
        }
    }
}
