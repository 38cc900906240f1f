//! Multi round-trip requests as they stand on the wire (2026-07-28, basic/patterns/mrtr; SEP-2322): what a result asks for, and what the
//! same request brings when it comes again.

use crate::failure::{Failure, code};
use bytes::Bytes;
use std::borrow::Cow;
use vmcp_core::frame::{RawObject, json_string};

/// The parameter that brings answers.
pub(super) const RESPONSES: &str = "inputResponses";
/// The member of a result, and the parameter of the next request, that brings what the server wants to be reminded of.
pub(super) const STATE: &str = "requestState";

/// How many answers one request may bring, and how many questions one result may ask.
pub(super) const MAX: usize = 64;

/// One thing that is asked for.
pub(super) struct Asked<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) method: Cow<'a, str>,
    pub(super) params: RawObject<'a>,
}

/// What a result with `resultType: input_required` asks for.
pub(super) struct Required<'a> {
    pub(super) asked: Vec<Asked<'a>>,
    /// `requestState`, as JSON text.
    pub(super) state: Option<&'a str>,
}

impl<'a> Required<'a> {
    /// Reads a result.
    pub(super) fn read(result: &'a str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::new(code::INTERNAL, &format!("the backend asks for input in a way that cannot be read: {what}"));
        let result = RawObject::parse(result).map_err(|_| wrong("the result is no object"))?;
        let state = result.get(STATE);
        if state.is_some_and(|state| !state.starts_with('"')) {
            return Err(wrong("`requestState` is no string"));
        }
        let mut asked = Vec::new();
        if let Some(requests) = result.get("inputRequests") {
            let requests = RawObject::parse(requests).map_err(|_| wrong("`inputRequests` is no object"))?;
            if requests.members().len() > MAX {
                return Err(wrong("it asks for too much at once"));
            }
            for member in requests.members() {
                let request = RawObject::parse(member.value()).map_err(|_| wrong("an input request is no object"))?;
                let method = request.get_str("method").ok_or_else(|| wrong("an input request has no `method`"))?;
                let params = match request.get("params") {
                    None | Some("null") => RawObject::empty(),
                    Some(params) => RawObject::parse(params).map_err(|_| wrong("the `params` of an input request are no object"))?,
                };
                asked.push(Asked { key: member.key().to_owned().into(), method, params });
            }
        }
        if asked.is_empty() && state.is_none() {
            return Err(wrong("neither `inputRequests` nor `requestState` is there"));
        }
        Ok(Self { asked, state })
    }
}

/// The JSON text of a result that asks for these: key, method, and `params` as JSON text. `state` is plain text.
pub(super) fn required<'q>(asked: impl Iterator<Item = (&'q str, &'q str, &'q [u8])>, state: Option<&str>) -> Bytes {
    let mut out = b"{\"resultType\":\"input_required\",\"inputRequests\":{".to_vec();
    for (index, (key, method, params)) in asked.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json_string(key, &mut out);
        out.extend_from_slice(b":{\"method\":");
        json_string(method, &mut out);
        out.extend_from_slice(b",\"params\":");
        out.extend_from_slice(params);
        out.push(b'}');
    }
    out.push(b'}');
    if let Some(state) = state {
        out.extend_from_slice(b",\"requestState\":");
        json_string(state, &mut out);
    }
    out.push(b'}');
    out.into()
}

/// What a request brings of an earlier round: checked, and nothing where it is the first.
pub(super) struct Brought<'a> {
    pub(super) responses: Option<RawObject<'a>>,
    pub(super) state: Option<Cow<'a, str>>,
}

impl<'a> Brought<'a> {
    /// Reads the parameters of a request. `None`: it is a first one.
    pub(super) fn read(params: &RawObject<'a>) -> Result<Option<Self>, Failure> {
        let (responses, state) = (params.get(RESPONSES), params.get(STATE));
        if responses.is_none() && state.is_none() {
            return Ok(None);
        }
        let responses = responses.map(check_responses).transpose()?;
        let state = match state {
            None => None,
            Some(_) => Some(params.get_str(STATE).ok_or_else(|| Failure::invalid_params("`requestState` has to be a string"))?),
        };
        Ok(Some(Self { responses, state }))
    }
}

/// The answers by key, each an object that can answer something.
fn check_responses(text: &str) -> Result<RawObject<'_>, Failure> {
    let wrong = |what: String| Failure::invalid_params(&format!("`inputResponses` {what}"));
    let responses = RawObject::parse(text).map_err(|_| wrong("has to be an object with one answer for each key".to_owned()))?;
    if responses.members().len() > MAX {
        return Err(wrong(format!("has more than {MAX} answers")));
    }
    for member in responses.members() {
        let answer = RawObject::parse(member.value()).ok();
        if !answer.is_some_and(|answer| is_answer(&answer)) {
            let what = "is no result of elicitation/create (`action`), sampling/createMessage (`role`, `content`, `model`) or roots/list (`roots`)";
            return Err(wrong(format!("[{:?}] {what}", member.key())));
        }
    }
    Ok(responses)
}

/// Whether an object can be the result of something that clients are asked.
fn is_answer(answer: &RawObject<'_>) -> bool {
    can_answer("elicitation/create", answer) || can_answer("sampling/createMessage", answer) || can_answer("roots/list", answer)
}

/// Whether an object can be the result of this method (2025-11-25 and 2026-07-28, schema `ElicitResult`, `CreateMessageResult`,
/// `ListRootsResult`).
pub(super) fn can_answer(method: &str, answer: &RawObject<'_>) -> bool {
    match method {
        "elicitation/create" => {
            matches!(answer.get_str("action").as_deref(), Some("accept" | "decline" | "cancel"))
                && answer.get("content").is_none_or(|content| content.starts_with('{') || content == "null")
        }
        "sampling/createMessage" => {
            answer.get("role").is_some_and(|role| role.starts_with('"'))
                && answer.get("content").is_some_and(|content| content.starts_with(['{', '[']))
                && answer.get("model").is_some_and(|model| model.starts_with('"'))
        }
        "roots/list" => answer.get("roots").is_some_and(|roots| roots.starts_with('[')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_result_asks_for_is_read_as_it_was_written() {
        let written =
            required([("a\"b", "roots/list", b"{}".as_slice()), ("c", "elicitation/create", br#"{"n":1e400}"#)].into_iter(), Some("s\n"));
        let text = std::str::from_utf8(&written).unwrap();
        let read = Required::read(text).unwrap();
        let asked: Vec<_> = read.asked.iter().map(|asked| (&*asked.key, &*asked.method, asked.params.text())).collect();
        assert_eq!(asked, [("a\"b", "roots/list", "{}"), ("c", "elicitation/create", r#"{"n":1e400}"#)]);
        assert_eq!(read.state, Some(r#""s\n""#));
    }

    #[test]
    fn a_result_that_asks_for_nothing_or_in_no_readable_way_is_an_error() {
        for wrong in [
            "{}",
            r#"{"inputRequests":{}}"#,
            r#"{"inputRequests":[]}"#,
            r#"{"inputRequests":{"a":1}}"#,
            r#"{"inputRequests":{"a":{}}}"#,
            r#"{"inputRequests":{"a":{"method":"roots/list","params":1}}}"#,
            r#"{"requestState":1}"#,
        ] {
            assert_eq!(Required::read(wrong).map(|_| ()).map_err(|failure| failure.code()), Err(-32603), "{wrong}");
        }
        assert!(Required::read(r#"{"requestState":"later"}"#).is_ok_and(|read| read.asked.is_empty()));
    }

    fn brought(params: &str) -> Result<bool, i64> {
        let params = RawObject::parse(params).unwrap();
        Brought::read(&params).map(|brought| brought.is_some()).map_err(|failure| failure.code())
    }

    #[test]
    fn answers_that_answer_nothing_are_refused() {
        for right in [
            r#"{"inputResponses":{}}"#,
            r#"{"inputResponses":{"a":{"action":"accept","content":{}},"b":{"roots":[]}},"requestState":""}"#,
            r#"{"inputResponses":{"c":{"role":"assistant","content":{},"model":"m"}}}"#,
        ] {
            assert_eq!(brought(right), Ok(true), "{right}");
        }
        assert_eq!(brought("{}"), Ok(false));
        for wrong in [
            r#"{"inputResponses":[]}"#,
            r#"{"inputResponses":null}"#,
            r#"{"inputResponses":{"a":1}}"#,
            r#"{"inputResponses":{"a":{}}}"#,
            r#"{"inputResponses":{"a":{"action":"maybe"}}}"#,
            r#"{"inputResponses":{"a":{"action":"accept","content":7}}}"#,
            r#"{"inputResponses":{"a":{"role":"assistant"}}}"#,
            r#"{"requestState":{}}"#,
        ] {
            assert_eq!(brought(wrong), Err(-32602), "{wrong}");
        }
    }
}
