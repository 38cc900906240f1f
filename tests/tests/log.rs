//! What the log says at which level.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::Rpc,
    eventually,
    fixture::{Fixture, Spec},
    process::{Vmcp, run},
};

fn lines(log: &str, message: &str) -> Vec<Value> {
    let parsed = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>();
    parsed.into_iter().filter(|line| line.to_string().contains(message)).collect()
}

#[tokio::test]
async fn each_request_is_a_line_at_debug_and_none_at_info() -> Result<()> {
    let fixture = Fixture::start(Spec::both("b")).await?;
    let config = json!({ "backends": [fixture.entry(json!({}))] });
    for (level, expected) in [("debug", true), ("info", false)] {
        let vmcp = Vmcp::with(config.clone()).args(&["--log-level", level]).start().await?;
        for era in Era::BOTH {
            let mut client = vmcp.client(era).await?;
            client.tools().await?;
            client.call("b_echo", r#"{"secret":"argument-value"}"#).await?.result()?;
            client.call("b_nothing", "{}").await?.error()?;
            client.send(&Rpc::new("made/up", "")).await?.error()?;
        }
        let all = vmcp.quit().await?;
        let requests = lines(&all, r#""request""#);
        if !expected {
            assert!(requests.is_empty(), "{level}:\n{all}");
            continue;
        }
        assert!(!all.contains("argument-value") && !all.contains("made/up") && !all.contains("b_nothing"), "{all}");
        let of = |method: &str| requests.iter().filter(|line| line.to_string().contains(method)).collect::<Vec<_>>();
        assert_eq!((of("initialize").len(), of("tools/list").len(), of("tools/call").len(), of("unknown").len()), (1, 2, 4, 2));
        for text in [r#""backend":"b""#, r#""outcome":"result""#, r#""outcome":"error""#, r#""code":-32602"#, r#""milliseconds":"#] {
            assert!(of("tools/call").iter().any(|line| line.to_string().contains(text)), "{text} in {requests:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_call_from_the_command_line_is_a_line_that_says_what_came_of_it() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::modern("b")).await?, tempfile::tempdir()?);
    let config = json!({ "backends": [fixture.entry(json!({}))] });
    std::fs::write(folder.path().join("vmcp.json"), config.to_string())?;
    for (tool, outcome, backend) in [("b_echo", "result", json!("b")), ("b_nothing", "error", Value::Null)] {
        let log = ["--log-level", "debug", "--log-format", "json"];
        let command = [&["tools", "call", tool, r#"{"secret":"argument-value"}"#, "--config", "vmcp.json"][..], &log].concat();
        let said = String::from_utf8(run(folder.path(), &command).await?.stderr)?;
        let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let calls: Vec<_> = lines.filter(|line| line["message"] == "request" && line["method"] == "tools/call").collect();
        assert_eq!(calls.len(), 1, "{tool}:\n{said}");
        assert_eq!((&calls[0]["outcome"], &calls[0]["backend"]), (&json!(outcome), &backend), "{tool}:\n{said}");
        assert!(!said.contains("argument-value"), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn what_clients_choke_on_is_in_the_log_once_and_again_when_it_comes_back() -> Result<()> {
    let fixture = Fixture::start(Spec::legacy("b")).await?;
    let odd = r#"{"name":"odd name","inputSchema":{"type":"object"}}"#;
    let other = r#"{"name":"long_name_that_goes_on_and_on_and_on_until_it_has_over_fifty","inputSchema":{"type":"object"}}"#;
    fixture.change(|items| items.tools = vec![odd.to_owned()]);
    let vmcp = Vmcp::serve(json!({ "backends": [fixture.entry(json!({}))] })).await?;
    vmcp.logged("odd name").await?;
    let client = vmcp.client(Era::Legacy).await?;
    let mut stream = client.listen().await?;
    let mut client = client;
    client.tools().await?;
    fixture.until("vmcp's own stream", |f| f.streams() > 0).await?;
    for tools in [vec![odd, other], vec![other], vec![odd]] {
        fixture.change(|items| items.tools = tools.iter().map(|&tool| tool.to_owned()).collect());
        fixture.announce("tools");
        stream.next().await?.context("no word of the change")?;
        client.tools().await?;
    }
    let twice = async || lines(&vmcp.log(), "odd name").len() >= 2;
    eventually("the tool that came back is in the log again", twice).await?;
    let log = vmcp.quit().await?;
    assert_eq!((lines(&log, "odd name").len(), lines(&log, "long_name_that").len()), (2, 1), "{log}");
    assert!(lines(&log, "odd name")[0].to_string().contains("WARN"));
    Ok(())
}
