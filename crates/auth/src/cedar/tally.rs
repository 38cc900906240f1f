//! What the policies say, put together: each speaks for itself, and a `forbid` goes before every `permit`.

use super::{
    errors,
    policies::{Group, forbids},
};
use cedar_policy::{ActionConstraint, AuthorizationError, Policy, PolicyId, PrincipalConstraint, Request, ResourceConstraint, Response};
use vmcp_core::plugin::Decision;

/// The names of the policies that say something.
#[derive(Default)]
pub(super) struct Tally {
    permitting: Vec<String>,
    forbidding: Vec<String>,
    /// They permit with some arguments, and what is asked about is not being called.
    undecided: Vec<String>,
    /// They cannot be evaluated, and may have been meant for this very question.
    blocking: Vec<String>,
    errors: Vec<String>,
}

impl Tally {
    /// Adds what Cedar answers about a group's policies. `unknown` are the arguments that no policy can compare.
    pub(super) fn add(&mut self, group: &Group, request: &Request, response: &Response, unknown: &[String], is_call: bool) {
        let diagnostics = response.diagnostics();
        let is_allowed = response.decision() == cedar_policy::Decision::Allow;
        for AuthorizationError::PolicyEvaluationError(error) in diagnostics.errors() {
            let (id, inner): (&PolicyId, _) = (error.policy_id(), error.inner());
            let forbids = group.forbids(id);
            let lacks_argument = errors::missing_attribute(inner).is_some_and(|name| name.starts_with("arg_"));
            if !is_call && lacks_argument {
                // What is not being called has no arguments yet: whoever may call it with some sees it.
                self.undecided.extend((!forbids).then(|| id.to_string()));
                continue;
            }
            self.fail(id, forbids, errors::words(inner));
        }
        let blind = if unknown.is_empty() { Vec::new() } else { self.add_blind(group, request, unknown) };
        let reasons = diagnostics.reason().filter(|id| !blind.contains(id)).map(ToString::to_string);
        if is_allowed { self.permitting.extend(reasons) } else { self.forbidding.extend(reasons) }
    }

    /// Those that look at an argument that nothing can be said of cannot be evaluated: to a `has` it would not be there.
    fn add_blind<'g>(&mut self, group: &'g Group, request: &Request, unknown: &[String]) -> Vec<&'g PolicyId> {
        let mut blind = Vec::new();
        for (policy, reads) in &group.readers {
            let Some(name) = unknown.iter().find(|name| reads.includes(name)) else { continue };
            if !may_meet(policy, request) {
                continue;
            }
            // Where all count, the name is the caller's.
            let name = if reads.names(name) { format!("`{name}`") } else { "an argument".to_owned() };
            let why = "a number that no policy can compare: neither a whole one that a double holds nor one with up to four places";
            self.fail(policy.id(), forbids(policy), format!("{name} is {why}"));
            blind.push(policy.id());
        }
        blind
    }

    fn fail(&mut self, id: &PolicyId, forbids: bool, why: impl std::fmt::Display) {
        self.blocking.extend(forbids.then(|| id.to_string()));
        self.errors.push(format!("policy `{id}`: {why}"));
    }

    pub(super) fn decision(self) -> Decision {
        let Self { permitting, forbidding, undecided, blocking, mut errors } = self;
        let permitting = if permitting.is_empty() { undecided } else { permitting };
        let (is_allowed, mut reasons) = match (forbidding.is_empty(), permitting.is_empty(), blocking.is_empty()) {
            (false, ..) => (false, forbidding),
            (true, true, _) => (false, Vec::new()),
            (true, false, false) => (false, blocking),
            (true, false, true) => (true, permitting),
        };
        reasons.sort();
        errors.sort();
        let mut decision = Decision::new(is_allowed);
        (decision.reasons, decision.errors) = (reasons, errors);
        decision
    }
}

/// Whether a policy's head may be about this request: what is in what is not looked into.
fn may_meet(policy: &Policy, request: &Request) -> bool {
    let by_principal = match policy.principal_constraint() {
        PrincipalConstraint::Eq(uid) => request.principal() == Some(&uid),
        _ => true,
    };
    let by_action = match policy.action_constraint() {
        ActionConstraint::Eq(uid) => request.action() == Some(&uid),
        _ => true,
    };
    let by_resource = match policy.resource_constraint() {
        ResourceConstraint::Eq(uid) => request.resource() == Some(&uid),
        ResourceConstraint::Is(of) | ResourceConstraint::IsIn(of, _) => request.resource().is_none_or(|uid| *uid.type_name() == of),
        _ => true,
    };
    by_principal && by_action && by_resource
}
