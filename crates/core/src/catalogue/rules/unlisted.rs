//! Names that the catalogue does not know, because the backend that could own them has not listed anything yet.

use super::{BackendRules, Rules};
use crate::config::ConflictResolution;
use std::{borrow::Cow, sync::Arc};

/// What to do with a name that the catalogue does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// No backend without a list can own it: it does not exist.
    Unknown,
    /// The configuration alone says whose it is.
    Route {
        /// The backend's place in the configuration.
        backend: usize,
        /// The name at that backend.
        original: Arc<str>,
    },
    /// One of these backends can own it: list them, merge, look again. The likelier owner stands first.
    AskFirst(Vec<usize>),
}

impl Rules {
    /// Where a tool's name leads that the catalogue does not know. `listed` says for each backend whether its list is in the catalogue:
    /// what is not in such a list does not exist.
    #[must_use]
    pub fn unlisted_tool(&self, name: &str, listed: &[bool]) -> Unlisted {
        self.unlisted(name, listed, |backend, bare| backend.tools.original_of(bare).map(|original| Cow::Owned(original.to_owned())))
    }

    /// The same for a prompt.
    #[must_use]
    pub fn unlisted_prompt(&self, name: &str, listed: &[bool]) -> Unlisted {
        self.unlisted(name, listed, |_, bare| (!bare.is_empty()).then_some(Cow::Borrowed(bare)))
    }

    /// The same for a resource: any backend can own any URI.
    #[must_use]
    pub fn unlisted_resource(&self, _uri: &str, listed: &[bool]) -> Unlisted {
        ask(self.without_list(listed).map(|(index, _)| index).collect())
    }

    fn without_list<'r>(&'r self, listed: &'r [bool]) -> impl Iterator<Item = (usize, &'r BackendRules)> {
        let is_shown = |index| self.only.is_none_or(|only| only == index);
        self.backends.iter().enumerate().filter(move |(index, _)| is_shown(*index) && !listed.get(*index).copied().unwrap_or(false))
    }

    fn unlisted<'n, F>(&self, name: &'n str, listed: &[bool], original_of: F) -> Unlisted
    where
        F: Fn(&BackendRules, &'n str) -> Option<Cow<'n, str>>,
    {
        let prefixed = |backend: &BackendRules| {
            let bare = name.strip_prefix(backend.prefix.as_ref()).filter(|bare| !bare.is_empty())?;
            original_of(backend, bare)
        };
        if self.strategy == ConflictResolution::Prefix {
            let owners: Vec<_> = self.without_list(listed).filter_map(|(index, b)| Some((index, b.prefix.len(), prefixed(b)?))).collect();
            let longest = owners.iter().map(|(_, length, _)| *length).max().unwrap_or(0);
            let mut owners: Vec<_> = owners.into_iter().filter(|(_, length, _)| *length == longest).collect();
            return match owners.len() {
                1 => {
                    owners.pop().map_or(Unlisted::Unknown, |(backend, _, original)| Unlisted::Route { backend, original: original.into() })
                }
                _ => ask(owners.into_iter().map(|(backend, _, _)| backend).collect()),
            };
        }
        if self.only.is_some() {
            // Nobody else can own it.
            let owner = self.without_list(listed).find_map(|(index, b)| Some((index, original_of(b, name)?)));
            return owner.map_or(Unlisted::Unknown, |(backend, original)| Unlisted::Route { backend, original: original.into() });
        }
        let fallback = |b: &BackendRules| self.strategy == ConflictResolution::Priority && b.rank.is_none() && prefixed(b).is_some();
        let mut owners: Vec<_> = self.without_list(listed).filter(|(_, b)| original_of(b, name).is_some() || fallback(b)).collect();
        if self.strategy == ConflictResolution::Priority {
            owners.sort_by_key(|(_, backend)| backend.rank.unwrap_or(usize::MAX));
        }
        ask(owners.into_iter().map(|(index, _)| index).collect())
    }
}

fn ask(backends: Vec<usize>) -> Unlisted {
    if backends.is_empty() { Unlisted::Unknown } else { Unlisted::AskFirst(backends) }
}
