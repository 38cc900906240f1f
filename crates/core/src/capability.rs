//! Client capabilities as a small set, so that they can be a cache key, fit into a session id and be written canonically.

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

impl CapabilitySet {
    /// No capability at all.
    pub const NONE: Self = Self(0);

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
        format!("{{{}}}", members.join(","))
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
    fn only_an_object_is_a_declaration() {
        assert_eq!(CapabilitySet::from_json(&json!([])), None);
    }
}
