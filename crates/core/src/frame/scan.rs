//! The scanner: JSON's grammar, once over, without building anything.

use super::{FrameError, Member, RawObject};
use memchr::memchr2;
use smallvec::SmallVec;
use std::{borrow::Cow, collections::HashSet};

/// How deep arrays and objects may be nested, the outermost counting one.
pub const MAX_DEPTH: usize = 128;

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// How many bytes of a string are looked at here before a vector search takes over.
const SHORT: usize = 64;

/// The high bit of the first byte of a word that does not stand for itself inside a string; bits above it may be wrong.
#[inline]
fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    // Without the high bits at the end: those are taken off once for all three.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64)) | controls) & (ONES << 7)
}

/// How many of the first bytes stand for themselves inside a string: no quote, no backslash, no control character.
pub(super) fn plain(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            return at * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let whole = words.len() * 8;
    if let (Some(last), false) = (bytes.last_chunk::<8>(), rest.is_empty()) {
        // The last eight bytes together: those that were looked at already stand for themselves.
        let special = specials(u64::from_le_bytes(*last));
        return if special == 0 { bytes.len() } else { bytes.len() - 8 + special.trailing_zeros() as usize / 8 };
    }
    whole + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).unwrap_or(rest.len())
}

/// The keys that an object has had so far.
#[derive(Default)]
pub(super) struct Keys<'a> {
    few: SmallVec<[Cow<'a, str>; FEW]>,
    many: HashSet<Cow<'a, str>>,
}

/// So many keys are compared one by one; for more a set is built.
const FEW: usize = 8;

impl<'a> Keys<'a> {
    /// Whether the key is new.
    pub(super) fn insert(&mut self, key: Cow<'a, str>) -> bool {
        if !self.many.is_empty() {
            return self.many.insert(key);
        }
        if self.few.contains(&key) {
            return false;
        }
        if self.few.len() == FEW {
            self.many.extend(self.few.drain(..));
            return self.many.insert(key);
        }
        self.few.push(key);
        true
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected(&self, expected: &'static str) -> FrameError {
        FrameError::Syntax { at: self.at, expected }
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn starts_with(&self, byte: u8) -> bool {
        self.peek() == Some(byte)
    }

    /// Nothing but space may follow.
    pub(super) fn end(&mut self) -> Result<(), FrameError> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected("the end")) }
    }

    /// Passes over one value and returns its text. `depth` is the number of levels around it.
    pub(super) fn value(&mut self, depth: usize) -> Result<&'a str, FrameError> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.skip_object(depth + 1)?,
            Some(b'[') => self.skip_array(depth + 1)?,
            Some(b'"') => drop(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            _ => return Err(self.expected("a value")),
        }
        Ok(&self.text[start..self.at])
    }

    /// Passes over an object and lists its members.
    pub(super) fn object(&mut self, depth: usize) -> Result<RawObject<'a>, FrameError> {
        let start = self.at;
        let (mut members, mut meta) = (Vec::with_capacity(4), None);
        self.members(depth, |scanner, raw_key, is_plain| {
            let key = scanner.key(raw_key, is_plain)?;
            let value = if key == "_meta" && scanner.starts_with(b'{') {
                let start = scanner.at;
                meta = match scanner.object(depth + 1) {
                    Ok(object) => Some(Box::new(object)),
                    // It is passed over all the same.
                    Err(FrameError::DuplicateKey(_)) => None,
                    Err(error) => return Err(error),
                };
                &scanner.text[start..scanner.at]
            } else {
                scanner.value(depth)?
            };
            members.push(Member { raw_key, key, value });
            Ok(())
        })?;
        RawObject::new(&self.text[start..self.at], members, meta).ok_or(FrameError::DuplicateKey(start))
    }

    /// Passes over an object in which no key may stand twice, and returns its text. `each` gets every key and its value's text.
    pub(super) fn object_text(&mut self, depth: usize, mut each: impl FnMut(&str, &str)) -> Result<&'a str, FrameError> {
        let (start, mut keys, mut is_unique) = (self.at, Keys::default(), true);
        self.members(depth, |scanner, raw_key, is_plain| {
            let key = scanner.key(raw_key, is_plain)?;
            each(&key, scanner.value(depth)?);
            is_unique &= keys.insert(key);
            Ok(())
        })?;
        if is_unique { Ok(&self.text[start..self.at]) } else { Err(FrameError::DuplicateKey(start)) }
    }

    /// What a key's text stands for.
    pub(super) fn key(&self, raw_key: &'a str, is_plain: bool) -> Result<Cow<'a, str>, FrameError> {
        let key = if is_plain { Some(Cow::Borrowed(&raw_key[1..raw_key.len() - 1])) } else { decode_string(raw_key) };
        key.ok_or_else(|| self.expected("a key without lone surrogates"))
    }

    fn skip_object(&mut self, depth: usize) -> Result<(), FrameError> {
        self.members(depth, |scanner, _, _| scanner.value(depth).map(drop))
    }

    /// Goes through an object's members; `each` gets a key's text and whether it is without escapes, and has to pass over the value.
    pub(super) fn members(
        &mut self,
        depth: usize,
        mut each: impl FnMut(&mut Self, &'a str, bool) -> Result<(), FrameError>,
    ) -> Result<(), FrameError> {
        if depth > MAX_DEPTH {
            return Err(FrameError::TooDeep);
        }
        self.at += 1;
        self.skip_space();
        if self.starts_with(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if !self.starts_with(b'"') {
                return Err(self.expected("a key"));
            }
            let start = self.at;
            let is_plain = self.string()?;
            let raw_key = &self.text[start..self.at];
            self.skip_space();
            if !self.starts_with(b':') {
                return Err(self.expected("`:`"));
            }
            self.at += 1;
            self.skip_space();
            each(self, raw_key, is_plain)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.expected("`,` or `}`")),
            }
            self.skip_space();
        }
    }

    fn skip_array(&mut self, depth: usize) -> Result<(), FrameError> {
        self.elements(depth, |scanner| scanner.value(depth).map(drop))
    }

    /// Goes through an array's elements; `each` has to pass over the value.
    pub(super) fn elements(&mut self, depth: usize, mut each: impl FnMut(&mut Self) -> Result<(), FrameError>) -> Result<(), FrameError> {
        if depth > MAX_DEPTH {
            return Err(FrameError::TooDeep);
        }
        self.at += 1;
        self.skip_space();
        if self.starts_with(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            each(self)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.expected("`,` or `]`")),
            }
            self.skip_space();
        }
    }

    /// Passes over a string; whether it is without escapes.
    fn string(&mut self) -> Result<bool, FrameError> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        // Most strings are short and have nothing special in them: for them this is all, and cheaper than setting up a vector search.
        let mut at = self.at;
        while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let special = specials(u64::from_le_bytes(*word));
            if special == 0 && at - self.at < SHORT {
                at += 8;
                continue;
            }
            at += special.trailing_zeros() as usize / 8;
            if bytes.get(at) == Some(&b'"') {
                self.at = at + 1;
                return Ok(true);
            }
            break;
        }
        self.at = at;
        self.long_string()
    }

    /// The rest of a string, whatever is in it.
    #[inline(never)]
    fn long_string(&mut self) -> Result<bool, FrameError> {
        let bytes = self.text.as_bytes();
        let mut is_plain = true;
        loop {
            self.at += plain(&bytes[self.at..bytes.len().min(self.at + SHORT)]);
            let rest = &bytes[self.at..];
            if let Some(b'"') = rest.first() {
                self.at += 1;
                return Ok(is_plain);
            }
            let Some(found) = memchr2(b'"', b'\\', rest) else {
                self.at = bytes.len();
                return Err(self.expected("`\"`"));
            };
            if let Some(control) = rest[..found].iter().position(|b| *b < 0x20) {
                self.at += control;
                return Err(self.expected("no control character in a string"));
            }
            self.at += found;
            if bytes[self.at] == b'"' {
                self.at += 1;
                return Ok(is_plain);
            }
            is_plain = false;
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Result<(), FrameError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(self.expected("four hexadecimal digits"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.expected("an escape")),
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), FrameError> {
        if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return Err(self.expected("a digit"));
        }
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), FrameError> {
        if self.starts_with(b'-') {
            self.at += 1;
        }
        if self.starts_with(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.starts_with(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn word(&mut self, word: &'static str) -> Result<(), FrameError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.expected("a value"))
        }
    }
}

/// Whether `text` is exactly one JSON value, space around it allowed.
#[must_use]
pub fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.skip_space();
    scanner.value(0).is_ok() && scanner.end().is_ok()
}

/// The string that a JSON string literal stands for; `None` when it is no string or has lone surrogates.
#[must_use]
pub fn decode_string(literal: &str) -> Option<Cow<'_, str>> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    if plain(inner.as_bytes()) == inner.len() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(literal).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::plain;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plain_bytes_are_counted_as_one_by_one(bytes in prop::collection::vec(any::<u8>(), 0..80), start in 0usize..8) {
            // Mostly plain ones, with everything near the borders among them.
            let bytes: Vec<u8> = bytes.iter().map(|byte| if *byte < 0xf0 { 0x20 + byte % 2 } else { [0, 0x1f, 0x22, 0x5c, 0x7f, 0x80, 0xa2, 0xff, 0x5d, 0x21, 0x23, 0x20, 0x9f, 0xdc, 0x1e, 0x5b][usize::from(byte - 0xf0)] }).collect();
            let bytes = &bytes[start.min(bytes.len())..];
            let one_by_one = bytes.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..0x20)).count();
            prop_assert_eq!(plain(bytes), one_by_one);
        }
    }
}
