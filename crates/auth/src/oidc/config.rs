//! The settings of `type: oidc`, with the names that the original gave them.

use super::facade::FacadeConfig;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::PathBuf;
use url::Url;
use vmcp_core::config::{SecretSource, Span};

/// One issuer, and others beside it where callers come from several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "OpenID Connect", transform = closed)]
pub struct OidcConfig {
    /// The issuer.
    #[serde(flatten)]
    pub issuer: IssuerConfig,
    /// The resource's identifier that clients are told (RFC 9728), to the letter, instead of the URL that they use. That URL has to begin with it.
    #[schemars(extend("format" = "uri"))]
    pub resource: Option<String>,
    /// The scopes that clients are told to ask for. When left out: `requiredScopes`, and without these `openid`. Where a scope is asked for with
    /// something before it that tokens do not have (`https://mcp.example.com/mcp/tools` for `tools`), write it here as it is asked for.
    pub scopes: Option<Vec<String>>,
    /// Stands in at the gateway's own origin for what the issuer does not offer to clients that nobody registered with it.
    pub facade: Option<FacadeConfig>,
    /// Further issuers. The `iss` of a token decides whose it is.
    #[serde(default)]
    pub issuers: Vec<IssuerConfig>,
}

/// Whose tokens are taken, and what they have to say.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "An issuer", deny_unknown_fields)]
pub struct IssuerConfig {
    /// The issuer's name, exactly as it stands in its metadata and in the `iss` of its tokens.
    #[schemars(length(min = 1))]
    pub issuer: String,
    /// For whom tokens must be: one of these has to be among a token's `aud`.
    pub audience: Audience,
    /// Scopes that a token must have, all of them. Without one: 403.
    #[serde(default)]
    pub required_scopes: Vec<String>,
    /// The claim that holds the caller's groups: a name, or a path such as `realm_access.roles`.
    #[serde(default = "groups")]
    pub groups_claim: String,
    /// The claim that holds the caller's roles, which count as groups too.
    pub roles_claim: Option<String>,
    /// The client that vmcp is when it asks about tokens that are no JWTs (RFC 7662). It does nothing without a secret.
    pub client_id: Option<String>,
    /// Its secret, or `fromEnv` or `fromFile` to say where it stands. With one, tokens that are no JWTs are asked about.
    pub client_secret: Option<SecretSource>,
    /// The environment variable that holds the client's secret.
    pub client_secret_env: Option<String>,
    /// Where the keys are, when the issuer has no metadata.
    pub jwks_url: Option<Url>,
    /// Where tokens are asked about, when the issuer's metadata does not say.
    pub introspection_url: Option<Url>,
    /// How far the issuer's clock may be from this one: a token is taken this much before `nbf` and `iat`, and this long after `exp`. What
    /// backends get for it is kept until `exp`.
    #[serde(default = "leeway")]
    pub leeway: Span,
    /// A PEM file with the only certificates that the issuer's server is trusted by.
    #[schemars(extend("format" = "path"))]
    pub ca_bundle_path: Option<PathBuf>,
    /// Takes `http` URLs of the issuer. Whoever is on the way can then let anybody in.
    #[serde(default)]
    pub insecure_allow_http: bool,
    /// Asks the issuer at addresses that are not public: of this machine, or of its network.
    #[serde(default)]
    pub jwks_allow_private_ip: bool,
    /// The same; either key does.
    #[serde(default)]
    pub protected_resource_allow_private_ip: bool,
    /// Keys that nobody knows: refused when the authenticator is built.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: Map<String, Value>,
}

/// One name, or several of which one is enough.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "Audience")]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Any(Vec<String>),
}

impl Audience {
    pub(super) fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Any(names) => names,
        }
    }
}

fn groups() -> String {
    "groups".to_owned()
}

fn leeway() -> Span {
    Span::seconds(60)
}

/// Says in the schema that there are no other keys.
fn closed(schema: &mut Schema) {
    schema.insert("additionalProperties".to_owned(), false.into());
}
