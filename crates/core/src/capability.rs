//! Client capabilities as a small set, so that they can be a cache key, fit into a session id and be written canonically.

use crate::frame::RawObject;
use serde_json::Value;

/// The client capabilities that vmcp knows how to relay.
///
/// Anything else that a client declares is not part of the set and is therefore never declared to a backend
/// (2026-07-28, basic/index, `io.modelcontextprotocol/clientCapabilities`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CapabilitySet(u16);

const SAMPLING: u16 = 1;
const SAMPLING_TOOLS: u16 = 1 << 1;
const SAMPLING_CONTEXT: u16 = 1 << 2;
const ELICITATION: u16 = 1 << 3;
const ELICITATION_FORM: u16 = 1 << 4;
const ELICITATION_URL: u16 = 1 << 5;
const ROOTS: u16 = 1 << 6;
const ROOTS_LIST_CHANGED: u16 = 1 << 7;
const TASKS: u16 = 1 << 8;
const APPS: u16 = 1 << 9;

/// The Tasks extension (SEP-2663).
const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";
/// MCP Apps (SEP-1865).
const APPS_EXTENSION: &str = "io.modelcontextprotocol/ui";
/// What a host of MCP Apps can show; the only kind that there is.
const APP_PAGE: &str = "text/html;profile=mcp-app";

impl CapabilitySet {
    /// No capability at all.
    pub const NONE: Self = Self(0);
    /// `roots`.
    pub const ROOTS: Self = Self(ROOTS);
    /// `roots.listChanged`.
    pub const ROOTS_LIST_CHANGED: Self = Self(ROOTS | ROOTS_LIST_CHANGED);
    /// `sampling`.
    pub const SAMPLING: Self = Self(SAMPLING);
    /// `elicitation.url` (2025-11-25, client/elicitation).
    pub const ELICITATION_URL: Self = Self(ELICITATION | ELICITATION_URL);
    /// The extension `io.modelcontextprotocol/tasks`.
    pub const TASKS: Self = Self(TASKS);
    /// The extension `io.modelcontextprotocol/ui`, for a host that shows `text/html;profile=mcp-app`.
    pub const APPS: Self = Self(APPS);

    /// Reads the JSON text of a `ClientCapabilities` object, as [`Self::from_json`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "{}" { Some(Self::NONE) } else { Self::from_json(&serde_json::from_str(text).ok()?) }
    }

    /// Reads a `ClientCapabilities` object; members that vmcp cannot relay are left out. `None` when it is not an object.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        let mut bits = 0;
        if let Some(sampling) = object.get("sampling") {
            bits |= SAMPLING;
            bits |= if sampling.get("tools").is_some() { SAMPLING_TOOLS } else { 0 };
            bits |= if sampling.get("context").is_some() { SAMPLING_CONTEXT } else { 0 };
        }
        if let Some(elicitation) = object.get("elicitation") {
            bits |= ELICITATION;
            bits |= if elicitation.get("form").is_some() { ELICITATION_FORM } else { 0 };
            bits |= if elicitation.get("url").is_some() { ELICITATION_URL } else { 0 };
        }
        if let Some(roots) = object.get("roots") {
            bits |= ROOTS;
            let list_changed = roots.get("listChanged").and_then(Value::as_bool).unwrap_or(false);
            bits |= if list_changed { ROOTS_LIST_CHANGED } else { 0 };
        }
        if let Some(extensions) = object.get("extensions") {
            bits |= if extensions.get(TASKS_EXTENSION).is_some_and(Value::is_object) { TASKS } else { 0 };
            let pages = extensions.get(APPS_EXTENSION).and_then(|apps| apps.get("mimeTypes")?.as_array());
            bits |= if pages.is_some_and(|pages| pages.iter().any(|page| page == APP_PAGE)) { APPS } else { 0 };
        }
        Some(Self(bits))
    }

    /// The canonical `ClientCapabilities` object, as compact JSON.
    #[must_use]
    pub fn to_json(self) -> String {
        let mut members = Vec::with_capacity(3);
        if self.0 & SAMPLING != 0 {
            members.push(object_member("sampling", &[(self.0 & SAMPLING_TOOLS, "tools"), (self.0 & SAMPLING_CONTEXT, "context")]));
        }
        if self.0 & ELICITATION != 0 {
            members.push(object_member("elicitation", &[(self.0 & ELICITATION_FORM, "form"), (self.0 & ELICITATION_URL, "url")]));
        }
        if self.0 & ROOTS != 0 {
            members.push(if self.0 & ROOTS_LIST_CHANGED != 0 {
                r#""roots":{"listChanged":true}"#.to_owned()
            } else {
                r#""roots":{}"#.to_owned()
            });
        }
        let tasks = (self.0 & TASKS != 0).then(|| format!("\"{TASKS_EXTENSION}\":{{}}"));
        let apps = (self.0 & APPS != 0).then(|| format!("\"{APPS_EXTENSION}\":{{\"mimeTypes\":[\"{APP_PAGE}\"]}}"));
        let extensions: Vec<String> = tasks.into_iter().chain(apps).collect();
        if !extensions.is_empty() {
            members.push(format!("\"extensions\":{{{}}}", extensions.join(",")));
        }
        format!("{{{}}}", members.join(","))
    }

    /// Whether all of another set is in this one.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The extensions among the keys of an `extensions` object that vmcp carries, whatever their settings.
    #[must_use]
    pub fn of_extensions(extensions: &RawObject<'_>) -> Self {
        let bit = |name: &str, bit: u16| if extensions.get(name).is_some_and(|settings| settings.starts_with('{')) { bit } else { 0 };
        Self(bit(TASKS_EXTENSION, TASKS) | bit(APPS_EXTENSION, APPS))
    }

    /// The names of the extensions in it.
    pub fn extensions(self) -> impl Iterator<Item = &'static str> {
        [(TASKS, TASKS_EXTENSION), (APPS, APPS_EXTENSION)].into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| name)
    }

    /// What can be declared to servers of revisions before 2026-07-28: those have no such tasks, and are told of MCP Apps by
    /// `initialize` (SEP-1865).
    #[must_use]
    pub fn legacy(self) -> Self {
        Self(self.0 & !TASKS)
    }

    /// Whether a peer that declared this set may be asked this (2025-11-25, client/*; 2026-07-28, client/*): `method` is that of the
    /// request, `mode` the `mode` of an elicitation. An `elicitation` that names no mode is form mode.
    #[must_use]
    pub fn allows(self, method: &str, mode: Option<&str>) -> bool {
        match (method, mode) {
            ("sampling/createMessage", _) => self.0 & SAMPLING != 0,
            ("roots/list", _) => self.0 & ROOTS != 0,
            ("elicitation/create", Some("url")) => self.0 & ELICITATION_URL != 0,
            ("elicitation/create", _) => self.0 & ELICITATION != 0 && (self.0 & ELICITATION_FORM != 0 || self.0 & ELICITATION_URL == 0),
            _ => false,
        }
    }

    /// Whether there is anything in it that a server can ask for.
    #[must_use]
    pub fn can_be_asked(self) -> bool {
        self.0 & (SAMPLING | ELICITATION | ROOTS) != 0
    }

    /// The set as bits, for a sealed session id. [`Self::from_bits`] reads it back.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.0
    }

    /// A set from bits that [`Self::bits`] gave.
    #[must_use]
    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

fn object_member(name: &str, parts: &[(u16, &str)]) -> String {
    let inner: Vec<String> = parts.iter().filter(|(on, _)| *on != 0).map(|(_, key)| format!("\"{key}\":{{}}")).collect();
    format!("\"{name}\":{{{}}}", inner.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_capabilities_come_back_as_they_were_declared() {
        let declared = json!({"sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}, "roots": {"listChanged": true}});
        let set = CapabilitySet::from_json(&declared).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&set.to_json()).unwrap(), declared);
        assert_eq!(CapabilitySet::from_bits(set.bits()), set);
    }

    #[test]
    fn what_vmcp_cannot_relay_is_left_out() {
        let set = CapabilitySet::from_json(&json!({"extensions": {"io.example/x": {}}, "tasks": {}})).unwrap();
        assert!(set.is_empty());
        assert_eq!(set.to_json(), "{}");
    }

    #[test]
    fn known_extensions_are_part_of_the_set() {
        let apps = json!({"mimeTypes": ["text/html;profile=mcp-app"]});
        let declared = json!({"extensions": {"io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/ui": apps}});
        let set = CapabilitySet::from_json(&declared).unwrap();
        assert!(set.contains(CapabilitySet::TASKS) && set.contains(CapabilitySet::APPS) && !set.can_be_asked());
        assert_eq!(serde_json::from_str::<Value>(&set.to_json()).unwrap(), declared);
        assert_eq!(set.legacy(), CapabilitySet::APPS);
        let other = json!({"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["image/png"]}}});
        assert!(CapabilitySet::from_json(&other).unwrap().is_empty());
    }

    #[test]
    fn a_peer_is_asked_only_what_it_declared() {
        let set = |text| CapabilitySet::parse(text).unwrap();
        let any = set(r#"{"elicitation":{}}"#);
        assert!(any.allows("elicitation/create", None) && any.allows("elicitation/create", Some("form")));
        assert!(!any.allows("elicitation/create", Some("url")) && !any.allows("roots/list", None) && !any.allows("tools/call", None));
        let url = set(r#"{"elicitation":{"url":{}},"sampling":{},"roots":{}}"#);
        assert!(url.allows("elicitation/create", Some("url")) && !url.allows("elicitation/create", None));
        assert!(url.allows("sampling/createMessage", None) && url.allows("roots/list", None));
    }

    #[test]
    fn only_an_object_is_a_declaration() {
        assert_eq!(CapabilitySet::from_json(&json!([])), None);
    }
}
