//! What goes out: a request's body and its headers, written anew for every backend.

mod body;
mod credentials;
mod headers;
mod mirror;

pub(crate) use body::{Meta, request_body};
pub(crate) use credentials::Keeping;
pub(crate) use headers::{Audience, Bases, Outgoing, Protocol, SESSION_ID};
pub(crate) use mirror::Mirrors;
