//! The scanner's grammar is serde_json's; one line says the same as several; strings are written as they are read.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vmcp_fuzz as oracle;

#[allow(dead_code, unused_imports)]
#[path = "../../crates/core/src/frame/mod.rs"]
mod frame;

fuzz_target!(|text: &str| {
    let json = oracle::is_json(text);
    let shallow = json && oracle::depth(text) <= frame::MAX_DEPTH;
    assert_eq!(frame::is_json(text), shallow, "the grammar");
    if shallow {
        elements(text);
        single_line(text);
    } else {
        assert!(frame::elements(text).is_err());
    }
    strings(text);
});

fn elements(text: &str) {
    assert_eq!(frame::elements(text).ok(), oracle::elements(text), "the elements");
}

fn single_line(text: &str) {
    let line = frame::single_line(Bytes::copy_from_slice(text.as_bytes()));
    assert_eq!(line.len(), text.len());
    for (after, before) in line.iter().zip(text.bytes()) {
        assert_eq!(*after, if matches!(before, b'\r' | b'\n') { b' ' } else { before }, "only line ends change");
    }
    let line = std::str::from_utf8(&line).expect("as much UTF-8 as before");
    assert!(frame::is_json(line));
    // Numbers beyond f64 and lone surrogates have no value there, before or after.
    assert_eq!(serde_json::from_str::<Value>(line).ok(), serde_json::from_str::<Value>(text).ok(), "the same value");
}

fn strings(text: &str) {
    let mut literal = Vec::new();
    frame::json_string(text, &mut literal);
    let literal = String::from_utf8(literal).expect("a literal is UTF-8");
    assert_eq!(oracle::string(&literal).as_deref(), Some(text), "a string is written as others read it");
    assert_eq!(frame::decode_string(&literal).as_deref(), Some(text), "and as it is read here");
    for literal in [text.to_owned(), format!("\"{text}\"")] {
        let bare = literal.starts_with('"') && literal.ends_with('"');
        let expected = oracle::string(&literal).filter(|_| bare);
        assert_eq!(frame::decode_string(&literal).as_deref(), expected.as_deref(), "a literal means what it means to others");
    }
}
