//! How a backend is doing, judged by what its requests come to.

use crate::{Error, ErrorKind, Phase, era::Eras};
use arc_swap::ArcSwap;
use http::StatusCode;
use serde::Serialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, SystemTime},
};
use vmcp_core::Seldom;

/// How a backend is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Its last answer was one.
    Healthy,
    /// It does not answer, or not in a way that can be used.
    Unhealthy,
    /// It has not been asked.
    Unknown,
    /// It answers 401 or 403.
    Unauthenticated,
}

/// The present state, as `/status` shows it.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) health: Health,
    pub(crate) last_error: Option<String>,
    pub(crate) since: SystemTime,
}

/// The state, cheap to confirm on every call.
pub(crate) struct HealthCell {
    now: AtomicU8,
    state: ArcSwap<State>,
    /// Run when it is well again after it was not.
    comeback: Box<dyn Fn() + Send + Sync>,
    log: Seldom,
}

/// How many changes of one backend's health are logged in a minute.
const LINES: u32 = 20;

impl HealthCell {
    pub(crate) fn new(comeback: impl Fn() + Send + Sync + 'static) -> Self {
        let state = State { health: Health::Unknown, last_error: None, since: SystemTime::now() };
        Self {
            now: AtomicU8::new(Health::Unknown as u8),
            state: ArcSwap::from_pointee(state),
            comeback: Box::new(comeback),
            log: Seldom::new(LINES, Duration::from_secs(60)),
        }
    }

    pub(crate) fn load(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// It answered.
    pub(crate) fn answered(&self, backend: &str) {
        if self.now.load(Ordering::Relaxed) != Health::Healthy as u8 {
            self.set(backend, Health::Healthy, None);
        }
    }

    /// It did not, or not well. A connection that cannot be made may mean that another server comes up.
    ///
    /// One bad list is not the backend's health: it stands beside lists that may be good, and health would change to and fro.
    pub(crate) fn failed(&self, error: &Error, eras: &Eras) {
        let is_permission = matches!(error.kind(), ErrorKind::Status { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. });
        if is_permission || !matches!(error.phase(), Phase::ListOf(_)) {
            self.judge(error, eras);
        }
    }

    /// No list came, and this is the first one's error.
    pub(crate) fn failed_to_list(&self, error: &Error, eras: &Eras) {
        self.judge(error, eras);
    }

    fn judge(&self, error: &Error, eras: &Eras) {
        let health = match error.kind() {
            ErrorKind::Connect(_) => {
                eras.forget_refusals();
                Health::Unhealthy
            }
            ErrorKind::Lost(_)
            | ErrorKind::Timeout(_)
            | ErrorKind::MaxDuration(_)
            | ErrorKind::Malformed(_)
            | ErrorKind::NoEra
            | ErrorKind::SessionLost => Health::Unhealthy,
            ErrorKind::Status { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. } => Health::Unauthenticated,
            ErrorKind::Status { status: StatusCode::TOO_MANY_REQUESTS, .. } => return,
            ErrorKind::Status { .. } => Health::Unhealthy,
            _ => return,
        };
        self.set(error.backend(), health, Some(error.to_string()));
    }

    fn set(&self, backend: &str, health: Health, last_error: Option<String>) {
        let before = self.state.load();
        if before.health == health && before.last_error == last_error {
            return;
        }
        let since = if before.health == health { before.since } else { SystemTime::now() };
        if before.health != health && self.log.may() {
            tracing::info!(backend, ?health, error = last_error.as_deref(), "the backend's health changed");
        }
        let is_back = before.health == Health::Unhealthy && health == Health::Healthy;
        self.state.store(Arc::new(State { health, last_error, since }));
        self.now.store(health as u8, Ordering::Relaxed);
        if is_back {
            (self.comeback)();
        }
    }
}

impl State {
    pub(crate) fn since_unix(&self) -> u64 {
        self.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmcp_core::{catalogue::ListKind, config::ProtocolEra};

    #[test]
    fn outcomes_make_the_health() {
        let (cell, eras) = (HealthCell::new(|| ()), Eras::new(ProtocolEra::Auto));
        assert_eq!(cell.load().health, Health::Unknown);
        let fail = |kind| cell.failed(&Error::new(&"b".into(), Phase::Call, kind), &eras);
        let status = |code| ErrorKind::Status { status: StatusCode::from_u16(code).unwrap(), retry_after: None };
        fail(ErrorKind::Connect("refused".to_owned()));
        assert_eq!(cell.load().health, Health::Unhealthy);
        assert_eq!(cell.load().last_error.as_deref(), Some("backend `b`: connect failed: refused"));
        cell.answered("b");
        assert_eq!((cell.load().health, cell.load().last_error.clone()), (Health::Healthy, None));
        fail(status(401));
        assert_eq!(cell.load().health, Health::Unauthenticated);
        fail(status(503));
        assert_eq!(cell.load().health, Health::Unhealthy);
        for slow in [ErrorKind::Timeout(Duration::ZERO), ErrorKind::MaxDuration(Duration::ZERO)] {
            cell.answered("b");
            fail(slow);
            assert_eq!(cell.load().health, Health::Unhealthy);
        }
        cell.answered("b");
        for kind in [status(429), ErrorKind::Overloaded, ErrorKind::Budget, ErrorKind::TooLarge(1)] {
            fail(kind);
            assert_eq!(cell.load().health, Health::Healthy);
        }
    }
    #[test]
    fn one_bad_list_is_not_the_health_and_no_list_is() {
        let (cell, eras) = (HealthCell::new(|| ()), Eras::new(ProtocolEra::Auto));
        let error = Error::new(&"b".into(), Phase::ListOf(ListKind::Prompts), ErrorKind::Timeout(Duration::ZERO));
        cell.answered("b");
        cell.failed(&error, &eras);
        assert_eq!(cell.load().health, Health::Healthy);
        cell.failed_to_list(&error, &eras);
        assert_eq!(cell.load().health, Health::Unhealthy);
        assert_eq!(cell.load().last_error.as_deref(), Some("backend `b`: prompts/list timed out after 0s"));
    }
    #[test]
    fn being_well_again_after_a_failure_is_a_comeback_and_nothing_else_is() {
        let comebacks = Arc::<AtomicU8>::default();
        let count = Arc::clone(&comebacks);
        let cell = HealthCell::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let fail = |kind| cell.failed(&Error::new(&"b".into(), Phase::Call, kind), &Eras::new(ProtocolEra::Auto));
        cell.answered("b");
        fail(ErrorKind::Status { status: StatusCode::UNAUTHORIZED, retry_after: None });
        cell.answered("b");
        assert_eq!(comebacks.load(Ordering::Relaxed), 0);
        fail(ErrorKind::Connect("refused".to_owned()));
        fail(ErrorKind::Timeout(Duration::ZERO));
        cell.answered("b");
        cell.answered("b");
        assert_eq!(comebacks.load(Ordering::Relaxed), 1);
    }
}
