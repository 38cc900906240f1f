//! A line in the log for each request, where the log's level is `debug`: which method, which backend, how long, and what came of it. Never
//! a value.

use super::{Carried, list_kind};
use crate::failure::Failure;
use std::{sync::Arc, time::Instant};

/// What the log is told of one request when this is dropped. Holds nothing, and costs one look at the level, where nobody listens.
pub(crate) struct Journal(Option<Box<Entry>>);

struct Entry {
    method: &'static str,
    begun: Instant,
    backend: Option<Arc<str>>,
    outcome: Outcome,
}

#[derive(Clone, Copy)]
enum Outcome {
    /// Nobody waited for the end.
    GivenUp,
    Result,
    Error(i64),
}

impl Journal {
    /// Begins with a request. A method that is not known is not named: the word is the client's.
    pub(crate) fn begin(method: &str) -> Self {
        let entry = || Box::new(Entry { method: known(method), begun: Instant::now(), backend: None, outcome: Outcome::GivenUp });
        Self(tracing::enabled!(tracing::Level::DEBUG).then(entry))
    }

    /// Notes the backend that owns the request.
    pub(crate) fn owner(&mut self, backend: &Arc<str>) {
        if let Some(entry) = &mut self.0 {
            entry.backend = Some(Arc::clone(backend));
        }
    }

    /// Ends with what the caller is told.
    pub(crate) fn end<T>(mut self, outcome: &Result<T, Failure>) {
        if let Some(entry) = &mut self.0 {
            entry.outcome = outcome.as_ref().map_or_else(|failure| Outcome::Error(failure.code()), |_| Outcome::Result);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let Some(entry) = &self.0 else { return };
        let (outcome, code) = match entry.outcome {
            Outcome::GivenUp => ("given up", None),
            Outcome::Result => ("result", None),
            Outcome::Error(code) => ("error", Some(code)),
        };
        let milliseconds = entry.begun.elapsed().as_micros() as f64 / 1000.0;
        tracing::debug!(method = entry.method, backend = entry.backend.as_deref(), milliseconds, outcome, code, "request");
    }
}

fn known(method: &str) -> &'static str {
    if let Some(carried) = Carried::from_method(method) {
        return carried.method();
    }
    if let Some(kind) = list_kind(method) {
        return kind.method();
    }
    let own = [
        "initialize",
        "ping",
        "server/discover",
        "subscriptions/listen",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
    ];
    own.into_iter().find(|own| *own == method).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Listening;
    use tracing::Level;

    fn heard(level: Level, work: impl FnOnce()) -> Vec<String> {
        let listening = Listening::at(level);
        work();
        listening.heard()
    }

    #[test]
    fn each_request_is_one_line_that_says_what_came_of_it() {
        let lines = heard(Level::DEBUG, || {
            let mut journal = Journal::begin("tools/call");
            journal.owner(&"git".into());
            journal.end(&Ok(()));
            Journal::begin("tools/list").end::<()>(&Err(Failure::invalid_params("x")));
            Journal::begin("secret/word").end(&Ok(()));
            drop(Journal::begin("ping"));
        });
        assert_eq!(
            lines,
            [
                r#"message=request method="tools/call" backend="git" outcome="result""#,
                r#"message=request method="tools/list" outcome="error" code=-32602"#,
                r#"message=request method="unknown" outcome="result""#,
                r#"message=request method="ping" outcome="given up""#,
            ]
        );
    }

    #[test]
    fn where_nobody_listens_there_is_nothing_to_say() {
        let lines = heard(Level::INFO, || {
            let journal = Journal::begin("tools/call");
            assert!(journal.0.is_none());
            journal.end(&Ok(()));
        });
        assert!(lines.is_empty());
    }

    #[tokio::test]
    async fn a_call_without_http_is_a_line_and_one_whose_parameters_are_none_is_not() {
        use serde_json::value::RawValue;
        use vmcp_core::config::{Backend, Config};

        // Nothing listens there.
        let backend = Backend::new("git", "http://127.0.0.1:9/mcp".parse().unwrap());
        let gateway = crate::Gateway::builder(Config::with_backends(vec![backend])).build().unwrap();
        let direct = gateway.direct(vmcp_auth::Identity::anonymous());
        let listening = Listening::at(Level::DEBUG);
        for (arguments, expected) in
            [("[]", None), ("{}", Some(r#"message=request method="tools/call" backend="git" outcome="error" code="#))]
        {
            assert!(direct.call_tool("git_log", &RawValue::from_string(arguments.to_owned()).unwrap()).await.is_err());
            let lines = listening.heard();
            let requests: Vec<_> = lines.iter().filter(|line| line.starts_with("message=request ")).collect();
            assert_eq!(requests.len(), usize::from(expected.is_some()), "{requests:?}");
            assert!(expected.is_none_or(|expected| requests[0].starts_with(expected)), "{requests:?}");
        }
    }
}
