//! Tokens that were looked at before, by their digest.

use super::{bound::Bound, jwk::Key, jwt::Flaw};
use moka::sync::Cache;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use vmcp_core::plugin::{Authenticated, ClientCertificate};

/// A token's BLAKE3 hash. The token itself is no key of anything.
pub(super) type Digest = [u8; 32];

/// About so many bytes are kept of callers.
const CALLERS: u64 = 64 * 1024 * 1024;

/// So many tokens are remembered that are no good.
const REFUSED: u64 = 1000;

/// For so long: an issuer that is asked about the same bad token again and again is asked rarely.
const REFUSED_FOR: Duration = Duration::from_secs(10);

pub(super) fn digest(token: &str) -> Digest {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// The caller of a good token. It is the caller of a request only where the connection shows what the token is bound to.
pub(super) struct Caller {
    pub(super) who: Arc<Authenticated>,
    pub(super) bound: Option<Bound>,
}

impl Caller {
    /// Who calls with the token over a connection that shows this certificate.
    pub(super) fn over(&self, shown: Option<&ClientCertificate>) -> Result<Arc<Authenticated>, Flaw> {
        self.bound.map_or(Ok(()), |bound| bound.check(shown))?;
        Ok(Arc::clone(&self.who))
    }
}

struct Kept {
    caller: Arc<Caller>,
    until: SystemTime,
    key: Option<Arc<Key>>,
}

/// The callers of good tokens, and the digests of bad ones.
pub(super) struct Seen {
    callers: Cache<Digest, Arc<Kept>>,
    refused: Cache<Digest, Flaw>,
}

impl Default for Seen {
    fn default() -> Self {
        let weight = |_: &Digest, kept: &Arc<Kept>| {
            let token = kept.caller.who.subject_token.as_ref().map_or(0, |token| token.expose().len());
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
    pub(super) fn caller(&self, token: &Digest) -> Option<Arc<Caller>> {
        self.caller_at(token, SystemTime::now())
    }

    fn caller_at(&self, token: &Digest, now: SystemTime) -> Option<Arc<Caller>> {
        let kept = self.callers.get(token)?;
        let is_good = kept.until > now && !kept.key.as_ref().is_some_and(|key| key.is_retired());
        is_good.then(|| Arc::clone(&kept.caller))
    }

    /// Keeps a caller for so long, and never past the token's end. Of one that the issuer was asked about, the issuer knows best whether it is
    /// over: from its end on it is asked again.
    pub(super) fn keep(&self, token: Digest, caller: &Arc<Caller>, key: Option<Arc<Key>>, longest: Duration) {
        let until = SystemTime::now() + longest;
        let end = if key.is_some() { caller.who.good_until() } else { caller.who.expires_at };
        let until = end.map_or(until, |end| end.min(until));
        self.callers.insert(token, Arc::new(Kept { caller: Arc::clone(caller), until, key }));
    }

    /// Why a token is no good by what the issuer said of it just now.
    pub(super) fn refused(&self, token: &Digest) -> Option<Flaw> {
        self.refused.get(token)
    }

    /// Notes that it is not.
    pub(super) fn refuse(&self, token: Digest, why: Flaw) {
        self.refused.insert(token, why);
    }
}

#[cfg(test)]
mod tests;
