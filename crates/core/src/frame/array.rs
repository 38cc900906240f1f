//! An array in its raw text, with its elements found.

use super::{FrameError, scan::Scanner};

/// The raw JSON texts of an array's elements, in their order.
///
/// # Errors
/// When `text` is not one array with nothing but space around it.
pub fn elements(text: &str) -> Result<Vec<&str>, FrameError> {
    let mut scanner = Scanner::new(text);
    scanner.skip_space();
    if !scanner.starts_with(b'[') {
        return Err(FrameError::Syntax { at: 0, expected: "an array" });
    }
    let mut found = Vec::new();
    scanner.elements(1, |scanner| {
        found.push(scanner.value(1)?);
        Ok(())
    })?;
    scanner.end()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_text() {
        assert_eq!(elements(r#" [ {"a" : 1e400} ,[2], "x\u0041" ] "#).unwrap(), [r#"{"a" : 1e400}"#, "[2]", r#""x\u0041""#]);
        assert!(elements("[]").unwrap().is_empty());
    }

    #[test]
    fn what_is_not_one_array_is_refused() {
        for text in ["", "{}", "[", "[1,]", "[1] 2", "[1 2]"] {
            assert!(elements(text).is_err(), "{text}");
        }
    }
}
