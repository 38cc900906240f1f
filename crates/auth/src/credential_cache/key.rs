//! For whom credentials are.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    sync::Arc,
    time::SystemTime,
};
use vmcp_core::plugin::{Keep, Principal, StrategyContext};

/// For whom credentials are. Made for each request: it takes no memory of its own. One cache belongs to one backend and its strategy, so these
/// are no part of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// For everybody.
    Shared,
    /// For whoever brings the token with this digest.
    Token([u8; 32]),
    /// For the caller, whatever credential it brings of those that allow the same.
    Principal(Principal, Option<Arc<str>>),
}

impl Key {
    /// The key that a strategy asks for; `None` where nothing is to be kept.
    pub(super) fn of(keep: Keep<'_>, context: &StrategyContext<'_>) -> Option<Self> {
        match keep {
            Keep::Shared => Some(Self::Shared),
            Keep::ForToken(token) => Some(Self::Token(*token.digest())),
            Keep::ForPrincipal => Some(Self::Principal(context.principal?.clone(), context.standing.cloned())),
            _ => None,
        }
    }

    /// When the caller's own credential is over, and with it what was got for it. What is everybody's does not depend on it.
    pub(super) fn limit(&self, context: &StrategyContext<'_>) -> Option<SystemTime> {
        match self {
            Self::Shared => None,
            Self::Token(_) | Self::Principal(..) => context.expires_at,
        }
    }

    /// A number that is another one for most other keys.
    pub(super) fn spread(&self) -> usize {
        match self {
            Self::Shared => 0,
            // A digest is as good as a hash.
            Self::Token(digest) => usize::from(digest[0]),
            Self::Principal(principal, _) => {
                let mut hasher = DefaultHasher::new();
                principal.hash(&mut hasher);
                hasher.finish() as usize
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Map;

    #[test]
    fn a_key_shares_its_texts_with_the_caller_that_it_is_for() {
        let (principal, standing) = (Principal { issuer: "i".into(), subject: "ann".into() }, Arc::from("some"));
        let claims = Map::new();
        let mut context = StrategyContext::new("b", Some(&principal), &claims);
        context.standing = Some(&standing);
        let Some(Key::Principal(whose, Some(which))) = Key::of(Keep::ForPrincipal, &context) else { panic!("no key of a caller") };
        assert!(
            Arc::ptr_eq(&which, &standing)
                && Arc::ptr_eq(&whose.subject, &principal.subject)
                && Arc::ptr_eq(&whose.issuer, &principal.issuer)
        );
    }
}
