//! Servers that are processes of vmcp's.

mod allotment;
mod backoff;
mod child;
mod end;
mod environment;
mod find;
mod group;
mod program;
mod stderr;
#[cfg(test)]
mod tests;
mod watchdog;

pub(crate) use child::{Owner, Process, Started, Starter, how_it_ended};
pub(crate) use environment::{CallerVariables, Environment};
pub use program::Program;
pub use watchdog::{Watchdog, watch_over_servers};
