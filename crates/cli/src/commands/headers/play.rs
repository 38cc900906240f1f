//! One request played through the policy: where each of its headers goes, and why the others go nowhere.

use super::{refused::Refused, words};
use crate::{
    table::{Table, count},
    terminal,
};
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use vmcp_core::{
    config::Config,
    header::{BackendPolicy, CaptureError, ClosedGroup, Forwarded, HeaderOrigin, HeaderPolicy, Outgoing, Side, closed, normalise},
};

/// What becomes of one header towards one backend.
enum Fate<'a> {
    /// It goes out.
    Sent(Outgoing<'a>),
    /// It would, but the backend is not called: it lacks another header.
    Uncalled(&'a HeaderName),
    /// It would, but the request as a whole is refused.
    Refused,
    /// The backend lists it in an entry that cannot be.
    Barred(&'a Refused<'a>),
    /// The backend does not list it.
    Unlisted,
    /// Incoming authentication reads it, so nobody can list it.
    Consumed,
    /// It could only be listed with a key, or not at all.
    Closed(ClosedGroup),
}

/// A request, and what came of reading its headers.
struct Played<'a> {
    config: &'a Config,
    policy: &'a HeaderPolicy,
    refused: &'a [Refused<'a>],
    headers: &'a HeaderMap,
    captured: Result<Forwarded, CaptureError>,
}

/// Prints what becomes of the headers.
pub(super) fn run(config: &Config, policy: &HeaderPolicy, refused: &[Refused<'_>], headers: &HeaderMap, json: bool) -> anyhow::Result<()> {
    let played = Played { config, policy, refused, headers, captured: policy.capture(headers) };
    if json {
        return terminal::print(played.object());
    }
    if let Err(error) = &played.captured {
        terminal::print(format_args!("The request is refused with {}, and no backend sees any of it: {error}\n", error.status.as_u16()))?;
    }
    played.table().print()?;
    let remarks = played.remarks();
    if remarks.is_empty() { Ok(()) } else { terminal::print(format_args!("\n{}", remarks.join("\n"))) }
}

impl<'a> Played<'a> {
    fn lengths(&self, name: &HeaderName) -> Vec<usize> {
        self.headers.get_all(name).iter().map(http::HeaderValue::len).collect()
    }

    fn backends(&self) -> impl Iterator<Item = (&'a str, &'a BackendPolicy)> {
        let policy = self.policy;
        self.config.backends.iter().enumerate().map(move |(index, backend)| (backend.name.as_str(), &**policy.backend(index)))
    }

    fn fate(&self, name: &HeaderName, backend: &'a BackendPolicy) -> Fate<'a> {
        let key = normalise(name);
        let Some(row) = backend.outgoing().find(|row| row.inbound.is_some_and(|inbound| normalise(inbound) == key)) else {
            let refused = self.refused.iter().find(|refused| refused.bars(name, backend.name()));
            let unlisted = || match closed(name, Side::Inbound) {
                _ if self.policy.consumed().contains(&key) => Fate::Consumed,
                Some(group) => Fate::Closed(group),
                None => Fate::Unlisted,
            };
            return refused.map_or_else(unlisted, Fate::Barred);
        };
        match &self.captured {
            Err(_) => Fate::Refused,
            Ok(forwarded) => match backend.missing_required(forwarded) {
                Some(missing) => Fate::Uncalled(missing),
                None => Fate::Sent(row),
            },
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["CALLER SENDS", "BACKEND", "OUTCOME"]);
        for name in self.headers.keys() {
            let mut sent = format!("{name} ({})", words::size(&self.lengths(name)));
            let outcomes = self.backends().map(|(backend, policy)| {
                let outcome = match self.fate(name, policy) {
                    Fate::Sent(row) => format!("sent as {}{}", row.outbound, with_format(&row)),
                    Fate::Uncalled(missing) if normalise(missing) == normalise(name) => {
                        "not called: an empty value counts as none".to_owned()
                    }
                    Fate::Uncalled(missing) => format!("not called: lacks {missing}"),
                    Fate::Refused => "not sent: the request is refused".to_owned(),
                    Fate::Barred(refused) => format!("refused: {}", refused.reason()),
                    Fate::Unlisted => "not listed".to_owned(),
                    Fate::Consumed => "cannot be listed".to_owned(),
                    Fate::Closed(group) => match words::opened_by(group) {
                        None => "cannot be listed".to_owned(),
                        Some(key) => format!("not listed; would need `{key}: true`"),
                    },
                };
                (backend, outcome)
            });
            let mut outcomes: Vec<(&str, String)> = outcomes.collect();
            if outcomes.len() > 1 && outcomes.iter().all(|(_, outcome)| *outcome == outcomes[0].1) {
                outcomes.truncate(1);
                outcomes[0].0 = "all";
            }
            for (backend, outcome) in outcomes {
                table.row([std::mem::take(&mut sent).as_str(), backend, &outcome]);
            }
        }
        table
    }

    /// What the table does not show.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for name in self.headers.keys() {
            let why = self.backends().find_map(|(_, policy)| match self.fate(name, policy) {
                Fate::Closed(group) => Some(words::advice(group)),
                Fate::Consumed => Some(words::consumed()),
                _ => None,
            });
            remarks.extend(why.map(|why| format!("`{name}`: {why}.")));
        }
        for (backend, policy) in self.backends() {
            if let Ok(forwarded) = &self.captured
                && let Some(missing) = policy.missing_required(forwarded)
            {
                remarks.push(format!("Backend `{backend}` is left out for this caller: it needs `{missing}`."));
                continue;
            }
            let own: Vec<&str> = own_headers(policy).map(|row| row.outbound.as_str()).collect();
            if !own.is_empty() && self.captured.is_ok() {
                let more = count(own.len(), "header");
                remarks.push(format!("Backend `{backend}` gets {more} from the configuration too: {}.", own.join(", ")));
            }
        }
        remarks
    }

    fn object(&self) -> Value {
        let headers = self.headers.keys().map(|name| {
            let backends = self.backends().map(|(backend, policy)| match self.fate(name, policy) {
                Fate::Sent(row) => json!({ "backend": backend, "outcome": "sent", "as": row.outbound.as_str(), "format": row.format }),
                Fate::Uncalled(missing) => json!({ "backend": backend, "outcome": "notCalled", "missing": missing.as_str() }),
                Fate::Refused => json!({ "backend": backend, "outcome": "refused" }),
                Fate::Barred(refused) => json!({ "backend": backend, "outcome": "entryRefused", "reason": refused.reason() }),
                Fate::Unlisted => json!({ "backend": backend, "outcome": "notListed" }),
                Fate::Consumed => json!({ "backend": backend, "outcome": "consumed", "reason": words::consumed() }),
                Fate::Closed(group) => {
                    json!({ "backend": backend, "outcome": "closed", "group": words::group(group), "reason": words::reason(group) })
                }
            });
            json!({ "name": name.as_str(), "bytes": self.lengths(name), "backends": backends.collect::<Vec<_>>() })
        });
        let backends = self.backends().map(|(backend, policy)| {
            let missing = self.captured.as_ref().ok().and_then(|forwarded| policy.missing_required(forwarded));
            let own: Vec<&str> = own_headers(policy).map(|row| row.outbound.as_str()).collect();
            json!({
                "backend": backend,
                "called": self.captured.is_ok() && missing.is_none(),
                "missing": missing.map(HeaderName::as_str),
                "ownHeaders": own,
            })
        });
        let refused = self.captured.as_ref().err();
        json!({
            "refused": refused.map(|error| json!({ "status": error.status.as_u16(), "message": error.to_string() })),
            "headers": headers.collect::<Vec<_>>(),
            "backends": backends.collect::<Vec<_>>(),
            "refusedEntries": self.refused.iter().map(Refused::object).collect::<Vec<_>>(),
        })
    }
}

fn with_format(row: &Outgoing<'_>) -> String {
    row.format.map(|format| format!(", in the form `{format}`")).unwrap_or_default()
}

/// What a backend is sent whoever calls.
fn own_headers(policy: &BackendPolicy) -> impl Iterator<Item = Outgoing<'_>> {
    policy.outgoing().filter(|row| matches!(row.origin, HeaderOrigin::Static | HeaderOrigin::Strategy))
}
