//! An identity provider for tests: OpenID Connect discovery, keys that rotate, every grant that a gateway or its clients need,
//! introspection, and outages on demand.
//!
//! A real HTTP server on a loopback port. Its tokens are signed with keys made at the start, so that nothing in the tests trusts a
//! signature that it did not check. [`Idp::token`] writes tokens without asking over HTTP, also such as no provider would write;
//! [`forge`] makes those whose signature is the attack.

mod api;
pub mod forge;
mod grants;
mod keys;
mod pages;
mod serve;
mod server;
mod spec;
mod state;
mod token;

pub use api::Api;
pub use keys::{Algorithm, Key};
pub use serve::escaped;
pub use server::Idp;
pub use spec::{Client, Endpoint, IdpSpec, Outage};
pub use state::Asked;
pub use token::Token;
