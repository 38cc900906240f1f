//! Which credentials outlive a reload: those of strategies of which nothing has changed that decides what they give.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use vmcp_auth::CredentialCache;
use vmcp_core::plugin::Secrets;

/// Stands for everything that something was built from, secrets included: a hash under random bytes of this process, so that no guess can
/// be tested against it. It is never logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// As a part of what something else was built from.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// That of a part of what this stands for, such as one backend of those that share a strategy.
    pub(super) fn of_part(self, names: &[&str]) -> Self {
        let mut parts = self.0.to_vec();
        for name in names {
            // All of one length, so that no two lists of parts are the same bytes.
            parts.extend(blake3::keyed_hash(&self.0, name.as_bytes()).as_bytes());
        }
        Self(*blake3::keyed_hash(&self.0, &parts).as_bytes())
    }
}

/// The hashes of all parts; `None` once they have been counted up.
type Parts = Arc<Mutex<Option<Vec<u8>>>>;

/// Writes down what something is built from.
pub(super) struct Recorder {
    secret: [u8; 32],
    parts: Parts,
}

impl Recorder {
    /// `None` where the system has no random bytes: then nothing outlives a reload.
    pub(super) fn new() -> Option<Self> {
        static SECRET: OnceLock<[u8; 32]> = OnceLock::new();
        let mut secret = [0; 32];
        if SECRET.get().is_none() {
            getrandom::fill(&mut secret).ok()?;
        }
        Some(Self { secret: *SECRET.get_or_init(|| secret), parts: Arc::new(Mutex::new(Some(Vec::new()))) })
    }

    /// A part of it.
    pub(super) fn add(&self, part: &[u8]) {
        add(&self.parts, &self.secret, part);
    }

    /// The same secrets; what is looked up there is a part of it.
    pub(super) fn over(&self, secrets: &Secrets) -> Secrets {
        let note = |kind: &'static str| {
            let (parts, secret) = (Arc::clone(&self.parts), self.secret);
            move |name: &[u8], value: Option<&str>| {
                let found: &[u8] = if value.is_some() { b"found" } else { b"missing" };
                [kind.as_bytes(), name, found, value.unwrap_or_default().as_bytes()]
                    .into_iter()
                    .for_each(|part| add(&parts, &secret, part));
            }
        };
        let (variable, file) = (note("variable"), note("file"));
        let (variables, files) = (secrets.clone(), secrets.clone());
        let recorded = Secrets::new(
            move |name| {
                let value = variables.variable(name);
                variable(name.as_bytes(), value.as_deref());
                value
            },
            move |path: &Path| {
                let text = files.read(path);
                file(path.as_os_str().as_encoded_bytes(), text.as_deref().ok());
                text
            },
        );
        if secrets.may_be_missing() { recorded.that_may_be_missing() } else { recorded }
    }

    /// What stands for all of it. What was built may go on looking up secrets for as long as it lives: nothing is written down any more.
    pub(super) fn fingerprint(self) -> Fingerprint {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        Fingerprint(*blake3::keyed_hash(&self.secret, &parts).as_bytes())
    }
}

/// What could not be built in the end has no fingerprint, and nothing more is written down of it either.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// No part itself is held on to, only its hash.
fn add(parts: &Mutex<Option<Vec<u8>>>, secret: &[u8; 32], part: &[u8]) {
    if let Some(parts) = &mut *parts.lock().unwrap_or_else(PoisonError::into_inner) {
        parts.extend(blake3::keyed_hash(secret, part).as_bytes());
    }
}

/// The credentials of a configuration's backends, by what decides them.
#[derive(Default)]
pub(super) struct Kept(HashMap<Fingerprint, Arc<CredentialCache>>);

impl Kept {
    /// What is kept under this fingerprint and says itself when it is over; nothing yet, where it is a new one or none. The rest may come
    /// from something that no fingerprint stands for, such as a file that a program reads: it is got anew.
    pub(super) fn of(&self, fingerprint: Option<Fingerprint>) -> Arc<CredentialCache> {
        fingerprint.and_then(|fingerprint| self.0.get(&fingerprint)).map(|cache| Arc::new(cache.dated())).unwrap_or_default()
    }
}

impl FromIterator<(Fingerprint, Arc<CredentialCache>)> for Kept {
    fn from_iter<T: IntoIterator<Item = (Fingerprint, Arc<CredentialCache>)>>(caches: T) -> Self {
        Self(caches.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn secrets(variable: &'static str, file: &'static str) -> Secrets {
        let read = move |_: &Path| if file.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(file.to_owned()) };
        Secrets::new(move |_| Some(variable.to_owned()), read)
    }

    /// What stands for something that is built from a setting, a variable and a file.
    fn built(setting: &str, variable: &'static str, file: &'static str) -> [u8; 32] {
        let recorder = Recorder::new().unwrap();
        recorder.add(setting.as_bytes());
        let recorded = recorder.over(&secrets(variable, file));
        assert_eq!(recorded.variable("SECRET").as_deref(), Some(variable));
        assert_eq!(recorded.read(Path::new("/key")).ok().unwrap_or_default(), file);
        recorder.fingerprint().0
    }

    #[test]
    fn what_is_built_from_the_same_is_the_same_and_every_change_shows() {
        let same = built("a", "b", "c");
        assert_eq!(built("a", "b", "c"), same);
        for other in [built("x", "b", "c"), built("a", "x", "c"), built("a", "b", "x"), built("a", "b", ""), built("ab", "", "c")] {
            assert_ne!(other, same);
        }
    }

    #[test]
    fn nothing_is_written_down_once_it_is_built() {
        let recorder = Recorder::new().unwrap();
        let (parts, recorded) = (Arc::clone(&recorder.parts), recorder.over(&secrets("b", "c")));
        assert_eq!(recorded.variable("SECRET").as_deref(), Some("b"));
        recorder.fingerprint();
        assert_eq!(recorded.variable("SECRET").as_deref(), Some("b"));
        assert!(recorded.read(Path::new("/key")).is_ok() && parts.lock().unwrap().is_none());
        let recorder = Recorder::new().unwrap();
        let parts = Arc::clone(&recorder.parts);
        drop(recorder);
        assert!(parts.lock().unwrap().is_none(), "nor where nothing came of it");
    }

    #[test]
    fn backends_with_one_strategy_keep_what_is_theirs_apart() {
        let one = Fingerprint(built("a", "b", "c"));
        assert!(one.of_part(&["", "x"]) == one.of_part(&["", "x"]));
        assert!(one.of_part(&["", "x"]) != one.of_part(&["x", ""]) && one.of_part(&["x"]) != one.of_part(&["y"]));
    }
}
