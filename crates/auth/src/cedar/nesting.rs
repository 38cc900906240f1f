//! How deep a text nests, known before it is read: Cedar's parser keeps what it has read in a tree, and goes down that by calling itself.

/// What a pair of brackets is of [`MOST`]. Within one Cedar has nine kinds of expressions in each other, so it takes four times the stack of an
/// operator.
const BRACKETS: usize = 4;
/// So many operators may lie within one another, or a quarter as many brackets: a debug build needs about two thirds of its stack for that.
const MOST: usize = 12_000;
/// The words that are operators; those that compare are none here, as of them only one can stand without brackets or others around it.
const WORDS: [&[u8]; 3] = [b"if", b"when", b"unless"];

/// What is between two brackets, or in a policy outside of all.
#[derive(Default)]
struct Level {
    /// What ends it.
    closing: u8,
    /// It is a record in which there was no colon yet.
    wants_colon: bool,
    /// How deep it is before the last comma.
    before: usize,
    /// The operators between operands since then.
    operators: usize,
    /// The deepest of their operands.
    deepest: usize,
    /// What stands at this operand: signs before it, attributes, calls and brackets behind it.
    steps: usize,
    /// The deepest brackets of this operand.
    inner: usize,
}

impl Level {
    fn operand(&self) -> usize {
        self.deepest.max(self.steps + self.inner)
    }

    /// However the operators take each other as their operands: nothing lies deeper.
    fn height(&self) -> usize {
        self.before.max(self.operators + self.operand())
    }

    /// Another operand begins.
    fn operator(&mut self) {
        self.deepest = self.operand();
        self.operators += 1;
        (self.steps, self.inner) = (0, 0);
    }

    /// Another member of a list does.
    fn comma(&mut self) {
        *self = Self { closing: self.closing, wants_colon: self.wants_colon, before: self.height(), ..Self::default() };
    }
}

/// Where a text goes deeper than can be read, in bytes.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::default();
    let mut rest = text.as_bytes();
    // The last of what is neither space nor a comment.
    let mut before: &[u8] = &[];
    while let Some((&byte, after)) = rest.split_first() {
        let at = text.len() - rest.len();
        rest = after;
        match byte {
            b'"' => rest = behind_text(after),
            b'/' if after.first() == Some(&b'/') => {
                rest = behind(after, |byte| !matches!(byte, b'\n' | b'\r'));
                continue;
            }
            _ if byte.is_ascii_whitespace() => continue,
            b'(' | b'[' | b'{' => {
                let closing = match byte {
                    b'(' => b')',
                    b'[' => b']',
                    _ => b'}',
                };
                let wants_colon = byte == b'{' && !matches!(before, b"when" | b"unless");
                level.steps += 1;
                outer.push(std::mem::replace(&mut level, Level { closing, wants_colon, ..Level::default() }));
            }
            // The parser leaves out a bracket that does not fit, and may leave out one that closes a record too early: they close nothing
            // here either.
            b')' | b']' | b'}' if byte == level.closing && (!level.wants_colon || before == b"{") => {
                let height = level.height() + BRACKETS;
                level = outer.pop().unwrap_or_default();
                level.inner = level.inner.max(height);
            }
            b':' if after.first() == Some(&b':') => rest = after.get(1..).unwrap_or_default(),
            b':' => level.wants_colon = false,
            b',' => level.comma(),
            b';' if outer.is_empty() => level = Level::default(),
            b'.' | b'!' => level.steps += 1,
            b'+' | b'-' | b'*' => level.operator(),
            b'|' | b'&' if after.first() == Some(&byte) => level.operator(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                rest = behind(after, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if text.as_bytes().get(at..text.len() - rest.len()).is_some_and(|word| WORDS.contains(&word)) {
                    level.operator();
                }
            }
            _ => {}
        }
        if level.height() > MOST {
            return Some(at);
        }
        before = text.as_bytes().get(at..text.len() - rest.len()).unwrap_or_default();
    }
    None
}

/// What follows the first byte that is not of these.
fn behind(bytes: &[u8], of: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes.iter().position(|&byte| !of(byte)).unwrap_or(bytes.len());
    bytes.get(end..).unwrap_or_default()
}

/// What follows a text, whose opening quote is behind.
fn behind_text(mut bytes: &[u8]) -> &[u8] {
    loop {
        match bytes {
            [b'\\', _, rest @ ..] => bytes = rest,
            [b'"', rest @ ..] => return rest,
            [_, rest @ ..] => bytes = rest,
            [] => return bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::depth::with_room, *};
    use cedar_policy::PolicySet;

    fn when(condition: &str) -> String {
        format!("permit(principal, action, resource) when {{ {condition} }};")
    }

    /// Texts that nest so often, in each way that there is.
    fn nested(times: usize) -> Vec<String> {
        let around = |before: &str, inner: &str, after: &str| when(&format!("{}{inner}{}", before.repeat(times), after.repeat(times)));
        vec![
            around("(", "true", ")"),
            around("[", "true", "].isEmpty()"),
            around("[", "1", ", 1]"),
            around("{a: ", "1", "}"),
            around("{a: ", "1", "}.a"),
            around("!!!!(", "true", ")"),
            around("----(", "1", ")"),
            around("[1].contains(", "1", ")"),
            around("context[", "1", "]"),
            around("principal.hasTag(", "\"a\"", ")"),
            around("decimal(", "\"1.0\"", ")"),
            around("if ", "true", " then true else true"),
            around("if true then ", "true", " else true"),
            around("if true then true else ", "true", ""),
            around("", "true", " || true"),
            around("", "true", "&&true"),
            around("", "1", "+1"),
            around("", "1", "*1-1"),
            around("", "context", ".a"),
            around("", "context", "[\"a\"]"),
            around("", "context", ".isEmpty()"),
            around("(", "context.a", ".b.c.d.e)"),
            around("(", "true", " || true) && true"),
            around("(true != ", "true", ")"),
            format!("permit(principal, action, resource) {};", "when { context.a } unless { context.b }".repeat(times)),
        ]
    }

    #[test]
    fn whatever_is_let_pass_can_be_read_and_dropped_where_policies_are() {
        // The longest of each that passes.
        for kind in 0..nested(1).len() {
            let text = |times| nested(times).swap_remove(kind);
            let (mut passes, mut fails) = (1, 2 * MOST);
            assert!(too_deep(&text(fails)).is_some(), "{}", nested(2)[kind]);
            while fails - passes > 1 {
                let middle = passes.midpoint(fails);
                if too_deep(&text(middle)).is_none() { passes = middle } else { fails = middle }
            }
            let text = text(passes);
            with_room(|| {
                // Some are no policies, and told so.
                text.parse::<PolicySet>().map(|parsed| parsed.policies().for_each(|policy| drop(policy.to_json()))).ok();
            })
            .unwrap();
        }
    }

    #[test]
    fn what_does_not_lie_within_one_another_counts_once() {
        let some = "(context.arg_a.b == [1, 2])";
        assert_eq!(too_deep(&when(&format!("[{}]", vec![some; 20_000].join(", ")))), None);
        assert_eq!(too_deep(&when(some).repeat(20_000)), None);
        for some in ["{}", "{ // nothing\n }", "{a: 1, \"b\": {}}", "{\"a\" : A::B::\"c\"}"] {
            assert_eq!(too_deep(&when(&format!("[{}]", vec![some; 20_000].join(", ")))), None, "{some}");
            assert_eq!(too_deep(&when(some).replace("when", "unless // why\n").repeat(20_000)), None, "{some}");
        }
        assert_eq!(too_deep(&when(&vec![some; 5_000].join(" || "))), None);
    }

    #[test]
    fn brackets_in_texts_and_comments_neither_open_nor_close_anything() {
        for (before, after) in [("\"[\" == ", ""), ("// ( \" [\n", ""), ("\"\\\\\" == \"\\\"(\" || ", "")] {
            let text = when(&format!("{}true{}", before.repeat(5_000), after.repeat(5_000)));
            assert_eq!(too_deep(&text), None, "{before}");
        }
        let unclosed = ["(\")\" == ", "( // )\n", "(\"\\\"\" == \")\" || ", "(]", "(;"].map(|before| (before, ")"));
        let records = ["{a}:1,", "{a::b}:1,", "{ a // :\n } : 1,"].map(|before| (before, "}"));
        for (before, after) in unclosed.into_iter().chain(records) {
            let text = when(&format!("{}true{}", before.repeat(5_000), after.repeat(5_000)));
            assert!(too_deep(&text).is_some(), "{before}");
        }
    }
}
