//! A backend's lists, all pages of all kinds.

use crate::{
    Backend, CallerSessions, Error, ErrorKind, Event, Exchange, Phase,
    call::Seat,
    exchange::{Ask, Opened, Speech},
    offers::Offers,
    outgoing::Audience,
    session::Lease,
    together::{Boxed, together},
};
use bytes::Bytes;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::time::timeout;
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era, Revision,
    catalogue::{BackendList, BackendListBuilder, ListKind, MAX_BYTES, MAX_ITEMS, MAX_PAGES},
    frame::{RawObject, elements},
};

const METHOD_NOT_FOUND: i64 = -32601;

/// Whose lists are wanted.
#[derive(Clone, Copy)]
pub struct ListRequest<'a> {
    /// The era of those who will see them.
    pub era: Era,
    /// What they declared, where they are modern.
    pub capabilities: CapabilitySet,
    /// Who asks; `None` for lists that are the same for all callers, which the gateway fetches with static and service credentials.
    pub caller: Option<&'a Identity>,
    /// The backend sessions of a legacy caller's session.
    pub sessions: Option<&'a Arc<CallerSessions>>,
}

/// How all pages are asked for.
struct Asking<'a> {
    backend: &'a Arc<Backend>,
    audience: Audience<'a>,
    speech: Speech,
    capabilities: CapabilitySet,
    /// Bytes of all pages so far.
    bytes: AtomicUsize,
}

/// The pages of one list.
struct Pages {
    kind: ListKind,
    results: Vec<Bytes>,
    /// There were more than are followed.
    cut: bool,
}

/// The part of a page that is read while collecting.
struct Page<'a> {
    items: Vec<&'a str>,
    /// The raw JSON string.
    next: Option<&'a str>,
    object: RawObject<'a>,
}

impl Backend {
    /// Lists everything that the backend has: all four kinds, all pages. A kind that it does not have is empty.
    ///
    /// # Errors
    /// When one of the lists could not be fetched.
    pub async fn list(self: &Arc<Self>, list: ListRequest<'_>) -> Result<BackendList, Error> {
        self.check(list.caller, Phase::List)?;
        let _permit = self.bulkhead().enter().await.map_err(|kind| self.error(Phase::List, kind))?;
        let (_, whole) = self.limits();
        match timeout(whole, Box::pin(self.list_in_time(&list))).await {
            Ok(listed) => listed,
            Err(_) => Err(self.fail(Phase::List, ErrorKind::MaxDuration(whole))),
        }
    }

    async fn list_in_time(self: &Arc<Self>, list: &ListRequest<'_>) -> Result<BackendList, Error> {
        let seat = Seat { audience: Audience::from(list.caller), era: list.era, sessions: list.sessions };
        match self.list_once(list, &seat).await {
            // It may have become another server since it was asked.
            Err(error) if error.refuses_era() => self.list_once(list, &seat).await,
            listed => listed,
        }
    }

    async fn list_once(self: &Arc<Self>, list: &ListRequest<'_>, seat: &Seat<'_>) -> Result<BackendList, Error> {
        let era = match self.eras().choose(seat.era) {
            Some(era) => era,
            None => self.find_era(seat).await?,
        };
        let asking =
            |speech| Asking { backend: self, audience: seat.audience, speech, capabilities: list.capabilities, bytes: AtomicUsize::new(0) };
        if era == Era::Modern {
            let told = self.discover(seat.audience).await?;
            return asking(Speech::Modern(Revision::LATEST_MODERN)).all(told.offers, told.instructions.as_deref()).await;
        }
        let mut lease = Lease::get(self, self.wanted(seat), seat.audience).await?;
        let mut renewed = false;
        loop {
            let session = Arc::clone(lease.session());
            match asking(Speech::Legacy(Arc::clone(&session))).all(session.offers, session.instructions.as_deref()).await {
                Err(error) if matches!(error.kind(), ErrorKind::SessionLost) && !renewed => {
                    renewed = true;
                    lease.renew(seat.audience).await?;
                }
                Err(error) => return Err(error),
                Ok(listed) => {
                    lease.in_order();
                    return Ok(listed);
                }
            }
        }
    }
}

impl Asking<'_> {
    async fn all(&self, offers: Offers, instructions: Option<&str>) -> Result<BackendList, Error> {
        let kinds = ListKind::ALL.into_iter().filter(|kind| offers.has(*kind));
        let lists = kinds.map(|kind| Box::pin(self.pages(kind)) as Boxed<'_, _>).collect();
        let mut builder = BackendList::builder(self.speech.era());
        if let Some(instructions) = instructions {
            builder.instructions(instructions);
        }
        for pages in together(lists).await? {
            self.add(&pages, &mut builder)?;
        }
        Ok(builder.build())
    }

    fn fail(&self, why: &'static str) -> Error {
        self.backend.fail(Phase::List, ErrorKind::Malformed(why.into()))
    }

    /// All pages of one list.
    async fn pages(&self, kind: ListKind) -> Result<Pages, Error> {
        let mut pages = Pages { kind, results: Vec::new(), cut: false };
        let mut cursors: HashSet<String> = HashSet::new();
        let mut items = 0;
        let mut params = "{}".to_owned();
        while let Some(result) = self.page(kind, &params).await? {
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
                return Err(self.fail("it gave one cursor twice"));
            }
        }
        Ok(pages)
    }

    /// One page; `None` where the backend does not have the list.
    async fn page(&self, kind: ListKind, params: &str) -> Result<Option<Bytes>, Error> {
        let params = RawObject::parse(params).map_err(|_| self.fail("it gave a cursor that cannot be sent back"))?;
        let ask = Ask { capabilities: self.capabilities, ..Ask::plain(kind.method(), &params) };
        let mut exchange = Exchange::new(self.backend, self.audience, Phase::List, self.speech.clone(), self.backend.limits());
        match exchange.open(&ask).await? {
            Opened::Answering => {}
            Opened::SessionLost => return Err(self.backend.error(Phase::List, ErrorKind::SessionLost)),
            Opened::Version(_) => return Err(exchange.give_up(ErrorKind::NoEra)),
        }
        match exchange.answer().await? {
            Event::Result(result) => Ok(Some(result)),
            Event::Error { code: METHOD_NOT_FOUND, .. } => Ok(None),
            Event::Error { code, object } => Err(self.backend.error(Phase::List, ErrorKind::Refused { code, object })),
            Event::Notification { .. } => Err(self.fail("it is not a response")),
        }
    }

    fn read<'r>(&self, kind: ListKind, result: &'r Bytes) -> Result<Page<'r>, Error> {
        let object = std::str::from_utf8(result).ok().and_then(|text| RawObject::parse(text).ok());
        let object = object.ok_or_else(|| self.fail("the result is not an object"))?;
        let items = object.get(kind.result_key()).and_then(|items| elements(items).ok());
        let items = items.ok_or_else(|| self.fail("the result has no array of items"))?;
        let next = object.get("nextCursor").filter(|cursor| *cursor != "null");
        if next.is_some_and(|cursor| !cursor.starts_with('"')) {
            return Err(self.fail("`nextCursor` is not a string"));
        }
        Ok(Page { items, next, object })
    }

    fn add(&self, pages: &Pages, builder: &mut BackendListBuilder) -> Result<(), Error> {
        let kind = pages.kind;
        for result in &pages.results {
            let page = self.read(kind, result)?;
            // A list that is too long stays as far as it fits; the builder takes that down.
            if builder.add_page(kind, &page.items).is_err() {
                return Ok(());
            }
            let ttl = page.object.get("ttlMs").and_then(|ttl| ttl.parse().ok());
            builder.page_hints(kind, ttl, page.object.get_str("cacheScope").as_deref());
        }
        if pages.cut {
            let _ = builder.add_page(kind, &[]);
        }
        Ok(())
    }
}
