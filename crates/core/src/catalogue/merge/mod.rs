//! Merging the lists of all backends into one catalogue.

mod names;
mod pages;
mod publish;
mod uris;

use super::{
    BackendList, CacheScope, Catalogue, Concern, Finding, ListKind, Owner, Route, Rules, ToolRoute, lint,
    list::short,
    report::MANY_TOOLS,
    uri::{MAX_WORK, UriRouterBuilder},
};
use crate::Era;
use names::Candidate;
pub(super) use pages::page_uri;
use publish::{Array, write_item};
use std::sync::Arc;

impl Rules {
    /// Merges lists, one for each backend in configuration order (`None` where nothing was ever listed), into the catalogue that callers
    /// of one era see. Equal lists give equal catalogues, bytes included.
    #[must_use]
    pub fn merge(&self, lists: &[Option<Arc<BackendList>>], audience: Era) -> Catalogue {
        let is_shown = |index| self.only.is_none_or(|only| only == index);
        let lists = self.backends.iter().zip(lists).enumerate().filter(|(index, _)| is_shown(*index));
        let lists = lists.filter_map(|(index, (_, list))| Some((index, list.as_deref()?)));
        let lists = lists.collect();
        let mut merge =
            Merge { rules: self, lists, audience, router: UriRouterBuilder::default(), work: MAX_WORK, out: Catalogue::default() };
        merge.listing();
        // Before the tools: whose a page is decides what its tool says.
        merge.uris();
        merge.tools();
        merge.prompts();
        merge.out.uris = merge.router.build();
        merge.out
    }

    /// A key under which the catalogue that [`Self::merge`] would give can be shared. It holds for these rules and those that
    /// [`Self::alone`] makes of them, and tells all of them apart.
    #[must_use]
    pub fn merge_key(&self, lists: &[Option<Arc<BackendList>>], audience: Era) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[audience as u8, u8::from(self.only.is_some())]);
        hasher.update(&self.only.unwrap_or_default().to_be_bytes());
        for index in 0..self.backends.len() {
            let list = lists.get(index).and_then(Option::as_ref);
            hasher.update(&[u8::from(list.is_some())]);
            for kind in ListKind::ALL {
                hasher.update(list.map_or(&[0; 16], |list| list.hash(kind)));
            }
        }
        short(&hasher)
    }

    fn owner(&self, index: usize) -> Owner {
        Owner { index, name: Arc::clone(&self.backends[index].name) }
    }
}

struct Merge<'r> {
    rules: &'r Rules,
    lists: Vec<(usize, &'r BackendList)>,
    audience: Era,
    router: UriRouterBuilder,
    /// What may still be spent on finding out whose pages are.
    work: usize,
    out: Catalogue,
}

impl Merge<'_> {
    fn tools(&mut self) {
        let mut array = Array::new(self.rules.backends.len());
        for (candidate, name) in names::resolve(self.rules, &self.lists, ListKind::Tools, &mut self.out.collisions) {
            if self.leaves_out(&candidate, &name) {
                continue;
            }
            let Candidate { backend, item, .. } = candidate;
            let page = item.tool().and_then(|facts| self.page(backend, facts.page.as_ref()?));
            write_item(&candidate, &name, page.as_deref(), self.audience, array.item(backend, &name));
            let param_headers = item.tool().and_then(|facts| facts.headers.clone().ok()).unwrap_or_default();
            let place = self.out.tool_names.len();
            self.out.tool_names.push(Arc::clone(&name));
            self.out.tools.insert(name, ToolRoute { backend, original: Arc::clone(item.key()), param_headers, place });
        }
        let count = self.out.tools.len();
        if count > MANY_TOOLS {
            let concern = Concern::ManyTools(count);
            self.out.findings.push(Finding { kind: ListKind::Tools, backend: None, name: None, concern, left_out: false });
        }
        self.publish(ListKind::Tools, array);
    }

    fn prompts(&mut self) {
        let mut array = Array::new(self.rules.backends.len());
        for (candidate, name) in names::resolve(self.rules, &self.lists, ListKind::Prompts, &mut self.out.collisions) {
            write_item(&candidate, &name, None, self.audience, array.item(candidate.backend, &name));
            self.out.prompt_names.push(Arc::clone(&name));
            self.out.prompts.insert(name, Route { backend: candidate.backend, original: Arc::clone(candidate.item.key()) });
        }
        self.publish(ListKind::Prompts, array);
    }

    /// Reports what a tool's definition gives reason to, and whether it has to go. Its name stays taken: no other backend's tool slips
    /// into the place of one that is in quarantine.
    fn leaves_out(&mut self, candidate: &Candidate<'_>, name: &Arc<str>) -> bool {
        let Some(facts) = candidate.item.tool() else { return false };
        // HTTP clients of the modern era have to drop such a tool, so a caller could not use it; towards a legacy backend the
        // annotation means nothing.
        let annotation = facts.headers.as_ref().err().map(|error| (Concern::from(*error), candidate.era == Era::Modern));
        let concerns = lint::concerns(name, facts).into_iter().map(|concern| (concern, self.rules.quarantine));
        let mut goes = false;
        for (concern, left_out) in annotation.into_iter().chain(concerns) {
            goes |= left_out;
            let backend = Some(self.rules.owner(candidate.backend));
            self.out.findings.push(Finding { kind: ListKind::Tools, backend, name: Some(Arc::clone(name)), concern, left_out });
        }
        goes
    }

    /// Reports what never became an item.
    fn listing(&mut self) {
        for (index, list) in &self.lists {
            let backend = Some(self.rules.owner(*index));
            for rejected in list.rejected() {
                let concern = Concern::Malformed { position: rejected.position, reason: rejected.reason.clone() };
                let finding = Finding { kind: rejected.kind, backend: backend.clone(), name: None, concern, left_out: true };
                self.out.findings.push(finding);
            }
            for kind in ListKind::ALL {
                if let Some(bound) = list.truncated(kind) {
                    let concern = Concern::Truncated(bound);
                    self.out.findings.push(Finding { kind, backend: backend.clone(), name: None, concern, left_out: false });
                }
            }
        }
    }

    fn publish(&mut self, kind: ListKind, array: Array) {
        let scopes = self.lists.iter().filter_map(|(_, list)| Some(list.hints(kind)?.scope));
        let scope = scopes.max().unwrap_or(CacheScope::Private);
        self.out.published[kind.index()] = array.publish(scope);
    }
}
