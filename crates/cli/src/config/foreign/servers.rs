//! `mcpServers` maps as Claude, Cursor and others write them, and VS Code's `servers`.

use super::{Converted, listing};
use crate::config::document::Document;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use vmcp_core::{
    config::{Problem, index_path, is_name, key_path, slug},
    header::{ClosedGroup, Side, closed},
};

/// The keys that lead to the map of servers.
const PLACES: [&[&str]; 3] = [&["mcpServers"], &["mcp", "servers"], &["servers"]];

/// The keys of an entry that mean something here.
const READ: [&str; 14] = [
    "url",
    "serverUrl",
    "httpUrl",
    "type",
    "transport",
    "headers",
    "allowPlaintext",
    "disabled",
    "enabled",
    "command",
    "args",
    "env",
    "cwd",
    "$schema",
];

/// VS Code's own variables (its reference of variables), which mean something inside of an editor only.
const EDITOR: [&str; 23] = [
    "/",
    "columnNumber",
    "cwd",
    "defaultBuildTask",
    "execPath",
    "extensionInstallFolder",
    "file",
    "fileBasename",
    "fileBasenameNoExtension",
    "fileDirname",
    "fileDirnameBasename",
    "fileExtname",
    "fileWorkspaceFolder",
    "lineNumber",
    "pathSeparator",
    "relativeFile",
    "relativeFileDirname",
    "selectedText",
    "userHome",
    "workspaceFolder",
    "workspaceFolderBasename",
    "workspaceRoot",
    "workspaceRootFolderName",
];

/// Where the map of servers is, if the value has one.
pub(super) fn find(value: &Value) -> Option<&'static [&'static str]> {
    PLACES.into_iter().find(|keys| keys.iter().try_fold(value, |value, key| value.get(key)).is_some_and(Value::is_object))
}

/// A file without a map of servers: vmcp's own, unless the map is there in another form.
pub(super) fn refuse(mut document: Document) -> Converted {
    let there = ["mcpServers", "servers"].into_iter().find(|key| document.value.get(*key).is_some());
    let problems = there.map(|key| {
        Problem::error(key, "expected a map of servers by name").with_hint("write `name: {url: …}` or `name: {command: …}` for each")
    });
    if let (Some(key), Value::Object(members)) = (there, &mut document.value) {
        members.shift_remove(key);
        members.insert("backends".to_owned(), json!([]));
        document.silenced.push("backends".to_owned());
    }
    Converted { document, problems: problems.into_iter().collect() }
}

pub(super) fn convert(mut document: Document, keys: &[&str]) -> Converted {
    let root = document.value.take();
    let path = keys.join(".");
    let mut reader = Reader { problems: Vec::new(), renames: vec![("backends".to_owned(), path.clone())], backends: Vec::new() };
    let ignored = root.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
    let ignored: Vec<&str> = ignored.filter(|key| *key != keys[0] && *key != "$schema").collect();
    if !ignored.is_empty() {
        let message = format!("{} not read from a file with `{path}`", listing(ignored));
        reader.problems.push(Problem::note("", message).with_hint("vmcp's own settings need a file with `backends`"));
    }
    if let Some(Value::Object(servers)) = keys.iter().try_fold(&root, |value, key| value.get(key)) {
        reader.servers(servers, &path);
    }
    document.value = json!({ "backends": reader.backends });
    document.renames = reader.renames;
    Converted { document, problems: reader.problems }
}

struct Reader {
    problems: Vec<Problem>,
    renames: Vec<(String, String)>,
    backends: Vec<Value>,
}

impl Reader {
    fn servers(&mut self, servers: &Map<String, Value>, path: &str) {
        // Names that can stay do, so that a slug never takes one away.
        let mut taken: BTreeSet<String> = servers.keys().filter(|name| is_name(name)).cloned().collect();
        for (name, entry) in servers {
            let at = key_path(path, name);
            let Some(mut backend) = self.entry(entry, &at) else { continue };
            let own = if is_name(name) { name.clone() } else { unique(name, &mut taken) };
            if own != *name {
                self.problems.push(Problem::note(&at, format!("called `{own}` here")));
            }
            backend.insert("name".to_owned(), own.into());
            self.renames.push((index_path("backends", self.backends.len()), at));
            self.backends.push(Value::Object(backend));
        }
    }

    fn skip(&mut self, at: &str, why: &str, hint: &str) -> Option<Map<String, Value>> {
        self.problems.push(Problem::warning(at, format!("skipped: {why}")).with_hint(hint));
        None
    }

    /// The headers without those that vmcp writes itself: a client needs them said, and here they are said already.
    fn headers(&mut self, headers: &Value, at: &str) -> Value {
        let mut kept = headers.clone();
        if let Value::Object(members) = &mut kept {
            members.retain(|name, _| {
                let header = http::HeaderName::from_bytes(name.as_bytes()).ok();
                let group = header.and_then(|header| closed(&header, Side::Static));
                let own = matches!(group, Some(ClosedGroup::Framing | ClosedGroup::Own));
                if own {
                    self.problems.push(Problem::note(key_path(at, name), "not read: vmcp writes this header itself"));
                }
                !own
            });
        }
        kept
    }

    fn entry(&mut self, entry: &Value, at: &str) -> Option<Map<String, Value>> {
        let Value::Object(entry) = entry else {
            self.problems.push(Problem::error(at, "expected a map"));
            return None;
        };
        if entry.get("disabled") == Some(&Value::Bool(true)) || entry.get("enabled") == Some(&Value::Bool(false)) {
            self.problems.push(Problem::note(at, "skipped: it is disabled"));
            return None;
        }
        let url_key = ["url", "serverUrl", "httpUrl"].into_iter().find(|key| entry.contains_key(*key));
        let kind = entry.get("type").or_else(|| entry.get("transport")).and_then(Value::as_str);
        let plain: String = kind.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
        let backend = match (plain.to_ascii_lowercase().as_str(), url_key) {
            ("stdio" | "local" | "", None) if entry.contains_key("command") => self.started(entry, at)?,
            ("stdio" | "local", _) => return self.skip(at, "it has no `command`", "add one, or remove the entry"),
            (_, None) => return self.skip(at, "it has neither a `url` nor a `command`", "add one, or remove the entry"),
            ("" | "http" | "streamable" | "streamablehttp", Some(url_key)) => self.at_url(entry, url_key, at)?,
            ("sse", Some(url_key)) => {
                let mut backend = self.at_url(entry, url_key, at)?;
                backend.insert("transport".to_owned(), "sse".into());
                backend
            }
            (_, Some(_)) => return self.skip(at, "its type is none that vmcp knows", "use `http`, `sse` or `stdio`"),
        };
        let ignored: Vec<&str> = entry.keys().map(String::as_str).filter(|key| !READ.contains(key)).collect();
        if !ignored.is_empty() {
            self.problems.push(Problem::note(at, format!("{} not read", listing(ignored))));
        }
        Some(backend)
    }

    /// A server that is started.
    fn started(&mut self, entry: &Map<String, Value>, at: &str) -> Option<Map<String, Value>> {
        let mut backend = Map::new();
        for key in ["command", "args", "env", "cwd"] {
            let Some(value) = entry.get(key).filter(|value| !value.is_null()) else { continue };
            let below: Vec<(String, &Value)> = match value {
                Value::Array(items) => {
                    items.iter().enumerate().map(|(index, item)| (index_path(&key_path(at, key), index), item)).collect()
                }
                Value::Object(members) => members.iter().map(|(name, it)| (key_path(&key_path(at, key), name), it)).collect(),
                other => vec![(key_path(at, key), other)],
            };
            for (path, value) in below {
                if let Some(why) = value.as_str().and_then(needs_the_client) {
                    return self.skip(&path, &why, "write the value, or `${ENV}`");
                }
            }
            backend.insert(key.to_owned(), if key == "env" { variables(value) } else { value.clone() });
        }
        Some(backend)
    }

    /// A server at a URL.
    fn at_url(&mut self, entry: &Map<String, Value>, url_key: &str, at: &str) -> Option<Map<String, Value>> {
        let mut backend = Map::new();
        let url = entry.get(url_key)?;
        if let Some(why) = url.as_str().and_then(needs_the_client) {
            return self.skip(&key_path(at, url_key), &why, "write the value, or `${ENV}`");
        }
        if url_key != "url" {
            self.renames.push((key_path(&index_path("backends", self.backends.len()), "url"), key_path(at, url_key)));
        }
        backend.insert("url".to_owned(), url.clone());
        if let Some(headers) = entry.get("headers").filter(|headers| !headers.is_null()) {
            for (name, value) in headers.as_object().into_iter().flatten() {
                if let Some(why) = value.as_str().and_then(needs_the_client) {
                    return self.skip(&key_path(&key_path(at, "headers"), name), &why, "use `${ENV}` in the header's value");
                }
            }
            backend.insert("headers".to_owned(), self.headers(headers, &key_path(at, "headers")));
        }
        // The one key of vmcp's own that an entry may need: without it a server in a trusted network could not be given its headers.
        if let Some(allow) = entry.get("allowPlaintext") {
            backend.insert("allowPlaintext".to_owned(), allow.clone());
        }
        Some(backend)
    }
}

/// The variables of a process: VS Code lets them be numbers, and `null` for one that is not to be set.
fn variables(env: &Value) -> Value {
    let Value::Object(members) = env else { return env.clone() };
    let text = |value: &Value| match value {
        Value::Number(number) => Value::String(number.to_string()),
        other => other.clone(),
    };
    members.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Why only the client could make sense of a text: a variable that it asks its user for, runs a command for, or fills in by itself.
fn needs_the_client(text: &str) -> Option<String> {
    let variables = text.match_indices("${").filter(|(at, _)| !text[..*at].ends_with('$')).filter_map(|(at, _)| {
        let (name, _) = text[at + 2..].split_once('}')?;
        match name.split_once(':') {
            // A variable of the environment, with a default.
            Some((_, rest)) if rest.starts_with('-') => None,
            Some((name, _)) => Some((name, true)),
            None => Some((name, false)),
        }
    });
    variables.into_iter().find_map(|(name, argument)| match name {
        "input" | "command" | "config" if argument => Some(format!("only the client can ask for `${{{name}:…}}`")),
        _ if EDITOR.contains(&name) => Some(format!("only the client knows `${{{name}}}`")),
        _ => None,
    })
}

fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let base = slug(name).unwrap_or_else(|| "server".to_owned());
    let mut candidate = base.clone();
    let mut count = 1;
    while !taken.insert(candidate.clone()) {
        count += 1;
        candidate = format!("{base}-{count}");
    }
    candidate
}
