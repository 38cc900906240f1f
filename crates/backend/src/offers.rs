//! What a backend says of itself in `initialize` and `server/discover`.

use std::sync::Arc;
use vmcp_core::{CapabilitySet, catalogue::ListKind, frame::RawObject};

/// Which lists a backend has, and which of them it tells changes of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    lists: u8,
    announced: u8,
    logs: bool,
    extensions: CapabilitySet,
}

/// Instructions are cut here, before they are kept for every session.
const MAX_INSTRUCTIONS: usize = 4096;

const CAPABILITIES: [(&str, &[ListKind]); 3] =
    [("tools", &[ListKind::Tools]), ("resources", &[ListKind::Resources, ListKind::ResourceTemplates]), ("prompts", &[ListKind::Prompts])];

impl Offers {
    /// Reads the `capabilities` of a result. A backend that declares none at all may have any list.
    pub(crate) fn read(result: &RawObject<'_>) -> Self {
        let mut offers = Self::default();
        let capabilities = result.get_object("capabilities");
        let Some(capabilities) = capabilities.filter(|declared| !declared.members().is_empty()) else {
            return Self::all();
        };
        for (name, kinds) in CAPABILITIES {
            let Some(declared) = capabilities.get_object(name) else { continue };
            let announced = declared.get("listChanged") == Some("true");
            for kind in kinds {
                offers.lists |= 1 << kind.index();
                offers.announced |= u8::from(announced) << kind.index();
            }
        }
        offers.logs = capabilities.get("logging").is_some();
        offers.extensions = capabilities.get_object("extensions").map_or(CapabilitySet::NONE, |named| CapabilitySet::of_extensions(&named));
        offers
    }

    /// Whether it has log messages to send.
    pub(crate) fn logs(self) -> bool {
        self.logs
    }

    /// Its extensions, of those that are carried.
    pub(crate) fn extensions(self) -> CapabilitySet {
        self.extensions
    }

    /// Every list, none of them announced.
    pub(crate) fn all() -> Self {
        Self { lists: u8::MAX, announced: 0, logs: false, extensions: CapabilitySet::NONE }
    }

    pub(crate) fn has(self, kind: ListKind) -> bool {
        self.lists & 1 << kind.index() != 0
    }

    pub(crate) fn announces(self, kind: ListKind) -> bool {
        self.announced & 1 << kind.index() != 0
    }

    pub(crate) fn announces_any(self) -> bool {
        self.announced != 0
    }
}

/// The instructions in a result, at most 4 KiB of them.
pub(crate) fn instructions(result: &RawObject<'_>) -> Option<Arc<str>> {
    let text = result.get_str("instructions")?;
    let mut end = text.len().min(MAX_INSTRUCTIONS);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (end > 0).then(|| text[..end].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<ListKind>, Vec<ListKind>) {
        let offers = Offers::read(&RawObject::parse(text).unwrap());
        let those = |has: &dyn Fn(ListKind) -> bool| ListKind::ALL.into_iter().filter(|kind| has(*kind)).collect();
        (those(&|kind| offers.has(kind)), those(&|kind| offers.announces(kind)))
    }

    #[test]
    fn capabilities_name_lists_and_announcements() {
        let (lists, announced) = read(r#"{"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{}}}"#);
        assert_eq!(lists, [ListKind::Tools, ListKind::Resources, ListKind::ResourceTemplates]);
        assert_eq!(announced, [ListKind::Tools]);
        assert_eq!(read(r#"{"capabilities":{"logging":{}}}"#), (vec![], vec![]));
    }

    #[test]
    fn extensions_are_read_as_far_as_they_are_carried() {
        let read = |text: &str| Offers::read(&RawObject::parse(text).unwrap()).extensions();
        let both = r#"{"capabilities":{"extensions":{"io.modelcontextprotocol/tasks":{},"x":{},"io.modelcontextprotocol/ui":{"a":1}}}}"#;
        assert_eq!(read(both), CapabilitySet::TASKS.union(CapabilitySet::APPS));
        assert_eq!(read(r#"{"capabilities":{"extensions":{"io.modelcontextprotocol/tasks":{},"x":{}}}}"#), CapabilitySet::TASKS);
        for none in ["{}", r#"{"capabilities":{"tools":{}}}"#, r#"{"capabilities":{"extensions":{"io.modelcontextprotocol/tasks":null}}}"#]
        {
            assert_eq!(read(none), CapabilitySet::NONE, "{none}");
        }
    }

    #[test]
    fn who_declares_nothing_may_have_everything() {
        assert_eq!(read("{}").0, ListKind::ALL);
        assert_eq!(read(r#"{"capabilities":{}}"#), (ListKind::ALL.to_vec(), vec![]));
    }

    #[test]
    fn instructions_are_cut() {
        let long = format!(r#"{{"instructions":"{}"}}"#, "é".repeat(5000));
        assert_eq!(instructions(&RawObject::parse(&long).unwrap()).unwrap().len(), MAX_INSTRUCTIONS);
        assert_eq!(instructions(&RawObject::parse(r#"{"instructions":""}"#).unwrap()), None);
    }
}
