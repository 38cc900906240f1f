//! Kinds of an embedder's own at each of the four seams: they stand in the schema, an unknown one names them, and none is there twice.

use anyhow::{Context, Result};
use http::HeaderName;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use vmcp_core::{
    config::Config,
    plugin::{
        Authenticated, Authenticator, AuthenticatorFactory, Authorizer, AuthorizerFactory, BoxFuture, Credentials, Decision, Deps,
        Interceptor, InterceptorFactory, OutgoingStrategy, Question, Rejected, RequestHead, StrategyContext, StrategyError,
        StrategyFactory,
    },
};
use vmcp_server::{BuildError, Gateway, GatewayBuilder};

/// The one plugin that is everything. It takes a word of at most three letters.
struct Own;

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnConfig {
    /// A short word.
    word: String,
}

fn own(config: &OwnConfig) -> Result<Arc<Own>, StrategyError> {
    if config.word.len() > 3 { Err(StrategyError::at("word", "is too long; write a shorter one")) } else { Ok(Arc::new(Own)) }
}

impl OutgoingStrategy for Own {
    fn managed_headers(&self) -> &[HeaderName] {
        &[]
    }

    fn resolve<'a>(&'a self, _: &'a StrategyContext<'a>) -> BoxFuture<'a, Result<Credentials, StrategyError>> {
        Box::pin(std::future::ready(Ok(Credentials::none())))
    }
}

impl Authenticator for Own {
    fn consumed_headers(&self) -> &[HeaderName] {
        &[]
    }

    fn authenticate<'a>(&'a self, _: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
        Box::pin(std::future::ready(Err(Rejected::unauthorized("nobody is let in", None))))
    }
}

impl Authorizer for Own {
    fn decide(&self, _: &Question<'_>) -> Decision {
        Decision::new(false)
    }
}

impl Interceptor for Own {}

impl StrategyFactory for Own {
    const KIND: &'static str = "own_strategy";
    type Config = OwnConfig;

    fn build(&self, config: OwnConfig, _: &Deps) -> Result<Arc<dyn OutgoingStrategy>, StrategyError> {
        Ok(own(&config)?)
    }
}

impl AuthenticatorFactory for Own {
    const KIND: &'static str = "own_login";
    type Config = OwnConfig;

    fn build(&self, config: OwnConfig, _: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
        Ok(own(&config)?)
    }
}

impl AuthorizerFactory for Own {
    const KIND: &'static str = "own_rules";
    type Config = OwnConfig;

    fn build(&self, config: OwnConfig, _: &Deps) -> Result<Arc<dyn Authorizer>, StrategyError> {
        Ok(own(&config)?)
    }
}

impl InterceptorFactory for Own {
    const KIND: &'static str = "own_filter";
    type Config = OwnConfig;

    fn build(&self, config: OwnConfig, _: &Deps) -> Result<Arc<dyn Interceptor>, StrategyError> {
        Ok(own(&config)?)
    }
}

/// A configuration whose plugins are of these kinds: strategy, authenticator, authorizer, interceptor.
fn config([strategy, login, rules, filter]: [&str; 4], word: &str) -> Result<Config> {
    let settings = json!({ "word": word });
    Ok(serde_json::from_value(json!({
        "backends": [{ "name": "b", "url": "http://127.0.0.1:1/mcp" }],
        "incomingAuth": { "type": login, "ownLogin": settings, "authz": { "type": rules, "word": word } },
        "outgoingAuth": { "default": { "type": strategy, "ownStrategy": settings } },
        "interceptors": [{ "type": filter, "ownFilter": settings }],
    }))?)
}

const KINDS: [&str; 4] = ["own_strategy", "own_login", "own_rules", "own_filter"];

fn builder(config: Config) -> GatewayBuilder {
    Gateway::builder(config).outgoing_strategy(Own).authenticator(Own).authorizer(Own).interceptor(Own)
}

fn told(builder: GatewayBuilder) -> Result<String> {
    Ok(builder.build().err().context("it was built")?.to_string())
}

#[tokio::test]
async fn the_schema_of_a_configuration_has_the_settings_of_every_seams_kinds() -> Result<()> {
    let builder = builder(config(KINDS, "abc")?);
    let schema = builder.schema();
    let word = json!({ "description": "A short word.", "type": "string" });
    for (seam, kind, key) in [
        ("OutgoingStrategy", "own_strategy", Some("ownStrategy")),
        ("IncomingAuthenticator", "own_login", Some("ownLogin")),
        ("Authorizer", "own_rules", None),
        ("Interceptor", "own_filter", Some("ownFilter")),
    ] {
        let branches = schema["$defs"][seam]["oneOf"].as_array().with_context(|| format!("no {seam}"))?;
        let branch = branches.iter().find(|branch| branch["properties"]["type"]["const"] == kind);
        let properties = &branch.with_context(|| format!("{seam}: {branches:?}"))?["properties"];
        // Those of an authorizer stand beside `type`, all others under a key of their own.
        let settings = match key {
            None => properties,
            Some(key) => match properties[key]["$ref"].as_str().and_then(|at| at.strip_prefix("#/$defs/")) {
                Some(name) => &schema["$defs"][name]["properties"],
                None => &properties[key]["properties"],
            },
        };
        assert_eq!(settings["word"], word, "{seam}: {properties}");
    }
    builder.build()?.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn an_unknown_kind_is_told_at_its_place_with_those_that_are_known() -> Result<()> {
    let told = told(builder(config(["own_stratgy", "own_logn", "own_ruls", "own_filtr"], "abc")?))?;
    for (place, word, known) in [
        ("outgoingAuth.default.type", "own_stratgy", "own_strategy"),
        ("incomingAuth.type", "own_logn", "own_login"),
        ("incomingAuth.authz.type", "own_ruls", "own_rules"),
        ("interceptors[0].type", "own_filtr", "own_filter"),
    ] {
        let line = told.lines().find(|line| line.starts_with(&format!("{place}: "))).with_context(|| format!("{place} in {told}"))?;
        let (_, all) = line.split_once("; known: ").with_context(|| line.to_owned())?;
        assert!(line.contains(&format!("`{word}`")) && all.split(", ").any(|kind| kind == known), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_factory_refuses_is_told_at_the_setting() -> Result<()> {
    let told = told(builder(config(KINDS, "too long")?))?;
    for place in
        ["outgoingAuth.default.ownStrategy.word", "incomingAuth.ownLogin.word", "incomingAuth.authz.word", "interceptors[0].ownFilter.word"]
    {
        assert!(told.lines().any(|line| line == format!("{place}: is too long; write a shorter one")), "{place} in {told}");
    }
    Ok(())
}

#[tokio::test]
async fn no_kind_of_any_seam_is_registered_twice() -> Result<()> {
    type Twice = fn(GatewayBuilder) -> GatewayBuilder;
    let twice: [(Twice, &str); 4] = [
        (|builder| builder.outgoing_strategy(Own), "outgoing strategy `own_strategy`"),
        (|builder| builder.authenticator(Own), "incoming authenticator `own_login`"),
        (|builder| builder.authorizer(Own), "authorizer `own_rules`"),
        (|builder| builder.interceptor(Own), "interceptor `own_filter`"),
    ];
    for (twice, what) in twice {
        let error = twice(builder(config(KINDS, "abc")?)).build().err().context("it was built")?;
        assert!(matches!(&error, BuildError::Plugin(_)), "{error}");
        assert_eq!(error.to_string(), format!("plugin: {what} is registered twice"));
    }
    let error = builder(config(KINDS, "abc")?).authenticator(vmcp_auth::LocalFactory).build().err().context("it was built")?;
    assert!(error.to_string().contains("`local` is registered twice"), "a built-in kind is not replaced: {error}");
    Ok(())
}
