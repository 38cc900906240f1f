//! Who callers are, and what they may do.

use super::{Planner, plugins::recorded};
use std::sync::Arc;
use vmcp_core::{
    config::Problem,
    plugin::{Authenticator, Authorizer},
};

/// The authorizer that is there only with the Cargo feature of its name.
const CEDAR: &str = "cedar";

impl Planner<'_> {
    pub(super) fn authenticator(&mut self) -> Option<Arc<dyn Authenticator>> {
        let incoming = &self.config.incoming_auth;
        let (deps, recorder) = recorded(&incoming.kind, &incoming.settings, self.deps);
        let built = self.plugin(&self.checker.plugins.authenticators, &incoming.kind, &incoming.settings, "incomingAuth", &deps);
        self.incoming = recorder.map(|recorder| recorder.fingerprint());
        built
    }

    pub(super) fn authorizer(&mut self, authenticator: Option<&dyn Authenticator>) -> Option<Arc<dyn Authorizer>> {
        let authz = self.config.incoming_auth.authz.as_ref().filter(|authz| authz.kind != "none")?;
        if authz.kind == CEDAR && !self.checker.plugins.authorizers.kinds().any(|kind| kind == CEDAR) {
            let problem = Problem::error("incomingAuth.authz.type", "`cedar` is not part of this program");
            self.problems.push(problem.with_hint("build it with the Cargo feature `cedar` of `vmcp-server`"));
            return None;
        }
        let mut deps = self.deps.clone();
        deps.issuer = only_issuer(authenticator);
        let kinds = &self.checker.plugins.authorizers;
        let built = kinds.build(&authz.kind, &authz.settings, &deps);
        built.map_err(|error| self.refused(kinds, &authz.kind, "incomingAuth.authz", &error)).ok()
    }
}

/// The one issuer of all callers. Of an authenticator that could not be built it is not known; that is told already, and nothing follows from
/// it.
pub(super) fn only_issuer(authenticator: Option<&dyn Authenticator>) -> Option<Arc<str>> {
    authenticator.map_or_else(|| Some(Arc::default()), |authenticator| authenticator.issuer().map(Arc::from))
}
