//! The header policy, from the configuration and from what plugins write and consume.

use super::{Planner, Statics, Strategy};
use crate::gateway::told::{at_strategies, place_of, with_advice};
use vmcp_core::{
    config::{Backend, Problem, ProcessScope, Transport},
    header::{BackendSpec, HeaderPolicy, Place, PolicySpec, StartedSpec},
    plugin::Authenticator,
};

impl<'a> Planner<'a> {
    pub(super) fn policy_spec<'b>(
        &self,
        authenticator: Option<&'b dyn Authenticator>,
        strategies: &'b [Option<Strategy>],
        statics: Statics<'b>,
    ) -> PolicySpec<'b>
    where
        'a: 'b,
    {
        let config = self.config;
        let backends = config.backends.iter().zip(strategies).zip(statics).map(|((backend, strategy), statics)| BackendSpec {
            passthrough: &backend.passthrough_headers,
            stood_for: strategy.as_ref().map_or(&[], |strategy| strategy.strategy.passthrough()),
            inherit: backend.inherit_passthrough_headers,
            allow_credential: backend.allow_credential_header_passthrough,
            allow_plaintext: backend.allow_plaintext,
            statics,
            managed: strategy.as_ref().map_or(&[], |strategy| strategy.strategy.managed_headers()),
            ..BackendSpec::at(
                &backend.name,
                match (backend.reached_by(), &backend.url) {
                    (Transport::Stdio, _) => Place::Process(started(backend)),
                    (_, Some(url)) => Place::Url(url),
                    (_, None) => Place::Unknown,
                },
            )
        });
        PolicySpec {
            global: &config.passthrough_headers,
            allow_credential: config.allow_credential_header_passthrough,
            consumed: authenticator.map_or(&[], Authenticator::consumed_headers),
            backends: backends.collect(),
        }
    }

    pub(super) fn policy(
        &mut self,
        authenticator: Option<&dyn Authenticator>,
        strategies: &[Option<Strategy>],
        statics: Statics<'_>,
    ) -> Option<HeaderPolicy> {
        let config = self.config;
        let spec = self.policy_spec(authenticator, strategies, statics);
        match HeaderPolicy::compile(&spec) {
            Ok(policy) => {
                let warnings = policy.warnings().iter();
                self.problems
                    .extend(warnings.map(|warning| with_advice(&place_of(config, warning), &warning.to_string(), Problem::warning)));
                Some(policy)
            }
            Err(problems) => {
                let problems = at_strategies(config, problems);
                self.problems.extend(problems.iter().map(|problem| with_advice(&problem.path, &problem.message(), Problem::error)));
                None
            }
        }
    }
}

fn started(backend: &Backend) -> StartedSpec<'_> {
    StartedSpec {
        is_shared: backend.process == Some(ProcessScope::Shared),
        env: backend.env.keys().map(String::as_str).collect(),
        env_passthrough: &backend.env_passthrough,
    }
}
