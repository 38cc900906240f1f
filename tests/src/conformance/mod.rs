//! The protocol authors' conformance suite, run against everything that it can judge here.
//!
//! - [`Row`]: one way to the fixture server, in one revision, or the gateway as the client; and what it takes to pass.
//! - [`Outcome`]: what the suite found on one such way.
//! - [`listed`]: what the suite itself says that a revision takes.
//! - [`table`]: the table of `docs/conformance.md`.
//!
//! The suite is judged by its own results, one file for each scenario, and not by its exit code: that one is silent about warnings and
//! about scenarios which a revision does not require yet.

mod outcome;
mod row;
mod scenarios;
mod suite;
pub mod table;

pub use outcome::{Outcome, Scenario};
pub use row::{Row, Way};
pub use suite::{Listed, listed, logins};

use serde_json::{Value, json};

/// A configuration with one backend whose names stay what they are, as the suite's scenarios call them.
#[must_use]
pub fn in_front_of(backend: &Value) -> Value {
    json!({
        "backends": [backend],
        "aggregation": { "conflictResolution": "priority", "conflictResolutionConfig": { "priorityOrder": [backend["name"]] } }
    })
}
