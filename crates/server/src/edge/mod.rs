//! What clients talk to: HTTP, and pipes.

mod accept;
mod admin;
mod attending;
mod body;
mod cors;
mod decimal;
mod duplex;
mod guard;
mod identify;
mod legacy;
mod listen;
mod listener;
mod mirror;
mod modern;
mod negotiate;
mod noted;
mod origin;
mod patient;
mod peer;
mod post;
mod proxies;
mod public;
mod read;
mod reply;
mod room;
mod service;
pub(crate) mod sse;
mod unread;
mod workers;

pub use body::Body;
pub use listener::{BindError, Listener};
pub use peer::Peer;
pub use service::GatewayService;
pub use workers::Workers;

pub(crate) use accept::serve;
pub(crate) use attending::{Attended, Attending};
pub(crate) use duplex::Pipes;
pub(crate) use guard::Guard;
pub(crate) use listener::check_tls;
pub(crate) use reply::{Reply, ReplySlot};
pub(crate) use room::Bodies;
