//! Finding the token in a request (RFC 6750 §2.1).

use http::header::AUTHORIZATION;
use vmcp_core::plugin::{Challenge, Rejected, RequestHead};

/// The token of the `Authorization` header; `None` when the request brings no credential.
///
/// # Errors
/// A 400 when it brings one in another way, or several.
pub(crate) fn token<'a>(head: &RequestHead<'a>) -> Result<Option<&'a str>, Rejected> {
    let malformed = |message: &str| Rejected::malformed(message, Some(Challenge::bearer().with_error("invalid_request")));
    // URLs are written into logs and histories.
    let in_query = |query: &str| query.split('&').any(|field| field.split('=').next() == Some("access_token"));
    if head.query.is_some_and(in_query) {
        return Err(malformed("a token in the URL is not taken; send it as Authorization: Bearer"));
    }
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed("the request has more than one Authorization header"));
    }
    let value = value.to_str().map_err(|_| malformed("the Authorization header has characters that no token has"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        let message = "the Authorization header has another scheme than Bearer";
        return Err(Rejected::unauthorized(message, Some(Challenge::bearer())));
    }
    let token = token.trim_matches(' ');
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(is_token) {
        return Err(malformed("the Authorization header has no token behind Bearer"));
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, StatusCode};

    fn read(values: &[&str], query: Option<&'static str>) -> Result<Option<String>, StatusCode> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let mut head = RequestHead::new(&headers, None);
        head.query = query;
        token(&head).map(|token| token.map(str::to_owned)).map_err(|rejected| {
            assert!(!rejected.message.contains("MARKER"), "{rejected}");
            rejected.status
        })
    }

    #[test]
    fn the_scheme_is_the_same_in_any_case() {
        for value in ["Bearer a.b-c_~+/=", "bearer a.b-c_~+/=", "BEARER a.b-c_~+/=", "bEaReR   a.b-c_~+/= "] {
            assert_eq!(read(&[value], None), Ok(Some("a.b-c_~+/=".to_owned())), "{value}");
        }
        assert_eq!(read(&[], None), Ok(None));
        assert_eq!(read(&[], Some("session=1")), Ok(None));
    }

    #[test]
    fn a_credential_that_comes_in_another_way_is_said_to_be_none() {
        let bad = StatusCode::BAD_REQUEST;
        assert_eq!(read(&["Bearer a", "Bearer b"], None), Err(bad));
        assert_eq!(read(&["Bearer a", "Bearer a"], None), Err(bad));
        assert_eq!(read(&[], Some("a=1&access_token=MARKER")), Err(bad));
        assert_eq!(read(&["Bearer a"], Some("access_token=MARKER")), Err(bad));
        for value in ["Bearer", "Bearer ", "Bearer MARKER x", "Bearer MARKER,x", "Bearer \"MARKER\"", "Bearer M\u{e4}RKER"] {
            assert_eq!(read(&[value], None), Err(bad), "{value}");
        }
        for value in ["Basic TUFSS0VS", "MARKER", "Bearer\tMARKER", "Negotiate MARKER"] {
            assert_eq!(read(&[value], None), Err(StatusCode::UNAUTHORIZED), "{value}");
        }
    }
}
