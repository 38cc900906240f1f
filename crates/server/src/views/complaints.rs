//! What the log says of lists that cannot be had: each change, once; and of callers' own lists not every one.

use super::{keys::ListKey, slot::Slot};
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use vmcp_backend::ViewScope;

/// How often one backend's callers' lists are complained of.
const PAUSE: Duration = Duration::from_secs(60);

/// When each backend's callers' lists were complained of last.
pub(super) struct Complaints(Vec<Mutex<Option<Instant>>>);

/// What there is to be said about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    /// What was there before stays.
    Stays,
    /// Nothing was there before.
    Nothing,
    /// Some kinds are there, or all of them and something is wrong with them.
    Partly,
}

impl Complaint {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Stays => "cannot list a backend; its last good list stays",
            Self::Nothing => "cannot list a backend; it has no tools until it can be listed",
            Self::Partly => "not all of a backend's lists are as they should be; the good ones are used",
        }
    }
}

impl Complaints {
    pub(super) fn new(backends: usize) -> Self {
        Self((0..backends).map(|_| Mutex::default()).collect())
    }

    /// What to say of an attempt that is about to be taken down in `slot`; `None` where the same was said before.
    pub(super) fn of(&self, key: &ListKey, slot: &Slot, trouble: &str, brought: bool) -> Option<Complaint> {
        if slot.error().as_deref() == Some(trouble) || !self.may_complain(key) {
            return None;
        }
        Some(match (brought, slot.list()) {
            (true, _) => Complaint::Partly,
            (false, Some(_)) => Complaint::Stays,
            (false, None) => Complaint::Nothing,
        })
    }

    fn may_complain(&self, key: &ListKey) -> bool {
        let (ViewScope::Caller(_), Some(last)) = (key.scope, self.0.get(key.backend)) else { return true };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let may = last.is_none_or(|last| last.elapsed() >= PAUSE);
        if may {
            *last = Some(Instant::now());
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gateway, views::slot::tests::whole};
    use vmcp_auth::Identity;
    use vmcp_core::{
        CapabilitySet, Era,
        config::{Backend, Config, ListScope},
    };

    fn key(scope: ViewScope) -> ListKey {
        ListKey { backend: 0, era: Era::Legacy, capabilities: CapabilitySet::NONE, scope }
    }

    #[test]
    fn a_dead_backend_is_complained_of_when_it_changes_and_not_at_each_attempt() {
        let (complaints, slot) = (Complaints::new(1), Slot::new());
        let attempt = |trouble: &str, brought| {
            let complaint = complaints.of(&key(ViewScope::Shared), &slot, trouble, brought);
            let outcome = if brought { Ok(whole(Some(trouble))) } else { Err(trouble.into()) };
            slot.finish(outcome, || {});
            complaint
        };
        assert_eq!(attempt("refused", false), Some(Complaint::Nothing), "there is no list that could stay");
        assert_eq!(attempt("refused", false), None);
        assert_eq!(attempt("timed out", false), Some(Complaint::Nothing));
        assert_eq!(attempt("no prompts", true), Some(Complaint::Partly));
        assert_eq!(attempt("no prompts", true), None);
        assert_eq!(attempt("refused", false), Some(Complaint::Stays));
        slot.finish(Ok(whole(None)), || {});
        assert_eq!(attempt("refused", false), Some(Complaint::Stays), "it was well in between");
    }

    #[tokio::test]
    async fn callers_own_lists_are_complained_of_once_a_minute() {
        let mut backend = Backend::new("b", "http://127.0.0.1:1/mcp".parse().unwrap());
        backend.list_scope = ListScope::Session;
        let gateway = Gateway::builder(Config::with_backends(vec![backend])).build().unwrap();
        let scope = gateway.inner.snapshot().backends[0].scope(&Identity::anonymous());
        assert!(matches!(scope, ViewScope::Caller(_)));
        let complaints = Complaints::new(1);
        let of_somebody = || complaints.of(&key(scope), &Slot::new(), "refused", false);
        assert_eq!((of_somebody(), of_somebody()), (Some(Complaint::Nothing), None));
        gateway.shutdown().await;
    }
}
