//! What a credential command sees of the environment.

use super::KEY;
use crate::oauth::refused;
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
};
use vmcp_core::{
    config::{SecretError, SecretSource, index_path, key_path},
    plugin::{Secrets, StrategyError},
};

/// What programs hardly do without. None of it is a secret.
const INHERITED: [&str; 10] = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The same on Windows.
const INHERITED_ON_WINDOWS: [&str; 8] = ["SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "LOCALAPPDATA"];

/// The variables of a program. `Debug` shows names alone.
pub(super) struct Environment {
    given: Vec<(String, SecretString)>,
    passed: Vec<String>,
}

impl Environment {
    pub(super) fn new(env: &BTreeMap<String, SecretSource>, passed: &[String], secrets: &Secrets) -> Result<Self, StrategyError> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
        let given = env.keys().map(|name| (name, key_path("env", name)));
        let passed_on = passed.iter().enumerate().map(|(n, name)| (name, index_path("envPassthrough", n)));
        if let Some((name, place)) = given.chain(passed_on).find(|(name, _)| !is_name(name)) {
            return Err(refused(KEY, place, format!("has a variable `{}` that cannot be one; correct its name", name.escape_default())));
        }
        let mut given = Vec::with_capacity(env.len());
        for (name, source) in env {
            let place = source.place(&key_path("env", name));
            let lacks = |error: SecretError| refused(KEY, &place, format!("lacks the variable `{name}`: {error}; {}", error.advice()));
            let value = secrets.get(source).map_err(lacks)?;
            if value.as_ref().is_some_and(|value| value.expose_secret().contains('\0')) {
                return Err(refused(
                    KEY,
                    place,
                    format!("has a NUL character in the variable `{name}`, which no variable can hold; remove it"),
                ));
            }
            given.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(Self { given, passed: passed.to_vec() })
    }

    /// The variables, out of vmcp's own: what is given in the configuration comes last and wins.
    pub(super) fn variables(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let own = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| self.inherits(name)));
        own.chain(self.given.iter().map(|(name, value)| (OsStr::new(name).to_owned(), OsStr::new(value.expose_secret()).to_owned())))
    }

    /// The values that nobody is to read in a log.
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> {
        let passed = self.passed.iter().filter_map(|name| std::env::var(name).ok());
        passed.chain(self.given.iter().map(|(_, value)| value.expose_secret().to_owned()))
    }

    fn inherits(&self, name: &str) -> bool {
        let named = |known: &&str| *known == name;
        INHERITED.iter().any(named)
            || self.passed.iter().any(|passed| passed == name)
            || cfg!(windows) && INHERITED_ON_WINDOWS.iter().any(|known| name.eq_ignore_ascii_case(known))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.given.iter().map(|(name, _)| name)).entries(&self.passed).finish()
    }
}
