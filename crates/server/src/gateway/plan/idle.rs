//! Settings that have no effect where they stand.

use serde_json::{Map, Value};
use vmcp_core::config::{IncomingAuth, Problem, index_path, key_path};

/// Clients of issuers (`clientId`) without a secret: nothing asks with them. Beside a façade one may stand for the reader.
pub(super) fn clients(incoming: &IncomingAuth) -> Vec<Problem> {
    let Some(oidc) = incoming.settings.get("oidc").and_then(Value::as_object).filter(|_| incoming.kind == "oidc") else {
        return Vec::new();
    };
    let further = oidc.get("issuers").and_then(Value::as_array).into_iter().flatten().enumerate();
    let further = further.filter_map(|(n, issuer)| Some((index_path("incomingAuth.oidc.issuers", n), issuer.as_object()?)));
    let all = std::iter::once(("incomingAuth.oidc".to_owned(), oidc)).chain(further);
    let is_idle = |issuer: &Map<String, Value>| {
        let has = |key: &str| issuer.get(key).is_some_and(|value| !value.is_null());
        has("clientId") && !has("clientSecret") && !has("clientSecretEnv") && !has("introspectionUrl") && !has("facade")
    };
    all.filter(|(_, issuer)| is_idle(issuer)).map(|(path, _)| told(&path)).collect()
}

fn told(path: &str) -> Problem {
    let message = "has no effect without a client secret: it is for asking the issuer about tokens that are no JWTs";
    Problem::warning(key_path(path, "clientId"), message).with_hint("add `clientSecretEnv`, or remove it")
}
