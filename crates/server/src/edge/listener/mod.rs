//! Where connections come from: addresses, TLS on them, Unix sockets.

mod accepted;
mod authorities;
mod bind;
mod certificate;
mod socket;
mod tls;
#[cfg(unix)]
mod unix;

pub use bind::{BindError, Listener};

pub(super) use accepted::{Accepted, Moving};
pub(super) use socket::Socket;
pub(crate) use tls::check as check_tls;
