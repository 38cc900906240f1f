//! Session ids that carry what a replica has to know, sealed so that nobody else can make or read one.

use super::EndpointId;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use vmcp_core::{CapabilitySet, Revision};

const PREFIX: &str = "v1.";
const AAD: &str = "vmcp client session v1";
/// random 16 · principal 16 · revision 1 · capabilities 2 · issued at 8 · issuer 4
const PLAIN_LEN: usize = 47;
/// Longer ids are refused before anything is decoded.
pub(crate) const MAX_ID_LEN: usize = 512;

/// The content of a session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// 128 random bits: what makes the id unguessable and unique.
    pub(crate) random: [u8; 16],
    /// Hash of the principal that it belongs to.
    pub(crate) principal: [u8; 16],
    /// The negotiated revision.
    pub(crate) revision: Revision,
    /// What the client declared in `initialize`.
    pub(crate) capabilities: CapabilitySet,
    /// Seconds since the epoch.
    pub(crate) issued_at: u64,
    /// The process that issued it: an id of this process that is not in the table has ended, one of another may be taken over.
    pub(crate) issuer: [u8; 4],
}

/// Seals and opens ids. The first key seals, every key opens.
pub(crate) struct Sealer {
    keys: Vec<LessSafeKey>,
    /// The keys themselves, for what else is sealed under keys derived from them.
    secrets: Vec<[u8; 32]>,
}

/// Why there is no sealer.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not 32 bytes in base64.
    #[error("sessions.keys[{0}] has to be 32 bytes in base64 (for example from `openssl rand -base64 32`)")]
    Malformed(usize),
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system: {0}")]
    Random(getrandom::Error),
}

impl Sealer {
    /// A sealer with these keys; without any, one that is random and ends with the process.
    pub(crate) fn new(keys: &[Vec<u8>]) -> Result<Self, KeyError> {
        let mut opened = Vec::with_capacity(keys.len().max(1));
        let mut secrets = Vec::with_capacity(keys.len().max(1));
        for (index, key) in keys.iter().enumerate() {
            secrets.push(key.as_slice().try_into().map_err(|_| KeyError::Malformed(index))?);
            opened.push(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| KeyError::Malformed(index))?));
        }
        if opened.is_empty() {
            let key: [u8; 32] = random()?;
            secrets.push(key);
            opened.push(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(|_| KeyError::Malformed(0))?));
        }
        Ok(Self { keys: opened, secrets })
    }

    /// What other keys may be derived from.
    pub(super) fn secrets(&self) -> &[[u8; 32]] {
        &self.secrets
    }

    /// The id for a ticket of a session at this endpoint. `None` when the operating system has no random bytes.
    pub(crate) fn seal(&self, ticket: &Ticket, endpoint: &EndpointId) -> Option<String> {
        let nonce: [u8; NONCE_LEN] = random().ok()?;
        let mut sealed = ticket.to_bytes().to_vec();
        let key = self.keys.first()?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad(endpoint)), &mut sealed).ok()?;
        let mut id = PREFIX.to_owned();
        let mut raw = nonce.to_vec();
        raw.extend_from_slice(&sealed);
        URL_SAFE_NO_PAD.encode_string(raw, &mut id);
        Some(id)
    }

    /// The ticket in an id; `None` for anything that no key sealed for this endpoint.
    pub(crate) fn open(&self, id: &str, endpoint: &EndpointId) -> Option<Ticket> {
        if id.len() > MAX_ID_LEN {
            return None;
        }
        let raw = URL_SAFE_NO_PAD.decode(id.strip_prefix(PREFIX)?).ok()?;
        let (nonce, sealed) = raw.split_at_checked(NONCE_LEN)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().ok()?;
        self.keys.iter().find_map(|key| {
            let mut sealed = sealed.to_vec();
            let plain = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad(endpoint)), &mut sealed).ok()?;
            Ticket::from_bytes(plain)
        })
    }
}

fn aad(endpoint: &EndpointId) -> String {
    format!("{AAD}{}", endpoint.seal())
}

impl Ticket {
    fn to_bytes(self) -> [u8; PLAIN_LEN] {
        let mut bytes = [0; PLAIN_LEN];
        bytes[..16].copy_from_slice(&self.random);
        bytes[16..32].copy_from_slice(&self.principal);
        bytes[32] = revision_code(self.revision);
        bytes[33..35].copy_from_slice(&self.capabilities.bits().to_be_bytes());
        bytes[35..43].copy_from_slice(&self.issued_at.to_be_bytes());
        bytes[43..].copy_from_slice(&self.issuer);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PLAIN_LEN] = bytes.try_into().ok()?;
        Some(Self {
            random: bytes[..16].try_into().ok()?,
            principal: bytes[16..32].try_into().ok()?,
            revision: revision_of(bytes[32])?,
            capabilities: CapabilitySet::from_bits(u16::from_be_bytes(bytes[33..35].try_into().ok()?)),
            issued_at: u64::from_be_bytes(bytes[35..43].try_into().ok()?),
            issuer: bytes[43..].try_into().ok()?,
        })
    }
}

fn revision_code(revision: Revision) -> u8 {
    match revision {
        Revision::V2024_11_05 => 0,
        Revision::V2025_03_26 => 1,
        Revision::V2025_06_18 => 2,
        Revision::V2025_11_25 => 3,
        Revision::V2026_07_28 => 4,
    }
}

fn revision_of(code: u8) -> Option<Revision> {
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25].into_iter().find(|revision| revision_code(*revision) == code)
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: EndpointId = EndpointId::Main;

    fn ticket() -> Ticket {
        Ticket {
            random: [7; 16],
            principal: [9; 16],
            revision: Revision::V2025_06_18,
            capabilities: CapabilitySet::from_bits(0x15),
            issued_at: 1_800_000_000,
            issuer: *b"abcd",
        }
    }

    #[test]
    fn what_was_sealed_comes_back() {
        let sealer = Sealer::new(&[]).unwrap();
        let id = sealer.seal(&ticket(), &MAIN).unwrap();
        assert_eq!(sealer.open(&id, &MAIN), Some(ticket()));
        assert!(id.len() <= MAX_ID_LEN && id.bytes().all(|b| b.is_ascii_graphic()), "{}", id.len());
    }

    #[test]
    fn two_ids_for_one_ticket_differ() {
        let sealer = Sealer::new(&[]).unwrap();
        assert_ne!(sealer.seal(&ticket(), &MAIN), sealer.seal(&ticket(), &MAIN));
    }

    #[test]
    fn a_changed_foreign_or_malformed_id_opens_nothing() {
        let sealer = Sealer::new(&[vec![1; 32]]).unwrap();
        let id = sealer.seal(&ticket(), &MAIN).unwrap();
        for at in 0..id.len() {
            let mut bytes = id.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(sealer.open(std::str::from_utf8(&bytes).unwrap(), &MAIN), None, "byte {at}");
        }
        assert_eq!(Sealer::new(&[vec![2; 32]]).unwrap().open(&id, &MAIN), None);
        for wrong in ["", "v1.", "v1.AAAA", "v2.AAAA", &id[3..], &format!("v1.{}", "A".repeat(1000))] {
            assert_eq!(sealer.open(wrong, &MAIN), None, "{wrong}");
        }
    }

    #[test]
    fn an_id_opens_at_the_endpoint_that_it_was_sealed_for_and_at_no_other() {
        let sealer = Sealer::new(&[]).unwrap();
        let endpoints = [MAIN, EndpointId::Backend("a".into()), EndpointId::Named("/a".into()), EndpointId::Named("/b".into())];
        for own in &endpoints {
            let id = sealer.seal(&ticket(), own).unwrap();
            for other in &endpoints {
                assert_eq!(sealer.open(&id, other).is_some(), own == other, "of {own:?} at {other:?}");
            }
        }
    }

    #[test]
    fn keys_rotate_without_ending_sessions() {
        let (old, new) = (vec![1; 32], vec![2; 32]);
        let id = Sealer::new(std::slice::from_ref(&old)).unwrap().seal(&ticket(), &MAIN).unwrap();
        let rotated = Sealer::new(&[new.clone(), old]).unwrap();
        assert_eq!(rotated.open(&id, &MAIN), Some(ticket()));
        let fresh = rotated.seal(&ticket(), &MAIN).unwrap();
        assert_eq!(Sealer::new(&[new]).unwrap().open(&fresh, &MAIN), Some(ticket()));
    }

    #[test]
    fn a_key_has_to_have_32_bytes() {
        assert!(matches!(Sealer::new(&[vec![1; 32], vec![1; 31]]), Err(KeyError::Malformed(1))));
    }
}
