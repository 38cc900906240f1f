//! Finding out which eras a backend speaks, once for all who wait.

use crate::{
    Backend, Error, ErrorKind, Event, Phase, Speaks,
    call::Seat,
    era::{Verdict, discover_verdict},
    exchange::{Ask, Exchange, Speech},
    flight::Outcome,
    offers::{Offers, instructions},
    outgoing::Audience,
    session::Lease,
};
use std::{sync::Arc, time::Duration};
use vmcp_core::{Era, frame::RawObject};

/// How long a backend has for `server/discover`: old servers may stay silent on what they do not know.
const LIMIT: Duration = Duration::from_secs(10);

/// How often facts may be forgotten again while somebody asks for them.
const ROUNDS: u32 = 4;

/// What `server/discover` told.
pub(crate) struct Discovered {
    pub(crate) offers: Offers,
    pub(crate) instructions: Option<Arc<str>>,
}

impl Backend {
    /// The era in which to serve somebody, asking the backend with that somebody's headers. Those who come meanwhile wait; they share an
    /// outcome that has nothing to do with who asked.
    pub(crate) async fn find_era(self: &Arc<Self>, seat: &Seat<'_>) -> Result<Era, Error> {
        let mut own = 0;
        while own < ROUNDS {
            if let Some(era) = self.eras().choose(seat.era) {
                return Ok(era);
            }
            // Before others wait for this one, and apart from the backend's own time.
            self.have_credentials(seat.audience).await.map_err(|kind| self.error(Phase::Credentials, kind))?;
            match self.probing.run(|| self.probe(seat)).await {
                Outcome::Own(Ok(())) => own += 1,
                Outcome::Own(Err(error)) => return Err(error),
                Outcome::Shared(Err(error)) if error.is_common() => return Err(error),
                Outcome::Shared(_) => {}
            }
        }
        Err(self.fail(Phase::Discover, ErrorKind::NoEra))
    }

    /// Afterwards there is an era to serve this seat in.
    async fn probe(self: &Arc<Self>, seat: &Seat<'_>) -> Result<(), Error> {
        if self.eras().choose(seat.era).is_some() {
            return Ok(());
        }
        let is_process = self.wire().programs().is_some();
        // A process is asked `server/discover` first, whoever calls (2026-07-28, basic/transports/stdio): one that knows only the one era may
        // be silent in the other, and the session of a legacy one goes on in the process that was asked.
        let first = match self.eras().speaks(Era::Modern) {
            Speaks::Unknown if is_process => Era::Modern,
            _ => self.eras().ask_first(seat.era),
        };
        let Err(error) = self.try_era(first, seat).await else { return Ok(()) };
        if self.eras().speaks(first.other()) == Speaks::Yes {
            if !error.refuses_era() {
                self.eras().hold();
            }
            return Ok(());
        }
        if !error.refuses_era() && !may_be_the_era(first, &error, is_process) {
            return Err(error);
        }
        let second = self.try_era(first.other(), seat).await;
        // A refusal may have shown that it speaks the first one after all, and only was slow to say so: a process that was starting.
        if matches!(error.kind(), ErrorKind::Timeout(_)) && self.eras().speaks(first) == Speaks::Yes {
            return Ok(());
        }
        match (second, error.refuses_era()) {
            (Ok(()), true) => Ok(()),
            (Ok(()), false) => {
                self.eras().hold();
                Ok(())
            }
            // The first failure is the one to be told, unless it only said no.
            (Err(_), false) => Err(error),
            (Err(second), true) if !second.refuses_era() => Err(second),
            (Err(second), true) => {
                let told = [second, error].into_iter().find(|error| matches!(error.kind(), ErrorKind::Status { .. }));
                Err(told.unwrap_or_else(|| self.fail(Phase::Discover, ErrorKind::NoEra)))
            }
        }
    }

    async fn try_era(self: &Arc<Self>, era: Era, seat: &Seat<'_>) -> Result<(), Error> {
        match era {
            Era::Modern => self.discover(seat.audience).await.map(drop),
            // The session opened for this is the one that the request will use.
            Era::Legacy => {
                let mut lease = Lease::get(self, self.wanted(seat), seat.audience).await?;
                // A session from before the era was forgotten tells nothing of it: only shaking hands anew does.
                if self.eras().speaks(Era::Legacy) != Speaks::Yes {
                    lease.renew(seat.audience).await?;
                }
                lease.in_order();
                Ok(())
            }
        }
    }

    /// `server/discover`, and what it says about modern.
    pub(crate) async fn discover(self: &Arc<Self>, audience: Audience<'_>) -> Result<Discovered, Error> {
        let speech = self.modern(audience).await?;
        self.discover_by(audience, speech).await
    }

    /// As [`Self::discover`], speaking this way.
    pub(crate) async fn discover_by(self: &Arc<Self>, audience: Audience<'_>, speech: Speech) -> Result<Discovered, Error> {
        let is_piped = speech.pipe().is_some();
        let limit = self.silence().min(LIMIT);
        let fail = |kind| self.fail(Phase::Discover, kind);
        let nothing = RawObject::parse("{}").map_err(|error| fail(ErrorKind::Malformed(error.to_string().into())))?;
        let mut exchange = Exchange::new(self, audience, Phase::Discover, speech, (limit, limit));
        let answer = match exchange.open(&Ask::plain("server/discover", &nothing)).await {
            Ok(_) => exchange.answer().await,
            Err(error) => Err(error),
        };
        let answer = answer.map_err(|error| error.kind().clone());
        let verdict = match &answer {
            // Some old servers say nothing to what they do not know (2026-07-28, basic/transports/stdio).
            Err(ErrorKind::Timeout(_)) if is_piped => Verdict::No,
            answer => discover_verdict(exchange.status(), answer),
        };
        drop(exchange);
        match verdict {
            Verdict::Yes | Verdict::Modern => self.learn(Era::Modern, Speaks::Yes),
            Verdict::No => self.learn(Era::Modern, Speaks::No),
            Verdict::Undecided => {}
        }
        let refuse = |error: Error| Err(if verdict == Verdict::No { error.refusing_era() } else { error });
        match answer {
            Ok(Event::Result(result)) if verdict == Verdict::Yes => {
                let result = std::str::from_utf8(&result).ok().and_then(|text| RawObject::parse(text).ok());
                let result = result.ok_or_else(|| fail(ErrorKind::Malformed("the result is not an object".into())))?;
                let offers = Offers::read(&result);
                self.learn_extensions(Era::Modern, offers.extensions());
                Ok(Discovered { offers, instructions: instructions(&result) })
            }
            // It speaks modern and does not say what it has: then it may have everything.
            Ok(_) if verdict == Verdict::Yes => Ok(Discovered { offers: Offers::all(), instructions: None }),
            Ok(Event::Error { code, object }) => refuse(self.error(Phase::Discover, ErrorKind::Refused { code, object })),
            Ok(_) => refuse(self.error(Phase::Discover, ErrorKind::NoEra)),
            Err(kind) => refuse(self.error(Phase::Discover, kind)),
        }
    }
}

/// Whether a failure may come from asking in the wrong era: a server that does not know the method may fail or stay silent.
fn may_be_the_era(asked: Era, error: &Error, is_process: bool) -> bool {
    asked == Era::Modern
        && match error.kind() {
            ErrorKind::Status { status, .. } => status.is_server_error(),
            ErrorKind::Refused { .. } | ErrorKind::Timeout(_) | ErrorKind::MaxDuration(_) => true,
            // Some fall over what they do not know.
            ErrorKind::Lost(_) => is_process,
            _ => false,
        }
}
