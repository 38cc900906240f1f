//! Entities that policies name and that nobody and nothing here can be: a policy that names one never applies, and a `forbid` that never
//! applies is a hole.

use super::{entities::Added, principal::Naming};
use cedar_policy::{EntityUid, Policy};

/// What a decision can be about. The last three are the original's: policies may have them, and nothing is ever decided about them.
const ACTIONS: [&str; 6] = ["call_tool", "get_prompt", "read_resource", "list_tools", "list_prompts", "list_resources"];
const TYPES: [&str; 8] = ["Client", "Action", "Tool", "Prompt", "Resource", "MCP", "Backend", "FeatureType"];

/// What is known of the world that policies speak of.
pub(super) struct World<'a> {
    pub(super) added: &'a Added,
    pub(super) naming: &'a Naming,
    pub(super) group_type: &'a str,
}

impl World<'_> {
    /// What is wrong with the entities that a policy names; each with what to do.
    pub(super) fn complaints(&self, policy: &Policy) -> Vec<String> {
        let mut all: Vec<String> = policy.entity_literals().iter().filter_map(|literal| self.complaint(literal)).collect();
        all.dedup();
        all
    }

    fn complaint(&self, literal: &EntityUid) -> Option<String> {
        if self.added.has(literal) {
            return None;
        }
        let (of, id) = (literal.type_name().to_string(), literal.id().unescaped());
        match of.as_str() {
            "Action" if !ACTIONS.contains(&id) && !self.added.has_type("Action") => {
                Some(format!("there is no {literal}; the actions are call_tool, get_prompt and read_resource"))
            }
            "Resource" if !id.contains(':') => Some(format!(
                "{literal} is no URI, by which resources are known; compare with the whole URI, or `resource.uri like` a part"
            )),
            "Client" if *self.naming == Naming::Qualified && !id.contains('#') => {
                Some(format!("{literal} is nobody, since callers may come from several issuers; write Client::\"<issuer>#<subject>\""))
            }
            of if of == self.group_type && *self.naming == Naming::Qualified && !id.contains('#') => {
                Some(format!("{literal} is no group, since callers may come from several issuers; write {of}::\"<issuer>#<group>\""))
            }
            of if TYPES.contains(&of) || of == self.group_type || self.added.has_type(of) => None,
            of => Some(format!(
                "{literal} is of type `{of}`, which nothing here has; a caller is a Client, in {}, and calls a Tool, Prompt or Resource, in MCP and Backend",
                self.group_type
            )),
        }
    }
}
