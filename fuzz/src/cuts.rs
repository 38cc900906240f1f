//! Cutting a stream into pieces.

/// The same bytes, cut in different ways: whole, into single bytes, and twice as chance (of the seed) will have it, empty pieces included.
pub fn ways_to_cut(bytes: &[u8], seed: u8) -> [Vec<&[u8]>; 4] {
    let mut chance = u64::from(seed) << 32 | 0x9e37_79b9;
    [vec![bytes], bytes.chunks(1).collect(), by_chance(bytes, 4, &mut chance), by_chance(bytes, 40, &mut chance)]
}

fn by_chance<'b>(mut bytes: &'b [u8], up_to: u64, chance: &mut u64) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        // Marsaglia's xorshift.
        *chance ^= *chance << 13;
        *chance ^= *chance >> 7;
        *chance ^= *chance << 17;
        let (piece, rest) = bytes.split_at(bytes.len().min((*chance % (up_to + 1)) as usize));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
