//! A message is what JSON-RPC 2.0 and MCP say it is, and says what serde_json finds in it; a batch is its messages.

#![no_main]

use frame::{ErrorObject, FrameError, Message, RawObject};
use libfuzzer_sys::fuzz_target;
use oracle::Member;
use std::collections::HashSet;
use vmcp_fuzz as oracle;

#[allow(dead_code, unused_imports)]
#[path = "../../crates/core/src/frame/mod.rs"]
mod frame;

const LIMIT: usize = 3;

fuzz_target!(|bytes: &[u8]| {
    let parsed = Message::parse(bytes);
    let said = parsed.as_ref().ok().map(Said::of);
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert!(matches!(parsed, Err(FrameError::NotUtf8(_))));
        return;
    };
    assert_eq!(said, expected(text), "{parsed:?}");
    match &parsed {
        Ok(Message::Request(request)) => object(request.params.as_ref()),
        Ok(Message::Notification(notification)) => object(notification.params.as_ref()),
        Ok(Message::Error(_, error)) => object(Some(&error.object)),
        Ok(Message::Response(response)) => assert_eq!(response.traits, traits(response.result)),
        Err(FrameError::NotAMessage(_) | FrameError::Batch) => assert!(oracle::is_json(text), "it is no JSON at all"),
        Err(FrameError::Syntax { at, expected }) => {
            assert!(*at <= bytes.len());
            assert!(!oracle::is_json(text) || expected.contains("surrogates"), "JSON is refused");
        }
        Err(_) => {}
    }
    batch(text, &parsed);
});

/// What a message says, in texts.
#[derive(Debug, PartialEq)]
enum Said<'a> {
    Request { id: &'a str, method: String, params: Option<&'a str> },
    Notification { method: String, params: Option<&'a str> },
    Response { id: &'a str, result: &'a str },
    Error { id: Option<&'a str>, code: i64, object: &'a str },
}

impl<'a> Said<'a> {
    fn of(message: &Message<'a>) -> Self {
        let text = |params: &Option<RawObject<'a>>| params.as_ref().map(RawObject::text);
        match message {
            Message::Request(it) => Self::Request { id: it.id.raw(), method: it.method.clone().into_owned(), params: text(&it.params) },
            Message::Notification(it) => Self::Notification { method: it.method.clone().into_owned(), params: text(&it.params) },
            Message::Response(it) => Self::Response { id: it.id.raw(), result: it.result },
            Message::Error(id, ErrorObject { code, object }) => {
                Self::Error { id: id.map(|id| id.raw()), code: *code, object: object.text() }
            }
        }
    }
}

/// What the text says as a message, if it is one.
fn expected(text: &str) -> Option<Said<'_>> {
    if !oracle::is_json(text) || oracle::depth(text) > frame::MAX_DEPTH {
        return None;
    }
    let envelope = unique(text)?;
    let get = |key| value(&envelope, key);
    for key in ["params", "error"] {
        if get(key).is_some_and(|part| part.starts_with('{') && (unique(part).is_none() || !meta_is_readable(part))) {
            return None;
        }
    }
    if get("result").is_some_and(|result| result.starts_with('{') && unique(result).is_none()) {
        return None;
    }
    if oracle::string(get("jsonrpc")?)? != "2.0" {
        return None;
    }
    let is_id = |id: &&str| matches!(id.as_bytes()[0], b'"' | b'-' | b'0'..=b'9');
    match (get("method"), get("result"), get("error")) {
        (Some(method), None, None) => {
            let method = oracle::string(method)?;
            let params = get("params").filter(|params| *params != "null");
            if params.is_some_and(|params| !params.starts_with('{')) {
                return None;
            }
            match get("id") {
                None => Some(Said::Notification { method, params }),
                Some(id) => Some(Said::Request { id: Some(id).filter(is_id)?, method, params }),
            }
        }
        (None, Some(result), None) if result.starts_with('{') => Some(Said::Response { id: get("id").filter(is_id)?, result }),
        (None, None, Some(object)) if object.starts_with('{') => {
            let members = unique(object)?;
            let code = value(&members, "code")?.parse().ok()?;
            value(&members, "message").filter(|message| message.starts_with('"'))?;
            match get("id") {
                None | Some("null") => Some(Said::Error { id: None, code, object }),
                Some(id) => Some(Said::Error { id: Some(Some(id).filter(is_id)?), code, object }),
            }
        }
        _ => None,
    }
}

/// The members of an object in which no key stands twice.
fn unique(text: &str) -> Option<Vec<Member<'_>>> {
    let members = oracle::members(text)?;
    let keys: HashSet<&str> = members.iter().map(|member| member.key.as_str()).collect();
    (keys.len() == members.len()).then_some(members)
}

fn value<'a>(members: &[Member<'a>], key: &str) -> Option<&'a str> {
    members.iter().find(|member| member.key == key).map(|member| member.value)
}

/// Whether no key has lone surrogates in `_meta`, and in that of `_meta`, which are taken apart with their object.
fn meta_is_readable(text: &str) -> bool {
    let Some(members) = oracle::members(text) else { return false };
    members.iter().all(|member| member.key != "_meta" || !member.value.starts_with('{') || meta_is_readable(member.value))
}

/// An object has the members that others find in it, and so has its `_meta`.
fn object(object: Option<&RawObject<'_>>) {
    let Some(object) = object else { return };
    let members = unique(object.text()).expect("an object of unique keys");
    assert_eq!(object.members().len(), members.len());
    for (found, member) in object.members().iter().zip(&members) {
        assert_eq!((found.key(), found.value()), (member.key.as_str(), member.value));
    }
    let meta = value(&members, "_meta").filter(|meta| meta.starts_with('{') && unique(meta).is_some());
    assert_eq!(object.meta().map(RawObject::text), meta);
}

fn traits(result: &str) -> frame::ResultTraits {
    use frame::ResultKind;
    let members = unique(result).expect("a result of unique keys");
    frame::ResultTraits {
        kind: match value(&members, "resultType").map(oracle::string) {
            None => ResultKind::Absent,
            Some(Some(kind)) if kind == "complete" => ResultKind::Complete,
            Some(Some(kind)) if kind == "input_required" => ResultKind::InputRequired,
            Some(_) => ResultKind::Other,
        },
        has_ttl: value(&members, "ttlMs").is_some(),
        has_cache_scope: value(&members, "cacheScope").is_some(),
        has_bare_content: value(&members, "structuredContent").is_some_and(|content| !content.starts_with('{')),
    }
}

/// Where a batch may stand: a single message is read as ever, and an array is what its elements are.
fn batch(text: &str, single: &Result<Message<'_>, FrameError>) {
    let parsed = Message::parse_batch(text.as_bytes(), LIMIT);
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('[') {
        match (parsed, single) {
            (Ok((messages, false)), Ok(single)) => assert_eq!(messages.iter().map(Said::of).collect::<Vec<_>>(), [Said::of(single)]),
            (Err(error), Err(single)) => assert_eq!(error, *single),
            (parsed, _) => panic!("the two readings differ: {parsed:?}"),
        }
        return;
    }
    assert!(single.is_err());
    let shallow = oracle::is_json(text) && oracle::depth(text) <= frame::MAX_DEPTH;
    if shallow {
        assert_eq!(single.as_ref().err(), Some(&FrameError::Batch));
    }
    let elements = oracle::elements(text).filter(|elements| shallow && (1..=LIMIT).contains(&elements.len()));
    let expected: Option<Vec<_>> = elements.and_then(|elements| elements.into_iter().map(expected).collect());
    assert_eq!(
        parsed.ok().map(|(messages, is_batch)| (messages.iter().map(Said::of).collect(), is_batch)),
        expected.map(|all| (all, true))
    );
}
