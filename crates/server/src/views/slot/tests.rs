//! How attempts, changes and failures of one list follow each other.

use super::*;
use std::cell::Cell;
use vmcp_core::Era;

pub(in crate::views) fn whole(trouble: Option<&str>) -> Fetched {
    Fetched { list: Arc::new(BackendList::builder(Era::Modern).build()), lacking: 0, trouble: trouble.map(Into::into) }
}

#[test]
fn a_change_is_news_once_until_somebody_looks_and_is_not_fetched_right_after_a_look() {
    let slot = Slot::new();
    let list = || Ok(whole(None));
    assert!(slot.start());
    assert!(slot.mark_changed(Some(ListKind::Tools)) && !slot.mark_changed(Some(ListKind::Tools)));
    assert!(slot.mark_changed(None) && !slot.mark_changed(Some(ListKind::Prompts)));
    slot.finish(list(), || {});
    assert_eq!(slot.freshness(Duration::MAX), Freshness::Changed);
    assert!(slot.start() && slot.mark_changed(Some(ListKind::Tools)), "somebody looks");
}

#[test]
fn a_few_changes_are_fetched_at_once_and_a_stream_of_them_at_a_pace() {
    let slot = Slot::new();
    for _ in 0..CHANGES_AT_ONCE {
        assert!(slot.start());
        slot.mark_changed(None);
        slot.finish(Ok(whole(None)), || {});
    }
    assert!(!slot.change_due(), "it was fetched often just now");
    slot.state(|state| state.counted_until = state.counted_until.and_then(|until| until.checked_sub(CHANGE_PAUSE)));
    assert!(slot.change_due(), "a pause later one more is due");
    assert!(slot.start() && slot.mark_changed(None));
    slot.finish(Ok(whole(None)), || {});
    assert!(!slot.change_due(), "and only one");
}

#[test]
fn what_changed_is_known_before_anybody_who_waits_wakes() {
    let slot = Slot::new();
    let waiting = slot.subscribe();
    let told = Cell::new(0);
    let list = || Ok(whole(None));
    let changed = || {
        assert!(slot.state.try_lock().is_err(), "nobody sees the list yet");
        assert!(!waiting.has_changed().unwrap());
        told.set(told.get() + 1);
    };
    assert!(slot.start() && !slot.start());
    assert_eq!(slot.finish(list(), changed), ListKind::ALL);
    assert!(waiting.has_changed().unwrap());
    slot.finish(list(), || told.set(told.get() + 1));
    slot.finish(Err("gone".into()), || told.set(told.get() + 1));
    assert_eq!(told.get(), 1, "the same list again and a failure change nothing");
}
#[test]
fn a_kind_that_fails_is_tried_again_and_holds_up_neither_changes_nor_those_who_wait() {
    let slot = Slot::new();
    let tools = || Fetched { lacking: bits(|kind| kind != ListKind::Tools), trouble: Some("no prompts".into()), ..whole(None) };
    assert!(slot.start());
    slot.arrive(Fetched { trouble: None, ..tools() }, || {});
    assert_eq!((slot.freshness(Duration::MAX), slot.error()), (Freshness::Fresh, None), "what is there is there");
    assert!(slot.knows(ListKind::Tools) && !slot.knows(ListKind::Prompts));
    slot.finish(Ok(tools()), || {});
    assert_eq!(slot.error().as_deref(), Some("no prompts"));
    slot.mark_changed(Some(ListKind::Tools));
    slot.state(|state| {
        state.counted_until = None;
        state.last_failure = Instant::now().checked_sub(CHANGE_PAUSE);
    });
    assert!(slot.change_due() && slot.retry_due());
    assert!(slot.start() && slot.wait_until(Duration::MAX / 4).is_some());
    slot.finish(Ok(whole(None)), || {});
    assert!(slot.knows(ListKind::Prompts) && slot.error().is_none() && !slot.retry_due());
    // What was known once stays known, while no list at all can be had.
    slot.finish(Err("gone".into()), || {});
    assert!(slot.knows(ListKind::Prompts) && slot.wait_until(Duration::ZERO).is_none());
}
#[test]
fn a_dead_backends_list_is_due_as_soon_as_it_is_back() {
    let slot = Slot::new();
    assert!(slot.start());
    slot.finish(Ok(whole(None)), || {});
    for _ in 0..9 {
        assert!(slot.start());
        slot.finish(Err("refused".into()), || {});
    }
    slot.mark_changed(None);
    slot.state(|state| {
        state.counted_until = None;
        state.last_failure = Instant::now().checked_sub(CHANGE_PAUSE);
    });
    assert!(!slot.change_due() && !slot.retry_due(), "nobody asks a dead backend again and again");
    slot.come_back();
    assert!(slot.change_due() && slot.retry_due());
}
