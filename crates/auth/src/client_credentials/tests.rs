use crate::{
    Identity, registries,
    testing::{self, provider::Provider},
};
use serde_json::{Map, json};
use std::sync::Arc;
use vmcp_core::plugin::{Keep, OutgoingStrategy, Reach, StrategyContext};

const TOKEN_URL: &str = "https://id.example.com/token";

fn build(provider: &Arc<Provider>, settings: &serde_json::Value) -> Result<Arc<dyn OutgoingStrategy>, String> {
    let settings = testing::settings(&json!({ "clientCredentials": settings }).to_string());
    registries().strategies.build("client_credentials", &settings, &provider.deps()).map_err(|error| {
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        error.to_string()
    })
}

/// Has a token got, for the gateway itself.
fn token(strategy: &dyn OutgoingStrategy) -> Result<String, String> {
    let claims = Map::new();
    let context = StrategyContext::new("b", None, &claims);
    let credentials = testing::now(strategy.resolve(&context)).map_err(|error| error.to_string())?;
    let headers = testing::headers(&credentials);
    assert!(headers.keys().all(|name| strategy.managed_headers().contains(name)));
    Ok(headers["authorization"].to_str().unwrap().to_owned())
}

#[test]
fn the_token_is_asked_for_with_everything_that_the_settings_say_and_is_everybodys() {
    let provider = Provider::granting();
    let settings = json!({
        "tokenUrl": TOKEN_URL, "clientId": "gate:way", "clientSecretEnv": "SECRET", "scopes": ["read", "write"],
        "audience": "https://api.example.com", "resource": "https://mcp.example.com/mcp",
    });
    let strategy = build(&provider, &settings).unwrap();
    assert_eq!(token(&*strategy).unwrap(), "Bearer granted");
    let [asked] = &provider.asked()[..] else { panic!("asked more than once") };
    assert_eq!(asked.url.as_str(), TOKEN_URL);
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    // "gate%3Away:hunter2"
    assert_eq!(asked.header("authorization"), Some("Basic Z2F0ZSUzQXdheTpodW50ZXIy"));
    let form = json!({
        "grant_type": "client_credentials", "scope": "read write", "audience": "https://api.example.com",
        "resource": "https://mcp.example.com/mcp",
    });
    assert_eq!(json!(asked.form()), form);
    let caller = Identity::anonymous();
    assert!(matches!(strategy.keep(&caller.strategy_context("b")), Keep::Shared));
    assert!(strategy.subject_key(&caller.strategy_context("b")).is_none());
}

#[test]
fn the_client_says_who_it_is_in_the_way_that_the_settings_say() {
    let provider = Provider::granting();
    let post = json!({ "tokenUrl": TOKEN_URL, "clientId": "gw", "clientSecret": "hunter2", "clientAuthMethod": "client_secret_post" });
    token(&*build(&provider, &post).unwrap()).unwrap();
    let key = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let der = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key.to_pkcs8().unwrap().as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----");
    let signed = json!({ "tokenUrl": TOKEN_URL, "clientId": "gw", "privateKey": pem, "clientAuthMethod": "private_key_jwt" });
    token(&*build(&provider, &signed).unwrap()).unwrap();
    let [post, signed] = &provider.asked()[..] else { panic!("not asked twice") };
    assert!(post.header("authorization").is_none() && signed.header("authorization").is_none());
    assert_eq!((post.form()["client_id"].as_str(), post.form()["client_secret"].as_str()), ("gw", "hunter2"));
    let form = signed.form();
    assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!((form["client_assertion"].split('.').count(), form["client_id"].as_str()), (3, "gw"));
}

#[test]
fn the_token_endpoint_is_found_in_the_issuers_metadata_once() {
    let provider = Provider::new(|url| match url.path() {
        "/.well-known/openid-configuration/realms/a" => (404, String::new()),
        "/realms/a/.well-known/openid-configuration" => (
            200,
            json!({ "issuer": "https://id.example.com/realms/a", "token_endpoint": "https://id.example.com/realms/a/token" }).to_string(),
        ),
        "/realms/a/token" => (200, json!({ "access_token": "found" }).to_string()),
        _ => (404, "<html>".to_owned()),
    });
    let settings = json!({ "issuer": "https://id.example.com/realms/a", "clientId": "gw", "clientSecretEnv": "SECRET" });
    let strategy = build(&provider, &settings).unwrap();
    assert_eq!(token(&*strategy).unwrap(), "Bearer found");
    assert_eq!(token(&*strategy).unwrap(), "Bearer found");
    let paths: Vec<String> = provider.asked().iter().map(|asked| asked.url.path().to_owned()).collect();
    assert_eq!(
        paths,
        [
            "/.well-known/oauth-authorization-server/realms/a",
            "/.well-known/openid-configuration/realms/a",
            "/realms/a/.well-known/openid-configuration",
            "/realms/a/token",
            "/realms/a/token",
        ]
    );
}

#[test]
fn metadata_of_another_issuer_or_without_a_safe_endpoint_get_no_secret() {
    for (metadata, why) in [
        (
            json!({ "issuer": "https://evil.example.com", "token_endpoint": "https://id.example.com/t" }),
            "are of another issuer than the one configured; write `issuer` exactly as they have it",
        ),
        (json!({ "issuer": "https://id.example.com", "token_endpoint": "http://id.example.com/t" }), "name a token_endpoint without TLS"),
        (json!({ "issuer": "https://id.example.com", "token_endpoint": "http://169.254.169.254/t" }), "name a token_endpoint without TLS"),
        (json!({ "issuer": "https://id.example.com" }), "name no token_endpoint"),
        (json!(["hunter2"]), "are none"),
    ] {
        let provider = Provider::new(move |_| (200, metadata.to_string()));
        let settings = json!({ "issuer": "https://id.example.com", "clientId": "gw", "clientSecretEnv": "SECRET" });
        let error = token(&*build(&provider, &settings).unwrap()).unwrap_err();
        assert_eq!(error, format!("the metadata of the issuer at id.example.com {why}"));
        assert!(provider.asked().iter().all(|asked| asked.body.is_empty()));
    }
}

#[test]
fn settings_that_cannot_work_are_refused_in_words() {
    let id = "gw";
    for (settings, why) in [
        (json!({ "clientId": id, "clientSecret": "hunter2" }), "tokenUrl: clientCredentials needs `tokenUrl` or `issuer`"),
        (
            json!({ "tokenUrl": TOKEN_URL, "issuer": "https://id.example.com", "clientId": id, "clientSecret": "hunter2" }),
            "issuer: clientCredentials has both `tokenUrl` and `issuer`; remove one",
        ),
        (
            json!({ "tokenUrl": TOKEN_URL, "clientId": id }),
            "clientSecret: clientCredentials needs a `clientId` and its secret: `clientSecret`, `clientSecretEnv`, `clientSecretFile` or `privateKey`",
        ),
        (
            json!({ "tokenUrl": TOKEN_URL, "clientId": id, "clientSecret": "hunter2", "clientSecretEnv": "SECRET" }),
            "clientSecretEnv: clientCredentials has several of `clientSecret`, `clientSecretEnv` and `clientSecretFile`; keep one",
        ),
        (
            json!({ "tokenUrl": TOKEN_URL, "clientId": id, "clientSecretEnv": "MISSING" }),
            "clientSecretEnv: clientCredentials lacks a secret: the environment variable `MISSING` is not set; set it where vmcp runs",
        ),
        (
            json!({ "tokenUrl": TOKEN_URL, "clientId": id, "clientSecret": "" }),
            "clientSecret: clientCredentials has an empty client secret; set it",
        ),
        (
            json!({ "tokenUrl": "http://id.example.com/token", "clientId": id, "clientSecret": "hunter2" }),
            "tokenUrl: clientCredentials sends secrets to a `tokenUrl` without TLS; use https, or add `allowPlaintext: true`",
        ),
        (
            json!({ "tokenUrl": "file:///token", "clientId": id, "clientSecret": "hunter2" }),
            "tokenUrl: clientCredentials has a `tokenUrl` that is no http or https URL; correct it",
        ),
        (
            json!({ "tokenUrl": TOKEN_URL, "clientId": id, "clientAuthMethod": "private_key_jwt" }),
            "clientAuthMethod: clientCredentials has `clientAuthMethod: private_key_jwt` and no `privateKey`; give a PEM file with `privateKey: { fromFile: PATH }`",
        ),
        (
            json!({ "tokenUrl": TOKEN_URL, "clientId": id, "clientSecret": "hunter2", "privateKey": "hunter2" }),
            "privateKey: clientCredentials has a `privateKey`, which nothing uses; add `clientAuthMethod: private_key_jwt`, or remove it",
        ),
        (
            json!({ "tokenUrl": TOKEN_URL, "clientId": id, "privateKey": "hunter2", "clientAuthMethod": "private_key_jwt" }),
            "privateKey: clientCredentials has a `privateKey` that is no private key in PKCS #8; `openssl pkcs8 -topk8 -nodes -in KEY` makes one",
        ),
    ] {
        let error = build(&Provider::granting(), &settings).err().unwrap();
        assert_eq!(error, why, "{settings}");
    }
    for allowed in [
        json!({ "tokenUrl": "http://127.0.0.1:1/token", "clientId": id, "clientSecret": "hunter2" }),
        json!({ "tokenUrl": "http://id.example.com/token", "clientId": id, "clientSecret": "hunter2", "allowPlaintext": true }),
    ] {
        assert!(build(&Provider::granting(), &allowed).is_ok(), "{allowed}");
    }
}

#[test]
fn settings_are_checked_where_their_secrets_are_not() {
    let mut deps = Provider::granting().deps();
    deps.secrets = deps.secrets.that_may_be_missing();
    let settings = json!({ "clientCredentials": { "tokenUrl": TOKEN_URL, "clientId": "gw", "clientSecretEnv": "MISSING" } });
    assert!(registries().strategies.build("client_credentials", &testing::settings(&settings.to_string()), &deps).is_ok());
}

#[test]
fn a_token_endpoint_on_another_host_than_its_issuer_has_to_be_a_public_place() {
    for (named, reach) in [("https://id.example.com:8443/t", Reach::Anywhere), ("https://10.0.0.1/t", Reach::Public)] {
        let metadata = json!({ "issuer": "https://id.example.com", "token_endpoint": named });
        let provider = Provider::new(move |url| match url.path() {
            "/t" => (200, json!({ "access_token": "found" }).to_string()),
            _ => (200, metadata.to_string()),
        });
        let settings = json!({ "issuer": "https://id.example.com", "clientId": "gw", "clientSecretEnv": "SECRET" });
        token(&*build(&provider, &settings).unwrap()).unwrap();
        assert_eq!(provider.asked().last().unwrap().reach, reach, "{named}");
    }
}
