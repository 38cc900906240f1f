//! Where plugins find secrets.

use crate::config::{SecretError, SecretSource};
use secrecy::SecretString;
use std::{io, path::Path, sync::Arc};

type Env = dyn Fn(&str) -> Option<String> + Send + Sync;
type Read = dyn Fn(&Path) -> io::Result<String> + Send + Sync;

/// Looks secrets up: environment variables and files.
#[derive(Clone)]
pub struct Secrets {
    env: Arc<Env>,
    read: Arc<Read>,
    may_be_missing: bool,
}

impl Secrets {
    /// Looks them up with `env` (an environment variable's value) and `read` (a file's text).
    #[must_use]
    pub fn new(
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        read: impl Fn(&Path) -> io::Result<String> + Send + Sync + 'static,
    ) -> Self {
        Self { env: Arc::new(env), read: Arc::new(read), may_be_missing: false }
    }

    /// The same, for checking a configuration where its secrets are not: one that is not at hand is none, and no error.
    #[must_use]
    pub fn that_may_be_missing(&self) -> Self {
        Self { may_be_missing: true, ..self.clone() }
    }

    /// Whether a secret may be missing, since the plugin is built for a check only.
    #[must_use]
    pub fn may_be_missing(&self) -> bool {
        self.may_be_missing
    }

    /// The secret. `None` only where [`Self::may_be_missing`]: then what is built is never used.
    ///
    /// # Errors
    /// When the variable is not set, the file cannot be read, or either is empty. The error names the source, never the value.
    pub fn get(&self, source: &SecretSource) -> Result<Option<SecretString>, SecretError> {
        match source.resolve(&*self.env, &*self.read) {
            Ok(secret) => Ok(Some(secret)),
            Err(_) if self.may_be_missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same for settings that name a variable beside the key that holds the value (`clientSecret`, `clientSecretEnv`): at most one of
    /// the two is given.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_either(&self, value: Option<&SecretSource>, variable: Option<&str>) -> Result<Option<SecretString>, SecretError> {
        match (value, variable) {
            (Some(source), _) => self.get(source),
            (None, Some(name)) => self.get(&SecretSource::Env { from_env: name.to_owned() }),
            (None, None) => Ok(None),
        }
    }

    /// A file's text, for settings that name a file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(&self, path: &Path) -> io::Result<String> {
        (self.read)(path)
    }

    /// An environment variable's value.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("may_be_missing", &self.may_be_missing).finish_non_exhaustive()
    }
}
