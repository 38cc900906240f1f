//! Results between eras: only the members that one of them requires or forbids change.

use super::carried::Carried;
use crate::failure::{Failure, code};
use bytes::Bytes;
use smallvec::SmallVec;
use vmcp_core::{
    Era,
    frame::{Edit, RawObject, ResultKind, ResultTraits},
};

/// The result as the caller's era wants it. Untouched where nothing has to change.
pub(crate) fn result(carried: Carried, caller: Era, backend: Era, traits: ResultTraits, result: Bytes) -> Result<Bytes, Failure> {
    if caller == Era::Legacy && backend == Era::Legacy {
        return Ok(result);
    }
    let edits = match caller {
        Era::Modern => to_modern(carried, backend, traits)?,
        Era::Legacy => to_legacy(traits)?,
    };
    if edits.is_empty() {
        return Ok(result);
    }
    let unreadable = || Failure::new(code::INTERNAL, "the backend's result is not a JSON object");
    let object = std::str::from_utf8(&result).ok().and_then(|text| RawObject::parse(text).ok()).ok_or_else(unreadable)?;
    let mut out = Vec::with_capacity(object.text().len() + 64);
    object.write(&edits, &mut out);
    Ok(out.into())
}

type Edits = SmallVec<[Edit<'static>; 4]>;

/// 2026-07-28, schema: `resultType` is required, and `ttlMs` and `cacheScope` on what may be cached. Older servers send none of
/// them; then the result is complete and promises nothing.
fn to_modern(carried: Carried, backend: Era, traits: ResultTraits) -> Result<Edits, Failure> {
    let mut missing = Edits::new();
    match traits.kind {
        ResultKind::Absent => missing.push(Edit::Set("resultType", "\"complete\"")),
        ResultKind::Complete => {}
        // Older servers ask by requests, which are held to what the caller declared.
        ResultKind::InputRequired if backend == Era::Modern => {}
        ResultKind::InputRequired | ResultKind::Task | ResultKind::Other => {
            return Err(Failure::new(code::INTERNAL, "the backend's result is of a type that was not negotiated"));
        }
    }
    if carried == Carried::ResourcesRead && traits.kind != ResultKind::InputRequired {
        if !traits.has_ttl {
            missing.push(Edit::Set("ttlMs", "0"));
        }
        if !traits.has_cache_scope {
            missing.push(Edit::Set("cacheScope", "\"private\""));
        }
    }
    Ok(missing)
}

/// Before 2026-07-28 none of these members exists, and structured content is an object (2025-11-25, schema `CallToolResult`).
fn to_legacy(traits: ResultTraits) -> Result<Edits, Failure> {
    if !matches!(traits.kind, ResultKind::Absent | ResultKind::Complete) {
        return Err(Failure::new(code::INTERNAL, "the backend asks for input that cannot be relayed to this caller"));
    }
    let forbidden = [
        ("resultType", traits.kind != ResultKind::Absent),
        ("ttlMs", traits.has_ttl),
        ("cacheScope", traits.has_cache_scope),
        ("structuredContent", traits.has_bare_content),
    ];
    Ok(forbidden.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| Edit::Remove(key)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmcp_core::frame::Message;

    fn bridged(carried: Carried, caller: Era, backend: Era, text: &'static str) -> Result<String, i64> {
        let message = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{text}}}"#);
        let Ok(Message::Response(response)) = Message::parse(message.as_bytes()) else { return Err(code::INTERNAL) };
        result(carried, caller, backend, response.traits, Bytes::from_static(text.as_bytes()))
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
            .map_err(|failure| failure.code())
    }

    #[test]
    fn between_peers_of_one_era_nothing_changes() {
        let legacy = r#"{ "content" : [], "vendor":1e400 }"#;
        assert_eq!(bridged(Carried::ToolsCall, Era::Legacy, Era::Legacy, legacy).unwrap(), legacy);
        let modern = r#"{"resultType":"input_required","requestState":"x" , "n":1.0}"#;
        assert_eq!(bridged(Carried::ToolsCall, Era::Modern, Era::Modern, modern).unwrap(), modern);
    }

    #[test]
    fn a_modern_caller_gets_what_its_revision_requires() {
        let (call, read) = (r#"{"content":[]}"#, r#"{"contents":[{}]}"#);
        assert_eq!(bridged(Carried::ToolsCall, Era::Modern, Era::Legacy, call).unwrap(), r#"{"content":[],"resultType":"complete"}"#);
        assert_eq!(
            bridged(Carried::ResourcesRead, Era::Modern, Era::Legacy, read).unwrap(),
            r#"{"contents":[{}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#
        );
        let kept = r#"{"contents":[],"resultType":"complete","ttlMs":5,"cacheScope":"public"}"#;
        assert_eq!(bridged(Carried::ResourcesRead, Era::Modern, Era::Modern, kept).unwrap(), kept);
    }

    #[test]
    fn a_legacy_caller_gets_nothing_that_its_revision_forbids() {
        let text = r#"{"resultType":"complete","content":[{"type":"text","text":"[1]"}],"structuredContent":[1]}"#;
        assert_eq!(bridged(Carried::ToolsCall, Era::Legacy, Era::Modern, text).unwrap(), r#"{"content":[{"type":"text","text":"[1]"}]}"#);
        let object = r#"{"content":[],"structuredContent":{"a":1}}"#;
        assert_eq!(bridged(Carried::ToolsCall, Era::Legacy, Era::Modern, object).unwrap(), object);
    }

    #[test]
    fn what_cannot_be_relayed_is_an_error_and_never_half_a_result() {
        let asks = r#"{"resultType":"input_required","inputRequests":{}}"#;
        assert_eq!(bridged(Carried::ToolsCall, Era::Legacy, Era::Modern, asks), Err(-32603));
        assert_eq!(bridged(Carried::ToolsCall, Era::Modern, Era::Legacy, asks), Err(-32603));
        assert_eq!(bridged(Carried::ToolsCall, Era::Modern, Era::Modern, r#"{"resultType":"task"}"#), Err(-32603));
    }
}
