//! A catalogue with some of its items only: what one kind of caller may see of it.

use super::{CacheScope, Catalogue, ListKind, list::short, merged::Published};
use serde_json::{Map, Value};
use std::{collections::HashMap, sync::Arc};

/// One item as it is listed.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'c> {
    /// The name, URI or template that callers address it by.
    pub key: &'c str,
    /// The backend's place in the configuration.
    pub backend: usize,
    /// Its JSON text.
    text: &'c str,
}

impl Listed<'_> {
    /// What a tool says of itself under `annotations`. `None` where it says nothing that can be read.
    #[must_use]
    pub fn annotations(&self) -> Option<Map<String, Value>> {
        let object = crate::frame::RawObject::parse(self.text).ok()?;
        serde_json::from_str(object.get("annotations")?).ok()
    }
}

/// Which items of a catalogue are chosen: one bit for each, in the order in which they are published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    bits: [Vec<u64>; 4],
    counts: [usize; 4],
    all: bool,
}

impl Selection {
    fn has(&self, kind: ListKind, place: usize) -> bool {
        self.bits[kind.index()].get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// Equal for equal selections of one catalogue.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        for (words, count) in self.bits.iter().zip(self.counts) {
            hasher.update(&(count as u64).to_be_bytes());
            for word in words {
                hasher.update(&word.to_be_bytes());
            }
        }
        short(&hasher)
    }

    /// Roughly how many bytes it takes, for a weighted cache.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.bits.iter().map(|words| words.len() * 8).sum::<usize>()
    }
}

impl Catalogue {
    /// The items of a list in the order in which they are published.
    pub fn listed(&self, kind: ListKind) -> impl Iterator<Item = Listed<'_>> {
        let list = &self.published[kind.index()];
        (0..list.places.len()).filter_map(|place| list.listed(place))
    }

    /// A tool as it is listed.
    #[must_use]
    pub fn listed_tool(&self, name: &str) -> Option<Listed<'_>> {
        self.published[ListKind::Tools.index()].listed(self.tools.get(name)?.place)
    }

    /// Chooses the items for which `is_chosen` holds.
    #[must_use]
    pub fn select<'c>(&'c self, mut is_chosen: impl FnMut(ListKind, &Listed<'c>) -> bool) -> Selection {
        let mut selection = Selection { all: true, ..Selection::default() };
        for kind in ListKind::ALL {
            let (words, count) = (&mut selection.bits[kind.index()], &mut selection.counts[kind.index()]);
            for (place, item) in self.listed(kind).enumerate() {
                if place % 64 == 0 {
                    words.push(0);
                }
                *count += 1;
                match (is_chosen(kind, &item), words.last_mut()) {
                    (true, Some(word)) => *word |= 1 << (place % 64),
                    _ => selection.all = false,
                }
            }
        }
        selection
    }

    /// The same catalogue with the chosen items alone, for showing it: names of tools and prompts lead where they did, URIs nowhere. What
    /// one caller sees is not for another: every list is private.
    #[must_use]
    pub fn restricted(&self, selection: &Selection) -> Self {
        let mut out = Self::default();
        for kind in ListKind::ALL {
            out.published[kind.index()] = self.published[kind.index()].only(|place| selection.has(kind, place));
        }
        let names = |kind: ListKind, all: &[Arc<str>]| -> Vec<Arc<str>> {
            all.iter().enumerate().filter(|(place, _)| selection.has(kind, *place)).map(|(_, name)| Arc::clone(name)).collect()
        };
        out.tool_names = names(ListKind::Tools, &self.tool_names);
        out.prompt_names = names(ListKind::Prompts, &self.prompt_names);
        let tools = out.tool_names.iter().enumerate();
        out.tools = tools
            .filter_map(|(place, name)| {
                let mut route = self.tools.get(name)?.clone();
                route.place = place;
                Some((Arc::clone(name), route))
            })
            .collect();
        out.prompts = kept(&out.prompt_names, &self.prompts);
        out
    }
}

fn kept<T: Clone>(names: &[Arc<str>], all: &HashMap<Arc<str>, T>) -> HashMap<Arc<str>, T> {
    names.iter().filter_map(|name| Some((Arc::clone(name), all.get(name)?.clone()))).collect()
}

impl Published {
    fn listed(&self, place: usize) -> Option<Listed<'_>> {
        let place = self.places.get(place)?;
        let text = self.bytes.get(place.text.clone())?;
        Some(Listed { key: &place.key, backend: place.backend, text: std::str::from_utf8(text).ok()? })
    }

    fn only(&self, is_chosen: impl Fn(usize) -> bool) -> Self {
        let (mut bytes, mut counts, mut places) = (vec![b'['], vec![0; self.counts.len()], Vec::new());
        for (at, place) in self.places.iter().enumerate().filter(|(at, _)| is_chosen(*at)) {
            let Some(item) = self.listed(at) else { continue };
            if bytes.len() > 1 {
                bytes.push(b',');
            }
            let start = bytes.len();
            bytes.extend_from_slice(item.text.as_bytes());
            if let Some(count) = counts.get_mut(item.backend) {
                *count += 1;
            }
            let mut place = place.clone();
            place.text = start..bytes.len();
            places.push(place);
        }
        bytes.push(b']');
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes);
        Self { hash: short(&hasher), bytes: bytes.into(), scope: CacheScope::Private, counts, places }
    }
}
