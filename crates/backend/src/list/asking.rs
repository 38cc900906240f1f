//! Asking for all pages of all kinds at once.

use super::{Early, ListRequest, Listed};
use crate::{
    Alarm, Backend, Error, ErrorKind, Event, Phase,
    deadline::after,
    exchange::{Ask, Exchange, Opened, Speech},
    offers::Offers,
    outgoing::Audience,
};
use bytes::Bytes;
use std::{
    collections::HashSet,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use vmcp_core::{
    CapabilitySet, Era,
    catalogue::{BackendList, BackendListBuilder, ListKind, MAX_BYTES, MAX_ITEMS, MAX_PAGES},
    frame::{RawObject, elements},
    plugin::BoxFuture,
};

const METHOD_NOT_FOUND: i64 = -32601;

/// One listing: how pages are asked for, and what has come so far.
pub(super) struct Asking<'a> {
    pages: Asker<'a>,
    pub(super) audience: Audience<'a>,
    early: Option<(Alarm, Early<'a>)>,
    era: Era,
    done: [Option<Result<Pages, Error>>; 4],
}

/// How a round of asking ended.
pub(super) enum Round {
    Done,
    /// The backend forgot the session: what is not there yet is to be asked for in another one.
    SessionLost,
}

/// How a page is asked for.
struct Asker<'a> {
    backend: &'a Arc<Backend>,
    audience: Audience<'a>,
    capabilities: CapabilitySet,
    whole: Duration,
    /// When the whole is over.
    until: Instant,
    /// Bytes of all pages so far.
    bytes: AtomicUsize,
}

/// The pages of one list.
struct Pages {
    kind: ListKind,
    results: Vec<Bytes>,
    /// There were more than are followed.
    cut: bool,
    /// What is wrong with them.
    warning: Option<Error>,
}

/// The part of a page that is read while collecting.
struct Page<'a> {
    items: Vec<&'a str>,
    /// The raw JSON string.
    next: Option<&'a str>,
    object: RawObject<'a>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(backend: &'a Arc<Backend>, list: &ListRequest<'a>) -> Self {
        let (audience, (_, whole), now) = (Audience::from(list.caller), backend.limits(), Instant::now());
        let bytes = AtomicUsize::new(0);
        Self {
            pages: Asker { backend, audience, capabilities: list.capabilities, whole, until: after(now, whole), bytes },
            audience,
            early: list.early.map(|early| (Alarm::at(after(now, early.after)), early)),
            era: list.era,
            done: [const { None }; 4],
        }
    }

    /// Waits for what comes before the pages, within the time for the whole.
    pub(super) async fn in_time<T>(&self, step: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match timeout_at(self.pages.until, Box::pin(step)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.pages.backend.too_long(self.pages.whole)),
        }
    }

    /// Asks for the offered kinds that are not there yet, all at once.
    pub(super) async fn ask(&mut self, speech: &Speech, offers: Offers, instructions: Option<Arc<str>>, may_renew: bool) -> Round {
        let Self { pages, early, era, done, .. } = self;
        *era = speech.era();
        let wanted = ListKind::ALL.into_iter().filter(|kind| offers.has(*kind) && done[kind.index()].is_none());
        let mut running: Vec<(ListKind, BoxFuture<'_, Result<Pages, Error>>)> =
            wanted.map(|kind| (kind, Box::pin(pages.in_time(kind, speech)) as BoxFuture<'_, _>)).collect();
        let mut is_late = false;
        poll_fn(|cx| {
            let (before, mut lost) = (running.len(), false);
            running.retain_mut(|(kind, future)| match future.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Err(error)) if may_renew && matches!(error.kind(), ErrorKind::SessionLost) => {
                    lost = true;
                    true
                }
                Poll::Ready(outcome) => {
                    done[kind.index()] = Some(outcome);
                    false
                }
            });
            if lost || running.is_empty() {
                return Poll::Ready(if lost { Round::SessionLost } else { Round::Done });
            }
            if let Some((alarm, early)) = early {
                let rings = !is_late && Pin::new(alarm).poll(cx).is_ready();
                is_late |= rings;
                let is_news = rings || running.len() < before;
                if is_late && is_news && done.iter().flatten().any(Result::is_ok) {
                    let pending = running.iter().map(|(kind, _)| *kind).collect();
                    (early.tell)(pages.listed(*era, done, pending, instructions.as_deref()));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The first error, where there is nothing else.
    pub(super) fn whole_failure(&self) -> Option<&Error> {
        let outcomes = || self.done.iter().flatten();
        if outcomes().any(Result::is_ok) { None } else { outcomes().find_map(|outcome| outcome.as_ref().err()) }
    }

    /// Whether the backend answered everything, be it with a refusal.
    pub(super) fn was_answered(&self) -> bool {
        let is_answer =
            |error: &Error| matches!(error.kind(), ErrorKind::Refused { .. } | ErrorKind::Status { .. } | ErrorKind::Malformed(_));
        self.done.iter().flatten().all(|outcome| outcome.as_ref().err().is_none_or(is_answer))
    }

    pub(super) fn finish(self, instructions: Option<&str>) -> Listed {
        self.pages.listed(self.era, &self.done, Vec::new(), instructions)
    }
}

impl Asker<'_> {
    fn error(&self, kind: ListKind, why: ErrorKind) -> Error {
        self.backend.error(Phase::ListOf(kind), why)
    }

    fn malformed(&self, kind: ListKind, why: &'static str) -> Error {
        self.error(kind, ErrorKind::Malformed(why.into()))
    }

    fn listed(&self, era: Era, done: &[Option<Result<Pages, Error>>; 4], pending: Vec<ListKind>, instructions: Option<&str>) -> Listed {
        let mut listed = Listed { builder: BackendList::builder(era), era, failed: Vec::new(), pending, warnings: Vec::new() };
        if let Some(instructions) = instructions {
            listed.builder.instructions(instructions);
        }
        for (kind, outcome) in ListKind::ALL.into_iter().map(|kind| (kind, &done[kind.index()])) {
            match outcome {
                None => {}
                Some(Err(error)) => listed.failed.push((kind, error.clone())),
                Some(Ok(pages)) => {
                    listed.warnings.extend(pages.warning.clone());
                    self.add(pages, &mut listed.builder);
                }
            }
        }
        listed
    }

    async fn in_time(&self, kind: ListKind, speech: &Speech) -> Result<Pages, Error> {
        match timeout_at(self.until, self.all(kind, speech)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.error(kind, ErrorKind::MaxDuration(self.whole))),
        }
    }

    /// All pages of one list.
    async fn all(&self, kind: ListKind, speech: &Speech) -> Result<Pages, Error> {
        let mut pages = Pages { kind, results: Vec::new(), cut: false, warning: None };
        let mut cursors: HashSet<String> = HashSet::new();
        let mut items = 0;
        let mut params = "{}".to_owned();
        while let Some(result) = self.page(kind, speech, &params).await? {
            let page = self.read(kind, &result)?;
            items += page.items.len();
            let bytes = self.bytes.fetch_add(result.len(), Ordering::Relaxed) + result.len();
            let next = page.next.map(str::to_owned);
            pages.results.push(result);
            let Some(cursor) = next else { break };
            if items > MAX_ITEMS || bytes > MAX_BYTES {
                break;
            }
            if pages.results.len() == MAX_PAGES {
                pages.cut = true;
                break;
            }
            params = format!("{{\"cursor\":{cursor}}}");
            if !cursors.insert(cursor) {
                // Where it leads has been seen: some servers take the empty cursor, or one that they do not know, for the beginning.
                pages.warning = Some(self.malformed(kind, "it gave one cursor twice; the pages until then are kept"));
                self.drop_repeated(&mut pages)?;
                break;
            }
        }
        Ok(pages)
    }

    /// Drops pages that have come before.
    fn drop_repeated(&self, pages: &mut Pages) -> Result<(), Error> {
        let mut kept: Vec<Bytes> = Vec::new();
        for result in std::mem::take(&mut pages.results) {
            let items = self.read(pages.kind, &result)?.items;
            let has_come = kept.iter().any(|earlier| self.read(pages.kind, earlier).is_ok_and(|earlier| earlier.items == items));
            if !has_come {
                kept.push(result.clone());
            }
        }
        pages.results = kept;
        Ok(())
    }

    /// One page; `None` where the backend does not have the list.
    async fn page(&self, kind: ListKind, speech: &Speech, params: &str) -> Result<Option<Bytes>, Error> {
        let params = RawObject::parse(params).map_err(|_| self.malformed(kind, "it gave a cursor that cannot be sent back"))?;
        let ask = Ask { capabilities: self.capabilities, ..Ask::plain(kind.method(), &params) };
        let mut exchange = Exchange::new(self.backend, self.audience, Phase::ListOf(kind), speech.clone(), self.backend.limits());
        match exchange.open(&ask).await? {
            Opened::Answering => {}
            Opened::SessionLost => return Err(self.error(kind, ErrorKind::SessionLost)),
            Opened::Version(_) => return Err(exchange.give_up(ErrorKind::NoEra)),
        }
        match exchange.answer().await? {
            Event::Result(result) => Ok(Some(result)),
            Event::Error { code: METHOD_NOT_FOUND, .. } => Ok(None),
            Event::Error { code, object } => Err(self.error(kind, ErrorKind::Refused { code, object })),
            _ => Err(self.malformed(kind, "it is not a response")),
        }
    }

    fn read<'r>(&self, kind: ListKind, result: &'r Bytes) -> Result<Page<'r>, Error> {
        let object = std::str::from_utf8(result).ok().and_then(|text| RawObject::parse(text).ok());
        let object = object.ok_or_else(|| self.malformed(kind, "the result is not an object"))?;
        let items = object.get(kind.result_key()).and_then(|items| elements(items).ok());
        let items = items.ok_or_else(|| self.malformed(kind, "the result has no array of items"))?;
        let next = object.get("nextCursor").filter(|cursor| *cursor != "null");
        if next.is_some_and(|cursor| !cursor.starts_with('"')) {
            return Err(self.malformed(kind, "`nextCursor` is not a string"));
        }
        Ok(Page { items, next, object })
    }

    fn add(&self, pages: &Pages, builder: &mut BackendListBuilder) {
        let kind = pages.kind;
        for result in &pages.results {
            // Each was read when it came.
            let Ok(page) = self.read(kind, result) else { continue };
            // A list that is too long stays as far as it fits; the builder takes that down.
            if builder.add_page(kind, &page.items).is_err() {
                return;
            }
            let ttl = page.object.get("ttlMs").and_then(|ttl| ttl.parse().ok());
            builder.page_hints(kind, ttl, page.object.get_str("cacheScope").as_deref());
        }
        if pages.cut {
            let _ = builder.add_page(kind, &[]);
        }
    }
}
