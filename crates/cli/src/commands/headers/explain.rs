//! The whole policy: what goes where, and what goes nowhere.

use super::{refused::Refused, words};
use crate::{table::Table, terminal};
use serde_json::{Value, json};
use vmcp_core::{
    config::Config,
    header::{ClosedGroup, HeaderPolicy, Outgoing, Side},
};

/// Prints the policy.
pub(super) fn run(config: &Config, policy: &HeaderPolicy, refused: &[Refused<'_>], json: bool) -> anyhow::Result<()> {
    if json {
        return terminal::print(object(config, policy, refused));
    }
    table(config, policy, refused).print()?;
    terminal::print("\nEverything else that a caller sends stays at vmcp. Some names cannot be listed:\n")?;
    terminal::print(closed(policy))
}

fn table(config: &Config, policy: &HeaderPolicy, refused: &[Refused<'_>]) -> Table {
    let mut table = Table::new(["BACKEND", "CALLER SENDS", "BACKEND GETS", "AS", "REQUIRED", "CREDENTIAL", "FROM"]);
    for (index, backend) in config.backends.iter().enumerate() {
        let mut empty = true;
        for row in policy.backend(index).outgoing() {
            empty = false;
            let Outgoing { inbound, outbound, format, required, credential, origin, .. } = row;
            let value = match (format, inbound) {
                (Some(format), _) => format,
                (None, Some(_)) => "the value",
                (None, None) => "a value of its own",
            };
            let inbound = inbound.map_or("-", |name| name.as_str());
            let mark = |yes: bool| if yes { "yes" } else { "-" };
            table.row([&backend.name, inbound, &outbound.to_string(), value, mark(required), mark(credential), words::place(origin)]);
        }
        for refused in refused.iter().filter(|refused| refused.names(&backend.name)) {
            empty = false;
            table.row(refusal(&backend.name, refused));
        }
        if empty {
            table.row([&backend.name, "-", "-", "-", "-", "-", "-"]);
        }
    }
    for refused in refused.iter().filter(|refused| refused.is_everywhere()) {
        table.row(refusal("all", refused));
    }
    table
}

fn refusal(backend: &str, refused: &Refused<'_>) -> [String; 7] {
    let none = || "-".to_owned();
    let (inbound, outbound) = (refused.inbound.clone().unwrap_or_else(none), refused.outbound.clone().unwrap_or_else(none));
    [backend.to_owned(), inbound, outbound, none(), none(), none(), format!("refused: {}", refused.reason())]
}

/// The closed names, a paragraph for each reason.
fn closed(policy: &HeaderPolicy) -> String {
    let paragraph = |group: ClosedGroup| {
        let names = words::patterns(group, policy);
        if names.is_empty() {
            return None;
        }
        let key = words::opened_by(group).map_or_else(|| "never".to_owned(), |key| format!("only with `{key}: true`"));
        Some(format!("{key}: {}\n  {}", words::reason(group), names.join(", ")))
    };
    let own = words::consumed_names(policy);
    let own = (!own.is_empty()).then(|| format!("never: {}\n  {}", words::consumed(), own.join(", ")));
    let groups = ClosedGroup::ALL.into_iter().filter(|group| group.closes(Side::Inbound));
    groups.filter_map(paragraph).chain(own).collect::<Vec<_>>().join("\n")
}

fn object(config: &Config, policy: &HeaderPolicy, refused: &[Refused<'_>]) -> Value {
    let backends = config.backends.iter().enumerate().map(|(index, backend)| {
        let rows = policy.backend(index).outgoing().map(|row| {
            let mut object = json!({
                "inbound": row.inbound.map(http::HeaderName::as_str),
                "outbound": row.outbound.as_str(),
                "format": row.format,
                "required": row.required,
                "credential": row.credential,
                "origin": words::origin(row.origin),
            });
            if row.outbound.header().is_none() {
                object["isVariable"] = true.into();
            }
            object
        });
        json!({ "backend": backend.name, "headers": rows.collect::<Vec<_>>() })
    });
    let closed = ClosedGroup::ALL.into_iter().filter(|group| group.closes(Side::Inbound)).map(|group| {
        json!({
            "group": words::group(group),
            "names": words::patterns(group, policy),
            "openedBy": words::opened_by(group),
            "reason": words::reason(group),
        })
    });
    let refused = refused.iter().map(Refused::object);
    json!({
        "backends": backends.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "closed": closed.collect::<Vec<_>>(),
        "consumed": words::consumed_names(policy),
    })
}
