//! Header values that are wiped from memory when nobody uses them any more.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use url::form_urlencoded::byte_serialize;
use vmcp_core::plugin::Credentials;
use zeroize::Zeroizing;

/// A sensitive header value over a buffer that is wiped when the last clone of the value goes. `None` when no header can carry it.
///
/// ```
/// let value = vmcp_auth::secret_value(format!("Bearer {}", "token").into_bytes());
/// assert!(value.is_some_and(|value| value.is_sensitive()));
/// assert!(vmcp_auth::secret_value(b"a\r\nb".to_vec()).is_none());
/// ```
#[must_use]
pub fn secret_value(value: Vec<u8>) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Zeroizing::new(value))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `Basic` with a client's identifier and secret, each encoded first (RFC 6749 §2.3.1), so that a colon in one of them is none between them.
/// Nothing of the secret is left behind where the text was made.
pub(crate) fn basic(id: &str, secret: &str) -> Option<HeaderValue> {
    // Each byte becomes three at most, and three of these become four.
    let mut pair = Zeroizing::new(String::with_capacity(3 * (id.len() + secret.len()) + 1));
    pair.extend(byte_serialize(id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.as_bytes()));
    let mut value = String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4);
    value.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut value);
    secret_value(value.into_bytes())
}

/// The same credentials with values that are wiped after use.
pub(crate) fn sealed(credentials: Credentials) -> Credentials {
    match credentials {
        Credentials::Headers { headers, expires_at } => {
            let mut sealed = HeaderMap::with_capacity(headers.len());
            for (name, value) in &*headers {
                // What is a value stays one.
                sealed.append(name, secret_value(value.as_bytes().to_vec()).unwrap_or_else(|| value.clone()));
            }
            Credentials::Headers { headers: Arc::new(sealed), expires_at }
        }
        other => other,
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{left, mark, place};

    const LENGTH: usize = 4096;

    #[test]
    fn a_value_is_wiped_where_it_stands_when_its_last_clone_goes() {
        let mark = mark();
        let text = vec![mark; LENGTH];
        let at = place(&text);
        let value = secret_value(text).unwrap();
        assert_eq!(place(value.as_bytes()), at, "it was copied, and who wipes the other one?");
        let mut map = HeaderMap::from_iter([(http::header::AUTHORIZATION, value.clone())]);
        drop(value);
        assert_eq!(left(at, LENGTH, mark), LENGTH, "it is still in use");
        map.clear();
        drop(map);
        assert!(left(at, LENGTH, mark) < LENGTH / 8, "{} bytes are still there", left(at, LENGTH, mark));
    }

    #[test]
    fn credentials_of_any_strategy_are_wiped_when_they_are_thrown_away() {
        let mark = mark();
        let plain = HeaderValue::from_bytes(&vec![mark; LENGTH]).unwrap();
        let sealed = sealed(Credentials::headers(HeaderMap::from_iter([(http::header::AUTHORIZATION, plain)])));
        let at = place(crate::testing::headers(&sealed)["authorization"].as_bytes());
        assert_eq!(left(at, LENGTH, mark), LENGTH);
        drop(sealed);
        assert!(left(at, LENGTH, mark) < LENGTH / 8, "{} bytes are still there", left(at, LENGTH, mark));
    }

    #[test]
    fn a_client_and_its_secret_are_encoded_apart_and_wiped_together() {
        assert_eq!(basic("a:b c", "s/é%").unwrap(), format!("Basic {}", STANDARD.encode("a%3Ab+c:s%2F%C3%A9%25")).as_str());
        // In base64 three of `U` are four of `V`.
        let value = basic("fives", &"U".repeat(LENGTH)).unwrap();
        let (at, length) = (place(value.as_bytes()), value.len());
        assert!(left(at, length, b'V') >= LENGTH);
        drop(value);
        assert!(left(at, length, b'V') < LENGTH / 8, "{} bytes are still there", left(at, length, b'V'));
    }
}
