//! What clients talk to: HTTP, and pipes.

mod accept;
mod admin;
mod attending;
mod body;
mod cors;
mod decimal;
mod duplex;
mod guard;
mod legacy;
mod listen;
mod mirror;
mod modern;
mod negotiate;
mod patient;
mod post;
mod read;
mod reply;
mod room;
mod service;
pub(crate) mod sse;
mod workers;

pub use body::Body;
pub use service::GatewayService;
pub use workers::Workers;

pub(crate) use accept::serve;
pub(crate) use attending::{Attended, Attending};
pub(crate) use duplex::Pipes;
pub(crate) use guard::Guard;
pub(crate) use reply::{Reply, ReplySlot};
pub(crate) use room::Bodies;
