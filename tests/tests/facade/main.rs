//! The OAuth façade: clients that nobody registered with the issuer log in the way they do everywhere, and end with the issuer's own token.

mod client;
mod kinds;
mod lasting;
mod pages;
mod resource;
mod scene;

use anyhow::{Context, Result, bail};
use client::Grant;
use kinds::KINDS;
use scene::Scene;
use serde_json::{Value, json};
use vmcp_tests::idp::{Endpoint, IdpSpec};

#[tokio::test]
async fn every_known_client_logs_in_without_anybody_having_registered_it() -> Result<()> {
    for path in ["/mcp", "/mcp/b", "/"] {
        let main = if path == "/mcp/b" { "/mcp" } else { path };
        let mut scene = Scene::at(main, IdpSpec::default(), Some(json!({}))).await?;
        scene.path = path;
        for kind in &KINDS {
            let said = || format!("{} at {path}", kind.name);
            let Grant { token, .. } = scene.log_in(kind).await.with_context(said)?;
            let called = scene.call(Some(&token)).await?;
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
        let (new, old): (Vec<_>, Vec<_>) = KINDS.iter().partition(|kind| kind.knows_of_issuers());
        for kind in &new {
            let Grant { token, .. } = scene.log_in(kind).await.with_context(|| format!("{} at {}", kind.name, scene.idp.issuer()))?;
            assert_eq!(scene.call(Some(&token)).await?.status(), 200, "{}", kind.name);
        }
        assert_eq!(scene.idp.hits(Endpoint::Register), new.len());
        // Such a client looks at the gateway, which is no authorization server.
        for kind in old {
            assert!(scene.log_in(kind).await.is_err(), "{}", kind.name);
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
            let Grant { token, .. } = scene.log_in(kind).await.with_context(|| kind.name)?;
            assert_eq!(scene.call(Some(&token)).await?.status(), 200, "{}", kind.name);
        }
        let asked = scene.idp.asked(Endpoint::Authorize);
        assert!(asked.iter().all(|asked| asked.target.contains("client_id=https")), "{asked:?}");
    }
    Ok(())
}
