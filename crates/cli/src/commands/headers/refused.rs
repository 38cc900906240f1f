//! What the header policy refuses, beside what it lets through.

use http::HeaderName;
use serde_json::{Value, json};
use vmcp_core::{
    config::{Config, PassthroughEntry},
    header::{PolicyProblem, Refusal, normalise},
};

/// One refusal.
pub(super) struct Refused<'a> {
    problem: &'a PolicyProblem,
    /// The caller's header, where the entry of one is refused.
    pub(super) inbound: Option<String>,
    /// The header towards the backend, where that is another one or nobody sends it.
    pub(super) outbound: Option<String>,
    /// What else of a caller's it keeps back: where credentials would travel in the clear, every one of them.
    others: Vec<String>,
}

/// The refusals, in the order in which they were found.
pub(super) fn list<'a>(config: &Config, problems: &'a [PolicyProblem]) -> Vec<Refused<'a>> {
    let refused = |problem: &'a PolicyProblem| {
        let named = Some(problem.header.clone()).filter(|header| !header.is_empty());
        let others = if matches!(problem.refusal, Refusal::Plaintext { .. }) { listed(config, problem) } else { Vec::new() };
        let Some(entry) = entry(config, &problem.path) else { return Refused { problem, inbound: None, outbound: named, others } };
        // A name that is none has been cut to what may be shown of it.
        let inbound = HeaderName::from_bytes(entry.to_full().name.as_bytes()).map(|name| name.to_string()).ok().or_else(|| named.clone());
        Refused { problem, outbound: named.filter(|named| inbound.as_ref() != Some(named)), inbound, others }
    };
    problems.iter().map(refused).collect()
}

/// The passthrough entry at a path.
fn entry<'a>(config: &'a Config, path: &str) -> Option<&'a PassthroughEntry> {
    let (list, index) = path.strip_suffix(']')?.rsplit_once('[')?;
    let entries = match list.strip_prefix("backends[") {
        None if list == "passthroughHeaders" => &config.passthrough_headers,
        None => return None,
        Some(rest) => {
            let backend = rest.strip_suffix("].passthroughHeaders")?;
            &config.backends.get(backend.parse::<usize>().ok()?)?.passthrough_headers
        }
    };
    entries.get(index.parse::<usize>().ok()?)
}

/// The callers' headers that are listed for the backends concerned.
fn listed(config: &Config, problem: &PolicyProblem) -> Vec<String> {
    let concerned = config.backends.iter().filter(|backend| problem.backends.contains(&backend.name));
    let entries = concerned.flat_map(|backend| {
        let global = config.passthrough_headers.iter().filter(|_| backend.inherit_passthrough_headers);
        global.chain(&backend.passthrough_headers)
    });
    entries.map(|entry| entry.to_full().name).collect()
}

impl Refused<'_> {
    /// Whether it is so whatever the backend.
    pub(super) fn is_everywhere(&self) -> bool {
        self.problem.backends.is_empty()
    }

    /// Whether it is about this backend, among others.
    pub(super) fn names(&self, backend: &str) -> bool {
        self.problem.backends.iter().any(|name| name == backend)
    }

    /// Whether it keeps this header of a caller, which nothing sound lets through, from this backend.
    pub(super) fn bars(&self, header: &HeaderName, backend: &str) -> bool {
        let key = normalise(header);
        let is_same = |inbound: &String| HeaderName::from_bytes(inbound.as_bytes()).is_ok_and(|inbound| normalise(&inbound) == key);
        (self.is_everywhere() || self.names(backend)) && self.inbound.iter().chain(&self.others).any(is_same)
    }

    /// Why, without what to do about it: loading has said that.
    pub(super) fn reason(&self) -> String {
        self.problem.refusal.to_string().split(';').next().unwrap_or_default().to_owned()
    }

    pub(super) fn object(&self) -> Value {
        json!({
            "path": self.problem.path,
            "header": self.problem.header,
            "backends": self.problem.backends,
            "reason": self.problem.refusal.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;
    use vmcp_core::header::{BackendSpec, HeaderPolicy, PolicySpec};

    fn list(entries: Value) -> Vec<PassthroughEntry> {
        serde_json::from_value(entries).unwrap()
    }

    #[test]
    fn what_is_refused_is_left_out_and_the_rest_stays() {
        let (own, other) = (Url::parse("https://a.example.com/").unwrap(), Url::parse("http://b.example.com/").unwrap());
        let global = list(json!(["x-a", "x-forwarded-for"]));
        let first = list(json!(["x-b", { "name": "x-c", "as": "X-Key" }, "cookie"]));
        let second = list(json!([{ "name": "x-d", "credential": false }]));
        let managed = [HeaderName::from_static("host"), HeaderName::from_static("authorization")];
        let (policy, problems) = HeaderPolicy::compile_sound(&PolicySpec {
            global: &global,
            backends: vec![
                BackendSpec {
                    passthrough: &first,
                    managed: &managed,
                    statics: vec![("X-Key", None), ("Via", None)],
                    ..BackendSpec::new("a", &own)
                },
                BackendSpec { passthrough: &second, statics: vec![("x-own", None)], ..BackendSpec::new("b", &other) },
            ],
            ..PolicySpec::default()
        });
        let mut refused: Vec<&str> = problems.iter().map(|problem| problem.header.as_str()).collect();
        refused.sort_unstable();
        assert_eq!(refused, ["cookie", "host", "via", "x-c", "x-forwarded-for", "x-own"]);
        let sent = |index: usize| policy.backend(index).outgoing().map(|row| row.outbound.as_str().to_owned()).collect::<Vec<_>>();
        let mut first = sent(0);
        first.sort_unstable();
        assert_eq!(first, ["authorization", "x-a", "x-b", "x-key"]);
        assert_eq!(sent(1), ["x-d"], "nothing that authenticates somebody goes out in the clear");
    }
}
