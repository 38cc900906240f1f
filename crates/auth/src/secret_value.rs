//! Header values that are wiped from memory when nobody uses them any more.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
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
