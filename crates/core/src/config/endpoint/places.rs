//! Where that stands in the file which an endpoint's own configuration has somewhere else.

use super::{Endpoint, EndpointBackend, UsedBackend};
use crate::config::{Problem, Severity, index_path, is_within, key_path};

/// How an endpoint's own configuration came about.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// `endpoints[1]`.
    path: String,
    backends: Vec<Place>,
    /// Whether every backend was found.
    is_whole: bool,
    has_name: bool,
    has_auth: bool,
    has_aggregation: bool,
    elements: usize,
}

/// Where one backend comes from.
#[derive(Clone, Debug)]
struct Place {
    /// Its name at the endpoint.
    name: String,
    /// `endpoints[1].backends[0]`.
    path: String,
    /// `backends[2]` and the name there, where it is the top level's.
    top: Option<(String, String)>,
    /// The keys that the endpoint has in place of the top level's.
    replaced: Vec<&'static str>,
}

impl Places {
    pub(super) fn new(index: usize, endpoint: &Endpoint) -> Self {
        Self {
            path: index_path("endpoints", index),
            backends: Vec::new(),
            is_whole: endpoint.backends.is_empty(),
            has_name: endpoint.name.is_some(),
            has_auth: endpoint.outgoing_auth.is_some(),
            has_aggregation: endpoint.aggregation.is_some(),
            elements: endpoint.backends.len(),
        }
    }

    /// Takes down where the next backend comes from: element `element` of the endpoint, and place and name at the top level.
    pub(super) fn add(&mut self, element: usize, entry: &EndpointBackend, top: Option<(usize, &str)>, name: &str) {
        self.backends.push(Place {
            name: name.to_owned(),
            path: index_path(&key_path(&self.path, "backends"), element),
            top: top.map(|(place, name)| (index_path("backends", place), name.to_owned())),
            replaced: if let EndpointBackend::Used(used) = entry { replaced(used) } else { Vec::new() },
        });
        self.is_whole = self.backends.len() == self.elements;
    }

    /// The backends that are the top level's: the name here and the name there.
    pub(super) fn used(&self) -> impl Iterator<Item = (&str, &str)> {
        self.backends.iter().filter_map(|place| Some((place.name.as_str(), place.top.as_ref()?.1.as_str())))
    }

    /// See [`super::EndpointConfig::in_file`].
    pub(super) fn in_file(&self, mut problem: Problem, told: &[Problem]) -> Option<Problem> {
        if !self.is_whole && (problem.unknown_backend || problem.path == "backends") {
            // It may only be so because a backend was not found.
            return None;
        }
        problem.message = self.text(&problem.message);
        problem.hint = problem.hint.map(|hint| self.text(&hint));
        let key = problem.path.split(['.', '[']).next().unwrap_or_default();
        match key {
            "backends" if problem.path == "backends" => {
                problem.path = key_path(&self.path, "backends");
                problem.hint = Some("list names of backends of the top level, or entries of its own".to_owned());
                Some(problem)
            }
            "backends" => self.of_backend(problem, told),
            "outgoingAuth" if !self.has_auth => self.of_strategy(problem, told),
            "aggregation" if !self.has_aggregation => {
                // Settings without effect are told of once.
                let followed = problem.severity != Severity::Error || is_told(&problem, "aggregation", told);
                (!followed).then(|| {
                    let message = format!("with the top level's {}: {}", problem.path, problem.message);
                    Problem::error(&self.path, message).with_hint("give the endpoint an `aggregation` of its own")
                })
            }
            "name" if !self.has_name => None,
            "name" | "instructions" | "passthroughHeaders" | "allowCredentialHeaderPassthrough" | "outgoingAuth" | "aggregation" => {
                problem.path = format!("{}.{}", self.path, problem.path);
                Some(problem)
            }
            // `path` is judged beside the others; the rest is the whole gateway's.
            _ => None,
        }
    }

    fn of_backend(&self, mut problem: Problem, told: &[Problem]) -> Option<Problem> {
        let (place, rest) = self.split(&problem.path)?;
        let Some((top, _)) = place.top.as_ref().filter(|_| !place.has(rest)) else {
            problem.path = format!("{}{rest}", place.path);
            return Some(problem);
        };
        let path = format!("{top}{rest}");
        if is_told(&problem, &path, told) {
            return None;
        }
        problem.message = if rest.is_empty() { problem.message } else { format!("with {path}: {}", problem.message) };
        problem.path.clone_from(&place.path);
        Some(problem)
    }

    /// A problem of a strategy that a backend brings from the top level.
    fn of_strategy(&self, mut problem: Problem, told: &[Problem]) -> Option<Problem> {
        let place = self.backends.iter().find(|place| is_within(&problem.path, &key_path("outgoingAuth.backends", &place.name)))?;
        if is_told(&problem, "outgoingAuth", told) {
            return None;
        }
        problem.message = format!("with the top level's outgoingAuth: {}", problem.message);
        problem.path.clone_from(&place.path);
        Some(problem)
    }

    /// The backend that a path of the endpoint's own configuration begins with, and the rest of the path.
    fn split<'p>(&self, path: &'p str) -> Option<(&Place, &'p str)> {
        let (index, rest) = path.strip_prefix("backends[")?.split_once(']')?;
        Some((self.backends.get(index.parse::<usize>().ok()?)?, rest))
    }

    /// A text with the file's places in place of the endpoint's own configuration's.
    fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = ["backends[", "passthroughHeaders["].iter().filter_map(|word| rest.find(word)).min() {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let inner = before.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
            let taken = match self.split(from) {
                Some((place, behind)) if !inner => {
                    let top = place.top.as_ref().filter(|_| !place.has(behind)).map(|(top, _)| top);
                    out.push_str(top.unwrap_or(&place.path));
                    from.len() - behind.len()
                }
                _ => {
                    if !inner && from.starts_with('p') {
                        out.push_str(&self.path);
                        out.push('.');
                    }
                    let end = from.find('[').map_or(from.len(), |bracket| bracket + 1);
                    out.push_str(&from[..end]);
                    end
                }
            };
            rest = &from[taken..];
        }
        out.push_str(rest);
        out
    }
}

impl Place {
    /// Whether the endpoint itself says what stands at this path below a backend.
    fn has(&self, rest: &str) -> bool {
        self.top.is_none() || self.replaced.iter().any(|key| is_within(rest.trim_start_matches('.'), key))
    }
}

/// The keys that an endpoint replaces.
fn replaced(used: &UsedBackend) -> Vec<&'static str> {
    let UsedBackend { from: _, name, headers, passthrough_headers, inherit_passthrough_headers, allow_credential_header_passthrough } =
        used;
    let keys = [
        ("name", name.is_some()),
        ("headers", headers.is_some()),
        ("passthroughHeaders", passthrough_headers.is_some()),
        ("inheritPassthroughHeaders", inherit_passthrough_headers.is_some()),
        ("allowCredentialHeaderPassthrough", allow_credential_header_passthrough.is_some()),
    ];
    keys.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key).collect()
}

/// Whether the top level has as bad a problem there already.
fn is_told(problem: &Problem, path: &str, told: &[Problem]) -> bool {
    told.iter().any(|told| told.severity == problem.severity && is_within(&told.path, path))
}
