//! The inbound names that anybody lists, for one quick look at each header of a request.

use super::name::fold;
use http::HeaderName;

/// Normalised names, sorted by length and then by bytes. A name's place is its slot.
#[derive(Debug, Default)]
pub(super) struct Table {
    names: Box<[HeaderName]>,
    /// A bit for each length that occurs (63 and more share one), so that most headers cost no comparison.
    lengths: u64,
}

fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

impl Table {
    /// A table of normalised names; repeated ones count once.
    pub(super) fn new(names: impl Iterator<Item = HeaderName>) -> Self {
        let mut names: Vec<HeaderName> = names.collect();
        names.sort_by(|a, b| (a.as_str().len(), a.as_str()).cmp(&(b.as_str().len(), b.as_str())));
        names.dedup();
        let lengths = names.iter().fold(0, |bits, name| bits | length_bit(name.as_str().len()));
        Self { names: names.into(), lengths }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn names(&self) -> &[HeaderName] {
        &self.names
    }

    /// The slot of a name in any spelling.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        if self.lengths & length_bit(name.len()) == 0 {
            return None;
        }
        self.names
            .binary_search_by(|own| {
                let own = own.as_str().as_bytes();
                // Folding keeps the length, so names of another length are never compared byte by byte.
                own.len().cmp(&name.len()).then_with(|| own.iter().copied().cmp(name.iter().map(|byte| fold(*byte))))
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::normalise;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finding_a_name_agrees_with_comparing_normalised_names(
            listed in prop::collection::vec("[a-c_.-]{1,4}|[a-z]{60,70}", 0..12),
            asked in prop::collection::vec("[A-Ca-c_.-]{1,4}|[a-z]{60,70}", 0..12),
        ) {
            let name = |text: &String| normalise(&HeaderName::from_bytes(text.as_bytes()).unwrap());
            let listed: Vec<HeaderName> = listed.iter().map(name).collect();
            let table = Table::new(listed.iter().cloned());
            for text in &asked {
                let found = table.find(text.as_bytes()).map(|slot| table.names()[slot].clone());
                let expected = Some(name(text)).filter(|name| listed.contains(name));
                prop_assert_eq!(found, expected);
            }
            for own in &listed {
                prop_assert!(table.find(own.as_str().as_bytes()).is_some());
            }
        }
    }
}
