//! A caller's own credential, as a handle.

use secrecy::{ExposeSecret, SecretString};
use std::{fmt, sync::Arc};

/// The credential that a caller was let in with, for strategies that exchange it. Cheap to clone; the text is wiped when the last clone goes.
/// It is never serialised, and `Debug` shows its kind only.
#[derive(Clone)]
pub struct SubjectToken(Arc<Held>);

struct Held {
    text: SecretString,
    kind: TokenKind,
    digest: [u8; 32],
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// A JSON Web Token (RFC 7519).
    Jwt,
    /// Text that only its issuer can read.
    Opaque,
}

/// What is known of the tokens that callers are let in with, before anybody calls ([`super::Deps::caller_tokens`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallerTokens {
    /// Nothing: a strategy finds out with each caller. One that shows tokens to somebody has to be told of which issuers they may be, unless
    /// [`super::Deps::issuer`] is known.
    #[default]
    Unknown,
    /// Callers have none: [`super::Authenticated::subject_token`] is empty.
    Absent,
    /// Callers have tokens of these issuers ([`super::Principal::issuer`]).
    OfIssuers(Vec<Arc<str>>),
}

impl SubjectToken {
    /// A handle of this token.
    #[must_use]
    pub fn new(text: SecretString, kind: TokenKind) -> Self {
        let digest = *blake3::hash(text.expose_secret().as_bytes()).as_bytes();
        Self(Arc::new(Held { text, kind, digest }))
    }

    /// What the token is.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.0.kind
    }

    /// A hash (BLAKE3) that stands for the token in the keys of caches.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.0.digest
    }

    /// The token's text, for sending it to whoever exchanges it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.text.expose_secret()
    }
}

impl fmt::Debug for SubjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectToken").field("kind", &self.0.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_its_kind_and_no_more() {
        let token = SubjectToken::new("MARKER".into(), TokenKind::Jwt);
        assert_eq!(format!("{token:?}"), "SubjectToken { kind: Jwt, .. }");
        assert_eq!(token.expose(), "MARKER");
    }

    #[test]
    fn equal_tokens_have_equal_digests_and_others_do_not() {
        let digest = |text: &str| *SubjectToken::new(text.into(), TokenKind::Opaque).digest();
        assert_eq!(digest("a"), digest("a"));
        assert_ne!(digest("a"), digest("b"));
    }
}
