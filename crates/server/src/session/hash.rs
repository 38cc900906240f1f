//! Finding a session by its id.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Hashes session ids by their ends.
///
/// Every id in the table was sealed with a key that no client has, and ends with the seal's tag. So nobody can choose ids that meet, which a
/// hash over all of their bytes would be for: asking for ids that are not there puts nothing into the table.
#[derive(Clone)]
pub(super) struct IdHash(u64);

pub(super) struct IdHasher(u64);

impl IdHash {
    pub(super) fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for IdHash {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher(self.0)
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (_, ends) = bytes.as_rchunks::<8>();
        for end in ends.iter().rev().take(2) {
            self.mix(u64::from_le_bytes(*end));
        }
    }

    /// The end of a text.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl IdHasher {
    /// Both halves of a product: each bit of the word moves bits all over.
    fn mix(&mut self, word: u64) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let product = u128::from(self.0 ^ word) * u128::from(ODD);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_that_differ_at_their_ends_are_spread_over_all_bits() {
        let hash = IdHash::new();
        let hashes: Vec<u64> = (0..4096).map(|number| hash.hash_one(format!("v1.the-same-beginning-{number:016x}"))).collect();
        for shift in [0, 7, 52, 57] {
            let seen: HashSet<u64> = hashes.iter().map(|hash| hash >> shift & 0x7f).collect();
            assert!(seen.len() > 120, "{} of 128 values at bit {shift}", seen.len());
        }
        assert!(hashes.iter().collect::<HashSet<_>>().len() == hashes.len());
    }
}
