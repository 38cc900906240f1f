//! Which eras a backend speaks: two facts, each yes, no or unknown, and what answers say about them.
//!
//! 2026-07-28, basic/versioning and basic/transports/streamable-http: the era is a property of the server, found out by asking. Only
//! an answer about the protocol decides: no connection, no time, no permission and no luck (5xx) decide nothing.

use crate::{ErrorKind, Event};
use http::StatusCode;
use serde::Serialize;
use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::Instant;
use vmcp_core::{
    Era, Revision,
    config::ProtocolEra,
    frame::{RawObject, decode_string, elements},
};

/// Whether a backend speaks an era.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaks {
    /// It answered in it.
    Yes,
    /// It refused it.
    No,
    /// Nobody has asked yet, or the answer told nothing.
    Unknown,
}

/// For how long an era is not asked for again after an answer that told nothing, where the other one works.
const HOLD: Duration = Duration::from_secs(30);

/// The two facts, in one word so that they are read together.
pub(crate) struct Eras {
    facts: AtomicU8,
    pinned: bool,
    start: Instant,
    /// Milliseconds after `start` until which unknown counts as no where the other era works.
    held: AtomicU64,
}

const BITS: u8 = 0b11;

fn shift(era: Era) -> u8 {
    match era {
        Era::Legacy => 0,
        Era::Modern => 2,
    }
}

fn read(facts: u8, era: Era) -> Speaks {
    match facts >> shift(era) & BITS {
        0 => Speaks::Unknown,
        1 => Speaks::Yes,
        _ => Speaks::No,
    }
}

fn write(facts: u8, era: Era, speaks: Speaks) -> u8 {
    let bits = match speaks {
        Speaks::Unknown => 0,
        Speaks::Yes => 1,
        Speaks::No => 2,
    };
    facts & !(BITS << shift(era)) | bits << shift(era)
}

impl Eras {
    pub(crate) fn new(configured: ProtocolEra) -> Self {
        let pin = |era: Era| write(write(0, era, Speaks::Yes), era.other(), Speaks::No);
        let facts = match configured {
            ProtocolEra::Auto => 0,
            ProtocolEra::Legacy => pin(Era::Legacy),
            ProtocolEra::Modern => pin(Era::Modern),
        };
        Self { facts: AtomicU8::new(facts), pinned: configured != ProtocolEra::Auto, start: Instant::now(), held: AtomicU64::new(0) }
    }

    pub(crate) fn speaks(&self, era: Era) -> Speaks {
        read(self.facts.load(Ordering::Relaxed), era)
    }

    /// The era in which a caller is served: its own where the backend speaks it, the other where it is known not to. `None` when
    /// somebody has to ask first.
    pub(crate) fn choose(&self, caller: Era) -> Option<Era> {
        let facts = self.facts.load(Ordering::Relaxed);
        match (read(facts, caller), read(facts, caller.other())) {
            (Speaks::Yes, _) => Some(caller),
            (Speaks::No, Speaks::Yes) => Some(caller.other()),
            (Speaks::Unknown, Speaks::Yes) if self.is_held() => Some(caller.other()),
            _ => None,
        }
    }

    /// Which era to ask for on behalf of a caller.
    pub(crate) fn ask_first(&self, caller: Era) -> Era {
        if self.speaks(caller) == Speaks::No { caller.other() } else { caller }
    }

    /// Takes down a fact; `true` when it is news. A backend that refuses both eras has told nothing of use: then both are unknown again.
    pub(crate) fn learn(&self, era: Era, speaks: Speaks) -> bool {
        if self.pinned {
            return false;
        }
        let update = |facts: u8| {
            let new = write(facts, era, speaks);
            if speaks == Speaks::No && read(new, era.other()) == Speaks::No { 0 } else { new }
        };
        let before = self.facts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |facts| Some(update(facts)));
        before.is_ok_and(|before| read(before, era) != speaks)
    }

    /// Forgets refusals: whoever comes back after a failure may have learned something.
    pub(crate) fn forget_refusals(&self) {
        for era in [Era::Legacy, Era::Modern] {
            if self.speaks(era) == Speaks::No {
                self.learn(era, Speaks::Unknown);
            }
        }
    }

    /// The other era serves for a while.
    pub(crate) fn hold(&self) {
        self.held.store(millis(self.start.elapsed() + HOLD), Ordering::Relaxed);
    }

    fn is_held(&self) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        held > 0 && millis(self.start.elapsed()) < held
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What an answer says about one era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Yes,
    No,
    /// It refuses legacy and shows by the way that it is modern.
    Modern,
    Undecided,
}

pub(crate) const HEADER_MISMATCH: i64 = -32020;
pub(crate) const UNSUPPORTED_VERSION: i64 = -32022;
const METHOD_NOT_FOUND: i64 = -32601;

/// Errors that only modern servers know (2026-07-28, basic/index, error codes).
pub(crate) fn is_modern_error(code: i64) -> bool {
    (UNSUPPORTED_VERSION..=HEADER_MISMATCH).contains(&code)
}

/// Whether a status tells something about the protocol, rather than about permission, load or luck.
fn is_telling(status: StatusCode) -> bool {
    const NOT: [u16; 6] = [401, 403, 407, 408, 425, 429];
    status.is_success() || status.is_client_error() && !NOT.contains(&status.as_u16())
}

/// The newest modern revision that both sides know, out of a `supported` or `supportedVersions` list.
pub(crate) fn common_modern(versions: &str) -> Option<Revision> {
    let known = |raw: &&str| decode_string(raw).and_then(|text| Revision::parse(&text)).filter(|revision| revision.era() == Era::Modern);
    elements(versions).ok()?.iter().filter_map(known).max()
}

/// The modern revision that an error of code -32022 offers; `None` when it offers none that vmcp knows.
pub(crate) fn offered(object: &[u8]) -> Option<Revision> {
    let object = RawObject::parse(std::str::from_utf8(object).ok()?).ok()?;
    common_modern(object.get_object("data")?.get("supported")?)
}

/// What an answer to `server/discover` says about modern.
pub(crate) fn discover_verdict(status: StatusCode, answer: &Result<Event, ErrorKind>) -> Verdict {
    match answer {
        Ok(Event::Result(result)) => {
            let result = std::str::from_utf8(result).ok().and_then(|text| RawObject::parse(text).ok());
            let common = result.and_then(|result| common_modern(result.get("supportedVersions")?));
            if common.is_some() { Verdict::Yes } else { Verdict::No }
        }
        Ok(Event::Error { .. }) if !is_telling(status) => Verdict::Undecided,
        Ok(Event::Error { code: UNSUPPORTED_VERSION, object }) => {
            if offered(object).is_some() {
                Verdict::Yes
            } else {
                Verdict::No
            }
        }
        Ok(Event::Error { code, .. }) if is_modern_error(*code) => Verdict::Yes,
        // "Any other error": servers of before answered with many codes.
        Ok(_) | Err(ErrorKind::Malformed(_)) => Verdict::No,
        Err(ErrorKind::Status { status, .. }) if is_telling(*status) => Verdict::No,
        Err(_) => Verdict::Undecided,
    }
}

/// What a refused `initialize` says about legacy. A result is looked at by the handshake itself.
pub(crate) fn initialize_verdict(status: StatusCode, answer: &Result<Event, ErrorKind>) -> Verdict {
    const WRONG_PLACE: [u16; 3] = [400, 404, 405];
    match answer {
        Ok(Event::Result(_)) => Verdict::Yes,
        Ok(Event::Error { .. }) if !is_telling(status) => Verdict::Undecided,
        Ok(Event::Error { code, .. }) if is_modern_error(*code) => Verdict::Modern,
        Ok(Event::Error { code, .. }) if *code == METHOD_NOT_FOUND || WRONG_PLACE.contains(&status.as_u16()) => Verdict::No,
        Err(ErrorKind::Status { status, .. }) if WRONG_PLACE.contains(&status.as_u16()) => Verdict::No,
        Ok(_) | Err(_) => Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests;
