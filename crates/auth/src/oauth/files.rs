//! Files that settings name.

use super::refused;
use std::path::Path;
use vmcp_core::plugin::{CaBundle, Secrets, StrategyError};

/// The authorities in the file that `caBundlePath` names.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn ca_bundle(key: &str, path: Option<&Path>, secrets: &Secrets) -> Result<Option<CaBundle>, StrategyError> {
    let Some(path) = path else { return Ok(None) };
    Ok(read_file(key, "caBundlePath", path, secrets)?.map(|pem| CaBundle::new(pem.into_bytes())))
}

/// A file's text; `None` only where settings are checked without what they name.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_file(key: &str, name: &str, path: &Path, secrets: &Secrets) -> Result<Option<String>, StrategyError> {
    match secrets.read(path) {
        Ok(text) => Ok(Some(text)),
        Err(_) if secrets.may_be_missing() => Ok(None),
        Err(error) => {
            let why = format!("cannot read its `{name}` {}: {}; put the file there, or correct the path", path.display(), error.kind());
            Err(refused(key, name, why))
        }
    }
}
