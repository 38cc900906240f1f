//! What is known of a message that was too long to be kept.

/// How much of its beginning, and of its end.
const KEPT: usize = 128;

/// The beginning and the end of a line. Servers write the id of an answer before the result or behind it.
#[derive(Default)]
pub struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Ends {
    /// Those of a line that is there in whole.
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        let mut ends = Self::default();
        ends.push(line);
        ends
    }

    /// The line goes on.
    pub fn push(&mut self, piece: &[u8]) {
        let missing = KEPT - self.head.len();
        self.head.extend_from_slice(piece.get(..missing).unwrap_or(piece));
        self.tail.extend_from_slice(piece.get(piece.len().saturating_sub(KEPT)..).unwrap_or_default());
        self.tail.drain(..self.tail.len().saturating_sub(KEPT));
    }

    /// The message's number, if it stands there: the member `id` outside of everything nested.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        let head = self.head.trim_ascii().strip_prefix(b"{")?;
        let before = head.iter().position(|byte| matches!(byte, b'{' | b'[')).map_or(head, |nested| &head[..nested]);
        number(before).or_else(|| {
            let tail = self.tail.trim_ascii().strip_suffix(b"}")?;
            number(tail.iter().rposition(|byte| matches!(byte, b'}' | b']')).map_or(tail, |nested| &tail[nested..]))
        })
    }
}

/// The number behind `"id":`. A quotation mark within a text is escaped, so none of its words can look like this.
fn number(members: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"id\"";
    let at = members.windows(KEY.len()).position(|found| found == KEY)?;
    let value = members.get(at + KEY.len()..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let digits = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
    std::str::from_utf8(value.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_before_and_behind_the_result_and_nowhere_else() {
        let long = "x".repeat(1000);
        for (line, id) in [
            (format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"id":8,"text":"{long}"}}}}"#), Some(7)),
            (format!(r#" {{"result":{{"id":8,"text":"{long}"}},"jsonrpc":"2.0", "id" : 7 }} "#), Some(7)),
            (format!(r#"{{"result":{{"text":"{long}","id":8}}}}"#), None),
            (format!(r#"{{"result":{{"text":"{long}, \"id\":8"}},"jsonrpc":"2.0"}}"#), None),
            (format!(r#"{{"id":"7","method":"x","params":["{long}"]}}"#), None),
            (format!("[{{\"id\":7,\"result\":\"{long}\"}}]"), None),
            (String::new(), None),
        ] {
            assert_eq!(Ends::of(line.as_bytes()).id(), id, "{line}");
            let mut cut = Ends::default();
            line.as_bytes().chunks(50).for_each(|piece| cut.push(piece));
            assert_eq!(cut.id(), id, "{line}");
        }
    }
}
