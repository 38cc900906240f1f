use super::*;
use serde_json::json;

#[test]
fn malformed_items_are_left_out_and_reported_by_their_place() {
    let items = [
        r#"{"name":"ok"}"#,
        "[]",
        r#"{"title":"x"}"#,
        r#"{"name":""}"#,
        r#"{"name":7}"#,
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"\ud800"}"#,
    ];
    let list = legacy(ListKind::Prompts, &items).unwrap();
    assert_eq!(list.items(ListKind::Prompts).collect::<Vec<_>>(), [items[0]]);
    let positions: Vec<_> = list.rejected().iter().map(|rejected| rejected.position).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5, 6]);
    let catalogue = rules(json!({}), &["a"]).merge(&[Some(list)], Era::Legacy);
    assert_eq!(catalogue.count(ListKind::Prompts), 1);
    assert_eq!(
        findings(&catalogue)[1],
        "backend `a`: prompts/list: item 2 of the list: `name` is missing, empty or not a string; it is left out"
    );
}

#[test]
fn collecting_stops_at_ten_thousand_items_however_they_are_paged() {
    let item = prompt("p");
    let page: Vec<&str> = vec![&item; 999];
    let mut builder = BackendList::builder(Era::Legacy);
    for _ in 0..10 {
        builder.add_page(ListKind::Prompts, &page).unwrap();
    }
    assert!(builder.wants_more(ListKind::Prompts));
    assert_eq!(builder.add_page(ListKind::Prompts, &page), Err(TooLarge::Items));
    assert_eq!(builder.add_page(ListKind::Prompts, &[]), Err(TooLarge::Items));
    assert!(!builder.wants_more(ListKind::Prompts));
    assert!(builder.wants_more(ListKind::Tools), "another list is another matter");
    let list = builder.build();
    assert_eq!(list.len(ListKind::Prompts), MAX_ITEMS);
    assert_eq!(list.truncated(ListKind::Prompts), Some(TooLarge::Items));
    let catalogue = rules(json!({}), &["a"]).merge(&[Some(Arc::new(list))], Era::Legacy);
    assert!(
        findings(&catalogue)
            .contains(&"backend `a`: prompts/list: the list goes on after more than 10000 items; the rest is not shown".to_owned())
    );
}

#[test]
fn collecting_stops_at_a_hundred_pages_and_at_32_mib_over_all_lists() {
    let mut builder = BackendList::builder(Era::Legacy);
    for _ in 0..MAX_PAGES {
        assert!(builder.wants_more(ListKind::Tools));
        builder.add_page(ListKind::Tools, &[]).unwrap();
    }
    assert!(!builder.wants_more(ListKind::Tools));
    assert_eq!(builder.add_page(ListKind::Tools, &[]), Err(TooLarge::Pages));
    let big = format!(r#"{{"name":"p","d":"{}"}}"#, "x".repeat(MAX_BYTES / 2));
    builder.add_page(ListKind::Prompts, &[&big]).unwrap();
    assert_eq!(builder.add_page(ListKind::Resources, &[&big]), Err(TooLarge::Bytes));
    assert_eq!(builder.build().len(ListKind::Resources), 0);
}

#[test]
fn of_the_pages_hints_the_smallest_ttl_and_the_narrower_scope_count() {
    let hints = |pages: &[(Option<i64>, Option<&str>)], hinted: usize| {
        let mut builder = BackendList::builder(Era::Modern);
        for (at, (ttl, scope)) in pages.iter().enumerate() {
            builder.add_page(ListKind::Tools, &[]).unwrap();
            if at < hinted {
                builder.page_hints(ListKind::Tools, *ttl, *scope);
            }
        }
        builder.build().hints(ListKind::Tools)
    };
    let said = |ttl_ms, scope| Some(ListHints { ttl_ms, scope });
    let public = Some("public");
    assert_eq!(hints(&[], 0), None);
    assert_eq!(hints(&[(Some(9), public), (Some(5), public)], 2), said(5, CacheScope::Public));
    assert_eq!(hints(&[(Some(9), public), (Some(5), Some("private"))], 2), said(5, CacheScope::Private));
    assert_eq!(hints(&[(Some(9), None)], 1), said(9, CacheScope::Private));
    assert_eq!(hints(&[(Some(-1), public)], 1), said(0, CacheScope::Public));
    assert_eq!(hints(&[(None, public)], 1), said(0, CacheScope::Public));
    assert_eq!(hints(&[(Some(9), public), (Some(9), public)], 1), said(0, CacheScope::Private), "one page said nothing");
}

#[test]
fn a_catalogue_is_private_as_soon_as_one_contributing_list_is() {
    let list = |era, kind, scope| {
        let mut builder = BackendList::builder(era);
        builder.add_page(kind, &[]).unwrap();
        builder.page_hints(kind, Some(1000), scope);
        Some(Arc::new(builder.build()))
    };
    let two = rules(json!({}), &["a", "b"]);
    let scope = |lists: &[Option<Arc<BackendList>>]| two.merge(lists, Era::Modern).cache_scope(ListKind::Tools);
    let public = || list(Era::Modern, ListKind::Tools, Some("public"));
    assert_eq!(scope(&[public(), public()]), CacheScope::Public);
    assert_eq!(scope(&[public(), list(Era::Modern, ListKind::Tools, Some("private"))]), CacheScope::Private);
    assert_eq!(scope(&[public(), list(Era::Modern, ListKind::Tools, None)]), CacheScope::Private);
    assert_eq!(
        scope(&[public(), list(Era::Legacy, ListKind::Tools, Some("public"))]),
        CacheScope::Private,
        "legacy revisions have no hints"
    );
    assert_eq!(scope(&[public(), list(Era::Modern, ListKind::Prompts, None)]), CacheScope::Public, "who has no tools does not contribute");
    assert_eq!(scope(&[None, None]), CacheScope::Private);
}

#[test]
fn a_stored_list_comes_back_byte_for_byte() {
    let mut builder = BackendList::builder(Era::Modern);
    builder.add_page(ListKind::Tools, &["{ \"name\":\"t\" ,\n\"n\":1e400}", &tool("u")]).unwrap();
    builder.page_hints(ListKind::Tools, Some(70), Some("public"));
    builder.add_page(ListKind::Prompts, &[]).unwrap();
    builder.instructions("say \"please\"\n");
    let list = builder.build();
    let back = BackendList::from_json(&list.to_json()).unwrap();
    assert_eq!(back.content_hash(), list.content_hash());
    assert_eq!(back.items(ListKind::Tools).collect::<Vec<_>>(), list.items(ListKind::Tools).collect::<Vec<_>>());
    for kind in ListKind::ALL {
        assert_eq!((back.hash(kind), back.hints(kind)), (list.hash(kind), list.hints(kind)), "{kind}");
    }
    assert_eq!(back.instructions().map(AsRef::as_ref), Some("say \"please\"\n"));
    assert_eq!(back.era(), Era::Modern);
}

#[test]
fn what_is_no_stored_list_is_refused_without_being_quoted() {
    for (text, message) in [
        ("{", "not a stored list: line 1, column 1"),
        (r#"{"version":2,"era":"legacy","lists":{}}"#, "stored in format 2, this vmcp reads format 1"),
        (r#"{"version":1,"era":"stone","lists":{}}"#, "stored with an unknown era"),
    ] {
        assert_eq!(BackendList::from_json(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn hashes_tell_apart_what_a_merge_would_tell_apart() {
    let list = |era, scope| {
        let mut builder = BackendList::builder(era);
        builder.add_page(ListKind::Tools, &[&tool("x")]).unwrap();
        builder.page_hints(ListKind::Tools, Some(1), scope);
        *builder.build().hash(ListKind::Tools)
    };
    let hashes = [list(Era::Legacy, None), list(Era::Modern, None), list(Era::Modern, Some("public"))];
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
    let hash = |items: &[&str]| *legacy(ListKind::Prompts, items).unwrap().hash(ListKind::Prompts);
    assert_ne!(hash(&[]), hash(&["[]"]), "what is left out is reported, so it counts");
    let one = rules(json!({}), &["a", "b"]);
    let key = |lists: &[Option<Arc<BackendList>>], era| one.merge_key(lists, era);
    assert_eq!(key(&[tools(&["x"]), None], Era::Legacy), key(&[tools(&["x"])], Era::Legacy), "a list that is not there is none");
    assert_ne!(key(&[tools(&["x"]), None], Era::Legacy), key(&[None, tools(&["x"])], Era::Legacy));
    assert_ne!(key(&[tools(&["x"]), None], Era::Legacy), key(&[tools(&["x"]), None], Era::Modern));
}

#[test]
fn a_kind_that_is_kept_is_as_it_was_and_the_others_are_new() {
    let mut builder = BackendList::builder(Era::Modern);
    builder.add_page(ListKind::Resources, &[r#"{"uri":"a:b"}"#, "[]"]).unwrap();
    builder.page_hints(ListKind::Resources, Some(7), Some("public"));
    let earlier = builder.build();
    let mut builder = BackendList::builder(Era::Modern);
    builder.add_page(ListKind::Tools, &[&tool("new")]).unwrap();
    builder.keep(ListKind::Resources, &earlier);
    let list = builder.build();
    assert_eq!((list.len(ListKind::Tools), list.len(ListKind::Resources)), (1, 1));
    assert_eq!(list.hash(ListKind::Resources), earlier.hash(ListKind::Resources));
    assert_eq!((list.hints(ListKind::Resources), list.rejected()), (earlier.hints(ListKind::Resources), earlier.rejected()));
}
