//! What callers are given and bring back, sealed so that nobody else can make, read or change it: the state of parked calls and the ids
//! of tasks.

use aws_lc_rs::aead::{AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Longer texts are refused before anything is decoded.
pub(super) const MAX_TEXT: usize = 4096;

/// The keys, each derived for one purpose from the keys of sessions: a text sealed for one purpose opens for no other.
pub(crate) struct Seals {
    states: Vec<LessSafeKey>,
    tasks: Vec<TaskKey>,
}

/// What seals a task's id: the same one gives the same text, so that a client can compare (RFC 8452: a nonce that is a function of the
/// content gives away no more than that two contents are equal).
struct TaskKey {
    key: LessSafeKey,
    nonces: [u8; 32],
}

impl Seals {
    /// The first of the secrets seals, each opens. Without any nothing can be sealed.
    pub(crate) fn new(secrets: &[[u8; 32]]) -> Self {
        let states = secrets.iter().filter_map(|secret| key(&AES_256_GCM, "vmcp request state v1", secret));
        let tasks = secrets.iter().filter_map(|secret| {
            let nonces = blake3::derive_key("vmcp task id nonces v1", secret);
            Some(TaskKey { key: key(&AES_256_GCM_SIV, "vmcp task id v1", secret)?, nonces })
        });
        Self { states: states.collect(), tasks: tasks.collect() }
    }

    /// Seals the state of a parked call for whoever `bound` stands for. `None` when the operating system has no random bytes.
    pub(super) fn seal_state(&self, bound: &[u8], plain: &[u8]) -> Option<String> {
        sealed(self.states.first()?, crate::session::random().ok()?, bound, plain)
    }

    pub(super) fn open_state(&self, bound: &[u8], text: &str) -> Option<Vec<u8>> {
        opened(self.states.iter(), bound, text)
    }

    /// Seals a task's id for whoever `bound` stands for.
    pub(super) fn seal_task(&self, bound: &[u8], plain: &[u8]) -> Option<String> {
        let TaskKey { key, nonces } = self.tasks.first()?;
        let mut hasher = blake3::Hasher::new_keyed(nonces);
        hasher.update(&(bound.len() as u64).to_be_bytes());
        hasher.update(bound);
        hasher.update(plain);
        let mut nonce = [0; NONCE_LEN];
        hasher.finalize_xof().fill(&mut nonce);
        sealed(key, nonce, bound, plain)
    }

    pub(super) fn open_task(&self, bound: &[u8], text: &str) -> Option<Vec<u8>> {
        opened(self.tasks.iter().map(|task| &task.key), bound, text)
    }
}

fn key(algorithm: &'static Algorithm, purpose: &str, secret: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(algorithm, &blake3::derive_key(purpose, secret)).ok().map(LessSafeKey::new)
}

fn sealed(key: &LessSafeKey, nonce: [u8; NONCE_LEN], bound: &[u8], plain: &[u8]) -> Option<String> {
    let mut content = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut content).ok()?;
    let mut raw = nonce.to_vec();
    raw.append(&mut content);
    Some(URL_SAFE_NO_PAD.encode(raw))
}

fn opened<'k>(keys: impl Iterator<Item = &'k LessSafeKey>, bound: &[u8], text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let raw = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (nonce, content) = raw.split_at_checked(NONCE_LEN)?;
    let nonce: [u8; NONCE_LEN] = nonce.try_into().ok()?;
    for key in keys {
        let mut content = content.to_vec();
        if let Ok(plain) = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut content) {
            return Some(plain.to_vec());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_for_whom_and_what_for_it_was_sealed_and_nothing_else_does() {
        let seals = Seals::new(&[[1; 32]]);
        let (state, task) = (seals.seal_state(b"ann", b"plain").unwrap(), seals.seal_task(b"ann", b"plain").unwrap());
        assert_eq!(seals.open_state(b"ann", &state).as_deref(), Some(b"plain".as_slice()));
        assert_eq!(seals.open_task(b"ann", &task).as_deref(), Some(b"plain".as_slice()));
        assert_eq!((seals.open_state(b"bob", &state), seals.open_task(b"bob", &task)), (None, None));
        assert_eq!((seals.open_state(b"ann", &task), seals.open_task(b"ann", &state)), (None, None));
        let other = Seals::new(&[[2; 32]]);
        assert_eq!((other.open_state(b"ann", &state), other.open_task(b"ann", &task)), (None, None));
        for at in 0..state.len() {
            let mut changed = state.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(seals.open_state(b"ann", std::str::from_utf8(&changed).unwrap()), None, "byte {at}");
        }
    }

    #[test]
    fn a_state_is_another_text_each_time_and_a_task_always_the_same() {
        let seals = Seals::new(&[[1; 32]]);
        assert_ne!(seals.seal_state(b"ann", b"plain"), seals.seal_state(b"ann", b"plain"));
        assert_eq!(seals.seal_task(b"ann", b"plain"), seals.seal_task(b"ann", b"plain"));
        assert_ne!(seals.seal_task(b"ann", b"plain"), seals.seal_task(b"bob", b"plain"));
        assert_ne!(seals.seal_task(b"ann", b"plain"), seals.seal_task(b"ann", b"plaiN"));
    }

    #[test]
    fn keys_rotate() {
        let old = Seals::new(&[[1; 32]]).seal_task(b"ann", b"plain").unwrap();
        assert!(Seals::new(&[[2; 32], [1; 32]]).open_task(b"ann", &old).is_some());
    }
}
