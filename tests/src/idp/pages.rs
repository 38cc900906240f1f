//! The provider's documents.

use super::state::{State, lock};
use serde_json::{Map, Value, json};

/// OpenID Connect Discovery 1.0 §3 and RFC 8414 §2, in one document for both places.
pub(super) fn metadata(state: &State) -> Value {
    let at = |path: &str| Value::from(format!("{}{path}", state.issuer));
    let mut document = Map::new();
    document.insert("issuer".to_owned(), state.issuer.clone().into());
    document.insert("authorization_endpoint".to_owned(), at("/authorize"));
    document.insert("token_endpoint".to_owned(), at("/token"));
    document.insert("jwks_uri".to_owned(), at("/jwks"));
    document.insert("introspection_endpoint".to_owned(), at("/introspect"));
    document.insert("response_types_supported".to_owned(), json!(["code"]));
    document.insert("subject_types_supported".to_owned(), json!(["public"]));
    document.insert("code_challenge_methods_supported".to_owned(), json!(["S256"]));
    document.insert("authorization_response_iss_parameter_supported".to_owned(), json!(state.spec.names_itself));
    document.insert("id_token_signing_alg_values_supported".to_owned(), json!(["RS256", "ES256", "EdDSA"]));
    document.insert("token_endpoint_auth_methods_supported".to_owned(), json!(["client_secret_basic", "client_secret_post", "none"]));
    document.insert(
        "grant_types_supported".to_owned(),
        json!(["authorization_code", "client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"]),
    );
    if state.spec.registers {
        document.insert("registration_endpoint".to_owned(), at("/register"));
    }
    for (name, value) in &state.spec.metadata {
        if value.is_null() {
            document.remove(name);
        } else {
            document.insert(name.clone(), value.clone());
        }
    }
    document.into()
}

/// RFC 7517 §5.
pub(super) fn keys(state: &State) -> Value {
    json!({ "keys": lock(&state.keys).iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}
