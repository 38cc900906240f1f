#![doc = include_str!("../README.md")]

mod anonymous;
mod api_key;
mod at_once;
mod bearer;
#[cfg(feature = "cedar")]
mod cedar;
mod client_certificate;
mod client_credentials;
mod credential_cache;
mod credential_helper;
mod exec;
mod external;
mod header_injection;
mod header_passthrough;
mod identity;
mod local;
mod oauth;
mod oidc;
mod registries;
mod secret_value;
mod subject_issuers;
#[cfg(unix)]
mod system_user;
mod token_exchange;
mod unauthenticated;
mod well_known;
mod wiped;

pub use anonymous::AnonymousFactory;
pub use api_key::{ApiKeyConfig, ApiKeyEntry, ApiKeyFactory, NewApiKey};
#[cfg(feature = "cedar")]
pub use cedar::{CedarConfig, CedarFactory};
pub use client_certificate::{ClientCertificateConfig, ClientCertificateFactory, SubjectFrom};
pub use client_credentials::{ClientCredentialsConfig, ClientCredentialsFactory};
pub use credential_cache::{CredentialCache, Found, Given, Outcome, Turn, Waiting};
pub use exec::{ExecConfig, ExecFactory};
pub use external::{ExternalConfig, ExternalFactory};
pub use header_injection::{HeaderInjectionConfig, HeaderInjectionFactory};
pub use header_passthrough::{HeaderPassthroughConfig, HeaderPassthroughFactory};
pub use identity::Identity;
pub use local::LocalFactory;
pub use oauth::ClientAuthMethod;
pub use oidc::{Audience, IssuerConfig, OidcConfig, OidcFactory};
pub use registries::{NoSettings, process_secrets, registries};
pub use secret_value::secret_value;
#[cfg(unix)]
pub use system_user::system_user;
pub use token_exchange::{SubjectTokenType, TokenExchangeConfig, TokenExchangeFactory};
pub use unauthenticated::UnauthenticatedFactory;
pub use wiped::Wiped;

#[cfg(test)]
mod testing;
