//! `vmcp tools call`.

use super::{result::Answer, source::Source};
use crate::{error::Failure, terminal};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::value::RawValue;
use std::io::{IsTerminal, Read, stdin, stdout};
use vmcp_core::config::nearest;

/// Which tool to call, and how.
#[derive(Args, Debug)]
pub(super) struct Request {
    /// The tool, as `vmcp tools ls` spells it
    name: String,
    /// The arguments, a JSON object; - reads them from standard input
    #[arg(value_name = "JSON", default_value = "{}", hide_default_value = true)]
    arguments: String,
    /// Print the result object as it came
    #[arg(long)]
    json: bool,
}

/// JSON-RPC's "invalid params", which is what a tool that does not exist gives too.
const INVALID_PARAMS: i64 = -32602;

/// How many similar names are named.
const SIMILAR: usize = 3;

impl Request {
    /// The arguments' text, byte for byte.
    ///
    /// # Errors
    /// When it is no JSON object; the error holds nothing of it.
    pub(super) fn arguments(&self) -> anyhow::Result<Box<RawValue>> {
        if self.arguments != "-" {
            return object(self.arguments.clone());
        }
        let mut text = String::new();
        stdin().lock().read_to_string(&mut text).context("cannot read the arguments from standard input")?;
        object(text)
    }

    pub(super) async fn run(&self, source: &Source, arguments: &RawValue) -> Result<(), Failure> {
        let result = match source.call(&self.name, arguments).await {
            Ok(result) => result,
            Err(error) if error.code == INVALID_PARAMS => {
                self.must_exist(source, true).await?;
                return Err(source.failure(&error));
            }
            Err(error) => return Err(source.failure(&error)),
        };
        let answer = Answer::read(&result).context("the result cannot be read")?;
        if answer.is_error && !self.json {
            // Some servers report a tool that they do not have as one that failed.
            self.must_exist(source, false).await?;
        }
        if self.json {
            terminal::print(result.get())?;
        } else {
            terminal::print(answer.text(stdout().is_terminal()))?;
        }
        match (answer.is_error, answer.wants_input()) {
            (true, _) => Err(anyhow::anyhow!("the tool `{}` reports an error", self.name).into()),
            (false, true) => {
                Err(anyhow::anyhow!("the tool `{}` asks its user for input, which this command cannot give", self.name).into())
            }
            (false, false) => Ok(()),
        }
    }

    /// Fails with the names that were probably meant when no backend has the tool, and with why some are not listed when one of those
    /// may. Unless the call was refused, though, one of them has answered, and that stands.
    async fn must_exist(&self, source: &Source, refused: bool) -> anyhow::Result<()> {
        let origins = source.origins().await;
        let known: Vec<&str> = origins.tools.iter().map(|(tool, _)| tool.as_str()).collect();
        if known.contains(&self.name.as_str()) {
            return Ok(());
        }
        if origins.absent.is_empty() {
            bail!("no tool `{}`; {}", self.name, advice(&self.name, &known));
        }
        if refused {
            let reasons: Vec<&str> = origins.absent.iter().map(|absent| absent.reason.as_str()).collect();
            bail!("no tool `{}` in what could be listed; {}", self.name, source.renamed(&reasons.join("; ")));
        }
        Ok(())
    }
}

fn object(text: String) -> anyhow::Result<Box<RawValue>> {
    const ADVICE: &str = "write a JSON object, for example '{\"name\": \"value\"}'";
    let value = RawValue::from_string(text).map_err(|error| {
        // Only the place: what serde says may quote the text.
        anyhow::anyhow!("the arguments are not JSON (line {}, column {}); {ADVICE}", error.line(), error.column())
    })?;
    if !value.get().starts_with('{') {
        bail!("the arguments are JSON, but no object; {ADVICE}");
    }
    Ok(value)
}

/// What to try instead.
fn advice(name: &str, known: &[&str]) -> String {
    let wanted = name.to_lowercase();
    let holds = known.iter().copied().filter(|known| !wanted.is_empty() && known.to_lowercase().contains(&wanted));
    let mut similar: Vec<&str> = nearest(name, known.iter().copied()).into_iter().chain(holds).collect();
    let mut seen = Vec::new();
    similar.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    similar.truncate(SIMILAR);
    if similar.is_empty() {
        return "`vmcp tools ls` lists what there is".to_owned();
    }
    format!("did you mean {}?", similar.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_byte_for_byte() {
        let text = "{ \"a\" : 1e400,\n\"b\":12345678901234567890 }";
        assert_eq!(object(text.to_owned()).unwrap().get(), text);
        for (text, said) in [
            ("[1]", "the arguments are JSON, but no object; "),
            ("{\"token\": hunter2}", "the arguments are not JSON (line 1, column 11); "),
            ("", "the arguments are not JSON (line 1, column 0); "),
        ] {
            let error = object(text.to_owned()).unwrap_err().to_string();
            assert!(error.starts_with(said) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn similar_names_are_those_a_few_letters_away_and_those_with_a_prefix() {
        let known = ["wiki_search", "github_search", "github_whoami", "wiki_whoami", "other_whoami", "more_whoami"];
        assert_eq!(advice("github_serch", &known), "did you mean `github_search`?");
        assert_eq!(advice("Search", &known), "did you mean `wiki_search` or `github_search`?");
        assert_eq!(advice("whoami", &known), "did you mean `github_whoami` or `wiki_whoami` or `other_whoami`?");
        assert_eq!(advice("nothing_like_it", &known), "`vmcp tools ls` lists what there is");
        assert_eq!(advice("", &known), "`vmcp tools ls` lists what there is");
    }
}
