//! The keys that are good, by their hashes.
//!
//! A key is text that a machine made at random, with far more possibilities than anybody could try: one SHA-256 is enough, and the slow
//! hashes that passwords need would cost every request. Texts that are too short to be such keys are refused.

use super::config::ApiKeyEntry;
use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use secrecy::ExposeSecret;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};
use vmcp_core::{
    config::SecretError,
    plugin::{Authenticated, Misplaced, Principal, Secrets},
};

/// The shortest key that is taken as text, in bytes: 128 bits in base64 or hexadecimal, and something before them.
const SHORTEST: usize = 24;

/// The longest key that is looked at, in bytes.
const LONGEST: usize = 1024;

/// The issuer of callers with a key.
pub(super) const ISSUER: &str = "apiKey";

type Hash = [u8; 32];

/// The callers by their keys' hashes.
///
/// The hash of what a caller brings leads to a shelf under a number that nobody outside can foresee, and is compared there in constant time:
/// how long that takes tells nothing about the keys.
#[derive(Default)]
pub(super) struct Keys {
    shelves: HashMap<u64, Vec<(Hash, Arc<Authenticated>)>>,
    numbers: RandomState,
    /// The same callers by their subjects, and those whose keys are not at hand.
    subjects: HashMap<Arc<str>, Arc<Authenticated>>,
}

fn hash(key: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key).as_ref());
    hash
}

impl Keys {
    /// Adds a key.
    ///
    /// # Errors
    /// What is wrong with which of the entry's settings, without any part of the key.
    pub(super) fn add(&mut self, entry: &ApiKeyEntry, secrets: &Secrets) -> Result<(), Misplaced> {
        let wrong = |place: &str, why: &str| Err(Misplaced::new(place, why));
        if entry.subject.is_empty() {
            return wrong("subject", "has an empty `subject`; say who brings the key");
        }
        let caller = self.of_subject(entry)?;
        let hash = match (&entry.hash, &entry.key) {
            (Some(text), None) => {
                let why = "has a `hash` that is not `sha256:` and 64 hexadecimal digits; `vmcp auth new-key` makes one";
                read(text).ok_or_else(|| Misplaced::new("hash", why))?
            }
            (None, Some(source)) => {
                let place = source.place("key");
                let lacks = |error: SecretError| Misplaced::new(&place, format!("has no `key`: {error}; {}", error.advice()));
                match secrets.get(source).map_err(lacks)? {
                    Some(key) => of_key(key.expose_secret()).map_err(|why| Misplaced::new(&place, why))?,
                    // Only the settings are checked.
                    None => return Ok(()),
                }
            }
            (Some(_), Some(_)) => return wrong("key", "has both `hash` and `key`; remove one"),
            (None, None) => return wrong("", "needs a `hash`, or a `key` that says where it stands"),
        };
        if self.find(&hash).is_some() {
            return wrong("", "has a key that another entry has; every key is of one subject");
        }
        self.shelves.entry(self.numbers.hash_one(hash)).or_default().push((hash, caller));
        Ok(())
    }

    /// Who an entry says its subject is, whether its key is at hand or not.
    fn of_subject(&mut self, entry: &ApiKeyEntry) -> Result<Arc<Authenticated>, Misplaced> {
        if let Some(known) = self.subjects.get(entry.subject.as_str()) {
            if known.claims == entry.claims && known.groups.iter().map(|group| &**group).eq(entry.groups.iter().map(String::as_str)) {
                return Ok(Arc::clone(known));
            }
            // What is kept for a subject, a credential that was got for its groups for one, is kept for all its keys.
            let why = "has other `claims` or `groups` than another entry with its `subject`; give it a `subject` of its own";
            return Err(Misplaced::new("subject", why));
        }
        let subject: Arc<str> = entry.subject.as_str().into();
        let mut caller = Authenticated::new(Principal { issuer: ISSUER.into(), subject: Arc::clone(&subject) });
        caller.claims.clone_from(&entry.claims);
        caller.groups = entry.groups.iter().map(|group| group.as_str().into()).collect();
        let caller = Arc::new(caller);
        self.subjects.insert(subject, Arc::clone(&caller));
        Ok(caller)
    }

    /// Who brings this key.
    pub(super) fn caller(&self, key: &[u8]) -> Option<&Arc<Authenticated>> {
        if key.len() > LONGEST {
            return None;
        }
        self.find(&hash(key))
    }

    /// What the list says of a subject.
    pub(super) fn groups(&self, of: &Principal) -> Vec<Arc<str>> {
        self.subjects.get(&of.subject).filter(|known| known.principal == *of).map(|known| known.groups.clone()).unwrap_or_default()
    }

    fn find(&self, hash: &Hash) -> Option<&Arc<Authenticated>> {
        let shelf = self.shelves.get(&self.numbers.hash_one(hash))?;
        shelf.iter().find(|(known, _)| verify_slices_are_equal(known, hash).is_ok()).map(|(_, caller)| caller)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shelves.is_empty()
    }
}

fn of_key(key: &str) -> Result<Hash, String> {
    if key.len() < SHORTEST {
        return Err(format!(
            "has a `key` of less than {SHORTEST} characters, which could be guessed; `vmcp auth new-key` makes a good one"
        ));
    }
    if key.len() > LONGEST || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has a `key` with spaces or other characters that no header carries, or longer than 1024".to_owned());
    }
    Ok(hash(key.as_bytes()))
}

/// `sha256:` and 64 hexadecimal digits.
fn read(text: &str) -> Option<Hash> {
    let digits = text.strip_prefix("sha256:")?;
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    // A sign is no digit, and `from_str_radix` takes one.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(hash)
}
