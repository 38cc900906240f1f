//! Whether those who were let in under one configuration are let in under another.

use super::kept::Fingerprint;

/// Whom a configuration lets in, as far as it says that: its `incomingAuth` and the secrets and files that this names.
#[derive(Clone, Copy)]
pub(crate) struct Callers(Option<Fingerprint>);

impl Callers {
    /// By what the authenticator was built from. `None` where that is not known: then nobody stays.
    pub(super) fn new(authenticator: Option<Fingerprint>) -> Self {
        Self(authenticator)
    }

    /// Whether whoever was let in is let in by `now` too, as the same caller of whom the same is known.
    pub(crate) fn stay(self, now: Self) -> bool {
        self.0.is_some() && self.0 == now.0
    }
}
