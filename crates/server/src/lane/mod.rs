//! The two lanes that a request takes: raw where it is only carried, typed where the gateway answers it itself.

mod asking;
mod bridge;
mod carried;
mod follow;
mod input;
mod intercept;
mod journal;
mod load;
mod pages;
mod parked;
mod question;
mod raw;
mod requester;
mod rounds;
mod route;
mod running;
mod seals;
mod share;
mod tasks;
mod typed;
mod unambiguous;
mod way;

pub(crate) use carried::Carried;
pub(crate) use follow::Owned;
pub(crate) use intercept::{Onlooker, has_result};
pub(crate) use journal::Journal;
pub(crate) use load::Load;
pub(crate) use parked::{Bounds as ParkingBounds, Parking};
pub(crate) use requester::{Given, Requester, Unanswered};
pub(crate) use seals::Seals;
pub(crate) use share::Shares;
pub(crate) use tasks::{Began, TaskRoute, is_task_method};
pub(crate) use typed::{ServerFacts, list_kind};

use crate::{session::ClientSession, views::Viewer};
use std::sync::Arc;
use vmcp_auth::Identity;
use vmcp_core::{CapabilitySet, Era, LoggingLevel, Revision};

/// Who asks, and how: an explicit value from the edge to the backend.
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) era: Era,
    /// Of a modern caller what the request declares, of a legacy one what its `initialize` did.
    pub(crate) capabilities: CapabilitySet,
    /// From which level on the caller wants log messages: what a modern request asks for, or a legacy session. `None`: nothing is said.
    pub(crate) log_level: Option<LoggingLevel>,
    /// Of a legacy caller.
    pub(crate) session: Option<Arc<ClientSession>>,
}

impl Caller {
    pub(crate) fn viewer(&self) -> Viewer<'_> {
        Viewer { caller: &self.identity, era: self.era, capabilities: self.capabilities, session: self.session() }
    }

    pub(crate) fn session(&self) -> Option<&Arc<ClientSession>> {
        self.session.as_ref()
    }

    /// The revision that a legacy caller speaks.
    pub(crate) fn revision(&self) -> Revision {
        self.session().map_or(Revision::LATEST_LEGACY, |session| session.revision)
    }
}
