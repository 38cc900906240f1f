//! What the tests of several plugins need.

#[cfg(target_os = "linux")]
mod memory;
pub(crate) mod provider;

#[cfg(target_os = "linux")]
pub(crate) use self::memory::{left, mark, place};

use http::HeaderMap;
use serde_json::{Map, Value};
use std::{
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use vmcp_core::plugin::{
    BoxFuture, CaBundle, CaBundleError, CallerTokens, Credentials, Deps, Fetch, FetchError, FetchRequest, FetchResponse, Secrets,
};

struct NoNetwork;

impl Fetch for NoNetwork {
    fn fetch(&self, _: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        panic!("no built-in plugin asks anybody")
    }

    fn check_ca_bundle(&self, _: &CaBundle) -> Result<(), CaBundleError> {
        Ok(())
    }
}

/// Dependencies that must not be used, for callers of one issuer.
pub(crate) fn deps() -> Deps {
    let mut deps = Deps::new(Arc::new(NoNetwork), Secrets::new(|_| None, |_| Err(io::ErrorKind::NotFound.into())));
    deps.caller_tokens = CallerTokens::OfIssuers(vec!["https://id.example.com".into()]);
    deps
}

/// An environment with `SECRET` alone, and no files.
pub(crate) fn secrets() -> Secrets {
    Secrets::new(|name| (name == "SECRET").then(|| "hunter2".to_owned()), |_| Err(io::ErrorKind::NotFound.into()))
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
