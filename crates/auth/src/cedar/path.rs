//! The paths by which claims and arguments are known: `arg_count`, `claim_org.level`. Dots are between names alone.

use serde_json::Value;
use std::borrow::Cow;

/// Stands for a dot in a name.
const DOT: &str = "\u{1}";

/// A name as it stands in a path.
pub(super) fn segment(name: &str) -> Cow<'_, str> {
    if name.contains('.') { name.replace('.', DOT).into() } else { name.into() }
}

/// A path as people write it.
pub(super) fn shown(path: &str) -> Cow<'_, str> {
    if path.contains(DOT) { path.replace(DOT, ".").into() } else { path.into() }
}

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
    above.map_or_else(|| named(name), |above| Some(join(&above, &segment(name))))
}

/// The path of a claim or an argument by its name; of nothing else.
pub(super) fn named(name: &str) -> Option<String> {
    (name.starts_with("arg_") || name.starts_with("claim_")).then(|| segment(name).into_owned())
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
