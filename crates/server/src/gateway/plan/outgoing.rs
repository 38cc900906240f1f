//! What each backend is given for its callers.

use super::{Planner, Strategy, incoming::only_issuer, plugins::recorded};
use vmcp_core::{
    config::{Problem, StrategyConfig, Transport, key_path},
    plugin::{Authenticator, Deps},
};

impl Planner<'_> {
    /// One strategy for each backend: its own, else the default, else none.
    pub(super) fn strategies(&mut self, authenticator: Option<&dyn Authenticator>) -> Vec<Option<Strategy>> {
        let mut deps = self.deps.clone();
        // Nothing is known of one that could not be built, and nothing follows from it.
        deps.caller_tokens = authenticator.map(Authenticator::caller_tokens).unwrap_or_default();
        deps.issuer = only_issuer(authenticator);
        let deps = &deps;
        let outgoing = &self.config.outgoing_auth;
        let none = StrategyConfig::of_kind("unauthenticated");
        let default = match &outgoing.default {
            Some(default) => self.strategy(default, "outgoingAuth.default", deps),
            None => self.strategy(&none, "outgoingAuth", deps),
        };
        let own = |planner: &mut Self, name: &String| {
            let strategy = outgoing.backends.get(name)?;
            Some(planner.strategy(strategy, &key_path("outgoingAuth.backends", name), deps))
        };
        let mut strategies = Vec::with_capacity(self.config.backends.len());
        let mut unreached = Vec::new();
        for backend in &self.config.backends {
            let writes = |strategy: &Option<Strategy>| {
                strategy.as_ref().is_some_and(|own| !own.strategy.managed_headers().is_empty() || !own.strategy.passthrough().is_empty())
            };
            strategies.push(match own(self, &backend.name) {
                Some(own) => own,
                // What holds for all backends is no mistake where it cannot be.
                None if backend.reached_by() == Transport::Stdio && writes(&default) => {
                    unreached.push(format!("`{}`", backend.name));
                    self.strategy(&none, "outgoingAuth", deps)
                }
                None => default.clone(),
            });
        }
        if !unreached.is_empty() {
            let message = format!("writes headers, which {} is not sent: it is started with `command`", unreached.join(", "));
            let hint = "give it its credential under `env`, and `type: unauthenticated` under outgoingAuth.backends";
            self.problems.push(Problem::warning("outgoingAuth.default", message).with_hint(hint));
        }
        strategies
    }

    fn strategy(&mut self, strategy: &StrategyConfig, path: &str, deps: &Deps) -> Option<Strategy> {
        let (deps, recorder) = recorded(&strategy.kind, &strategy.settings, deps);
        let built = self.plugin(&self.checker.plugins.strategies, &strategy.kind, &strategy.settings, path, &deps)?;
        // Who a caller is and what is known of it decides too what is given to it.
        let fingerprint = recorder.zip(self.incoming).map(|(recorder, incoming)| {
            recorder.add(incoming.as_bytes());
            recorder.fingerprint()
        });
        Some(Strategy { kind: strategy.kind.clone(), strategy: built, on_error: strategy.on_error, fingerprint })
    }
}
