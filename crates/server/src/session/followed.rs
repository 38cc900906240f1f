//! The resources that a client wants to hear of, for backends that were configured anew meanwhile.

use super::{client::ClientSession, locked};

/// How many are remembered. What is beyond that is heard of until the configuration changes.
const MAX_FOLLOWED: usize = 1024;

/// What a client follows, and under which configuration the backends were told.
#[derive(Default)]
pub(super) struct Followed {
    generation: u64,
    uris: Vec<Box<str>>,
}

impl ClientSession {
    /// Remembers that the client follows a resource, or no longer. `generation` counts configurations.
    pub(crate) fn follow(&self, uri: &str, on: bool, generation: u64) {
        let mut followed = locked(&self.followed);
        let Followed { generation: known, uris } = &mut **followed.get_or_insert_default();
        uris.retain(|other| **other != *uri);
        if on && uris.len() < MAX_FOLLOWED {
            if uris.is_empty() {
                *known = generation;
            }
            uris.push(uri.into());
        }
        if uris.is_empty() {
            *followed = None;
        }
    }

    /// What the backends of this configuration have not been told yet. They count as told from now on.
    pub(crate) fn take_untold(&self, generation: u64) -> Vec<Box<str>> {
        match locked(&self.followed).as_deref_mut() {
            Some(followed) if followed.generation != generation => {
                followed.generation = generation;
                followed.uris.clone()
            }
            _ => Vec::new(),
        }
    }
}
