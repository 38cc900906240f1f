//! What is refused when a configuration is loaded, and what is said of it.

use super::*;

#[test]
fn an_error_in_a_policy_is_told_with_its_place() {
    let dir = std::env::temp_dir().join(format!("vmcp-cedar-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("team.cedar");
    std::fs::write(&file, "// ours\npermit(principal, action,\n  resorce);\n").unwrap();
    let settings = CedarConfig { policy_files: vec![file.clone(), dir.join("absent.cedar")], ..config(&[ALL, "permit(principal);"]) };
    let wrong = built(&settings, Naming::Qualified).err().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let keys: Vec<&str> = wrong.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["policyFiles[1]", "policies[1]", "policies[1]", "policyFiles[0]"], "{wrong:?}");
    assert!(wrong[0].1.ends_with("absent.cedar: no such file; put the file there, or correct the path"), "{wrong:?}");
    assert!(wrong[1].1.starts_with("line 1, column 17: "), "{wrong:?}");
    assert!(wrong[3].1.starts_with(&format!("{}, line 3, column 3: ", file.display())), "{wrong:?}");
}

#[test]
fn policies_that_can_never_apply_are_refused() {
    let refused = |policy: &str, naming: Naming| built(&config(&[policy]), naming).err().map(|wrong| wrong[0].1.clone());
    let bare = || Naming::Bare(ISSUER.into());
    for (policy, says) in [
        (r#"forbid(principal == User::"ann", action, resource);"#, "is of type `User`, which nothing here has"),
        (r#"forbid(principal, action == Action::"call_tols", resource);"#, "there is no Action::\"call_tols\""),
        (r#"forbid(principal, action, resource == Resource::"file____a");"#, "is no URI"),
        (r#"permit(principal == ?principal, action, resource);"#, "a template"),
        ("// nothing", "no policy"),
    ] {
        let said = refused(policy, bare()).unwrap();
        assert!(said.contains(says), "{said}");
    }
    assert_eq!(refused(r#"permit(principal, action == Action::"list_tools", resource == FeatureType::"tool");"#, bare()), None);
    let ann = r#"forbid(principal == Client::"ann", action, resource);"#;
    assert_eq!(refused(ann, bare()), None);
    assert!(refused(ann, Naming::Qualified).unwrap().contains("write Client::\"<issuer>#<subject>\""));
    assert!(refused(r#"forbid(principal in THVGroup::"g", action, resource);"#, Naming::Qualified).is_some());
}

#[test]
fn a_policy_that_is_too_deep_is_refused_and_a_long_one_is_not() {
    let chain = |terms: usize| format!("{} when {{ {} }};", &ALL[..ALL.len() - 1], vec!["resource.name == \"x\""; terms].join(" || "));
    let wrong = built(&config(&[&chain(10_000)]), Naming::Qualified).err().unwrap();
    assert!(wrong[0].1.starts_with("policy `policy0`: it has more than 1000 operators"), "{wrong:?}");
    assert!(built(&config(&[&chain(600)]), Naming::Qualified).is_ok());
}

#[test]
fn settings_that_cannot_work_are_all_told_at_once() {
    let settings =
        CedarConfig { entities_json: Some("{".to_owned()), group_entity_type: Some("A::B".to_owned()), ..CedarConfig::default() };
    let wrong = built(&settings, Naming::Qualified).err().unwrap();
    assert_eq!(wrong.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["policies", "groupEntityType", "entitiesJson"]);
    assert!(built(&CedarConfig { group_entity_type: Some("a b".to_owned()), ..config(&[ALL]) }, Naming::Qualified).is_err());
    assert!(built(&config(&[&format!("@id(\"x\"){ALL}"), &format!("@id(\"x\"){ALL}")]), Naming::Qualified).is_err());
}

#[test]
fn a_text_that_nests_without_end_is_refused_with_its_place_before_it_is_read() {
    let brackets = |times: usize| {
        let (open, close) = ("(".repeat(times), ")".repeat(times));
        format!("{ALL}\npermit(principal, action, resource) when {{ {open}true{close} }};")
    };
    let wrong = built(&config(&[ALL, &brackets(100_000)]), Naming::Qualified).err().unwrap();
    assert_eq!(wrong[0].0, "policies[1]");
    assert!(wrong[0].1.starts_with("line 2, column ") && wrong[0].1.contains("too many brackets and operators"), "{wrong:?}");
    assert!(built(&config(&[&brackets(900)]), Naming::Qualified).is_ok(), "brackets alone are no operators");
}

#[test]
fn entities_that_are_in_each_other_without_end_are_refused_and_many_in_few_are_not() {
    let entity = |id: usize, above: usize| json!({"uid": {"type": "G", "id": id.to_string()}, "attrs": {}, "parents": [{"type": "G", "id": above.to_string()}]});
    let refused = |entities: Value| {
        let settings = CedarConfig { entities_json: Some(entities.to_string()), ..config(&[ALL]) };
        built(&settings, Naming::Qualified).err()
    };
    let wrong = refused((0..2000).map(|n| entity(n, n + 1)).collect()).unwrap();
    assert_eq!(wrong[0].0, "entitiesJson");
    assert!(wrong[0].1.contains("are in each other in more than 1000000 ways"), "{wrong:?}");
    assert!(refused((1..2000).map(|n| entity(n, n / 2)).collect()).is_none());
}
