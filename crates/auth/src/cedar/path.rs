//! The paths by which claims and arguments are known: `arg_count`, `claim_org.level`.

use serde_json::Value;

/// The path of a claim or an argument.
pub(super) fn path(expression: &Value) -> Option<String> {
    let access = expression.get(".")?;
    step(path(access.get("left")?), access.get("attr")?.as_str()?)
}

/// Whether an expression has a path.
pub(super) fn is_path(expression: &Value) -> bool {
    let access = expression.get(".");
    access.is_some_and(|access| {
        access.get("attr").and_then(Value::as_str).is_some_and(|name| named(name).is_some()) || access.get("left").is_some_and(is_path)
    })
}

/// The path of what has this name in what is at that path, if it is at one: the names of claims and arguments say what they are, wherever
/// they are looked for.
pub(super) fn step(above: Option<String>, name: &str) -> Option<String> {
    above.map_or_else(|| named(name), |above| Some(join(&above, name)))
}

/// The path of a claim or an argument by its name; of nothing else.
pub(super) fn named(name: &str) -> Option<String> {
    (name.starts_with("arg_") || name.starts_with("claim_")).then(|| name.to_owned())
}

/// One path within another.
pub(super) fn join(above: &str, below: &str) -> String {
    match (above, below) {
        ("", path) | (path, "") => path.to_owned(),
        _ => format!("{above}.{below}"),
    }
}

/// What is left of a path below another one; nothing of the same one.
pub(super) fn rest<'p>(path: &'p str, above: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(above)?;
    if rest.is_empty() || above.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
}
