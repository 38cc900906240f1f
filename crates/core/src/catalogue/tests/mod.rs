//! What the parts do together. Single rules are tested beside them.

mod apps;
mod fidelity;
mod lists;
mod naming;
mod properties;
mod reports;
mod resources;
mod restricted;
mod uri_properties;

use super::*;
use crate::{Era, config::Aggregation};
use serde_json::Value;
use std::sync::Arc;

/// Rules for backends `a`, `b` and so on.
fn rules(settings: Value, backends: &[&str]) -> Rules {
    let aggregation: Aggregation = serde_json::from_value(settings).unwrap();
    Rules::compile(&aggregation, backends).unwrap()
}

fn tool(name: &str) -> String {
    format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#)
}

fn prompt(name: &str) -> String {
    format!(r#"{{"name":"{name}"}}"#)
}

/// A list of one kind from a legacy backend.
fn legacy<S: AsRef<str>>(kind: ListKind, items: &[S]) -> Option<Arc<BackendList>> {
    listed(Era::Legacy, kind, items)
}

fn listed<S: AsRef<str>>(era: Era, kind: ListKind, items: &[S]) -> Option<Arc<BackendList>> {
    let mut builder = BackendList::builder(era);
    builder.add_page(kind, &items.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap();
    Some(Arc::new(builder.build()))
}

fn tools(names: &[&str]) -> Option<Arc<BackendList>> {
    legacy(ListKind::Tools, &names.iter().map(|name| tool(name)).collect::<Vec<_>>())
}

fn text(catalogue: &Catalogue, kind: ListKind) -> &str {
    std::str::from_utf8(catalogue.published(kind)).unwrap()
}

/// Published name, backend and original of each tool, in order.
fn routes(catalogue: &Catalogue) -> Vec<(&str, usize, &str)> {
    catalogue.tools().map(|(name, route)| (name, route.backend, route.original.as_ref())).collect()
}

fn collisions(catalogue: &Catalogue) -> Vec<String> {
    catalogue.collisions().iter().map(ToString::to_string).collect()
}

fn findings(catalogue: &Catalogue) -> Vec<String> {
    catalogue.findings().iter().map(ToString::to_string).collect()
}
