//! What callers see: each backend's lists, and the catalogues made of them.
//!
//! A *list* is what one backend showed under one key: backend, era, declared capabilities and scope. A *catalogue* is a merge of
//! one list of each backend, and belongs to a *viewer*: era, capabilities and the scopes of all backends.

mod audience;
mod catalogues;
mod complaints;
mod current;
mod disk;
mod findings;
mod finished;
mod gather;
mod granted;
mod hashes;
mod heard;
mod keys;
mod listeners;
mod lists;
mod notify;
mod outbox;
mod refresh;
mod slot;
mod told;

pub(crate) use audience::Audience;
pub(crate) use catalogues::Merged;
pub(crate) use current::{Shown, Views, ViewsSettings};
pub(crate) use finished::Finished;
pub(crate) use hashes::KindHashes;
pub(crate) use heard::Heard;
pub(crate) use keys::{Viewer, ViewerKey};
pub(crate) use listeners::{Listening, Wanted};
pub(crate) use notify::ListObserver;
pub(crate) use outbox::Inbox;
pub(crate) use told::Told;
