//! A gateway before a provider, and requests to both.

use crate::kinds::KINDS;
use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Request, Response, Rpc},
    fixture::{Fixture, Spec},
    idp::{Client, Idp, IdpSpec},
    process::Vmcp,
};

/// What the gateway is called by its clients: requests of the tests have no port in their `Host`.
pub(crate) const ORIGIN: &str = "http://127.0.0.1";

/// Puts the members of one object into another.
fn extend(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

pub(crate) struct Scene {
    _fixture: Fixture,
    pub(crate) idp: Idp,
    pub(crate) vmcp: Vmcp,
    /// The path of the endpoint that clients are given.
    pub(crate) path: &'static str,
}

impl Scene {
    /// With a façade.
    pub(crate) async fn set(idp: IdpSpec, facade: Value) -> Result<Self> {
        Self::at("/mcp", idp, Some(facade)).await
    }

    pub(crate) async fn at(path: &'static str, idp: IdpSpec, facade: Option<Value>) -> Result<Self> {
        Self::with(path, idp, facade.map_or_else(|| json!({}), |facade| json!({ "facade": facade }))).await
    }

    /// With these settings of `oidc`, and what is there of `facade`.
    pub(crate) async fn with(path: &'static str, idp: IdpSpec, more: Value) -> Result<Self> {
        let documents = KINDS.iter().filter_map(|kind| kind.document).map(Client::public);
        let clients = std::iter::once(Client::public("registered-by-hand")).chain(documents).collect();
        let idp = Idp::with(IdpSpec { clients, ..idp }).await?;
        let fixture = Fixture::start(Spec::modern("b")).await?;
        let audience = json!([ORIGIN, format!("{ORIGIN}/mcp"), format!("{ORIGIN}/mcp/b"), "vmcp"]);
        let mut oidc = idp.settings(json!({ "audience": audience, "scopes": ["mcp:call"] }));
        extend(&mut oidc, more);
        if let Some(facade) = oidc.get_mut("facade") {
            let mut settings = json!({
                "clientId": "registered-by-hand",
                "redirectUris": ["https://claude.ai/api/mcp/auth_callback", "cursor://anysphere.cursor-mcp/oauth/callback", "https://vscode.dev/redirect"],
            });
            extend(&mut settings, facade.take());
            *facade = settings;
        }
        let config = json!({ "path": path, "incomingAuth": { "type": "oidc", "oidc": oidc }, "backends": [fixture.entry(json!({}))] });
        let vmcp = Vmcp::serve(config).await?;
        Ok(Self { _fixture: fixture, idp, vmcp, path })
    }

    /// What clients are told that the resource is called.
    pub(crate) fn resource(&self) -> String {
        format!("{ORIGIN}{}", self.path.trim_end_matches('/'))
    }

    /// A request to a URL of the gateway's or the issuer's, as a page of `page` sends it.
    pub(crate) async fn fetch(&self, verb: &str, url: &str, page: Option<&str>, body: Option<(&str, String)>) -> Result<Response> {
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

    pub(crate) async fn json(&self, url: &str, page: Option<&str>) -> Result<Value> {
        let response = self.fetch("GET", url, page, None).await?;
        ensure!(response.status() == 200, "{url}: {} {}", response.status(), response.text());
        response.json()
    }

    pub(crate) async fn call(&self, token: Option<&str>) -> Result<Response> {
        let tool = if self.path.ends_with("/b") { "echo" } else { "b_echo" };
        let caller = token
            .into_iter()
            .fold(Caller::new(Era::Modern).at(self.path), |caller, token| caller.header("authorization", format!("Bearer {token}")));
        Conn::open(self.vmcp.addr()).await?.exchange(&caller.request(&Rpc::tool(tool, "{}"), "1")).await
    }
}
