//! The OAuth façade: clients that nobody registered with the issuer log in the way they do everywhere, and end with the issuer's own token.

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Request, Response, Rpc},
    fixture::{Fixture, Spec},
    idp::{Client, Endpoint, Idp, IdpSpec, Outage},
    process::Vmcp,
};

/// What the gateway is called by its clients: requests of the tests have no port in their `Host`.
const ORIGIN: &str = "http://127.0.0.1";

/// A client, by what of its behaviour matters here.
struct Kind {
    name: &'static str,
    /// What it registers; it uses the first.
    redirects: &'static [&'static str],
    /// Reads the metadata of the resource and compares issuers, or knows nothing newer than revision 2025-03-26 and guesses.
    is_new: bool,
    /// A page in a browser, which may read what says so.
    page: Option<&'static str>,
}

const KINDS: [Kind; 6] = [
    Kind { name: "Claude Code", redirects: &["http://localhost:54321/callback"], is_new: true, page: None },
    Kind { name: "Cursor", redirects: &["cursor://anysphere.cursor-mcp/oauth/callback"], is_new: true, page: None },
    Kind {
        name: "VS Code",
        redirects: &["http://127.0.0.1:33418/", "http://localhost/", "https://vscode.dev/redirect"],
        is_new: true,
        page: None,
    },
    Kind { name: "Inspector", redirects: &["http://localhost:6274/oauth/callback"], is_new: true, page: Some("http://localhost:6274") },
    Kind { name: "claude.ai", redirects: &["https://claude.ai/api/mcp/auth_callback"], is_new: true, page: None },
    Kind { name: "one of 2025-03-26", redirects: &["http://127.0.0.1:9/cb"], is_new: false, page: None },
];

struct Scene {
    _fixture: Fixture,
    idp: Idp,
    vmcp: Vmcp,
}

impl Scene {
    async fn set(idp: IdpSpec, facade: Value) -> Result<Self> {
        let idp = Idp::with(IdpSpec { clients: vec![Client::public("registered-by-hand")], ..idp }).await?;
        let fixture = Fixture::start(Spec::modern("b")).await?;
        let mut settings = json!({
            "clientId": "registered-by-hand",
            "redirectUris": ["https://claude.ai/api/mcp/auth_callback", "cursor://anysphere.cursor-mcp/oauth/callback", "https://vscode.dev/redirect"],
        });
        if let (Some(settings), Value::Object(facade)) = (settings.as_object_mut(), facade) {
            settings.extend(facade);
        }
        let oidc = json!({
            "issuer": idp.issuer(),
            "audience": [format!("{ORIGIN}/mcp"), "vmcp"],
            "scopes": ["mcp:call"],
            "insecureAllowHttp": true,
            "jwksAllowPrivateIp": true,
            "facade": settings,
        });
        let config = json!({ "incomingAuth": { "type": "oidc", "oidc": oidc }, "backends": [fixture.entry(json!({}))] });
        let vmcp = Vmcp::serve(config).await?;
        Ok(Self { _fixture: fixture, idp, vmcp })
    }

    /// A request to a URL of the gateway's or the issuer's, as a page of `page` sends it.
    async fn fetch(&self, verb: &str, url: &str, page: Option<&str>, body: Option<(&str, String)>) -> Result<Response> {
        let (addr, path) = match (url.strip_prefix(self.idp.issuer()), url.strip_prefix(ORIGIN)) {
            (Some(path), _) => (self.idp.addr(), path),
            (_, Some(path)) if path.starts_with('/') => (self.vmcp.addr(), path),
            _ => bail!("a URL of nobody's: {url}"),
        };
        let mut request = Request { path: path.to_owned(), ..Request::new(verb) };
        if let Some(page) = page {
            request = request.header("origin", page);
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind);
            request.body = body.into_bytes();
        }
        let response = Conn::open(addr).await?.exchange(&request).await?;
        if page.is_some() && addr == self.vmcp.addr() {
            let readable = response.head.header("access-control-allow-origin");
            ensure!(readable == Some("*") || readable == page, "the page may not read {url}: {readable:?}");
        }
        Ok(response)
    }

    async fn json(&self, url: &str, page: Option<&str>) -> Result<Value> {
        let response = self.fetch("GET", url, page, None).await?;
        ensure!(response.status() == 200, "{url}: {} {}", response.status(), response.text());
        response.json()
    }

    async fn call(&self, token: Option<&str>) -> Result<Response> {
        let caller =
            token.into_iter().fold(Caller::new(Era::Modern), |caller, token| caller.header("authorization", format!("Bearer {token}")));
        Conn::open(self.vmcp.addr()).await?.exchange(&caller.request(&Rpc::tool("b_echo", "{}"), "1")).await
    }

    /// The metadata of the authorization server, found the way such a client finds it.
    async fn discover(&self, kind: &Kind) -> Result<Value> {
        if !kind.is_new {
            return self.json(&format!("{ORIGIN}/.well-known/oauth-authorization-server"), None).await;
        }
        let refused = self.call(None).await?;
        let challenge = refused.head.header("www-authenticate").context("no challenge")?;
        let place = challenge.split("resource_metadata=\"").nth(1).and_then(|rest| rest.split('"').next()).context("no metadata")?;
        let resource = self.json(place, kind.page).await?;
        ensure!(resource["resource"] == format!("{ORIGIN}/mcp"), "another resource: {resource}");
        let issuer = resource["authorization_servers"][0].as_str().context("no authorization server")?;
        let metadata = self.json(&format!("{issuer}/.well-known/oauth-authorization-server"), kind.page).await?;
        ensure!(metadata["issuer"] == issuer, "RFC 8414 §3.3: {metadata}");
        ensure!(metadata["code_challenge_methods_supported"].to_string().contains("S256"), "no PKCE, no login: {metadata}");
        Ok(metadata)
    }

    async fn register(&self, kind: &Kind, metadata: &Value) -> Result<Response> {
        let at = metadata["registration_endpoint"].as_str().context("no registration")?;
        if kind.page.is_some() {
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

    /// Logs in, and gives the token.
    async fn log_in(&self, kind: &Kind, names_resource_for_token: bool) -> Result<String> {
        let metadata = self.discover(kind).await.context("discovery")?;
        let registered = self.register(kind, &metadata).await?;
        ensure!(registered.status() == 201, "registration: {} {}", registered.status(), registered.text());
        let registered = registered.json()?;
        ensure!(registered["redirect_uris"] == json!(kind.redirects) && registered.get("client_secret").is_none(), "{registered}");
        let client = registered["client_id"].as_str().context("no client")?;
        let (verifier, back) = ("a-verifier-of-43-or-more-characters-as-the-rfc-wants", kind.redirects[0]);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let escaped = |text: &str| text.replace(':', "%3A").replace('/', "%2F");
        let resource = escaped(&format!("{ORIGIN}/mcp"));
        let endpoint = metadata["authorization_endpoint"].as_str().context("no authorization endpoint")?;
        let asked = format!(
            "{endpoint}?response_type=code&client_id={client}&redirect_uri={}&code_challenge={challenge}&code_challenge_method=S256\
             &state=a%20state&resource={resource}&scope=mcp%3Acall",
            escaped(back)
        );
        let came = self.browse(asked, back).await.context("the browser")?;
        let code = came.split('&').find_map(|part| part.strip_prefix("code=")).context("no code")?;
        ensure!(came.contains("state=a%20state"), "another state: {came}");
        let mut form =
            format!("grant_type=authorization_code&code={code}&client_id={client}&redirect_uri={}&code_verifier={verifier}", escaped(back));
        if names_resource_for_token {
            form += &format!("&resource={resource}");
        }
        let endpoint = metadata["token_endpoint"].as_str().context("no token endpoint")?;
        ensure!(endpoint.starts_with(self.idp.issuer()), "tokens are the issuer's alone to give: {endpoint}");
        let given = self.fetch("POST", endpoint, None, Some(("application/x-www-form-urlencoded", form))).await?;
        ensure!(given.status() == 200, "the token: {}", given.text());
        Ok(given.json()?["access_token"].as_str().context("no token")?.to_owned())
    }
}

#[tokio::test]
async fn every_known_client_logs_in_without_anybody_having_registered_it() -> Result<()> {
    let scene = Scene::set(IdpSpec::default(), json!({})).await?;
    for kind in &KINDS {
        let token = scene.log_in(kind, true).await.with_context(|| kind.name)?;
        assert_eq!(scene.call(Some(&token)).await?.status(), 200, "{}", kind.name);
    }
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_refuses_resource_is_not_sent_it_with_browsers() -> Result<()> {
    let spec = || IdpSpec { refuses_resource: true, ..IdpSpec::default() };
    let scene = Scene::set(spec(), json!({ "dropResource": true })).await?;
    for kind in &KINDS {
        scene.log_in(kind, false).await.with_context(|| kind.name)?;
    }
    let asked = scene.idp.asked(Endpoint::Authorize);
    assert_eq!(asked.len(), KINDS.len());
    for asked in asked {
        assert!(!asked.target.contains("resource="), "{}", asked.target);
        // Whatever else came is as it came.
        assert!(asked.target.contains("&state=a%20state&scope=mcp%3Acall"), "{}", asked.target);
    }
    let other = Scene::set(spec(), json!({})).await?;
    assert!(other.log_in(&KINDS[0], false).await.is_err(), "without dropResource it arrives");
    assert_eq!(other.fetch("GET", &format!("{ORIGIN}/authorize?resource=x"), None, None).await?.status(), 404);
    Ok(())
}

#[tokio::test]
async fn the_metadata_is_the_issuers_but_for_what_is_the_gateways() -> Result<()> {
    let metadata = json!({ "client_id_metadata_document_supported": true, "code_challenge_methods_supported": null,
        "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    let Value::Object(metadata) = metadata else { bail!("no object") };
    let scene = Scene::set(IdpSpec { path: "/realms/a".to_owned(), metadata, ..IdpSpec::default() }, json!({})).await?;
    let issuer = scene.idp.issuer().to_owned();
    for place in ["oauth-authorization-server", "oauth-authorization-server/mcp", "openid-configuration", "openid-configuration/mcp"] {
        let told = scene.json(&format!("{ORIGIN}/.well-known/{place}"), Some("https://any.example.com")).await?;
        let own = ["issuer", "registration_endpoint", "authorization_endpoint", "token_endpoint", "jwks_uri"].map(|key| told[key].as_str());
        let theirs = ["/authorize", "/token", "/jwks"].map(|path| format!("{issuer}{path}"));
        let register = format!("{ORIGIN}/register");
        let expected = [ORIGIN, &register, &theirs[0], &theirs[1], &theirs[2]].map(Some);
        assert_eq!(own, expected, "{place}");
        assert_eq!(told["client_id_metadata_document_supported"], true);
        assert_eq!(told["code_challenge_methods_supported"], json!(["S256"]), "issuers that take it need not say so");
        assert_eq!(told["token_endpoint_auth_methods_supported"], json!(["none", "client_secret_post"]));
        assert_eq!(told["scopes_supported"], json!(["mcp:call"]));
        assert_eq!(told.get("authorization_response_iss_parameter_supported"), None, "it would be another name than this one");
    }
    assert_eq!(scene.idp.hits(Endpoint::OpenId) + scene.idp.hits(Endpoint::OAuth), 1, "asked once, told often");
    assert_eq!(scene.fetch("GET", &format!("{ORIGIN}/.well-known/oauth-authorization-serverx"), None, None).await?.status(), 404);
    assert_eq!(scene.fetch("GET", &format!("{ORIGIN}/register"), None, None).await?.status(), 404);
    Ok(())
}

#[tokio::test]
async fn nobody_is_registered_for_a_place_that_the_operator_does_not_know() -> Result<()> {
    let scene = Scene::set(IdpSpec::default(), json!({})).await?;
    let register = async |body: String| -> Result<(u16, Value)> {
        let response = scene.fetch("POST", &format!("{ORIGIN}/register"), None, Some(("application/json", body))).await?;
        Ok((response.status(), response.json()?))
    };
    for uris in
        [json!(["https://evil.example.com/cb"]), json!(["http://localhost/cb", "https://evil.example.com/cb"]), json!([]), json!("x")]
    {
        let (status, told) = register(json!({ "redirect_uris": uris }).to_string()).await?;
        assert_eq!((status, &told["error"]), (400, &json!("invalid_redirect_uri")), "{uris}");
        assert!(told.get("client_id").is_none());
    }
    for body in ["[]", "nonsense", ""] {
        let (status, told) = register(body.to_owned()).await?;
        assert_eq!((status, &told["error"]), (400, &json!("invalid_client_metadata")), "{body}");
    }
    let long = json!({ "redirect_uris": ["http://localhost/"], "client_name": "x".repeat(100_000) }).to_string();
    let response = scene.fetch("POST", &format!("{ORIGIN}/register"), None, Some(("application/json", long))).await?;
    assert_eq!(response.status(), 413);
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_is_away_is_said_to_be_away_and_nothing_is_made_up() -> Result<()> {
    let scene = Scene::set(IdpSpec::default(), json!({})).await?;
    for endpoint in [Endpoint::OpenId, Endpoint::OAuth] {
        scene.idp.fail(endpoint, Outage::Status(500));
    }
    let place = format!("{ORIGIN}/.well-known/oauth-authorization-server");
    assert_eq!(scene.fetch("GET", &place, None, None).await?.status(), 503);
    scene.idp.heal();
    vmcp_tests::eventually("it is asked again", async || scene.json(&place, None).await.is_ok()).await?;
    scene.idp.kill();
    assert_eq!(scene.json(&place, None).await?["issuer"], ORIGIN, "what is known is told on");
    Ok(())
}
