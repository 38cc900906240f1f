//! What a token endpoint answers (RFC 6749 §5, RFC 8693 §2.2).

use http::{HeaderMap, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use vmcp_core::plugin::{Credentials, FetchResponse, StrategyError};

/// The longest token that is sent on, in bytes: more does not fit into the heads that servers read.
const LONGEST_TOKEN: usize = 16 * 1024;

/// The longest life that is believed.
const LONGEST_LIFE: u64 = 366 * 24 * 3600;

/// Errors that speak of the token that was to be exchanged, not of the client.
const OF_THE_CALLER: [&str; 5] = ["invalid_grant", "invalid_token", "invalid_target", "invalid_scope", "invalid_request"];

/// Errors that speak of the client. Only what is listed is repeated in messages, since servers write what they like.
const OF_THE_CLIENT: [&str; 5] =
    ["invalid_client", "unauthorized_client", "unsupported_grant_type", "unsupported_token_type", "access_denied"];

#[derive(Deserialize)]
struct Answer {
    access_token: Option<SecretString>,
    token_type: Option<String>,
    #[serde(default, deserialize_with = "whole_seconds")]
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Some servers write the number as text.
fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
        Nothing(()),
    }
    let seconds = match Written::deserialize(deserializer)? {
        Written::Number(number) => number,
        Written::Text(text) => text.trim().parse().map_err(D::Error::custom)?,
        Written::Nothing(()) => return Ok(None),
    };
    // Below zero becomes zero, and what is no number too.
    Ok(Some(seconds as u64))
}

/// The credentials in an answer that was asked for at `asked`.
pub(super) fn read(host: &str, response: &FetchResponse, asked: SystemTime) -> Result<Credentials, StrategyError> {
    if !response.status.is_success() {
        return Err(refusal(host, response));
    }
    let wrong = |what: &str| StrategyError::Issuer(format!("the token endpoint at {host} answered {what}"));
    // What serde says may quote the token.
    let answer: Answer = serde_json::from_slice(&response.body).map_err(|_| wrong("with something else than a token in JSON"))?;
    let token = answer.access_token.ok_or_else(|| wrong("without an access_token"))?;
    let is_bearer = |kind: &str| ["bearer", "n_a"].iter().any(|known| kind.eq_ignore_ascii_case(known));
    if !answer.token_type.as_deref().is_none_or(is_bearer) {
        return Err(wrong("with a token that is none for `Authorization: Bearer`"));
    }
    let text = token.expose_secret();
    if text.is_empty() || text.len() > LONGEST_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("with a token that no header can carry"));
    }
    let value =
        crate::secret_value([b"Bearer ", text.as_bytes()].concat()).ok_or_else(|| wrong("with a token that no header can carry"))?;
    let expires_at = answer.expires_in.and_then(|life| asked.checked_add(Duration::from_secs(life.min(LONGEST_LIFE))));
    Ok(Credentials::Headers { headers: Arc::new(HeaderMap::from_iter([(AUTHORIZATION, value)])), expires_at })
}

fn refusal(host: &str, response: &FetchResponse) -> StrategyError {
    let status = response.status.as_u16();
    let refusal: Option<Refusal> = serde_json::from_slice(&response.body).ok();
    let word = refusal.map(|refusal| refusal.error);
    let known = |words: &[&'static str]| words.iter().copied().find(|known| word.as_deref() == Some(known));
    if let Some(word) = known(&OF_THE_CLIENT) {
        return StrategyError::Issuer(format!("the token endpoint at {host} refused the client: {word} (HTTP status {status})"));
    }
    match known(&OF_THE_CALLER) {
        Some(word) if response.status.is_client_error() => {
            StrategyError::Caller(format!("the token endpoint at {host} refused the request: {word} (HTTP status {status})"))
        }
        _ => StrategyError::Issuer(format!("the token endpoint at {host} answered with HTTP status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::StatusCode;
    use std::time::UNIX_EPOCH;

    fn answer(status: u16, body: &str) -> Result<(String, Option<u64>), String> {
        let response = FetchResponse::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), Bytes::copy_from_slice(body.as_bytes()));
        let asked = UNIX_EPOCH + Duration::from_secs(1000);
        match read("id.example.com", &response, asked) {
            Ok(credentials) => {
                let headers = crate::testing::headers(&credentials);
                let value = headers["authorization"].to_str().unwrap().to_owned();
                assert!(headers["authorization"].is_sensitive() && headers.len() == 1);
                Ok((value, credentials.expires_at().map(|at| at.duration_since(asked).unwrap().as_secs())))
            }
            Err(error) => {
                assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
                Err(error.to_string())
            }
        }
    }

    #[test]
    fn a_token_becomes_a_bearer_header_that_lives_as_long_as_it_says() {
        for (more, life) in [
            (r#","token_type":"Bearer","expires_in":300"#, Some(300)),
            (r#","token_type":"bearer","expires_in":"300""#, Some(300)),
            (r#","token_type":"N_A","expires_in":null,"issued_token_type":"urn:x""#, None),
            ("", None),
            (r#","expires_in":-1"#, Some(0)),
            (r#","expires_in":1e300"#, Some(LONGEST_LIFE)),
        ] {
            let body = format!(r#"{{"access_token":"abc.def"{more}}}"#);
            assert_eq!(answer(200, &body), Ok(("Bearer abc.def".to_owned(), life)), "{body}");
        }
    }

    #[test]
    fn what_is_no_token_is_an_error_that_quotes_nothing() {
        for (body, why) in [
            ("hunter2", "with something else than a token in JSON"),
            (r#"{"access_token":7}"#, "with something else than a token in JSON"),
            (r#"{"token":"hunter2"}"#, "without an access_token"),
            (r#"{"access_token":"hunter2","token_type":"DPoP"}"#, "with a token that is none for `Authorization: Bearer`"),
            (r#"{"access_token":"hunter2\r\nx: y"}"#, "with a token that no header can carry"),
            (r#"{"access_token":""}"#, "with a token that no header can carry"),
        ] {
            assert_eq!(answer(200, body), Err(format!("the token endpoint at id.example.com answered {why}")), "{body}");
        }
    }

    #[test]
    fn a_refusal_says_whose_fault_it_is_and_no_more_than_known_words() {
        for (status, body, why) in [
            (400, r#"{"error":"invalid_grant","error_description":"hunter2"}"#, "refused the request: invalid_grant (HTTP status 400)"),
            (401, r#"{"error":"invalid_client"}"#, "refused the client: invalid_client (HTTP status 401)"),
            (400, r#"{"error":"hunter2"}"#, "answered with HTTP status 400"),
            (503, "hunter2", "answered with HTTP status 503"),
            (302, "", "answered with HTTP status 302"),
        ] {
            assert_eq!(answer(status, body), Err(format!("the token endpoint at id.example.com {why}")), "{body}");
        }
    }
}
