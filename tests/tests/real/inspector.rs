//! MCP Inspector's command line, which is a client of its own.

use crate::workshop::variables;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;
use tokio::process::Command;
use vmcp_tests::{PATIENCE, tools};

fn names(result: &Value, key: &str, of: &str) -> Vec<String> {
    let items = result[key].as_array().into_iter().flatten();
    items.filter_map(|item| item[of].as_str().map(str::to_owned)).collect()
}

/// Inspector, in front of a server: a URL, or words that start one.
pub(crate) struct Inspector<'a> {
    target: &'a [&'a str],
    era: &'a str,
    home: &'a Path,
}

impl<'a> Inspector<'a> {
    /// `era` is `legacy`, `modern` or `auto`; `home` is where Inspector keeps what it keeps.
    pub(crate) fn new(target: &'a [&'a str], era: &'a str, home: &'a Path) -> Self {
        Self { target, era, home }
    }

    /// Runs one method; returns its result.
    pub(crate) async fn run(&self, method: &str, options: &[&str]) -> Result<Value> {
        let (node, script) = tools::inspector()?;
        let mut command = Command::new(node);
        command.arg(script).args(["--cli", "--format", "json", "--protocol-era", self.era, "--method", method]).args(options);
        command.arg("--").args(self.target).envs(variables(self.home)).current_dir(self.home).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.with_context(|| format!("{method} does not end"))??;
        let shown = || format!("{method}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{}", shown());
        let mut answer: Value = serde_json::from_slice(&output.stdout).with_context(shown)?;
        Ok(answer["result"].take())
    }

    /// The names of the tools.
    pub(crate) async fn tools(&self) -> Result<Vec<String>> {
        // Strict, so that a schema that a client could not use would fail.
        Ok(names(&self.run("tools/list", &["--strict"]).await?, "tools", "name"))
    }

    /// Asks for everything that Inspector can ask a gateway for that has the test server as `everything`.
    pub(crate) async fn looks_around(&self) -> Result<()> {
        let listed = self.tools().await?;
        ensure!(listed.iter().any(|name| name == "everything_echo") && listed.len() >= 13, "{listed:?}");
        let echoed = self.run("tools/call", &["--tool-name", "everything_echo", "--tool-args-json", r#"{"message":"hi"}"#]).await?;
        ensure!(echoed["content"][0]["text"] == "Echo: hi", "{echoed}");
        let resources = names(&self.run("resources/list", &[]).await?, "resources", "uri");
        ensure!(resources.len() == 7, "{resources:?}");
        let templates = names(&self.run("resources/templates/list", &[]).await?, "resourceTemplates", "uriTemplate");
        ensure!(templates.len() == 2, "{templates:?}");
        let read = self.run("resources/read", &["--uri", "demo://resource/dynamic/text/3"]).await?;
        ensure!(read["contents"][0]["text"].as_str().is_some_and(|text| text.starts_with("Resource 3: ")), "{read}");
        let prompts = names(&self.run("prompts/list", &[]).await?, "prompts", "name");
        ensure!(prompts.len() == 4 && prompts.iter().any(|name| name == "everything_args-prompt"), "{prompts:?}");
        let prompt = self.run("prompts/get", &["--prompt-name", "everything_args-prompt", "--prompt-args", "city=Oslo"]).await?;
        ensure!(prompt["messages"][0]["content"]["text"].as_str().is_some_and(|text| text.contains("Oslo")), "{prompt}");
        Ok(())
    }
}
