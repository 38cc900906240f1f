//! What one backend listed.

mod builder;
mod item;
mod state;

pub(super) use builder::MAX_INSTRUCTIONS;
pub use builder::{BackendListBuilder, MAX_BYTES, MAX_ITEMS, MAX_PAGES, TooLarge};
pub(super) use item::Item;
pub use item::Malformed;
pub use state::StateError;

use super::ListKind;
use crate::Era;
use std::sync::Arc;

/// Who may be shown a cached list (2026-07-28, server/utilities/caching).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheScope {
    /// Everybody.
    Public,
    /// Only the authorization context that got it. Also meant where nothing is said.
    Private,
}

impl CacheScope {
    /// The scope that `text` names; everything unknown is private.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == "public" { Self::Public } else { Self::Private }
    }

    /// `public` or `private`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// How long and for whom a list may be cached, as its backend said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListHints {
    /// Milliseconds from when it was received: the smallest of its pages, 0 when one said nothing.
    pub ttl_ms: u64,
    /// Private unless every page said public.
    pub scope: CacheScope,
}

/// An item that was left out of a list because it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The list.
    pub kind: ListKind,
    /// The item's place in it, from 0.
    pub position: usize,
    /// What is wrong with it.
    pub reason: Malformed,
}

/// Everything that one backend listed to one kind of caller: raw items beside an index of the few fields that are read.
///
/// Immutable, and meant to be shared by content: two lists with the same [`Self::content_hash`] are the same.
#[derive(Debug)]
pub struct BackendList {
    era: Era,
    kinds: [KindList; 4],
    instructions: Option<Arc<str>>,
    rejected: Vec<Rejected>,
}

/// One of the four lists.
#[derive(Clone, Debug, Default)]
pub(super) struct KindList {
    /// The items' texts, one behind the other.
    text: Box<str>,
    items: Box<[Item]>,
    hash: [u8; 16],
    hints: Option<ListHints>,
    truncated: Option<TooLarge>,
}

impl BackendList {
    /// Starts an empty list, got from a backend in `era`.
    #[must_use]
    pub fn builder(era: Era) -> BackendListBuilder {
        BackendListBuilder::new(era)
    }

    /// The era in which the backend was asked.
    #[must_use]
    pub fn era(&self) -> Era {
        self.era
    }

    /// A hash of everything that a merge reads of one list: the items' bytes in order, what was left out, the era and the cache scope.
    /// How the list was cut into pages does not show in it.
    #[must_use]
    pub fn hash(&self, kind: ListKind) -> &[u8; 16] {
        &self.kinds[kind.index()].hash
    }

    /// A hash of everything in here: a key to intern lists by.
    #[must_use]
    pub fn content_hash(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        for list in &self.kinds {
            hasher.update(&list.hash);
            hasher.update(&list.hints.map_or(0, |hints| hints.ttl_ms).to_le_bytes());
        }
        hasher.update(self.instructions.as_deref().unwrap_or_default().as_bytes());
        short(&hasher)
    }

    /// How many items of a kind there are, malformed ones left out.
    #[must_use]
    pub fn len(&self, kind: ListKind) -> usize {
        self.kinds[kind.index()].items.len()
    }

    /// Whether nothing was listed at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.iter().all(|list| list.items.is_empty())
    }

    /// The raw texts of one list's items.
    pub fn items(&self, kind: ListKind) -> impl ExactSizeIterator<Item = &str> {
        let list = self.list(kind);
        list.items.iter().map(|item| item.text(&list.text))
    }

    /// The caching hints of a list; `None` when no page of it was added.
    #[must_use]
    pub fn hints(&self, kind: ListKind) -> Option<ListHints> {
        self.kinds[kind.index()].hints
    }

    /// The backend's instructions, cut at 4 KiB.
    #[must_use]
    pub fn instructions(&self) -> Option<&Arc<str>> {
        self.instructions.as_ref()
    }

    /// Whether a tool has a page that shows its results (SEP-1865, MCP Apps).
    #[must_use]
    pub fn has_pages(&self) -> bool {
        self.list(ListKind::Tools).items.iter().any(|item| item.tool().is_some_and(|tool| tool.page.is_some()))
    }

    /// The items that were left out.
    #[must_use]
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// Where collecting a list stopped before its end.
    #[must_use]
    pub fn truncated(&self, kind: ListKind) -> Option<TooLarge> {
        self.kinds[kind.index()].truncated
    }

    /// Roughly how many bytes it takes, for a weighted cache.
    #[must_use]
    pub fn weight(&self) -> usize {
        let lists = self.kinds.iter().map(|list| list.text.len() + list.items.iter().map(Item::weight).sum::<usize>());
        lists.sum::<usize>() + self.instructions.as_ref().map_or(0, |text| text.len()) + size_of::<Self>()
    }

    pub(super) fn list(&self, kind: ListKind) -> &KindList {
        &self.kinds[kind.index()]
    }
}

impl KindList {
    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The first half of a hash: enough to tell lists apart.
pub(super) fn short(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    half
}
