//! Tokens that were looked at before, by their digest.

use super::jwk::Key;
use moka::sync::Cache;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use vmcp_core::plugin::Authenticated;

/// A token's BLAKE3 hash. The token itself is no key of anything.
pub(super) type Digest = [u8; 32];

/// About so many bytes are kept of callers.
const CALLERS: u64 = 64 * 1024 * 1024;

/// So many tokens are remembered that are not active.
const REFUSED: u64 = 1000;

/// For so long: an issuer that is asked about the same bad token again and again is asked rarely.
const REFUSED_FOR: Duration = Duration::from_secs(10);

pub(super) fn digest(token: &str) -> Digest {
    *blake3::hash(token.as_bytes()).as_bytes()
}

struct Caller {
    who: Arc<Authenticated>,
    until: SystemTime,
    key: Option<Arc<Key>>,
}

/// The callers of good tokens, and the digests of bad ones.
pub(super) struct Seen {
    callers: Cache<Digest, Arc<Caller>>,
    refused: Cache<Digest, ()>,
}

impl Default for Seen {
    fn default() -> Self {
        let weight = |_: &Digest, caller: &Arc<Caller>| {
            let token = caller.who.subject_token.as_ref().map_or(0, |token| token.expose().len());
            // Text and claims, which are most of the text decoded, and what is around them.
            u32::try_from(1024 + 4 * token).unwrap_or(u32::MAX)
        };
        Self {
            callers: Cache::builder().max_capacity(CALLERS).weigher(weight).build(),
            refused: Cache::builder().max_capacity(REFUSED).time_to_live(REFUSED_FOR).build(),
        }
    }
}

impl Seen {
    /// The caller of a token that is known to be good.
    pub(super) fn caller(&self, token: &Digest) -> Option<Arc<Authenticated>> {
        let caller = self.callers.get(token)?;
        let is_good = caller.until > SystemTime::now() && !caller.key.as_ref().is_some_and(|key| key.is_retired());
        is_good.then(|| Arc::clone(&caller.who))
    }

    /// Keeps a caller for so long, and never past the token's end.
    pub(super) fn keep(&self, token: Digest, who: &Arc<Authenticated>, key: Option<Arc<Key>>, longest: Duration) {
        let until = SystemTime::now() + longest;
        let until = who.expires_at.map_or(until, |end| end.min(until));
        self.callers.insert(token, Arc::new(Caller { who: Arc::clone(who), until, key }));
    }

    /// Whether the issuer said just now that a token is not active.
    pub(super) fn is_refused(&self, token: &Digest) -> bool {
        self.refused.contains_key(token)
    }

    /// Notes that it did.
    pub(super) fn refuse(&self, token: Digest) {
        self.refused.insert(token, ());
    }
}
