//! All client sessions of a gateway.

use super::{
    EndpointId,
    client::{ClientSession, Made, Use},
    clock::Clock,
    common::Common,
    hash::IdHash,
    seal::{KeyError, MAX_ID_LEN, Sealer, Ticket, random},
};
use dashmap::DashMap;
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use vmcp_core::{CapabilitySet, Revision, plugin::Principal};

/// Bounds of the table.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) max: usize,
    pub(crate) max_per_peer: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) unused_timeout: Duration,
    pub(crate) max_age: Duration,
}

/// Why a request has no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSession {
    /// Forged, expired, deleted, or somebody else's: the caller cannot tell which.
    #[error("no such session; send `initialize` again")]
    NotFound,
    #[error("too many sessions; try again later")]
    Full,
    #[error("too many sessions from this address without authentication")]
    PeerFull,
    #[error("no random bytes from the operating system")]
    NoRandom,
}

/// How many sessions there are, and how many streams of theirs are read, for `/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionCounts {
    pub(crate) open: usize,
    pub(crate) max: usize,
    pub(crate) streams: usize,
}

pub(crate) struct SessionTable {
    pub(super) settings: Settings,
    sealer: Sealer,
    /// This process, in the ids that it issues.
    issuer: [u8; 4],
    common: Arc<Common>,
    pub(super) clock: Arc<Clock>,
    pub(super) sessions: DashMap<Box<str>, Arc<ClientSession>, IdHash>,
    count: AtomicUsize,
    peers: DashMap<IpAddr, usize>,
    /// Ended sessions whose ids another process issued: their own ids end by not being in the table.
    tombstones: moka::sync::Cache<[u8; 16], ()>,
    /// The least recently used idle sessions that the last look found, oldest last.
    pub(super) victims: Mutex<Vec<(u64, Box<str>)>>,
    /// Sessions that had to make room or were asked for too late: what they have at the backends is closed with that of the expired ones.
    pub(super) evicted: Mutex<Vec<Arc<ClientSession>>>,
}

impl SessionTable {
    pub(crate) fn new(settings: Settings, keys: &[Vec<u8>]) -> Result<Self, KeyError> {
        let issuer = random()?;
        Ok(Self {
            sealer: Sealer::new(keys)?,
            issuer,
            common: Common::new(issuer),
            clock: Clock::new(),
            sessions: DashMap::with_hasher(IdHash::new()),
            count: AtomicUsize::new(0),
            peers: DashMap::new(),
            tombstones: moka::sync::Cache::builder().max_capacity(1_000_000).time_to_live(settings.max_age).build(),
            victims: Mutex::default(),
            evicted: Mutex::default(),
            settings,
        })
    }

    /// What all sessions share with the gateway.
    pub(crate) fn common(&self) -> &Common {
        &self.common
    }

    /// What keys for other things than sessions may be derived from.
    pub(crate) fn secrets(&self) -> &[[u8; 32]] {
        self.sealer.secrets()
    }

    /// Opens a session at an endpoint. `peer` is set where sessions of one address are counted: without authentication, and not on loopback.
    pub(crate) fn create(
        &self,
        endpoint: &EndpointId,
        principal: &Principal,
        revision: Revision,
        capabilities: CapabilitySet,
        peer: Option<IpAddr>,
    ) -> Result<Arc<ClientSession>, NoSession> {
        let ticket = Ticket {
            random: random().map_err(|_| NoSession::NoRandom)?,
            principal: principal_hash(principal),
            revision,
            capabilities,
            issued_at: epoch_seconds(),
            issuer: self.issuer,
        };
        let id = self.sealer.seal(&ticket, endpoint).ok_or(NoSession::NoRandom)?.into_boxed_str();
        self.insert(id, &ticket, endpoint, principal, peer)
    }

    /// The session of this endpoint with this id, marked as in use, unless its time is over: nobody has to have looked before. An id that another process
    /// sealed with one of our keys is taken over.
    pub(crate) fn find(&self, id: &str, endpoint: &EndpointId, principal: &Principal, peer: Option<IpAddr>) -> Result<Use, NoSession> {
        if let Some(session) = self.sessions.get(id) {
            // Somebody else's session, or one of another endpoint, looks like none, and nothing happens to it.
            if session.principal != *principal || session.endpoint != *endpoint {
                return Err(NoSession::NotFound);
            }
            if !self.has_expired(&session) {
                // While the entry is held, nobody ends the session between this look and its use.
                return Ok(session.start_use(&self.clock));
            }
            drop(session);
            self.expire(id);
            return Err(NoSession::NotFound);
        }
        if id.len() > MAX_ID_LEN {
            return Err(NoSession::NotFound);
        }
        let ticket = self.sealer.open(id, endpoint).ok_or(NoSession::NotFound)?;
        let age = epoch_seconds().saturating_sub(ticket.issued_at);
        let ended = ticket.issuer == self.issuer || self.tombstones.contains_key(&ticket.random);
        if ended || age > self.settings.max_age.as_secs() || ticket.principal != principal_hash(principal) {
            return Err(NoSession::NotFound);
        }
        let session = self.insert(id.into(), &ticket, endpoint, principal, peer)?;
        tracing::debug!("took over a session that another process opened");
        Ok(session.start_use(&self.clock))
    }

    fn insert(
        &self,
        id: Box<str>,
        ticket: &Ticket,
        endpoint: &EndpointId,
        principal: &Principal,
        peer: Option<IpAddr>,
    ) -> Result<Arc<ClientSession>, NoSession> {
        if self.count.fetch_add(1, Ordering::AcqRel) >= self.settings.max && !self.evict() {
            self.count.fetch_sub(1, Ordering::AcqRel);
            return Err(NoSession::Full);
        }
        if let Some(peer) = peer {
            let mut open = self.peers.entry(peer).or_default();
            if *open >= self.settings.max_per_peer {
                drop(open);
                self.count.fetch_sub(1, Ordering::AcqRel);
                return Err(NoSession::PeerFull);
            }
            *open += 1;
        }
        let adopted = ticket.issuer != self.issuer;
        let made = Made {
            id: id.clone(),
            random: ticket.random,
            adopted,
            endpoint: endpoint.clone(),
            revision: ticket.revision,
            capabilities: ticket.capabilities,
            // The process that issued the id has asked questions too, fewer of them than a million in each second.
            first_question: if adopted { (epoch_seconds().saturating_sub(ticket.issued_at) + 1) << 20 } else { 1 },
        };
        let made = ClientSession::new(made, principal.clone(), peer, &self.common, self.clock.now());
        match self.sessions.entry(id) {
            dashmap::Entry::Vacant(entry) => {
                entry.insert(Arc::clone(&made));
                Ok(made)
            }
            dashmap::Entry::Occupied(entry) => {
                // Two requests took over one id at the same time: the first made the session.
                let first = Arc::clone(entry.get());
                drop(entry);
                self.release(&made);
                Ok(first)
            }
        }
    }

    /// Ends a session. The caller closes what belongs to it at the backends.
    pub(crate) fn remove(&self, id: &str) -> Option<Arc<ClientSession>> {
        self.remove_if(id, |_| true)
    }

    /// Ends a session if `condition` holds at that moment.
    pub(super) fn remove_if(&self, id: &str, condition: impl Fn(&ClientSession) -> bool) -> Option<Arc<ClientSession>> {
        let (_, session) = self.sessions.remove_if(id, |_, session| condition(session))?;
        if session.adopted {
            self.tombstones.insert(session.random, ());
        }
        self.release(&session);
        session.close_streams();
        session.forget_questions();
        Some(session)
    }

    fn release(&self, session: &ClientSession) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        if let Some(peer) = session.peer {
            if let Some(mut open) = self.peers.get_mut(&peer) {
                *open = open.saturating_sub(1);
            }
            self.peers.remove_if(&peer, |_, open| *open == 0);
        }
    }

    /// Every session at this moment.
    pub(crate) fn all(&self) -> Vec<Arc<ClientSession>> {
        self.sessions.iter().map(|entry| Arc::clone(&entry)).collect()
    }

    pub(crate) fn counts(&self) -> SessionCounts {
        SessionCounts { open: self.sessions.len(), max: self.settings.max, streams: self.common.replay.readers() }
    }
}

/// A principal as 16 bytes: length-prefixed, so that no two pairs of issuer and subject meet.
pub(crate) fn principal_hash(principal: &Principal) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in [&principal.issuer, &principal.subject] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut hash = [0; 16];
    hasher.finalize_xof().fill(&mut hash);
    hash
}

fn epoch_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
