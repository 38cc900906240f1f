//! What tells one caller's sessions and lists at a backend from another's.

use smallvec::SmallVec;
use std::{fmt, sync::OnceLock};
use vmcp_core::plugin::Principal;

/// The key of a backend session: who calls, with which credentials, under which configuration.
///
/// A hash, keyed with random bytes of this process, over length-prefixed parts; nothing can be read from it, and two callers share one
/// only when principal, raw inbound values of credential entries and the strategy's subject key are all the same. `Debug` shows nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey([u8; 16]);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}

/// For whom a list is, or a change of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViewScope {
    /// For every caller: nothing that depends on the caller reaches the backend.
    Shared,
    /// For those with this key alone.
    Caller(SessionKey),
}

/// Makes the keys of one backend.
pub(crate) struct KeyMaker {
    secret: [u8; 32],
    /// The key of the first caller who is nothing but its principal: without authentication that is every one.
    plain: OnceLock<(Principal, SessionKey)>,
}

impl KeyMaker {
    /// `secret` is this process's; `generation` counts configurations.
    pub(crate) fn new(secret: &[u8; 32], generation: u64, backend: &str) -> Self {
        let mut fixed = SmallVec::<[u8; 128]>::new();
        part(&mut fixed, b"vmcp backend session");
        part(&mut fixed, &generation.to_le_bytes());
        part(&mut fixed, backend.as_bytes());
        Self { secret: *blake3::keyed_hash(secret, &fixed).as_bytes(), plain: OnceLock::new() }
    }

    pub(crate) fn key<'a>(
        &self,
        principal: &Principal,
        subject_key: Option<&str>,
        material: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> SessionKey {
        let mut material = material.peekable();
        if subject_key.is_some() || material.peek().is_some() {
            return self.hash(principal, subject_key, material);
        }
        let (known, key) = self.plain.get_or_init(|| (principal.clone(), self.hash(principal, None, [].into_iter())));
        if known == principal { *key } else { self.hash(principal, None, [].into_iter()) }
    }

    fn hash<'a>(
        &self,
        principal: &Principal,
        subject_key: Option<&str>,
        material: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> SessionKey {
        let mut parts = SmallVec::<[u8; 256]>::new();
        part(&mut parts, principal.issuer.as_bytes());
        part(&mut parts, principal.subject.as_bytes());
        parts.push(u8::from(subject_key.is_some()));
        part(&mut parts, subject_key.unwrap_or_default().as_bytes());
        for (name, value) in material {
            part(&mut parts, name);
            part(&mut parts, value);
        }
        let hash = blake3::keyed_hash(&self.secret, &parts);
        let mut key = [0; 16];
        key.copy_from_slice(&hash.as_bytes()[..16]);
        SessionKey(key)
    }
}

/// The length in front keeps `ab`+`c` and `a`+`bc` apart.
fn part<const N: usize>(out: &mut SmallVec<[u8; N]>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Input = (String, String, Option<String>, Vec<(Vec<u8>, Vec<u8>)>);

    fn key(maker: &KeyMaker, (issuer, subject, subject_key, material): &Input) -> SessionKey {
        let principal = Principal { issuer: issuer.as_str().into(), subject: subject.as_str().into() };
        maker.key(&principal, subject_key.as_deref(), material.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
    }

    fn input() -> impl Strategy<Value = Input> {
        let text = "[ab]{0,3}";
        let bytes = || prop::collection::vec(0u8..3, 0..4);
        (text, text, prop::option::of(text), prop::collection::vec((bytes(), bytes()), 0..3))
    }

    proptest! {
        #[test]
        fn keys_are_equal_exactly_when_everything_in_them_is(a in input(), b in input()) {
            let maker = KeyMaker::new(&[7; 32], 1, "git");
            prop_assert_eq!(key(&maker, &a) == key(&maker, &b), a == b);
        }

        #[test]
        fn processes_generations_and_backends_have_their_own(a in input()) {
            let keys = [
                KeyMaker::new(&[7; 32], 1, "git"),
                KeyMaker::new(&[8; 32], 1, "git"),
                KeyMaker::new(&[7; 32], 2, "git"),
                KeyMaker::new(&[7; 32], 1, "gi"),
            ]
            .map(|maker| key(&maker, &a));
            for (at, one) in keys.iter().enumerate() {
                prop_assert!(keys[..at].iter().all(|other| other != one));
            }
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let key = KeyMaker::new(&[7; 32], 1, "git").key(&Principal { issuer: "i".into(), subject: "s".into() }, None, [].into_iter());
        assert_eq!(format!("{:?}", ViewScope::Caller(key)), "Caller(SessionKey)");
    }
}
