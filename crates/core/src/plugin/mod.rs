//! The seams of the gateway: traits that a plugin implements, and the registry that builds one from its configuration.
//!
//! A plugin **returns** data and never touches a request: what it returns goes through the header policy like everything else.

mod authenticator;
mod authorizer;
mod boundary;
mod credentials;
mod fetch;
mod interceptor;
mod overseer;
mod registries;
mod registry;
mod secrets;
mod strategy;
mod subject_token;

pub use authenticator::{Authenticated, Authenticator, AuthenticatorFactory, Rejected, RequestHead, SettingWarning};
pub use authorizer::{Action, Authorizer, AuthorizerFactory, Decision, Question};
pub use boundary::{Challenge, ClientCertificate, Page, PageRequest, ProtectedResource};
pub use credentials::{Credentials, SignRequest, Signer};
pub use fetch::{CaBundle, CaBundleError, ClientIdentity, Fetch, FetchError, FetchRequest, FetchResponse, Reach};
pub use interceptor::{Call, Interceptor, InterceptorFactory, Verdict};
pub use overseer::Overseer;
pub use registries::Registries;
pub use registry::{BuildError, Registry, config_key};
pub use secrets::Secrets;
pub use strategy::{Keep, Misplaced, OutgoingStrategy, StrategyContext, StrategyError, StrategyFactory};
pub use subject_token::{CallerTokens, SubjectToken, TokenKind};

use std::{future::Future, pin::Pin, sync::Arc};

/// A future that a plugin returns; one allocation for each call that is not answered at once.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the gateway lends to a plugin while building it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Deps {
    /// HTTP for plugins that have to ask somebody.
    pub fetch: Arc<dyn Fetch>,
    /// Where secrets are found.
    pub secrets: Secrets,
    /// The one issuer that all callers come from, where it is known that there is only one ([`Authenticator::issuer`]). An authorizer knows
    /// callers by their subjects alone then, and a strategy need not be told whose tokens it may show.
    pub issuer: Option<Arc<str>>,
    /// What is known of callers' tokens. A strategy that cannot work without them, or that shows them to somebody, looks at it when it is
    /// built.
    pub caller_tokens: CallerTokens,
    /// Who is told of processes that a plugin starts, where there is somebody.
    pub overseer: Option<Arc<dyn Overseer>>,
}

impl Deps {
    /// Dependencies around one HTTP client and one place for secrets.
    #[must_use]
    pub fn new(fetch: Arc<dyn Fetch>, secrets: Secrets) -> Self {
        Self { fetch, secrets, issuer: None, caller_tokens: CallerTokens::Unknown, overseer: None }
    }
}

/// Who is calling: the pair that a session is bound to and the only part of an identity that may be stored.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Who vouches for the subject (an OIDC issuer, or a fixed word of a built-in authenticator).
    pub issuer: Arc<str>,
    /// The subject, unique for the issuer.
    pub subject: Arc<str>,
}

impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A subject can be an e-mail address: logs name the issuer only.
        f.debug_struct("Principal").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
