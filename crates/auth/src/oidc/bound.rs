//! Tokens that are good over a connection of one client's only (RFC 7800, RFC 8705 §3).

use super::jwt::Flaw;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use vmcp_core::plugin::ClientCertificate;

/// The one way of binding a token that is understood (RFC 8705 §3.1).
const CERTIFICATE: &str = "x5t#S256";

/// The SHA-256 of the certificate that whoever brings a token has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound([u8; 32]);

impl Bound {
    /// What a token is bound to; `None` when it is anybody's who has it.
    ///
    /// # Errors
    /// When it is bound to something that is not checked here: such a token would be good for whoever stole it.
    pub(super) fn of(claims: &Map<String, Value>) -> Result<Option<Self>, Flaw> {
        let Some(confirmation) = claims.get("cnf") else { return Ok(None) };
        let members = confirmation.as_object().ok_or("the token's `cnf` is not an object")?;
        if members.contains_key("jkt") {
            return Err("the token is bound to a key (DPoP), and tokens that are bound so are not taken here; ask for a bearer token");
        }
        let (Some(Value::String(hash)), 1) = (members.get(CERTIFICATE), members.len()) else {
            return Err(
                "the token is bound to a key in a way that is not taken here; ask for a bearer token, or one bound to a certificate",
            );
        };
        let hash = URL_SAFE_NO_PAD.decode(hash).ok().and_then(|hash| hash.try_into().ok());
        hash.map(|hash| Some(Self(hash))).ok_or("the token's `x5t#S256` is not the SHA-256 of a certificate")
    }

    /// Whether the client of this connection is the one that the token is for.
    pub(super) fn check(self, shown: Option<&ClientCertificate>) -> Result<(), Flaw> {
        match shown {
            None => Err("the token is bound to a client certificate, and this connection shows none"),
            Some(shown) if shown.thumbprint == Some(self.0) => Ok(()),
            Some(_) => Err("the token is bound to another client certificate than that of this connection"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::SystemTime;

    fn of(confirmation: Value) -> Result<Option<Bound>, Flaw> {
        Bound::of(&Map::from_iter([("cnf".to_owned(), confirmation)]))
    }

    #[test]
    fn only_what_is_checked_is_understood() {
        let hash = URL_SAFE_NO_PAD.encode([7; 32]);
        assert_eq!(Bound::of(&Map::new()), Ok(None));
        assert_eq!(of(json!({ CERTIFICATE: hash })), Ok(Some(Bound([7; 32]))));
        for (confirmation, word) in [
            (json!({ "jkt": "x" }), "DPoP"),
            (json!({ CERTIFICATE: hash, "jkt": "x" }), "DPoP"),
            (json!({ CERTIFICATE: hash, "kid": "x" }), "not taken"),
            (json!({ "jwk": {} }), "not taken"),
            (json!({ "x5t#S512": hash }), "not taken"),
            (json!({}), "not taken"),
            (json!({ CERTIFICATE: 7 }), "not taken"),
            (json!({ CERTIFICATE: "AAAA" }), "not the SHA-256"),
            (json!({ CERTIFICATE: format!("{hash}=") }), "not the SHA-256"),
            (json!(null), "not an object"),
            (json!(hash), "not an object"),
        ] {
            let why = of(confirmation.clone()).expect_err("it was taken");
            assert!(why.contains(word), "{confirmation}: {why}");
        }
    }

    #[test]
    fn the_connection_has_to_show_that_very_certificate() {
        let bound = Bound([7; 32]);
        let mut shown = ClientCertificate::new("CN=ada", "CN=ca", SystemTime::now());
        assert!(bound.check(None).is_err());
        assert!(bound.check(Some(&shown)).is_err(), "whose hash nobody knows");
        shown.thumbprint = Some([8; 32]);
        assert!(bound.check(Some(&shown)).is_err());
        shown.thumbprint = Some([7; 32]);
        assert!(bound.check(Some(&shown)).is_ok());
    }
}
