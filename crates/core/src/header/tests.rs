//! The header policy as a specification: what is refused, what is read, what goes out.

mod apply;
mod capture;
mod documentation;
mod properties;
mod refusals;
mod support;
mod variables;
