use super::*;
use proptest::prelude::*;

const LIMIT: usize = 4096;

/// Everything that a stream says: its events, the last id and the retry time.
type Said = (Vec<SseEvent>, Option<Bytes>, Option<Duration>);

fn read(chunks: &[&[u8]]) -> Said {
    let mut reader = SseReader::new(LIMIT);
    let mut events = Vec::new();
    for chunk in chunks {
        reader.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = reader.next().unwrap() {
            events.push(event);
        }
    }
    (events, reader.last_id().cloned(), reader.retry())
}

fn data(stream: &str) -> Vec<String> {
    read(&[stream.as_bytes()]).0.into_iter().map(|event| String::from_utf8(event.data.to_vec()).unwrap()).collect()
}

fn value_of(rest: &[u8]) -> Vec<u8> {
    rest.strip_prefix(b" ").map_or(rest, |value| value).to_vec()
}

/// The standard's algorithm once more, over the whole text and without any care for speed.
fn model(stream: &[u8]) -> Said {
    let stream = stream.strip_prefix(MARK).unwrap_or(stream);
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut at = 0;
    while at < stream.len() {
        if stream[at] == b'\r' || stream[at] == b'\n' {
            if stream[at] == b'\r' && stream.get(at + 1) == Some(&b'\n') {
                at += 1;
            }
            lines.push(Vec::new());
        } else {
            lines.last_mut().unwrap().push(stream[at]);
        }
        at += 1;
    }
    lines.pop(); // a line without an end does not count
    let (mut events, mut last_id, mut retry) = (Vec::new(), None, None);
    let (mut buffer, mut id, mut kind) = (Vec::new(), None, Vec::new());
    for line in lines {
        if line.is_empty() {
            if let Some(id) = id.take() {
                last_id = Some(Bytes::from(id));
            }
            if !buffer.is_empty() {
                buffer.pop();
                events.push(SseEvent {
                    data: buffer.into(),
                    is_message: kind.is_empty() || kind == b"message",
                    is_endpoint: kind == b"endpoint",
                });
            }
            (buffer, kind) = (Vec::new(), Vec::new());
            continue;
        }
        let (name, value) = match line.iter().position(|b| *b == b':') {
            Some(colon) => (line[..colon].to_vec(), value_of(&line[colon + 1..])),
            None => (line, Vec::new()),
        };
        match &name[..] {
            b"data" => {
                buffer.extend(value);
                buffer.push(b'\n');
            }
            b"event" => kind = value,
            b"id" if !value.contains(&0) => id = Some(value),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                retry = Some(String::from_utf8(value).unwrap().parse().map_or(Duration::MAX, Duration::from_millis));
            }
            _ => {}
        }
    }
    (events, last_id.filter(|id: &Bytes| !id.is_empty()), retry)
}

#[test]
fn the_three_line_ends_end_lines() {
    for end in ["\n", "\r", "\r\n"] {
        assert_eq!(data(&format!("data: a{end}data:b{end}{end}data:  c{end}{end}")), ["a\nb", " c"], "{end:?}");
    }
}

#[test]
fn comments_other_fields_and_a_byte_order_mark_are_passed_over() {
    assert_eq!(data("\u{feff}data: a\n: comment\nfoo: bar\n\n:\n\ndata\n\n"), ["a", ""]);
    assert_eq!(data("data: a\n\ndata: cut off"), ["a"]);
}

#[test]
fn ids_and_retry_times_are_kept() {
    let (events, id, retry) = read(&[b"id: 7\nretry: 250\ndata:\n\nid: x\0y\n\nid: 8\n"]);
    assert_eq!(events, [SseEvent { data: Bytes::new(), is_message: true, is_endpoint: false }]);
    assert_eq!((id.as_deref(), retry), (Some(&b"7"[..]), Some(Duration::from_millis(250))));
    assert_eq!(read(&[b"id: 7\n\nid\n\n"]).1, None);
    assert_eq!(read(&[b"retry: soon\n\n"]).2, None);
}

#[test]
fn only_events_of_the_type_message_are_messages() {
    let (events, ..) = read(&[b"event: message\ndata: a\n\nevent: ping\ndata: b\n\ndata: c\n\n"]);
    assert_eq!(events.iter().map(|event| event.is_message).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn a_data_line_in_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"event: message\ndata: {\"a\":1}\n\n");
    let mut reader = SseReader::new(LIMIT);
    reader.push(chunk.clone());
    let event = reader.next().unwrap().unwrap();
    assert_eq!(event.data.as_ptr(), chunk[21..].as_ptr());
}

#[test]
fn an_event_has_a_limit_however_it_is_cut() {
    let long = format!("data: {}\n\n", "x".repeat(LIMIT));
    let many = "data: xxxxxxxx\n".repeat(LIMIT);
    let comment = format!(": {}", "x".repeat(LIMIT));
    for stream in [long, many, comment] {
        for size in [1, 100, stream.len()] {
            let mut reader = SseReader::new(LIMIT);
            let refused = stream.as_bytes().chunks(size).any(|chunk| {
                reader.push(Bytes::copy_from_slice(chunk));
                loop {
                    match reader.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => return false,
                        Err(EventTooLarge) => return true,
                    }
                }
            });
            assert!(refused);
        }
    }
}

#[test]
fn a_byte_order_mark_counts_towards_the_limit_however_it_is_cut() {
    for (limit, is_read) in [(9, false), (10, true)] {
        for size in [1, 2, 5, 12] {
            let mut reader = SseReader::new(limit);
            let read = "\u{feff}data: x\n\n".as_bytes().chunks(size).try_fold(0, |events, chunk| {
                reader.push(Bytes::copy_from_slice(chunk));
                reader.next().map(|event| events + usize::from(event.is_some()))
            });
            assert_eq!(read, if is_read { Ok(1) } else { Err(EventTooLarge) }, "{limit} bytes, cut into {size}");
        }
    }
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"data".to_vec()),
        Just(b"data:".to_vec()),
        Just(b"data: ".to_vec()),
        Just(b"event:message".to_vec()),
        Just(b"event: ".to_vec()),
        Just(b"id:".to_vec()),
        Just(b"retry:12".to_vec()),
        Just(b":".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(MARK.to_vec()),
        prop::collection::vec(any::<u8>(), 0..5),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn however_it_is_cut_a_stream_says_what_the_standard_says(stream in stream(), cuts in prop::collection::vec(0usize..200, 0..20)) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read(&chunks), model(&stream));
    }
}
