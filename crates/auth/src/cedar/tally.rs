//! What the policies say, put together: each speaks for itself, and a `forbid` goes before every `permit`.

use super::{
    errors,
    path::shown,
    policies::{Group, forbids},
};
use cedar_policy::{
    ActionConstraint, AuthorizationError, Entities, EntityUid, Policy, PolicyId, PrincipalConstraint, Request, ResourceConstraint, Response,
};
use std::collections::HashSet;
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
    /// Adds what Cedar answers about a group's policies. `unknown` are the claims and arguments that no policy can compare.
    pub(super) fn add(&mut self, group: &Group, asked: (&Request, &Entities), response: &Response, unknown: &[String], is_call: bool) {
        let diagnostics = response.diagnostics();
        let blind = if unknown.is_empty() { HashSet::new() } else { self.add_blind(group, asked, unknown) };
        for AuthorizationError::PolicyEvaluationError(error) in diagnostics.errors() {
            let (id, inner): (&PolicyId, _) = (error.policy_id(), error.inner());
            if blind.contains(id) {
                continue;
            }
            let forbids = group.forbids(id);
            let lacks_argument = errors::missing_attribute(inner).is_some_and(|name| name.starts_with("arg_"));
            if !is_call && lacks_argument {
                // What is not being called has no arguments yet: whoever may call it with some sees it.
                self.undecided.extend((!forbids).then(|| id.to_string()));
                continue;
            }
            self.fail(id, forbids, errors::words(inner));
        }
        if response.decision() == cedar_policy::Decision::Allow {
            self.permitting.extend(diagnostics.reason().filter(|id| !blind.contains(id)).map(ToString::to_string));
        } else {
            self.forbidding.extend(diagnostics.reason().map(ToString::to_string));
        }
    }

    /// Those that look at something of which nothing can be said cannot be evaluated: to a `has` it would not be there.
    fn add_blind<'g>(&mut self, group: &'g Group, asked: (&Request, &Entities), unknown: &[String]) -> HashSet<&'g PolicyId> {
        let mut blind = HashSet::new();
        for (policy, looks) in &group.readers {
            if !may_meet(policy, asked) {
                continue;
            }
            let Some(path) = unknown.iter().find(|path| looks.at(path)) else { continue };
            // What does not stand in the policy is the caller's word.
            let what = if looks.names(path) { format!("`{}`", shown(path)) } else { "a claim or an argument".to_owned() };
            let why = "no policy can compare: a number that is neither a whole one that a double holds nor one of four places, or what lies too deep";
            self.fail(policy.id(), forbids(policy), format!("{what} has a value that {why}"));
            blind.insert(policy.id());
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

/// Whether a policy's head is about this request.
fn may_meet(policy: &Policy, (request, entities): (&Request, &Entities)) -> bool {
    let (Some(principal), Some(action), Some(resource)) = (request.principal(), request.action(), request.resource()) else { return true };
    let within = |above: &EntityUid, uid: &EntityUid| above == uid || entities.is_ancestor_of(above, uid);
    let by_principal = match policy.principal_constraint() {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Eq(uid) => *principal == uid,
        PrincipalConstraint::In(above) => within(&above, principal),
        PrincipalConstraint::Is(of) => *principal.type_name() == of,
        PrincipalConstraint::IsIn(of, above) => *principal.type_name() == of && within(&above, principal),
    };
    let by_action = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => *action == uid,
        ActionConstraint::In(above) => above.iter().any(|above| within(above, action)),
    };
    let by_resource = match policy.resource_constraint() {
        ResourceConstraint::Any => true,
        ResourceConstraint::Eq(uid) => *resource == uid,
        ResourceConstraint::In(above) => within(&above, resource),
        ResourceConstraint::Is(of) => *resource.type_name() == of,
        ResourceConstraint::IsIn(of, above) => *resource.type_name() == of && within(&above, resource),
    };
    by_principal && by_action && by_resource
}
