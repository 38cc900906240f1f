//! An OAuth façade: what clients look for at the gateway's own origin when the issuer offers no registration.
//!
//! Clients that find no way to register with an issuer look for one where the resource is. There they are told the issuer's endpoints
//! (RFC 8414), and are given the client that the operator registered with it (RFC 7591). The gateway mints no token and sees none: clients
//! talk to the issuer itself.
//!
//! Its metadata names the gateway's origin as `issuer`, since clients compare it with the place where they found it (RFC 8414 §3.3). An
//! issuer that names itself in its answers to browsers (`iss`, RFC 9207) contradicts that, so it is not announced here.

use super::{
    ask::{Asker, Document},
    issuer::Issuer,
    kept::{Kept, Unavailable},
    redirect::Redirects,
};
use crate::well_known::{First, are_own, places};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{sync::Arc, time::Duration};
use url::Url;
use vmcp_core::plugin::{BoxFuture, Misplaced, Page, PageRequest};

/// Where clients look for an authorization server's metadata, with an endpoint's path behind it or without.
const PLACES: [&str; 2] = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

/// Where clients register.
const REGISTER: &str = "/register";

/// Where browsers are sent on to the issuer.
const AUTHORIZE: &str = "/authorize";

/// How long the issuer's metadata is good for. It is used beyond that while the issuer cannot be asked.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// What is told of the issuer's metadata. What belongs to the gateway alone, or is nothing to its clients, is not.
const TOLD: [&str; 16] = [
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "end_session_endpoint",
    "device_authorization_endpoint",
    "jwks_uri",
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "token_endpoint_auth_methods_supported",
    "code_challenge_methods_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "client_id_metadata_document_supported",
];

/// The settings of the façade.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "An OAuth façade")]
pub struct FacadeConfig {
    /// The client that was registered with the issuer by hand, a public one (without a secret): every client that registers here is given it.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// The scopes that clients are told to ask for. When left out: those of `scopes` beside `facade`.
    pub scopes: Option<Vec<String>>,
    /// Where clients may have browsers sent back to, besides addresses of their own machine (`http://127.0.0.1`, `http://localhost`, of any
    /// port), for example `https://claude.ai/api/mcp/auth_callback`. The issuer has to know them too.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Sends browsers to the issuer through `/authorize` here, which takes `resource` (RFC 8707) out. Clients name it at the issuer's token
    /// endpoint all the same: this is for issuers that refuse it in the request of the browser alone.
    #[serde(default)]
    pub drop_resource: bool,
}

/// The façade of one issuer.
pub(super) struct Facade {
    asker: Asker,
    issuer: Url,
    client: String,
    scopes: Vec<String>,
    redirects: Redirects,
    drop_resource: bool,
    metadata: Kept<Map<String, Value>>,
}

enum Asked {
    Metadata,
    Register,
    Authorize,
}

impl Facade {
    /// The façade of this issuer.
    ///
    /// # Errors
    /// What is wrong with which of the settings.
    pub(super) fn new(config: FacadeConfig, issuer: &Issuer, advertised: &[String]) -> Result<Self, Misplaced> {
        let asker = issuer.keys.asker.clone();
        if config.client_id.is_empty() {
            return Err(Misplaced::new("clientId", "`clientId` is empty; write the client that is registered with the issuer"));
        }
        Ok(Self {
            issuer: issuer.keys.url.clone(),
            client: config.client_id,
            scopes: config.scopes.unwrap_or_else(|| advertised.to_vec()),
            redirects: Redirects::new(config.redirect_uris)?,
            drop_resource: config.drop_resource,
            metadata: Kept::default(),
            asker,
        })
    }

    /// Where its pages are, besides those below `/.well-known/`.
    pub(super) fn paths(&self) -> &'static [&'static str] {
        if self.drop_resource { &[REGISTER, AUTHORIZE] } else { &[REGISTER] }
    }

    /// The page at a path, if there is one.
    pub(super) fn page<'a>(&'a self, request: &'a PageRequest<'a>) -> Option<BoxFuture<'a, Page>> {
        let asked = self.asked(request.method, request.path)?;
        Some(Box::pin(async move {
            match asked {
                Asked::Metadata => self.described(request.origin).await,
                Asked::Register => self.register(request.body),
                Asked::Authorize => self.authorize(request.query.unwrap_or_default()).await,
            }
        }))
    }

    fn asked(&self, method: &Method, path: &str) -> Option<Asked> {
        if *method == Method::POST {
            return (path == REGISTER).then_some(Asked::Register);
        }
        if path == AUTHORIZE && self.drop_resource {
            return Some(Asked::Authorize);
        }
        let at = |place: &&str| path.strip_prefix(*place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        PLACES.iter().any(at).then_some(Asked::Metadata)
    }

    /// RFC 8414 §2, with the gateway as what registers.
    async fn described(&self, origin: &str) -> Page {
        let issuers = match self.issuers().await {
            Ok(issuers) => issuers,
            Err(unavailable) => return away(unavailable),
        };
        let mut told: Map<String, Value> = Map::new();
        told.insert("issuer".to_owned(), origin.into());
        told.extend(TOLD.iter().filter_map(|key| Some(((*key).to_owned(), issuers.get(*key)?.clone()))));
        if self.drop_resource {
            told.insert("authorization_endpoint".to_owned(), format!("{origin}{AUTHORIZE}").into());
        }
        told.insert("registration_endpoint".to_owned(), format!("{origin}{REGISTER}").into());
        if !self.scopes.is_empty() {
            told.insert("scopes_supported".to_owned(), self.scopes.as_slice().into());
        }
        // Some issuers take S256 from everybody and do not say so; clients need to read it (2025-11-25, basic/authorization).
        told.entry("code_challenge_methods_supported").or_insert_with(|| json!(["S256"]));
        told.entry("response_types_supported").or_insert_with(|| json!(["code"]));
        // The client that registrants are given has no secret.
        let methods = told.entry("token_endpoint_auth_methods_supported").or_insert_with(|| json!([]));
        if let Value::Array(methods) = methods
            && !methods.iter().any(|method| method == "none")
        {
            methods.insert(0, "none".into());
        }
        let mut page = Page::json(StatusCode::OK, Value::Object(told).to_string());
        page.max_age = Some(FRESH);
        page
    }

    /// RFC 7591 §3: whoever may have browsers sent back to where it wants is given the client that is registered.
    fn register(&self, body: &[u8]) -> Page {
        let Ok(Value::Object(asked)) = serde_json::from_slice(body) else {
            return refused("invalid_client_metadata", "a registration is a JSON object");
        };
        let uris = match self.redirects.allowed(asked.get("redirect_uris")) {
            Ok(uris) => uris,
            Err(why) => return refused("invalid_redirect_uri", why),
        };
        let mut told = Map::new();
        told.insert("client_id".to_owned(), self.client.as_str().into());
        told.insert("redirect_uris".to_owned(), uris.into());
        told.insert("token_endpoint_auth_method".to_owned(), "none".into());
        told.insert("grant_types".to_owned(), json!(["authorization_code", "refresh_token"]));
        told.insert("response_types".to_owned(), json!(["code"]));
        if !self.scopes.is_empty() {
            told.insert("scope".to_owned(), self.scopes.join(" ").into());
        }
        for key in ["client_name", "application_type"] {
            if let Some(Value::String(text)) = asked.get(key) {
                told.insert(key.to_owned(), text.as_str().into());
            }
        }
        Page::json(StatusCode::CREATED, Value::Object(told).to_string())
    }

    /// On to the issuer, with every parameter but `resource` as it came.
    async fn authorize(&self, query: &str) -> Page {
        let issuers = match self.issuers().await {
            Ok(issuers) => issuers,
            Err(unavailable) => return away(unavailable),
        };
        let endpoint = issuers.get("authorization_endpoint").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
        let Some(mut endpoint) = endpoint.filter(|url| self.asker.may_ask(url)) else {
            return Page::json(StatusCode::BAD_GATEWAY, json!({ "error": "server_error" }).to_string());
        };
        let is_resource = |part: &&str| url::form_urlencoded::parse(part.as_bytes()).next().is_some_and(|(name, _)| name == "resource");
        let own: Vec<&str> =
            endpoint.query().into_iter().chain(query.split('&').filter(|part| !part.is_empty() && !is_resource(part))).collect();
        let joined = own.join("&");
        endpoint.set_query((!joined.is_empty()).then_some(&joined));
        Page::redirect(endpoint)
    }

    /// The issuer's own metadata: what is at hand where it is new, or the issuer is away.
    async fn issuers(&self) -> Result<Arc<Map<String, Value>>, Unavailable> {
        match self.metadata.last() {
            Some((metadata, age)) if age < FRESH => Ok(metadata),
            Some((metadata, _)) => Ok(self.metadata.renew(|| self.discover()).await.unwrap_or(metadata)),
            None => self.metadata.renew(|| self.discover()).await,
        }
    }

    async fn discover(&self) -> Result<Map<String, Value>, Unavailable> {
        let what = Document::Metadata;
        for place in places(&self.issuer, First::OpenId) {
            let answer = self.asker.get(what, &place).await?;
            if answer.status == StatusCode::NOT_FOUND {
                continue;
            }
            let metadata =
                (answer.status == StatusCode::OK).then(|| serde_json::from_slice::<Map<String, Value>>(&answer.body).ok()).flatten();
            let Some(metadata) = metadata else { return Err(self.asker.failed(what, &format!("{place} answered with something else"))) };
            if !are_own(metadata.get("issuer").and_then(Value::as_str), &self.asker.issuer) {
                return Err(self.asker.failed(what, &format!("{place} is the metadata of another issuer")));
            }
            if metadata.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)) {
                tracing::warn!(
                    issuer = %self.asker.issuer,
                    "the issuer names itself in answers to browsers (RFC 9207), and `oidc.facade` names the gateway: strict clients refuse that; \
                     have the issuer leave it out for this client, or give clients its `clientId` and do without `facade`"
                );
            }
            return Ok(metadata);
        }
        Err(self.asker.failed(what, "it stands at none of the known places"))
    }
}

fn refused(error: &str, why: &str) -> Page {
    Page::json(StatusCode::BAD_REQUEST, json!({ "error": error, "error_description": why }).to_string())
}

fn away(_: Unavailable) -> Page {
    let told = json!({ "error": "temporarily_unavailable", "error_description": "the issuer cannot be asked now" });
    Page::json(StatusCode::SERVICE_UNAVAILABLE, told.to_string())
}
