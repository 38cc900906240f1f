//! One listed item: where its text stands, and what is read of it.

use crate::{
    catalogue::{ListKind, facts::ToolFacts},
    frame::{FrameError, RawObject},
};
use std::{ops::Range, sync::Arc};

/// Why an item cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not an object that can be read.
    #[error("not a readable object: {0}")]
    NotAnObject(#[from] FrameError),
    /// Without the member that callers address it by.
    #[error("`{0}` is missing, empty or not a string")]
    NoKey(&'static str),
}

/// One item of a list. Ranges count bytes of the list's text, which is capped far below 4 GiB.
#[derive(Clone, Debug)]
pub(in crate::catalogue) struct Item {
    text: Range<u32>,
    key_literal: Range<u32>,
    key: Arc<str>,
    tool: Option<Box<ToolFacts>>,
}

impl Item {
    /// Reads one item and appends its text to the list's.
    pub(super) fn read(kind: ListKind, raw: &str, arena: &mut String) -> Result<Self, Malformed> {
        let object = RawObject::parse(raw)?;
        let name = kind.item_key();
        let literal = object.get(name).ok_or(Malformed::NoKey(name))?;
        let key = object.get_str(name).filter(|key| !key.is_empty()).ok_or(Malformed::NoKey(name))?;
        let text = object.text();
        let start = arena.len();
        // The literal is a part of the object's text: the difference of their addresses is its place in it.
        let key_start = start + (literal.as_ptr() as usize - text.as_ptr() as usize);
        arena.push_str(text);
        Ok(Self {
            text: start as u32..arena.len() as u32,
            key_literal: key_start as u32..(key_start + literal.len()) as u32,
            key: key.into(),
            tool: (kind == ListKind::Tools).then(|| Box::new(ToolFacts::read(&object))),
        })
    }

    /// The item's text in the list's text.
    pub(in crate::catalogue) fn text<'a>(&self, arena: &'a str) -> &'a str {
        &arena[self.text.start as usize..self.text.end as usize]
    }

    /// The text before and behind the JSON string literal of the key.
    pub(in crate::catalogue) fn around_key<'a>(&self, arena: &'a str) -> (&'a str, &'a str) {
        let (key, text) = (&self.key_literal, &self.text);
        (&arena[text.start as usize..key.start as usize], &arena[key.end as usize..text.end as usize])
    }

    /// The name, URI or template that addresses it at its backend.
    pub(in crate::catalogue) fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// What is known of it if it is a tool.
    pub(in crate::catalogue) fn tool(&self) -> Option<&ToolFacts> {
        self.tool.as_deref()
    }

    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.tool.as_ref().map_or(0, |_| size_of::<ToolFacts>())
    }
}
