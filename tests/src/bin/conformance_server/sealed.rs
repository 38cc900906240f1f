//! `requestState` that cannot be changed on its way to the client and back (SEP-2322): a text with a keyed hash.

use rmcp::ErrorData;

/// The same in every process: a server over stdio may be another process at the next round. A secret would not make this a better test.
const KEY: [u8; 32] = *b"a key of the conformance fixture";

fn mac(text: &str) -> String {
    blake3::keyed_hash(&KEY, text.as_bytes()).to_hex().to_string()
}

/// The state `text`, for the client.
pub(crate) fn seal(text: &str) -> String {
    format!("{text}.{}", mac(text))
}

/// What was sealed.
///
/// # Errors
/// -32602 when the state is not one of this server's.
pub(crate) fn open(state: &str) -> Result<&str, ErrorData> {
    let (text, found) = state.rsplit_once('.').unwrap_or_default();
    if found == mac(text) { Ok(text) } else { Err(ErrorData::invalid_params("requestState was not issued by this server", None)) }
}
