//! What can be wrong with the rules before any backend has listed anything.

/// One thing that is wrong with the `aggregation` section.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct RuleProblem {
    /// Where in the configuration, for example `aggregation.tools[1].overrides.search.name`.
    pub path: String,
    /// What.
    pub reason: RuleReason,
}

/// What is wrong with a rule, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleReason {
    /// No backend has the name.
    #[error("there is no backend `{name}`{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownBackend {
        /// The name.
        name: String,
        /// The backend whose name is most like it.
        nearest: Option<String>,
    },
    /// A backend has a second entry.
    #[error("backend `{0}` has an entry already; put both into one")]
    SecondEntry(String),
    /// `priorityOrder` is empty under `priority`.
    #[error("`priority` needs at least one backend here, the winner first")]
    NoOrder,
    /// A backend stands twice in the order.
    #[error("backend `{0}` stands in the order already; name it once")]
    OrderedTwice(String),
    /// `prefixFormat` is an empty text.
    #[error("is empty; leave it out for `{{workload}}_`, or choose `priority` or `manual` to keep names as they are")]
    EmptyPrefix,
    /// `filter` is an empty list.
    #[error("is empty; leave it out to show every tool, or write `excludeAll: true` to show none")]
    EmptyFilter,
    /// An override names a tool nothing.
    #[error("is empty; write the tool's new name, or leave it out")]
    EmptyName,
    /// An override without content.
    #[error("changes nothing; give it a name, a description or annotations, or remove it")]
    EmptyOverride,
    /// Two overrides give one name that only one tool can have.
    #[error("`{name}` is given to `{other}` of backend `{backend}` already; choose another name for one of them")]
    NameTaken {
        /// The name.
        name: String,
        /// The tool that has it.
        other: String,
        /// The backend of that tool.
        backend: String,
    },
    /// `defaultToolVisibility: deny` together with `priority` needs an entry for each backend of the order.
    #[error(
        "with `defaultToolVisibility: deny` backend `{0}` needs an entry in `aggregation.tools`, else its tools win names and are hidden"
    )]
    HiddenWinner(String),
    /// A setting that does nothing here (a warning).
    #[error("has no effect {0}; remove it")]
    NoEffect(&'static str),
}
