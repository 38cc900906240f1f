//! What a caller is given to bring back, before it is sealed.

use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vmcp_core::PartsHasher;

/// handle 16 · round 4 · until 8 · digest 32
const LEN: usize = 60;

/// Which waiting call a `requestState` stands for. It is sealed together with whom and which endpoint it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lane) struct State {
    /// Random: which call.
    pub(super) handle: [u8; 16],
    /// How often it has waited: a state is good for one answer.
    pub(super) round: u32,
    /// Until when it waits, in seconds since the epoch.
    pub(super) until: u64,
    /// Of the request that it belongs to.
    pub(super) digest: [u8; 32],
}

impl State {
    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..16].copy_from_slice(&self.handle);
        bytes[16..20].copy_from_slice(&self.round.to_be_bytes());
        bytes[20..28].copy_from_slice(&self.until.to_be_bytes());
        bytes[28..].copy_from_slice(&self.digest);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = bytes.try_into().ok()?;
        Some(Self {
            handle: bytes[..16].try_into().ok()?,
            round: u32::from_be_bytes(bytes[16..20].try_into().ok()?),
            until: u64::from_be_bytes(bytes[20..28].try_into().ok()?),
            digest: bytes[28..].try_into().ok()?,
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.until < epoch(Duration::ZERO)
    }
}

/// Seconds since the epoch, this much from now.
pub(super) fn epoch(from_now: Duration) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_add(from_now).as_secs()
}

/// Of a request. It is compared in the process that has the call, so it may change from one version to the next. A client may write its
/// arguments anew, so neither spaces nor the order of members count. `arguments` is JSON text.
pub(super) fn digest(method: &str, name: &str, arguments: &str) -> [u8; 32] {
    let mut hasher = PartsHasher::new();
    hasher.part(method.as_bytes()).part(name.as_bytes());
    match serde_json::from_str(arguments) {
        Ok(mut value) => {
            sort(&mut value);
            hasher.part(value.to_string().as_bytes());
        }
        // Numbers beyond what can be computed with are compared as they stand.
        Err(_) => _ = hasher.part(arguments.as_bytes()),
    }
    hasher.finish()
}

/// Brings members in order. No deeper than messages may be nested.
fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(sort),
        Value::Object(members) => {
            let mut sorted: Vec<_> = std::mem::take(members).into_iter().collect();
            sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
            members.extend(sorted.into_iter().map(|(key, mut value)| {
                sort(&mut value);
                (key, value)
            }));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_as_it_was() {
        let state = State { handle: [7; 16], round: 3, until: 1_800_000_000, digest: [9; 32] };
        assert_eq!(State::from_bytes(&state.to_bytes()), Some(state));
        assert_eq!(State::from_bytes(&state.to_bytes()[1..]), None);
        assert!(!State { until: epoch(Duration::from_secs(60)), ..state }.is_over());
        assert!(State { until: epoch(Duration::ZERO) - 2, ..state }.is_over());
    }

    #[test]
    fn a_request_is_known_again_however_its_arguments_are_written() {
        let one = digest("tools/call", "t", r#"{"a":1,"b":{"c":[1,2],"d":"é"}}"#);
        assert_eq!(one, digest("tools/call", "t", r#"{ "b" : {"d":"\u00e9","c":[1 ,2]}, "a":1 }"#));
        for (method, name, arguments) in [
            ("prompts/get", "t", r#"{"a":1,"b":{"c":[1,2],"d":"é"}}"#),
            ("tools/call", "u", r#"{"a":1,"b":{"c":[1,2],"d":"é"}}"#),
            ("tools/call", "t", r#"{"a":2,"b":{"c":[1,2],"d":"é"}}"#),
            ("tools/call", "t", r#"{"a":1,"b":{"c":[2,1],"d":"é"}}"#),
            ("tools/call", "t", r#"{"a":1e400}"#),
        ] {
            assert_ne!(one, digest(method, name, arguments), "{method} {name} {arguments}");
        }
    }
}
