//! Edits change the members that they name, and leave every other one byte for byte.
//!
//! An input is an object and edits behind it, parts divided by a line `--`, which no JSON has: a part of one line removes the member with
//! that key, a part of several gives it the JSON text that begins on the second.

#![no_main]

use frame::{Edit, RawObject};
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;
use vmcp_fuzz as oracle;

#[allow(dead_code, unused_imports)]
#[path = "../../crates/core/src/frame/mod.rs"]
mod frame;

fuzz_target!(|input: &str| {
    let mut parts = input.split("\n--\n");
    let text = parts.next().unwrap_or_default();
    let Ok(object) = RawObject::parse(text) else { return };
    let members = oracle::members(text).expect("others read it too");
    let keys: HashSet<&str> = members.iter().map(|member| member.key.as_str()).collect();
    assert_eq!(keys.len(), members.len(), "a key stands twice");
    assert_eq!(object.text(), text.trim_matches([' ', '\t', '\r', '\n']));
    for member in &members {
        assert_eq!(object.get(&member.key), Some(member.value));
        assert_eq!(object.get_str(&member.key).as_deref(), oracle::string(member.value).as_deref());
    }

    let edits: Vec<Edit<'_>> = parts
        .filter_map(|part| match part.split_once('\n') {
            None => Some(Edit::Remove(part)),
            Some((key, value)) => oracle::is_json(value).then_some(Edit::Set(key, value)),
        })
        .collect();
    // The first edit that names a key counts.
    let edit_of = |key: &str| edits.iter().find(|edit| key_of(edit) == key);
    let mut expected = Vec::new();
    for member in &members {
        match edit_of(&member.key) {
            None => expected.push((member.raw_key.to_owned(), member.value)),
            Some(Edit::Set(_, value)) => expected.push((member.raw_key.to_owned(), value)),
            Some(Edit::Remove(_)) => {}
        }
    }
    let mut added = keys;
    for edit in &edits {
        if added.insert(key_of(edit))
            && let Edit::Set(key, value) = edit
        {
            expected.push((serde_json::to_string(key).expect("a string"), value));
        }
    }
    let written: Vec<String> = expected.iter().map(|(key, value)| format!("{key}:{value}")).collect();

    let mut out = b"before".to_vec();
    object.write(&edits, &mut out);
    let out = String::from_utf8(out).expect("UTF-8");
    let out = out.strip_prefix("before").expect("what was there stays");
    assert_eq!(escapes_aside(out), escapes_aside(&format!("{{{}}}", written.join(","))));

    if oracle::depth(out) <= frame::MAX_DEPTH {
        let again = RawObject::parse(out).expect("what is written is an object");
        assert_eq!(again.members().len(), expected.len());
        let mut twice = Vec::new();
        again.write(&[], &mut twice);
        assert!(twice.len() <= out.len(), "written without edits it only loses space");
    }
});

fn key_of<'e>(edit: &Edit<'e>) -> &'e str {
    match edit {
        Edit::Set(key, _) | Edit::Remove(key) => key,
    }
}

/// serde_json writes two control characters with letters that are written with digits here.
fn escapes_aside(text: &str) -> String {
    text.replace("\\b", "\\u0008").replace("\\f", "\\u000c")
}
