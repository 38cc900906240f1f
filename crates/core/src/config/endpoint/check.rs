//! What endpoints must satisfy beside each other. Each for itself is checked as the configuration that it stands for.

use super::EndpointBackend;
use crate::config::{Config, Problem, index_path, key_path, nearest, path_complaint};

/// Paths that are taken or not to be had, and names that are no backend's.
pub(in crate::config) fn check(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, endpoint) in config.endpoints.iter().enumerate() {
        let at = index_path("endpoints", index);
        if let Some((complaint, hint)) = taken(config, index) {
            problems.push(Problem::error(key_path(&at, "path"), complaint).with_hint(hint));
        }
        for (element, entry) in endpoint.backends.iter().enumerate() {
            let at = index_path(&key_path(&at, "backends"), element);
            let Some(name) = entry.from().filter(|name| config.backends.iter().all(|backend| backend.name != *name)) else { continue };
            let at = if matches!(entry, EndpointBackend::Used(_)) { key_path(&at, "use") } else { at };
            let problem = Problem::error(at, format!("no backend of the top level is called `{name}`")).about_unknown_backend();
            problems.push(match nearest(name, config.backends.iter().map(|backend| backend.name.as_str())) {
                Some(meant) => problem.with_hint(format!("did you mean `{meant}`?")),
                None => problem.with_hint("add it to `backends` of the top level, or write its entry here"),
            });
        }
    }
    problems
}

/// What is wrong with an endpoint's path, and what to do.
fn taken(config: &Config, index: usize) -> Option<(String, String)> {
    const ANOTHER: &str = "choose another path, for example /team-a";
    let path = config.endpoints.get(index)?.path.as_str();
    if let Some(complaint) = path_complaint(path) {
        return Some((complaint.to_owned(), "write for example /team-a".to_owned()));
    }
    if path == config.path {
        return Some(("the path of the endpoint of all backends".to_owned(), ANOTHER.to_owned()));
    }
    let root = config.path.trim_end_matches('/');
    let name = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
    if let Some(backend) = config.backends.iter().find(|backend| Some(backend.name.as_str()) == name) {
        return Some((format!("the path of backend `{}` alone", backend.name), ANOTHER.to_owned()));
    }
    let earlier = config.endpoints.iter().take(index).position(|earlier| earlier.path.eq_ignore_ascii_case(path))?;
    let complaint = if config.endpoints.get(earlier)?.path == path {
        format!("the path of endpoints[{earlier}] too")
    } else {
        // People and some file systems take them for the same.
        format!("differs from the path of endpoints[{earlier}] in capital letters alone")
    };
    Some((complaint, "give each endpoint a path of its own".to_owned()))
}
