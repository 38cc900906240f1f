//! An authorizer of an embedder's own: it is asked once about each call, and about what a catalogue shows once for each kind of caller.

mod named;
mod served;

use anyhow::Result;
use named::NamedFactory;
use serde::Deserialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use served::serve;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use vmcp_core::{
    config::Config,
    plugin::{
        Authorizer, AuthorizerFactory, BoxFuture, Call, Decision, Deps, Interceptor, InterceptorFactory, Question, StrategyError, Verdict,
    },
};
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::{Client, ClientBuilder, Rpc},
    fixture::{Fixture, Items, Spec},
};

/// What was asked, in order.
type Asked = Arc<Mutex<Vec<String>>>;

fn taken(asked: &Asked) -> Vec<String> {
    std::mem::take(&mut *asked.lock().unwrap_or_else(PoisonError::into_inner))
}

/// `authz: {type: guest_list}`: who is on it may do everything, others what `guests` names; nobody may when an argument says `forbidden`.
/// It writes down what it is asked.
struct GuestListFactory(Asked);

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct GuestListConfig {
    hosts: Vec<String>,
    guests: Vec<String>,
}

struct GuestList(GuestListConfig, Asked);

impl AuthorizerFactory for GuestListFactory {
    const KIND: &'static str = "guest_list";
    type Config = GuestListConfig;

    fn build(&self, config: GuestListConfig, _: &Deps) -> Result<Arc<dyn Authorizer>, StrategyError> {
        Ok(Arc::new(GuestList(config, Arc::clone(&self.0))))
    }
}

impl Authorizer for GuestList {
    fn decide(&self, question: &Question<'_>) -> Decision {
        let (subject, name) = (&*question.principal.subject, question.name);
        let arguments = question.arguments.map_or_else(String::new, |arguments| Value::Object(arguments.clone()).to_string());
        let what = if question.is_call { "calls" } else { "sees" };
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{subject} {what} {name} {arguments}").trim_end().to_owned());
        let is_host = self.0.hosts.iter().any(|host| host == subject);
        Decision::new((is_host || self.0.guests.iter().any(|guest| guest == name)) && !arguments.contains("forbidden"))
    }
}

/// `type: marks`: writes down what passes, and turns a word round in arguments that say so.
struct MarksFactory(Asked);

struct Marks(Asked);

impl InterceptorFactory for MarksFactory {
    const KIND: &'static str = "marks";
    type Config = vmcp_auth::NoSettings;

    fn build(&self, _: vmcp_auth::NoSettings, _: &Deps) -> Result<Arc<dyn Interceptor>, StrategyError> {
        Ok(Arc::new(Marks(Arc::clone(&self.0))))
    }
}

impl Interceptor for Marks {
    fn before<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Verdict> {
        let arguments = call.arguments.map_or("{}", RawValue::get);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("passes {}", call.name));
        let mut value: Value = serde_json::from_str(arguments).unwrap_or_default();
        let Some(word) = value["turn"].as_str() else { return Box::pin(std::future::ready(Verdict::Go)) };
        value = json!({ "turned": word.chars().rev().collect::<String>() });
        Box::pin(std::future::ready(to_raw_value(&value).map_or_else(|error| Verdict::Refuse(error.to_string()), Verdict::Change)))
    }
}

/// A gateway with that authorizer in front of one server.
struct Scene {
    fixture: Fixture,
    gateway: Gateway,
    addr: SocketAddr,
    asked: Asked,
}

impl Scene {
    async fn new(spec: Spec, interceptors: &Value) -> Result<Self> {
        Self::before(Fixture::start(spec).await?, interceptors).await
    }

    async fn before(fixture: Fixture, interceptors: &Value) -> Result<Self> {
        let config: Config = serde_json::from_value(json!({
            "backends": [fixture.entry(json!({}))],
            "interceptors": interceptors,
            "incomingAuth": {
                "type": "named",
                "authz": { "type": "guest_list", "hosts": ["ann", "eve"], "guests": ["b_echo", "b_regional", "b_greet", "fixture://b/text"] },
            },
        }))?;
        let asked = Asked::default();
        let builder = Gateway::builder(config).authenticator(NamedFactory).authorizer(GuestListFactory(Arc::clone(&asked)));
        let gateway = builder.interceptor(MarksFactory(Arc::clone(&asked))).build()?;
        let (addr, _) = serve(&gateway).await?;
        Ok(Self { fixture, gateway, addr, asked })
    }

    fn user(&self, era: Era, name: &str) -> ClientBuilder {
        Client::of(era, self.addr).header("x-user", name)
    }

    async fn client(&self, era: Era, name: &str) -> Result<Client> {
        self.user(era, name).connect().await
    }

    fn asked(&self) -> Vec<String> {
        taken(&self.asked)
    }
}

#[tokio::test]
async fn a_call_is_decided_once_with_the_arguments_that_go_out() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let scene = Scene::new(Spec::new("b", backend), &json!([])).await?;
        let mut bob = scene.client(caller, "bob").await?;
        bob.tools().await?;
        scene.asked();
        bob.call("b_echo", r#"{"a":1}"#).await?.result()?;
        assert_eq!(scene.asked(), [r#"bob calls b_echo {"a":1}"#], "{caller:?} {backend:?}");
        bob.send(&Rpc::prompt("b_greet", r#"{"who":"ann"}"#)).await?.result()?;
        assert_eq!(scene.asked(), [r#"bob calls b_greet {"who":"ann"}"#], "{caller:?} {backend:?}");
        // Nothing is kept: the next one is decided anew.
        bob.call("b_echo", r#"{"a":1}"#).await?.result()?;
        let error = bob.call("b_echo", r#"{"a":"forbidden"}"#).await?.error()?;
        assert_eq!(error.message, "Unknown tool: b_echo", "{caller:?} {backend:?}");
        bob.call("b_headers", "{}").await?.error()?;
        let expected = [r#"bob calls b_echo {"a":1}"#, r#"bob calls b_echo {"a":"forbidden"}"#, "bob calls b_headers {}"];
        assert_eq!(scene.asked(), expected, "{caller:?} {backend:?}");
        assert_eq!(scene.fixture.requests_of("tools/call").len(), 2, "{caller:?} {backend:?}: what is denied goes nowhere");
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn interceptors_see_only_what_was_decided_and_what_they_do_not_change_is_not_decided_again() -> Result<()> {
    for era in Era::BOTH {
        let scene = Scene::new(Spec::new("b", era), &json!([{ "type": "marks" }, { "type": "marks" }])).await?;
        let mut bob = scene.client(era, "bob").await?;
        bob.tools().await?;
        scene.asked();
        bob.call("b_echo", r#"{"a":1}"#).await?.result()?;
        assert_eq!(scene.asked(), [r#"bob calls b_echo {"a":1}"#, "passes b_echo", "passes b_echo"], "{era:?}");
        // What they make of arguments is decided too, before it goes out.
        bob.call("b_echo", r#"{"turn":"abc"}"#).await?.result()?;
        let expected = [r#"bob calls b_echo {"turn":"abc"}"#, "passes b_echo", "passes b_echo", r#"bob calls b_echo {"turned":"cba"}"#];
        assert_eq!(scene.asked(), expected, "{era:?}");
        let sent = scene.fixture.requests_of("tools/call").len();
        // What the caller may not do is seen by none of them.
        for (tool, arguments) in [("b_headers", "{}"), ("b_echo", r#"{"a":"forbidden"}"#)] {
            let error = bob.call(tool, arguments).await?.error()?;
            assert_eq!(error.message, format!("Unknown tool: {tool}"), "{era:?}");
            assert_eq!(scene.asked(), [format!("bob calls {tool} {arguments}")], "{era:?}");
        }
        // And what they make of a call that it may is not sent where it may not be.
        let error = bob.call("b_echo", r#"{"turn":"neddibrof"}"#).await?.error()?;
        assert_eq!(error.message, "Unknown tool: b_echo", "{era:?}");
        assert_eq!(scene.fixture.requests_of("tools/call").len(), sent, "{era:?}");
        scene.gateway.shutdown().await;
    }
    Ok(())
}

/// Makes a fixture's tool `regional` one without headers, or with them.
fn regional(items: &mut Items, inner: &str, more: &str) {
    items.tools.retain(|tool| !tool.contains("regional"));
    items.tools.push(format!(
        r#"{{"name":"regional",{more}"inputSchema":{{"type":"object","properties":{{"region":{{"type":"string"{inner}}}}}}}}}"#
    ));
}

#[tokio::test]
async fn a_call_that_is_repeated_since_its_tool_has_changed_is_decided_again_only_when_its_hints_have_changed() -> Result<()> {
    const HEADER: &str = r#","x-mcp-header":"Region""#;
    const HINTS: &str = r#""annotations":{"destructiveHint":true},"#;
    for (hints, decisions) in [("", 1), (HINTS, 2)] {
        for interceptors in [json!([]), json!([{ "type": "marks" }])] {
            let fixture = Fixture::start(Spec::modern("b")).await?;
            fixture.change(|items| regional(items, "", ""));
            let scene = Scene::before(fixture, &interceptors).await?;
            let mut bob = scene.client(Era::Legacy, "bob").await?;
            bob.tools().await?;
            scene.fixture.change(|items| regional(items, HEADER, hints));
            scene.asked();
            bob.call("b_regional", r#"{"region":"eu"}"#).await?.result()?;
            let asked = scene.asked();
            let decided = asked.iter().filter(|asked| *asked == r#"bob calls b_regional {"region":"eu"}"#).count();
            assert_eq!(decided, decisions, "{hints:?} {interceptors}: {asked:?}");
            assert_eq!(scene.fixture.requests_of("tools/call").len(), 2, "{hints:?}: the backend refused the first");
            scene.gateway.shutdown().await;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_list_is_decided_once_for_a_caller_and_never_again_for_its_other_sessions() -> Result<()> {
    for era in Era::BOTH {
        let scene = Scene::new(Spec::new("b", era), &json!([])).await?;
        let mut bob = scene.client(era, "bob").await?;
        let all = {
            let mut ann = scene.client(era, "ann").await?;
            ann.tools().await?
        };
        scene.asked();
        let seen = bob.tools().await?;
        assert!(seen.len() == 2 && all.len() > seen.len(), "{era:?}: {seen:?}");
        let asked = scene.asked();
        let about = |name: &str| asked.iter().filter(|asked| **asked == format!("bob sees {name}")).count();
        for tool in &all {
            assert_eq!(about(tool), 1, "{era:?}: {asked:?}");
        }
        // Again, and in another session: nothing is asked anew.
        assert_eq!(bob.tools().await?, seen, "{era:?}");
        assert_eq!(scene.client(era, "bob").await?.tools().await?, seen, "{era:?}");
        assert_eq!(scene.asked(), [""; 0], "{era:?}");
        // Somebody else is asked about, and shown the same bytes where the decisions are the same.
        let mut cid = scene.client(era, "cid").await?;
        assert_eq!(cid.tools().await?, seen, "{era:?}");
        assert!(scene.asked().contains(&"cid sees b_echo".to_owned()), "{era:?}");
        scene.gateway.shutdown().await;
    }
    Ok(())
}
