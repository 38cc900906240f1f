//! A caller's request, carried to the backend.

use crate::{
    Backend, CallerSessions, Error, ErrorKind, Exchange, Phase, Speaks,
    exchange::{Ask, Opened, Speech},
    outgoing::Audience,
    session::{Lease, Session, Wanted},
};
use std::sync::{Arc, atomic::Ordering};
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era, LoggingLevel, Revision,
    catalogue::ParamHeader,
    frame::{Edit, RawObject},
};

/// From which level on a modern backend tells a legacy caller what it logs during a call, where the session has asked for none: there,
/// servers choose by themselves (2025-11-25, server/utilities/logging), and here nothing would be sent.
const LEGACY_LEVEL: LoggingLevel = LoggingLevel::Info;

/// A request to be carried.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The method.
    pub method: &'a str,
    /// The caller's `params`. They go out byte for byte but for `set` and the keys of `_meta` that belong to one hop.
    pub params: &'a RawObject<'a>,
    /// Changes to single members, such as the backend's own name of a tool.
    pub set: &'a [Edit<'a>],
    /// What `Mcp-Name` repeats: a name or a URI, as the backend knows it.
    pub mirror: Option<&'a str>,
    /// The arguments that `Mcp-Param-…` headers repeat.
    pub param_headers: &'a [ParamHeader],
    /// Who calls.
    pub caller: &'a Identity,
    /// The era that the caller speaks.
    pub caller_era: Era,
    /// What the caller declared: a modern one with this request, a legacy one with `initialize`.
    pub capabilities: CapabilitySet,
    /// The backend sessions of a legacy caller's session.
    pub sessions: Option<&'a Arc<CallerSessions>>,
    /// Whether the caller wants progress notifications.
    pub progress: bool,
    /// Which log messages the caller wants. `None`: a modern caller wants none, a legacy one has set it for its session or not at all.
    pub log_level: Option<LoggingLevel>,
}

/// Whose request it is, as far as eras and sessions are concerned.
#[derive(Clone, Copy)]
pub(crate) struct Seat<'a> {
    pub(crate) audience: Audience<'a>,
    pub(crate) era: Era,
    pub(crate) sessions: Option<&'a Arc<CallerSessions>>,
    /// What is declared in a session that is opened for this.
    pub(crate) capabilities: CapabilitySet,
}

impl Backend {
    /// Sends a caller's request and waits until its answer begins. One HTTP request, once era and session are known.
    ///
    /// # Errors
    /// When no answer begins. The request has been run at most once.
    pub async fn call(self: &Arc<Self>, call: Call<'_>) -> Result<Exchange, Error> {
        self.check(Some(call.caller), Phase::Call)?;
        let permit = self.bulkhead().enter().await.map_err(|kind| self.error(Phase::Call, kind))?;
        let seat = Seat {
            audience: Audience::Caller(call.caller),
            era: call.caller_era,
            sessions: call.sessions,
            capabilities: call.capabilities,
        };
        let mut ask = Ask {
            method: call.method,
            params: call.params,
            set: call.set,
            name: call.mirror,
            param_headers: call.param_headers,
            capabilities: call.capabilities,
            progress: call.progress,
            log_level: call.log_level,
        };
        let (speech, lease) = self.prepare(&seat).await?;
        if let Some(level) = call.log_level
            && let Speech::Legacy(session) = &speech
            && lease.as_ref().is_some_and(Lease::is_exclusive)
        {
            Box::pin(self.set_level(seat.audience, session, level)).await;
        }
        if matches!(speech, Speech::Modern(..)) && seat.era == Era::Legacy {
            ask.log_level = ask.log_level.or(Some(LEGACY_LEVEL));
        }
        let mut exchange = Exchange::new(self, seat.audience, Phase::Call, speech, self.limits());
        exchange.own(lease, permit);
        match exchange.open(&ask).await? {
            Opened::Answering => Ok(exchange),
            refused => Box::pin(self.again(exchange, &ask, &seat, refused)).await,
        }
    }

    /// What has to hold before anything is sent.
    pub(crate) fn check(&self, caller: Option<&Identity>, phase: Phase) -> Result<(), Error> {
        if self.is_stopping() {
            return Err(self.error(phase, ErrorKind::ShuttingDown));
        }
        match caller.and_then(|caller| self.policy().missing_required(caller.forwarded())) {
            None => Ok(()),
            Some(name) => Err(self.error(phase, ErrorKind::MissingHeader(name.clone()))),
        }
    }

    /// Decides how to speak, and gets the session that this needs.
    async fn prepare(self: &Arc<Self>, seat: &Seat<'_>) -> Result<(Speech, Option<Lease>), Error> {
        match self.eras().choose(seat.era) {
            Some(Era::Modern) => Ok((self.modern(seat.audience).await?, None)),
            Some(Era::Legacy) => match Lease::get(self, self.wanted(seat), seat.audience).await {
                // It may have become another server since it was asked.
                Err(error) if error.refuses_era() => Box::pin(self.find_out(seat)).await,
                lease => lease.map(Lease::spoken),
            },
            None => Box::pin(self.find_out(seat)).await,
        }
    }

    /// How to speak modern: only one such revision is known.
    pub(crate) async fn modern(self: &Arc<Self>, audience: Audience<'_>) -> Result<Speech, Error> {
        let link = self.modern_link(audience).await.map_err(|kind| self.fail(Phase::Connect, kind))?;
        Ok(Speech::Modern(Revision::LATEST_MODERN, link))
    }

    async fn find_out(self: &Arc<Self>, seat: &Seat<'_>) -> Result<(Speech, Option<Lease>), Error> {
        match self.find_era(seat).await? {
            Era::Modern => Ok((self.modern(seat.audience).await?, None)),
            Era::Legacy => Lease::get(self, self.wanted(seat), seat.audience).await.map(Lease::spoken),
        }
    }

    /// Whose session a request uses at a legacy backend.
    pub(crate) fn wanted<'a>(&self, seat: &Seat<'a>) -> Wanted<'a> {
        let capabilities = seat.capabilities.legacy();
        let Audience::Caller(caller) = seat.audience else { return Wanted::Owned(capabilities) };
        let key = self.session_key(caller);
        match seat.sessions {
            Some(sessions) => Wanted::Caller(sessions, key),
            None => Wanted::Exclusive { key: (key, capabilities), pooled: self.may_pool(caller) },
        }
    }

    /// Whether one call may use the session of another: not when all that the two have in common is that nobody knows who they are.
    fn may_pool(&self, caller: &Identity) -> bool {
        self.shared().options.share_anonymous
            || caller.principal() != Identity::anonymous().principal()
            // An empty value tells nobody apart.
            || self.policy().credential_material(caller.forwarded()).any(|(_, value)| !value.is_empty())
    }

    /// Has a session send the log messages that this call's caller wants. A backend that refuses sends what it likes.
    async fn set_level(self: &Arc<Self>, audience: Audience<'_>, session: &Arc<Session>, level: LoggingLevel) {
        if !session.offers.logs() || session.level.swap(level.number(), Ordering::Relaxed) == level.number() {
            return;
        }
        let params = format!("{{\"level\":\"{level}\"}}");
        let Ok(params) = RawObject::parse(&params) else { return };
        let mut exchange = Exchange::new(self, audience, Phase::Setup, Speech::Legacy(Arc::clone(session)), self.limits());
        if let Ok(Opened::Answering) = exchange.open(&Ask::plain("logging/setLevel", &params)).await {
            let _ = exchange.answer().await;
        }
    }

    /// Repeats a request that was provably not run, once.
    async fn again(self: &Arc<Self>, mut exchange: Exchange, ask: &Ask<'_>, seat: &Seat<'_>, refused: Opened) -> Result<Exchange, Error> {
        match refused {
            Opened::Answering => return Ok(exchange),
            Opened::SessionLost => exchange.renew().await?,
            Opened::Version(offered) => {
                self.learn(Era::Modern, if offered.is_some() { Speaks::Yes } else { Speaks::No });
                let (speech, lease) = self.prepare(seat).await?;
                exchange.speak(speech, lease);
            }
        }
        match exchange.open(ask).await? {
            Opened::Answering => Ok(exchange),
            Opened::SessionLost => Err(exchange.give_up(ErrorKind::SessionLost)),
            Opened::Version(_) => Err(exchange.give_up(ErrorKind::NoEra)),
        }
    }
}
