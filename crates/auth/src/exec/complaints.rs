//! What programs write to their standard error, for the log.

use super::run::{COMPLAINTS, Program};
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use vmcp_core::plugin::Credentials;

/// How many lines of one run are in the log.
const LINES: usize = 20;

/// How many lines of one strategy are in the log in a minute.
const LINES_PER_MINUTE: usize = 60;

/// The shortest text that is looked for: shorter values are words like `info` and `1`.
const SHORTEST: usize = 6;

/// How many lines were told, since when.
#[derive(Default)]
pub(super) struct Complaints(Mutex<Option<(Instant, usize)>>);

impl Complaints {
    /// Tells what a run wrote, less the program's variables, the caller's token and the credentials that it gave. Without credentials it
    /// is a warning.
    pub(super) fn tell(&self, backend: &str, program: &Program, text: &[u8], token: Option<&str>, given: Option<&Credentials>) {
        if text.is_empty() {
            return;
        }
        let mut secrets: Vec<String> = program.environment.secrets().chain(token.map(str::to_owned)).collect();
        if let Some(Credentials::Headers { headers, .. }) = given {
            let values = headers.values().filter_map(|value| value.to_str().ok());
            secrets.extend(values.flat_map(|value| value.split_ascii_whitespace().chain([value])).map(str::to_owned));
        }
        for line in lines(text, secrets) {
            let command = &*program.command;
            match given {
                _ if !self.may() => {}
                Some(_) => tracing::debug!(backend, command, line, "the credential command says"),
                None => tracing::warn!(backend, command, line, "the credential command says"),
            }
        }
    }

    fn may(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = told.get_or_insert_with(|| (Instant::now(), 0));
        if since.elapsed() >= Duration::from_secs(60) {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
        *count <= LINES_PER_MINUTE
    }
}

/// The first lines, without secrets and without characters that a terminal acts on.
fn lines(text: &[u8], mut secrets: Vec<String>) -> Vec<String> {
    let mut text = String::from_utf8_lossy(text).into_owned();
    // What was cut off may be the beginning of a secret.
    if text.len() >= COMPLAINTS {
        text.truncate(text.rfind('\n').unwrap_or(0));
    }
    // One that is part of another comes after it.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets.iter().flat_map(|secret| secret.lines()).map(str::trim).filter(|secret| secret.len() >= SHORTEST) {
        if text.contains(secret) {
            text = text.replace(secret, "[…]");
        }
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(LINES);
    lines.map(|line| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_few_and_show_no_secret_and_nothing_that_a_terminal_acts_on() {
        let secrets = vec!["hunter2".to_owned(), "hunter2-long\nsecond".to_owned(), "1".to_owned()];
        let text = b"\x1b[31mtoken hunter2-long, hunter2.\n\n  second 1\n";
        assert_eq!(lines(text, secrets), [" [31mtoken […], […].", "  […] 1"]);
        assert_eq!(lines(&b"x\n".repeat(100), Vec::new()).len(), LINES);
    }

    #[test]
    fn a_secret_that_was_cut_off_is_not_shown() {
        let mut text = vec![b'a'; COMPLAINTS - 4];
        text[100] = b'\n';
        text.extend(b"hunt");
        assert_eq!(lines(&text, vec!["hunter2".to_owned()]), ["a".repeat(100)]);
    }

    #[test]
    fn so_many_lines_a_minute_and_no_more() {
        let complaints = Complaints::default();
        assert_eq!((0..1000).filter(|_| complaints.may()).count(), LINES_PER_MINUTE);
    }
}
