//! Issuers that mind the parameter `resource` (RFC 8707): what the façade can do about it, and the set-up that works where it cannot.

use crate::{
    client::{Manner, USUAL},
    kinds::KINDS,
    scene::{ORIGIN, Scene},
};
use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::idp::{Api, Endpoint, IdpSpec};

/// As clients did before there was RFC 8707 at the token endpoint.
const NOT_FOR_TOKENS: Manner<'static> = Manner { names_resource: [true, false], ..USUAL };

#[tokio::test]
async fn dropping_resource_reaches_the_browser_and_not_the_token_endpoint() -> Result<()> {
    let spec = || IdpSpec { refuses_resource: true, ..IdpSpec::default() };
    let scene = Scene::set(spec(), json!({ "dropResource": true })).await?;
    for kind in &KINDS {
        scene.log_in_so(kind, NOT_FOR_TOKENS).await.with_context(|| kind.name)?;
        let refused = scene.log_in(kind).await.err().context("it was taken")?;
        assert!(format!("{refused:#}").contains("the token: ") && format!("{refused:#}").contains("invalid_target"), "{refused:#}");
    }
    let asked = scene.idp.asked(Endpoint::Authorize);
    assert_eq!(asked.len(), 2 * KINDS.len());
    for asked in asked {
        assert!(!asked.target.contains("resource="), "{}", asked.target);
        // Whatever else came is as it came.
        assert!(asked.target.contains("&state=a%20state&scope=mcp%3Acall"), "{}", asked.target);
    }
    let other = Scene::set(spec(), json!({})).await?;
    let refused = other.log_in_so(&KINDS[0], NOT_FOR_TOKENS).await.err().context("without dropResource it arrives")?;
    assert!(format!("{refused:#}").contains("the browser"), "{refused:#}");
    assert_eq!(other.fetch("GET", &format!("{ORIGIN}/authorize?resource=x"), None, None).await?.status(), 404);
    Ok(())
}

/// A provider like Entra, with an API of this URI.
fn entra(uri: &str) -> IdpSpec {
    let api = Api { uri: uri.to_owned(), id: "api-client-id".to_owned(), scopes: vec!["tools".to_owned()] };
    IdpSpec { path: "/tenant/v2.0".to_owned(), oauth: false, names_itself: false, api: Some(api), ..IdpSpec::default() }
}

#[tokio::test]
async fn where_the_apis_uri_is_the_endpoints_url_every_client_logs_in_and_renews_its_token() -> Result<()> {
    let uri = &format!("{ORIGIN}/mcp");
    let scope = format!("{uri}/tools");
    for (path, drops) in [("/mcp", false), ("/mcp", true), ("/mcp/b", false)] {
        let oidc = json!({
            "audience": "api-client-id",
            "resource": uri,
            "requiredScopes": ["tools"],
            "scopes": [scope, "offline_access"],
            "facade": { "dropResource": drops },
        });
        let mut scene = Scene::with("/mcp", entra(uri), oidc).await?;
        scene.path = path;
        for kind in &KINDS {
            // One that does not know where the resource is described has a name of its own for it.
            if path != "/mcp" && !kind.knows_of_issuers() {
                continue;
            }
            let said = || format!("{} at {path}", kind.name);
            let grant = scene.log_in(kind).await.with_context(said)?;
            assert_eq!(scene.call(Some(&grant.token)).await?.status(), 200, "{}", said());
            let renewed = scene.renew(&grant).await.with_context(said)?;
            assert_eq!(scene.call(Some(&renewed.token)).await?.status(), 200, "{}", said());
        }
    }
    Ok(())
}

#[tokio::test]
async fn where_the_apis_uri_is_another_clients_that_name_the_resource_fail_whether_it_is_dropped_or_not() -> Result<()> {
    let uri = "api://api-client-id";
    for (drops, place) in [(false, "the browser"), (true, "the token: ")] {
        let oidc = json!({
            "audience": "api-client-id",
            "requiredScopes": ["tools"],
            "scopes": [format!("{uri}/tools")],
            "facade": { "dropResource": drops },
        });
        let scene = Scene::with("/mcp", entra(uri), oidc).await?;
        for kind in &KINDS {
            let refused = scene.log_in(kind).await.err().context("it was taken")?;
            assert!(format!("{refused:#}").contains(place) && format!("{refused:#}").contains("invalid_target"), "{refused:#}");
            assert_eq!(scene.log_in_so(kind, NOT_FOR_TOKENS).await.is_ok(), drops, "{}", kind.name);
        }
    }
    Ok(())
}
