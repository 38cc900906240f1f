//! Access tokens of OpenID Connect and OAuth issuers.
//!
//! A token is taken apart (`jwt`), its issuer found by what it says, its dates and audience checked (`claims`), and its signature with the
//! issuer's keys (`keys`, `jwk`, `algorithm`), which are found by `discovery` and asked for once for all who wait (`kept`). One that is no
//! JWT is asked about (`introspection`). Who was seen once is known without any of that until the token ends (`seen`), but for what its
//! connection has to show (`bound`). What clients are told of the settings is in `told`.

mod algorithm;
mod ask;
mod authenticator;
mod bound;
mod bucket;
mod claims;
mod config;
mod discovery;
mod facade;
mod factory;
mod introspection;
mod issuer;
mod jwk;
mod jwt;
mod kept;
mod keys;
mod redirect;
mod rounds;
mod seen;
mod standing;
mod strict;
mod told;

pub use config::{Audience, IssuerConfig, OidcConfig};
pub use factory::OidcFactory;
