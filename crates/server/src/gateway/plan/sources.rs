//! What the configuration does not hold itself and says where it is: secrets and files. One that is not at hand is told at its key.

use super::{Planner, Statics};
use secrecy::{ExposeSecret as _, SecretString};
use std::{fs, io};
use vmcp_backend::check_ca_bundle;
use vmcp_core::config::{Problem, SecretSource, index_path, key_path, session_key};

impl<'a> Planner<'a> {
    pub(super) fn session_keys(&mut self) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        for (index, source) in self.config.sessions.keys.iter().enumerate() {
            let path = index_path("sessions.keys", index);
            let Some(text) = self.secret(&path, source) else { continue };
            match session_key(&text) {
                Ok(key) => keys.push(key.to_vec()),
                Err(error) => self.problems.push(Problem::error(path, error.to_string())),
            }
        }
        keys
    }

    pub(super) fn bundles(&mut self) {
        for (index, backend) in self.config.backends.iter().enumerate() {
            let Some(file) = &backend.ca_bundle_path else { continue };
            let path = key_path(&index_path("backends", index), "caBundlePath");
            match fs::read(file) {
                Ok(pem) => {
                    if let Err(reason) = check_ca_bundle(&pem) {
                        let message = format!("{}: {reason}", file.display());
                        let hint = "give a PEM file with the certificates of the authorities to trust";
                        self.problems.push(Problem::error(path, message).with_hint(hint));
                    }
                }
                Err(error) => {
                    let reason = match error.kind() {
                        io::ErrorKind::NotFound => "no such file".to_owned(),
                        kind => kind.to_string(),
                    };
                    let message = format!("cannot read {}: {reason}", file.display());
                    self.absent(path, message, "put the file there, or correct the path");
                }
            }
        }
    }

    pub(super) fn statics(&mut self) -> Statics<'a> {
        let mut statics = Vec::with_capacity(self.config.backends.len());
        for (index, backend) in self.config.backends.iter().enumerate() {
            let parent = key_path(&index_path("backends", index), "headers");
            let headers = backend.headers.iter();
            statics.push(headers.map(|(name, source)| (name.as_str(), self.secret(&key_path(&parent, name), source))).collect());
        }
        statics
    }

    pub(super) fn environments(&mut self) -> Vec<Vec<(String, SecretString)>> {
        let mut environments = Vec::with_capacity(self.config.backends.len());
        for (index, backend) in self.config.backends.iter().enumerate() {
            let parent = key_path(&index_path("backends", index), "env");
            let variables = backend.env.iter();
            let found = variables.filter_map(|(name, source)| Some((name.clone(), self.secret(&key_path(&parent, name), source)?)));
            let found: Vec<_> = found.collect();
            for (name, _) in found.iter().filter(|(_, value)| value.expose_secret().contains('\0')) {
                let problem = Problem::error(key_path(&parent, name), "a NUL character in the value, which no variable can hold");
                self.problems.push(problem.with_hint("remove it"));
            }
            environments.push(found);
        }
        environments
    }

    pub(super) fn secret(&mut self, path: &str, source: &SecretSource) -> Option<SecretString> {
        match self.checker.secrets.get(source) {
            Ok(secret) => secret,
            Err(error) => {
                self.absent(path, error.to_string(), error.advice());
                None
            }
        }
    }

    /// A missing source, as bad as the occasion makes it, and what to do about it.
    pub(super) fn absent(&mut self, path: impl Into<String>, message: impl Into<String>, hint: &str) {
        self.problems.push(match self.checker.secrets_may_be_missing {
            true => Problem::note(path, message).with_hint("`vmcp serve` will need it"),
            false => Problem::error(path, message).with_hint(hint),
        });
    }
}
