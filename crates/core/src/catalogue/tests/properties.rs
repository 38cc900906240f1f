use super::*;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Names that are prefixes of one another, so that prefixes collide.
const BACKENDS: [&str; 4] = ["a", "a_b", "b", "c"];
const NAMES: [&str; 8] = ["x", "y", "b_x", "a_x", "a_b_x", "b_b_x", "z z", "é"];

fn name() -> impl Strategy<Value = String> {
    select(&NAMES[..]).prop_map(str::to_owned)
}

/// An item with odd spacing, odd numbers and members that vmcp does not know, before and behind the name.
fn item() -> impl Strategy<Value = String> {
    let odd = select(vec!["1e400", "12345678901234567890", "{\"name\":\"no\"}", "\"\\u00e9\"", "[ 1.0 ]"]);
    let extra = select(vec!["", r#","execution":{}"#, r#","outputSchema":{"type":"array"}"#, r#","description":"d""#]);
    (name(), odd, extra, any::<bool>()).prop_map(|(name, odd, extra, first)| {
        let name = format!("\"name\" : {}", Value::from(name));
        let (before, behind) = if first { (name, format!("\"odd\":{odd}")) } else { (format!("\"odd\":{odd}"), name) };
        format!("{{ {before},\n\"inputSchema\":{{\"type\":\"object\"}},{behind}{extra} }}")
    })
}

fn entry(backend: &'static str) -> impl Strategy<Value = Value> {
    let filter = proptest::option::of(vec(name(), 1..4));
    let renames = vec((name(), select(vec!["x", "new", "newer", "b_x"])), 0..3);
    (filter, renames, prop::bool::weighted(0.1)).prop_map(move |(filter, renames, exclude)| {
        let mut overrides = serde_json::Map::new();
        let mut given = HashSet::new();
        for (original, new) in renames {
            if !overrides.contains_key(&original) && given.insert(new) {
                overrides.insert(original, json!({"name": new}));
            }
        }
        let mut entry = json!({"workload": backend, "overrides": overrides, "excludeAll": exclude});
        if let Some(filter) = filter {
            entry["filter"] = json!(filter);
        }
        entry
    })
}

fn settings() -> impl Strategy<Value = Value> {
    let strategy = select(vec!["prefix", "priority", "manual"]);
    let order = select(vec![vec!["a"], vec!["b", "a"], vec!["c", "a_b", "a", "b"]]);
    let format = select(vec!["{workload}_", "{workload}.", "all_", "{workload}"]);
    let entries = (entry("a"), proptest::option::of(entry("a_b")), proptest::option::of(entry("b")));
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    (strategy, order, format, entries, flags).prop_map(|(strategy, order, format, entries, (quarantine, deny))| {
        let tools: Vec<Value> = [Some(entries.0), entries.1, entries.2].into_iter().flatten().collect();
        json!({
            "conflictResolution": strategy,
            "conflictResolutionConfig": {"prefixFormat": format, "priorityOrder": order},
            "tools": tools,
            "lint": if quarantine { "quarantine" } else { "warn" },
            "defaultToolVisibility": if deny { "deny" } else { "allow" },
        })
    })
}

/// What the backends list; `None` for one that never answered.
type Listed = Vec<Option<Vec<String>>>;

fn world() -> impl Strategy<Value = (Rules, Listed, Era)> {
    let lists = vec(proptest::option::weighted(0.9, vec(item(), 0..7)), BACKENDS.len());
    let era = select(vec![Era::Legacy, Era::Modern]);
    (settings(), lists, era).prop_filter_map("contradictory settings", |(settings, lists, era)| {
        let aggregation: Aggregation = serde_json::from_value(settings).unwrap();
        Some((Rules::compile(&aggregation, &BACKENDS).ok()?, lists, era))
    })
}

/// The lists, cut into pages of a size, with the items also as prompts.
fn build(lists: &Listed, page: usize) -> Vec<Option<Arc<BackendList>>> {
    let build = |items: &Vec<String>| {
        let mut builder = BackendList::builder(Era::Legacy);
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        for kind in [ListKind::Tools, ListKind::Prompts] {
            builder.add_page(kind, &[]).unwrap();
            items.chunks(page).for_each(|page| builder.add_page(kind, page).unwrap());
        }
        Arc::new(builder.build())
    };
    lists.iter().map(|list| list.as_ref().map(build)).collect()
}

fn published(catalogue: &Catalogue, kind: ListKind) -> Vec<&str> {
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_slice(catalogue.published(kind)).unwrap();
    items.into_iter().map(serde_json::value::RawValue::get).collect()
}

fn name_of(item: &str) -> String {
    crate::frame::RawObject::parse(item).unwrap().get_str("name").unwrap().into_owned()
}

/// Name and value of every member that no rule may touch.
fn untouchable(item: &str) -> Vec<(String, String)> {
    let object = crate::frame::RawObject::parse(item).unwrap();
    let touched = ["name", "execution", "outputSchema"];
    object.members().iter().filter(|m| !touched.contains(&m.key())).map(|m| (m.key().to_owned(), m.value().to_owned())).collect()
}

proptest! {
    #[test]
    fn a_merge_is_deterministic_and_does_not_depend_on_pages((rules, lists, era) in world(), page in 1usize..5) {
        let (one, two) = (build(&lists, 100), build(&lists, page));
        let (first, again) = (rules.merge(&one, era), rules.merge(&two, era));
        prop_assert_eq!(rules.merge_key(&one, era), rules.merge_key(&two, era));
        for kind in ListKind::ALL {
            prop_assert_eq!(first.published(kind), again.published(kind));
            prop_assert_eq!(first.hash(kind), again.hash(kind));
        }
        prop_assert_eq!(routes(&first), routes(&again));
        prop_assert_eq!(first.collisions(), again.collisions());
        prop_assert_eq!(first.findings(), again.findings());
    }

    #[test]
    fn every_published_tool_has_a_name_of_its_own_and_leads_where_it_came_from((rules, lists, era) in world()) {
        let catalogue = rules.merge(&build(&lists, 100), era);
        let shown = published(&catalogue, ListKind::Tools);
        prop_assert_eq!(shown.len(), catalogue.count(ListKind::Tools));
        prop_assert_eq!(shown.len(), catalogue.tools().count());
        let names: HashSet<String> = shown.iter().map(|item| name_of(item)).collect();
        prop_assert_eq!(names.len(), shown.len());
        for (item, (name, route)) in shown.iter().zip(catalogue.tools()) {
            prop_assert_eq!(&name_of(item), name);
            let list = lists[route.backend].as_ref().unwrap();
            let source = list.iter().find(|item| name_of(item) == *route.original).unwrap();
            prop_assert_eq!(untouchable(item), untouchable(source));
            prop_assert!(era == Era::Legacy || !item.contains("execution"));
            prop_assert!(era == Era::Modern || !item.contains("outputSchema"));
        }
    }

    #[test]
    fn an_item_that_is_not_renamed_is_a_part_of_the_input_byte_for_byte((rules, lists, era) in world()) {
        let catalogue = rules.merge(&build(&lists, 100), era);
        let inputs: HashSet<&str> = lists.iter().flatten().flatten().map(String::as_str).collect();
        for (item, (name, route)) in published(&catalogue, ListKind::Prompts).into_iter().zip(catalogue.prompts()) {
            prop_assert!(name != &*route.original || inputs.contains(item), "{}", item);
        }
        for (item, (name, route)) in published(&catalogue, ListKind::Tools).into_iter().zip(catalogue.tools()) {
            let source = lists[route.backend].as_ref().unwrap().iter().find(|item| name_of(item) == *route.original).unwrap();
            if !source.contains("execution") && !source.contains("outputSchema") {
                let expected = source.replacen(
                    &format!("\"name\" : {}", Value::from(&*route.original)),
                    &format!("\"name\" : {}", Value::from(name)),
                    1,
                );
                prop_assert_eq!(item, expected);
            }
        }
    }

    #[test]
    fn what_is_hidden_or_filtered_leads_nowhere((rules, lists, era) in world(), listed in vec(any::<bool>(), 4)) {
        let catalogue = rules.merge(&build(&lists, 100), era);
        for (_, route) in catalogue.tools() {
            prop_assert!(rules.backends[route.backend].tools.shows(&route.original));
        }
        for name in NAMES.iter().flat_map(|name| BACKENDS.iter().map(move |b| format!("{b}_{name}"))).chain(NAMES.map(str::to_owned)) {
            if let Unlisted::Route { backend, original } = rules.unlisted_tool(&name, &listed) {
                prop_assert!(rules.backends[backend].tools.shows(&original));
                prop_assert!(!listed[backend]);
            }
        }
    }

    #[test]
    fn a_name_leads_to_the_same_place_before_and_after_its_backend_is_listed((rules, lists, era) in world(), late in 0usize..4) {
        let all = build(&lists, 100);
        let mut without = all.clone();
        without[late] = None;
        let (after, before) = (rules.merge(&all, era), rules.merge(&without, era));
        let listed: Vec<bool> = without.iter().map(Option::is_some).collect();
        for (name, route) in after.tools().filter(|(name, route)| route.backend == late && before.tool(name).is_none()) {
            match rules.unlisted_tool(name, &listed) {
                Unlisted::Route { backend, original } => {
                    // Two unlisted backends: the longer prefix is preferred, as the configuration alone cannot know better.
                    let alone = listed.iter().filter(|listed| !**listed).count() == 1;
                    // An override of a tool that its backend does not have: its name goes to the tool that really is called so.
                    let stale = !lists[late].iter().flatten().any(|item| name_of(item) == *original);
                    prop_assert!(!alone || stale || (backend, &original) == (late, &route.original), "{} {:?}", name, route);
                }
                Unlisted::AskFirst(owners) => prop_assert!(owners.contains(&late)),
                Unlisted::Unknown => prop_assert!(false, "{} is {:?}", name, route),
            }
        }
    }
}
