//! Interceptors of an embedder's own: they see calls and results on their way, refuse them, and change them.

#[path = "../named/mod.rs"]
mod named;
#[path = "../served/mod.rs"]
mod served;
mod ways;

use anyhow::{Context, Result};
use named::NamedFactory;
use serde::Deserialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use served::serve;
use std::sync::{Arc, Mutex, PoisonError};
use vmcp_core::{
    config::Config,
    plugin::{BoxFuture, Call, Deps, Interceptor, InterceptorFactory, StrategyError, Verdict},
};
use vmcp_server::{BuildError, Gateway};
use vmcp_tests::{
    Era,
    client::Client,
    fixture::{Fixture, Spec},
};

/// What all interceptors of a gateway saw, in order.
type Seen = Arc<Mutex<Vec<String>>>;

/// `type: marked`: marks arguments and results with its word, and refuses what holds the word `forbidden`, or `secret` in a result.
struct MarkedFactory(Seen);

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct MarkedConfig {
    word: String,
}

struct Marked {
    word: String,
    seen: Seen,
}

impl InterceptorFactory for MarkedFactory {
    const KIND: &'static str = "marked";
    type Config = MarkedConfig;

    fn build(&self, config: MarkedConfig, _: &Deps) -> Result<Arc<dyn Interceptor>, StrategyError> {
        Ok(Arc::new(Marked { word: config.word, seen: Arc::clone(&self.0) }))
    }
}

impl Marked {
    fn saw(&self, what: String) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    fn mark(&self, object: &str) -> Verdict {
        let Ok(mut value) = serde_json::from_str::<Value>(object) else { return Verdict::Refuse("no object".to_owned()) };
        // Something else each time, for who asks for it.
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).len();
        value[&self.word] = if value["fresh"] == true { json!(seen) } else { json!(true) };
        to_raw_value(&value).map_or_else(|error| Verdict::Refuse(error.to_string()), Verdict::Change)
    }
}

/// The arguments with the level that the caller's token claims, for who asks for it.
fn levelled(arguments: &str, call: &Call<'_>) -> String {
    match (serde_json::from_str::<Value>(arguments), call.claims.get("level")) {
        (Ok(mut value), Some(level)) if value["claimed"] == true => {
            value["level"] = level.clone();
            value.to_string()
        }
        _ => arguments.to_owned(),
    }
}

impl Interceptor for Marked {
    fn before<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let arguments = call.arguments.map_or("{}", RawValue::get);
            let Call { backend, method, name, .. } = call;
            self.saw(format!("{} before {} {backend} {method} {name} {arguments}", self.word, call.principal.subject));
            match call.method {
                _ if arguments.contains("forbidden") => Verdict::Refuse(format!("{} does not let this pass", self.word)),
                "tools/call" => self.mark(&levelled(arguments, call)),
                _ => Verdict::Go,
            }
        })
    }

    fn after<'a>(&'a self, call: &'a Call<'a>, result: &'a RawValue) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            self.saw(format!("{} after {}", self.word, call.name));
            if result.get().contains("secret") { Verdict::Refuse("this result stays here".to_owned()) } else { self.mark(result.get()) }
        })
    }
}

fn config(fixture: &Fixture) -> Result<Config> {
    Ok(serde_json::from_value(json!({
        "backends": [fixture.entry(json!({}))],
        "incomingAuth": { "type": "named" },
        "interceptors": [{ "type": "marked", "marked": { "word": "first" } }, { "type": "marked", "marked": { "word": "second" } }],
    }))?)
}

fn gateway(fixture: &Fixture) -> Result<(Gateway, Seen)> {
    let seen = Seen::default();
    let builder = Gateway::builder(config(fixture)?).authenticator(NamedFactory).interceptor(MarkedFactory(Arc::clone(&seen)));
    Ok((builder.build()?, seen))
}

fn taken(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
}

#[tokio::test]
async fn calls_pass_them_in_order_and_results_the_other_way_round() -> Result<()> {
    for era in Era::BOTH {
        let fixture = Fixture::start(Spec::new("b", Era::Modern)).await?;
        let (gateway, seen) = gateway(&fixture)?;
        let (addr, serving) = serve(&gateway).await?;
        let mut client = Client::of(era, addr).header("x-user", "ann").connect().await?;
        let result = client.call("b_echo", r#"{"a":1}"#).await?.result()?;
        let calls = fixture.calls();
        let sent = &calls.last().context("no call")?.json()["params"]["arguments"];
        assert_eq!(*sent, json!({ "a": 1, "first": true, "second": true }), "{era:?}");
        assert_eq!((&result["first"], &result["second"]), (&json!(true), &json!(true)), "{result}");
        let expected = [
            r#"first before ann b tools/call b_echo {"a":1}"#,
            r#"second before ann b tools/call b_echo {"a":1,"first":true}"#,
            "second after b_echo",
            "first after b_echo",
        ];
        assert_eq!(taken(&seen), expected, "{era:?}");
        gateway.shutdown().await;
        serving.await??;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_refused_goes_nowhere_and_says_why() -> Result<()> {
    for era in Era::BOTH {
        let fixture = Fixture::start(Spec::new("b", Era::Legacy)).await?;
        let (gateway, seen) = gateway(&fixture)?;
        let (addr, serving) = serve(&gateway).await?;
        let mut client = Client::of(era, addr).header("x-user", "ann").connect().await?;
        let error = client.call("b_echo", r#"{"a":"forbidden"}"#).await?.error()?;
        assert_eq!((error.code, error.message.as_str()), (-31801, "first does not let this pass"), "{era:?}");
        assert!(fixture.calls().is_empty(), "{era:?}: it was not sent");
        assert_eq!(taken(&seen).len(), 1, "{era:?}: nobody else was asked");
        let error = client.call("b_echo", r#"{"a":"secret"}"#).await?.error()?;
        assert_eq!((error.code, error.message.as_str()), (-31801, "this result stays here"), "{era:?}");
        assert_eq!(fixture.calls().len(), 1, "{era:?}");
        let error = client.call("b_nothing", r#"{"a":"forbidden"}"#).await?.error()?;
        assert_eq!(error.message, "Unknown tool: b_nothing", "{era:?}: nobody is asked about what does not exist");
        gateway.shutdown().await;
        serving.await??;
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_kind_names_the_known_ones_and_none_is_registered_twice() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let built = |builder: vmcp_server::GatewayBuilder| match builder.build() {
        Err(error @ (BuildError::Config(_) | BuildError::Plugin(_))) => error.to_string(),
        other => format!("{:?}", other.err()),
    };
    let with = |interceptors: &Value| -> Result<_> {
        let mut config = config(&fixture)?;
        config.interceptors = serde_json::from_value(interceptors.clone())?;
        Ok(Gateway::builder(config).authenticator(NamedFactory).interceptor(MarkedFactory(Seen::default())))
    };
    let told = built(with(&json!([{ "type": "markd" }]))?);
    assert!(told.contains("interceptors[0].type: unknown interceptor `markd`; known: marked"), "{told}");
    let told = built(with(&json!([{ "type": "marked", "marked": { "word": "a", "wrod": "b" } }]))?);
    assert!(told.contains("interceptors[0].marked.wrod"), "{told}");
    let told = built(with(&json!([]))?.interceptor(MarkedFactory(Seen::default())));
    assert!(told.contains("interceptor `marked` is registered twice"), "{told}");
    Ok(())
}
