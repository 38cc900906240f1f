//! What the header policy, the catalogue's rules and plugins complain about, as problems of the configuration.

use vmcp_core::{
    catalogue::{RuleProblem, RuleReason},
    config::{Config, PassthroughEntry, Problem, index_path, key_path},
    header::{PolicyProblem, PolicyWarning, strategy_entries},
    plugin::config_key,
};

/// A problem whose text says what to do behind its last semicolon.
pub(super) fn with_advice(path: &str, text: &str, make: impl FnOnce(String, String) -> Problem) -> Problem {
    let (message, hint) = split(text);
    let problem = make(path.to_owned(), message.to_owned());
    match hint {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}

/// A text and what it says to do. What it quotes stays whole.
pub(super) fn split(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once("; ") {
        Some((message, hint)) if message.matches('`').count() % 2 == 0 => (message, Some(hint)),
        _ => (text, None),
    }
}

pub(super) fn of_rule(problem: &RuleProblem, make: impl FnOnce(String, String) -> Problem) -> Problem {
    let told = with_advice(&problem.path, &problem.reason.to_string(), make);
    if matches!(problem.reason, RuleReason::UnknownBackend { .. }) { told.about_unknown_backend() } else { told }
}

/// The same problems, those of what an outgoing strategy writes at the place where the strategy stands, once for all its backends.
pub(super) fn at_strategies(config: &Config, problems: Vec<PolicyProblem>) -> Vec<PolicyProblem> {
    let mut told: Vec<PolicyProblem> = Vec::with_capacity(problems.len());
    for mut problem in problems {
        let backend = config.backends.iter().enumerate().find(|(index, _)| problem.path == index_path("backends", *index));
        let entry = config.backends.iter().enumerate().find_map(|(index, backend)| {
            let index = problem.path.strip_prefix(&strategy_entries(index)).filter(|index| index.starts_with('['))?;
            Some((backend, index.to_owned()))
        });
        let path = match (backend, &entry) {
            (Some((_, backend)), _) => Some(strategy_path(config, &backend.name)),
            (None, Some((backend, index))) => Some(entries_path(config, &backend.name) + index),
            (None, None) => None,
        };
        if let Some(path) = path {
            problem.path = path;
            let same = |other: &&mut PolicyProblem| {
                (&other.path, &other.header, &other.refusal) == (&problem.path, &problem.header, &problem.refusal)
            };
            if let Some(known) = told.iter_mut().find(same) {
                known.backends.append(&mut problem.backends);
                continue;
            }
        }
        told.push(problem);
    }
    told
}

/// Where the strategy of a backend stands.
fn strategy_path(config: &Config, backend: &str) -> String {
    if config.outgoing_auth.backends.contains_key(backend) {
        key_path("outgoingAuth.backends", backend)
    } else {
        "outgoingAuth.default".to_owned()
    }
}

/// Where the entries stand that the strategy of a backend stands for.
fn entries_path(config: &Config, backend: &str) -> String {
    let outgoing = &config.outgoing_auth;
    let kind = outgoing.backends.get(backend).or(outgoing.default.as_ref()).map_or("", |strategy| strategy.kind.as_str());
    format!("{}.{}.headers", strategy_path(config, backend), config_key(kind))
}

/// The entry that a warning is about.
pub(super) fn place_of(config: &Config, warning: &PolicyWarning) -> String {
    let index_of = |name: &String| config.backends.iter().position(|backend| backend.name == *name);
    let (header, backends) = match warning {
        PolicyWarning::CredentialPassthrough { header, backends }
        | PolicyWarning::Unkeyed { header, backends }
        | PolicyWarning::Unreachable { header, backends, .. } => (header, backends),
        PolicyWarning::Plaintext { backend, .. } => {
            return index_of(backend).map_or_else(String::new, |index| key_path(&index_path("backends", index), "allowPlaintext"));
        }
        _ => return String::new(),
    };
    let entry = |list: &[PassthroughEntry]| list.iter().position(|entry| entry.to_full().name.eq_ignore_ascii_case(header));
    let own = backends.iter().filter_map(index_of).find_map(|index| {
        let entry = entry(&config.backends[index].passthrough_headers)?;
        Some(index_path(&key_path(&index_path("backends", index), "passthroughHeaders"), entry))
    });
    let global = || Some(index_path("passthroughHeaders", entry(&config.passthrough_headers)?));
    // What stands nowhere else is the strategy's.
    own.or_else(global).or_else(|| Some(entries_path(config, backends.first()?))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmcp_core::{
        config::{Backend, StrategyConfig},
        header::{BackendSpec, HeaderPolicy, PolicySpec},
    };

    #[test]
    fn advice_stands_behind_the_last_semicolon_outside_of_quotations() {
        assert_eq!(split("it is wrong; remove it"), ("it is wrong", Some("remove it")));
        assert_eq!(split("no backend is called `a; b`"), ("no backend is called `a; b`", None));
        assert_eq!(split("wrong"), ("wrong", None));
    }

    #[test]
    fn what_a_strategy_may_not_write_is_told_once_where_the_strategy_stands() {
        let url: url::Url = "https://mcp.example.com/mcp".parse().unwrap();
        let mut config = Config::with_backends(["a", "b", "c"].map(|name| Backend::new(name, url.clone())).into());
        let own = StrategyConfig::of_kind("header_injection");
        config.outgoing_auth.backends.insert("b".to_owned(), own);
        let managed = [http::HeaderName::from_static("host")];
        let backends = ["a", "b", "c"].map(|name| BackendSpec { managed: &managed, ..BackendSpec::new(name, &url) });
        let problems = HeaderPolicy::compile(&PolicySpec { backends: backends.into(), ..PolicySpec::default() }).unwrap_err();
        let told: Vec<String> = at_strategies(&config, problems).iter().map(ToString::to_string).collect();
        let why = "it belongs to routing, framing or one connection, and every hop makes its own; remove it";
        assert_eq!(
            told,
            [
                format!("outgoingAuth.default: header `host` (backends `a`, `c`): {why}"),
                format!("outgoingAuth.backends.b: header `host` (backend `b`): {why}"),
            ]
        );
    }
}
