//! A backend's lists, all pages of all kinds. Each kind stands alone: what becomes of one is nothing to the others.

mod asking;
mod listed;

pub use listed::Listed;

use crate::{
    Backend, CallerSessions, Error, ErrorKind, Phase, call::Seat, exchange::Speech, offers::Offers, outgoing::Audience, probe::Discovered,
    session::Lease,
};
use asking::{Asking, Round};
use std::{sync::Arc, time::Duration};
use vmcp_auth::Identity;
use vmcp_core::{CapabilitySet, Era};

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
    /// Who hears of kinds that are there before all of them are.
    pub early: Option<Early<'a>>,
}

/// Hears of kinds that are there while others are still waited for.
#[derive(Clone, Copy)]
pub struct Early<'a> {
    /// From when on, counted from the start of the listing.
    pub after: Duration,
    /// Is given all that is there by then, and again whenever there is more. Must not block.
    pub tell: &'a (dyn Fn(Listed) + Sync),
}

/// Where the lists come from.
enum Ground {
    Modern(Speech, Discovered),
    Legacy(Lease),
}

impl Ground {
    fn speech(&self) -> Speech {
        match self {
            Self::Modern(speech, _) => speech.clone(),
            Self::Legacy(lease) => Speech::Legacy(Arc::clone(lease.session())),
        }
    }

    fn offers(&self) -> Offers {
        match self {
            Self::Modern(_, told) => told.offers,
            Self::Legacy(lease) => lease.session().offers,
        }
    }

    fn instructions(&self) -> Option<Arc<str>> {
        match self {
            Self::Modern(_, told) => told.instructions.clone(),
            Self::Legacy(lease) => lease.session().instructions.clone(),
        }
    }
}

impl Backend {
    /// Lists everything that the backend has: all four kinds, all pages. A kind that it does not have is empty; one that could not be
    /// fetched is named with its error and costs the others nothing.
    ///
    /// # Errors
    /// When nothing could be fetched.
    pub async fn list(self: &Arc<Self>, list: ListRequest<'_>) -> Result<Listed, Error> {
        self.check(list.caller, Phase::List)?;
        let _permit = self.bulkhead().enter().await.map_err(|kind| self.error(Phase::List, kind))?;
        let asking = Asking::new(self, &list);
        let seat = Seat { audience: Audience::from(list.caller), era: list.era, sessions: list.sessions, capabilities: list.capabilities };
        let ground = match asking.in_time(self.ground(&seat)).await {
            // It may have become another server since it was asked.
            Err(error) if error.refuses_era() => asking.in_time(self.ground(&seat)).await?,
            ground => ground?,
        };
        Box::pin(self.list_on(ground, asking)).await
    }

    /// What is needed before anything can be listed.
    async fn ground(self: &Arc<Self>, seat: &Seat<'_>) -> Result<Ground, Error> {
        let era = match self.eras().choose(seat.era) {
            Some(era) => era,
            None => self.find_era(seat).await?,
        };
        Ok(match era {
            Era::Modern => {
                let speech = self.modern(seat.audience).await?;
                Ground::Modern(speech.clone(), self.discover_by(seat.audience, speech).await?)
            }
            Era::Legacy => Ground::Legacy(Lease::get(self, self.wanted(seat), seat.audience).await?),
        })
    }

    async fn list_on(&self, mut ground: Ground, mut asking: Asking<'_>) -> Result<Listed, Error> {
        let mut may_renew = true;
        loop {
            let round = asking.ask(&ground.speech(), ground.offers(), ground.instructions(), may_renew).await;
            let (Round::SessionLost, Ground::Legacy(lease)) = (round, &mut ground) else { break };
            may_renew = false;
            asking.in_time(lease.renew(asking.audience)).await?;
        }
        if let Some(error) = asking.whole_failure() {
            self.health().failed_to_list(error, self.eras());
            return Err(error.clone());
        }
        if let (Ground::Legacy(lease), true) = (&mut ground, asking.was_answered()) {
            lease.in_order();
        }
        Ok(asking.finish(ground.instructions().as_deref()))
    }

    /// Where a list takes too long as a whole.
    fn too_long(&self, whole: Duration) -> Error {
        self.fail(Phase::List, ErrorKind::MaxDuration(whole))
    }
}
