//! Empty texts that are the original's defaults: files that were written out with all their keys have them.

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
pub(super) fn drop(config: &mut Value) {
    for key in KEYS {
        drop_at(config, &format!("endpoints.*.{key}"));
        drop_at(config, key);
    }
}

fn drop_at(value: &mut Value, pattern: &str) {
    match (pattern.split_once('.'), value) {
        (Some(("*", rest)), Value::Object(members)) => members.values_mut().for_each(|member| drop_at(member, rest)),
        (Some(("*", rest)), Value::Array(items)) => items.iter_mut().for_each(|item| drop_at(item, rest)),
        (Some((key, rest)), Value::Object(members)) => {
            if let Some(member) = members.get_mut(key) {
                drop_at(member, rest);
            }
        }
        (None, Value::Object(members)) if members.get(pattern).and_then(Value::as_str) == Some("") => {
            members.shift_remove(pattern);
        }
        _ => {}
    }
}
