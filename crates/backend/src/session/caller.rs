//! The backend sessions of one client session.

use super::{CellUse, Holder, SessionCell};
use crate::{Backend, Ear, ErrorKind, SessionKey};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::time::{Duration, Instant};
use vmcp_auth::Identity;
use vmcp_core::{CapabilitySet, LoggingLevel};

/// How many keys a client session has at one backend.
const KEYS: usize = 2;
/// How many keys beyond the first one may come at once, and how long another one takes to be allowed.
const BURST: u8 = 32;
const REFILL: Duration = Duration::from_millis(250);

/// The backend sessions of **one** legacy client session: at most two keys for each backend, the oldest idle one giving way, and new
/// keys at a bounded rate. Small while empty.
pub struct CallerSessions {
    holder: Arc<Holder>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    slots: Vec<Slot>,
    /// How often a session was asked for: who was used longest ago is known without the time.
    uses: u64,
    /// How many of the burst are used up, as of when.
    spent: u8,
    counted: Option<Instant>,
    /// The client session is over: whatever is still opened is closed by its last user.
    ended: bool,
}

struct Slot {
    backend: u64,
    key: SessionKey,
    cell: Arc<SessionCell>,
    /// The use's number.
    used: u64,
}

/// Too many keys at once, or one after the other.
struct TooMany;

impl CallerSessions {
    /// No sessions yet. `capabilities` is what is declared to backends on the client's behalf, `ear` who hears what they say outside of
    /// calls.
    #[must_use]
    pub fn new(capabilities: CapabilitySet, ear: Option<Weak<dyn Ear>>) -> Arc<Self> {
        Arc::new(Self { holder: Holder::new(capabilities.legacy(), ear), inner: Mutex::default() })
    }

    pub(crate) fn holder(&self) -> &Arc<Holder> {
        &self.holder
    }

    /// Tells the backends of open sessions, and of those that are opened later, which log messages are wanted (2025-11-25,
    /// server/utilities/logging). `caller` is who asked for it.
    pub fn set_log_level(&self, backends: &[Arc<Backend>], caller: &Identity, level: LoggingLevel) {
        self.holder.set_level(level);
        self.each_open(backends, caller, |backend, session| backend.send_level(Some(caller.clone()), session));
    }

    /// Tells the backends of open sessions that the client has other roots now (2025-11-25, client/roots).
    pub fn roots_changed(&self, backends: &[Arc<Backend>], caller: &Identity) {
        if !self.holder.capabilities.contains(CapabilitySet::ROOTS_LIST_CHANGED) {
            return;
        }
        self.each_open(backends, caller, |backend, session| {
            backend.send_roots_changed(Some(caller.clone()), session);
        });
    }

    /// Open sessions that were opened with the values that this caller brings now.
    fn each_open(&self, backends: &[Arc<Backend>], caller: &Identity, tell: impl Fn(&Arc<Backend>, &Arc<super::Session>)) {
        let open: Vec<_> = {
            let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.slots.iter().filter_map(|slot| Some((slot.backend, slot.key, slot.cell.current()?))).collect()
        };
        for (id, key, session) in open {
            let backend = backends.iter().find(|backend| backend.id() == id);
            if let Some(backend) =
                backend.filter(|backend| backend.missing_required(caller).is_none() && backend.session_key(caller) == key)
            {
                tell(backend, &session);
            }
        }
    }

    /// How many backend sessions there are, opened or being opened.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).slots.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the sessions at these backends, in tracked tasks, with static and service credentials only. A session in use ends after its
    /// last request.
    pub fn close(&self, backends: &[Arc<Backend>]) {
        self.close_for(backends, None);
    }

    fn close_for(&self, backends: &[Arc<Backend>], caller: Option<&Identity>) {
        let mut closed = Vec::new();
        {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.slots.retain(|slot| {
                let backend = backends.iter().find(|backend| backend.id() == slot.backend);
                closed.extend(backend.map(|backend| (Arc::clone(backend), slot.key, Arc::clone(&slot.cell))));
                backend.is_none()
            });
            inner.slots.shrink_to_fit();
        }
        for (backend, key, cell) in closed {
            // A session of another key was opened with other values than this request brings.
            let own = |caller: &&Identity| backend.session_key(caller) == key && backend.missing_required(caller).is_none();
            cell.retire(&backend, caller.filter(own).cloned());
        }
    }

    /// Ends the sessions at these backends as [`Self::close`] does, for good: one that a request still under way opens later is closed
    /// after that request.
    pub fn end(&self, backends: &[Arc<Backend>]) {
        self.end_for(backends, None);
    }

    /// Ends the sessions at these backends for good, as [`Self::end`] does, because `caller` asked for it: those that were opened with the
    /// values that this caller brings now are ended with these values too.
    pub fn end_as(&self, backends: &[Arc<Backend>], caller: &Identity) {
        self.end_for(backends, Some(caller));
    }

    fn end_for(&self, backends: &[Arc<Backend>], caller: Option<&Identity>) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.close_for(backends, caller);
    }

    /// The place of the session for a key.
    pub(crate) fn at(&self, backend: &Arc<Backend>, key: SessionKey) -> Result<CellUse, ErrorKind> {
        let mut evicted = None;
        let found = self.inner.lock().unwrap_or_else(PoisonError::into_inner).find(backend, key, &self.holder, &mut evicted);
        if let Some(cell) = evicted {
            cell.retire(backend, None);
        }
        found.map_err(|TooMany| backend.too_many_credentials())
    }
}

impl Inner {
    fn find(
        &mut self,
        backend: &Arc<Backend>,
        key: SessionKey,
        holder: &Arc<Holder>,
        evicted: &mut Option<Arc<SessionCell>>,
    ) -> Result<CellUse, TooMany> {
        if self.ended {
            let cell = SessionCell::new(Arc::clone(holder));
            let used = CellUse::new(&cell, backend);
            cell.retire(backend, None);
            return Ok(used);
        }
        self.uses += 1;
        let used_now = self.uses;
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.key == key && slot.backend == backend.id()) {
            slot.used = used_now;
            return Ok(CellUse::new(&slot.cell, backend));
        }
        let own = self.slots.iter().filter(|slot| slot.backend == backend.id()).count();
        if own > 0 {
            self.spend(Instant::now())?;
        }
        if own >= KEYS {
            let idle = self.slots.iter().enumerate().filter(|(_, slot)| slot.backend == backend.id() && slot.cell.is_idle());
            let (oldest, _) = idle.min_by_key(|(_, slot)| slot.used).ok_or(TooMany)?;
            *evicted = Some(self.slots.swap_remove(oldest).cell);
        }
        let cell = SessionCell::new(Arc::clone(holder));
        let used = CellUse::new(&cell, backend);
        self.slots.reserve_exact(1);
        self.slots.push(Slot { backend: backend.id(), key, cell, used: used_now });
        Ok(used)
    }

    fn spend(&mut self, now: Instant) -> Result<(), TooMany> {
        let earned = self.counted.map_or(0, |counted| now.duration_since(counted).as_millis() / REFILL.as_millis());
        if earned > 0 || self.counted.is_none() {
            self.spent = self.spent.saturating_sub(u8::try_from(earned).unwrap_or(u8::MAX));
            self.counted = Some(now);
        }
        if self.spent >= BURST {
            return Err(TooMany);
        }
        self.spent += 1;
        Ok(())
    }
}

impl std::fmt::Debug for CallerSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallerSessions").field("len", &self.len()).finish_non_exhaustive()
    }
}
