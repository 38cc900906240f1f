//! Clients of other people log in: the flows of the TypeScript SDK (on which MCP Inspector, Claude Code and Cursor are built) in both of its
//! majors, and of the Python SDK, against a real gateway and a real provider. Needs Node and Python; the packages are installed once under
//! `target/tools`.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::{net::TcpListener, process::Command};
use vmcp_core::config::Config;
use vmcp_server::Gateway;
use vmcp_tests::{
    PATIENCE,
    fixture::{Fixture, Spec},
    idp::{Api, Client, Endpoint, Idp, IdpSpec},
    server::script,
    tools,
};

const REDIRECT: &str = "http://127.0.0.1:9/callback";

/// The client that the operator registered for the façade.
const BY_HAND: &str = "registered-by-hand";

/// A document in which a client describes itself; a real one is at its vendor's.
const DOCUMENT: &str = "https://client.example.com/oauth/client.json";

/// A client program: how it is called, and with what it begins to run.
struct Sdk {
    name: &'static str,
    command: Vec<PathBuf>,
    /// Compares the `iss` of answers to browsers with the issuer that it found.
    is_strict: bool,
}

fn sdks() -> Result<[Sdk; 3]> {
    let (node, [first, second]) = tools::typescript()?;
    let login = || PathBuf::from(script("login.mjs"));
    Ok([
        Sdk { name: "TypeScript SDK 1", command: vec![node.clone(), login(), first], is_strict: false },
        Sdk { name: "TypeScript SDK 2", command: vec![node, login(), second], is_strict: true },
        Sdk { name: "Python SDK", command: vec![tools::python()?, script("login.py").into()], is_strict: true },
    ])
}

impl Sdk {
    /// Logs in at an endpoint, calls a tool, and once more with a token that is no longer good; tells as which client, and where it sent the
    /// browser last, which it did once.
    async fn log_in(&self, url: &str, document: Option<&str>) -> Result<(String, String)> {
        let (client, asked, logins) = self.log_in_often(url, document).await?;
        ensure!(logins == 1, "{}: sent a browser {logins} times", self.name);
        Ok((client, asked))
    }

    /// The same, and tells how often it sent a browser.
    async fn log_in_often(&self, url: &str, document: Option<&str>) -> Result<(String, String, u64)> {
        let (program, arguments) = self.command.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(arguments).args([url, REDIRECT]).args(document).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.with_context(|| format!("{} does not end", self.name))??;
        ensure!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(said["failed"] == false, "{}: {said}", self.name);
        let text = |key: &str| said[key].as_str().map(str::to_owned).with_context(|| format!("{}: no {key}", self.name));
        Ok((text("client")?, text("asked")?, said["logins"].as_u64().context("no number of logins")?))
    }
}

struct Scene {
    fixture: Fixture,
    idp: Idp,
    gateway: Gateway,
    origin: String,
}

impl Scene {
    /// A gateway whose endpoint of all backends is at `path`, and a provider.
    async fn set(path: &str, idp: IdpSpec, facade: Option<Value>) -> Result<Self> {
        let more = facade.map_or_else(|| json!({}), |facade| json!({ "facade": facade }));
        Self::with(path, |_| (idp, more)).await
    }

    /// The same with more settings of `oidc`, where the provider or the settings have to know the gateway's origin.
    async fn with(path: &str, of: impl FnOnce(&str) -> (IdpSpec, Value)) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let (idp, more) = of(&origin);
        let clients = vec![Client::public(BY_HAND), Client::public(DOCUMENT)];
        let idp = Idp::with(IdpSpec { clients, ..idp }).await?;
        let fixture = Fixture::start(Spec::both("b")).await?;
        let audience = json!([format!("{origin}/"), origin, format!("{origin}/mcp"), format!("{origin}/mcp/b")]);
        let mut oidc = idp.settings(json!({ "audience": audience, "scopes": ["mcp:call"] }));
        if let (Some(oidc), Value::Object(more)) = (oidc.as_object_mut(), more) {
            oidc.extend(more);
        }
        let config = json!({ "path": path, "incomingAuth": { "type": "oidc", "oidc": oidc }, "backends": [fixture.entry(json!({}))] });
        let config: Config = serde_json::from_value(config)?;
        let gateway = Gateway::builder(config).build()?;
        let served = gateway.clone();
        tokio::spawn(async move { served.serve(listener).await });
        Ok(Self { fixture, idp, gateway, origin })
    }

    async fn end(self) {
        self.gateway.shutdown().await;
        drop(self.fixture);
    }
}

/// Where an issuer can be, and which metadata it can have.
fn issuers() -> [IdpSpec; 3] {
    let plain = IdpSpec { registers: true, ..IdpSpec::default() };
    [
        plain.clone(),
        IdpSpec { path: "/realms/a".to_owned(), oauth: false, ..plain.clone() },
        IdpSpec { path: "/tenant".to_owned(), openid: false, ..plain },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sdk_registers_with_an_issuer_that_registers_clients_and_logs_in() -> Result<()> {
    let sdks = sdks()?;
    for spec in issuers() {
        let scene = Scene::set("/mcp", spec, None).await?;
        for sdk in &sdks {
            let (client, asked) = sdk.log_in(&format!("{}/mcp", scene.origin), None).await?;
            assert_ne!(client, BY_HAND);
            assert!(asked.starts_with(&scene.idp.url("/authorize")), "{asked}");
            assert!(asked.contains("scope=mcp%3Acall") && asked.contains("resource="), "{}: {asked}", sdk.name);
        }
        assert_eq!(scene.idp.hits(Endpoint::Register), sdks.len());
        scene.end().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sdk_is_given_the_facades_client_at_every_endpoint_and_logs_in_at_the_issuer() -> Result<()> {
    let sdks = sdks()?;
    for (path, endpoints) in [("/mcp", &["/mcp", "/mcp/b"][..]), ("/", &["/"])] {
        let spec = IdpSpec { names_itself: false, ..IdpSpec::default() };
        let scene = Scene::set(path, spec, Some(json!({ "clientId": BY_HAND }))).await?;
        for sdk in &sdks {
            for endpoint in endpoints {
                let logged_in = sdk.log_in(&format!("{}{endpoint}", scene.origin), None).await;
                let (client, asked) = logged_in.with_context(|| format!("at {endpoint}"))?;
                assert_eq!(client, BY_HAND, "{}", sdk.name);
                assert!(asked.starts_with(&scene.idp.url("/authorize")), "{asked}");
            }
        }
        assert_eq!(scene.idp.hits(Endpoint::Register), 0);
        scene.end().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sdk_shows_its_document_where_the_issuer_reads_documents() -> Result<()> {
    let Value::Object(metadata) = json!({ "client_id_metadata_document_supported": true }) else { anyhow::bail!("no object") };
    for facade in [None, Some(json!({ "clientId": BY_HAND }))] {
        let spec = IdpSpec { metadata: metadata.clone(), names_itself: facade.is_none(), registers: true, ..IdpSpec::default() };
        let scene = Scene::set("/mcp", spec, facade).await?;
        for sdk in &sdks()? {
            let (client, _) = sdk.log_in(&format!("{}/mcp", scene.origin), Some(DOCUMENT)).await?;
            assert_eq!(client, DOCUMENT, "{}", sdk.name);
        }
        assert_eq!(scene.idp.hits(Endpoint::Register), 0);
        scene.end().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facade_before_an_issuer_that_names_itself_is_refused_by_clients_that_look() -> Result<()> {
    let scene = Scene::set("/mcp", IdpSpec::default(), Some(json!({ "clientId": BY_HAND }))).await?;
    for sdk in &sdks()? {
        let logged_in = sdk.log_in(&format!("{}/mcp", scene.origin), None).await;
        assert_eq!(logged_in.is_err(), sdk.is_strict, "{}: {logged_in:?}", sdk.name);
    }
    scene.end().await;
    Ok(())
}

/// A provider like Entra that knows the gateway by this URI, and the settings that docs/auth.md has for it.
fn entra(uri: &str, drops: bool) -> (IdpSpec, Value) {
    let api = Api { uri: uri.to_owned(), id: "api-client-id".to_owned(), scopes: vec!["tools".to_owned()] };
    let spec = IdpSpec { path: "/tenant/v2.0".to_owned(), oauth: false, names_itself: false, api: Some(api), ..IdpSpec::default() };
    let scope = format!("{uri}/tools");
    let facade = json!({ "clientId": BY_HAND, "dropResource": drops });
    (spec, json!({ "audience": "api-client-id", "requiredScopes": ["tools"], "scopes": [scope, "offline_access"], "facade": facade }))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sdk_logs_in_where_entra_knows_the_gateway_by_its_url() -> Result<()> {
    for drops in [false, true] {
        let scene = Scene::with("/mcp", |origin| entra(&format!("{origin}/mcp"), drops)).await?;
        for sdk in &sdks()? {
            scene.idp.forget_asked();
            sdk.log_in(&format!("{}/mcp", scene.origin), None).await?;
            let asked = scene.idp.asked(Endpoint::Token);
            assert!(asked.iter().all(|asked| asked.field("resource").is_some()), "{}: {asked:?}", sdk.name);
        }
        scene.end().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sdk_logs_in_where_entra_knows_the_gateway_by_another_name() -> Result<()> {
    for drops in [false, true] {
        let scene = Scene::with("/mcp", |_| entra("api://api-client-id", drops)).await?;
        for sdk in &sdks()? {
            let refused = sdk.log_in(&format!("{}/mcp", scene.origin), None).await.err().context(sdk.name)?;
            assert!(refused.to_string().contains("the resource is not that of the scopes"), "{refused:#}");
        }
        assert_eq!(scene.idp.hits(Endpoint::Token) > 0, drops, "dropped, it gets as far as the token endpoint");
        scene.end().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sdk_asks_once_more_for_a_scope_that_was_not_allowed() -> Result<()> {
    let needed = json!({ "requiredScopes": ["mcp:read", "mcp:call"], "scopes": ["mcp:read", "mcp:call"] });
    // With something to renew its token with, the TypeScript SDK's first major renews it in place of asking, and gives up.
    let scene = Scene::with("/mcp", |_| (IdpSpec { registers: true, renews: false, ..IdpSpec::default() }, needed)).await?;
    for sdk in &sdks()? {
        scene.idp.withhold("mcp:call");
        let (_, asked, logins) = sdk.log_in_often(&format!("{}/mcp", scene.origin), None).await?;
        assert_eq!(logins, 3, "{}: at first, for the scope, and when its token was over", sdk.name);
        assert!(asked.contains("mcp%3Aread") && asked.contains("mcp%3Acall"), "{}: {asked}", sdk.name);
    }
    scene.end().await;
    Ok(())
}
