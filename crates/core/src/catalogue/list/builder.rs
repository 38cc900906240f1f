//! Collecting a backend's lists page by page, within bounds.

use super::{BackendList, CacheScope, Item, KindList, ListHints, Rejected, short};
use crate::{Era, catalogue::ListKind, catalogue::instructions::cut};

/// How many pages of one list are followed.
pub const MAX_PAGES: usize = 100;
/// How many items one list may have.
pub const MAX_ITEMS: usize = 10_000;
/// How many bytes the items of all lists of one backend may have.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;
/// How long the instructions of one backend may be, in bytes.
pub(in crate::catalogue) const MAX_INSTRUCTIONS: usize = 4096;

/// Which bound a list passed. What was collected until then stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TooLarge {
    /// [`MAX_PAGES`].
    #[error("more than {MAX_PAGES} pages")]
    Pages,
    /// [`MAX_ITEMS`].
    #[error("more than {MAX_ITEMS} items")]
    Items,
    /// [`MAX_BYTES`].
    #[error("more than {MAX_BYTES} bytes")]
    Bytes,
}

/// Collects a [`BackendList`].
#[derive(Debug)]
pub struct BackendListBuilder {
    era: Era,
    kinds: [KindBuilder; 4],
    kept: [Option<KindList>; 4],
    rejected: Vec<Rejected>,
    instructions: Option<String>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct KindBuilder {
    text: String,
    items: Vec<Item>,
    seen: usize,
    pages: usize,
    /// How many pages came with hints, and what they come to.
    hinted: usize,
    hints: Option<ListHints>,
    full: Option<TooLarge>,
}

impl BackendListBuilder {
    pub(super) fn new(era: Era) -> Self {
        Self { era, kinds: Default::default(), kept: Default::default(), rejected: Vec::new(), instructions: None, bytes: 0 }
    }

    /// Adds one page: the raw texts of its items. An empty page counts too: it says that the backend has the list.
    ///
    /// Malformed items are left out and reported ([`BackendList::rejected`]).
    ///
    /// # Errors
    /// When a bound is passed: with this page or before it. What fits is in the list, collecting should stop.
    pub fn add_page(&mut self, kind: ListKind, items: &[&str]) -> Result<(), TooLarge> {
        let list = &mut self.kinds[kind.index()];
        if let Some(full) = list.full {
            return Err(full);
        }
        if list.pages == MAX_PAGES {
            return list.stop(TooLarge::Pages);
        }
        list.pages += 1;
        for raw in items {
            if list.seen == MAX_ITEMS {
                return list.stop(TooLarge::Items);
            }
            if self.bytes + raw.len() > MAX_BYTES {
                return list.stop(TooLarge::Bytes);
            }
            self.bytes += raw.len();
            match Item::read(kind, raw, &mut list.text) {
                Ok(item) => list.items.push(item),
                Err(reason) => self.rejected.push(Rejected { kind, position: list.seen, reason }),
            }
            list.seen += 1;
        }
        Ok(())
    }

    /// Says what the page added last said about caching: `ttlMs` and `cacheScope`, as they stood in the result. Hints of legacy
    /// backends count as absent: their revisions have none.
    pub fn page_hints(&mut self, kind: ListKind, ttl_ms: Option<i64>, cache_scope: Option<&str>) {
        if self.era == Era::Legacy {
            return;
        }
        let page = ListHints {
            ttl_ms: ttl_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
            scope: cache_scope.map_or(CacheScope::Private, CacheScope::parse),
        };
        let list = &mut self.kinds[kind.index()];
        list.hinted += 1;
        list.hints =
            Some(list.hints.map_or(page, |all| ListHints { ttl_ms: all.ttl_ms.min(page.ttl_ms), scope: all.scope.max(page.scope) }));
    }

    /// Whether another page of a list would still be taken.
    #[must_use]
    pub fn wants_more(&self, kind: ListKind) -> bool {
        let list = &self.kinds[kind.index()];
        list.full.is_none() && list.pages < MAX_PAGES && list.seen < MAX_ITEMS && self.bytes < MAX_BYTES
    }

    /// Sets the backend's instructions; more than 4 KiB are cut.
    pub fn instructions(&mut self, text: &str) {
        self.instructions = (!text.is_empty()).then(|| cut(text, MAX_INSTRUCTIONS).to_owned());
    }

    /// Takes one kind over as an earlier list has it, in place of pages: the last good one where it could not be fetched anew.
    pub fn keep(&mut self, kind: ListKind, earlier: &BackendList) {
        self.rejected.retain(|item| item.kind != kind);
        self.rejected.extend(earlier.rejected().iter().filter(|item| item.kind == kind).cloned());
        self.kept[kind.index()] = Some(earlier.list(kind).clone());
    }

    /// The finished list.
    #[must_use]
    pub fn build(self) -> BackendList {
        let Self { era, kinds, mut kept, rejected, instructions, .. } = self;
        let [tools, resources, templates, prompts] = kinds;
        let mut build = |list: KindBuilder, kind: ListKind| match kept[kind.index()].take() {
            Some(kept) => kept,
            None => list.build(era, rejected.iter().filter(|item| item.kind == kind)),
        };
        let kinds = [
            build(tools, ListKind::Tools),
            build(resources, ListKind::Resources),
            build(templates, ListKind::ResourceTemplates),
            build(prompts, ListKind::Prompts),
        ];
        BackendList { era, kinds, instructions: instructions.map(Into::into), rejected }
    }
}

impl KindBuilder {
    fn stop(&mut self, why: TooLarge) -> Result<(), TooLarge> {
        self.full = Some(why);
        Err(why)
    }

    fn build<'a>(self, era: Era, rejected: impl Iterator<Item = &'a Rejected>) -> KindList {
        const NOTHING_SAID: ListHints = ListHints { ttl_ms: 0, scope: CacheScope::Private };
        let said = self.hints.filter(|_| self.hinted >= self.pages).unwrap_or(NOTHING_SAID);
        let hints = (self.pages > 0).then_some(said);
        let scope = hints.map_or(0, |hints| 1 + hints.scope as u8);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[era as u8, scope]);
        for item in &self.items {
            let text = item.text(&self.text);
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        for Rejected { position, reason, .. } in rejected {
            hasher.update(format!("\n{position} {reason}").as_bytes());
        }
        hasher.update(&[self.full.map_or(0, |bound| 1 + bound as u8)]);
        KindList { text: self.text.into(), items: self.items.into(), hash: short(&hasher), hints, truncated: self.full }
    }
}
