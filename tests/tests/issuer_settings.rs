//! What each setting of an issuer changes, seen from outside: at the provider, at clients, and in what callers may do.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Request, Response, Rpc},
    fixture::{Fixture, Spec},
    idp::{Algorithm, Endpoint, Idp, IdpSpec},
    process::Vmcp,
};

const SECRET: &str = "vmcp-secret";

struct Scene {
    _fixture: Fixture,
    vmcp: Vmcp,
}

impl Scene {
    async fn of(oidc: Value) -> Result<Self> {
        Self::with(json!({ "type": "oidc", "oidc": oidc })).await
    }

    async fn with(incoming: Value) -> Result<Self> {
        let fixture = Fixture::start(Spec::modern("b")).await?;
        let config = json!({
            "incomingAuth": incoming,
            "backends": [fixture.entry(json!({}))],
            "endpoints": [{ "path": "/team", "backends": ["b"] }],
        });
        let vmcp = Vmcp::with(config).env("INTROSPECTION_SECRET", SECRET).start().await?;
        Ok(Self { _fixture: fixture, vmcp })
    }

    /// What a call with this token, or without one, is answered with.
    async fn call(&self, token: Option<&str>) -> Result<Response> {
        let caller = Caller::new(Era::Modern);
        let caller = token.into_iter().fold(caller, |caller, token| caller.header("authorization", format!("Bearer {token}")));
        Conn::open(self.vmcp.addr()).await?.exchange(&caller.request(&Rpc::tool("b_echo", "{}"), "1")).await
    }

    /// The status of it.
    async fn status(&self, token: &str) -> Result<u16> {
        Ok(self.call(Some(token)).await?.status())
    }

    async fn page(&self, path: &str) -> Result<Value> {
        Conn::open(self.vmcp.addr()).await?.exchange(&Request::get(path)).await?.json()
    }
}

/// A provider whose metadata lack something.
async fn without(name: &str) -> Result<Idp> {
    Idp::with(IdpSpec { metadata: Map::from_iter([(name.to_owned(), Value::Null)]), ..IdpSpec::default() }).await
}

fn seconds() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

#[tokio::test]
async fn an_issuer_without_tls_is_refused_before_anybody_is_served() -> Result<()> {
    let idp = Idp::start().await?;
    let refused = Scene::of(idp.settings(json!({ "insecureAllowHttp": false }))).await.err().context("it was taken")?.to_string();
    ensure!(refused.contains("`issuer` is not https") && refused.contains("insecureAllowHttp: true"), "{refused}");
    assert_eq!(idp.hits(Endpoint::OpenId) + idp.hits(Endpoint::OAuth) + idp.hits(Endpoint::Keys), 0);
    Ok(())
}

#[tokio::test]
async fn either_key_lets_an_issuer_be_asked_at_a_private_address_and_without_one_it_is_not() -> Result<()> {
    for (jwks, resource, status) in [(false, false, 503), (false, true, 200), (true, false, 200)] {
        let idp = Idp::start().await?;
        let scene = Scene::of(idp.settings(json!({ "jwksAllowPrivateIp": jwks, "protectedResourceAllowPrivateIp": resource }))).await?;
        assert_eq!(scene.status(&idp.token_of("alice")?).await?, status, "{jwks} {resource}");
        assert_eq!(idp.hits(Endpoint::Keys) > 0, status == 200);
    }
    Ok(())
}

#[tokio::test]
async fn keys_come_from_the_configured_place_alone_and_no_metadata_are_read() -> Result<()> {
    let (idp, keeper) = (Idp::start().await?, Idp::with(IdpSpec { algorithm: Algorithm::Es256, ..IdpSpec::default() }).await?);
    let scene = Scene::of(idp.settings(json!({ "jwksUrl": keeper.url("/jwks") }))).await?;
    assert_eq!(scene.status(&keeper.token()?.claim("iss", json!(idp.issuer())).sign()?).await?, 200);
    assert_eq!(scene.status(&idp.token_of("alice")?).await?, 401, "the issuer's own key is none of those");
    assert!(keeper.hits(Endpoint::Keys) > 0);
    assert_eq!(idp.hits(Endpoint::OpenId) + idp.hits(Endpoint::OAuth) + idp.hits(Endpoint::Keys), 0);
    assert_eq!(keeper.hits(Endpoint::OpenId) + keeper.hits(Endpoint::OAuth), 0);
    Ok(())
}

#[tokio::test]
async fn the_metadata_of_each_endpoint_name_the_configured_resource_and_scopes() -> Result<()> {
    let idp = Idp::start().await?;
    let named = json!({ "resource": "https://mcp.example.com/all", "scopes": ["a", "b"], "requiredScopes": ["a"] });
    let scene = Scene::of(idp.settings(named)).await?;
    let own = Scene::of(idp.settings(json!({}))).await?;
    for path in ["/mcp", "/mcp/b", "/team"] {
        let place = format!("/.well-known/oauth-protected-resource{path}");
        let told = scene.page(&place).await?;
        assert_eq!((&told["resource"], &told["scopes_supported"]), (&json!("https://mcp.example.com/all"), &json!(["a", "b"])), "{path}");
        let told = own.page(&place).await?;
        ensure!(told["resource"].as_str().is_some_and(|url| url.ends_with(path)), "{told}");
        assert_eq!(told["scopes_supported"], json!(["openid"]));
    }
    Ok(())
}

#[tokio::test]
async fn the_configured_resource_is_told_to_the_letter() -> Result<()> {
    // Clients compare texts (RFC 9728 §3.3), and issuers write them into `aud`.
    let idp = Idp::start().await?;
    for resource in [
        "https://mcp.example.com",
        "https://mcp.example.com/",
        "https://MCP.example.com",
        "https://mcp.example.com:443/mcp",
        "https://mcp.example.com/a/../b%2f",
    ] {
        let scene = Scene::of(idp.settings(json!({ "resource": resource }))).await?;
        for path in ["", "/mcp", "/team"] {
            let told = scene.page(&format!("/.well-known/oauth-protected-resource{path}")).await?;
            assert_eq!(told["resource"], resource, "{path}");
        }
    }
    for (resource, why) in [
        ("mcp.example.com/mcp", "is not a URL"),
        ("api://0e5f/mcp", "`resource` must be an https or http URL"),
        ("https:/mcp.example.com/mcp", "beginning with `https://`"),
        ("https://mcp.example.com/mcp#tools", "a fragment"),
        ("https://ann@mcp.example.com/mcp", "a user name or a password"),
        ("https://mcp.example.com/mcp ", "a space"),
    ] {
        let refused = Scene::of(idp.settings(json!({ "resource": resource }))).await.err().context(resource)?.to_string();
        ensure!(refused.contains(why) && refused.contains("incomingAuth.oidc.resource"), "{resource}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn scopes_that_are_asked_for_by_another_name_than_tokens_have_are_named_as_they_are_asked_for() -> Result<()> {
    let idp = Idp::start().await?;
    // Entra: asked for with the API's URI before it, and alone in `scp`.
    let uri = "https://mcp.example.com/mcp";
    for (scopes, needed) in [
        (Value::Null, "tools admin".to_owned()),
        (json!([format!("{uri}/tools"), format!("{uri}/admin"), format!("{uri}/more")]), format!("{uri}/tools {uri}/admin")),
        (json!([format!("{uri}/tools"), format!("{uri}/notadmin"), "admin"]), format!("{uri}/tools admin")),
        (json!(["more"]), "tools admin".to_owned()),
    ] {
        let scene = Scene::of(idp.settings(json!({ "requiredScopes": ["tools", "admin"], "scopes": scopes }))).await?;
        let narrow = idp.token()?.claim("scp", json!("tools")).sign()?;
        for (token, status) in [(None, 401), (Some("a.b.c"), 401), (Some(narrow.as_str()), 403)] {
            let refused = scene.call(token).await?;
            let challenge = refused.head.header("www-authenticate").context("no challenge")?;
            assert_eq!(refused.status(), status, "{challenge}");
            ensure!(challenge.contains(&format!("scope=\"{needed}\"")), "{scopes}, {status}: {challenge}");
        }
        assert_eq!(scene.status(&idp.token()?.claim("scp", json!("tools admin")).sign()?).await?, 200, "{scopes}");
    }
    Ok(())
}

#[tokio::test]
async fn scopes_are_named_as_the_facade_says_that_they_are_asked_for() -> Result<()> {
    let idp = Idp::start().await?;
    for (scopes, facade, needed) in [
        (Value::Null, json!(["api://x/tools"]), "api://x/tools"),
        (json!(["more"]), json!(["api://x/tools", "offline_access"]), "api://x/tools offline_access"),
        (json!(["offline_access"]), json!(["api://x/tools", "offline_access"]), "api://x/tools offline_access"),
        (json!(["tools"]), json!(["api://x/tools"]), "tools"),
        (json!(["api://x/tools"]), Value::Null, "api://x/tools"),
    ] {
        let facade = json!({ "clientId": "by-hand", "scopes": facade });
        let scene = Scene::of(idp.settings(json!({ "requiredScopes": ["tools"], "scopes": scopes, "facade": facade }))).await?;
        let narrow = idp.token()?.claim("scp", json!("else")).sign()?;
        for (token, status) in [(None, 401), (Some(narrow.as_str()), 403)] {
            let refused = scene.call(token).await?;
            let challenge = refused.head.header("www-authenticate").context("no challenge")?;
            assert_eq!(refused.status(), status, "{challenge}");
            ensure!(challenge.contains(&format!("scope=\"{needed}\"")), "{scopes}, {facade}, {status}: {challenge}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_token_is_in_the_log_with_the_reason_and_without_the_token() -> Result<()> {
    let idp = Idp::start().await?;
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let config = json!({ "incomingAuth": { "type": "oidc", "oidc": idp.settings(json!({})) }, "backends": [fixture.entry(json!({}))] });
    let vmcp = Vmcp::with(config).env("VMCP_LOG_LEVEL", "debug").start().await?;
    let scene = Scene { _fixture: fixture, vmcp };
    let token = idp.token()?.audience("somebody-else").sign()?;
    let refused = scene.call(Some(&token)).await?;
    let reason = "the token is for somebody else: its audience is not the one configured here";
    ensure!(refused.status() == 401 && refused.text().contains(reason), "{}", refused.text());
    let log = scene.vmcp.quit().await?;
    ensure!(log.contains(&format!("refused a request: {reason}")), "{log}");
    ensure!(!log.contains(&token) && !log.contains("somebody-else"), "{log}");
    Ok(())
}

#[tokio::test]
async fn the_facade_tells_its_own_scopes_where_it_has_some_and_the_issuers_settings_otherwise() -> Result<()> {
    let idp = Idp::start().await?;
    for (scopes, told) in [(json!(["f:read", "f:write"]), json!(["f:read", "f:write"])), (Value::Null, json!(["outer"]))] {
        let facade = json!({ "clientId": "by-hand", "scopes": scopes });
        let scene = Scene::of(idp.settings(json!({ "scopes": ["outer"], "facade": facade }))).await?;
        assert_eq!(scene.page("/.well-known/oauth-authorization-server").await?["scopes_supported"], told);
        assert_eq!(scene.page("/.well-known/oauth-protected-resource").await?["scopes_supported"], json!(["outer"]));
    }
    Ok(())
}

#[tokio::test]
async fn tokens_are_asked_about_at_the_configured_place_by_the_client_with_its_secret() -> Result<()> {
    // `vmcp:vmcp-secret` in Base64.
    let basic = "Basic dm1jcDp2bWNwLXNlY3JldA==";
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), SECRET)?;
    for secret in [json!(SECRET), json!({ "fromEnv": "INTROSPECTION_SECRET" }), json!({ "fromFile": file.path() })] {
        let idp = without("introspection_endpoint").await?;
        let client = json!({ "clientId": "vmcp", "clientSecret": secret, "introspectionUrl": idp.url("/introspect") });
        let scene = Scene::of(idp.settings(client)).await?;
        let token = idp.token()?.opaque();
        assert_eq!(scene.status(&token).await?, 200);
        let asked = idp.asked(Endpoint::Introspect);
        let [asked] = asked.as_slice() else { anyhow::bail!("asked {} times", asked.len()) };
        assert_eq!((asked.header("authorization"), asked.field("token")), (Some(basic), Some(token.as_str())));
        assert_eq!(asked.field("client_secret"), None, "once is enough");
        assert_eq!(idp.hits(Endpoint::OpenId) + idp.hits(Endpoint::OAuth), 0, "nothing else had to be known");
    }
    let idp = without("introspection_endpoint").await?;
    for (client, status, hits) in [
        (json!({ "clientId": "vmcp", "clientSecret": SECRET }), 503, 0),
        (json!({ "clientId": "vmcp", "clientSecret": "wrong", "introspectionUrl": idp.url("/introspect") }), 503, 1),
        (json!({}), 401, 1),
    ] {
        let scene = Scene::of(idp.settings(client)).await?;
        assert_eq!(scene.status(&idp.token()?.opaque()).await?, status);
        assert_eq!(idp.hits(Endpoint::Introspect), hits);
    }
    Ok(())
}

#[tokio::test]
async fn groups_and_roles_are_read_from_the_configured_claims_and_a_policy_sees_them() -> Result<()> {
    let idp = Idp::start().await?;
    let claims = json!({ "groupsClaim": "https://example.com/teams", "rolesClaim": "realm_access.roles" });
    let policy = r#"permit(principal in THVGroup::"ops", action, resource);"#;
    let authz = json!({ "type": "cedar", "policies": [policy] });
    let scene = Scene::with(json!({ "type": "oidc", "oidc": idp.settings(claims), "authz": authz })).await?;
    for (what, name, value, may) in [
        ("the groups' claim", "https://example.com/teams", json!(["dev", "ops"]), true),
        ("the roles' claim", "realm_access", json!({ "roles": ["ops"] }), true),
        ("another team", "https://example.com/teams", json!(["dev"]), false),
        ("another claim", "https://example.com/wishes", json!(["ops"]), false),
        ("roles at another place", "resource_access", json!({ "roles": ["ops"] }), false),
    ] {
        let token = idp.token()?.claim(name, value).sign()?;
        let mut client = scene.vmcp.client_of(Era::Modern).header("authorization", format!("Bearer {token}")).connect().await?;
        assert_eq!(client.call("b_echo", "{}").await?.result().is_ok(), may, "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway_and_no_more() -> Result<()> {
    let idp = Idp::start().await?;
    // Far enough from what is tried that a slow machine does not matter.
    for (leeway, status) in [(json!("5m"), 200), (json!("2s"), 401), (json!("0s"), 401), (Value::Null, 401)] {
        let mut settings = idp.settings(json!({ "leeway": leeway }));
        if leeway.is_null() {
            settings.as_object_mut().context("no object")?.remove("leeway");
        }
        let scene = Scene::of(settings).await?;
        for claim in ["nbf", "iat"] {
            let early = idp.token()?.claim(claim, json!(seconds()? + 150)).sign()?;
            assert_eq!(scene.status(&early).await?, status, "{claim} with {leeway}");
        }
        let late = idp.token()?.expires_in(-150).sign()?;
        for _ in 0..2 {
            assert_eq!(scene.status(&late).await?, status, "exp with {leeway}");
        }
    }
    let scene = Scene::of(idp.settings(json!({}))).await?;
    assert_eq!(scene.status(&idp.token()?.claim("nbf", json!(seconds()? + 30)).sign()?).await?, 200, "a minute, when nothing is said");
    assert_eq!(scene.status(&idp.token()?.expires_in(-30).sign()?).await?, 200, "at both ends");
    Ok(())
}
