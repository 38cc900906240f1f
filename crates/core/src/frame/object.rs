//! An object in its raw text, with its members found.

use super::{FrameError, decode_string, scan::Scanner, write::json_string};
use std::{borrow::Cow, collections::HashSet};

/// A JSON object that keeps its text and the order of its members. No key stands twice.
#[derive(Clone)]
pub struct RawObject<'a> {
    text: &'a str,
    members: Vec<Member<'a>>,
    /// `_meta`, taken apart in the same pass: several look into it, of every modern request.
    meta: Option<Box<RawObject<'a>>>,
}

/// One member of a [`RawObject`].
#[derive(Clone)]
pub struct Member<'a> {
    pub(super) raw_key: &'a str,
    pub(super) key: Cow<'a, str>,
    pub(super) value: &'a str,
}

impl<'a> Member<'a> {
    /// The key, escapes resolved.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value's JSON text.
    #[must_use]
    pub fn value(&self) -> &'a str {
        self.value
    }
}

/// A change to one member, for [`RawObject::write`].
#[derive(Clone, Copy, Debug)]
pub enum Edit<'e> {
    /// Gives the member this JSON text; a member that is not there is added at the end.
    Set(&'e str, &'e str),
    /// Leaves the member out.
    Remove(&'e str),
}

impl Edit<'_> {
    fn key(&self) -> &str {
        match self {
            Self::Set(key, _) | Self::Remove(key) => key,
        }
    }
}

/// Up to this many members are compared pairwise; beyond it a set is built.
const PAIRWISE: usize = 12;

impl<'a> RawObject<'a> {
    pub(super) fn new(text: &'a str, members: Vec<Member<'a>>, meta: Option<Box<Self>>) -> Option<Self> {
        let unique = if members.len() <= PAIRWISE {
            members.iter().enumerate().all(|(i, member)| members[..i].iter().all(|other| other.key != member.key))
        } else {
            let mut seen = HashSet::with_capacity(members.len());
            members.iter().all(|member| seen.insert(member.key.as_ref()))
        };
        unique.then_some(Self { text, members, meta })
    }

    /// `{}`.
    #[must_use]
    pub fn empty() -> Self {
        Self { text: "{}", members: Vec::new(), meta: None }
    }

    /// Reads `text`, which has to be one object with nothing but space around it.
    ///
    /// # Errors
    /// When it is not, or a key stands twice in it.
    pub fn parse(text: &'a str) -> Result<Self, FrameError> {
        let mut scanner = Scanner::new(text);
        scanner.skip_space();
        if !scanner.starts_with(b'{') {
            return Err(FrameError::Syntax { at: 0, expected: "an object" });
        }
        let object = scanner.object(1)?;
        scanner.end()?;
        Ok(object)
    }

    /// The text, from brace to brace.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The members in their order.
    #[must_use]
    pub fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    /// The JSON text of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.members.iter().find(|member| member.key == key).map(|member| member.value)
    }

    /// A member that is a string.
    #[must_use]
    pub fn get_str(&self, key: &str) -> Option<Cow<'a, str>> {
        decode_string(self.get(key)?)
    }

    /// A member that is an object. `None` also when a key stands twice in it.
    #[must_use]
    pub fn get_object(&self, key: &str) -> Option<RawObject<'a>> {
        RawObject::parse(self.get(key)?).ok()
    }

    /// The member `_meta`, as [`Self::get_object`] gives it.
    #[must_use]
    pub fn meta(&self) -> Option<&RawObject<'a>> {
        self.meta.as_deref()
    }

    /// Writes the object with changes. Members that no edit names keep key and value byte for byte, and their order. Where several
    /// edits name one member, the first counts.
    pub fn write(&self, edits: &[Edit<'_>], out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        let mut separate = |out: &mut Vec<u8>| {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
        };
        for member in &self.members {
            let value = match edits.iter().find(|edit| edit.key() == member.key) {
                Some(Edit::Remove(_)) => continue,
                Some(Edit::Set(_, value)) => value,
                None => member.value,
            };
            separate(out);
            out.extend_from_slice(member.raw_key.as_bytes());
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
        }
        for (at, edit) in edits.iter().enumerate() {
            if let Edit::Set(key, value) = edit
                && self.get(key).is_none()
                && edits[..at].iter().all(|earlier| earlier.key() != *key)
            {
                separate(out);
                json_string(key, out);
                out.push(b':');
                out.extend_from_slice(value.as_bytes());
            }
        }
        out.push(b'}');
    }
}

impl std::fmt::Debug for RawObject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Arguments and results are nobody's business: keys and a length only.
        write!(f, "RawObject({} bytes:", self.text.len())?;
        for member in &self.members {
            write!(f, " {}", member.key)?;
        }
        f.write_str(")")
    }
}
