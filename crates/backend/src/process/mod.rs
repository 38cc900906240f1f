//! Servers that are processes of vmcp's.

mod allotment;
mod backoff;
mod child;
mod den;
mod end;
mod environment;
mod find;
mod group;
mod program;
mod programs;
mod stderr;
#[cfg(test)]
mod tests;
mod watchdog;

pub(crate) use child::{Owner, Process, Started, Starter, how_it_ended};
pub(crate) use environment::Environment;
pub use program::Program;
pub(crate) use programs::Programs;
pub use watchdog::{Watchdog, watch_over_servers};
