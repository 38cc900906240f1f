#![doc = include_str!("../README.md")]

mod anonymous;
mod header_injection;
mod identity;
mod registries;
mod unauthenticated;

pub use anonymous::AnonymousFactory;
pub use header_injection::{HeaderInjectionConfig, HeaderInjectionFactory};
pub use identity::Identity;
pub use registries::{NoSettings, process_secrets, registries};
pub use unauthenticated::UnauthenticatedFactory;

#[cfg(test)]
mod testing;
