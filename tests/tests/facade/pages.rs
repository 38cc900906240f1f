//! What the façade says, and to whom.

use crate::scene::{ORIGIN, Scene};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use vmcp_tests::{
    idp::{Endpoint, IdpSpec, Outage},
    process::Vmcp,
};

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
