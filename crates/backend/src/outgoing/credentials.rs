//! What the strategy gives for a request: what is kept, else what it is asked for once for all who wait.

use super::Audience;
use crate::{Backend, ErrorKind};
use serde_json::{Map, Value};
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::time::timeout;
use vmcp_auth::{CredentialCache, Found, Turn};
use vmcp_core::{
    Seldom,
    config::{OnError, Span},
    header::{BackendPolicy, Forwarded},
    plugin::{Credentials, OutgoingStrategy, StrategyContext, StrategyError},
};

/// A strategy is not waited for longer than this.
const RESOLVE: Duration = Duration::from_secs(30);

/// How often a caller goes on to wait when whoever asked for all gave up: its task ended with its runtime, or the plugin panicked.
const TRIES: usize = 3;

static NO_CLAIMS: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// What is kept of what the strategy gave, and what to do when it gives nothing.
pub(crate) struct Keeping {
    cache: Arc<CredentialCache>,
    on_error: OnError,
    skipped: Seldom,
}

impl Keeping {
    pub(crate) fn new(cache: Arc<CredentialCache>, on_error: OnError) -> Self {
        Self { cache, on_error, skipped: Seldom::new(1, Duration::from_secs(60)) }
    }
}

/// Credentials for one request.
pub(crate) struct Used {
    pub(crate) credentials: Credentials,
    /// Whether the header policy has seen them.
    pub(crate) is_admitted: bool,
    /// Which ones they are, where they were at hand: newer ones may do better.
    pub(crate) stamp: Option<u64>,
}

impl Used {
    fn new(credentials: Credentials) -> Self {
        Self { credentials, is_admitted: false, stamp: None }
    }

    fn kept(credentials: Credentials, stamp: Option<u64>) -> Self {
        Self { credentials, is_admitted: true, stamp }
    }
}

impl Backend {
    /// The credentials for a request. What is at hand costs no future.
    pub(crate) async fn credentials(&self, audience: Audience<'_>) -> Result<Used, ErrorKind> {
        if let Some(fixed) = self.strategy().fixed() {
            return Ok(Used::new(fixed.clone()));
        }
        match self.find(audience) {
            Found::Ready(given) => Ok(Used::kept(given.credentials, Some(given.stamp))),
            Found::Due(given, turn) => {
                self.ask(turn, audience);
                Ok(Used::kept(given.credentials, Some(given.stamp)))
            }
            found => Box::pin(self.wait_for(found, audience)).await,
        }
    }

    /// Waits until credentials are at hand, where they are kept.
    pub(crate) async fn have_credentials(&self, audience: Audience<'_>) -> Result<(), ErrorKind> {
        if self.strategy().fixed().is_some() {
            return Ok(());
        }
        match self.find(audience) {
            Found::Nothing | Found::Ready(_) => Ok(()),
            found => Box::pin(self.wait_for(found, audience)).await.map(drop),
        }
    }

    /// The backend refused a request with these credentials. Whether it makes sense to send it with others, now that these are dropped.
    pub(crate) fn drops(&self, audience: Audience<'_>, stamp: u64) -> bool {
        self.keeping().cache.refused(&**self.strategy(), &self.context(audience), stamp)
    }

    fn find(&self, audience: Audience<'_>) -> Found {
        self.keeping().cache.find(&**self.strategy(), &self.context(audience))
    }

    fn context<'a>(&'a self, audience: Audience<'a>) -> StrategyContext<'a> {
        match audience {
            Audience::Caller(caller) => caller.strategy_context(self.name()),
            Audience::Gateway => StrategyContext::new(self.name(), None, &NO_CLAIMS),
        }
    }

    async fn wait_for(&self, mut found: Found, audience: Audience<'_>) -> Result<Used, ErrorKind> {
        for _ in 0..TRIES {
            let waiting = match found {
                Found::Ready(given) => return Ok(Used::kept(given.credentials, None)),
                Found::Due(given, turn) => {
                    self.ask(turn, audience);
                    return Ok(Used::kept(given.credentials, None));
                }
                Found::Failed(error) => return self.without(&error.to_string()),
                Found::Nothing => return self.resolve(audience).await,
                Found::Absent(turn, waiting) => {
                    self.ask(turn, audience);
                    waiting
                }
                Found::Coming(waiting) => waiting,
            };
            match timeout(self.patience(), waiting.outcome()).await {
                Ok(Some(Ok(given))) => return Ok(Used::kept(given.credentials, None)),
                Ok(Some(Err(error))) => return self.without(&error.to_string()),
                Ok(None) => found = self.find(audience),
                Err(_) => return self.without(&too_slow(self.patience()).to_string()),
            }
        }
        self.without("whoever asked for credentials gave up, again and again")
    }

    /// Asks the strategy for this one request.
    async fn resolve(&self, audience: Audience<'_>) -> Result<Used, ErrorKind> {
        let context = self.context(audience);
        match timeout(self.patience(), self.strategy().resolve(&context)).await {
            Ok(Ok(credentials)) => Ok(Used::new(credentials)),
            Ok(Err(error)) => self.without(&error.to_string()),
            Err(_) => self.without(&too_slow(self.patience()).to_string()),
        }
    }

    /// The strategy failed. The gateway's own requests are no exception: what a backend shows to nobody in particular is not what it shows
    /// with credentials. A strategy that has nothing for them says so by giving nothing.
    fn without(&self, why: &str) -> Result<Used, ErrorKind> {
        match self.keeping().on_error {
            OnError::Deny => return Err(ErrorKind::Credentials(why.to_owned())),
            OnError::Skip if self.keeping().skipped.may() => {
                tracing::warn!(backend = &**self.name(), why, "requests go to the backend without credentials");
            }
            OnError::Skip => {}
        }
        Ok(Used::new(Credentials::none()))
    }

    /// Has the strategy asked, in a task of its own: the caller whose turn it is may go away, and those who wait need not ask again then.
    fn ask(&self, turn: Turn, audience: Audience<'_>) {
        // Strategies do not see the request's headers, so nothing is to hold on to them.
        let caller = match audience {
            Audience::Caller(caller) => Some(caller.with_forwarded(Forwarded::default())),
            Audience::Gateway => None,
        };
        let (strategy, policy, name) = (Arc::clone(self.strategy()), Arc::clone(self.policy_arc()), Arc::clone(self.name()));
        let (limit, closing) = (self.patience(), self.closing().clone());
        self.shared().spawn(async move {
            let context = match &caller {
                Some(caller) => caller.strategy_context(&name),
                None => StrategyContext::new(&name, None, &NO_CLAIMS),
            };
            let asking = async { admitted(strategy.resolve(&context).await?, &policy, &*strategy) };
            tokio::select! {
                biased;
                // Whoever waits finds out that there is nothing to wait for.
                () = closing.cancelled() => drop(turn),
                given = timeout(limit, asking) => turn.settle(given.unwrap_or_else(|_| Err(too_slow(limit)))),
            }
        });
    }

    /// How long the strategy is waited for.
    fn patience(&self) -> Duration {
        self.silence().min(RESOLVE)
    }
}

fn too_slow(limit: Duration) -> StrategyError {
    StrategyError::Issuer(format!("the strategy gave none within {}", Span(limit)))
}

/// What is kept is looked at once, when it comes.
fn admitted(given: Credentials, policy: &BackendPolicy, strategy: &dyn OutgoingStrategy) -> Result<Credentials, StrategyError> {
    if let Credentials::Headers { headers, .. } = &given {
        policy
            .admits_credentials(headers, strategy.managed_headers())
            .map_err(|name| StrategyError::Config(format!("the strategy gave the header `{name}`, which it may not write")))?;
    }
    Ok(given)
}
