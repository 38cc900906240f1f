//! The authenticator that knows callers by the certificates that they prove to have.

use crate::at_once::{AtOnce, Knows};
use moka::sync::Cache;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{sync::Arc, time::SystemTime};
use vmcp_core::{
    PartsHasher,
    plugin::{
        Authenticated, Authenticator, AuthenticatorFactory, ClientCertificate, Deps, Principal, Rejected, RequestHead, StrategyError,
    },
};

/// The callers of so many certificates are kept.
const KEPT: u64 = 4096;

/// The settings of `type: clientCertificate`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Client certificates")]
pub struct ClientCertificateConfig {
    /// Which of a certificate's names is the caller's.
    #[serde(default)]
    pub subject_from: SubjectFrom,
}

/// One of a certificate's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(title = "A name in a certificate")]
pub enum SubjectFrom {
    /// The subject's distinguished name, as RFC 4514 writes it: `CN=ada,O=Example`.
    #[default]
    Subject,
    /// The alternative name that is a URI, such as a SPIFFE id. There must be exactly one.
    Uri,
    /// The alternative name that is a host name. There must be exactly one.
    Dns,
    /// The alternative name that is an e-mail address. There must be exactly one.
    Email,
}

/// `incomingAuth: { type: clientCertificate }`: callers prove with TLS that they have a certificate of an authority that the listener trusts.
///
/// Who a caller is, is the authority and the certificate's name together: the authority of the listener's that vouches for the certificate,
/// by its name and key, whatever the certificate and those between say of their issuers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientCertificateFactory;

impl AuthenticatorFactory for ClientCertificateFactory {
    const KIND: &'static str = "clientCertificate";
    type Config = ClientCertificateConfig;

    fn build(&self, config: ClientCertificateConfig, _: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        Ok(Arc::new(AtOnce(ClientCertificates { subject_from: config.subject_from, seen: Cache::new(KEPT) })))
    }
}

struct ClientCertificates {
    subject_from: SubjectFrom,
    /// By the distinguished name, and compared as a whole.
    seen: Cache<String, Arc<(ClientCertificate, Arc<Authenticated>)>>,
}

impl ClientCertificates {
    fn seen(&self, certificate: &ClientCertificate) -> Option<Arc<Authenticated>> {
        let known = self.seen.get(certificate.subject.as_str())?;
        (known.0 == *certificate).then(|| Arc::clone(&known.1))
    }

    fn name<'a>(&self, certificate: &'a ClientCertificate) -> Option<&'a str> {
        let names = match self.subject_from {
            SubjectFrom::Subject => std::slice::from_ref(&certificate.subject),
            SubjectFrom::Uri => &certificate.uris,
            SubjectFrom::Dns => &certificate.dns_names,
            SubjectFrom::Email => &certificate.emails,
        };
        match names {
            [name] if !name.is_empty() => Some(name),
            _ => None,
        }
    }
}

impl Knows for ClientCertificates {
    fn caller(&self, head: &RequestHead<'_>) -> Result<Arc<Authenticated>, Rejected> {
        let refused = |message: &str| Rejected::unauthorized(message, None);
        let certificate = head.client_certificate.ok_or_else(|| refused("a client certificate is needed"))?;
        // Checked when the connection was made, which may be long ago.
        if certificate.not_after <= SystemTime::now() {
            return Err(refused("the client certificate has expired"));
        }
        if let Some(known) = self.seen(certificate) {
            return Ok(known);
        }
        let name = self
            .name(certificate)
            .ok_or_else(|| refused("the client certificate has not exactly one name of the kind that is asked for"))?;
        let mut caller = Authenticated::new(Principal {
            issuer: certificate.authority.as_ref().unwrap_or(&certificate.issuer).as_str().into(),
            subject: name.into(),
        });
        caller.expires_at = Some(certificate.not_after);
        for (claim, names) in [("uris", &certificate.uris), ("dns", &certificate.dns_names), ("emails", &certificate.emails)] {
            if !names.is_empty() {
                caller.claims.insert(claim.to_owned(), names.clone().into());
            }
        }
        caller.claims.insert("subject".to_owned(), certificate.subject.clone().into());
        caller.claims.insert("issuer".to_owned(), certificate.issuer.clone().into());
        caller.standing = Some(standing(&caller.claims));
        let caller = Arc::new(caller);
        self.seen.insert(certificate.subject.clone(), Arc::new((certificate.clone(), Arc::clone(&caller))));
        Ok(caller)
    }
}

/// The same for all certificates that say the same of their owner, such as one and that which it is renewed by. Their claims come in one order.
fn standing(claims: &Map<String, Value>) -> Arc<str> {
    let mut hasher = PartsHasher::new();
    for (name, value) in claims {
        hasher.part(name.as_bytes()).part(value.to_string().as_bytes());
    }
    hasher.text().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use http::HeaderMap;
    use std::time::Duration;

    fn certificate(subject: &str, issuer: &str) -> ClientCertificate {
        let mut certificate = ClientCertificate::new(subject, issuer, SystemTime::now() + Duration::from_secs(3600));
        certificate.uris = vec!["spiffe://example.com/ada".to_owned()];
        certificate.dns_names = vec!["a.example.com".to_owned(), "b.example.com".to_owned()];
        certificate
    }

    fn authenticator(subject_from: SubjectFrom) -> Arc<dyn Authenticator> {
        ClientCertificateFactory.build(ClientCertificateConfig { subject_from }, &testing::deps()).unwrap()
    }

    fn asked(authenticator: &dyn Authenticator, certificate: Option<&ClientCertificate>) -> Option<(String, String)> {
        let headers = HeaderMap::new();
        let mut head = RequestHead::new(&headers, None);
        head.client_certificate = certificate;
        let answer = testing::now(authenticator.authenticate(&head)).ok();
        assert_eq!(authenticator.known(&head).is_some(), answer.is_some());
        answer.map(|who| (who.principal.issuer.to_string(), who.principal.subject.to_string()))
    }

    #[test]
    fn the_caller_is_the_authority_and_the_name_that_is_asked_for() {
        let ada = certificate("CN=ada", "CN=ca");
        let named = |subject: &str| Some(("CN=ca".to_owned(), subject.to_owned()));
        assert_eq!(asked(&*authenticator(SubjectFrom::Subject), Some(&ada)), named("CN=ada"));
        assert_eq!(asked(&*authenticator(SubjectFrom::Uri), Some(&ada)), named("spiffe://example.com/ada"));
        assert_eq!(asked(&*authenticator(SubjectFrom::Dns), Some(&ada)), None, "which of the two?");
        assert_eq!(asked(&*authenticator(SubjectFrom::Email), Some(&ada)), None);
        assert_eq!(asked(&*authenticator(SubjectFrom::Subject), None), None);
        assert!(authenticator(SubjectFrom::Subject).consumed_headers().is_empty());
    }

    #[test]
    fn a_persons_certificates_stand_the_same_when_they_say_the_same() {
        let by_subject = authenticator(SubjectFrom::Subject);
        let standing = |certificate: &ClientCertificate| {
            let headers = HeaderMap::new();
            let mut head = RequestHead::new(&headers, None);
            head.client_certificate = Some(certificate);
            testing::now(by_subject.authenticate(&head)).unwrap().standing.clone().unwrap()
        };
        let (first, mut renewed, mut other) =
            (certificate("CN=ada", "CN=ca"), certificate("CN=ada", "CN=ca"), certificate("CN=ada", "CN=ca"));
        renewed.not_after += Duration::from_secs(3600);
        other.uris = vec!["spiffe://example.com/ada/admin".to_owned()];
        assert_eq!(standing(&first), standing(&renewed));
        assert_ne!(standing(&first), standing(&other));
    }

    #[test]
    fn two_authorities_certificates_of_one_name_are_two_callers() {
        let by_subject = authenticator(SubjectFrom::Subject);
        for _ in 0..2 {
            assert_eq!(asked(&*by_subject, Some(&certificate("CN=ada", "CN=ca"))).unwrap().0, "CN=ca");
            assert_eq!(asked(&*by_subject, Some(&certificate("CN=ada", "CN=other"))).unwrap().0, "CN=other");
        }
    }

    #[test]
    fn the_authority_that_vouches_counts_and_not_the_issuer_that_is_named() {
        let by_subject = authenticator(SubjectFrom::Subject);
        let of = |authority: &str, issuer: &str| {
            let mut certificate = certificate("CN=ada", issuer);
            certificate.authority = Some(authority.to_owned());
            asked(&*by_subject, Some(&certificate)).unwrap().0
        };
        assert_eq!(of("CN=ca;sha256=1", "CN=ca"), "CN=ca;sha256=1");
        assert_eq!(of("CN=ca;sha256=2", "CN=ca"), "CN=ca;sha256=2");
        assert_eq!(of("CN=ca;sha256=1", "CN=between"), "CN=ca;sha256=1");
    }

    #[test]
    fn a_certificate_is_good_until_it_expires() {
        let by_subject = authenticator(SubjectFrom::Subject);
        let mut over = certificate("CN=ada", "CN=ca");
        over.not_after = SystemTime::now() - Duration::from_secs(1);
        assert_eq!(asked(&*by_subject, Some(&over)), None);
    }
}
