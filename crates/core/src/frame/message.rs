//! The four kinds of message.

use super::{
    FrameError, Id, RawObject, ResultTraits, decode_string,
    scan::{Keys, Scanner},
};
use smallvec::SmallVec;
use std::borrow::Cow;

/// One JSON-RPC 2.0 message, borrowed from its bytes.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// A method with an id.
    Request(Request<'a>),
    /// A method without an id.
    Notification(Notification<'a>),
    /// The result of a request.
    Response(Response<'a>),
    /// The failure of a request; without an id when the peer could not tell which.
    Error(Option<Id<'a>>, ErrorObject<'a>),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The sender's id.
    pub id: Id<'a>,
    /// The method.
    pub method: Cow<'a, str>,
    /// The parameters; absent and `null` are the same.
    pub params: Option<RawObject<'a>>,
}

/// A notification.
#[derive(Clone, Debug)]
pub struct Notification<'a> {
    /// The method.
    pub method: Cow<'a, str>,
    /// The parameters; absent and `null` are the same.
    pub params: Option<RawObject<'a>>,
}

/// A result.
#[derive(Clone)]
pub struct Response<'a> {
    /// The id of the request that it answers.
    pub id: Id<'a>,
    /// The text of the result: an object in every revision of MCP, in which no key stands twice.
    pub result: &'a str,
    /// What members it has that differ between the eras.
    pub traits: ResultTraits,
}

/// A JSON-RPC error.
#[derive(Clone)]
pub struct ErrorObject<'a> {
    /// The code.
    pub code: i64,
    /// The whole object: code, message, data, and whatever else is in it.
    pub object: RawObject<'a>,
}

impl std::fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("id", &self.id).field("bytes", &self.result.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ErrorObject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ErrorObject").field("code", &self.code).finish_non_exhaustive()
    }
}

/// What counts of a message's members.
#[derive(Default)]
struct Envelope<'a> {
    jsonrpc: Option<&'a str>,
    id: Option<&'a str>,
    method: Option<&'a str>,
    params: Option<Part<'a, RawObject<'a>>>,
    result: Option<Part<'a, (&'a str, ResultTraits)>>,
    error: Option<Part<'a, RawObject<'a>>>,
}

/// A member that has to be an object.
enum Part<'a, T> {
    Object(T),
    /// It is something else.
    Other(&'a str),
}

impl<'a> Envelope<'a> {
    fn scan(scanner: &mut Scanner<'a>, depth: usize) -> Result<Self, FrameError> {
        let mut envelope = Self::default();
        let (start, mut others, mut is_unique) = (scanner.at(), Keys::default(), true);
        scanner.members(depth, |scanner, raw_key, is_plain| {
            let key = scanner.key(raw_key, is_plain)?;
            let is_new = match &*key {
                "jsonrpc" => envelope.jsonrpc.replace(scanner.value(depth)?).is_none(),
                "id" => envelope.id.replace(scanner.value(depth)?).is_none(),
                "method" => envelope.method.replace(scanner.value(depth)?).is_none(),
                "params" => envelope.params.replace(Part::scan(scanner, depth, Scanner::object)?).is_none(),
                "result" => envelope.result.replace(Part::scan(scanner, depth, result)?).is_none(),
                "error" => envelope.error.replace(Part::scan(scanner, depth, Scanner::object)?).is_none(),
                _ => {
                    scanner.value(depth)?;
                    others.insert(key)
                }
            };
            is_unique &= is_new;
            Ok(())
        })?;
        if is_unique { Ok(envelope) } else { Err(FrameError::DuplicateKey(start)) }
    }
}

/// Passes over a result and notes what is in it: it may be long, and is not read again for that.
fn result<'a>(scanner: &mut Scanner<'a>, depth: usize) -> Result<(&'a str, ResultTraits), FrameError> {
    let mut traits = ResultTraits::default();
    let text = scanner.object_text(depth, |key, value| traits.note(key, value))?;
    Ok((text, traits))
}

impl<'a, T> Part<'a, T> {
    fn scan(
        scanner: &mut Scanner<'a>,
        depth: usize,
        object: fn(&mut Scanner<'a>, usize) -> Result<T, FrameError>,
    ) -> Result<Self, FrameError> {
        if scanner.starts_with(b'{') { object(scanner, depth + 1).map(Self::Object) } else { scanner.value(depth).map(Self::Other) }
    }
}

impl<'a> Message<'a> {
    /// Reads one message.
    ///
    /// # Errors
    /// [`FrameError::Batch`] for an array, else what is wrong with the bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let text = text(bytes)?;
        let mut scanner = Scanner::new(text);
        scanner.skip_space();
        if scanner.starts_with(b'[') {
            scanner.value(0)?;
            scanner.end()?;
            return Err(FrameError::Batch);
        }
        Self::single(&mut scanner)
    }

    /// Reads a message or, as only revision 2025-03-26 allows, a non-empty array of them with at most `limit` elements.
    /// The flag tells whether it was an array.
    ///
    /// # Errors
    /// As [`Self::parse`]; one wrong element makes the whole array wrong.
    pub fn parse_batch(bytes: &'a [u8], limit: usize) -> Result<(SmallVec<[Self; 1]>, bool), FrameError> {
        let text = text(bytes)?;
        let mut scanner = Scanner::new(text);
        scanner.skip_space();
        let mut messages = SmallVec::new();
        let batch = scanner.starts_with(b'[');
        if !batch {
            messages.push(Self::single(&mut scanner)?);
            return Ok((messages, batch));
        }
        let mut wrong = None;
        scanner.elements(1, |scanner| {
            if wrong.is_none() && messages.len() == limit {
                wrong = Some("too many messages in one batch");
            }
            if wrong.is_some() {
                return scanner.value(1).map(drop);
            }
            match Self::scan(scanner, 1) {
                Ok(message) => messages.push(message),
                Err(FrameError::NotAMessage(why)) => wrong = Some(why),
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        scanner.end()?;
        if messages.is_empty() {
            wrong = wrong.or(Some("an empty batch"));
        }
        wrong.map_or(Ok((messages, batch)), |why| Err(FrameError::NotAMessage(why)))
    }

    /// Reads what has to be one message and nothing more. Something behind it makes it no JSON at all, which is the graver error.
    fn single(scanner: &mut Scanner<'a>) -> Result<Self, FrameError> {
        let message = Self::scan(scanner, 0);
        if let Ok(_) | Err(FrameError::NotAMessage(_)) = message {
            scanner.end()?;
        }
        message
    }

    fn scan(scanner: &mut Scanner<'a>, depth: usize) -> Result<Self, FrameError> {
        if !scanner.starts_with(b'{') {
            scanner.value(depth)?;
            return Err(FrameError::NotAMessage("it is not an object"));
        }
        let envelope = Envelope::scan(scanner, depth + 1)?;
        if envelope.jsonrpc.and_then(decode_string).as_deref() != Some("2.0") {
            return Err(FrameError::NotAMessage("`jsonrpc` has to be \"2.0\""));
        }
        let id = envelope.id;
        if let Some(method) = envelope.method {
            if envelope.result.is_some() || envelope.error.is_some() {
                return Err(FrameError::NotAMessage("it is both a request and a response"));
            }
            let method = decode_string(method).ok_or(FrameError::NotAMessage("`method` has to be a string"))?;
            let params = match envelope.params {
                None | Some(Part::Other("null")) => None,
                Some(Part::Object(params)) => Some(params),
                Some(Part::Other(_)) => return Err(FrameError::NotAMessage("`params` has to be an object")),
            };
            let Some(id) = id else { return Ok(Self::Notification(Notification { method, params })) };
            let id = Id::parse(id).ok_or(FrameError::NotAMessage("`id` has to be a string or a number"))?;
            return Ok(Self::Request(Request { id, method, params }));
        }
        match (envelope.result, envelope.error) {
            (Some(result), None) => {
                let id = id.and_then(Id::parse).ok_or(FrameError::NotAMessage("a result has to have an `id`"))?;
                let Part::Object((result, traits)) = result else { return Err(FrameError::NotAMessage("`result` has to be an object")) };
                Ok(Self::Response(Response { id, result, traits }))
            }
            (None, Some(error)) => {
                let Part::Object(object) = error else { return Err(FrameError::NotAMessage("`error` has to be an object")) };
                let code = object.get("code").and_then(|code| code.parse().ok());
                let code = code.ok_or(FrameError::NotAMessage("`error.code` has to be an integer"))?;
                if !object.get("message").is_some_and(|message| message.starts_with('"')) {
                    return Err(FrameError::NotAMessage("`error.message` has to be a string"));
                }
                let id = match id {
                    None | Some("null") => None,
                    Some(id) => Some(Id::parse(id).ok_or(FrameError::NotAMessage("`id` has to be a string or a number"))?),
                };
                Ok(Self::Error(id, ErrorObject { code, object }))
            }
            (Some(_), Some(_)) => Err(FrameError::NotAMessage("it has both `result` and `error`")),
            (None, None) => Err(FrameError::NotAMessage("it has neither `method` nor `result` nor `error`")),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, FrameError> {
    std::str::from_utf8(bytes).map_err(|error| FrameError::NotUtf8(error.valid_up_to()))
}
