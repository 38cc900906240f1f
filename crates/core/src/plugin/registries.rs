//! The registries of all seams together.

use super::{Authenticator, Authorizer, Interceptor, OutgoingStrategy, Registry};

/// The kinds of plugins that a configuration may name.
pub struct Registries {
    /// Outgoing strategies (`outgoingAuth`).
    pub strategies: Registry<dyn OutgoingStrategy>,
    /// Incoming authenticators (`incomingAuth`).
    pub authenticators: Registry<dyn Authenticator>,
    /// Authorizers (`incomingAuth.authz`).
    pub authorizers: Registry<dyn Authorizer>,
    /// Interceptors (`interceptors`).
    pub interceptors: Registry<dyn Interceptor>,
}

/// Without any kind.
impl Default for Registries {
    fn default() -> Self {
        Self {
            strategies: Registry::new("outgoing strategy"),
            authenticators: Registry::new("incoming authenticator"),
            authorizers: Registry::new("authorizer"),
            interceptors: Registry::new("interceptor"),
        }
    }
}
