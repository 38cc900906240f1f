//! Which problems only follow from what could not be read.

use super::{Problem, is_within};

/// How texts begin that stand where one could not be read. Nobody calls anything so.
pub(super) const STAND_IN: &str = "vmcp-stand-in-";

/// Settings that are judged by another one, which is thought to be left out when it could not be read.
const JUDGED_BY: [(&str, &str); 8] = [
    ("incomingAuth", "listen"),
    ("listen", "allowedHosts"),
    ("path", "ssePath"),
    ("backends", "ssePath"),
    ("endpoints", "ssePath"),
    ("aggregation.conflictResolution", "aggregation.conflictResolutionConfig"),
    ("limits.requestBudget", "limits.maxRequestBytes"),
    ("limits.responseBudget", "limits.maxResponseBytes"),
];

/// Whether a problem of a configuration only follows from what could not be read, at the paths `unread`, and so is no mistake of its
/// author's: it is about something that stands in for it, or that depends on it.
#[must_use]
pub fn follows_from(problem: &Problem, unread: &[String]) -> bool {
    let was_unread = |path: &str| unread.iter().any(|unread| !unread.is_empty() && is_within(path, unread));
    was_unread(&problem.path)
        || problem.message.contains(STAND_IN)
        || (problem.unknown_backend && unread.iter().any(|path| is_about_names(path)))
        || problem.path.strip_suffix(".url").is_some_and(|backend| unread.contains(&format!("{backend}.allowPlaintext")))
        || JUDGED_BY.iter().any(|(judge, judged)| is_within(&problem.path, judged) && unread.iter().any(|path| is_within(path, judge)))
}

/// Whether what was unread at a path can have been a backend's name: of the top level, or of an endpoint.
fn is_about_names(path: &str) -> bool {
    let path = path.strip_prefix("endpoints[").and_then(|path| path.split_once("].")).map_or(path, |(_, path)| path);
    let of_backend = path == "backends" || (path.starts_with("backends[") && (path.ends_with(']') || path.ends_with("].name")));
    of_backend && path.matches('[').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unread(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|&path| path.to_owned()).collect()
    }

    #[test]
    fn what_stands_where_something_was_unread_is_nobodys_mistake() {
        let problem = Problem::error("backends[0].name", "not a backend name");
        assert!(follows_from(&problem, &unread(&["backends[0].name"])));
        assert!(follows_from(&problem, &unread(&["backends[0]"])));
        assert!(!follows_from(&problem, &unread(&["backends[1].name", "listen", ""])));
        assert!(follows_from(&Problem::error("path", format!("`{STAND_IN}1`")), &[]));
    }

    #[test]
    fn names_of_backends_are_judged_only_where_all_are_known() {
        let unknown = Problem::error("outgoingAuth.backends.a", "no backend is called `a`").about_unknown_backend();
        for path in ["backends", "backends[0]", "backends[0].name", "endpoints[1].backends[0]", "endpoints[1].backends[0].name"] {
            assert!(follows_from(&unknown, &unread(&[path])), "{path}");
        }
        for path in ["backends[0].url", "backends[0].passthroughHeaders[0].name", "backends[0].passthroughHeaders[0]", "name"] {
            assert!(!follows_from(&unknown, &unread(&[path])), "{path}");
        }
        assert!(!follows_from(&Problem::error("outgoingAuth.backends.a", "has no value"), &unread(&["backends[0].name"])));
    }

    #[test]
    fn a_setting_is_not_judged_by_one_that_was_unread() {
        let warning = Problem::warning("listen", "anyone who reaches it can call every tool");
        assert!(follows_from(&warning, &unread(&["incomingAuth.type"])));
        assert!(!follows_from(&warning, &unread(&["outgoingAuth"])));
        let url = Problem::error("backends[1].url", "would travel unencrypted");
        assert!(follows_from(&url, &unread(&["backends[1].allowPlaintext"])));
        assert!(!follows_from(&url, &unread(&["backends[0].allowPlaintext"])));
    }
}
