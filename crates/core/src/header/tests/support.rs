//! Policies written down as the configuration writes them.

use crate::{
    config::PassthroughEntry,
    header::{BackendSpec, HeaderPolicy, Place, PolicyProblem, PolicySpec},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

/// A gateway's header settings that own themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Gateway {
    pub(super) global: Vec<PassthroughEntry>,
    pub(super) allow: bool,
    pub(super) consumed: Vec<HeaderName>,
    pub(super) backends: Vec<Backend>,
}

#[derive(Clone, Debug)]
pub(super) struct Backend {
    pub(super) name: String,
    pub(super) url: Url,
    pub(super) list: Vec<PassthroughEntry>,
    pub(super) inherit: bool,
    pub(super) allow: bool,
    pub(super) plaintext: bool,
    pub(super) statics: Vec<(String, Option<String>)>,
    pub(super) managed: Vec<HeaderName>,
    pub(super) stood_for: Vec<PassthroughEntry>,
}

impl Gateway {
    /// One backend `b` with this list.
    pub(super) fn with_list(list: Value) -> Self {
        Self { backends: vec![backend("b", list)], ..Self::default() }
    }

    pub(super) fn compile(&self) -> Result<HeaderPolicy, Vec<PolicyProblem>> {
        let backends = self.backends.iter().map(|backend| BackendSpec {
            name: &backend.name,
            place: Place::Url(&backend.url),
            passthrough: &backend.list,
            stood_for: &backend.stood_for,
            inherit: backend.inherit,
            allow_credential: backend.allow,
            allow_plaintext: backend.plaintext,
            statics: backend.statics.iter().map(|(name, value)| (name.as_str(), value.clone().map(SecretString::from))).collect(),
            managed: &backend.managed,
        });
        HeaderPolicy::compile(&PolicySpec {
            global: &self.global,
            allow_credential: self.allow,
            consumed: &self.consumed,
            backends: backends.collect(),
        })
    }

    pub(super) fn policy(&self) -> HeaderPolicy {
        self.compile().unwrap()
    }

    /// The problems, each as one line.
    pub(super) fn problems(&self) -> Vec<String> {
        self.compile().err().unwrap_or_default().iter().map(PolicyProblem::to_string).collect()
    }

    /// The only problem.
    pub(super) fn problem(&self) -> PolicyProblem {
        let mut problems = self.compile().unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems.remove(0)
    }
}

/// A backend that is reached over TLS.
pub(super) fn backend(name: &str, list: Value) -> Backend {
    Backend {
        name: name.to_owned(),
        url: Url::parse("https://mcp.example.com/mcp").unwrap(),
        list: entries(list),
        inherit: true,
        allow: false,
        plaintext: false,
        statics: Vec::new(),
        managed: Vec::new(),
        stood_for: Vec::new(),
    }
}

/// `passthroughHeaders` as the configuration writes it.
pub(super) fn entries(list: Value) -> Vec<PassthroughEntry> {
    serde_json::from_value(list).unwrap()
}

pub(super) fn name(text: &str) -> HeaderName {
    HeaderName::from_bytes(text.as_bytes()).unwrap()
}

pub(super) fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (header, value) in lines {
        headers.append(name(header), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// What backend `index` is sent for a request with these headers: `name: value`, in the order of the map.
pub(super) fn sent(policy: &HeaderPolicy, index: usize, lines: &[(&str, &str)]) -> Vec<String> {
    let forwarded = policy.capture(&headers(lines)).unwrap();
    let mut out = HeaderMap::new();
    policy.backend(index).apply(&forwarded, &mut out);
    assert!(out.values().all(HeaderValue::is_sensitive));
    out.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect()
}

/// Ways to write one name that all mean the same.
pub(super) fn spellings(normalised: &str) -> [String; 5] {
    let mut flip = false;
    let mixed = normalised.chars().map(|c| {
        flip = !flip;
        match c {
            '-' if flip => '_',
            c if flip => c.to_ascii_uppercase(),
            c => c,
        }
    });
    [normalised.to_owned(), normalised.to_uppercase(), normalised.replace('-', "_"), normalised.replace('-', "."), mixed.collect()]
}
