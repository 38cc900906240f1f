//! One hash of several parts.

/// Hashes parts (BLAKE3), each with its length in front of it, so that other parts, more of them, or the same bytes divided otherwise have
/// another hash.
///
/// What it gives is for comparing within one process, or between processes of one version: the way of writing a length is no promise.
#[derive(Clone, Debug, Default)]
pub struct PartsHasher(blake3::Hasher);

impl PartsHasher {
    /// Without any parts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part.
    pub fn part(&mut self, part: &[u8]) -> &mut Self {
        self.count(part.len());
        self.0.update(part);
        self
    }

    /// Adds how many parts of a list come next: a list that is followed by something else needs it.
    pub fn count(&mut self, count: usize) -> &mut Self {
        self.0.update(&(count as u64).to_le_bytes());
        self
    }

    /// The first `N` bytes of the hash of what was added.
    #[must_use]
    pub fn finish<const N: usize>(&self) -> [u8; N] {
        let mut hash = [0; N];
        self.0.finalize_xof().fill(&mut hash);
        hash
    }

    /// The hash as text: 64 hexadecimal digits.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.finalize().to_hex().as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> [u8; 32] {
        let mut hasher = PartsHasher::new();
        for part in parts {
            hasher.part(part.as_bytes());
        }
        hasher.finish()
    }

    #[test]
    fn parts_have_one_hash_exactly_when_they_are_the_same_and_divided_the_same() {
        let all: [&[&str]; 7] = [&[], &[""], &["", ""], &["ab"], &["a", "b"], &["ab", ""], &["b", "a"]];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(of(one), of(one));
            assert!(all[..at].iter().all(|other| of(other) != of(one)), "{one:?}");
        }
        let lists = |first: usize| *PartsHasher::new().count(first).part(b"a").count(2 - first).part(b"b").0.finalize().as_bytes();
        assert_ne!(lists(1), lists(2), "where a list ends counts");
    }

    #[test]
    fn the_text_and_fewer_bytes_are_of_the_same_hash() {
        let (whole, mut hasher) = (of(&["a"]), PartsHasher::new());
        hasher.part(b"a");
        assert_eq!(hasher.finish::<16>(), whole[..16]);
        assert_eq!(hasher.text(), whole.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }
}
