//! The catalogue: many backends' tools, resources and prompts as one, and the way from each name back to its backend.
//!
//! Everything here is a decision about data that is already there: who gets which name ([`Rules`]), what callers of an era see
//! ([`Rules::merge`]) and whose a name or URI is ([`Catalogue`]). Listing, caching and telling callers about changes happen elsewhere.
//!
//! Items are never decoded and written anew. A backend's list keeps their raw text ([`BackendList`]); what is published is that text
//! with only the name, description or annotations replaced that a prefix or an override changes.

mod among_all;
mod facts;
mod instructions;
mod kind;
mod lint;
mod list;
mod merge;
mod merged;
mod param_header;
mod report;
mod restrict;
mod rules;
mod uri;

#[cfg(test)]
mod tests;

pub use instructions::merge_instructions;
pub use kind::ListKind;
pub use list::{
    BackendList, BackendListBuilder, CacheScope, ListHints, MAX_BYTES, MAX_ITEMS, MAX_PAGES, Malformed, Rejected, StateError, TooLarge,
};
pub use merged::{Catalogue, Route, ToolRoute};
pub use param_header::{AnnotationError, ParamHeader, ParamKind};
pub use report::{Collision, CollisionReason, Concern, Finding, Owner};
pub use restrict::{Listed, Selection};
pub use rules::{RuleProblem, RuleReason, Rules, Unlisted};
pub use uri::TemplateError;
