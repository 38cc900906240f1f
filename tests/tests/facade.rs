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

/// How a client comes to the metadata of the resource.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finds {
    /// By the 401, and at the well-known places where that names none.
    Challenge,
    /// At the well-known places alone: with the endpoint's path behind it, then without.
    WellKnown,
    /// It knows nothing newer than revision 2025-03-26: the issuer's metadata are at the resource's own origin, or it guesses paths there.
    Never,
}

/// A client, by what of its behaviour matters here.
struct Kind {
    name: &'static str,
    /// What it registers; it uses the first.
    redirects: &'static [&'static str],
    finds: Finds,
    /// Looks for OpenID Connect's metadata before RFC 8414's.
    openid_first: bool,
    /// Where it describes itself, if it does (Client ID Metadata Documents): used where the issuer's metadata say that it may be.
    document: Option<&'static str>,
    /// A page in a browser, which may read what says so.
    page: Option<&'static str>,
}

const PLAIN: Kind = Kind { name: "", redirects: &[], finds: Finds::Challenge, openid_first: false, document: None, page: None };

const KINDS: [Kind; 7] = [
    Kind {
        name: "Claude Code",
        redirects: &["http://localhost:54321/callback"],
        document: Some("https://claude.example.com/oauth/claude-code.json"),
        ..PLAIN
    },
    Kind { name: "Cursor", redirects: &["cursor://anysphere.cursor-mcp/oauth/callback"], finds: Finds::WellKnown, ..PLAIN },
    Kind {
        name: "VS Code",
        redirects: &["http://127.0.0.1:33418/", "http://localhost/", "https://vscode.dev/redirect"],
        document: Some("https://vscode.example.com/oauth/client.json"),
        ..PLAIN
    },
    Kind {
        name: "Inspector",
        redirects: &["http://localhost:6274/oauth/callback"],
        finds: Finds::WellKnown,
        page: Some("http://localhost:6274"),
        ..PLAIN
    },
    Kind {
        name: "claude.ai",
        redirects: &["https://claude.ai/api/mcp/auth_callback"],
        document: Some("https://claude.example.com/oauth/claude.json"),
        ..PLAIN
    },
    Kind { name: "one that prefers OpenID Connect", redirects: &["http://127.0.0.1:9/cb"], openid_first: true, ..PLAIN },
    Kind { name: "one of 2025-03-26", redirects: &["http://127.0.0.1:9/cb"], finds: Finds::Never, ..PLAIN },
];

struct Scene {
    _fixture: Fixture,
    idp: Idp,
    vmcp: Vmcp,
    /// The path of the endpoint that clients are given.
    path: &'static str,
}

impl Scene {
    /// With a façade.
    async fn set(idp: IdpSpec, facade: Value) -> Result<Self> {
        Self::at("/mcp", idp, Some(facade)).await
    }

    async fn at(path: &'static str, idp: IdpSpec, facade: Option<Value>) -> Result<Self> {
        let documents = KINDS.iter().filter_map(|kind| kind.document).map(Client::public);
        let clients = std::iter::once(Client::public("registered-by-hand")).chain(documents).collect();
        let idp = Idp::with(IdpSpec { clients, ..idp }).await?;
        let fixture = Fixture::start(Spec::modern("b")).await?;
        let mut oidc = json!({
            "issuer": idp.issuer(),
            "audience": [ORIGIN, format!("{ORIGIN}/mcp"), format!("{ORIGIN}/mcp/b"), "vmcp"],
            "scopes": ["mcp:call"],
            "insecureAllowHttp": true,
            "jwksAllowPrivateIp": true,
        });
        let mut settings = json!({
            "clientId": "registered-by-hand",
            "redirectUris": ["https://claude.ai/api/mcp/auth_callback", "cursor://anysphere.cursor-mcp/oauth/callback", "https://vscode.dev/redirect"],
        });
        if let (Some(settings), Some(Value::Object(facade))) = (settings.as_object_mut(), facade) {
            settings.extend(facade);
            oidc["facade"] = json!(settings);
        }
        let config = json!({ "path": path, "incomingAuth": { "type": "oidc", "oidc": oidc }, "backends": [fixture.entry(json!({}))] });
        let vmcp = Vmcp::serve(config).await?;
        Ok(Self { _fixture: fixture, idp, vmcp, path })
    }

    /// What clients are told that the resource is called.
    fn resource(&self) -> String {
        format!("{ORIGIN}{}", self.path.trim_end_matches('/'))
    }

    /// A request to a URL of the gateway's or the issuer's, as a page of `page` sends it.
    async fn fetch(&self, verb: &str, url: &str, page: Option<&str>, body: Option<(&str, String)>) -> Result<Response> {
        let (addr, path) = match (url.strip_prefix(&format!("http://{}", self.idp.addr())), url.strip_prefix(ORIGIN)) {
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
        // What is not there may say nothing to anybody.
        if page.is_some() && response.status() != 404 && addr == self.vmcp.addr() {
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
        let caller = token
            .into_iter()
            .fold(Caller::new(Era::Modern).at(self.path), |caller, token| caller.header("authorization", format!("Bearer {token}")));
        Conn::open(self.vmcp.addr()).await?.exchange(&caller.request(&Rpc::tool("b_echo", "{}"), "1")).await
    }

    /// The metadata of the authorization server, found the way such a client finds it.
    async fn discover(&self, kind: &Kind) -> Result<Value> {
        if kind.finds == Finds::Never {
            return self.json(&format!("{ORIGIN}/.well-known/oauth-authorization-server"), None).await;
        }
        let resource = self.described(kind).await?;
        ensure!(resource["resource"] == self.resource(), "another resource: {resource}");
        let issuer = resource["authorization_servers"][0].as_str().context("no authorization server")?;
        let metadata = self.first_of(&places(issuer, kind.openid_first), kind.page).await?;
        ensure!(metadata["issuer"] == issuer, "RFC 8414 §3.3: {metadata}");
        ensure!(metadata["code_challenge_methods_supported"].to_string().contains("S256"), "no PKCE, no login: {metadata}");
        Ok(metadata)
    }

    /// The metadata of the resource (RFC 9728), found the way such a client finds it.
    async fn described(&self, kind: &Kind) -> Result<Value> {
        let refused = self.call(None).await?;
        ensure!(refused.status() == 401, "not refused: {}", refused.status());
        let known = format!("{ORIGIN}/.well-known/oauth-protected-resource");
        if kind.finds == Finds::Challenge {
            let challenge = refused.head.header("www-authenticate").context("no challenge")?;
            let place = challenge.split("resource_metadata=\"").nth(1).and_then(|rest| rest.split('"').next()).context("no metadata")?;
            return self.json(place, kind.page).await;
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

    /// Logs in, and gives the token.
    async fn log_in(&self, kind: &Kind, names_resource_for_token: bool) -> Result<String> {
        let metadata = self.discover(kind).await.context("discovery")?;
        let client = &self.client(kind, &metadata).await?;
        let (verifier, back) = ("a-verifier-of-43-or-more-characters-as-the-rfc-wants", kind.redirects[0]);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let escaped = |text: &str| text.replace(':', "%3A").replace('/', "%2F");
        let resource = escaped(&self.resource());
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

/// Where an issuer's metadata may be, in the order of the protocol (2025-11-25, basic/authorization) or with OpenID Connect's first.
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

#[tokio::test]
async fn every_known_client_logs_in_without_anybody_having_registered_it() -> Result<()> {
    for path in ["/mcp", "/mcp/b", "/"] {
        let main = if path == "/mcp/b" { "/mcp" } else { path };
        let mut scene = Scene::at(main, IdpSpec::default(), Some(json!({}))).await?;
        scene.path = path;
        for kind in &KINDS {
            let (tool, said) = (if path == "/mcp/b" { "echo" } else { "b_echo" }, || format!("{} at {path}", kind.name));
            let token = scene.log_in(kind, true).await.with_context(said)?;
            let caller = Caller::new(Era::Modern).at(path).header("authorization", format!("Bearer {token}"));
            let called = Conn::open(scene.vmcp.addr()).await?.exchange(&caller.request(&Rpc::tool(tool, "{}"), "1")).await?;
            assert_eq!(called.status(), 200, "{}: {}", said(), called.text());
        }
        assert_eq!(scene.idp.hits(Endpoint::Register), 0);
    }
    Ok(())
}

#[tokio::test]
async fn where_the_issuer_registers_clients_those_that_know_of_it_log_in_without_a_facade() -> Result<()> {
    let plain = IdpSpec { registers: true, ..IdpSpec::default() };
    for spec in [
        plain.clone(),
        IdpSpec { path: "/realms/a".to_owned(), oauth: false, ..plain.clone() },
        IdpSpec { path: "/tenant".to_owned(), openid: false, ..plain },
    ] {
        let scene = Scene::at("/mcp", spec, None).await?;
        let (new, old): (Vec<_>, Vec<_>) = KINDS.iter().partition(|kind| kind.finds != Finds::Never);
        for kind in &new {
            let token = scene.log_in(kind, true).await.with_context(|| format!("{} at {}", kind.name, scene.idp.issuer()))?;
            assert_eq!(scene.call(Some(&token)).await?.status(), 200, "{}", kind.name);
        }
        assert_eq!(scene.idp.hits(Endpoint::Register), new.len());
        // Such a client looks at the gateway, which is no authorization server.
        for kind in old {
            assert!(scene.log_in(kind, true).await.is_err(), "{}", kind.name);
        }
    }
    Ok(())
}

#[tokio::test]
async fn where_the_issuer_reads_documents_clients_that_have_one_are_registered_by_nobody() -> Result<()> {
    let Value::Object(metadata) = json!({ "client_id_metadata_document_supported": true }) else { bail!("no object") };
    for facade in [None, Some(json!({}))] {
        let spec = IdpSpec { metadata: metadata.clone(), ..IdpSpec::default() };
        let scene = Scene::at("/mcp", spec, facade).await?;
        for kind in KINDS.iter().filter(|kind| kind.document.is_some()) {
            let token = scene.log_in(kind, true).await.with_context(|| kind.name)?;
            assert_eq!(scene.call(Some(&token)).await?.status(), 200, "{}", kind.name);
        }
        let asked = scene.idp.asked(Endpoint::Authorize);
        assert!(asked.iter().all(|asked| asked.target.contains("client_id=https")), "{asked:?}");
    }
    Ok(())
}

#[tokio::test]
async fn under_the_root_no_backend_can_be_called_as_a_page_of_the_facade() -> Result<()> {
    let scene = Scene::at("/", IdpSpec::default(), Some(json!({}))).await?;
    // A page that is not there is where a backend could be, as everywhere below an endpoint.
    for (path, expected) in [("/register", 404), ("/authorize", 401), ("/registers", 401)] {
        assert_eq!(scene.fetch("GET", &format!("{ORIGIN}{path}"), None, None).await?.status(), expected, "{path}");
    }
    let dropping = Scene::at("/", IdpSpec::default(), Some(json!({ "dropResource": true }))).await?;
    assert_eq!(dropping.fetch("GET", &format!("{ORIGIN}/authorize?state=x"), None, None).await?.status(), 302);
    let oidc = json!({ "issuer": "https://id.example.com", "audience": "x", "facade": { "clientId": "x" } });
    let url = "https://b.example.com/mcp";
    for (more, expected) in [
        (json!({ "path": "/", "backends": [{ "name": "register", "url": url }] }), "backends[0].name"),
        (json!({ "path": "/register", "backends": [{ "name": "b", "url": url }] }), "path"),
        (json!({ "ssePath": "/register", "backends": [{ "name": "b", "url": url }] }), "ssePath"),
        (
            json!({ "backends": [{ "name": "b", "url": url }], "endpoints": [{ "path": "/register", "backends": ["b"] }] }),
            "endpoints[0].path",
        ),
    ] {
        let mut config = json!({ "incomingAuth": { "type": "oidc", "oidc": oidc } });
        if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
            config.extend(more);
        }
        let Err(error) = Vmcp::serve(config).await else { bail!("it was started") };
        let said = error.to_string();
        assert!(said.contains("clients log in at /register") && said.contains(&format!("\"path\":\"{expected}\"")), "{said}");
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
