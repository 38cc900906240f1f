//! Callers with keys, and callers of this machine.

use anyhow::{Context, Result};
use serde_json::json;
use vmcp_tests::{
    Era,
    fixture::{Fixture, Spec},
    process::{Vmcp, new_key},
};

#[tokio::test]
async fn who_has_a_key_is_let_in_and_the_key_goes_no_further() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let ((ann, ann_hash), (bob, bob_hash)) = (new_key().await?, new_key().await?);
    let keys = json!([{ "subject": "ann", "hash": ann_hash }, { "subject": "bob", "hash": bob_hash }]);
    let config = json!({ "incomingAuth": { "type": "apiKey", "apiKey": { "keys": keys } }, "backends": [fixture.entry(json!({}))] });
    let vmcp = Vmcp::serve(config).await?;
    for era in Era::BOTH {
        let mut client = vmcp.client_of(era).header("x-api-key", &ann).connect().await?;
        client.call("b_echo", "{}").await?.result()?;
        client.caller.headers.clear();
        let refused = client.call("b_echo", "{}").await?.response;
        assert_eq!(refused.status(), 401);
        assert!(refused.head.header("www-authenticate").is_some_and(|told| told.starts_with("ApiKey")));
        client.caller.set("x-api-key", &bob);
        let status = client.call("b_echo", "{}").await?.response.status();
        // Bob is known, and Ann's session is not his.
        assert_eq!(status, if era == Era::Legacy { 404 } else { 200 });
        client.caller.set("x-api-key", &ann_hash);
        assert_eq!(client.call("b_echo", "{}").await?.response.status(), 401, "a hash is no key");
    }
    assert!(fixture.requests().iter().all(|sent| sent.value("x-api-key").is_none()));
    let log = vmcp.quit().await?;
    assert!(!log.contains(&ann) && !log.contains(&bob));
    Ok(())
}

#[tokio::test]
async fn keys_of_a_file_are_taken_in_the_header_that_is_named_and_in_no_other() -> Result<()> {
    for (header, before) in [("x-caller-key", ""), ("authorization", "Bearer ")] {
        let (fixture, folder) = (Fixture::start(Spec::modern("b")).await?, tempfile::tempdir()?);
        let ((ann, ann_hash), (bob, bob_hash)) = (new_key().await?, new_key().await?);
        let file = folder.path().join("keys.json");
        std::fs::write(&file, json!([{ "subject": "bob", "hash": bob_hash }]).to_string())?;
        let settings = json!({ "header": header, "keysFile": file, "keys": [{ "subject": "ann", "hash": ann_hash }] });
        let config = json!({ "incomingAuth": { "type": "apiKey", "apiKey": settings }, "backends": [fixture.entry(json!({}))] });
        let vmcp = Vmcp::serve(config).await?;
        for era in Era::BOTH {
            for key in [&ann, &bob] {
                let mut client = vmcp.client_of(era).header(header, format!("{before}{key}")).connect().await?;
                client.call("b_echo", "{}").await?.result()?;
                client.caller.headers.clear();
                client.caller.set("x-api-key", key);
                assert_eq!(client.call("b_echo", "{}").await?.response.status(), 401, "{era:?} {header}");
            }
        }
        assert!(fixture.requests().iter().all(|sent| !sent.headers_contain(&ann) && !sent.headers_contain(&bob)), "{header}");
        let log = vmcp.quit().await?;
        assert!(!log.contains(&ann) && !log.contains(&bob));
    }
    Ok(())
}

#[tokio::test]
async fn the_header_of_the_key_cannot_be_passed_on() -> Result<()> {
    let (_, hash) = new_key().await?;
    let config = json!({
        "incomingAuth": { "type": "apiKey", "apiKey": { "keys": [{ "subject": "ann", "hash": hash }] } },
        "passthroughHeaders": ["x-api-key"],
        "backends": [{ "name": "b", "url": "http://127.0.0.1:1/mcp" }],
    });
    let refused = Vmcp::serve(config).await.err().context("it serves")?.to_string();
    assert!(refused.contains("x-api-key"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn callers_of_this_machine_are_let_in_as_its_user() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let vmcp = Vmcp::serve(json!({ "incomingAuth": { "type": "local" }, "backends": [fixture.entry(json!({}))] })).await?;
    for era in Era::BOTH {
        vmcp.client_of(era).connect().await?.call("b_echo", "{}").await?.result()?;
    }
    let open = json!({
        "listen": "0.0.0.0:0", "allowedHosts": ["gw.example.com"], "incomingAuth": { "type": "local" }, "backends": [fixture.entry(json!({}))],
    });
    assert!(Vmcp::serve(open).await.is_err(), "others could connect");
    Ok(())
}
