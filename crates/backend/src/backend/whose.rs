//! Whose sessions and lists those of a backend are: everybody's, or one caller's.

use super::Backend;
use crate::{SessionKey, ViewScope, outgoing::Audience};
use http::HeaderName;
use vmcp_auth::Identity;
use vmcp_core::{config::ListScope, plugin::StrategyContext};

impl Backend {
    /// The key of a caller's sessions: principal, raw inbound values of credential entries, the strategy's subject key, generation.
    #[must_use]
    pub fn session_key(&self, caller: &Identity) -> SessionKey {
        let context = caller.strategy_context(&self.name);
        let subject = self.strategy.subject_key(&context);
        let material = self.policy.credential_material(caller.forwarded());
        let material = material.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        self.keys.key(caller.principal(), subject.as_deref(), material)
    }

    /// What tells one caller from another whatever their credentials; `None` where nobody is told apart.
    pub(crate) fn principal_key(&self, caller: &Identity) -> Option<SessionKey> {
        let principal = caller.principal();
        (principal != Identity::anonymous().principal()).then(|| self.keys.key(principal, None, std::iter::empty()))
    }

    /// For whom a list is that this caller gets.
    #[must_use]
    pub fn scope(&self, caller: &Identity) -> ViewScope {
        if self.depends_on_callers() || self.strategy.subject_key(&caller.strategy_context(&self.name)).is_some() {
            ViewScope::Caller(self.session_key(caller))
        } else {
            ViewScope::Shared
        }
    }

    /// Whether every caller is answered the same lists, which the gateway may then fetch by itself.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        let claims = serde_json::Map::new();
        !self.depends_on_callers() && self.strategy.subject_key(&StrategyContext::new(&self.name, None, &claims)).is_none()
    }

    fn depends_on_callers(&self) -> bool {
        self.list_scope == ListScope::Session || self.policy.is_caller_dependent()
    }

    /// The first required header that the caller's request lacks.
    #[must_use]
    pub fn missing_required(&self, caller: &Identity) -> Option<HeaderName> {
        self.policy.missing_required(caller.forwarded()).cloned()
    }

    /// Whose lists change when the backend says so to this audience.
    pub(crate) fn scope_of(&self, audience: Audience<'_>) -> ViewScope {
        match audience {
            Audience::Caller(caller) => self.scope(caller),
            Audience::Gateway => ViewScope::Shared,
        }
    }
}
