//! Putting an answer together.

use crate::{ErrorKind, budget::Reservation};
use bytes::{Bytes, BytesMut};

/// A body in the making. One that comes in one piece is not copied.
#[derive(Default)]
pub(crate) struct Collect {
    first: Bytes,
    whole: BytesMut,
}

impl Collect {
    /// Takes the next piece. `announced` is the length that the head gave, `limit` the longest that is taken.
    pub(crate) fn add(
        &mut self,
        piece: Bytes,
        announced: Option<u64>,
        limit: usize,
        reservation: &mut Reservation,
    ) -> Result<(), ErrorKind> {
        let length = self.first.len() + self.whole.len() + piece.len();
        if length > limit {
            return Err(ErrorKind::TooLarge(limit));
        }
        let expected = announced.and_then(|announced| usize::try_from(announced).ok()).unwrap_or(0).clamp(length, limit);
        reservation.cover(expected)?;
        if self.first.is_empty() && self.whole.is_empty() {
            self.first = piece;
            return Ok(());
        }
        if self.whole.is_empty() {
            self.whole.reserve(expected);
            self.whole.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.whole.extend_from_slice(&piece);
        Ok(())
    }

    /// The body.
    pub(crate) fn finish(&mut self) -> Bytes {
        if self.whole.is_empty() { std::mem::take(&mut self.first) } else { self.whole.split().freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    fn collect(pieces: &[&'static [u8]], announced: Option<u64>, limit: usize) -> Result<Bytes, ErrorKind> {
        let mut reservation = Budget::new(1 << 20).reserve();
        let mut collect = Collect::default();
        for piece in pieces {
            collect.add(Bytes::from_static(piece), announced, limit, &mut reservation)?;
        }
        Ok(collect.finish())
    }

    #[test]
    fn one_piece_is_not_copied() {
        static PIECE: &[u8] = b"{}";
        assert_eq!(collect(&[PIECE], None, 9).unwrap().as_ptr(), PIECE.as_ptr());
    }

    #[test]
    fn pieces_are_joined_within_the_limit() {
        assert_eq!(collect(&[b"ab", b"", b"cd", b"e"], Some(5), 5).unwrap(), "abcde");
        assert_eq!(collect(&[], None, 5).unwrap(), "");
        assert!(matches!(collect(&[b"abc", b"def"], None, 5), Err(ErrorKind::TooLarge(5))));
        assert!(matches!(collect(&[b"abcdef"], Some(1), 5), Err(ErrorKind::TooLarge(5))));
    }

    #[test]
    fn the_budget_is_asked_for_what_was_announced() {
        let budget = Budget::new(1000);
        let mut reservation = budget.reserve();
        let long = Some(100_000);
        assert!(matches!(Collect::default().add(Bytes::from_static(b"x"), long, 1 << 20, &mut reservation), Err(ErrorKind::Budget)));
    }
}
