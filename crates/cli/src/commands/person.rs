//! Somebody whose claims stand in a file: for `--as`.

use crate::error::Failure;
use serde_json::{Map, Value};
use std::{fs, path::Path};
use vmcp_auth::Identity;
use vmcp_core::plugin::{Authenticated, Authenticator, Principal};

/// The claims of a token, without the token.
pub(super) struct Person(Map<String, Value>);

impl Person {
    /// Reads a file with a JSON object.
    ///
    /// # Errors
    /// When it cannot be read or is no object; nothing of it is quoted.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| usage(&format!("--as: cannot read {}: {}", path.display(), error.kind())))?;
        object("--as", &text).map(Self)
    }

    /// Who it is: `iss`, or the one issuer that all callers are of, and `sub`.
    ///
    /// # Errors
    /// When the claims do not say it.
    fn principal(&self, only_issuer: Option<&str>) -> Result<Principal, Failure> {
        let text = |name: &str| self.0.get(name).and_then(Value::as_str);
        let issuer = text("iss").or(only_issuer);
        let issuer = issuer.ok_or_else(|| usage("--as: the claims have no `iss`; say which issuer the caller is of"))?;
        let subject = text("sub").ok_or_else(|| usage("--as: the claims have no `sub`; say who calls"))?;
        Ok(Principal { issuer: issuer.into(), subject: subject.into() })
    }

    /// The caller that it would be here, without a token.
    ///
    /// # Errors
    /// When the claims do not say who it is.
    pub(super) fn identity(self, here: &dyn Authenticator) -> Result<Identity, Failure> {
        let mut caller = Authenticated::new(self.principal(here.issuer())?);
        caller.groups = here.groups(&caller.principal, &self.0);
        caller.claims = self.0;
        Ok(Identity::new(caller))
    }
}

/// A JSON object. What is wrong with one is told without quoting it.
pub(super) fn object(flag: &str, text: &str) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(usage(&format!("{flag}: it is JSON, but no object; write one, for example '{{\"name\": \"value\"}}'"))),
        Err(error) => Err(usage(&format!("{flag}: it is not JSON (line {}, column {})", error.line(), error.column()))),
    }
}

pub(super) fn usage(message: &str) -> Failure {
    Failure::Usage(message.to_owned())
}
