//! What the tests of several plugins need.

pub(crate) mod provider;

use http::HeaderMap;
use serde_json::{Map, Value};
use std::{
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use vmcp_core::plugin::{BoxFuture, Credentials, Deps, Fetch, FetchError, FetchRequest, FetchResponse, Secrets};

struct NoNetwork;

impl Fetch for NoNetwork {
    fn fetch(&self, _: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        panic!("no built-in plugin asks anybody")
    }
}

/// Dependencies that must not be used.
pub(crate) fn deps() -> Deps {
    Deps::new(Arc::new(NoNetwork), Secrets::new(|_| None, |_| Err(io::ErrorKind::NotFound.into())))
}

/// The members that stand beside `type`.
pub(crate) fn settings(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap()
}

/// The output of a future that has it at once.
pub(crate) fn now<T>(mut future: BoxFuture<'_, T>) -> T {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future had to wait"),
    }
}

/// The headers of credentials that are headers.
pub(crate) fn headers(credentials: &Credentials) -> HeaderMap {
    match credentials {
        Credentials::Headers { headers, .. } => headers.as_ref().clone(),
        other => panic!("not headers: {other:?}"),
    }
}

/// Where bytes are in this process's memory.
#[cfg(target_os = "linux")]
pub(crate) fn place(bytes: &[u8]) -> usize {
    bytes.as_ptr().addr()
}

/// How many times a byte stands in this process's memory at a place, which may have been given back: so it can be seen what was wiped.
#[cfg(target_os = "linux")]
pub(crate) fn left(at: usize, length: usize, mark: u8) -> usize {
    use std::os::unix::fs::FileExt as _;

    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    // On the stack: memory that was asked for now could be that very place.
    let mut piece = [0; 256];
    let mut count = 0;
    for from in (at..at + length).step_by(piece.len()) {
        let piece = &mut piece[..256.min(at + length - from)];
        if memory.read_exact_at(piece, u64::try_from(from).unwrap()).is_ok() {
            count += piece.iter().filter(|&&byte| byte == mark).count();
        }
    }
    count
}
