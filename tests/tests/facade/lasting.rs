//! What happens after a login: tokens are renewed, and more is asked for.

use crate::{client::parameter, kinds::KINDS, scene::Scene};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use vmcp_tests::idp::{Endpoint, IdpSpec};

#[tokio::test]
async fn every_client_renews_its_token_at_the_issuer() -> Result<()> {
    let scene = Scene::set(IdpSpec::default(), json!({})).await?;
    for kind in &KINDS {
        let first = scene.log_in(kind).await.with_context(|| kind.name)?;
        scene.idp.forget_asked();
        let second = scene.renew(&first).await.with_context(|| kind.name)?;
        assert_ne!(first.token, second.token);
        assert_eq!(scene.call(Some(&second.token)).await?.status(), 200, "{}", kind.name);
        let asked = scene.idp.asked(Endpoint::Token);
        let [asked] = asked.as_slice() else { bail!("asked {} times", asked.len()) };
        let fields = ["grant_type", "client_id", "resource"].map(|name| asked.field(name));
        assert_eq!(fields, ["refresh_token", "registered-by-hand", &scene.resource()].map(Some));
        assert_eq!(scene.idp.hits(Endpoint::Authorize), 0, "nobody has to look at a browser");
    }
    Ok(())
}

#[tokio::test]
async fn who_allowed_too_little_is_asked_once_more_and_keeps_what_was_allowed() -> Result<()> {
    let scopes = json!({ "requiredScopes": ["mcp:read", "mcp:call"], "scopes": ["mcp:read", "mcp:call", "mcp:more"] });
    let Value::Object(mut with_facade) = scopes.clone() else { bail!("no object") };
    with_facade.insert("facade".to_owned(), json!({}));
    for (oidc, registers) in [(Value::Object(with_facade), false), (scopes, true)] {
        let scene = Scene::with("/mcp", IdpSpec { registers, ..IdpSpec::default() }, oidc).await?;
        for kind in KINDS.iter().filter(|kind| !registers || kind.knows_of_issuers()) {
            scene.idp.withhold("mcp:call");
            let first = scene.log_in(kind).await.with_context(|| kind.name)?;
            let refused = scene.call(Some(&first.token)).await?;
            assert_eq!(refused.status(), 403, "{}", kind.name);
            assert_eq!(parameter(&refused, "scope"), Some("mcp:read mcp:call"));
            scene.idp.forget_asked();
            let second = scene.step_up(kind, &first, &refused).await.with_context(|| kind.name)?;
            assert_eq!(scene.call(Some(&second.token)).await?.status(), 200, "{}", kind.name);
            let asked = scene.idp.asked(Endpoint::Authorize);
            assert_eq!(asked.iter().map(|asked| asked.field("scope")).collect::<Vec<_>>(), [Some(first.scope.as_str())], "{}", kind.name);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_client_takes_no_answer_without_the_name_of_an_issuer_that_says_that_it_gives_one() -> Result<()> {
    let Value::Object(metadata) = json!({ "authorization_response_iss_parameter_supported": true }) else { bail!("no object") };
    let spec = IdpSpec { names_itself: false, registers: true, metadata, ..IdpSpec::default() };
    let scene = Scene::at("/mcp", spec.clone(), None).await?;
    let refused = scene.log_in(&KINDS[0]).await.err().context("it was taken")?;
    assert!(refused.to_string().contains("the answer of another issuer"), "{refused:#}");
    let honest = Scene::at("/mcp", IdpSpec { names_itself: true, ..spec.clone() }, None).await?;
    honest.log_in(&KINDS[0]).await?;
    // The façade has another name than the issuer, and announces none.
    let facade = Scene::set(IdpSpec { registers: false, ..spec }, json!({})).await?;
    facade.log_in(&KINDS[0]).await?;
    Ok(())
}
