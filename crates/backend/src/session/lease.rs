//! The right to use a session, and what becomes of it afterwards.

use super::{CellUse, Holder, Session};
use crate::{Backend, Error, SessionKey, exchange::Speech, outgoing::Audience};
use std::sync::Arc;
use vmcp_core::CapabilitySet;

/// A session in use.
pub(crate) struct Lease {
    backend: Arc<Backend>,
    session: Arc<Session>,
    home: Home,
}

/// Where a session belongs.
enum Home {
    /// Shared by requests of its key.
    Cell(CellUse),
    /// One call's alone; then it goes to the pool, if it was left in order.
    Pool { key: PoolKey, in_order: bool },
    /// One call's alone, and closed after it.
    Nowhere,
}

/// Sessions in the pool are alike where these are: whose they are, and what was declared when they were opened.
pub(crate) type PoolKey = (SessionKey, CapabilitySet);

/// Whose session a request wants.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// The gateway's own that declares this.
    Owned(CapabilitySet),
    /// That of a legacy caller.
    Caller(&'a super::CallerSessions, SessionKey),
    /// One from the pool, or a new one. `pooled` tells whether it may be used again.
    Exclusive { key: PoolKey, pooled: bool },
}

impl Lease {
    /// Gets the session, opening it where that is needed.
    pub(crate) async fn get(backend: &Arc<Backend>, wanted: Wanted<'_>, audience: Audience<'_>) -> Result<Self, Error> {
        let own = |session, home| Self { backend: Arc::clone(backend), session, home };
        let used = match wanted {
            Wanted::Owned(capabilities) => CellUse::new(&backend.owned().at(capabilities), backend),
            Wanted::Caller(sessions, key) => sessions.at(backend, key).map_err(|kind| backend.error(crate::Phase::Initialize, kind))?,
            Wanted::Exclusive { key, pooled } => {
                let idle = if pooled { backend.pool().take(key) } else { None };
                let session = match idle {
                    Some(session) => session,
                    None => Box::pin(backend.open_session(audience, &Holder::new(key.1, None))).await?,
                };
                return Ok(own(session, if pooled { Home::Pool { key, in_order: false } } else { Home::Nowhere }));
            }
        };
        let session = match used.cell().current() {
            Some(session) => session,
            None => Box::pin(used.cell().get(|| backend.open_session(audience, used.cell().holder()))).await?,
        };
        Ok(own(session, Home::Cell(used)))
    }

    /// The lease, and how to speak in its session.
    pub(crate) fn spoken(self) -> (Speech, Option<Self>) {
        (Speech::Legacy(Arc::clone(&self.session)), Some(self))
    }

    /// Whether nobody else uses the session meanwhile.
    pub(crate) fn is_exclusive(&self) -> bool {
        !matches!(self.home, Home::Cell(_))
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Gets a session in place of one that the backend forgot.
    pub(crate) async fn renew(&mut self, audience: Audience<'_>) -> Result<(), Error> {
        tracing::debug!(backend = &**self.backend.name(), "the backend forgot a session; opening another one");
        self.session.lose();
        self.session = match &self.home {
            Home::Cell(used) => used.cell().get(|| self.backend.open_session(audience, used.cell().holder())).await?,
            Home::Pool { .. } | Home::Nowhere => self.backend.open_session(audience, self.session.holder()).await?,
        };
        Ok(())
    }

    /// The request was answered: the session may serve the next one.
    pub(crate) fn in_order(&mut self) {
        if let Home::Pool { in_order, .. } = &mut self.home {
            *in_order = true;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.home {
            Home::Cell(_) => {}
            Home::Pool { key, in_order: true } if !self.session.is_gone() => self.backend.pool_session(key, Arc::clone(&self.session)),
            Home::Pool { .. } | Home::Nowhere => self.backend.close_session(Arc::clone(&self.session)),
        }
    }
}
