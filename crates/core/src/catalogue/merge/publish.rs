//! Items as callers see them: raw text, with no more changed than has to be.

use super::Candidate;
use crate::{
    Era,
    catalogue::{
        CacheScope,
        facts::{FLAT_PAGE, OutputSchema, ToolFacts},
        list::short,
        merged::{Place, Published},
        rules::Override,
    },
    frame::{Edit, RawObject, json_string},
};
use std::sync::Arc;

/// A JSON array that is being written.
pub(super) struct Array {
    bytes: Vec<u8>,
    counts: Vec<usize>,
    places: Vec<Place>,
}

impl Array {
    pub(super) fn new(backends: usize) -> Self {
        Self { bytes: vec![b'['], counts: vec![0; backends], places: Vec::new() }
    }

    /// Where a backend's next item has to be written, which callers address by `key`.
    pub(super) fn item(&mut self, backend: usize, key: &Arc<str>) -> &mut Vec<u8> {
        self.end_last();
        if self.bytes.len() > 1 {
            self.bytes.push(b',');
        }
        self.counts[backend] += 1;
        let start = self.bytes.len();
        self.places.push(Place { key: Arc::clone(key), backend, text: start..start });
        &mut self.bytes
    }

    fn end_last(&mut self) {
        if let Some(last) = self.places.last_mut() {
            last.text.end = self.bytes.len();
        }
    }

    /// The array as a list that is shown to those for whom `scope` is.
    pub(super) fn publish(mut self, scope: CacheScope) -> Published {
        self.end_last();
        self.bytes.push(b']');
        self.bytes.shrink_to_fit();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.bytes);
        Published { hash: short(&hasher), bytes: self.bytes.into(), scope, counts: self.counts, places: self.places }
    }
}

/// Writes an item under its published name, with this URI of its page where the page has another one here, with the operator's changes, without what the audience's era forbids.
pub(super) fn write_item(candidate: &Candidate<'_>, name: &str, page: Option<&str>, audience: Era, out: &mut Vec<u8>) {
    let Candidate { text, item, change, .. } = candidate;
    let renamed = **item.key() != *name;
    let forbidden = item.tool().and_then(|facts| forbidden(facts, audience));
    let change = change.filter(|change| change.edits());
    if change.is_none() && forbidden.is_none() && page.is_none() {
        if renamed {
            let (before, after) = item.around_key(text);
            out.extend_from_slice(before.as_bytes());
            json_string(name, out);
            out.extend_from_slice(after.as_bytes());
        } else {
            out.extend_from_slice(item.text(text).as_bytes());
        }
        return;
    }
    let Ok(object) = RawObject::parse(item.text(text)) else { return };
    let literal = renamed.then(|| to_text(|out| json_string(name, out)));
    let annotations = change.and_then(|change| annotations(&object, change));
    let meta = page.and_then(|page| shown_by(&object, page));
    let mut edits = Vec::with_capacity(4);
    edits.extend(literal.as_deref().map(|name| Edit::Set("name", name)));
    edits.extend(change.and_then(|change| change.description.as_deref()).map(|text| Edit::Set("description", text)));
    edits.extend(annotations.as_deref().map(|text| Edit::Set("annotations", text)));
    edits.extend(meta.as_deref().map(|text| Edit::Set("_meta", text)));
    edits.extend(forbidden.map(Edit::Remove));
    object.write(&edits, out);
}

/// The member that an era has no room for: legacy clients refuse a whole list over an `outputSchema` that is not of type `object`
/// (2025-11-25, schema `Tool`), and `execution` belongs to tasks, which 2026-07-28 dropped.
fn forbidden(facts: &ToolFacts, audience: Era) -> Option<&'static str> {
    match audience {
        Era::Legacy => matches!(facts.output, OutputSchema::Other | OutputSchema::Untyped).then_some("outputSchema"),
        Era::Modern => facts.execution.then_some("execution"),
    }
}

/// The `_meta` of a tool whose page has this URI, in both forms that SEP-1865 had.
fn shown_by(tool: &RawObject<'_>, page: &str) -> Option<String> {
    let meta = tool.get_object("_meta")?;
    let page = to_text(|out| json_string(page, out));
    let ui = meta.get_object("ui").filter(|ui| ui.get("resourceUri").is_some());
    let ui = ui.map(|ui| to_text(|out| ui.write(&[Edit::Set("resourceUri", &page)], out)));
    let flat = meta.get(FLAT_PAGE).map(|_| Edit::Set(FLAT_PAGE, &page));
    let edits: Vec<_> = ui.iter().map(|ui| Edit::Set("ui", ui)).chain(flat).collect();
    Some(to_text(|out| meta.write(&edits, out)))
}

/// The `annotations` of a tool with an override's set in them.
fn annotations(tool: &RawObject<'_>, change: &Override) -> Option<String> {
    if change.annotations.is_empty() {
        return None;
    }
    let text = tool.get("annotations").unwrap_or("{}");
    let object = RawObject::parse(text).or_else(|_| RawObject::parse("{}")).ok()?;
    let edits: Vec<_> = change.annotations.iter().map(|(key, value)| Edit::Set(key, value)).collect();
    Some(to_text(|out| object.write(&edits, out)))
}

/// What was written out of strings, as a string.
fn to_text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}
