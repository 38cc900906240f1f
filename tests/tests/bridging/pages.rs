//! Resources that are called something else here than at their server, where the server asks something before it gives one.

use crate::{
    paged::{page, scene},
    player::{EVERYTHING, fitting, play},
};
use anyhow::Result;
use serde_json::json;
use vmcp_tests::{Era, client::Rpc, fixture::Spec};

#[tokio::test]
async fn a_page_for_which_something_is_asked_has_our_uri_here_and_its_own_at_its_server() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let specs = ["a", "b"].map(|name| Spec::new(name, backend).interactive());
        let (fixtures, vmcp) = scene(specs, &json!({ "uri": "ui://show/ask", "name": "page" }), json!({})).await?;
        let mut client = vmcp.client_of(caller).capabilities(EVERYTHING).connect().await?;
        let uris = [page(&mut client, "a_show").await?, page(&mut client, "b_show").await?];
        assert_ne!(uris[0], uris[1], "one of them is not its server's own");
        for (uri, fixture) in uris.iter().zip(&fixtures) {
            let played = play(&mut client, &Rpc::read(uri), 1, async |question| fitting(question)).await?;
            let at = format!("{caller:?} {backend:?} {uri}: {}", played.message);
            assert_eq!(played.asked.len(), 1, "{at}");
            let content = &played.message["result"]["contents"][0];
            assert_eq!((&content["uri"], &content["x-vendor"]), (&json!(uri), &json!(1.5)), "{at}");
            let read = fixture.requests_of("resources/read");
            assert_eq!(read.len(), if backend == Era::Modern { 2 } else { 1 }, "{at}");
            assert!(read.iter().all(|read| read.json()["params"]["uri"] == "ui://show/ask"), "{at}");
        }
        assert!(fixtures.iter().all(|fixture| fixture.violations().is_empty()), "{caller:?} {backend:?}");
    }
    Ok(())
}
