//! What a configuration must satisfy beyond its shape. Pure: nothing is looked up, connected or read.

mod listen;
mod name;
mod transport;

use super::{Config, Problem, Severity, Span, index_path, key_path, nearest};
use std::{collections::BTreeMap, time::Duration};

pub use name::{is_name, slug};

/// The paths that the gateway answers itself; the endpoint cannot be one of them.
pub const ADMIN_PATHS: [&str; 7] = ["/health", "/ping", "/readyz", "/status", "/metrics", "/api", "/.well-known"];

const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

impl Config {
    /// Everything that cannot work or is probably a mistake, in the order of the model.
    ///
    /// The header policy and the catalogue's rules check themselves when they are compiled.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut check = Check { config: self, problems: Vec::new() };
        check.gateway();
        check.backends();
        check.references();
        check.problems.extend(super::endpoint::check(self));
        check.bounds();
        check.problems
    }
}

/// Whether any of `problems` makes the configuration unusable.
#[must_use]
pub fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

struct Check<'a> {
    config: &'a Config,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn error(&mut self, path: impl Into<String>, message: impl Into<String>, hint: &str) {
        self.problems.push(Problem::error(path, message).with_hint(hint));
    }

    fn gateway(&mut self) {
        let config = self.config;
        if config.name.trim().is_empty() || config.name.chars().any(char::is_control) {
            self.error("name", "not a name", "write one line of text, or leave it out");
        }
        if let Some(complaint) = path_complaint(&config.path) {
            self.error("path", complaint, "write for example /mcp");
        }
        if let Some(complaint) = config.sse_path.as_deref().and_then(|path| self.sse_path_complaint(path)) {
            self.error("ssePath", complaint, "write for example /sse");
        }
        if config.allowed_hosts.as_ref().is_some_and(Vec::is_empty) {
            self.error("allowedHosts", "empty, so that no request would be answered", "list the names that clients use, or leave it out");
        }
        for (index, host) in config.allowed_hosts.iter().flatten().enumerate() {
            if !is_host(host) {
                let hint = "write a name or an address, with `:port` where only that port is meant, for example mcp.example.com";
                self.error(index_path("allowedHosts", index), "not a host", hint);
            }
        }
        for (index, origin) in config.allowed_origins.iter().flatten().enumerate() {
            if !is_origin(origin) {
                let hint = "write scheme and host alone, for example https://app.example.com";
                self.error(index_path("allowedOrigins", index), "not an origin", hint);
            }
        }
        self.listen();
        self.public_url();
        if let Some(address) = config.listen.address.filter(|_| !config.listen.is_loopback()) {
            if config.incoming_auth.kind == "anonymous" && !config.listen.tls.as_ref().is_some_and(|tls| tls.require_client_certificate) {
                let message = format!("anyone who reaches {address} can call every tool");
                let hint = "listen on 127.0.0.1, or put something that authenticates in front";
                self.problems.push(Problem::warning("listen", message).with_hint(hint));
            }
            if config.allowed_hosts.is_none() && config.public_url.is_none() {
                let message = "every `Host` is answered, which lets web pages reach the gateway by DNS rebinding";
                self.problems.push(Problem::warning("allowedHosts", message).with_hint("list the names that clients use"));
            }
        }
    }

    fn sse_path_complaint(&self, path: &str) -> Option<String> {
        if let Some(complaint) = path_complaint(path) {
            return Some(complaint.to_owned());
        }
        if path == "/" {
            return Some("not a path of its own".to_owned());
        }
        let config = self.config;
        if path == config.path {
            return Some("the path of the endpoint of all backends, which speaks streamable HTTP".to_owned());
        }
        if let Some(index) = config.endpoints.iter().position(|endpoint| endpoint.path == path) {
            return Some(format!("the path of endpoints[{index}] too"));
        }
        let name = path.strip_prefix(config.path.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
        if let Some(backend) = config.backends.iter().find(|backend| Some(backend.name.as_str()) == name) {
            return Some(format!("the path of backend `{}` alone", backend.name));
        }
        (config.backends.is_empty() && !config.endpoints.is_empty())
            .then(|| "there is no backend of the top level to be reached there".to_owned())
    }

    fn backends(&mut self) {
        // Where there are other endpoints, the one of all backends may be left out.
        if self.config.backends.is_empty() && self.config.endpoints.is_empty() {
            self.error("backends", "no backend", "add one with a `name` and a `url` or a `command`, or start with --backend name=url");
        }
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, backend) in self.config.backends.iter().enumerate() {
            let path = index_path("backends", index);
            if !is_name(&backend.name) {
                let hint = match slug(&backend.name) {
                    Some(slug) => format!("use lower-case letters, digits, `-` and `_`, for example `{slug}`"),
                    None => "use lower-case letters, digits, `-` and `_`, starting with a letter or a digit".to_owned(),
                };
                self.error(key_path(&path, "name"), "not a backend name", &hint);
            } else if let Some(earlier) = first.get(backend.name.as_str()) {
                let message = format!("`{}` is the name of backends[{earlier}] too", backend.name);
                self.error(key_path(&path, "name"), message, "give each backend a name of its own");
            } else {
                first.insert(&backend.name, index);
            }
            self.transport(backend, &path);
        }
    }

    /// Every name of a backend that stands elsewhere; `aggregation` is the catalogue's.
    fn references(&mut self) {
        let config = self.config;
        let known: Vec<&str> = config.backends.iter().map(|backend| backend.name.as_str()).collect();
        for name in config.outgoing_auth.backends.keys() {
            self.reference(key_path("outgoingAuth.backends", name), name, &known);
        }
        for name in config.operational.timeouts.per_workload.keys() {
            self.reference(key_path("operational.timeouts.perWorkload", name), name, &known);
        }
    }

    fn reference(&mut self, path: String, name: &str, known: &[&str]) {
        if !known.contains(&name) {
            let hint = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known: {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            };
            self.problems.push(Problem::error(path, format!("no backend is called `{name}`")).with_hint(hint).about_unknown_backend());
        }
    }

    fn bounds(&mut self) {
        let Config { sessions, limits, operational, aggregation, .. } = self.config;
        let mut spans: Vec<(String, Option<Span>)> = vec![
            ("operational.timeouts.default".to_owned(), operational.timeouts.default),
            ("aggregation.listWait".to_owned(), aggregation.list_wait),
            ("aggregation.listTtl".to_owned(), aggregation.list_ttl),
            ("sessions.idleTimeout".to_owned(), Some(sessions.idle_timeout)),
            ("sessions.unusedTimeout".to_owned(), Some(sessions.unused_timeout)),
            ("sessions.maxAge".to_owned(), Some(sessions.max_age)),
            ("limits.parkedCallTimeout".to_owned(), Some(limits.parked_call_timeout)),
            ("limits.readTimeout".to_owned(), Some(limits.read_timeout)),
            ("limits.keepAliveTimeout".to_owned(), Some(limits.keep_alive_timeout)),
            ("limits.writeTimeout".to_owned(), Some(limits.write_timeout)),
            ("limits.shutdownTimeout".to_owned(), Some(limits.shutdown_timeout)),
        ];
        for (name, span) in &operational.timeouts.per_workload {
            spans.push((key_path("operational.timeouts.perWorkload", name), Some(*span)));
        }
        let mut counts = vec![
            ("sessions.max".to_owned(), sessions.max as usize),
            ("sessions.maxPerPeer".to_owned(), sessions.max_per_peer as usize),
            ("limits.maxRequestBytes".to_owned(), limits.max_request_bytes.0),
            ("limits.requestBudget".to_owned(), limits.request_budget.0),
            ("limits.maxResponseBytes".to_owned(), limits.max_response_bytes.0),
            ("limits.responseBudget".to_owned(), limits.response_budget.0),
            ("limits.maxRequestsInFlight".to_owned(), limits.max_requests_in_flight as usize),
            ("limits.maxRequestsPerSession".to_owned(), limits.max_requests_per_session as usize),
            ("limits.maxParkedCalls".to_owned(), limits.max_parked_calls as usize),
            ("limits.maxConnections".to_owned(), limits.max_connections as usize),
        ];
        for (index, backend) in self.config.backends.iter().enumerate() {
            let path = index_path("backends", index);
            spans.push((key_path(&path, "timeout"), backend.timeout));
            spans.push((key_path(&path, "maxDuration"), backend.max_duration));
            spans.push((key_path(&path, "connectTimeout"), backend.connect_timeout));
            let count = |max: Option<u32>| max.map_or(1, |max| max as usize);
            counts.push((key_path(&path, "maxConcurrent"), count(backend.max_concurrent)));
            counts.push((key_path(&path, "maxProcesses"), count(backend.max_processes)));
            counts.push((key_path(&path, "maxProcessesPerPrincipal"), count(backend.max_processes_per_principal)));
        }
        for (path, span) in spans {
            match span.map(|span| span.0) {
                Some(Duration::ZERO) => self.error(path, "must not be zero", "leave it out for the default"),
                Some(span) if span > YEAR => self.error(path, "longer than a year", "write a shorter time"),
                _ => {}
            }
        }
        for (path, count) in counts {
            if count == 0 {
                self.error(path, "must not be zero", "leave it out for the default");
            }
        }
        if limits.max_request_bytes > limits.request_budget && limits.request_budget.0 > 0 {
            let message = format!("larger than limits.requestBudget ({}), so such a request could never be read", limits.request_budget);
            self.error("limits.maxRequestBytes", message, "raise the budget or lower this");
        }
        if limits.max_response_bytes > limits.response_budget && limits.response_budget.0 > 0 {
            let message =
                format!("larger than limits.responseBudget ({}), so such a reply could never be buffered", limits.response_budget);
            self.error("limits.maxResponseBytes", message, "raise the budget or lower this");
        }
    }
}

pub(super) fn path_complaint(path: &str) -> Option<&'static str> {
    let characters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    if !path.starts_with('/') {
        Some("does not start with `/`")
    } else if !path.chars().all(characters) || path.contains("//") || path.split('/').any(|part| part == "." || part == "..") {
        Some("not a plain path")
    } else if path.len() > 1 && path.ends_with('/') {
        Some("ends with `/`; a request may do so anyway")
    } else if ADMIN_PATHS.iter().any(|admin| path.strip_prefix(admin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))) {
        Some("taken by the gateway itself")
    } else {
        None
    }
}

fn is_host(text: &str) -> bool {
    let parsed = url::Url::parse(&format!("http://{text}/"));
    let plain = !text.contains(['/', '@', '?', '#', '*', '\\']) && !text.chars().any(char::is_whitespace);
    plain && parsed.is_ok_and(|url| url.has_host())
}

fn is_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, host)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
            && is_host(host)
    })
}

#[cfg(test)]
mod tests;
