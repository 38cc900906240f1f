//! Following resources and tasks on behalf of a client session or a subscription.

use crate::{
    Backend, CallerSessions, Error, ErrorKind, Event, Phase,
    call::Seat,
    exchange::{Ask, Exchange, Opened, Speech},
    outgoing::Audience,
    session::{Lease, Wish},
};
use bytes::Bytes;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::timeout;
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era,
    frame::{RawObject, decode_string, elements, json_string},
};

/// How long to wait until a backend has taken up what is followed.
const TAKE_UP: Duration = Duration::from_secs(5);

/// One resource that somebody wants to hear of, or no longer.
#[derive(Clone, Copy)]
pub struct Subscription<'a> {
    /// Who asks.
    pub caller: &'a Identity,
    /// The era that the caller speaks.
    pub caller_era: Era,
    /// The sessions through which updates come; their ear is told.
    pub sessions: &'a Arc<CallerSessions>,
    /// The resource, as the backend knows it.
    pub uri: &'a str,
    /// Whether to begin or to end.
    pub on: bool,
}

/// What became of it.
#[derive(Debug)]
pub enum Subscribed {
    /// It is done. Updates come as long as [`Backend::watch_for`] listens.
    Done,
    /// The backend tells of no such resource (2026-07-28, basic/patterns/subscriptions: it is not among what it acknowledged).
    Unheard,
    /// The backend's own JSON-RPC error.
    Refused {
        /// Its code.
        code: i64,
        /// The JSON text of the `error` object.
        object: Bytes,
    },
}

/// What a backend refused to tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// A resource, by its URI there.
    Resource(Box<str>),
    /// A task, by its id there.
    Task(Box<str>),
}

impl Backend {
    /// Subscribes to a resource, or ends that (2025-11-25, server/resources; 2026-07-28, basic/patterns/subscriptions). In a legacy
    /// session it is the session's, and is repeated when the session has to be opened anew; at a modern backend it is part of what the
    /// stream of these sessions asks for.
    ///
    /// # Errors
    /// When the backend does not answer.
    pub async fn subscribe(self: &Arc<Self>, subscription: Subscription<'_>) -> Result<Subscribed, Error> {
        let Subscription { caller, caller_era, sessions, uri, on } = subscription;
        self.check(Some(caller), Phase::Setup)?;
        let holder = Arc::clone(sessions.holder());
        let seat =
            Seat { audience: Audience::Caller(caller), era: caller_era, sessions: Some(sessions), capabilities: holder.capabilities };
        let era = match self.eras().choose(caller_era) {
            Some(era) => era,
            None => self.find_era(&seat).await?,
        };
        let too_many = |_| self.error(Phase::Setup, ErrorKind::Overloaded);
        if era == Era::Modern {
            let wish = Wish::Resource(uri.into());
            if on && self.unlistened.is_known() {
                return Ok(Subscribed::Unheard);
            }
            let change = holder.wish(self.id(), wish.clone(), on).map_err(too_many)?;
            // Where nobody listens, the next stream asks for it; nothing is known of it until then.
            let Some(change) = change.filter(|_| on && holder.listens(self.id())) else { return Ok(Subscribed::Done) };
            let _ = timeout(TAKE_UP.min(self.silence()), holder.taken_up(self.id(), change)).await;
            // A subscription of a modern caller looks at all that was refused once it is complete, with `heard`.
            if caller_era == Era::Legacy && holder.refused(self.id()).contains(&wish) {
                holder.wish(self.id(), wish, false).map_err(too_many)?;
                return Ok(Subscribed::Unheard);
            }
            return Ok(Subscribed::Done);
        }
        let told = self.tell_subscription(&seat, uri, on).await?;
        if matches!(told, Subscribed::Done) {
            holder.wish(self.id(), Wish::Resource(uri.into()), on).map_err(too_many)?;
        }
        Ok(told)
    }

    async fn tell_subscription(self: &Arc<Self>, seat: &Seat<'_>, uri: &str, on: bool) -> Result<Subscribed, Error> {
        let _permit = self.bulkhead().enter().await.map_err(|kind| self.error(Phase::Setup, kind))?;
        let mut params = b"{\"uri\":".to_vec();
        json_string(uri, &mut params);
        params.push(b'}');
        let params = String::from_utf8_lossy(&params);
        let malformed = |error: vmcp_core::frame::FrameError| self.error(Phase::Setup, ErrorKind::Malformed(error.to_string().into()));
        let params = RawObject::parse(&params).map_err(malformed)?;
        let ask = Ask::plain(if on { "resources/subscribe" } else { "resources/unsubscribe" }, &params);
        let mut lease = Lease::get(self, self.wanted(seat), seat.audience).await?;
        let mut renewed = false;
        loop {
            let speech = Speech::Legacy(Arc::clone(lease.session()));
            let mut exchange = Exchange::new(self, seat.audience, Phase::Setup, speech, self.limits());
            match exchange.open(&ask).await? {
                Opened::Answering => {}
                Opened::SessionLost if !renewed => {
                    renewed = true;
                    lease.renew(seat.audience).await?;
                    continue;
                }
                Opened::SessionLost | Opened::Version(_) => return Err(exchange.give_up(ErrorKind::SessionLost)),
            }
            return Ok(match exchange.answer().await? {
                Event::Error { code, object } => Subscribed::Refused { code, object },
                _ => Subscribed::Done,
            });
        }
    }

    /// Waits until the stream of these sessions hears what they follow at this backend, or has been found not to exist; not for long.
    /// Needs [`Backend::watch_for`]. Gives what the backend refused to tell of.
    pub async fn heard(&self, sessions: &Arc<CallerSessions>) -> Vec<Unheard> {
        let holder = sessions.holder();
        let _ = timeout(TAKE_UP.min(self.silence()), holder.taken_up(self.id(), holder.change())).await;
        let unheard = |wish| match wish {
            Wish::Resource(uri) => Unheard::Resource(uri),
            Wish::Task(id) => Unheard::Task(id),
        };
        holder.refused(self.id()).into_iter().map(unheard).collect()
    }

    /// Has the stream of these sessions tell of tasks too, at a modern backend (SEP-2663). `ids` are the backend's own.
    pub fn follow_tasks(self: &Arc<Self>, sessions: &Arc<CallerSessions>, ids: impl IntoIterator<Item = String>) {
        for id in ids {
            let _ = sessions.holder().wish(self.id(), Wish::Task(id.into()), true);
        }
    }
}

/// What a subscription of one's own asks for, as members of `notifications`.
pub(crate) fn wanted(wishes: &[Wish]) -> String {
    let list = |name: &str, of: &dyn Fn(&Wish) -> Option<String>| {
        let items: Vec<String> = wishes.iter().filter_map(of).collect();
        if items.is_empty() { String::new() } else { format!("\"{name}\":[{}],", items.join(",")) }
    };
    let literal = |text: &str| {
        let mut out = Vec::new();
        json_string(text, &mut out);
        String::from_utf8(out).ok()
    };
    let resources = list("resourceSubscriptions", &|wish| if let Wish::Resource(uri) = wish { literal(uri) } else { None });
    let tasks = list("taskIds", &|wish| if let Wish::Task(id) = wish { literal(id) } else { None });
    resources + &tasks
}

/// The wishes that an acknowledgement leaves out.
pub(crate) fn refused(wishes: &[Wish], honoured: &RawObject<'_>) -> Vec<Wish> {
    let named = |member: &str| -> HashSet<String> {
        let texts = honoured.get(member).and_then(|list| elements(list).ok()).unwrap_or_default();
        texts.into_iter().filter_map(|text| Some(decode_string(text)?.into_owned())).collect()
    };
    let (resources, tasks) = (named("resourceSubscriptions"), named("taskIds"));
    let is_refused = |wish: &&Wish| match wish {
        Wish::Resource(uri) => !resources.contains(&**uri),
        Wish::Task(id) => !tasks.contains(&**id),
    };
    wishes.iter().filter(is_refused).cloned().collect()
}

/// What is declared with a stream: the Tasks extension, where tasks are followed.
pub(crate) fn declared(wishes: &[Wish]) -> CapabilitySet {
    if wishes.iter().any(|wish| matches!(wish, Wish::Task(_))) { CapabilitySet::TASKS } else { CapabilitySet::NONE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_acknowledgement_leaves_out_is_refused() {
        let wishes = ["a:1", "a:\"2"].map(|uri| Wish::Resource(uri.into())).into_iter().chain([Wish::Task("a:1".into())]);
        let wishes: Vec<Wish> = wishes.collect();
        let refused = |honoured: &str| refused(&wishes, &RawObject::parse(honoured).unwrap());
        assert_eq!(refused(r#"{"resourceSubscriptions":["a:\u0031","a:\"2"],"taskIds":["a:1"]}"#), []);
        assert_eq!(refused(r#"{"resourceSubscriptions":["a:1"]}"#), wishes[1..]);
        assert_eq!(refused(r#"{"taskIds":["a:1"]}"#), wishes[..2]);
    }
}
