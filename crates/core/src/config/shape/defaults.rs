//! Empty texts that are the original's defaults: files that were written out with all their keys have them.

use crate::config::{index_path, key_path};
use serde_json::Value;

/// Keys of which the original's default is an empty text, by their pattern. Under other keys an empty text is a mistake, and said to be one.
const KEYS: &[&str] = &[
    "incomingAuth.oidc.resource",
    "incomingAuth.oidc.clientId",
    "incomingAuth.oidc.clientSecretEnv",
    "incomingAuth.oidc.jwksUrl",
    "incomingAuth.oidc.introspectionUrl",
    "incomingAuth.oidc.caBundlePath",
    "incomingAuth.authz.primaryUpstreamProvider",
    "outgoingAuth.default.tokenExchange.clientId",
    "outgoingAuth.default.tokenExchange.clientSecretEnv",
    "outgoingAuth.default.tokenExchange.audience",
    "outgoingAuth.default.tokenExchange.subjectTokenType",
    "outgoingAuth.default.tokenExchange.subjectProviderName",
    "outgoingAuth.backends.*.tokenExchange.clientId",
    "outgoingAuth.backends.*.tokenExchange.clientSecretEnv",
    "outgoingAuth.backends.*.tokenExchange.audience",
    "outgoingAuth.backends.*.tokenExchange.subjectTokenType",
    "outgoingAuth.backends.*.tokenExchange.subjectProviderName",
];

/// Takes them out of a configuration, and of the endpoints in it.
///
/// Gives the paths of those that are `filled`, that is, into which a variable was put: one that is empty by mistake is no default, and with
/// its key what it was to protect would go missing.
pub(super) fn drop(config: &mut Value, filled: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for key in KEYS {
        drop_at(config, &format!("endpoints.*.{key}"), "", &mut found);
        drop_at(config, key, "", &mut found);
    }
    found.retain(|path| filled(path));
    found
}

/// Takes those at `pattern` below `path` out, and adds their paths to `found`.
fn drop_at(value: &mut Value, pattern: &str, path: &str, found: &mut Vec<String>) {
    match (pattern.split_once('.'), value) {
        (Some(("*", rest)), Value::Object(members)) => {
            members.iter_mut().for_each(|(key, member)| drop_at(member, rest, &key_path(path, key), found));
        }
        (Some(("*", rest)), Value::Array(items)) => {
            items.iter_mut().enumerate().for_each(|(index, item)| drop_at(item, rest, &index_path(path, index), found));
        }
        (Some((key, rest)), Value::Object(members)) => {
            if let Some(member) = members.get_mut(key) {
                drop_at(member, rest, &key_path(path, key), found);
            }
        }
        (None, Value::Object(members)) if members.get(pattern).and_then(Value::as_str) == Some("") => {
            members.shift_remove(pattern);
            found.push(key_path(path, pattern));
        }
        _ => {}
    }
}
