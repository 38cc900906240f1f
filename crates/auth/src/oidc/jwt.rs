//! Taking a JSON Web Token apart (RFC 7515 §5.2, RFC 8725). Nothing here is believed yet.

use super::{algorithm::Algorithm, strict};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes. Those of Entra with many groups come to 6 KiB.
pub(super) const LONGEST: usize = 16 * 1024;

/// A token in its parts.
pub(super) struct Jwt<'a> {
    pub(super) algorithm: Algorithm,
    /// The key's id.
    pub(super) key: Option<String>,
    /// Whether its type says that it is an access token, and not just that it is a JWT.
    pub(super) is_typed: bool,
    pub(super) claims: Map<String, Value>,
    /// What is signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

/// Why a token is none that could be believed. The text is for the caller and quotes nothing.
pub(super) type Flaw = &'static str;

/// Whether a text is a JWT at all, good or bad; else it is one that only its issuer can read.
pub(super) fn is_one(token: &str) -> bool {
    let mut parts = token.split('.');
    let head = parts.next().and_then(|head| URL_SAFE_NO_PAD.decode(head).ok());
    // Encrypted ones have five parts.
    head.is_some_and(|head| head.trim_ascii_start().first() == Some(&b'{')) && matches!(parts.count(), 2 | 4)
}

impl<'a> Jwt<'a> {
    /// Takes a token apart.
    ///
    /// Of the head `alg`, `kid` and `typ` are read. A key or an address of one in it (`jwk`, `jku`, `x5c`, `x5u`) is never looked at: keys
    /// are the issuer's to name.
    pub(super) fn read(token: &'a str) -> Result<Self, Flaw> {
        if token.len() > LONGEST {
            return Err("the token is longer than 16 KiB");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or("the token is not a JWT")?;
        let (head, claims) = signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or("encrypted tokens are not taken")?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "the token is not base64url without padding");
        let unread = "the token's head or claims are not JSON objects in which every member stands once";
        let head = strict::object(&decoded(head)?).ok_or(unread)?;
        let text = |name: &str| match head.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err("the token's head has a member of the wrong type"),
        };
        // Extensions that must be understood (RFC 7515 §4.1.11): there are none that vmcp would.
        if head.contains_key("crit") {
            return Err("the token has critical extensions, which are not taken");
        }
        let algorithm = text("alg")?.and_then(Algorithm::named);
        let algorithm = algorithm.ok_or("the token is not signed with an asymmetric algorithm that is known")?;
        let is_typed = match text("typ")?.map(Kind::of) {
            None | Some(Kind::Jwt) => false,
            Some(Kind::AccessToken) => true,
            Some(Kind::Other) => return Err("the token is not an access token"),
        };
        let claims = strict::object(&decoded(claims)?).ok_or(unread)?;
        Ok(Self {
            algorithm,
            key: text("kid")?.map(str::to_owned),
            is_typed,
            claims,
            signed: signed.as_bytes(),
            signature: decoded(signature)?,
        })
    }
}

/// What the head says that a token is.
enum Kind {
    /// `at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// One that does not say what for.
    Jwt,
    /// Others have types of their own (`logout+jwt`, `dpop+jwt`, `secevent+jwt`): a token that was made for one purpose is not taken for another
    /// (RFC 8725 §3.11).
    Other,
}

impl Kind {
    fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix("application/").unwrap_or(&text) {
            "at+jwt" => Self::AccessToken,
            "jwt" => Self::Jwt,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(head: &str, claims: &str) -> String {
        format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims))
    }

    fn flaw(token: &str) -> Flaw {
        match Jwt::read(token) {
            Ok(_) => panic!("taken: {token}"),
            Err(flaw) => flaw,
        }
    }

    #[test]
    fn what_cannot_be_believed_is_refused_before_any_key_is_looked_for() {
        for (head, claims, why) in [
            (r#"{"alg":"none"}"#, "{}", "asymmetric"),
            (r#"{"alg":"nOnE"}"#, "{}", "asymmetric"),
            (r#"{"alg":"HS256"}"#, "{}", "asymmetric"),
            (r#"{"alg":""}"#, "{}", "asymmetric"),
            ("{}", "{}", "asymmetric"),
            (r#"{"alg":7}"#, "{}", "wrong type"),
            (r#"{"alg":["RS256"]}"#, "{}", "wrong type"),
            (r#"{"alg":"RS256","kid":7}"#, "{}", "wrong type"),
            (r#"{"alg":"RS256","crit":["b64"],"b64":false}"#, "{}", "critical"),
            (r#"{"alg":"RS256","crit":[]}"#, "{}", "critical"),
            (r#"{"alg":"RS256","typ":"logout+jwt"}"#, "{}", "not an access token"),
            (r#"{"alg":"RS256","typ":"dpop+jwt"}"#, "{}", "not an access token"),
            (r#"{"alg":"none","alg":"RS256"}"#, "{}", "stands once"),
            (r#"{"alg":"RS256"}"#, r#"{"sub":"a","sub":"b"}"#, "stands once"),
            (r#"{"alg":"RS256"}"#, "[]", "stands once"),
            (r#"{"alg":"RS256"}"#, "garbage", "stands once"),
        ] {
            let why_not = flaw(&token(head, claims));
            assert!(why_not.contains(why), "{head} {claims}: {why_not}");
        }
    }

    #[test]
    fn a_token_that_is_too_long_is_refused_before_it_is_decoded() {
        let long = token(r#"{"alg":"RS256"}"#, &format!(r#"{{"x":"{}"}}"#, "y".repeat(LONGEST)));
        assert!(flaw(&long).contains("longer"));
        assert!(flaw(&"*".repeat(LONGEST + 1)).contains("longer"), "not even looked at");
    }

    #[test]
    fn parts_are_counted_and_strictly_encoded() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        assert!(Jwt::read(&good).is_ok());
        for broken in [
            "",
            "abc",
            "abc.def",
            &format!("{good}="),
            &format!("{good}.AAAA.AAAA"),
            &good.replace('.', " ."),
            &good.replacen('e', "+", 1),
            // The last character has bits that no byte is made of.
            &format!("{}B", good),
        ] {
            assert!(Jwt::read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn types_of_access_tokens_are_taken_in_any_case() {
        for kind in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"] {
            let token = token(&format!(r#"{{"alg":"ES256","typ":"{kind}"}}"#), "{}");
            assert_eq!(Jwt::read(&token).unwrap().is_typed, kind.to_lowercase().contains("at+"), "{kind}");
        }
    }

    #[test]
    fn a_jwt_is_told_from_a_text_that_only_the_issuer_reads() {
        assert!(is_one(&token(r#"{"alg":"none"}"#, "garbage")));
        assert!(is_one(&format!("{}.a.b.c.d", URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#))));
        for opaque in ["gho_abcdef", "v2.local.abcdef", "a.b.c", "eyJhbGciOi", "", "..", "Zm9v.YmFy.YmF6"] {
            assert!(!is_one(opaque), "{opaque}");
        }
    }
}
