use super::*;
use crate::{Gateway, views::Viewer};
use std::task::{Context, Poll, Waker};
use vmcp_auth::Identity;
use vmcp_core::{
    CapabilitySet, Era,
    config::{Backend, Config},
};

#[tokio::test]
async fn a_subscription_that_was_being_opened_while_the_others_ended_ends_as_it_begins() {
    let backend = Backend::new("b", "http://127.0.0.1:1/mcp".parse().unwrap());
    let gateway = Gateway::builder(Config::with_backends(vec![backend])).build().unwrap();
    let (snapshot, nobody) = (gateway.inner.snapshot(), Identity::anonymous());
    let key = snapshot.view(&Viewer { caller: &nobody, era: Era::Modern, capabilities: CapabilitySet::NONE, session: None });
    let finished = Finished { interceptors: Arc::clone(&snapshot.interceptors), caller: nobody.clone() };
    let (listening, mut inbox) = snapshot.views.listen(key, Wanted::default(), Heard::default(), finished, "7");
    snapshot.views.end_listening();
    listening.begin();
    let mut next = || match inbox.poll_recv(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(message) => message.map(|message| String::from_utf8(message.to_vec()).unwrap()),
        Poll::Pending => panic!("it goes on"),
    };
    assert!(next().unwrap().contains("notifications/subscriptions/acknowledged"));
    assert!(next().unwrap().contains(r#""id":7,"result":{"resultType":"complete""#));
    assert!(next().is_none() && snapshot.views.listeners.all().is_empty());
    drop(snapshot);
    gateway.shutdown().await;
}

#[test]
fn a_change_that_was_told_ahead_is_not_told_again_when_the_list_comes() {
    let (outbox, mut inbox) = outbox();
    let viewer = ViewerKey { era: Era::Modern, capabilities: CapabilitySet::NONE, lens: None, scopes: Default::default(), granted: None };
    let all = |hash: u8| {
        let mut hashes = KindHashes::default();
        ListKind::ALL.into_iter().for_each(|kind| hashes.set(kind, [hash; 16]));
        hashes
    };
    let wanted = Wanted { tools: true, prompts: false, resources: true };
    let (told, heard, id) = (Mutex::new(all(1)), Mutex::default(), "1".into());
    let listener = Listener { number: 0, viewer, wanted, id, outbox, told, heard, waiting: None, me: Weak::new() };
    let mut next = || match inbox.poll_recv(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(message) => message,
        Poll::Pending => None,
    };
    let mut count = || std::iter::from_fn(&mut next).count();
    listener.tell_of(Some(ListKind::Resources));
    listener.tell_of(Some(ListKind::ResourceTemplates));
    listener.tell_of(Some(ListKind::Resources));
    assert_eq!(count(), 1, "one notification stands for resources and templates, and it has been sent");
    let mut now = all(1);
    now.set(ListKind::Resources, [2; 16]);
    listener.tell(&now);
    assert_eq!(count(), 0);
    listener.tell(&all(3));
    assert_eq!(count(), 2, "later changes are told");
}
