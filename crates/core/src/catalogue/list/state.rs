//! A list as text for the state folder, so that a restart has a last good list.

use super::{BackendList, BackendListBuilder, CacheScope, KindList};
use crate::{Era, catalogue::ListKind, frame::json_string};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

const VERSION: u32 = 1;

/// Why a text is no list that [`BackendList::to_json`] wrote.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not readable.
    #[error("not a stored list: line {line}, column {column}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// Of another version of vmcp.
    #[error("stored in format {0}, this vmcp reads format {VERSION}")]
    Version(u32),
    /// Of an era that does not exist.
    #[error("stored with an unknown era")]
    Era,
}

#[derive(Deserialize)]
struct Stored<'a> {
    version: u32,
    era: &'a str,
    instructions: Option<String>,
    #[serde(borrow)]
    lists: BTreeMap<&'a str, StoredList<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredList<'a> {
    ttl_ms: u64,
    cache_scope: &'a str,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

impl BackendList {
    /// The list as JSON text; the items stand in it byte for byte.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = format!(r#"{{"version":{VERSION},"era":"{}""#, self.era).into_bytes();
        if let Some(instructions) = &self.instructions {
            out.extend_from_slice(b",\"instructions\":");
            json_string(instructions, &mut out);
        }
        out.extend_from_slice(b",\"lists\":{");
        let mut first = true;
        for kind in ListKind::ALL {
            let list = self.list(kind);
            if list.hints.is_some() {
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                list.write(kind, &mut out);
            }
        }
        out.extend_from_slice(b"}}");
        // Everything that was written came from strings.
        String::from_utf8(out).unwrap_or_default()
    }

    /// Reads back what [`Self::to_json`] wrote. The same bounds hold as for a backend's pages.
    ///
    /// # Errors
    /// When the text is something else. Never quotes it.
    pub fn from_json(text: &str) -> Result<Self, StateError> {
        let stored: Stored<'_> =
            serde_json::from_str(text).map_err(|error| StateError::Syntax { line: error.line(), column: error.column() })?;
        if stored.version != VERSION {
            return Err(StateError::Version(stored.version));
        }
        let era = [Era::Legacy, Era::Modern].into_iter().find(|era| era.as_str() == stored.era).ok_or(StateError::Era)?;
        let mut builder = BackendListBuilder::new(era);
        if let Some(instructions) = &stored.instructions {
            builder.instructions(instructions);
        }
        for kind in ListKind::ALL {
            if let Some(list) = stored.lists.get(kind.result_key()) {
                let items: Vec<&str> = list.items.iter().map(|item| item.get()).collect();
                // A list that is over a bound was written by somebody else: what fits is as good as what a backend would give.
                let _ = builder.add_page(kind, &items);
                builder.page_hints(kind, i64::try_from(list.ttl_ms).ok(), Some(list.cache_scope));
            }
        }
        Ok(builder.build())
    }
}

impl KindList {
    fn write(&self, kind: ListKind, out: &mut Vec<u8>) {
        let (ttl, scope) = self.hints.map_or((0, CacheScope::Private), |hints| (hints.ttl_ms, hints.scope));
        let head = format!(r#""{}":{{"ttlMs":{ttl},"cacheScope":"{}","items":["#, kind.result_key(), scope.as_str());
        out.extend_from_slice(head.as_bytes());
        for (at, item) in self.items.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(item.text(&self.text).as_bytes());
        }
        out.extend_from_slice(b"]}");
    }
}
