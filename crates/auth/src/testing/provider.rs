//! A token endpoint of the tests', without a network.

use super::{deps, secrets};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use url::{Url, form_urlencoded};
use vmcp_core::plugin::{BoxFuture, CaBundle, CaBundleError, Deps, Fetch, FetchError, FetchRequest, FetchResponse, Reach};

/// Status and body for a URL.
type Answer = dyn Fn(&Url) -> (u16, String) + Send + Sync;

/// Answers what the test says, and remembers what it was asked.
pub(crate) struct Provider {
    answer: Box<Answer>,
    asked: Mutex<Vec<Asked>>,
}

/// One request to the provider.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) reach: Reach,
}

impl Asked {
    /// The parameters of a form.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Provider {
    pub(crate) fn new(answer: impl Fn(&Url) -> (u16, String) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() })
    }

    /// Gives everybody the token `granted` for five minutes.
    pub(crate) fn granting() -> Arc<Self> {
        Self::new(|_| (200, r#"{"access_token":"granted","token_type":"Bearer","expires_in":300}"#.to_owned()))
    }

    /// Dependencies in which it is all the network, with `SECRET` in the environment.
    pub(crate) fn deps(self: &Arc<Self>) -> Deps {
        let mut deps = deps();
        deps.fetch = Arc::clone(self) as Arc<dyn Fetch>;
        deps.secrets = secrets();
        deps
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Fetch for Provider {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        let (status, body) = (self.answer)(&request.url);
        self.asked.lock().unwrap().push(Asked { url: request.url, headers: request.headers, body: request.body, reach: request.reach });
        let response = FetchResponse::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), Bytes::from(body));
        Box::pin(std::future::ready(Ok(response)))
    }

    fn check_ca_bundle(&self, _: &CaBundle) -> Result<(), CaBundleError> {
        Ok(())
    }
}
