//! What clients do to log in, step by step (MCP 2025-11-25, basic/authorization): discovery, registration, the browser, the token, its
//! renewal, and asking for more.

use crate::{
    kinds::{Finds, Kind},
    scene::{ORIGIN, Scene},
};
use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use vmcp_tests::{client::Response, idp::escaped};

/// What a client has when it has logged in.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) token: String,
    /// What renews it.
    pub(crate) renewal: Option<String>,
    /// The scopes that were asked for.
    pub(crate) scope: String,
    client: String,
    token_endpoint: String,
    resource: String,
}

/// What a client finds out before it asks anybody for anything.
struct Found {
    /// The authorization server's metadata.
    metadata: Value,
    /// The scopes to ask for.
    scope: String,
    /// What the resource is called.
    resource: String,
}

/// How a client logs in, where that is not as all do today.
#[derive(Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// Asks for these scopes instead of those that it is told.
    pub(crate) scope: Option<&'a str>,
    /// Names the resource (RFC 8707) when it asks for a browser, and for a token.
    pub(crate) names_resource: [bool; 2],
}

/// Today's: the scopes that they are told, and the resource everywhere.
pub(crate) const USUAL: Manner<'static> = Manner { scope: None, names_resource: [true, true] };

/// A parameter of a challenge.
pub(crate) fn parameter<'a>(refused: &'a Response, name: &str) -> Option<&'a str> {
    let challenge = refused.head.header("www-authenticate")?;
    challenge.split(&format!("{name}=\"")).nth(1)?.split('"').next()
}

/// Where an issuer's metadata may be, in the order of the protocol or with OpenID Connect's first.
fn places(issuer: &str, openid_first: bool) -> Vec<String> {
    let at = issuer.find("://").map_or(0, |at| at + 3);
    let (origin, path) = issuer.split_at(issuer[at..].find('/').map_or(issuer.len(), |path| at + path));
    let (oauth, openid) = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration");
    let mut places = vec![format!("{origin}{oauth}{path}"), format!("{origin}{openid}{path}"), format!("{issuer}{openid}")];
    if openid_first {
        places.rotate_left(1);
    }
    places
}

impl Scene {
    async fn discover(&self, kind: &Kind) -> Result<Found> {
        let words = |list: &Value| list.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
        if !kind.knows_of_issuers() {
            let metadata = self.json(&format!("{ORIGIN}/.well-known/oauth-authorization-server"), None).await?;
            let scopes = words(&metadata["scopes_supported"]);
            return Ok(Found { metadata, scope: scopes, resource: self.resource() });
        }
        let refused = self.call(None).await?;
        ensure!(refused.status() == 401, "not refused: {}", refused.status());
        let resource = self.described(kind, &refused).await?;
        let name = resource["resource"].as_str().context("a resource without a name")?.to_owned();
        ensure!(self.resource().starts_with(&name), "another resource: {resource}");
        let issuer = resource["authorization_servers"][0].as_str().context("no authorization server")?;
        let metadata = self.first_of(&places(issuer, kind.openid_first), kind.page).await?;
        ensure!(metadata["issuer"] == issuer, "RFC 8414 §3.3: {metadata}");
        ensure!(metadata["code_challenge_methods_supported"].to_string().contains("S256"), "no PKCE, no login: {metadata}");
        let scope = parameter(&refused, "scope").map_or_else(|| words(&resource["scopes_supported"]), str::to_owned);
        Ok(Found { metadata, scope, resource: name })
    }

    /// The metadata of the resource (RFC 9728), found the way such a client finds it.
    async fn described(&self, kind: &Kind, refused: &Response) -> Result<Value> {
        let known = format!("{ORIGIN}/.well-known/oauth-protected-resource");
        if kind.finds == Finds::Challenge {
            return self.json(parameter(refused, "resource_metadata").context("no metadata")?, kind.page).await;
        }
        self.first_of(&[format!("{known}{}", self.path.trim_end_matches('/')), known], kind.page).await
    }

    /// What stands at the first of these places where there is anything.
    async fn first_of(&self, places: &[String], page: Option<&str>) -> Result<Value> {
        for place in places {
            let response = self.fetch("GET", place, page, None).await?;
            if response.status() != 404 {
                ensure!(response.status() == 200, "{place}: {} {}", response.status(), response.text());
                return response.json();
            }
        }
        bail!("at none of {places:?}")
    }

    async fn register(&self, kind: &Kind, metadata: &Value) -> Result<Response> {
        let at = metadata["registration_endpoint"].as_str().context("no registration")?;
        if kind.page.is_some() && !at.starts_with(self.idp.issuer()) {
            let preflight = self.fetch("OPTIONS", at, kind.page, None).await?;
            ensure!(preflight.status() == 204, "the preflight: {}", preflight.status());
        }
        let client = json!({
            "client_name": kind.name,
            "redirect_uris": kind.redirects,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        self.fetch("POST", at, kind.page, Some(("application/json", client.to_string()))).await
    }

    /// Sends a browser to a URL, and on from there, until it is sent back to the client. Gives the parameters that it comes back with.
    async fn browse(&self, mut url: String, back: &str) -> Result<String> {
        for _ in 0..3 {
            let answer = self.fetch("GET", &url, None, None).await?;
            ensure!(answer.status() == 302, "{url}: {} {}", answer.status(), answer.text());
            answer.head.header("location").context("a redirect to nowhere")?.clone_into(&mut url);
            if let Some(rest) = url.strip_prefix(back) {
                return Ok(rest.trim_start_matches('?').to_owned());
            }
        }
        bail!("sent on and on: {url}")
    }

    /// Who the client is for the issuer.
    async fn client(&self, kind: &Kind, metadata: &Value) -> Result<String> {
        if let (Some(document), Some(true)) = (kind.document, metadata["client_id_metadata_document_supported"].as_bool()) {
            return Ok(document.to_owned());
        }
        let registered = self.register(kind, metadata).await?;
        ensure!(registered.status() == 201, "registration: {} {}", registered.status(), registered.text());
        let registered = registered.json()?;
        ensure!(registered["redirect_uris"] == json!(kind.redirects) && registered.get("client_secret").is_none(), "{registered}");
        Ok(registered["client_id"].as_str().context("no client")?.to_owned())
    }

    /// Logs in as clients do today.
    pub(crate) async fn log_in(&self, kind: &Kind) -> Result<Grant> {
        self.log_in_so(kind, USUAL).await
    }

    /// Logs in in this manner.
    pub(crate) async fn log_in_so(&self, kind: &Kind, manner: Manner<'_>) -> Result<Grant> {
        let Found { metadata, scope, resource: named } = self.discover(kind).await.context("discovery")?;
        let scope = manner.scope.map_or(scope, str::to_owned);
        let client = self.client(kind, &metadata).await?;
        let (verifier, back) = ("a-verifier-of-43-or-more-characters-as-the-rfc-wants", kind.redirects[0]);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let resource = manner.names_resource.map(|does| if does { format!("&resource={}", escaped(&named)) } else { String::new() });
        let endpoint = metadata["authorization_endpoint"].as_str().context("no authorization endpoint")?;
        let asked = format!(
            "{endpoint}?response_type=code&client_id={}&redirect_uri={}&code_challenge={challenge}&code_challenge_method=S256\
             {}&state=a%20state&scope={}",
            escaped(&client),
            escaped(back),
            resource[0],
            escaped(&scope)
        );
        let came = self.browse(asked, back).await.context("the browser")?;
        let of = |name: &str| came.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        ensure!(of("state") == Some("a%20state"), "another state: {came}");
        // RFC 9207 §2.4. What an issuer says without having said that it does, these clients do not look at.
        if metadata["authorization_response_iss_parameter_supported"] == true {
            let issuer = metadata["issuer"].as_str().context("no issuer")?;
            ensure!(of("iss") == Some(escaped(issuer).as_str()), "the answer of another issuer than {issuer}: {came}");
        }
        let token_endpoint = metadata["token_endpoint"].as_str().context("no token endpoint")?.to_owned();
        let form = format!(
            "grant_type=authorization_code&code={}&client_id={}&redirect_uri={}&code_verifier={verifier}{}",
            of("code").context("no code")?,
            escaped(&client),
            escaped(back),
            resource[1]
        );
        let (token, renewal) = self.ask_for_token(&token_endpoint, form).await?;
        Ok(Grant { token, renewal, scope, client, token_endpoint, resource: named })
    }

    /// A new token for an old one (RFC 6749 §6), for the same resource (RFC 8707 §2.2).
    pub(crate) async fn renew(&self, grant: &Grant) -> Result<Grant> {
        let renewal = grant.renewal.as_deref().context("nothing to renew it with")?;
        let [renewal, client, resource] = [renewal, &grant.client, &grant.resource].map(escaped);
        let form = format!("grant_type=refresh_token&refresh_token={renewal}&client_id={client}&resource={resource}");
        let (token, next) = self.ask_for_token(&grant.token_endpoint, form).await?;
        Ok(Grant { token, renewal: next.or_else(|| grant.renewal.clone()), ..grant.clone() })
    }

    /// Logs in again for what a 403 says is missing, and keeps what was asked for before (SEP-835).
    pub(crate) async fn step_up(&self, kind: &Kind, grant: &Grant, refused: &Response) -> Result<Grant> {
        ensure!(parameter(refused, "error") == Some("insufficient_scope"), "no reason to ask for more: {:?}", refused.head);
        let needed = parameter(refused, "scope").context("no scope to ask for")?;
        let missing = needed.split(' ').filter(|scope| !grant.scope.split(' ').any(|had| had == *scope));
        let all = grant.scope.split(' ').chain(missing).collect::<Vec<_>>().join(" ");
        self.log_in_so(kind, Manner { scope: Some(&all), ..USUAL }).await
    }

    async fn ask_for_token(&self, endpoint: &str, form: String) -> Result<(String, Option<String>)> {
        ensure!(endpoint.starts_with(self.idp.issuer()), "tokens are the issuer's alone to give: {endpoint}");
        let given = self.fetch("POST", endpoint, None, Some(("application/x-www-form-urlencoded", form))).await?;
        ensure!(given.status() == 200, "the token: {}", given.text());
        let given = given.json()?;
        let text = |name: &str| given[name].as_str().map(str::to_owned);
        Ok((text("access_token").context("no token")?, text("refresh_token")))
    }
}
