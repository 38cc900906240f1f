//! What a client's certificate says of its owner.

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};
use vmcp_core::plugin::ClientCertificate;
use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    oid_registry::{
        Oid,
        asn1_rs::{ToDer, oid},
    },
    prelude::FromDer,
    x509::{AttributeTypeAndValue, X509Name},
};

/// The longest name that is taken, in bytes of its text.
const MAX_NAME: usize = 4096;

/// How many alternative names of each sort are taken.
const MAX_ALTERNATIVES: usize = 64;

/// Attributes with a short name (RFC 4514 §3, and those that everybody writes).
fn short(kind: &Oid<'_>) -> Option<&'static str> {
    let known = [
        (oid!(2.5.4.3), "CN"),
        (oid!(2.5.4.7), "L"),
        (oid!(2.5.4.8), "ST"),
        (oid!(2.5.4.10), "O"),
        (oid!(2.5.4.11), "OU"),
        (oid!(2.5.4.6), "C"),
        (oid!(2.5.4.9), "STREET"),
        (oid!(0.9.2342.19200300.100.1.25), "DC"),
        (oid!(0.9.2342.19200300.100.1.1), "UID"),
    ];
    known.iter().find(|(known, _)| known == kind).map(|(_, name)| *name)
}

/// Reads a certificate that was verified. `None` where it cannot be read whole.
pub(super) fn read(der: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let not_after = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    let not_after = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(not_after))?;
    let mut certificate = ClientCertificate::new(text(parsed.subject())?, text(parsed.issuer())?, not_after);
    certificate.thumbprint = digest(&SHA256, der).as_ref().try_into().ok();
    if let Some(alternatives) = parsed.subject_alternative_name().ok()? {
        for name in &alternatives.value.general_names {
            let (list, name) = match name {
                GeneralName::URI(uri) => (&mut certificate.uris, uri),
                GeneralName::DNSName(name) => (&mut certificate.dns_names, name),
                GeneralName::RFC822Name(email) => (&mut certificate.emails, email),
                _ => continue,
            };
            if list.len() == MAX_ALTERNATIVES || name.len() > MAX_NAME {
                return None;
            }
            list.push((*name).to_owned());
        }
    }
    Some(certificate)
}

/// The name of an authority: its distinguished name, and the SHA-256 of its key, without which two of one name would be one. `None` where the
/// name cannot be read.
pub(super) fn authority(der: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    // A semicolon in the name itself is escaped.
    let mut name = text(parsed.subject())? + ";sha256=";
    for byte in digest(&SHA256, parsed.public_key().raw).as_ref() {
        write!(name, "{byte:02x}").ok()?;
    }
    Some(name)
}

/// A distinguished name as text: its parts from the last to the first, so from the most special to the most general (RFC 4514 §2).
fn text(name: &X509Name<'_>) -> Option<String> {
    let parts: Vec<_> = name.iter().collect();
    let mut text = String::new();
    for (place, part) in parts.into_iter().rev().enumerate() {
        for (index, attribute) in part.iter().enumerate() {
            match (place, index) {
                (0, 0) => {}
                (_, 0) => text.push(','),
                _ => text.push('+'),
            }
            write_attribute(&mut text, attribute)?;
            if text.len() > MAX_NAME {
                return None;
            }
        }
    }
    Some(text)
}

fn write_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) -> Option<()> {
    match (short(attribute.attr_type()), attribute.as_str()) {
        (Some(name), Ok(value)) => {
            text.push_str(name);
            text.push('=');
            write_escaped(text, value);
        }
        // A kind without a short name is its number and the value's encoding (RFC 4514 §2.4); so is a value that is no plain text.
        (name, _) => {
            match name {
                Some(name) => text.push_str(name),
                None => write!(text, "{}", attribute.attr_type()).ok()?,
            }
            text.push_str("=#");
            for byte in attribute.attr_value().to_der_vec().ok()? {
                write!(text, "{byte:02x}").ok()?;
            }
        }
    }
    Some(())
}

/// RFC 4514 §2.4.
fn write_escaped(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', c]),
            '#' | ' ' if at == 0 => text.extend(['\\', c]),
            ' ' if at == last => text.push_str("\\ "),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(text, "\\{byte:02x}");
                }
            }
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, SanType};

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Option<ClientCertificate> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        read(params.self_signed(&key).unwrap().der())
    }

    fn subject(parts: &[(DnType, &str)]) -> String {
        let of =
            |params: &mut CertificateParams| parts.iter().for_each(|(kind, value)| params.distinguished_name.push(kind.clone(), *value));
        certificate(of).unwrap().subject
    }

    #[test]
    fn a_name_is_written_from_its_end_to_its_beginning() {
        let parts = [(DnType::CountryName, "DE"), (DnType::OrganizationName, "Example"), (DnType::CommonName, "agent-7")];
        assert_eq!(subject(&parts), "CN=agent-7,O=Example,C=DE");
        assert_eq!(subject(&[]), "");
    }

    #[test]
    fn what_would_read_as_another_name_is_escaped() {
        let of = |value: &str| subject(&[(DnType::OrganizationName, "Real"), (DnType::CommonName, value)]);
        assert_eq!(of("a,O=Fake"), r"CN=a\,O=Fake,O=Real");
        assert_eq!(of("a+CN=b"), r"CN=a\+CN=b,O=Real");
        assert_eq!(of(" #x "), r"CN=\ #x\ ,O=Real");
        assert_eq!(of("#x"), r"CN=\#x,O=Real");
        assert_eq!(of("a\\\"\n"), r#"CN=a\\\"\0a,O=Real"#);
    }

    #[test]
    fn a_kind_without_a_short_name_is_its_number_and_the_values_encoding() {
        let parts = [(DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99999, 1]), "x"), (DnType::CommonName, "y")];
        assert_eq!(subject(&parts), "CN=y,1.3.6.1.4.1.99999.1=#0c0178");
    }

    #[test]
    fn alternative_names_are_sorted_by_what_they_are() {
        let told = certificate(|params| {
            params.subject_alt_names = vec![
                SanType::URI("spiffe://example.org/agent".try_into().unwrap()),
                SanType::DnsName("agent.example.org".try_into().unwrap()),
                SanType::Rfc822Name("agent@example.org".try_into().unwrap()),
                SanType::IpAddress("192.0.2.1".parse().unwrap()),
            ];
        });
        let told = told.unwrap();
        assert_eq!(told.uris, ["spiffe://example.org/agent"]);
        assert_eq!((told.dns_names, told.emails), (vec!["agent.example.org".to_owned()], vec!["agent@example.org".to_owned()]));
    }

    #[test]
    fn a_certificate_whose_names_cannot_be_read_is_nobodys() {
        let told = certificate(|params| {
            params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 0x05, 0x01])];
        });
        assert_eq!(told, None);
    }
}
