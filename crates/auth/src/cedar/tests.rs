//! What policies can ask for.

mod deep;
mod numbers;
mod refused;

use super::{CedarConfig, decide::Cedar, principal::Naming};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use vmcp_core::plugin::{Action, Authorizer, Decision, Principal, Question, StrategyError};

const ISSUER: &str = "https://id.example.com";

fn config(policies: &[&str]) -> CedarConfig {
    CedarConfig { policies: policies.iter().map(|&text| text.to_owned()).collect(), ..CedarConfig::default() }
}

fn build(config: &CedarConfig) -> Cedar {
    built(config, Naming::Bare(ISSUER.into())).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

fn built(config: &CedarConfig, naming: Naming) -> Result<Cedar, Vec<(String, String)>> {
    Cedar::new(config, naming).map_err(|error| match error {
        StrategyError::Settings(wrong) => wrong.into_iter().map(|wrong| (wrong.place, wrong.message)).collect(),
        other => vec![(String::new(), other.to_string())],
    })
}

/// Somebody who asks for something; the defaults are Ann and the tool `git_log` of the backend `git`.
struct Asked {
    issuer: &'static str,
    subject: &'static str,
    claims: Value,
    groups: Vec<Arc<str>>,
    action: Action,
    name: &'static str,
    backend: &'static str,
    annotations: Option<Value>,
    /// `None`: it is not called, only shown.
    arguments: Option<Value>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            issuer: ISSUER,
            subject: "ann",
            claims: json!({}),
            groups: Vec::new(),
            action: Action::CallTool,
            name: "git_log",
            backend: "git",
            annotations: None,
            arguments: Some(json!({})),
        }
    }
}

impl Asked {
    fn of(&self, cedar: &Cedar) -> Decision {
        let map = |value: &Value| value.as_object().unwrap().clone();
        let principal = Principal { issuer: self.issuer.into(), subject: self.subject.into() };
        let claims: Map<String, Value> = map(&self.claims);
        let (annotations, arguments) = (self.annotations.as_ref().map(map), self.arguments.as_ref().map(map));
        let mut question = Question::new(&principal, &claims, self.action, self.name);
        (question.server, question.backend, question.groups) = ("corp", self.backend, &self.groups);
        (question.annotations, question.arguments) = (annotations.as_ref(), arguments.as_ref());
        question.is_call = self.arguments.is_some();
        cedar.decide(&question)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "values are written where it is called")]
fn allowed(policies: &[&str], asked: Asked) -> bool {
    asked.of(&build(&config(policies))).is_allowed
}

const ALL: &str = "permit(principal, action, resource);";

#[test]
fn without_a_permit_nobody_may_and_a_forbid_goes_before_every_permit() {
    assert!(!allowed(&["forbid(principal, action, resource == Tool::\"x\");"], Asked::default()));
    assert!(allowed(&[ALL], Asked::default()));
    assert!(!allowed(&[ALL, "forbid(principal == Client::\"ann\", action, resource);"], Asked::default()));
}

#[test]
fn each_action_and_each_kind_of_thing_is_told_apart() {
    for (policy, action, name) in [
        (r#"permit(principal == Client::"ann", action == Action::"call_tool", resource == Tool::"git_log");"#, Action::CallTool, "git_log"),
        (r#"permit(principal, action == Action::"get_prompt", resource == Prompt::"git_log");"#, Action::GetPrompt, "git_log"),
        (r#"permit(principal, action == Action::"read_resource", resource == Resource::"file:///a");"#, Action::ReadResource, "file:///a"),
    ] {
        for (other, of) in [(Action::CallTool, "git_log"), (Action::GetPrompt, "git_log"), (Action::ReadResource, "file:///a")] {
            assert_eq!(
                allowed(&[policy], Asked { action: other, name: of, ..Asked::default() }),
                other == action && of == name,
                "{policy}"
            );
        }
    }
}

#[test]
fn the_subject_of_another_issuer_is_another_client() {
    let bare = build(&config(&[r#"permit(principal == Client::"ann", action, resource);"#]));
    assert!(Asked::default().of(&bare).is_allowed);
    assert!(!Asked { issuer: "https://other.example.com", ..Asked::default() }.of(&bare).is_allowed);

    let policy = r#"permit(principal == Client::"https://id.example.com#ann", action, resource);"#;
    let qualified = built(&config(&[policy]), Naming::Qualified).ok().unwrap();
    assert!(Asked::default().of(&qualified).is_allowed);
    assert!(!Asked { issuer: "https://other.example.com", ..Asked::default() }.of(&qualified).is_allowed);
    assert!(!Asked { issuer: "https://id.example.com#ann", subject: "", ..Asked::default() }.of(&qualified).is_allowed);
}

#[test]
fn a_group_of_another_issuer_is_another_group() {
    let policy = r#"permit(principal in THVGroup::"https://id.example.com#admins", action, resource);"#;
    let cedar = built(&config(&[policy]), Naming::Qualified).ok().unwrap();
    let member = |issuer| Asked { issuer, groups: vec!["admins".into()], ..Asked::default() };
    assert!(member(ISSUER).of(&cedar).is_allowed);
    assert!(!member("https://other.example.com").of(&cedar).is_allowed);
}

#[test]
fn groups_and_roles_of_claims_are_parents_of_the_type_that_is_named() {
    let settings = CedarConfig {
        group_claim_name: Some("https://x.example/teams".to_owned()),
        role_claim_name: Some("realm_access.roles".to_owned()),
        group_entity_type: Some("Team".to_owned()),
        ..config(&[r#"permit(principal in Team::"eng", action, resource) when { principal in Team::"on-call" };"#])
    };
    let claims = json!({"https://x.example/teams": ["eng"], "realm_access": {"roles": ["on-call"]}});
    assert!(Asked { claims, ..Asked::default() }.of(&build(&settings)).is_allowed);
    assert!(!Asked { claims: json!({"groups": ["eng"]}), ..Asked::default() }.of(&build(&settings)).is_allowed);
}

#[test]
fn claims_are_at_the_principal_and_in_the_context() {
    for policy in [
        r#"permit(principal, action, resource) when { principal.claim_roles.contains("admin") && context.claim_level >= 3 };"#,
        r#"permit(principal, action, resource) when { context.claim_org.unit == "a" && principal.issuer == "https://id.example.com" };"#,
        r#"permit(principal, action, resource) when { principal.subject == "ann" && principal.claim_rate.lessThan(decimal("0.5")) };"#,
    ] {
        let claims = json!({"roles": ["admin"], "level": 3, "org": {"unit": "a"}, "rate": 0.25});
        assert!(allowed(&[policy], Asked { claims, ..Asked::default() }), "{policy}");
        assert!(!allowed(&[policy], Asked { subject: "bob", ..Asked::default() }), "{policy}");
    }
}

#[test]
fn arguments_are_at_the_resource_and_in_the_context() {
    let policy = r#"permit(principal, action, resource) when {
        context.arg_env == "dev" && resource.arg_count < 10 && context has arg_files_present };"#;
    assert!(allowed(&[policy], Asked { arguments: Some(json!({"env": "dev", "count": 9, "files": []})), ..Asked::default() }));
    assert!(!allowed(&[policy], Asked { arguments: Some(json!({"env": "prod", "count": 9, "files": []})), ..Asked::default() }));
    assert!(!allowed(&[policy], Asked { arguments: Some(json!({"env": "dev", "count": 9})), ..Asked::default() }));
    assert!(build(&config(&[policy])).reads_arguments());
    assert!(!build(&config(&[ALL])).reads_arguments());
}

#[test]
fn what_the_configuration_says_of_somebody_in_tags_counts() {
    let entities = json!([{"uid": {"type": "Client", "id": "ann"}, "attrs": {}, "parents": [], "tags": {"suspended": true}}]);
    let policies = [ALL, r#"forbid(principal, action, resource) when { principal.hasTag("suspended") && principal.getTag("suspended") };"#];
    let cedar = build(&CedarConfig { entities_json: Some(entities.to_string()), ..config(&policies) });
    assert!(!Asked::default().of(&cedar).is_allowed);
    assert!(Asked { subject: "bob", ..Asked::default() }.of(&cedar).is_allowed);
}

#[test]
fn a_thing_is_in_its_server_and_its_backend_and_has_the_hints_of_its_annotations() {
    for policy in [
        r#"permit(principal, action, resource in MCP::"corp");"#,
        r#"permit(principal, action, resource in Backend::"git");"#,
        r#"permit(principal, action, resource) when { resource.readOnlyHint && resource.feature == "tool" && resource.operation == "call" };"#,
        r#"permit(principal, action, resource) when { resource.name == "git_log" && resource.backend == "git" };"#,
        r#"permit(principal, action, resource) when { action.operation == "call_tool" };"#,
    ] {
        let annotations = Some(json!({"readOnlyHint": true, "title": "x", "name": "else"}));
        assert!(allowed(&[policy], Asked { annotations, ..Asked::default() }), "{policy}");
    }
    assert!(!allowed(&[r#"permit(principal, action, resource in MCP::"other");"#], Asked::default()));
    let uri = r#"permit(principal, action, resource) when { resource.uri like "file:///pub/*" };"#;
    assert!(allowed(&[uri], Asked { action: Action::ReadResource, name: "file:///pub/a", ..Asked::default() }));
}

#[test]
fn what_the_configuration_adds_to_the_entities_counts_and_cannot_change_what_is_known() {
    let entities = json!([
        {"uid": {"type": "THVGroup", "id": "eng"}, "attrs": {}, "parents": [{"type": "THVGroup", "id": "staff"}]},
        {"uid": {"type": "Tool", "id": "git_log"}, "attrs": {"owner": "ann", "name": "another"}, "parents": [{"type": "Kit", "id": "read"}]},
        {"uid": {"type": "Client", "id": "ann"}, "attrs": {"claim_level": 9}, "parents": [{"type": "THVGroup", "id": "eng"}]},
    ]);
    let ask = |policy: &str, claims: Value| {
        let settings = CedarConfig { entities_json: Some(entities.to_string()), ..config(&[policy]) };
        Asked { claims, ..Asked::default() }.of(&build(&settings)).is_allowed
    };
    assert!(ask(r#"permit(principal in THVGroup::"staff", action, resource);"#, json!({})));
    assert!(ask(r#"permit(principal, action, resource in Kit::"read") when { resource.owner == principal.subject };"#, json!({})));
    assert!(!ask(r#"permit(principal, action, resource) when { resource.name == "another" };"#, json!({})));
    assert!(ask(r#"permit(principal, action, resource) when { principal.claim_level == 1 };"#, json!({"level": 1})));
}

#[test]
fn a_forbid_that_fails_denies() {
    let policies = [ALL, r#"@id("no-guests") forbid(principal, action, resource) when { principal.claim_kind == "guest" };"#];
    let decision = Asked::default().of(&build(&config(&policies)));
    assert_eq!((decision.is_allowed, decision.reasons), (false, vec!["no-guests".to_owned()]));
    assert_eq!(decision.errors, ["policy `no-guests`: `claim_kind` is not there; ask with `has` first"]);
    let listed = Asked { arguments: None, ..Asked::default() }.of(&build(&config(&policies)));
    assert!(!listed.is_allowed, "what every call is denied is not shown");
    assert!(Asked { claims: json!({"kind": "user"}), ..Asked::default() }.of(&build(&config(&policies))).is_allowed);
}

#[test]
fn a_permit_that_fails_permits_nothing() {
    let failing = "permit(principal, action, resource) when { principal.claim_kind == 1 };";
    assert!(!allowed(&[failing], Asked::default()));
    assert!(allowed(&[failing, ALL], Asked::default()));
}

#[test]
fn what_can_be_called_with_some_arguments_is_listed() {
    let permit = r#"permit(principal, action, resource) when { context.arg_env == "dev" };"#;
    let forbid = r#"forbid(principal, action, resource) when { context.arg_env == "prod" };"#;
    let listed = |policies: &[&str]| allowed(policies, Asked { arguments: None, ..Asked::default() });
    assert!(listed(&[permit]));
    assert!(listed(&[ALL, forbid]));
    assert!(listed(&[permit, forbid]));
    assert!(!listed(&[permit, "forbid(principal, action, resource);"]));
    assert!(!listed(&[r#"permit(principal, action, resource) when { context has arg_env && context.arg_env == "dev" };"#]));
    // A call without the argument is another thing.
    assert!(!allowed(&[permit], Asked::default()));
    assert!(!allowed(&[ALL, forbid], Asked::default()));
}

#[test]
fn decisions_name_their_policies() {
    let two = format!("@id(\"open\") {ALL}\npermit(principal, action, resource == Tool::\"git_log\");");
    let cedar = build(&config(&["permit(principal == Client::\"bob\", action, resource);", &two]));
    assert_eq!(Asked::default().of(&cedar).reasons, ["open", "policy1#2"]);
    assert_eq!(Asked { subject: "bob", name: "x", ..Asked::default() }.of(&cedar).reasons, ["open", "policy0"]);
}

#[test]
fn no_word_of_a_decision_holds_a_value() {
    let policies = [
        "permit(principal, action, resource) when { principal.claim_a.b == 1 };",
        "permit(principal, action, resource) when { decimal(principal.claim_s) == decimal(\"1.0\") };",
        "permit(principal, action, resource) when { principal.claim_n * 9 == 1 };",
        "permit(principal, action, resource) when { principal.nothing };",
    ];
    let claims = json!({"a": {"MARKER": 1}, "s": "MARKER", "n": i64::MAX});
    let decision = Asked { subject: "MARKER", claims, ..Asked::default() }.of(&build(&config(&policies)));
    assert_eq!(decision.errors.len(), 4);
    let text = format!("{decision:?}");
    assert!(!text.contains("MARKER") && !text.contains("9223372036854775807"), "{text}");
}

#[test]
fn what_a_caller_is_called_is_not_taken_for_the_name_of_an_argument() {
    let suspended = r#"@id("tag") forbid(principal, action, resource) when { principal.getTag("suspended") };"#;
    let own = r#"@id("own") forbid(principal, action, resource) when { principal.getTag(principal.claim_tag) };"#;
    let lacking = r#"@id("lacking") forbid(principal, action, resource) when { principal.nothing };"#;
    for word in [
        "the attribute `arg_MARKER",
        "` does not have the attribute `arg_MARKER",
        "\" does not have the attribute `arg_MARKER",
        "\"` does not have the attribute `arg_MARKER",
        "\\\"` does not have the attribute `arg_MARKER",
        "a\\",
    ] {
        for (policy, id) in [(suspended, "tag"), (own, "own"), (lacking, "lacking")] {
            let cedar = build(&config(&[ALL, policy]));
            for arguments in [None, Some(json!({}))] {
                let decision = Asked { subject: word, claims: json!({ "tag": word }), arguments, ..Asked::default() }.of(&cedar);
                assert_eq!((decision.is_allowed, &decision.reasons[..]), (false, &[id.to_owned()][..]), "{word}");
                assert!(!format!("{decision:?}").contains("MARKER"), "{decision:?}");
                let named = decision.errors[0].contains("`nothing` is not there");
                assert_eq!(named, id == "lacking", "{decision:?}");
            }
        }
    }
}
