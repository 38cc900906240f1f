//! Networks of addresses.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use std::{borrow::Cow, fmt, net::IpAddr, str::FromStr};

/// Addresses that begin with the same bits (RFC 4632, RFC 4291 §2.3): `10.0.0.0/8`, `fd00::/8`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// Text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Neither an address nor one with a length.
    #[error("not an address or a network; write for example 10.0.0.0/8 or fd00::/8")]
    Malformed,
    /// The address has bits set that the length leaves out: probably a slip.
    #[error("an address inside of a network; write the network's first address")]
    Inside,
}

impl Network {
    /// Whether the address is one of the network's. An IPv4 address that comes dressed as IPv6 (RFC 4291 §2.5.5.2) is an IPv4 one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => shifted(base.to_bits(), 32, self.bits) == shifted(address.to_bits(), 32, self.bits),
            (IpAddr::V6(base), IpAddr::V6(address)) => wide(base.to_bits(), self.bits) == wide(address.to_bits(), self.bits),
            _ => false,
        }
    }

    /// Whether it is no more than "any address".
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.bits == 0
    }
}

/// The first `bits` of `width`; no bits are all the same.
fn shifted(address: u32, width: u32, bits: u8) -> u32 {
    address.checked_shr(width.saturating_sub(bits.into())).unwrap_or(0)
}

fn wide(address: u128, bits: u8) -> u128 {
    address.checked_shr(128_u32.saturating_sub(bits.into())).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let base: IpAddr = address.parse().map_err(|_| NetworkError::Malformed)?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = match length {
            None => width,
            Some(length) if length.bytes().all(|byte| byte.is_ascii_digit()) => length.parse().map_err(|_| NetworkError::Malformed)?,
            Some(_) => return Err(NetworkError::Malformed),
        };
        if bits > width {
            return Err(NetworkError::Malformed);
        }
        let rest = match base {
            IpAddr::V4(base) => base.to_bits().checked_shl(bits.into()).unwrap_or(0) != 0,
            IpAddr::V6(base) => base.to_bits().checked_shl(bits.into()).unwrap_or(0) != 0,
        };
        if rest { Err(NetworkError::Inside) } else { Ok(Self { base, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Network {
    fn schema_name() -> Cow<'static, str> {
        "Network".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "network" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.6"));
        assert!(contains("0.0.0.0/0", "203.0.113.9") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("fd00::/8", "fdff::1") && !contains("fd00::/8", "fe00::1"));
        assert!(contains("::/0", "2001:db8::1") && !contains("::/0", "::ffff:192.0.2.1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/", "10.0.0.0/8/8", "localhost", "[::1]"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Malformed), "{text}");
        }
        for text in ["10.0.0.1/8", "fd00::1/8", "1.0.0.0/0"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Inside), "{text}");
        }
    }
}
