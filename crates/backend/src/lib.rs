#![doc = include_str!("../README.md")]

mod alarm;
mod ask;
mod backend;
mod budget;
mod bulkhead;
mod call;
mod close;
mod comeback;
mod content;
mod deadline;
mod era;
mod errand;
mod error;
mod event;
mod exchange;
mod flight;
mod health;
mod http;
mod key;
mod learned;
mod list;
mod offers;
mod options;
mod outgoing;
#[allow(dead_code, unused_imports, reason = "the sessions that use it follow")]
mod pipe;
mod probe;
#[allow(dead_code, unused_imports, reason = "the sessions that use it follow")]
mod process;
mod seldom;
mod session;
mod sse;
mod status;
mod subscribe;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod together;
mod transmit;
mod watch;
mod wire;

pub use alarm::Alarm;
pub use ask::{Answer, AskId, Asked, Ear};
pub use backend::Backend;
pub use call::Call;
pub use era::Speaks;
pub use error::{Error, ErrorKind, Phase};
pub use event::Event;
pub use exchange::Exchange;
pub use health::Health;
pub use http::HttpFetch;
pub use key::{SessionKey, ViewScope};
pub use list::{Early, ListRequest, Listed};
pub use options::{BackendOptions, Observer, Place, Shared, SharedOptions};
pub use process::{Program, Watchdog, watch_over_servers};
pub use session::CallerSessions;
pub use status::BackendStatus;
pub use subscribe::{Subscribed, Subscription};
pub use watch::WatchGuard;
pub use wire::HttpTransport;
