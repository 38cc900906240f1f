//! Files that settings name.

use super::refused;
use std::path::Path;
use vmcp_core::plugin::{CaBundle, Deps, Secrets, StrategyError};

/// The authorities in the file that `caBundlePath` names.
///
/// # Errors
/// When it cannot be read, or no connection could be checked against it.
pub(crate) fn ca_bundle(key: &str, path: Option<&Path>, deps: &Deps) -> Result<Option<CaBundle>, StrategyError> {
    let name = "caBundlePath";
    let Some(path) = path else { return Ok(None) };
    let Some(pem) = read_file(key, name, path, &deps.secrets)? else { return Ok(None) };
    let bundle = authorities(pem, deps);
    bundle.map(Some).map_err(|why| refused(key, name, format!("cannot use its `{name}` {}: {why}", path.display())))
}

/// The authorities in what was read of a file.
///
/// # Errors
/// What is wrong with them, and what to give instead, in words.
pub(crate) fn authorities(pem: String, deps: &Deps) -> Result<CaBundle, String> {
    let bundle = CaBundle::new(pem.into_bytes());
    match deps.fetch.check_ca_bundle(&bundle) {
        Ok(()) => Ok(bundle),
        Err(reason) => Err(format!("{reason}; give a PEM file with the certificates of the authorities to trust")),
    }
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
