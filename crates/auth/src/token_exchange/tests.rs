use crate::{
    Identity, registries,
    testing::{self, provider::Provider},
};
use serde_json::{Map, json};
use std::sync::Arc;
use vmcp_core::plugin::{Authenticated, Keep, OutgoingStrategy, Principal, StrategyContext, StrategyError, SubjectToken, TokenKind};

fn build(provider: &Arc<Provider>, more: &serde_json::Value) -> Arc<dyn OutgoingStrategy> {
    let mut settings = json!({ "tokenUrl": "https://id.example.com/token" });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let settings = testing::settings(&json!({ "tokenExchange": settings }).to_string());
    registries().strategies.build("token_exchange", &settings, &provider.deps()).unwrap()
}

fn user(name: &str, token: Option<&str>) -> Identity {
    let mut who = Authenticated::new(Principal { issuer: "https://id.example.com".into(), subject: name.into() });
    who.subject_token = token.map(|token| SubjectToken::new(token.into(), TokenKind::Jwt));
    Identity::new(who)
}

#[test]
fn the_callers_token_is_exchanged_with_everything_that_the_settings_say() {
    let provider = Provider::granting();
    let strategy = build(
        &provider,
        &json!({
            "clientId": "gw", "clientSecretEnv": "SECRET", "audience": "github", "resource": "https://mcp.example.com", "scopes": ["repo", "user"],
            "subjectTokenType": "id_token",
        }),
    );
    let ann = user("ann", Some("anns.own.token"));
    let context = ann.strategy_context("github");
    let given = testing::headers(&testing::now(strategy.resolve(&context)).unwrap());
    assert_eq!((given["authorization"].to_str().unwrap(), given.len()), ("Bearer granted", 1));
    let [asked] = &provider.asked()[..] else { panic!("not asked once") };
    let form = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "anns.own.token", "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": "github", "resource": "https://mcp.example.com", "scope": "repo user",
    });
    assert_eq!(json!(asked.form()), form);
    assert!(asked.header("authorization").unwrap().starts_with("Basic "));
    assert!(matches!(strategy.keep(&context), Keep::ForToken(token) if token.expose() == "anns.own.token"));
    assert_eq!(strategy.subject_key(&context).as_deref(), Some("ann"));
}

#[test]
fn a_client_without_a_secret_only_names_itself_and_none_says_nothing() {
    let provider = Provider::granting();
    let ann = user("ann", Some("t"));
    for settings in [json!({ "clientId": "gw" }), json!({})] {
        testing::now(build(&provider, &settings).resolve(&ann.strategy_context("b"))).unwrap();
    }
    let [public, nobody] = &provider.asked()[..] else { panic!("not asked twice") };
    assert_eq!((public.form().get("client_id").map(String::as_str), public.header("authorization")), (Some("gw"), None));
    assert_eq!((nobody.form().get("client_id"), nobody.header("authorization")), (None, None));
    assert_eq!(nobody.form()["subject_token_type"], "urn:ietf:params:oauth:token-type:access_token");
}

#[test]
fn requests_of_the_gateways_own_carry_its_own_token_where_it_has_a_secret_and_none_elsewhere() {
    let provider = Provider::granting();
    let claims = Map::new();
    let own = StrategyContext::new("b", None, &claims);
    let with = build(&provider, &json!({ "clientId": "gw", "clientSecretEnv": "SECRET", "audience": "github" }));
    assert!(matches!(with.keep(&own), Keep::Shared));
    let given = testing::headers(&testing::now(with.resolve(&own)).unwrap());
    assert_eq!(given["authorization"], "Bearer granted");
    assert_eq!(json!(provider.asked()[0].form()), json!({ "grant_type": "client_credentials", "audience": "github" }));
    let without = build(&provider, &json!({ "clientId": "gw" }));
    assert!(matches!(without.keep(&own), Keep::Never));
    assert!(testing::headers(&testing::now(without.resolve(&own)).unwrap()).is_empty());
    assert_eq!(provider.asked().len(), 1);
    // What a backend shows a caller is not what it shows the gateway.
    assert!(with.subject_key(&own).is_some());
}

#[test]
fn a_caller_without_a_token_is_told_so_and_never_given_the_gateways_own() {
    let provider = Provider::granting();
    let strategy = build(&provider, &json!({ "clientId": "gw", "clientSecretEnv": "SECRET" }));
    for caller in [user("ann", None), Identity::anonymous()] {
        let context = caller.strategy_context("b");
        assert!(matches!(strategy.keep(&context), Keep::Never));
        let error = testing::now(strategy.resolve(&context)).unwrap_err();
        assert!(matches!(error, StrategyError::Caller(_)));
        assert_eq!(error.to_string(), "the caller has no token that could be exchanged; let callers in with `incomingAuth.type: oidc`");
    }
    assert!(provider.asked().is_empty());
}

#[test]
fn a_secret_without_a_client_and_other_providers_are_refused() {
    let refusal = |more: serde_json::Value| {
        let mut settings = json!({ "tokenUrl": "https://id.example.com/token" });
        let serde_json::Value::Object(more) = more else { panic!("not settings") };
        settings.as_object_mut().unwrap().extend(more);
        let settings = testing::settings(&json!({ "tokenExchange": settings }).to_string());
        registries().strategies.build("token_exchange", &settings, &Provider::granting().deps()).err().unwrap().to_string()
    };
    assert_eq!(refusal(json!({ "clientSecret": "x" })), "clientId: tokenExchange has a client's secret and no `clientId`; add it");
    assert!(refusal(json!({ "subjectProviderName": "x" })).starts_with("tokenExchange.subjectProviderName: unknown field"));
}
