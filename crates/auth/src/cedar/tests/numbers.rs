//! Numbers in policies are what they are, however they are written.

use super::*;

#[test]
fn a_policy_that_looks_at_a_number_of_which_nothing_can_be_said_cannot_be_evaluated() {
    let forbid = r#"@id("f") forbid(principal, action, resource == Tool::"git_log") when { context has arg_n && context.arg_n == 100 };"#;
    let cedar = build(&config(&[ALL, forbid]));
    let ask = |name, arguments: Value| Asked { name, arguments: Some(arguments), ..Asked::default() }.of(&cedar);
    assert!(ask("git_log", json!({"n": 99, "m": 1e300})).is_allowed);
    let denied = ask("git_log", json!({"n": 100.000_01}));
    assert_eq!((denied.is_allowed, &denied.reasons[..]), (false, &["f".to_owned()][..]));
    assert!(denied.errors[0].starts_with("policy `f`: `arg_n` has a value that no policy can compare"), "{denied:?}");
    assert!(ask("git_push", json!({"n": 100.000_01})).is_allowed, "the policy is about another tool");

    // It permits nothing either.
    let permit = r#"permit(principal, action, resource) unless { context has arg_n && context.arg_n > 100 };"#;
    assert!(allowed(&[permit], Asked { arguments: Some(json!({"n": 100})), ..Asked::default() }));
    assert!(!allowed(&[permit], Asked { arguments: Some(json!({"n": 1e300})), ..Asked::default() }));
    let whole = [ALL, "forbid(principal, action, resource) when { context == {} };"];
    let decision = Asked { arguments: Some(json!({"MARKER": 1e300})), ..Asked::default() }.of(&build(&config(&whole)));
    assert!(!decision.is_allowed && !format!("{decision:?}").contains("MARKER"), "{decision:?}");
}

#[test]
fn a_number_may_be_whole_to_one_policy_and_a_decimal_to_another() {
    let policies = [
        r#"@id("sum") permit(principal, action, resource == Tool::"git_log") when { context.arg_n * 2 > 10 };"#,
        r#"@id("set") forbid(principal, action, resource) when { [7].contains(context.arg_n) };"#,
        r#"@id("part") permit(principal, action, resource == Tool::"git_push") when { context.arg_n.lessThan(decimal("5.5")) };"#,
        r#"@id("limit") forbid(principal, action, resource) when { context.arg_n == principal.limit };"#,
        r#"@id("tag") forbid(principal, action, resource) when { principal.getTag("odd").contains(context.arg_n) };"#,
    ];
    let ann = json!([{
        "uid": {"type": "Client", "id": "ann"}, "parents": [],
        "attrs": {"limit": {"__extn": {"fn": "decimal", "arg": "9.0"}}}, "tags": {"odd": [11, 13]},
    }]);
    let cedar = build(&CedarConfig { entities_json: Some(ann.to_string()), ..config(&policies) });
    assert!(cedar.reads_arguments());
    for (name, n, reasons) in [
        ("git_log", json!(6), Ok("sum")),
        ("git_log", json!(5), Err("")),
        ("git_log", json!(7.0), Err("set")),
        ("git_log", json!(9), Err("limit")),
        ("git_log", json!(9.0), Err("limit")),
        ("git_log", json!(11.0), Err("tag")),
        ("git_push", json!(5), Ok("part")),
        ("git_push", json!(5.25), Ok("part")),
        ("git_push", json!(6), Err("")),
    ] {
        let decision = Asked { name, arguments: Some(json!({"n": n})), ..Asked::default() }.of(&cedar);
        let told = decision.reasons.join(",");
        assert_eq!(if decision.is_allowed { Ok(&*told) } else { Err(&*told) }, reasons, "{name} {n}");
    }
}

#[test]
fn a_name_with_dots_is_no_path() {
    let forbid = r#"@id("f") forbid(principal, action, resource)
        when { context["arg_price.max"] == context.arg_price && context.arg_price.greaterThan(decimal("0.0")) };"#;
    let cedar = build(&config(&[ALL, forbid]));
    for (price, max, is_allowed) in [("3", "3", false), ("3.5", "3.5", false), ("3.0", "3", false), ("3", "4", true)] {
        let arguments = serde_json::from_str(&format!(r#"{{"price":{price},"price.max":{max}}}"#)).unwrap();
        let decision = Asked { arguments: Some(arguments), ..Asked::default() }.of(&cedar);
        assert_eq!(decision.is_allowed, is_allowed, "{price} {max}: {decision:?}");
    }
    // An entity's attribute is as well what its name says.
    let limit = json!([{ "uid": {"type": "Client", "id": "ann"}, "parents": [], "attrs": {"lim.it": {"__extn": {"fn": "decimal", "arg": "9.0"}}} }]);
    let limited = r#"forbid(principal, action, resource) when { context.arg_price == principal["lim.it"] };"#;
    let cedar = build(&CedarConfig { entities_json: Some(limit.to_string()), ..config(&[ALL, limited]) });
    assert!(!Asked { arguments: Some(json!({"price": 9})), ..Asked::default() }.of(&cedar).is_allowed);
    // It is told as it is written.
    let looks = r#"forbid(principal, action, resource) when { context["arg_price.max"] == 1 };"#;
    let decision = Asked { arguments: Some(json!({"price.max": 1e30})), ..Asked::default() }.of(&build(&config(&[ALL, looks])));
    assert!(!decision.is_allowed && decision.errors[0].contains("`arg_price.max` has a value"), "{decision:?}");
}

#[test]
fn a_policy_that_compares_one_number_with_both_kinds_is_told_with_its_place() {
    let policy = r#"@id("b") forbid(principal, action, resource) when { context.arg_n == 1 || context.arg_n == decimal("2.0") };"#;
    let wrong = built(&config(&[ALL, policy]), Naming::Qualified).err().unwrap();
    let message = "policy `b`: compares `arg_n` both with decimals and with whole numbers, and no number is equal to both; write decimals in all places (100 is decimal(\"100.0\")), or two policies";
    assert_eq!(wrong, [("policies[1]".to_owned(), message.to_owned())]);
}

#[test]
fn a_claim_of_which_nothing_can_be_said_is_not_taken_for_none() {
    let more = r#"@id("more") forbid(principal, action, resource) when { principal has claim_quota && principal.claim_quota.greaterThan(decimal("10.0")) };"#;
    let some = r#"@id("some") forbid(principal, action, resource) when { principal has claim_quota && resource.name == "git_push" };"#;
    let other = r#"forbid(principal, action, resource == Tool::"x") when { principal has claim_quota && principal.claim_quota == decimal("1.0") };"#;
    let ask = |policies: &[&str], claims: Value| Asked { claims, ..Asked::default() }.of(&build(&config(policies)));
    assert!(ask(&[ALL, more], json!({"quota": 9})).is_allowed);
    for quota in [json!(100), json!(1e15), json!(0.000_01)] {
        assert_eq!(ask(&[ALL, more], json!({"quota": quota})).reasons, ["more"], "{quota}");
    }
    // What another policy makes of it is nothing to this one: it is there.
    let push = Asked { claims: json!({"quota": 1e15}), name: "git_push", ..Asked::default() };
    assert_eq!(push.of(&build(&config(&[ALL, some, other]))).reasons, ["some"]);
    assert!(ask(&[ALL, some, other], json!({"quota": 1e15})).is_allowed);
    // What lies beside it in a claim does not count.
    let level = r#"forbid(principal, action, resource) when { principal has claim_org && principal.claim_org.level > 2 };"#;
    assert!(ask(&[ALL, level], json!({"org": {"level": 1, "since": 1_785_196_800.123_456}})).is_allowed);
}

#[test]
fn a_policy_for_others_decides_nothing_by_what_it_cannot_compare() {
    let guests = r#"forbid(principal in THVGroup::"guests", action in [Action::"call_tool"], resource in Backend::"git") when { context has arg_n };"#;
    let ask = |group: &str, backend| {
        let (arguments, claims) = (Some(json!({"n": 0.000_01})), json!({ "groups": [group] }));
        let cedar = build(&config(&[ALL, guests]));
        Asked { arguments, claims, backend, ..Asked::default() }.of(&cedar)
    };
    assert!(ask("staff", "git").is_allowed);
    assert!(ask("guests", "bank").is_allowed);
    assert_eq!((ask("guests", "git").reasons, ask("guests", "git").errors.len()), (vec!["policy1".to_owned()], 1));
}
