//! Which process serves whom.

use super::{Owner, Program, Starter, den::Den};
use crate::{
    Backend, ErrorKind, SessionKey, Shared, Speaks,
    flight::{Flight, Outcome},
    outgoing::Audience,
    pipe::{ChildPipe, Link, PipeOptions},
    seldom::Seldom,
    session::{Holder, Switch},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;
use vmcp_core::{CapabilitySet, Era, config::ProcessScope};

/// How long a caller's own process of a modern server is kept without being used. Nothing is lost with it: there are no sessions.
const IDLE: Duration = Duration::from_secs(600);

/// How often is looked.
const LOOK: Duration = Duration::from_secs(60);

/// How often a process is tried to be started or found for one request, where others start theirs meanwhile.
const ROUNDS: u32 = 64;

/// The processes of one backend.
pub(crate) struct Programs {
    starter: Starter,
    options: PipeOptions,
    scope: Option<ProcessScope>,
    /// Those that more than one request or session may use.
    kept: Mutex<HashMap<Key, Kept>>,
    starting: Flight<Result<(), ErrorKind>>,
}

/// The era that a process is used in, and whose it is; `None`: everybody's.
type Key = (Era, Option<SessionKey>);

struct Kept {
    den: Arc<Den>,
    /// For modern requests, which have no sessions that would hold the process.
    link: Option<Link>,
    used: Instant,
}

impl Programs {
    pub(crate) fn new(name: &Arc<str>, program: Program, shared: &Shared, closing: &CancellationToken) -> Self {
        let scope = program.scope;
        let starter = Starter::new(name, program, shared.options.watchdog.clone(), shared.tracker(), closing);
        let options = PipeOptions {
            backend: Arc::clone(name),
            max_message: shared.options.max_response_bytes,
            budget: Arc::clone(&shared.budget),
            tracker: shared.tracker().clone(),
            garbage: Arc::new(Seldom::new(1, Duration::from_secs(60))),
        };
        Self { starter, options, scope, kept: Mutex::default(), starting: Flight::default() }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many processes there are.
    pub(crate) fn running(&self) -> u32 {
        self.starter.running()
    }

    /// A process has ended.
    pub(super) fn forget(&self, den: &Den) {
        let gone: Vec<Kept> = self.kept().extract_if(|_, kept| std::ptr::eq(&*kept.den, den)).map(|(_, kept)| kept).collect();
        // Outside of the lock: dropping a way to a process may end it.
        drop(gone);
    }

    /// A way for a legacy session that is about to be opened.
    pub(crate) async fn open(&self, backend: &Arc<Backend>, audience: Audience<'_>, holder: &Arc<Holder>) -> Result<Link, ErrorKind> {
        let switch = Switch::new(Arc::clone(holder), backend.scope_of(audience), true);
        let owner = self.owner(backend, audience);
        match self.scope.unwrap_or(ProcessScope::Session) {
            ProcessScope::Session => match self.take_probed(backend, owner) {
                Some(Kept { den, link, .. }) => {
                    let joined = den.join(switch, true);
                    drop(link);
                    Ok(joined)
                }
                None => Ok(self.start(backend, audience, owner).await?.join(switch, true)),
            },
            ProcessScope::Principal | ProcessScope::Shared => {
                let key = (Era::Legacy, owner.key);
                let joined = self.keep(backend, audience, key, owner).await?.join(switch, true);
                // The probe has been held on to until now, so that somebody was there.
                let probing = self.kept().get_mut(&key).and_then(|kept| kept.link.take());
                drop(probing);
                Ok(joined)
            }
        }
    }

    /// The way for modern requests.
    pub(crate) async fn modern(&self, backend: &Arc<Backend>, audience: Audience<'_>) -> Result<Link, ErrorKind> {
        let owner = self.owner(backend, audience);
        // A caller without sessions has one process for all its requests, whatever a session would have.
        let is_shared = self.scope.map_or_else(|| !backend.policy().has_environment(), |scope| scope == ProcessScope::Shared);
        let key = (Era::Modern, owner.key.filter(|_| !is_shared));
        let owner = if is_shared { Owner::default() } else { owner };
        for _ in 0..ROUNDS {
            self.keep(backend, audience, key, owner).await?;
            if let Some(kept) = self.kept().get_mut(&key)
                && let Some(link) = kept.link.clone()
            {
                kept.used = Instant::now();
                return Ok(link);
            }
        }
        Err(ErrorKind::Overloaded)
    }

    /// Whose process it would be.
    fn owner(&self, backend: &Backend, audience: Audience<'_>) -> Owner {
        match audience {
            Audience::Caller(_) if self.scope == Some(ProcessScope::Shared) => Owner::default(),
            Audience::Caller(caller) => Owner { principal: backend.principal_key(caller), key: Some(backend.session_key(caller)) },
            Audience::Gateway => Owner::default(),
        }
    }

    /// The process that was asked for its era and turned out to be legacy: the first session has it.
    fn take_probed(&self, backend: &Backend, owner: Owner) -> Option<Kept> {
        if backend.eras().speaks(Era::Modern) == Speaks::Yes {
            return None;
        }
        let mut kept = self.kept();
        let usable = |key: &Key| kept.get(key).is_some_and(|kept| !kept.den.has_ended());
        // Without variables of a caller's, everybody's fits.
        let keys = [(Era::Modern, owner.key), (Era::Modern, None)];
        let key = keys.into_iter().find(|key| usable(key) && (key.1 == owner.key || !backend.policy().has_environment()))?;
        kept.remove(&key)
    }

    /// The process of this key, started if there is none.
    async fn keep(&self, backend: &Arc<Backend>, audience: Audience<'_>, key: Key, owner: Owner) -> Result<Arc<Den>, ErrorKind> {
        for _ in 0..ROUNDS {
            if let Some(kept) = self.kept().get(&key).filter(|kept| !kept.den.has_ended()) {
                return Ok(Arc::clone(&kept.den));
            }
            let start = || async {
                if self.kept().get(&key).is_some_and(|kept| !kept.den.has_ended()) {
                    return Ok(());
                }
                let probed = if key.0 == Era::Legacy { self.take_probed(backend, owner) } else { None };
                let (den, probing) = match probed {
                    Some(Kept { den, link, .. }) => (den, link),
                    None => (self.start(backend, audience, owner).await?, None),
                };
                let link = (key.0 == Era::Modern).then(|| {
                    let holder = Holder::new(CapabilitySet::NONE, None);
                    den.join(Switch::new(holder, backend.scope_of(audience), true), false)
                });
                if key.1.is_some() && link.is_some() {
                    backend.shared().spawn(end_when_idle(Arc::downgrade(backend), Arc::downgrade(&den), key));
                }
                let link = link.or(probing);
                self.kept().insert(key, Kept { den, link, used: Instant::now() });
                Ok(())
            };
            match self.starting.run(start).await {
                // Others start for themselves: what they could not start, this one may.
                Outcome::Own(Ok(())) | Outcome::Shared(_) => {}
                Outcome::Own(Err(error)) => return Err(error),
            }
        }
        Err(ErrorKind::Overloaded)
    }

    async fn start(&self, backend: &Arc<Backend>, audience: Audience<'_>, owner: Owner) -> Result<Arc<Den>, ErrorKind> {
        let variables = match audience {
            Audience::Caller(caller) => {
                backend.policy().environment(caller.forwarded()).map(|(name, value)| (name.to_owned(), value)).collect()
            }
            Audience::Gateway => Vec::new(),
        };
        let started = self.starter.start(owner, &variables).await?;
        let den = Den::new(backend);
        den.furnish(ChildPipe::open(started, Arc::clone(&den) as Arc<_>, &self.options));
        Ok(den)
    }
}

/// Ends a caller's process when nobody has used it for a while.
async fn end_when_idle(backend: Weak<Backend>, den: Weak<Den>, key: Key) {
    loop {
        sleep(LOOK).await;
        let (Some(backend), Some(den)) = (backend.upgrade(), den.upgrade()) else { return };
        let Some(programs) = backend.wire().programs() else { return };
        let unused = match programs.kept().get(&key) {
            Some(kept) if Arc::ptr_eq(&kept.den, &den) => kept.used.elapsed(),
            _ => return,
        };
        if unused >= IDLE && den.is_idle() {
            programs.forget(&den);
            return;
        }
    }
}
