mod under;

use super::*;
use http::header::AUTHORIZATION;
use under::{For, Somebody, Under, credentials, failure, text};
use vmcp_core::plugin::Principal;

#[test]
fn what_was_got_once_is_at_hand_for_the_same_token_and_for_no_other() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "t1", None));
    under.fill(For::Token, &ann, "one", Some(1000));
    assert_eq!(under.at_hand(For::Token, &ann), "one");
    assert_eq!(under.at_hand(For::Token, &Somebody::new("ann", "t2", None)), "absent", "another token of the same caller");
    assert_eq!(under.at_hand(For::Nobody, &ann), "nothing");
}

#[test]
fn what_is_the_callers_is_for_all_its_tokens_and_what_is_shared_for_everybody() {
    let (under, ann, bob) = (Under::new(), Somebody::new("ann", "t1", None), Somebody::new("bob", "t2", None));
    under.fill(For::Principal, &ann, "anns", Some(1000));
    assert_eq!(under.at_hand(For::Principal, &Somebody::new("ann", "t3", None)), "anns");
    assert_eq!(under.at_hand(For::Principal, &bob), "absent");
    let mut narrower = ann.context();
    let which = Arc::from("narrower");
    narrower.standing = Some(&which);
    assert!(matches!(under.cache.find(&For::Principal, &narrower), Found::Absent(..)), "what allows other things is another credential");
    let elsewhere = Principal { issuer: "https://other.example.com".into(), subject: "ann".into() };
    assert_eq!(under.at_hand(For::Principal, &Somebody { principal: elsewhere, ..Somebody::new("ann", "t1", None) }), "absent");
    under.fill(For::All, &ann, "all", Some(1000));
    assert_eq!(under.at_hand(For::All, &bob), "all");
}

#[test]
fn credentials_are_renewed_in_the_last_tenth_of_their_life_or_its_last_minute_by_one() {
    for (life, due) in [(100, 90), (6000, 5940)] {
        let (under, ann) = (Under::new(), Somebody::new("ann", "t1", None));
        under.fill(For::Token, &ann, "one", Some(life));
        under.wait_until(due - 1);
        assert_eq!(under.at_hand(For::Token, &ann), "one");
        under.wait_until(due);
        let Found::Due(given, turn) = under.find(For::Token, &ann) else { panic!("not due") };
        assert_eq!(text(&given), "one");
        assert_eq!(under.at_hand(For::Token, &ann), "one", "others use the old one meanwhile");
        turn.settle(Ok(credentials("two", Some(life * 2))));
        assert_eq!(under.at_hand(For::Token, &ann), "two");
    }
}

#[test]
fn a_renewal_that_fails_leaves_the_old_one_until_it_is_over_and_is_not_tried_at_once() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "t1", None));
    under.fill(For::Token, &ann, "one", Some(100));
    under.wait_until(90);
    let Found::Due(_, turn) = under.find(For::Token, &ann) else { panic!("not due") };
    turn.settle(Err(failure()));
    assert_eq!(under.at_hand(For::Token, &ann), "one");
    under.wait_until(91);
    assert_eq!(under.at_hand(For::Token, &ann), "one, due");
    under.wait_until(100);
    assert_eq!(under.at_hand(For::Token, &ann), "absent");
}

#[test]
fn nothing_is_kept_past_the_callers_own_token() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "t1", Some(50)));
    under.fill(For::Token, &ann, "long", Some(1000));
    under.wait_until(49);
    assert_eq!(under.at_hand(For::Token, &ann), "long, due");
    under.wait_until(50);
    assert_eq!(under.at_hand(For::Token, &ann), "absent");
    // What is everybody's does not depend on whoever happened to ask first.
    under.wait_until(0);
    under.fill(For::All, &ann, "all", Some(1000));
    under.wait_until(500);
    assert_eq!(under.at_hand(For::All, &ann), "all");
}

#[test]
fn what_says_itself_when_it_is_over_is_carried_over_and_nothing_else_is() {
    let (under, ann, bob, eve) =
        (Under::new(), Somebody::new("ann", "1", None), Somebody::new("bob", "2", None), Somebody::new("eve", "3", None));
    under.fill(For::Token, &ann, "dated", Some(1000));
    under.fill(For::Token, &bob, "undated", None);
    let Found::Absent(turn, _) = under.find(For::Token, &eve) else { panic!("there is something already") };
    let over = Under { cache: Arc::new(under.cache.dated()), second: Arc::clone(&under.second) };
    turn.settle(Ok(credentials("late", Some(1000))));
    assert_eq!(over.at_hand(For::Token, &ann), "dated");
    assert_eq!((over.at_hand(For::Token, &bob), over.at_hand(For::Token, &eve)), ("absent".to_owned(), "absent".to_owned()));
    assert_eq!(under.at_hand(For::Token, &bob), "undated", "requests in flight go on with what there was");
    over.wait_until(1000);
    assert_eq!(over.at_hand(For::Token, &ann), "absent");
}

#[test]
fn what_the_old_cache_gets_after_it_was_carried_over_has_no_stamp_that_the_new_one_gives() {
    let (under, ann, bob) = (Under::new(), Somebody::new("ann", "1", None), Somebody::new("bob", "2", None));
    let over = Under { cache: Arc::new(under.cache.dated()), second: Arc::clone(&under.second) };
    let stamps = [(&under, &ann), (&over, &ann), (&under, &bob)].map(|(under, who)| {
        under.fill(For::Token, who, "one", Some(1000));
        let Found::Ready(given) = under.find(For::Token, who) else { panic!("nothing is ready") };
        given.stamp
    });
    assert!(stamps.is_sorted_by(|one, next| one < next), "{stamps:?}");
}

#[test]
fn for_a_token_that_is_taken_after_its_end_credentials_are_got_each_time_and_none_are_kept() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "t1", Some(50)));
    under.wait_until(60);
    for until in [Some(1000), None] {
        under.fill(For::Token, &ann, "one", until);
        under.fill(For::Principal, &ann, "two", until);
        assert_eq!((under.at_hand(For::Token, &ann), under.at_hand(For::Principal, &ann)), ("absent".to_owned(), "absent".to_owned()));
    }
}

#[test]
fn what_does_not_say_when_it_expires_lives_as_long_as_the_callers_token_or_five_minutes() {
    let (under, ann, bob) = (Under::new(), Somebody::new("ann", "t1", Some(3000)), Somebody::new("bob", "t2", None));
    under.fill(For::Token, &ann, "anns", None);
    under.fill(For::Token, &bob, "bobs", None);
    under.wait_until(269);
    assert_eq!((under.at_hand(For::Token, &ann), under.at_hand(For::Token, &bob)), ("anns".to_owned(), "bobs".to_owned()));
    under.wait_until(300);
    assert_eq!((under.at_hand(For::Token, &ann), under.at_hand(For::Token, &bob)), ("anns".to_owned(), "absent".to_owned()));
}

#[test]
fn what_does_not_say_when_it_expires_is_got_anew_every_hour_however_long_the_callers_own_credential_lives() {
    let under = Under::new();
    let ann = Somebody::new("ann", "1", Some(365 * 24 * 3600));
    under.fill(For::Principal, &ann, "first", None);
    under.wait_until(3539);
    assert_eq!(under.at_hand(For::Principal, &ann), "first");
    under.wait_until(3600);
    assert_eq!(under.at_hand(For::Principal, &ann), "absent");
}

#[tokio::test]
async fn one_gets_them_and_all_who_wait_get_the_same() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "t1", None));
    let Found::Absent(turn, own) = under.find(For::Token, &ann) else { panic!("there is something") };
    let waiting: Vec<Waiting> = (0..10)
        .map(|_| match under.find(For::Token, &ann) {
            Found::Coming(waiting) => waiting,
            other => panic!("{other:?}"),
        })
        .collect();
    turn.settle(Ok(credentials("one", Some(1000))));
    for waiting in waiting.into_iter().chain([own]) {
        assert_eq!(text(&waiting.outcome().await.unwrap().unwrap()), "one");
    }
}

#[tokio::test]
async fn a_turn_that_is_given_up_goes_to_the_next_who_asks() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "t1", None));
    let Found::Absent(turn, waiting) = under.find(For::Token, &ann) else { panic!("there is something") };
    drop(turn);
    assert!(waiting.outcome().await.is_none());
    assert_eq!(under.at_hand(For::Token, &ann), "absent");
}

#[test]
fn a_failure_is_remembered_for_a_second_and_longer_when_it_happens_again_and_for_its_caller_alone() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "t1", None));
    let mut now = 0;
    for pause in [1, 2, 4, 5, 5] {
        let Found::Absent(turn, _) = under.find(For::Token, &ann) else { panic!("not asked again after {now}") };
        turn.settle(Err(failure()));
        under.wait_until(now + pause - 1);
        assert_eq!(under.at_hand(For::Token, &ann), "down");
        assert_eq!(under.at_hand(For::Token, &Somebody::new("bob", "t2", None)), "absent");
        now += pause;
        under.wait_until(now);
    }
    under.fill(For::Token, &ann, "one", Some(1000));
    under.wait_until(1000);
    let Found::Absent(turn, _) = under.find(For::Token, &ann) else { panic!("there is something") };
    turn.settle(Err(failure()));
    under.wait_until(1001);
    assert_eq!(under.at_hand(For::Token, &ann), "absent", "a success in between counts as a new beginning");
}

#[test]
fn a_clock_that_is_set_back_makes_no_pause_longer() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "t1", None));
    under.wait_until(1000);
    let Found::Absent(turn, _) = under.find(For::Token, &ann) else { panic!("there is something") };
    turn.settle(Err(failure()));
    under.wait_until(0);
    assert_eq!(under.at_hand(For::Token, &ann), "absent");
}

#[test]
fn refused_credentials_are_dropped_once_a_second_and_only_while_they_are_the_ones() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "t1", None));
    let stamp = |under: &Under| match under.find(For::Token, &ann) {
        Found::Ready(given) => given.stamp,
        other => panic!("{other:?}"),
    };
    let refused = |under: &Under, stamp| under.cache.refused(&For::Token, &ann.context(), stamp);
    under.fill(For::Token, &ann, "one", Some(1000));
    let one = stamp(&under);
    assert!(refused(&under, one));
    under.fill(For::Token, &ann, "two", Some(1000));
    assert!(refused(&under, one), "others are there already, and are tried");
    let two = stamp(&under);
    assert!(!refused(&under, two), "a backend that refuses everything is no reason to ask all the time");
    assert_eq!(stamp(&under), two);
    under.wait_until(1);
    assert!(refused(&under, two));
    assert_eq!(under.at_hand(For::Token, &ann), "absent");
}

#[test]
fn there_is_an_end_to_how_many_are_kept_and_what_was_used_last_stays() {
    let under = Under::new();
    let all: Vec<Somebody> = (0..2 * MOST).map(|n| Somebody::new("ann", &format!("t{n}"), None)).collect();
    let used = &all[0];
    for (n, who) in all.iter().enumerate() {
        under.wait_until((n / 100) as u32);
        under.fill(For::Token, who, "one", Some(1_000_000));
        assert_eq!(under.at_hand(For::Token, used), "one", "it is used all the time");
    }
    assert!(under.cache.len() <= MOST, "{}", under.cache.len());
    assert_eq!(under.at_hand(For::Token, &all[2 * MOST - 1]), "one");
    assert_eq!(under.at_hand(For::Token, &all[1]), "absent");
}

#[test]
fn what_is_over_is_dropped_though_nobody_asks_for_it_any_more() {
    let under = Under::new();
    for n in 0..1000 {
        under.fill(For::Token, &Somebody::new("ann", &format!("t{n}"), None), "one", Some(100));
    }
    under.wait_until(200);
    for n in 1000..1200 {
        under.fill(For::Token, &Somebody::new("ann", &format!("t{n}"), None), "one", Some(300));
    }
    assert!(under.cache.len() <= 200, "{}", under.cache.len());
}

#[test]
fn no_value_shows_and_every_value_is_sensitive() {
    let (under, ann) = (Under::new(), Somebody::new("ann", "MARKER-token", None));
    under.fill(For::Token, &ann, "MARKER-value", Some(1000));
    let found = under.find(For::Token, &ann);
    let Found::Ready(given) = &found else { panic!("{found:?}") };
    assert!(crate::testing::headers(&given.credentials)[AUTHORIZATION].is_sensitive());
    let shown = format!("{found:?} {:?} {:?}", under.cache, under.find(For::Token, &Somebody::new("bob", "MARKER-other", None)));
    assert!(!shown.contains("MARKER"), "{shown}");
}
