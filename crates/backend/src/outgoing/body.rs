//! The body of a request: an envelope of vmcp's own around parameters that stay byte for byte.

use smallvec::SmallVec;
use vmcp_core::{
    CapabilitySet, LoggingLevel, Revision,
    frame::{Edit, RawObject, request},
};

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const PROGRESS_TOKEN: &str = "progressToken";

/// What `_meta` says about this hop. Keys that belong to one hop are written anew, all others stay.
#[derive(Clone, Copy)]
pub(crate) enum Meta<'a> {
    /// Nothing but a progress token.
    Legacy,
    /// What every modern request carries (2026-07-28, basic/index, `_meta`).
    Modern { revision: Revision, client_info: &'a str, capabilities: CapabilitySet, log_level: Option<LoggingLevel> },
}

/// Writes a request. `progress` asks the backend for progress notifications under the request's own id.
pub(crate) fn request_body(id: u64, method: &str, params: &RawObject<'_>, set: &[Edit<'_>], meta: Meta<'_>, progress: bool) -> Vec<u8> {
    let meta = write_meta(id, params, meta, progress);
    let mut edits = SmallVec::<[Edit<'_>; 4]>::from_slice(set);
    match &meta {
        Some(meta) => edits.push(Edit::Set("_meta", meta)),
        None if params.get("_meta").is_some() => edits.push(Edit::Remove("_meta")),
        None => {}
    }
    let room = params.text().len() + meta.as_ref().map_or(0, String::len) + method.len() + 128;
    let mut out = Vec::with_capacity(room);
    request(id, method, &mut out);
    params.write(&edits, &mut out);
    out.push(b'}');
    out
}

/// The new `_meta`; `None` where nothing is left to say.
fn write_meta(id: u64, params: &RawObject<'_>, meta: Meta<'_>, progress: bool) -> Option<String> {
    // A `_meta` that is no object, or in which a key stands twice, says nothing that could be passed on.
    let inbound = params.meta();
    if let (None, Meta::Legacy, false) = (&inbound, meta, progress) {
        return None;
    }
    let empty = RawObject::empty();
    let inbound = inbound.unwrap_or(&empty);
    let token = if progress { id.to_string() } else { String::new() };
    let progress_token = if progress { Edit::Set(PROGRESS_TOKEN, &token) } else { Edit::Remove(PROGRESS_TOKEN) };
    let mut out = Vec::with_capacity(256 + inbound.text().len());
    match meta {
        Meta::Legacy => {
            let edits = [
                Edit::Remove(PROTOCOL_VERSION),
                Edit::Remove(CLIENT_INFO),
                Edit::Remove(CLIENT_CAPABILITIES),
                Edit::Remove(LOG_LEVEL),
                progress_token,
            ];
            inbound.write(&edits, &mut out);
            if out == b"{}" {
                return None;
            }
        }
        Meta::Modern { revision, client_info, capabilities, log_level } => {
            let level = log_level.map(|level| format!("\"{level}\""));
            let version = quoted(revision);
            let declared = if capabilities.is_empty() { String::new() } else { capabilities.to_json() };
            let edits = [
                Edit::Set(PROTOCOL_VERSION, &version),
                Edit::Set(CLIENT_INFO, client_info),
                Edit::Set(CLIENT_CAPABILITIES, if declared.is_empty() { "{}" } else { &declared }),
                level.as_deref().map_or(Edit::Remove(LOG_LEVEL), |level| Edit::Set(LOG_LEVEL, level)),
                progress_token,
            ];
            inbound.write(&edits, &mut out);
        }
    }
    String::from_utf8(out).ok()
}

fn quoted(revision: Revision) -> String {
    let mut text = String::with_capacity(12);
    text.push('"');
    text.push_str(revision.as_str());
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = r#"{"name":"vmcp","version":"1"}"#;

    fn modern(capabilities: CapabilitySet) -> Meta<'static> {
        Meta::Modern { revision: Revision::LATEST_MODERN, client_info: INFO, capabilities, log_level: None }
    }

    fn body(params: &str, set: &[Edit<'_>], meta: Meta<'_>, progress: bool) -> String {
        let params = RawObject::parse(params).unwrap();
        String::from_utf8(request_body(7, "tools/call", &params, set, meta, progress)).unwrap()
    }

    #[test]
    fn arguments_stay_byte_for_byte() {
        let params = r#"{"name":"git_log", "arguments" : { "n":1e400 ,"s":"\u00e9" },"extra":[ 1 ]}"#;
        assert_eq!(
            body(params, &[Edit::Set("name", "\"log\"")], Meta::Legacy, false),
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"log","arguments":{ "n":1e400 ,"s":"\u00e9" },"extra":[ 1 ]}}"#
        );
    }

    #[test]
    fn a_legacy_backend_gets_no_meta_of_the_callers_hop() {
        let hop = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{},"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":"debug","progressToken":"t""#;
        let params = format!(r#"{{"name":"a","_meta":{{{hop}}}}}"#);
        assert_eq!(body(&params, &[], Meta::Legacy, false), r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"}}"#);
        let params = format!(r#"{{"_meta":{{{hop},"com.example/x" : [1.0]}},"name":"a"}}"#);
        assert_eq!(
            body(&params, &[], Meta::Legacy, true),
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"progressToken":7,"com.example/x":[1.0]},"name":"a"}}"#
        );
    }

    #[test]
    fn a_modern_backend_gets_vmcps_own_hop_keys() {
        let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
        let rest = format!(r#""io.modelcontextprotocol/clientInfo":{INFO},"io.modelcontextprotocol/clientCapabilities":{{}}"#);
        assert_eq!(
            body(r#"{"name":"a"}"#, &[], modern(CapabilitySet::NONE), false),
            format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"a","_meta":{{{version},{rest}}}}}}}"#)
        );
        let caller = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","k":1,"io.modelcontextprotocol/clientCapabilities":{"sampling":{},"x":1},"progressToken":9}}"#;
        let sampling = CapabilitySet::from_json(&serde_json::json!({"sampling": {}})).unwrap();
        assert_eq!(
            body(caller, &[], modern(sampling), true),
            format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"_meta":{{{version},"k":1,"io.modelcontextprotocol/clientCapabilities":{{"sampling":{{}}}},"progressToken":7,"io.modelcontextprotocol/clientInfo":{INFO}}}}}}}"#
            )
        );
    }

    #[test]
    fn a_meta_that_is_no_object_is_not_passed_on() {
        let none = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#;
        for meta in ["1", "null", r#"{"a":1,"a":2}"#] {
            assert_eq!(body(&format!(r#"{{"_meta":{meta}}}"#), &[], Meta::Legacy, false), none);
        }
    }
}
