//! Log messages of servers during a modern client's calls.

use crate::player::scene;
use anyhow::Result;
use serde_json::{Value, json};
use vmcp_tests::{Era, client::Rpc};

const LEVELS: &str = r#"{"levels":["debug","info","warning","emergency"]}"#;

#[tokio::test]
async fn a_modern_request_hears_as_much_as_it_asks_for_and_nothing_unasked() -> Result<()> {
    for backend in Era::BOTH {
        let (fixture, vmcp) = scene(backend, json!({}), json!({})).await?;
        let mut client = vmcp.client(Era::Modern).await?;
        let rpc = Rpc::tool("b_log", LEVELS);
        for (level, heard) in [
            (None, vec![]),
            (Some("warning"), vec!["warning", "emergency"]),
            (Some("debug"), vec!["debug", "info", "warning", "emergency"]),
            (None, vec![]),
        ] {
            let meta = level.map(|level| format!(r#""io.modelcontextprotocol/logLevel":"{level}""#)).unwrap_or_default();
            let reply = client.send(&rpc.clone().meta(&meta)).await?;
            reply.result()?;
            let levels: Vec<&Value> = reply.notes.iter().map(|note| &note["params"]["level"]).collect();
            assert_eq!(levels, heard, "{backend:?} {level:?}");
            assert!(reply.notes.iter().all(|note| note["method"] == "notifications/message" && note["params"]["logger"] == "fixture"));
        }
        let wrong = client.send(&rpc.clone().meta(r#""io.modelcontextprotocol/logLevel":"loud""#)).await?;
        assert_eq!(wrong.error()?.code, -32602, "{}", wrong.message);
        assert_eq!(fixture.violations(), Vec::<String>::new(), "{backend:?}");
    }
    Ok(())
}
