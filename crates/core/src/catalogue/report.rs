//! What a merge has to report to the operator: names that were lost, and items that clients choke on.

use super::{
    ListKind,
    list::{Malformed, TooLarge},
    param_header::AnnotationError,
    uri::TemplateError,
};
use std::{fmt, sync::Arc};

/// A backend, by place in the configuration and by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Its place in the configuration, from 0.
    pub index: usize,
    /// Its name.
    pub name: Arc<str>,
}

/// Why one of two items that want the same name got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CollisionReason {
    /// Its backend stands first in the configuration.
    Order,
    /// Its backend stands first in `priorityOrder`.
    Priority,
    /// `manual`, and no override solves the conflict: its backend stands first in the configuration.
    Unsolved,
    /// `priority`: the loser only has the name with its prefix, the winner without one.
    Prefixed,
    /// Both are of one backend: the first in its list, or the one that an override names so.
    SameBackend,
}

/// An item that is not shown and cannot be called, because another one has its name or URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The list.
    pub kind: ListKind,
    /// The name, URI or template that both want.
    pub name: Arc<str>,
    /// Who has it.
    pub winner: Owner,
    /// Who lost it.
    pub loser: Owner,
    /// The name of the loser's item at its backend.
    pub original: Arc<str>,
    /// Why.
    pub reason: CollisionReason,
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, winner, loser, original, reason } = self;
        write!(f, "{} `{name}` of backend `{}`", kind.noun(), loser.name)?;
        if original != name {
            write!(f, " (there `{original}`)")?;
        }
        f.write_str(" is left out: ")?;
        match reason {
            CollisionReason::Order => write!(f, "backend `{}` has it too and stands first in the configuration", winner.name),
            CollisionReason::Priority => write!(f, "backend `{}` has it too and stands first in priorityOrder", winner.name),
            CollisionReason::Unsolved => write!(f, "backend `{}` has it too and no override gives one of them another name", winner.name),
            CollisionReason::Prefixed => write!(f, "with its prefix it has a name of backend `{}`", winner.name),
            CollisionReason::SameBackend => f.write_str("the backend has it twice"),
        }
    }
}

/// What is wrong with an item, or with the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Concern {
    /// The name has over 50 characters.
    #[error("the name has {0} characters: behind the prefix of many clients that is over their limit of 64; shorten it with an override")]
    NameLong(usize),
    /// The name has over 64 characters.
    #[error("the name has {0} characters, many clients take 64 at most; give it a shorter one with an override")]
    NameTooLong(usize),
    /// The name has characters that clients refuse.
    #[error("the name has characters other than letters, digits, `_`, `.` and `-`; give it another one with an override")]
    NameCharacters,
    /// `anyOf`, `oneOf` or `allOf` at the top of `inputSchema`.
    #[error("inputSchema has `{0}` at its top, which many models' APIs refuse")]
    InputComposed(&'static str),
    /// `inputSchema` is missing or not of type `object`.
    #[error("inputSchema does not say `\"type\": \"object\"`, which the protocol demands")]
    InputNotObject,
    /// `outputSchema` does not say its type.
    #[error("outputSchema says no `type`, which makes some clients refuse the whole list")]
    OutputUntyped,
    /// More tools than models work well with.
    #[error("{0} tools in all: over {MANY_TOOLS} many models choose badly and some clients cut the list; use filters")]
    ManyTools(usize),
    /// An annotation makes the tool one that HTTP clients have to leave out.
    #[error(transparent)]
    Annotation(#[from] AnnotationError),
    /// A template that no URI can be routed by.
    #[error("not a URI template that can be routed by: {0}")]
    Template(#[from] TemplateError),
    /// An item that cannot be read.
    #[error("item {position} of the list: {reason}")]
    Malformed {
        /// Its place in the list, from 0.
        position: usize,
        /// Why.
        reason: Malformed,
    },
    /// The list was longer than what is collected.
    #[error("the list goes on after {0}; the rest is not shown")]
    Truncated(TooLarge),
}

/// Over this many tools in all, the catalogue is reported.
pub(super) const MANY_TOOLS: usize = 100;

/// Something about one item, one list or the whole catalogue that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The list.
    pub kind: ListKind,
    /// Whose item; `None` for the whole catalogue.
    pub backend: Option<Owner>,
    /// The published name, or the original one where the item never got that far; `None` where it is not about one item.
    pub name: Option<Arc<str>>,
    /// What.
    pub concern: Concern,
    /// Whether the item is neither shown nor callable because of it.
    pub left_out: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(backend) = &self.backend {
            write!(f, "backend `{}`: ", backend.name)?;
        }
        match &self.name {
            Some(name) => write!(f, "{} `{name}`: ", self.kind.noun())?,
            None => write!(f, "{}: ", self.kind)?,
        }
        write!(f, "{}", self.concern)?;
        if self.left_out { f.write_str("; it is left out") } else { Ok(()) }
    }
}
