use super::*;
use crate::edge::sse::Source;
use std::task::{
    Poll::{Pending, Ready},
    Waker,
};

fn home(limit: usize) -> (Arc<Streams>, Arc<Replay>) {
    let replay = Arc::new(Replay::with_limit(limit));
    (Streams::new(&replay), replay)
}

fn open(home: &(Arc<Streams>, Arc<Replay>), purpose: Purpose, style: Style) -> (Arc<EventStream>, Reader) {
    EventStream::open(&home.0, &home.1, purpose, style, Binding::of(0, [1].iter()), None)
}

fn message(number: usize) -> Bytes {
    format!("{{\"n\":{number}}}").into()
}

/// What a reader is given at once: `(place, data)`, and whether the stream has ended for it.
fn read(reader: &mut Reader) -> (Vec<(u64, String)>, bool) {
    let mut events = Vec::new();
    loop {
        match reader.poll_event(&mut Context::from_waker(Waker::noop())) {
            Pending => return (events, false),
            Ready(None) => return (events, true),
            Ready(Some(event)) => {
                let text = String::from_utf8(event.to_vec()).unwrap();
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
                let place = field("id:").rsplit('-').next().and_then(|place| u64::from_str_radix(place, 16).ok()).unwrap();
                events.push((place, field("data:")));
            }
        }
    }
}

fn places(events: &[(u64, String)]) -> Vec<u64> {
    events.iter().map(|(place, _)| *place).collect()
}

#[test]
fn a_reader_goes_on_behind_the_event_that_it_names() {
    let home = home(1 << 20);
    let (stream, mut first) = open(&home, Purpose::Call, Style::Primed);
    for number in 1..=3 {
        stream.push(message(number));
    }
    let (events, _) = read(&mut first);
    assert_eq!(places(&events), [0, 1, 2, 3]);
    assert_eq!(events[0].1, "", "the first event has an id and no data");
    drop(first);
    stream.push(message(4));
    stream.end();
    for (after, rest) in [(0, vec![0, 1, 2, 3, 4]), (2, vec![2, 3, 4]), (4, vec![4])] {
        let (events, ended) = read(&mut stream.read_after(after, None).unwrap());
        assert_eq!((places(&events), ended), (rest, true), "behind {after}");
    }
    assert!(stream.read_after(5, None).is_none(), "there was no such event");
}

#[test]
fn a_pipe_that_does_not_keep_up_goes_on_where_it_was_and_keeps_nothing_that_it_sent() {
    let home = home(1 << 20);
    let (stream, mut reader) = open(&home, Purpose::Session, Style::Bare);
    let next = |reader: &mut Reader| match reader.poll_event(&mut Context::from_waker(Waker::noop())) {
        Ready(event) => event.map(|message| String::from_utf8(message.to_vec()).unwrap()),
        Pending => Some("pending".to_owned()),
    };
    stream.push(message(0));
    assert_eq!((next(&mut reader).as_deref(), next(&mut reader).as_deref()), (Some(r#"{"n":0}"#), Some("pending")));
    assert_eq!(home.1.bytes(), 0, "nothing is kept for a client that does not come back");
    for number in 1..=2 * usize::try_from(STREAM_QUEUE).unwrap() {
        stream.push(message(number));
    }
    assert!(next(&mut reader).is_none() && !stream.has_reader(), "the reader was ended");
    let mut reader = stream.read_on().unwrap();
    assert_eq!(next(&mut reader).as_deref(), Some(r#"{"n":1}"#));
    stream.close();
    assert!(stream.read_on().is_none());
}

#[test]
fn older_clients_get_ids_and_no_event_without_data() {
    let (stream, mut reader) = open(&home(1 << 20), Purpose::Call, Style::Plain);
    stream.push(message(1));
    assert_eq!(read(&mut reader).0, [(1, "{\"n\":1}".to_owned())]);
}

#[test]
fn the_newest_reader_takes_over() {
    let home = home(1 << 20);
    let (stream, mut first) = open(&home, Purpose::Session, Style::Plain);
    let mut second = stream.read_after(0, None).unwrap();
    stream.push(message(1));
    assert_eq!(read(&mut first), (vec![], true));
    drop(first);
    assert_eq!(places(&read(&mut second).0), [1]);
    assert!(stream.has_reader());
    assert_eq!(home.1.readers(), 1);
    stream.close();
    assert_eq!(home.1.readers(), 0);
    drop(second);
    assert_eq!(home.1.readers(), 0, "it had left already");
}

#[tokio::test]
async fn a_slow_reader_of_a_call_holds_up_its_sender_until_it_reads_or_goes() {
    for reads in [true, false] {
        let (stream, mut reader) = open(&home(1 << 20), Purpose::Call, Style::Plain);
        for number in 0..CALL_QUEUE as usize {
            stream.send(message(number)).await;
        }
        let mut more = pin!(stream.send(message(99)));
        assert!(std::future::poll_fn(|cx| Ready(more.as_mut().poll(cx))).await.is_pending());
        if reads {
            assert_eq!(read(&mut reader).0.len() as u64, CALL_QUEUE);
        } else {
            drop(reader);
        }
        more.await;
    }
}

#[test]
fn a_long_message_waits_until_nothing_else_is_unread() {
    let home = home(1 << 20);
    let (stream, mut reader) = open(&home, Purpose::Call, Style::Plain);
    stream.push(message(1));
    stream.push(message(2));
    let mut long = pin!(stream.send(Bytes::from(format!("\"{}\"", "x".repeat(LONG)))));
    let mut sent = || long.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
    for _ in 0..2 {
        assert!(!sent());
        assert!(reader.try_next().is_some());
    }
    assert!(sent());
}

#[test]
fn a_reader_that_lets_too_many_bytes_lie_is_ended() {
    let home = home(1 << 30);
    let (stream, mut reader) = open(&home, Purpose::Session, Style::Plain);
    let long = || Bytes::from(vec![b'x'; STREAM_BYTES / 3]);
    assert!((0..3).all(|_| stream.push_to_reader(long())));
    assert!(!stream.push_to_reader(long()), "nobody reads any more");
    assert!(reader.try_next().is_none());
}

#[test]
fn what_is_kept_is_bounded_by_count_and_by_bytes_and_given_back() {
    let home = home(10_000);
    let (stream, reader) = open(&home, Purpose::Call, Style::Plain);
    drop(reader);
    for number in 0..STREAM_EVENTS + 10 {
        stream.push(message(number));
    }
    let (events, _) = read(&mut stream.read_after(0, None).unwrap());
    assert!(events.len() <= STREAM_EVENTS && home.1.bytes() <= 10_000, "{} events, {} bytes", events.len(), home.1.bytes());
    assert_eq!(events.last().unwrap().0, STREAM_EVENTS as u64 + 10, "the newest are kept");
    assert_eq!(home.0.bytes(), home.1.bytes());
    drop(stream);
    assert_eq!((home.0.bytes(), home.1.bytes()), (0, 0));
}

#[test]
fn what_was_read_gives_way_first_and_what_a_reader_has_yet_to_get_never() {
    let home = home(1000);
    let (stream, mut reader) = open(&home, Purpose::Call, Style::Plain);
    let long = |number| Bytes::from(format!("{{\"n\":\"{number}{}\"}}", "x".repeat(300)));
    for number in 1..=5 {
        assert!(stream.push(long(number)));
    }
    assert!(home.1.bytes() > 1000);
    assert_eq!(places(&read(&mut reader).0), [1, 2, 3, 4, 5], "all of it is delivered");
    assert!(home.1.bytes() <= 500, "{}", home.1.bytes());
}

#[test]
fn a_stream_that_nobody_reads_is_forgotten_in_time() {
    let home = home(1 << 20);
    let now = Instant::now();
    let (stream, mut reader) = open(&home, Purpose::Call, Style::Plain);
    stream.push(message(1));
    assert!(!stream.is_forgotten(now + 2 * KEPT), "somebody reads it");
    read(&mut reader);
    drop(reader);
    assert!(!stream.is_forgotten(now + 2 * KEPT), "the call goes on");
    stream.end();
    assert!(!stream.is_forgotten(now) && stream.is_forgotten(now + KEPT_READ * 2), "it was read to its end");
    let (unread, reader) = open(&home, Purpose::Call, Style::Plain);
    drop(reader);
    unread.push(message(1));
    unread.end();
    assert!(!unread.is_forgotten(now + KEPT_READ * 2) && unread.is_forgotten(now + KEPT * 2));
}
