//! Servers that are processes of vmcp's.

mod program;

pub use program::Program;
