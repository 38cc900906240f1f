use super::*;

const MAIN: EndpointId = EndpointId::Main;

fn table(max: usize) -> SessionTable {
    table_with(max, &[vec![1; 32]])
}

fn table_with(max: usize, keys: &[Vec<u8>]) -> SessionTable {
    let settings = Settings {
        max,
        max_per_peer: 2,
        idle_timeout: Duration::from_secs(1800),
        unused_timeout: Duration::from_secs(60),
        max_age: Duration::from_secs(24 * 3600),
    };
    SessionTable::new(settings, keys).unwrap()
}

fn user(subject: &str) -> Principal {
    Principal { issuer: "test".into(), subject: subject.into() }
}

fn open(table: &SessionTable, subject: &str) -> Arc<ClientSession> {
    table.create(&MAIN, &user(subject), Revision::V2025_11_25, CapabilitySet::NONE, None).unwrap()
}

#[test]
fn a_session_is_found_by_its_owner_only_and_a_stranger_does_it_no_harm() {
    let table = table(10);
    let session = open(&table, "alice");
    assert_eq!(table.find(&session.id, &MAIN, &user("bob"), None).err(), Some(NoSession::NotFound));
    assert!(Arc::ptr_eq(&table.find(&session.id, &MAIN, &user("alice"), None).unwrap(), &session));
}

#[test]
fn a_session_is_good_at_the_endpoint_that_opened_it_and_nowhere_else() {
    let (first, second) = (table(20), table(20));
    let endpoints = [MAIN, EndpointId::Backend("a".into()), EndpointId::Backend("b".into()), EndpointId::Named("/a".into())];
    for own in &endpoints {
        let session = first.create(own, &user("alice"), Revision::V2025_11_25, CapabilitySet::NONE, None).unwrap();
        for other in &endpoints {
            let good = own == other;
            assert_eq!(first.find(&session.id, other, &user("alice"), None).is_ok(), good, "of {own:?} at {other:?}");
            let taken_over = second.find(&session.id, other, &user("alice"), None);
            assert_eq!(taken_over.map(|session| session.endpoint == *own).ok(), good.then_some(true), "another process: {own:?} {other:?}");
        }
        assert!(first.find(&session.id, own, &user("alice"), None).is_ok(), "nothing happened to it");
    }
}

#[test]
fn an_id_outlives_its_process_but_not_its_key() {
    let first = table(10);
    let id = open(&first, "alice").id.clone();
    let second = table(10);
    assert_eq!(second.find(&id, &MAIN, &user("bob"), None).err(), Some(NoSession::NotFound));
    let resumed = second.find(&id, &MAIN, &user("alice"), None).unwrap();
    assert_eq!(resumed.revision, Revision::V2025_11_25);
    assert_eq!(table_with(10, &[vec![2; 32]]).find(&id, &MAIN, &user("alice"), None).err(), Some(NoSession::NotFound));
}

#[test]
fn a_deleted_id_stays_deleted_whoever_issued_it() {
    let first = table(10);
    let own = open(&first, "alice").id.clone();
    assert!(first.remove(&own).is_some());
    assert_eq!(first.find(&own, &MAIN, &user("alice"), None).err(), Some(NoSession::NotFound));

    let foreign = open(&first, "alice").id.clone();
    let second = table(10);
    drop(second.find(&foreign, &MAIN, &user("alice"), None).unwrap());
    assert!(second.remove(&foreign).is_some());
    assert_eq!(second.find(&foreign, &MAIN, &user("alice"), None).err(), Some(NoSession::NotFound));
}

#[test]
fn over_the_cap_the_least_recently_used_idle_session_goes() {
    let table = table(3);
    let sessions: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|name| {
            table.clock.skip(Duration::from_secs(1));
            open(&table, name)
        })
        .collect();
    table.clock.skip(Duration::from_secs(1));
    drop(table.find(&sessions[0].id, &MAIN, &user("a"), None).unwrap());
    open(&table, "d");
    assert!(table.find(&sessions[0].id, &MAIN, &user("a"), None).is_ok());
    assert_eq!(table.find(&sessions[1].id, &MAIN, &user("b"), None).err(), Some(NoSession::NotFound));
    assert_eq!(table.counts().open, 3);
}

#[test]
fn sessions_in_use_are_never_evicted() {
    let table = table(2);
    let (a, b) = (open(&table, "a"), open(&table, "b"));
    let _in_use = [table.find(&a.id, &MAIN, &user("a"), None).unwrap(), table.find(&b.id, &MAIN, &user("b"), None).unwrap()];
    let refused = table.create(&MAIN, &user("c"), Revision::V2025_11_25, CapabilitySet::NONE, None);
    assert_eq!(refused.err(), Some(NoSession::Full));
    assert_eq!(table.counts().open, 2);
}

#[test]
fn one_address_without_authentication_has_a_cap_of_its_own() {
    let table = table(10);
    let peer = Some(IpAddr::from([192, 0, 2, 1]));
    let make = |peer| table.create(&MAIN, &user("a"), Revision::V2025_11_25, CapabilitySet::NONE, peer);
    let first = make(peer).unwrap();
    make(peer).unwrap();
    assert_eq!(make(peer).err(), Some(NoSession::PeerFull));
    assert!(make(Some(IpAddr::from([192, 0, 2, 2]))).is_ok());
    table.remove(&first.id);
    assert!(make(peer).is_ok());
}

#[test]
fn an_unused_session_goes_after_a_minute_and_an_idle_one_after_half_an_hour() {
    let table = table(10);
    let (unused, used) = (open(&table, "a"), open(&table, "b"));
    drop(table.find(&used.id, &MAIN, &user("b"), None).unwrap());
    table.clock.skip(Duration::from_secs(61));
    let expired = table.take_expired();
    assert!(matches!(expired.as_slice(), [only] if only.id == unused.id));
    let in_use = table.find(&used.id, &MAIN, &user("b"), None).unwrap();
    table.clock.skip(Duration::from_secs(1801));
    assert!(table.take_expired().is_empty(), "in use");
    drop(in_use);
    assert!(table.take_expired().is_empty(), "just used");
    table.clock.skip(Duration::from_secs(1801));
    assert_eq!(table.take_expired().len(), 1);
    assert_eq!(table.find(&used.id, &MAIN, &user("b"), None).err(), Some(NoSession::NotFound));
}

#[test]
fn a_session_whose_time_is_over_is_not_found_though_nobody_has_looked_for_expired_ones() {
    let first = table(10);
    let foreign = open(&first, "carol").id.clone();
    let table = table(10);
    let (unused, used) = (open(&table, "alice"), open(&table, "bob"));
    let find = |id: &str, subject: &str| table.find(id, &MAIN, &user(subject), None).map(drop).err();
    assert_eq!((find(&used.id, "bob"), find(&foreign, "carol")), (None, None));
    table.clock.skip(Duration::from_secs(61));
    assert_eq!(find(&unused.id, "alice"), Some(NoSession::NotFound), "never used");
    assert_eq!(find(&used.id, "bob"), None);
    let in_use = table.find(&foreign, &MAIN, &user("carol"), None).unwrap();
    table.clock.skip(Duration::from_secs(1801));
    assert_eq!(find(&used.id, "eve"), Some(NoSession::NotFound));
    assert_eq!(find(&used.id, "bob"), Some(NoSession::NotFound), "idle");
    assert_eq!(find(&foreign, "carol"), None, "one that is in use does not end");
    drop(in_use);
    table.clock.skip(Duration::from_secs(1801));
    for _ in 0..2 {
        assert_eq!(find(&foreign, "carol"), Some(NoSession::NotFound), "an adopted one is not taken over again");
    }
    assert_eq!(table.counts().open, 0);
}

#[tokio::test]
async fn what_a_session_found_too_late_has_at_the_backends_is_closed_with_the_expired_ones() {
    let table = table(10);
    let session = open(&table, "alice");
    let mut backend = vmcp_core::config::Backend::new("b", "http://127.0.0.1:1/mcp".parse().unwrap());
    backend.protocol_era = vmcp_core::config::ProtocolEra::Legacy;
    let gateway = crate::Gateway::builder(vmcp_core::config::Config::with_backends(vec![backend])).build().unwrap();
    let params = vmcp_core::frame::RawObject::parse("{}").unwrap();
    let call = vmcp_backend::Call {
        method: "tools/call",
        params: &params,
        set: &[],
        mirror: None,
        param_headers: &[],
        caller: &vmcp_auth::Identity::anonymous(),
        caller_era: vmcp_core::Era::Legacy,
        capabilities: CapabilitySet::NONE,
        sessions: Some(&session.backends),
        progress: false,
        log_level: None,
    };
    // Nobody listens there, but the session has a place for what was to be opened.
    assert!(gateway.inner.snapshot().backends[0].call(call).await.is_err());
    assert!(!session.backends.is_empty());
    table.clock.skip(Duration::from_secs(3600));
    assert!(table.find(&session.id, &MAIN, &user("alice"), None).is_err());
    let ended = table.take_expired();
    assert!(matches!(ended.as_slice(), [only] if only.id == session.id));
    gateway.shutdown().await;
}

#[test]
fn a_cancel_reaches_the_call_that_it_names() {
    let table = table(10);
    let session = open(&table, "a");
    let (one, two) = (session.start_call("1"), session.start_call("\"1\""));
    session.cancel("1");
    let waiting = |call: &super::super::client::ActiveCall| {
        let mut cancelled = std::pin::pin!(call.cancelled());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        cancelled.as_mut().poll(&mut cx).is_pending()
    };
    assert!(!waiting(one.call()));
    assert!(waiting(two.call()));
}

#[test]
fn a_stream_that_is_not_read_is_ended_instead_of_growing() {
    let table = table(10);
    let session = open(&table, "a");
    let (_, mut reader) = session.open_stream(crate::session::Binding::of(0, [0].iter()), None);
    let message = bytes::Bytes::from_static(b"{}");
    for _ in 0..crate::session::stream::STREAM_QUEUE {
        assert!(session.send(&message, &|_| true));
    }
    assert!(!session.send(&message, &|_| true));
    assert!(!session.has_stream());
    assert!(reader.try_next().is_some_and(|event| event.starts_with(b"id: ")) && reader.try_next().is_none());
}

#[test]
fn ended_sessions_make_room_for_new_ones() {
    let table = table(2);
    for _ in 0..5 {
        let id = open(&table, "alice").id.clone();
        assert!(table.remove(&id).is_some());
    }
    let (first, second) = (open(&table, "alice"), open(&table, "alice"));
    for session in [first, second] {
        assert!(table.find(&session.id, &MAIN, &user("alice"), None).is_ok(), "neither had to give way to the other");
    }
}

#[test]
fn a_session_keeps_what_its_client_declared_also_in_another_process() {
    let declared = CapabilitySet::SAMPLING;
    let id = table(10).create(&crate::session::EndpointId::Main, &user("alice"), Revision::V2025_11_25, declared, None).unwrap().id.clone();
    assert_eq!(table(10).find(&id, &crate::session::EndpointId::Main, &user("alice"), None).unwrap().capabilities(), declared);
}

#[test]
fn a_session_that_only_waits_has_nothing_but_itself() {
    let table = table(10);
    let session = open(&table, "alice");
    assert!(session.streams.get().is_none(), "streams are made with the first one");
    assert!(session.asks.lock().unwrap().is_none() && session.followed.lock().unwrap().is_none());
    let size = size_of::<ClientSession>();
    assert!(size <= 512, "{size} bytes");
}
