//! Following resources: what may not be read is not heard of.

use super::*;

const UPDATED: &str = "notifications/resources/updated";

fn subscribe(uri: &str) -> Rpc {
    Rpc::new("resources/subscribe", format!(r#""uri":{}"#, json!(uri)))
}

#[tokio::test]
async fn an_old_client_follows_what_it_may_read_and_hears_of_nothing_else() -> Result<()> {
    for backend in [Era::Legacy, Era::Modern] {
        let scene = Scene::new(backend).await?;
        let mut bob = scene.user(Era::Legacy, "bob").capabilities(r#"{"roots":{}}"#).connect().await?;
        alike(&mut bob, subscribe, "fixture://a/blob", "fixture://c/blob").await?;
        alike(&mut bob, subscribe, "fixture://b/text", "fixture://c/text").await?;
        bob.send(&subscribe("fixture://a/text")).await?.result()?;
        assert_eq!((scene.a.followers("fixture://a/blob"), scene.b.followers("fixture://b/text")), (0, 0));
        let mut stream = bob.listen().await?;
        scene
            .a
            .until("the gateway listens for the client", |a| match backend {
                Era::Legacy => a.declared_streams() == 1,
                Era::Modern => a.followers("fixture://a/text") == 1,
            })
            .await?;
        // A part of it that Bob may not read, then what he may.
        scene.a.part_updated("fixture://a/text", "fixture://a/text/secret");
        scene.a.updated("fixture://a/text");
        let note = stream.message().await?;
        assert_eq!((&note["method"], &note["params"]["uri"]), (&json!(UPDATED), &json!("fixture://a/text")), "{backend:?}");
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_subscription_hears_of_what_its_caller_may_read() -> Result<()> {
    for backend in [Era::Legacy, Era::Modern] {
        let scene = Scene::new(backend).await?;
        let bob = scene.client(Era::Modern, "bob").await?;
        let wanted = json!(["fixture://b/text", "fixture://a/blob", "fixture://a/text", "nowhere://x"]);
        let (first, mut stream) = bob.subscribe(&format!(r#""resourceSubscriptions":{wanted}"#)).await?;
        assert_eq!(first["params"]["notifications"], json!({ "resourceSubscriptions": ["fixture://a/text"] }));
        assert_eq!((scene.a.followers("fixture://a/blob"), scene.b.followers("fixture://b/text")), (0, 0));
        scene.a.part_updated("fixture://a/text", "fixture://a/text/secret");
        scene.a.updated("fixture://a/text");
        assert_eq!(stream.message().await?["params"]["uri"], "fixture://a/text", "{backend:?}");
        scene.gateway.shutdown().await;
    }
    Ok(())
}
