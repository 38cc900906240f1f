//! What the seven servers besides the test server offer, through the gateway.

#![expect(deprecated, reason = "subscriptions of sessions stay in use with servers of earlier revisions")]

use crate::{checks::Checks, person::Client};
use anyhow::{Context, Result, ensure};
use rmcp::model::SubscribeRequestParams;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vmcp_tests::Era;

const TOOLS: [(&str, &[&str]); 7] = [
    (
        "filesystem",
        &[
            "create_directory",
            "directory_tree",
            "edit_file",
            "get_file_info",
            "list_allowed_directories",
            "list_directory",
            "list_directory_with_sizes",
            "move_file",
            "read_file",
            "read_media_file",
            "read_multiple_files",
            "read_text_file",
            "search_files",
            "write_file",
        ],
    ),
    (
        "memory",
        &[
            "add_observations",
            "create_entities",
            "create_relations",
            "delete_entities",
            "delete_observations",
            "delete_relations",
            "open_nodes",
            "read_graph",
            "search_nodes",
        ],
    ),
    ("sequential-thinking", &["sequentialthinking"]),
    ("time", &["convert_time", "get_current_time"]),
    (
        "git",
        &[
            "git_add",
            "git_branch",
            "git_checkout",
            "git_commit",
            "git_create_branch",
            "git_diff",
            "git_diff_staged",
            "git_diff_unstaged",
            "git_log",
            "git_reset",
            "git_show",
            "git_status",
        ],
    ),
    ("sqlite", &["append_insight", "create_table", "describe_table", "list_tables", "read_query", "write_query"]),
    ("mine", &["add", "explode", "headers"]),
];
/// What their tools' names begin with, and the test server's.
pub(crate) const SERVERS: [&str; 8] =
    ["everything_", "filesystem_", "memory_", "sequential-thinking_", "time_", "git_", "sqlite_", "mine_"];
const GRAPH: &str = "memory://knowledge-graph";

/// Makes all checks. Callers of both eras work in the same folder, so what they make there has their era in its name.
pub(crate) async fn check(checks: &mut Checks, client: &Client, era: Era) {
    let mut note = |what: &str, outcome| checks.note(&format!("{era:?} caller, {what}"), outcome);
    let name = format!("{era:?}").to_lowercase();
    note("lists", lists(client).await);
    note("filesystem and git", files(client, &name).await);
    note("memory", memory(client, &name, era).await);
    note("sequential-thinking", thoughts(client).await);
    note("time", time(client).await);
    note("sqlite", sqlite(client, &name).await);
    note("mine", mine(client).await);
    if era == Era::Legacy {
        note("filesystem and roots", attic(client).await);
    }
}

/// Whether each server's tools are there: who lists early sees what has started by then.
pub(crate) async fn are_listed(client: &Client) -> bool {
    let listed = client.sdk.list_all_tools().await.unwrap_or_default();
    SERVERS.into_iter().all(|prefix| listed.iter().any(|tool| tool.name.starts_with(prefix)))
}

async fn lists(client: &Client) -> Result<()> {
    let listed: BTreeSet<String> = client.sdk.list_all_tools().await?.iter().map(|tool| tool.name.to_string()).collect();
    let listed: BTreeSet<String> = listed.into_iter().filter(|name| !name.starts_with("everything_")).collect();
    let wanted = TOOLS.iter().flat_map(|(server, tools)| tools.iter().map(move |tool| format!("{server}_{tool}"))).collect();
    ensure!(listed == wanted, "missing tools: {:?}, unknown tools: {:?}", &wanted - &listed, &listed - &wanted);
    let resources: BTreeSet<String> = client.sdk.list_all_resources().await?.iter().map(|resource| resource.uri.clone()).collect();
    for uri in [GRAPH, "memo://insights", "interop://motd"] {
        ensure!(resources.contains(uri), "{uri} is not among {resources:?}");
    }
    let prompts: BTreeSet<String> = client.sdk.list_all_prompts().await?.into_iter().map(|prompt| prompt.name).collect();
    for name in ["sqlite_mcp-demo", "mine_greet"] {
        ensure!(prompts.contains(name), "{name} is not among {prompts:?}");
    }
    Ok(())
}

/// The folder that the filesystem server may look at.
async fn allowed(client: &Client) -> Result<String> {
    let allowed = client.text("filesystem_list_allowed_directories", json!({})).await?;
    Ok(allowed.lines().nth(1).with_context(|| allowed.clone())?.to_owned())
}

/// Where the client has roots, the server looks at nothing else.
async fn attic(client: &Client) -> Result<()> {
    let attic = format!("{}/attic", allowed(client).await?);
    std::fs::create_dir(&attic)?;
    client.moves_to(&format!("file://{attic}")).await?;
    vmcp_tests::eventually("the server looks at the attic", async || allowed(client).await.is_ok_and(|folder| folder == attic)).await
}

async fn files(client: &Client, name: &str) -> Result<()> {
    let folder = &allowed(client).await?;
    let (file, path) = (format!("{name}.txt"), format!("{folder}/{name}.txt"));
    client.text("filesystem_write_file", json!({ "path": path, "content": format!("tea for {name}\n") })).await?;
    ensure!(std::fs::read_to_string(&path)? == format!("tea for {name}\n"));
    let read = client.text("filesystem_read_text_file", json!({ "path": path })).await?;
    ensure!(read == format!("tea for {name}\n"), "{read}");
    let outside = client.call("filesystem_read_text_file", json!({ "path": "/etc/hostname" })).await?;
    ensure!(outside.is_error == Some(true), "{outside:?}");
    let status = client.text("git_git_status", json!({ "repo_path": folder })).await?;
    ensure!(status.contains("On branch main") && status.contains(&file), "{status}");
    client.text("git_git_add", json!({ "repo_path": folder, "files": [file] })).await?;
    client.text("git_git_commit", json!({ "repo_path": folder, "message": format!("Brew {name}") })).await?;
    let log = client.text("git_git_log", json!({ "repo_path": folder, "max_count": 1 })).await?;
    ensure!(log.contains(&format!("Brew {name}")), "{log}");
    Ok(())
}

async fn memory(client: &Client, name: &str, era: Era) -> Result<()> {
    if era == Era::Legacy {
        client.sdk.subscribe(SubscribeRequestParams::new(GRAPH)).await?;
    }
    let entity = json!({ "name": name, "entityType": "pot", "observations": ["holds two cups"] });
    client.text("memory_create_entities", json!({ "entities": [entity] })).await?;
    let found = client.call("memory_search_nodes", json!({ "query": name })).await?.structured_content.context("no structured content")?;
    ensure!(found["entities"][0] == entity, "{found}");
    let graph = client.read(GRAPH).await?;
    ensure!(graph["text"].as_str().is_some_and(|text| text.contains(name)), "{graph}");
    if era == Era::Legacy {
        client.person.hear("notifications/resources/updated", |params| params["uri"] == GRAPH).await?;
    }
    Ok(())
}

/// One step of a train of thought; returns how many the server knows.
pub(crate) async fn think(client: &Client) -> Result<Value> {
    let thought = json!({ "thought": "Water first.", "nextThoughtNeeded": true, "thoughtNumber": 1, "totalThoughts": 2 });
    let known =
        client.call("sequential-thinking_sequentialthinking", thought).await?.structured_content.context("no structured content")?;
    Ok(known["thoughtHistoryLength"].clone())
}

async fn thoughts(client: &Client) -> Result<()> {
    let known = (think(client).await?, think(client).await?);
    ensure!(known == (json!(1), json!(2)), "{known:?}");
    Ok(())
}

async fn time(client: &Client) -> Result<()> {
    let question = json!({ "source_timezone": "Europe/Oslo", "time": "16:30", "target_timezone": "Asia/Kolkata" });
    let converted = client.text("time_convert_time", question).await?;
    ensure!(converted.contains("T20:00:00+05:30") || converted.contains("T21:00:00+05:30"), "{converted}");
    let unknown = client.call("time_get_current_time", json!({ "timezone": "Tea/Time" })).await;
    ensure!(unknown.as_ref().is_err() || unknown.as_ref().is_ok_and(|result| result.is_error == Some(true)), "{unknown:?}");
    Ok(())
}

async fn sqlite(client: &Client, name: &str) -> Result<()> {
    let query = |query: String| json!({ "query": query });
    client.text("sqlite_create_table", query(format!("CREATE TABLE {name} (kind TEXT)"))).await?;
    client.text("sqlite_write_query", query(format!("INSERT INTO {name} VALUES ('grün')"))).await?;
    let rows = client.text("sqlite_read_query", query(format!("SELECT kind FROM {name}"))).await?;
    ensure!(rows == "[{'kind': 'grün'}]", "{rows}");
    client.text("sqlite_append_insight", json!({ "insight": format!("Tea sells, says {name}.") })).await?;
    let memo = client.read("memo://insights").await?;
    ensure!(memo["text"].as_str().is_some_and(|text| text.contains(&format!("Tea sells, says {name}."))), "{memo}");
    let demo = client.prompt("sqlite_mcp-demo", json!({ "topic": "teapots" })).await?;
    ensure!(demo.contains("teapots"), "{demo}");
    Ok(())
}

async fn mine(client: &Client) -> Result<()> {
    let sum = client.text("mine_add", json!({ "a": 2, "b": 3 })).await?;
    ensure!(sum == "5", "{sum}");
    let failed = client.call("mine_explode", json!({})).await?;
    ensure!(failed.is_error == Some(true) && serde_json::to_string(&failed)?.contains("exploded as asked"), "{failed:?}");
    ensure!(client.read("interop://motd").await?["text"] == "All is well.");
    ensure!(client.read("interop://square/12").await?["text"] == "144");
    let greeting = client.prompt("mine_greet", json!({ "name": "Ann" })).await?;
    ensure!(greeting.contains("Say hello to Ann."), "{greeting}");
    Ok(())
}
