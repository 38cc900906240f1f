//! Files of others that are accepted unchanged: `mcpServers` maps of MCP clients, and `VirtualMCPServer` manifests.

mod kubernetes;
mod servers;

#[cfg(test)]
mod tests;

use super::document::Document;
use serde_json::Value;
use vmcp_core::config::Problem;

/// A document in vmcp's own form, and what was found on the way to it, by the file's own paths.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) document: Document,
    pub(crate) problems: Vec<Problem>,
}

/// Turns what a file holds into vmcp's own form. A file of vmcp's stays as it is.
pub(crate) fn convert(mut documents: Vec<Document>) -> Converted {
    documents.retain(|document| !document.value.is_null());
    let mut problems = Vec::new();
    if documents.len() > 1 {
        let Some(at) = documents.iter().position(|document| kubernetes::is_gateway(&document.value)) else {
            let problem = Problem::error("", "more than one document").with_hint("keep one, without `---` in between");
            return Converted { document: Document::default(), problems: vec![problem] };
        };
        let more = documents.iter().filter(|document| kubernetes::is_gateway(&document.value)).count() > 1;
        if more {
            problems.push(Problem::error("", "more than one VirtualMCPServer").with_hint("give each a file of its own"));
        }
        let others = documents.len() - 1;
        let kept = documents.swap_remove(at);
        documents = vec![kept];
        if !more {
            problems.push(Problem::note("", format!("{others} further documents of the file are not for vmcp")));
        }
    }
    let document = documents.pop().unwrap_or_default();
    let mut converted = match &document.value {
        Value::Object(members) if members.contains_key("backends") => Converted { document, problems: Vec::new() },
        Value::Object(members) if members.contains_key("apiVersion") && members.contains_key("kind") => kubernetes::convert(document),
        Value::Object(_) => match servers::find(&document.value) {
            Some(at) => servers::convert(document, at),
            None => servers::refuse(document),
        },
        _ => Converted { document, problems: Vec::new() },
    };
    problems.append(&mut converted.problems);
    Converted { document: converted.document, problems }
}

/// `a`, `b` and 3 more.
fn listing<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 6;
    let keys: Vec<&str> = keys.into_iter().collect();
    let shown = keys.iter().take(SHOWN).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    if keys.len() > SHOWN { format!("{shown} and {} more", keys.len() - SHOWN) } else { shown }
}
