//! Reading one list of passthrough entries.

use super::{
    ClosedGroup, HeaderOrigin, Refusal, Side, closed, closed_variable, format::Format, is_correlation_id, name::shown, normalise,
    problem::Problems, variable::is_variable,
};
use crate::config::PassthroughEntry;
use http::HeaderName;

/// An entry that is sound by itself. Whether it is towards a given backend is decided later.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) origin: HeaderOrigin,
    /// The caller's header as the entry spells it, in lower case.
    pub(super) inbound: HeaderName,
    /// The same, normalised.
    pub(super) key: HeaderName,
    /// Its name as a header towards a backend at a URL.
    pub(super) outbound: HeaderName,
    /// Whether `as` says so.
    pub(super) is_renamed: bool,
    /// Its name as a variable of a backend that is a process.
    pub(super) variable: Option<Box<str>>,
    pub(super) format: Option<Format>,
    pub(super) required: bool,
    pub(super) credential: bool,
}

/// A list as far as it can be used.
pub(super) struct List {
    pub(super) entries: Vec<Entry>,
    /// The normalised inbound names of all entries, those that were refused included: they still replace global ones.
    pub(super) keys: Vec<HeaderName>,
}

impl List {
    /// Adds the entries of another list of the same backend, which stands at `path`. What is in both is refused there.
    pub(super) fn extend(&mut self, context: &ListContext<'_>, path: &str, more: &[PassthroughEntry], problems: &mut Problems) {
        let read = ListContext { path, ..*context }.read(more, problems);
        for entry in read.entries {
            match self.keys.iter().position(|known| *known == entry.key) {
                Some(first) => {
                    let first = format!("{}[{first}]", context.path);
                    problems.push(&entry.path, entry.inbound.as_str(), context.backend, Refusal::Duplicate { first });
                }
                None => self.entries.push(entry),
            }
        }
        self.keys.extend(read.keys);
    }
}

/// Where a list stands and what holds for all of it.
pub(super) struct ListContext<'a> {
    pub(super) path: &'a str,
    pub(super) backend: Option<&'a str>,
    /// The normalised names that the authenticator reads.
    pub(super) consumed: &'a [HeaderName],
}

impl ListContext<'_> {
    /// Reads the whole list; what cannot be is reported and left out.
    pub(super) fn read(&self, list: &[PassthroughEntry], problems: &mut Problems) -> List {
        let mut read = List { entries: Vec::new(), keys: Vec::new() };
        for (index, entry) in list.iter().enumerate() {
            let path = format!("{}[{index}]", self.path);
            self.read_entry(path, entry, &mut read, problems);
        }
        read
    }

    fn read_entry(&self, path: String, entry: &PassthroughEntry, list: &mut List, problems: &mut Problems) {
        let full = entry.to_full();
        let mut refused = false;
        let mut refuse = |header: &str, refusal| {
            problems.push(&path, header, self.backend, refusal);
            refused = true;
        };

        let Ok(inbound) = HeaderName::from_bytes(full.name.as_bytes()) else {
            return refuse(&shown(&full.name), Refusal::Malformed);
        };
        let key = normalise(&inbound);
        if let Some(first) = list.keys.iter().position(|known| *known == key) {
            let first = format!("{}[{first}]", self.path);
            return refuse(inbound.as_str(), Refusal::Duplicate { first });
        }
        list.keys.push(key.clone());

        // `authorization` and `cookie` depend on the backend: they are looked at there.
        let opened = |group| group == ClosedGroup::Credential || (group == ClosedGroup::Impersonation && full.impersonation);
        if let Some(group) = closed(&inbound, Side::Inbound).filter(|group| !opened(*group)) {
            refuse(inbound.as_str(), Refusal::Closed { group, side: Side::Inbound });
        }
        if self.consumed.contains(&key) {
            refuse(inbound.as_str(), Refusal::Consumed);
        }
        let outbound = match &full.rename {
            None => inbound.clone(),
            Some(rename) => {
                let Ok(name) = HeaderName::from_bytes(rename.as_bytes()) else {
                    return refuse(&shown(rename), Refusal::Malformed);
                };
                if let Some(group) = closed(&name, Side::Outbound).filter(|group| !opened(*group)) {
                    refuse(name.as_str(), Refusal::Closed { group, side: Side::Outbound });
                }
                name
            }
        };
        if let Some(variable) = &full.as_env {
            if !is_variable(variable) {
                return refuse(&shown(variable), Refusal::MalformedVariable);
            }
            if let Some(group) = closed_variable(variable) {
                refuse(inbound.as_str(), Refusal::ClosedVariable { variable: variable.clone(), group });
            }
        }
        let format = match full.format.as_deref().map(Format::parse).transpose() {
            Ok(format) => format,
            Err(error) => return refuse(inbound.as_str(), Refusal::Format(error)),
        };
        if refused {
            return;
        }

        let correlates = is_correlation_id(&inbound) && is_correlation_id(&outbound);
        list.entries.push(Entry {
            path,
            origin: if self.backend.is_some() { HeaderOrigin::Backend } else { HeaderOrigin::Global },
            inbound,
            key,
            outbound,
            is_renamed: full.rename.is_some(),
            // A process keeps what it was started with, so its value always counts.
            credential: full.credential.unwrap_or_else(|| !correlates || full.as_env.is_some()),
            variable: full.as_env.map(String::into_boxed_str),
            format,
            required: full.required,
        });
    }
}
