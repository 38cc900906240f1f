//! What a backend is reached by, and the keys that only mean something on one way there.

use super::Check;
use crate::config::{Backend, Problem, Transport, key_path};

/// What one command line may hold, arguments and separators together: what the smallest of the systems takes (Windows).
const MAX_COMMAND_LINE: usize = 32 * 1024;

impl Check<'_> {
    pub(super) fn transport(&mut self, backend: &Backend, path: &str) {
        match (backend.transport, &backend.url, &backend.command) {
            (None, None, None) => {
                self.error(key_path(path, "url"), "neither a `url` nor a `command`", "give one: where the server is, or what starts it");
            }
            (None, Some(_), Some(_)) => {
                self.error(key_path(path, "command"), "a `url` stands beside it", "keep one: where the server is, or what starts it");
            }
            (Some(Transport::Stdio), _, None) => {
                self.error(key_path(path, "command"), "missing, and `transport` is `stdio`", "write the program that is the server");
            }
            (Some(transport @ (Transport::StreamableHttp | Transport::Sse)), None, _) => {
                let message = format!("missing, and `transport` is `{}`", transport.as_str());
                self.error(key_path(path, "url"), message, "write where the server is, for example https://mcp.example.com/mcp");
            }
            _ => {}
        }
        match backend.reached_by() {
            Transport::Stdio => self.started(backend, path),
            Transport::StreamableHttp | Transport::Sse => self.at_url(backend, path),
        }
    }

    /// A server that vmcp starts.
    fn started(&mut self, backend: &Backend, path: &str) {
        let out_of_place = [
            ("url", backend.url.is_some(), "a server with `transport: stdio` is started; remove one of the two"),
            ("headers", !backend.headers.is_empty(), "give it what it needs under `env`"),
            ("connectTimeout", backend.connect_timeout.is_some(), "remove it; `timeout` bounds its answers"),
            ("caBundlePath", backend.ca_bundle_path.is_some(), "remove it"),
            ("http2", backend.http2, "remove it"),
            ("allowPlaintext", backend.allow_plaintext, "remove it"),
        ];
        for (key, _, hint) in out_of_place.into_iter().filter(|(_, given, _)| *given) {
            self.error(key_path(path, key), "without effect on a server that is started, which is sent no HTTP request", hint);
        }
        if let Some(command) = &backend.command {
            let at = key_path(path, "command");
            if command.trim().is_empty() {
                self.error(at, "empty", "write the program that is the server");
            } else if command.contains('\0') || backend.args.iter().any(|argument| argument.contains('\0')) {
                self.error(at, "a NUL character in the command line, which no program can be given", "remove it");
            } else if command.len() + backend.args.iter().map(|argument| argument.len() + 1).sum::<usize>() > MAX_COMMAND_LINE {
                self.error(key_path(path, "args"), format!("more than {MAX_COMMAND_LINE} bytes in all"), "put them into a file");
            } else if backend.args.is_empty() && command.contains(' ') && !command.contains(['/', '\\']) {
                let hint = "write the program alone, and each argument under `args`";
                self.problems.push(Problem::warning(at, "has a space, and no shell takes it apart").with_hint(hint));
            }
        }
        for name in backend.env.keys().filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
            self.error(key_path(&key_path(path, "env"), name), "not the name of a variable", "use letters, digits and `_`");
        }
        for (index, name) in backend.env_passthrough.iter().enumerate() {
            let at = super::index_path(&key_path(path, "envPassthrough"), index);
            if name.is_empty() || name.contains(['=', '\0']) {
                self.error(at, "not the name of a variable", "write the name alone; a value belongs under `env`");
            } else if backend.env.contains_key(name) {
                self.error(at, format!("`{name}` has a value under `env` too"), "keep one of the two");
            } else if backend.env_passthrough[..index].contains(name) {
                self.error(at, format!("`{name}` is listed already"), "remove one of the two");
            }
        }
        if let (Some(own), Some(all)) = (backend.max_processes_per_principal, backend.max_processes)
            && own > all
        {
            let message = format!("more than `maxProcesses` ({all}), so one caller can have them all");
            self.problems.push(Problem::warning(key_path(path, "maxProcessesPerPrincipal"), message).with_hint("lower it"));
        }
    }

    /// A server at a URL.
    fn at_url(&mut self, backend: &Backend, path: &str) {
        let out_of_place = [
            // Without `transport`, a command beside a URL was complained of already.
            ("command", backend.command.is_some() && backend.transport.is_some()),
            ("args", !backend.args.is_empty()),
            ("env", !backend.env.is_empty()),
            ("envPassthrough", !backend.env_passthrough.is_empty()),
            ("cwd", backend.cwd.is_some()),
            ("process", backend.process.is_some()),
            ("maxProcesses", backend.max_processes.is_some()),
            ("maxProcessesPerPrincipal", backend.max_processes_per_principal.is_some()),
        ];
        // Whoever wrote both or neither meant one of them; which keys are out of place follows from that.
        let is_settled = backend.transport.is_some() || (backend.url.is_some() && backend.command.is_none());
        for (key, _) in out_of_place.into_iter().filter(|(_, given)| *given && is_settled) {
            let hint = "remove it, or write `transport: stdio` with a `command` and no `url`";
            self.error(key_path(path, key), "without effect on a server at a URL, which vmcp does not start", hint);
        }
        let Some(url) = &backend.url else { return };
        let at = key_path(path, "url");
        if !matches!(url.scheme(), "http" | "https") {
            self.error(&at, format!("`{}` URLs are not supported", url.scheme()), "use http or https");
            return;
        }
        if !url.username().is_empty() || url.password().is_some() {
            self.error(&at, "a URL with a user name or a password", "put the credential under `headers`, with `fromEnv` or `fromFile`");
        }
        if url.fragment().is_some() {
            self.error(&at, "a URL with a fragment (`#…`)", "remove the fragment; it is never sent");
        }
        if backend.ca_bundle_path.is_some() && url.scheme() == "http" {
            self.error(key_path(path, "caBundlePath"), "without effect on an http:// URL", "remove it, or use https");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use serde_json::{Value, json};

    fn complaints(backend: Value) -> Vec<String> {
        let mut backend = backend;
        backend["name"] = "b".into();
        let config: Config = serde_json::from_value(json!({ "backends": [backend] })).unwrap();
        config.check().iter().map(|problem| format!("{} {problem}", problem.severity).replace("backends[0].", "")).collect()
    }

    #[test]
    fn a_server_has_a_url_or_a_command() {
        for sound in [
            json!({"url": "https://a/"}),
            json!({"url": "https://a/", "transport": "sse"}),
            json!({"command": "npx"}),
            json!({"command": "npx", "args": ["-y", "it"], "transport": "stdio", "env": {"A": ""}, "cwd": "/", "process": "shared",
                   "envPassthrough": ["B"], "maxProcesses": 2, "maxProcessesPerPrincipal": 1}),
        ] {
            assert_eq!(complaints(sound.clone()), Vec::<String>::new(), "{sound}");
        }
        for (backend, complaint) in [
            (json!({}), "error url: neither a `url` nor a `command`; give one: where the server is, or what starts it"),
            (
                json!({"url": "https://a/", "command": "npx", "args": ["x"]}),
                "error command: a `url` stands beside it; keep one: where the server is, or what starts it",
            ),
            (json!({"transport": "stdio"}), "error command: missing, and `transport` is `stdio`; write the program that is the server"),
            (
                json!({"transport": "sse"}),
                "error url: missing, and `transport` is `sse`; write where the server is, for example https://mcp.example.com/mcp",
            ),
        ] {
            assert_eq!(complaints(backend), [complaint]);
        }
    }

    #[test]
    fn keys_of_the_other_way_are_named_with_what_to_do() {
        let started = complaints(json!({
            "command": "npx", "transport": "stdio", "url": "https://a/", "headers": {"x": "y"}, "connectTimeout": "1s",
            "caBundlePath": "ca.pem", "http2": true, "allowPlaintext": true,
        }));
        let keys: Vec<&str> = started.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(
            keys,
            ["error url", "error headers", "error connectTimeout", "error caBundlePath", "error http2", "error allowPlaintext"]
        );
        assert!(started[1].ends_with("; give it what it needs under `env`"), "{}", started[1]);
        let at_url = complaints(json!({
            "url": "https://a/", "transport": "http", "command": "npx", "args": ["x"], "env": {"A": "b"}, "envPassthrough": ["B"], "cwd": "/",
            "process": "session", "maxProcesses": 1, "maxProcessesPerPrincipal": 1,
        }));
        let keys: Vec<&str> = at_url.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(
            keys,
            [
                "error command",
                "error args",
                "error env",
                "error envPassthrough",
                "error cwd",
                "error process",
                "error maxProcesses",
                "error maxProcessesPerPrincipal"
            ]
        );
    }

    #[test]
    fn a_command_line_and_its_variables_have_their_form() {
        for (backend, complaint) in [
            (json!({"command": " "}), "error command: empty; write the program that is the server"),
            (
                json!({"command": "npx -y it"}),
                "warning command: has a space, and no shell takes it apart; write the program alone, and each argument under `args`",
            ),
            (
                json!({"command": "a", "args": ["x\0"]}),
                "error command: a NUL character in the command line, which no program can be given; remove it",
            ),
            (json!({"command": "a", "args": ["x".repeat(40_000)]}), "error args: more than 32768 bytes in all; put them into a file"),
            (json!({"command": "a", "env": {"A=B": "c"}}), "error env[\"A=B\"]: not the name of a variable; use letters, digits and `_`"),
            (
                json!({"command": "a", "envPassthrough": ["A=hunter2"]}),
                "error envPassthrough[0]: not the name of a variable; write the name alone; a value belongs under `env`",
            ),
            (
                json!({"command": "a", "env": {"A": "b"}, "envPassthrough": ["A"]}),
                "error envPassthrough[0]: `A` has a value under `env` too; keep one of the two",
            ),
            (
                json!({"command": "a", "envPassthrough": ["A", "A"]}),
                "error envPassthrough[1]: `A` is listed already; remove one of the two",
            ),
            (
                json!({"command": "a", "maxProcesses": 2, "maxProcessesPerPrincipal": 3}),
                "warning maxProcessesPerPrincipal: more than `maxProcesses` (2), so one caller can have them all; lower it",
            ),
            (json!({"command": "a", "maxProcesses": 0}), "error maxProcesses: must not be zero; leave it out for the default"),
        ] {
            assert_eq!(complaints(backend), [complaint]);
        }
    }
}
