//! What depends on the backend: credentials, two sources for one outgoing header, plain text.

use super::{
    BackendSpec, HeaderOrigin, Place, Refusal, Side, StartedSpec, Taker,
    backend::Static,
    closed,
    entry::Entry,
    name::{is_credential_header, shown},
    normalise,
    problem::Problems,
    warning::Warnings,
};
use crate::config::{is_loopback, key_path};
use http::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use url::Url;

/// Checks everything that one backend would be sent.
pub(super) struct Towards<'a> {
    /// `backends[1]`.
    path: String,
    spec: &'a BackendSpec<'a>,
    allow_credential: bool,
    /// The outgoing names that have a source, normalised.
    taken: Vec<(HeaderName, HeaderOrigin, Taker)>,
    /// The variables that have a source, with the places where that stands.
    taken_variables: Vec<(String, String)>,
    problems: &'a mut Problems,
    warnings: &'a mut Warnings,
}

impl<'a> Towards<'a> {
    pub(super) fn new(
        index: usize,
        spec: &'a BackendSpec<'a>,
        allow_credential: bool,
        problems: &'a mut Problems,
        warnings: &'a mut Warnings,
    ) -> Self {
        Self {
            path: format!("backends[{index}]"),
            spec,
            allow_credential,
            taken: Vec::new(),
            taken_variables: Vec::new(),
            problems,
            warnings,
        }
    }

    /// Checks the strategy's names, the static headers and the entries that apply; gives back the static headers.
    /// What cannot reach this backend is taken out of the entries.
    pub(super) fn check(mut self, entries: &mut Vec<Entry>) -> Vec<Static> {
        let spec = self.spec;
        let statics = match &spec.place {
            Place::Url(_) | Place::Unknown => {
                self.check_managed();
                self.read_statics()
            }
            Place::Process(process) => {
                self.check_process(process);
                // They are refused with the other keys that a process has no use for.
                Vec::new()
            }
        };
        entries.retain(|entry| self.is_reached_by(entry));
        for entry in entries.iter() {
            self.check_entry(entry);
        }
        if let Place::Url(url) = spec.place {
            self.check_plaintext(url, &statics, entries);
        }
        statics
    }

    /// Whether the backend can be given what an entry says; where it cannot, somebody is told.
    fn is_reached_by(&mut self, entry: &Entry) -> bool {
        let is_own = entry.origin == HeaderOrigin::Backend;
        let header = entry.inbound.as_str();
        let refusal = match &self.spec.place {
            Place::Process(process) => match entry.variable {
                None if is_own => Refusal::NeedsVariable,
                Some(_) if is_own && entry.is_renamed => Refusal::NeedsVariable,
                None => {
                    self.warnings.unreachable(header, self.spec.name, true);
                    return false;
                }
                Some(_) if process.is_shared => Refusal::SharedProcess,
                Some(_) => return true,
            },
            Place::Url(_) => match entry.variable {
                Some(_) if is_own => Refusal::NoProcess,
                Some(_) if !entry.is_renamed => {
                    self.warnings.unreachable(header, self.spec.name, false);
                    return false;
                }
                _ => return true,
            },
            Place::Unknown => return true,
        };
        self.refuse(&entry.path, header, refusal);
        false
    }

    /// What the configuration gives the process by itself, and what it cannot be given.
    fn check_process(&mut self, process: &StartedSpec<'_>) {
        let path = self.path.clone();
        for name in self.spec.managed {
            self.refuse(&path, name.as_str(), Refusal::StrategyAtProcess);
        }
        let set = process.env.iter().map(|name| (*name, key_path(&format!("{path}.env"), name)));
        let passed = process.env_passthrough.iter().map(|name| (name.as_str(), format!("{path}.envPassthrough")));
        self.taken_variables.extend(set.chain(passed).map(|(name, path)| (name.to_owned(), path)));
    }

    fn refuse(&mut self, path: &str, header: &str, refusal: Refusal) {
        self.problems.push(path, header, Some(self.spec.name), refusal);
    }

    fn check_managed(&mut self) {
        let path = self.path.clone();
        for name in self.spec.managed {
            if let Some(group) = closed(name, Side::Strategy) {
                self.refuse(&path, name.as_str(), Refusal::Closed { group, side: Side::Strategy });
            }
            self.taken.push((normalise(name), HeaderOrigin::Strategy, Taker::Strategy));
        }
    }

    fn read_statics(&mut self) -> Vec<Static> {
        let spec = self.spec;
        let mut read = Vec::with_capacity(spec.statics.len());
        for (raw, value) in &spec.statics {
            let Ok(name) = HeaderName::from_bytes(raw.as_bytes()) else {
                let path = format!("{}.headers", self.path);
                self.refuse(&path, &shown(raw), Refusal::Malformed);
                continue;
            };
            let path = format!("{}.headers.{raw}", self.path);
            if let Some(group) = closed(&name, Side::Static) {
                self.refuse(&path, name.as_str(), Refusal::Closed { group, side: Side::Static });
            }
            let value = value.as_ref().map(|value| HeaderValue::from_bytes(value.expose_secret().as_bytes()));
            let value = value.transpose().unwrap_or_else(|_| {
                self.refuse(&path, name.as_str(), Refusal::StaticValue);
                None
            });
            let value = value.map(|mut value| {
                value.set_sensitive(true);
                value
            });
            self.take(&path, &name, &name, HeaderOrigin::Static, Taker::Static { path: path.clone() });
            read.push(Static { name, value });
        }
        read
    }

    fn check_entry(&mut self, entry: &Entry) {
        let header = entry.inbound.as_str();
        if is_credential_header(&entry.key) {
            let managed = self.spec.managed.iter().find(|name| is_credential_header(&normalise(name)));
            if !self.allow_credential {
                let group = super::ClosedGroup::Credential;
                self.refuse(&entry.path, header, Refusal::Closed { group, side: Side::Inbound });
            } else if let Some(managed) = managed {
                let managed = managed.as_str().to_owned();
                return self.refuse(&entry.path, header, Refusal::CredentialManaged { managed });
            } else {
                self.warnings.credential_passthrough(header, self.spec.name);
            }
        }
        let is_variable = matches!(self.spec.place, Place::Process(_));
        if !entry.credential && (is_variable || is_credential_header(&normalise(&entry.outbound))) {
            self.warnings.unkeyed(header, self.spec.name);
        }
        if let (Some(variable), Place::Process(_)) = (&entry.variable, &self.spec.place) {
            return self.take_variable(entry, variable);
        }
        let taker = Taker::Entry { path: entry.path.clone() };
        self.take(&entry.path, &entry.inbound, &entry.outbound, entry.origin, taker);
    }

    fn take_variable(&mut self, entry: &Entry, variable: &str) {
        match self.taken_variables.iter().find(|(taken, _)| taken == variable) {
            None => self.taken_variables.push((variable.to_owned(), entry.path.clone())),
            Some((_, path)) => {
                let refusal = Refusal::Taken { outgoing: variable.to_owned(), by: Taker::Entry { path: path.clone() } };
                self.refuse(&entry.path, entry.inbound.as_str(), refusal);
            }
        }
    }

    /// Notes who writes an outgoing header, or reports that somebody does already.
    fn take(&mut self, path: &str, header: &HeaderName, outgoing: &HeaderName, origin: HeaderOrigin, taker: Taker) {
        let key = normalise(outgoing);
        let Some((_, other, by)) = self.taken.iter().find(|(taken, ..)| *taken == key) else {
            return self.taken.push((key, origin, taker));
        };
        // Two global entries collide at every backend alike: that is one problem.
        let everywhere = origin == HeaderOrigin::Global && *other == HeaderOrigin::Global;
        let backend = (!everywhere).then_some(self.spec.name);
        let refusal = Refusal::Taken { outgoing: outgoing.as_str().to_owned(), by: by.clone() };
        self.problems.push(path, header.as_str(), backend, refusal);
    }

    /// Everything that may authenticate somebody counts: all static headers, all credential entries, all that a strategy writes.
    fn check_plaintext(&mut self, url: &Url, statics: &[Static], entries: &[Entry]) {
        if url.scheme() != "http" || is_loopback(url) {
            return;
        }
        let credentials = entries.iter().filter(|entry| entry.credential).map(|entry| &entry.outbound);
        let headers = self.spec.managed.iter().chain(statics.iter().map(|own| &own.name)).chain(credentials);
        let headers: Vec<String> = headers.map(|name| name.as_str().to_owned()).collect();
        match headers.as_slice() {
            [] => {}
            _ if self.spec.allow_plaintext => self.warnings.plaintext(headers, self.spec.name),
            [first, others @ ..] => {
                let path = format!("{}.url", self.path);
                self.refuse(&path, first, Refusal::Plaintext { more: others.len() });
            }
        }
    }
}
