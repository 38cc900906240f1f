//! Catalogues of which a caller sees a part.

use super::*;
use serde_json::json;

fn merged() -> Catalogue {
    let mut git = BackendList::builder(Era::Legacy);
    git.add_page(ListKind::Tools, &[r#"{"name":"log","annotations":{"readOnlyHint":true}}"#, r#"{ "name" : "push" ,"x":1e400}"#]).unwrap();
    git.add_page(ListKind::Prompts, &[prompt("review").as_str()]).unwrap();
    git.add_page(ListKind::Resources, &[r#"{"uri":"git://a"}"#, r#"{"uri":"git://b"}"#]).unwrap();
    git.add_page(ListKind::ResourceTemplates, &[r#"{"uriTemplate":"git://{x}"}"#]).unwrap();
    rules(json!({}), &["git", "mail"]).merge(&[Some(Arc::new(git.build())), tools(&["send"])], Era::Legacy)
}

#[test]
fn what_is_not_chosen_is_not_there_and_the_rest_is_as_it_was() {
    let whole = merged();
    let chosen = ["git_push", "mail_send", "git://b"];
    let part = whole.restricted(&whole.select(|_, item| chosen.contains(&item.key)));
    assert_eq!(text(&part, ListKind::Tools), r#"[{ "name" : "git_push" ,"x":1e400},{"name":"mail_send","inputSchema":{"type":"object"}}]"#);
    assert_eq!(text(&part, ListKind::Resources), r#"[{"uri":"git://b"}]"#);
    assert_eq!((text(&part, ListKind::Prompts), text(&part, ListKind::ResourceTemplates)), ("[]", "[]"));
    assert_eq!(routes(&part), [("git_push", 0, "push"), ("mail_send", 1, "send")]);
    assert_eq!((part.count(ListKind::Tools), part.count_of(0, ListKind::Tools), part.count(ListKind::Prompts)), (2, 1, 0));
    assert!(part.tool("git_log").is_none() && part.prompt("git_review").is_none());
    assert!(ListKind::ALL.into_iter().all(|kind| part.cache_scope(kind) == CacheScope::Private));
    assert_eq!(part.listed(ListKind::Tools).map(|item| item.key).collect::<Vec<_>>(), ["git_push", "mail_send"]);
    assert_eq!(part.listed_tool("mail_send").unwrap().backend, 1);
}

#[test]
fn all_of_a_catalogue_is_the_catalogue() {
    let whole = merged();
    let all = whole.select(|_, _| true);
    assert!(all.is_all() && !whole.select(|_, item| item.key != "git://a").is_all());
    let same = whole.restricted(&all);
    for kind in ListKind::ALL {
        assert_eq!((whole.published(kind), whole.hash(kind)), (same.published(kind), same.hash(kind)), "{kind}");
    }
}

#[test]
fn equal_selections_have_one_digest_and_others_have_others() {
    let whole = merged();
    let of = |left_out: &str| whole.select(|_, item| item.key != left_out).digest();
    assert_eq!(of("git_log"), of("git_log"));
    let digests = ["", "git_log", "git_push", "git_review", "git://a", "git://b", "git://{x}"].map(of);
    for (at, digest) in digests.iter().enumerate() {
        assert!(!digests[..at].contains(digest), "{at}");
    }
}

#[test]
fn a_tools_annotations_are_read_as_they_are_published() {
    let whole = merged();
    assert_eq!(whole.listed_tool("git_log").unwrap().annotations().map(Value::Object), Some(json!({"readOnlyHint": true})));
    assert_eq!(whole.listed_tool("git_push").unwrap().annotations(), None);
    assert!(whole.listed_tool("log").is_none());
}
