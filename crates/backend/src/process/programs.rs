//! Which process serves whom.

use super::{Owner, Program, Starter, den::Den};
use crate::{
    Backend, ErrorKind, SessionKey, Shared, Speaks,
    budget::Budget,
    flight::Flight,
    outgoing::Audience,
    pipe::{ChildPipe, Link, PipeOptions},
    session::{Holder, Switch},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;
use vmcp_core::{CapabilitySet, Era, Seldom, config::ProcessScope};

/// How long a caller's own process of a modern server is kept without being used. Nothing is lost with it: there are no sessions.
const IDLE: Duration = Duration::from_secs(600);

/// How often is looked.
const LOOK: Duration = Duration::from_secs(60);

/// How often a process is looked for or started for one request, where it ends again before the request is there.
const ROUNDS: u32 = 8;

/// The processes of one backend.
pub(crate) struct Programs {
    starter: Starter,
    options: PipeOptions,
    scope: Option<ProcessScope>,
    /// Those that more than one request or session may use.
    kept: Mutex<HashMap<Key, Kept>>,
    /// Who waits for a start waits for that of its own process, and shares how it went.
    starting: Mutex<HashMap<Key, Weak<Start>>>,
}

type Start = Flight<Result<(), ErrorKind>>;

/// The era that a process is used in, and whose it is; `None`: everybody's.
type Key = (Era, Option<SessionKey>);

struct Kept {
    den: Arc<Den>,
    /// For modern requests, which have no sessions that would hold the process.
    link: Option<Link>,
    owner: Owner,
    used: Instant,
}

impl Programs {
    pub(crate) fn new(name: &Arc<str>, program: Program, shared: &Shared, budget: &Arc<Budget>, closing: &CancellationToken) -> Self {
        let scope = program.scope;
        let starter = Starter::new(name, program, shared.options.watchdog.clone(), shared.tracker(), closing);
        let options = PipeOptions {
            backend: Arc::clone(name),
            max_message: shared.options.max_response_bytes,
            budget: Arc::clone(budget),
            tracker: shared.tracker().clone(),
            garbage: Arc::new(Seldom::new(1, Duration::from_secs(60))),
        };
        Self { starter, options, scope, kept: Mutex::default(), starting: Mutex::default() }
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
            ProcessScope::Session => {
                // The probe holds on to it until the session is there.
                let probed = self.take_probed(backend, owner);
                if let Some(joined) = probed.as_ref().and_then(|kept| kept.den.join(&switch, true)) {
                    return Ok(joined);
                }
                let den = self.start(backend, audience, owner).await?;
                den.join(&switch, true).ok_or_else(|| den.end().unwrap_or(ErrorKind::ShuttingDown))
            }
            ProcessScope::Principal | ProcessScope::Shared => {
                let key = (Era::Legacy, owner.key);
                for _ in 0..ROUNDS {
                    let den = self.keep(backend, audience, key, owner).await?;
                    if let Some(joined) = den.join(&switch, true) {
                        let probing = self.kept().get_mut(&key).and_then(|kept| kept.link.take());
                        drop(probing);
                        return Ok(joined);
                    }
                    // It fell over at once; or its last session has just left it, and another one takes its place.
                    if let Some(why) = den.end() {
                        return Err(why);
                    }
                }
                Err(ErrorKind::Overloaded)
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
        let usable = |key: &Key| kept.get(key).is_some_and(|kept| !kept.den.is_over());
        // Without variables of a caller's, everybody's fits.
        let keys = [(Era::Modern, owner.key), (Era::Modern, None)];
        let key = keys.into_iter().find(|key| usable(key) && (key.1 == owner.key || !backend.policy().has_environment()))?;
        kept.remove(&key)
    }

    /// The process of this key, started if there is none.
    async fn keep(&self, backend: &Arc<Backend>, audience: Audience<'_>, key: Key, owner: Owner) -> Result<Arc<Den>, ErrorKind> {
        for _ in 0..ROUNDS {
            if let Some(kept) = self.kept().get(&key).filter(|kept| !kept.den.is_over()) {
                return Ok(Arc::clone(&kept.den));
            }
            let start = || async {
                if self.kept().get(&key).is_some_and(|kept| !kept.den.is_over()) {
                    return Ok(());
                }
                let probed = if key.0 == Era::Legacy { self.take_probed(backend, owner) } else { None };
                let (den, probing) = match probed {
                    Some(Kept { den, link, .. }) => (den, link),
                    None => (self.start(backend, audience, owner).await?, None),
                };
                let link = if key.0 == Era::Modern {
                    if key.1.is_some() {
                        backend.shared().spawn(end_when_idle(Arc::downgrade(backend), Arc::downgrade(&den), key));
                    }
                    let holder = Holder::new(CapabilitySet::NONE, None);
                    den.join(&Switch::new(holder, backend.scope_of(audience), true), false)
                } else {
                    probing
                };
                let before = self.kept().insert(key, Kept { den, link, owner, used: Instant::now() });
                // Outside of the lock: dropping a way to a process may end it.
                drop(before);
                Ok(())
            };
            self.start_of(key).run(start).await.into_inner()?;
        }
        Err(ErrorKind::Overloaded)
    }

    /// The start of this key's process, which all who need it wait for.
    fn start_of(&self, key: Key) -> Arc<Start> {
        let mut starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = starting.get(&key).and_then(Weak::upgrade) {
            return running;
        }
        starting.retain(|_, start| start.strong_count() > 0);
        let start = Arc::default();
        starting.insert(key, Arc::downgrade(&start));
        start
    }

    /// Ends a process that nobody uses at the moment, where there is no place for this one's.
    fn make_room(&self, backend: &Arc<Backend>, owner: Owner) {
        let Err(ErrorKind::Processes { is_principals, .. }) = self.starter.place(owner) else { return };
        let idle = {
            let mut kept = self.kept();
            let may_go = |(key, kept): &(&Key, &Kept)| {
                key.0 == Era::Modern && key.1.is_some() && (!is_principals || kept.owner.principal == owner.principal) && kept.den.is_idle()
            };
            let oldest = kept.iter().filter(may_go).min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key);
            oldest.and_then(|key| kept.remove(&key))
        };
        if idle.is_none()
            && !is_principals
            && let Some(session) = backend.pool().take_oldest()
        {
            backend.close_session(session);
        }
    }

    async fn start(&self, backend: &Arc<Backend>, audience: Audience<'_>, owner: Owner) -> Result<Arc<Den>, ErrorKind> {
        let variables = match audience {
            Audience::Caller(caller) => {
                backend.policy().environment(caller.forwarded()).map(|(name, value)| (name.to_owned(), value)).collect()
            }
            Audience::Gateway => Vec::new(),
        };
        self.make_room(backend, owner);
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
