use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

fn request_of(text: &str) -> Request<'_> {
    match Message::parse(text.as_bytes()).unwrap() {
        Message::Request(request) => request,
        other => panic!("not a request: {other:?}"),
    }
}

#[test]
fn arguments_are_found_without_being_touched() {
    let arguments = r#"{ "b" : 1e400, "a":12345678901234567890.10 , "u":"\u00e9\/" }"#;
    let text = format!(r#"{{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#);
    let request = request_of(&text);
    assert_eq!(request.id.raw(), "\"x\"");
    assert_eq!(request.method, "tools/call");
    assert_eq!(request.params.unwrap().get("arguments"), Some(arguments));
}

#[test]
fn the_four_kinds_are_told_apart() {
    let kinds = [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "request"),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "notification"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "response"),
        (r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}"#, "error"),
    ];
    for (text, kind) in kinds {
        let found = match Message::parse(text.as_bytes()).unwrap() {
            Message::Request(_) => "request",
            Message::Notification(_) => "notification",
            Message::Response(_) => "response",
            Message::Error(None, _) => "error",
            Message::Error(Some(_), _) => "error with id",
        };
        assert_eq!(found, kind);
    }
}

#[test]
fn null_params_are_absent_params() {
    assert!(request_of(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#).params.is_none());
}

#[test]
fn what_is_not_json_is_a_parse_error() {
    for text in [
        "",
        " ",
        "{",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":1e}"#,
        r#"{"a":+1}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12g4"}"#,
        "{\"a\":\"\n\"}",
        r#"{"a":nul}"#,
        r#"{"a":truefalse}"#,
        r#"{} {}"#,
        r#"{'a':1}"#,
        r#"{"a":"b}"#,
        r#"[1,]"#,
        r#"[1 2]"#,
        r#"{"a":1 "b":2}"#,
        "nullx",
    ] {
        let error = Message::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), -32700, "{text}: {error}");
    }
    assert_eq!(Message::parse(b"{\"\xff\":1}").unwrap_err(), FrameError::NotUtf8(2));
}

#[test]
fn what_is_json_but_no_message_is_an_invalid_request() {
    for text in [
        "1",
        "null",
        "\"x\"",
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":""}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#,
    ] {
        let error = Message::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, FrameError::NotAMessage(_)), "{text}: {error}");
        assert_eq!(error.code(), -32600);
    }
}

#[test]
fn a_key_that_stands_twice_is_refused_however_it_is_written() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"content":[]}}"#,
    ] {
        assert!(matches!(Message::parse(text.as_bytes()).unwrap_err(), FrameError::DuplicateKey(_)), "{text}");
    }
}

#[test]
fn meta_is_taken_apart_with_its_object_and_a_meta_that_says_one_thing_twice_is_none() {
    let meta = |text: &str| {
        let object = RawObject::parse(text).unwrap();
        let found = object.meta().map(|meta| meta.text().to_owned());
        assert_eq!(found, object.get_object("_meta").map(|meta| meta.text().to_owned()), "{text}");
        found
    };
    assert_eq!(meta(r#"{"a":{"_meta":{}},"_m\u0065ta":{ "b":[1] } }"#).as_deref(), Some(r#"{ "b":[1] }"#));
    for none in [r#"{}"#, r#"{"_meta":[]}"#, r#"{"_meta":null}"#, r#"{"_meta":{"a":1,"a":2},"b":1}"#] {
        assert_eq!(meta(none), None, "{none}");
    }
    assert_eq!(meta(r#"{"_meta":{"_meta":{"a":1,"a":2}}}"#).as_deref(), Some(r#"{"_meta":{"a":1,"a":2}}"#));
    assert!(RawObject::parse(r#"{"_meta":{"a":1,}}"#).is_err() && RawObject::parse(r#"{"_meta":{},"_meta":{}}"#).is_err());
    let deep = format!("{}{}", r#"{"_meta":"#.repeat(MAX_DEPTH + 1), "}".repeat(MAX_DEPTH + 1));
    assert!(RawObject::parse(&deep).is_err());
}

#[test]
fn many_keys_cost_no_quadratic_time_and_duplicates_are_still_found() {
    let keys: Vec<String> = (0..50_000).map(|i| format!("\"k{i}\":1")).collect();
    let text = format!("{{{}}}", keys.join(","));
    assert_eq!(RawObject::parse(&text).unwrap().members().len(), 50_000);
    let twice = format!("{{{},\"k7\":2}}", keys.join(","));
    assert!(matches!(RawObject::parse(&twice), Err(FrameError::DuplicateKey(_))));
}

#[test]
fn nesting_has_a_limit() {
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"a":{open}{close}}}}}"#)
    };
    assert!(Message::parse(nested(MAX_DEPTH - 2).as_bytes()).is_ok());
    assert_eq!(Message::parse(nested(MAX_DEPTH - 1).as_bytes()).unwrap_err(), FrameError::TooDeep);
    assert_eq!(Message::parse(nested(1_000_000).as_bytes()).unwrap_err(), FrameError::TooDeep);
}

#[test]
fn an_array_is_a_batch_only_where_it_is_asked_for() {
    let batch = br#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"n"}]"#;
    assert_eq!(Message::parse(batch).unwrap_err(), FrameError::Batch);
    let (messages, is_batch) = Message::parse_batch(batch, 2).unwrap();
    assert_eq!((messages.len(), is_batch), (2, true));
    assert!(Message::parse_batch(batch, 1).is_err());
    assert!(Message::parse_batch(b"[]", 9).is_err());
    assert!(Message::parse_batch(b"[1]", 9).is_err());
    let (one, is_batch) = Message::parse_batch(br#"{"jsonrpc":"2.0","method":"n"}"#, 9).unwrap();
    assert_eq!((one.len(), is_batch), (1, false));
}

#[test]
fn what_is_no_json_is_a_parse_error_also_where_a_batch_may_stand() {
    for text in ["{} x", "1 x", "[1] x", "[1,]", r#"[1,{"a"}]"#, r#"[{"jsonrpc":"2.0","method":"n","params":[]},{"a"}]"#] {
        let error = Message::parse_batch(text.as_bytes(), 1).unwrap_err();
        assert_eq!(error.code(), -32700, "{text}: {error}");
    }
    for text in ["{}", "[]", "[1]", r#"[1,{"jsonrpc":"2.0","method":"n"}]"#] {
        let error = Message::parse_batch(text.as_bytes(), 1).unwrap_err();
        assert!(matches!(error, FrameError::NotAMessage(_)), "{text}: {error}");
    }
}

#[test]
fn edits_change_their_member_and_nothing_else() {
    let text = r#"{ "name" : "b_t", "arg\u0075ments":{ "x" : 1e9 } ,"_meta":{"a":1}}"#;
    let object = RawObject::parse(text).unwrap();
    let mut out = Vec::new();
    object.write(&[Edit::Set("name", "\"t\""), Edit::Remove("_meta"), Edit::Set("new", "true")], &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), r#"{"name":"t","arg\u0075ments":{ "x" : 1e9 },"new":true}"#);
}

#[test]
fn of_edits_that_name_one_member_the_first_counts() {
    let written = |text: &str, edits: &[Edit<'_>]| {
        let mut out = Vec::new();
        RawObject::parse(text).unwrap().write(edits, &mut out);
        String::from_utf8(out).unwrap()
    };
    let edits = [Edit::Set("a", "1"), Edit::Set("a", "2"), Edit::Remove("b"), Edit::Set("b", "3")];
    for text in ["{}", r#"{"a":0}"#, r#"{"b":0,"a":0}"#] {
        assert_eq!(written(text, &edits), r#"{"a":1}"#, "{text}");
    }
}

#[test]
fn debug_shows_keys_and_no_values() {
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"password":"hunter2"}}}"#;
    let shown = format!("{:?}", Message::parse(text.as_bytes()).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("arguments"), "{shown}");
}

#[test]
fn line_ends_between_tokens_become_spaces_and_others_stay_escaped() {
    let json = Bytes::from_static(b"{\r\n \"a\":\"x\\ny\"\n}");
    assert_eq!(single_line(json), Bytes::from_static(b"{   \"a\":\"x\\ny\" }"));
    let flat = Bytes::from_static(b"{}");
    assert_eq!(single_line(flat.clone()).as_ptr(), flat.as_ptr());
}

#[test]
fn ids_are_compared_by_value_with_our_own() {
    assert!(Id::parse("17").unwrap().is_number(17));
    assert!(!Id::parse("\"17\"").unwrap().is_number(17));
    assert!(Id::parse("null").is_none());
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..8).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_json_value_is_passed_over_whole(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        prop_assert!(is_json(&text));
    }

    #[test]
    fn the_grammar_is_the_one_of_serde_json(text in r#"[\[\]{}",:0-9eE.+\-tfnulrasb\\/ ]{0,24}"#) {
        prop_assert_eq!(is_json(&text), serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::parse(&bytes);
        let _ = Message::parse_batch(&bytes, 4);
    }

    #[test]
    fn strings_are_written_as_serde_json_reads_them(text: String) {
        let mut out = Vec::new();
        json_string(&text, &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.clone());
        let literal = String::from_utf8(out).unwrap();
        prop_assert_eq!(decode_string(&literal).unwrap(), text);
    }

    #[test]
    fn an_object_written_without_edits_says_the_same(value in json()) {
        let text = Value::Object([("a".to_owned(), value)].into_iter().collect()).to_string();
        let mut out = Vec::new();
        RawObject::parse(&text).unwrap().write(&[], &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}
