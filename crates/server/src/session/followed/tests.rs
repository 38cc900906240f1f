use super::*;
use crate::session::{EndpointId, SessionTable, Settings};
use std::time::Duration;
use vmcp_auth::Identity;
use vmcp_core::{CapabilitySet, Revision};

const OURS: &str = "ui://b/page";
/// What the backends of the configuration before a reload and of that behind it call the resource.
const BEFORE: &str = "ui://page";
const BEHIND: &str = "ui://b/page";

fn session() -> Arc<ClientSession> {
    let hour = Duration::from_secs(3600);
    let settings = Settings { max: 10, max_per_peer: 10, idle_timeout: hour, unused_timeout: hour, max_age: hour };
    let table = SessionTable::new(settings, &[]).unwrap();
    table.create(&EndpointId::Main, Identity::anonymous().principal(), Revision::V2025_11_25, CapabilitySet::NONE, None).unwrap()
}

/// The resource at its owner in a configuration of its own.
fn owned(theirs: &str) -> Owned {
    let backend = vmcp_core::config::Backend::new("b", "http://127.0.0.1:1/mcp".parse().unwrap());
    let gateway = crate::Gateway::builder(vmcp_core::config::Config::with_backends(vec![backend])).build().unwrap();
    Owned { backend: Arc::clone(&gateway.inner.snapshot().backends[0]), theirs: theirs.into(), ours: OURS.to_owned() }
}

fn hears(session: &ClientSession, owned: &Owned) -> bool {
    let told = session.followed(&owned.backend, &format!(r#"{{"uri":"{}"}}"#, owned.theirs));
    told.is_some_and(|told| told.uri() == OURS)
}

#[tokio::test]
async fn a_subscription_that_ends_after_a_reload_leaves_the_backend_that_was_told_meanwhile() {
    let (session, before, behind) = (session(), owned(BEFORE), owned(BEHIND));
    // It is remembered before its backend is asked, whose answer is long in coming.
    session.follow(&before, true, 1);
    assert!(hears(&session, &before));
    assert_eq!(session.untold_resources(2), [OURS.into()], "the next stream has a new backend to tell");
    session.follow_again(&behind, 2).unwrap().done();
    session.follow(&before, true, 1);
    assert!(hears(&session, &behind), "the new backend is heard");
    assert!(session.follow_again(&behind, 2).is_none() && session.untold_resources(2).is_empty(), "and is not told twice");
    assert!(!hears(&session, &before));
}

#[tokio::test]
async fn what_the_client_does_not_follow_any_more_is_not_followed_under_a_new_configuration_either() {
    let (session, before, behind) = (session(), owned(BEFORE), owned(BEHIND));
    session.follow(&before, true, 1);
    session.follow_again(&behind, 2).unwrap().done();
    // Its `resources/unsubscribe`, or the error of its `resources/subscribe`, was on its way over the reload.
    session.follow(&before, false, 1);
    assert!(!session.follows(OURS) && !hears(&session, &behind));
    // Followed anew, it is heard from the backend that has it now.
    session.follow(&behind, true, 2);
    assert!(hears(&session, &behind));
}

#[tokio::test]
async fn whoever_is_interrupted_while_a_backend_is_told_leaves_it_to_the_next_stream() {
    let (session, before, behind) = (session(), owned(BEFORE), owned(BEHIND));
    session.follow(&before, true, 1);
    let telling = session.follow_again(&behind, 2).unwrap();
    assert!(session.untold_resources(2).is_empty() && hears(&session, &behind));
    drop(telling);
    assert_eq!(session.untold_resources(2), [OURS.into()]);
    session.follow_again(&behind, 2).unwrap().done();
    assert!(session.untold_resources(2).is_empty());
}
