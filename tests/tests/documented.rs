//! The plugins in `docs/embedding.md`: they stand there as they stand here, and they do what the page says.

#![allow(unreachable_pub, reason = "on the page it stands in a crate of its own")]

mod exchanged;
mod named;
mod served;

use anyhow::{Context, Result};
use named::NamedFactory;
use serde_json::{Value, json};
use served::serve;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::Client,
    fixture::{Fixture, Spec},
    idp::Idp,
};

// An authorizer:
mod guests {
    use serde_json::Value;
    use std::sync::Arc;
    use vmcp_core::plugin::{Authorizer, AuthorizerFactory, Decision, Deps, Question, StrategyError};

    /// `authz: {type: guests, claim: guest}`: whoever has that claim may use only tools that say that they change nothing.
    pub struct GuestsFactory;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    pub struct GuestsConfig {
        /// The claim, which is true of guests.
        claim: String,
    }

    struct Guests(String);

    impl AuthorizerFactory for GuestsFactory {
        const KIND: &'static str = "guests";
        type Config = GuestsConfig;

        fn build(&self, config: GuestsConfig, _: &Deps) -> Result<Arc<dyn Authorizer>, StrategyError> {
            if config.claim.is_empty() {
                return Err(StrategyError::at("claim", "names no claim; write the name of one"));
            }
            Ok(Arc::new(Guests(config.claim)))
        }
    }

    impl Authorizer for Guests {
        fn reads_arguments(&self) -> bool {
            false
        }

        fn decide(&self, question: &Question<'_>) -> Decision {
            let is_guest = question.claims.get(&self.0).and_then(Value::as_bool).unwrap_or(false);
            let only_reads = question.annotations.and_then(|hints| hints.get("readOnlyHint")).and_then(Value::as_bool);
            Decision::new(!is_guest || only_reads.unwrap_or(false))
        }
    }
}
// An interceptor:
mod signed {
    use serde_json::{Map, Value, value::to_raw_value};
    use std::sync::Arc;
    use vmcp_core::plugin::{BoxFuture, Call, Deps, Interceptor, InterceptorFactory, StrategyError, Verdict};

    /// `interceptors: [{type: signed, signed: {argument: requestedBy}}]`: every call of a tool says in that argument who makes it.
    pub struct SignedFactory;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    pub struct SignedConfig {
        /// The argument.
        argument: String,
    }

    struct Signed(String);

    impl InterceptorFactory for SignedFactory {
        const KIND: &'static str = "signed";
        type Config = SignedConfig;

        fn build(&self, config: SignedConfig, _: &Deps) -> Result<Arc<dyn Interceptor>, StrategyError> {
            Ok(Arc::new(Signed(config.argument)))
        }
    }

    impl Signed {
        fn sign(&self, call: &Call<'_>) -> Verdict {
            if call.method != "tools/call" {
                return Verdict::Go;
            }
            let own = call.arguments.map_or("{}", |arguments| arguments.get());
            let Ok(mut arguments) = serde_json::from_str::<Map<String, Value>>(own) else { return Verdict::Go };
            if arguments.insert(self.0.clone(), (*call.principal.subject).into()).is_some() {
                return Verdict::Refuse(format!("`{}` is for the gateway to write; leave it out", self.0));
            }
            to_raw_value(&arguments).map_or_else(|_| Verdict::Refuse("the call cannot be signed".to_owned()), Verdict::Change)
        }
    }

    impl Interceptor for Signed {
        fn sees_results(&self) -> bool {
            false
        }

        fn before<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Verdict> {
            Box::pin(std::future::ready(self.sign(call)))
        }
    }
}
// Callers of the program's own:
mod program {
    use http::HeaderName;
    use std::sync::Arc;
    use vmcp_auth::{Identity, NoSettings};
    use vmcp_core::plugin::{
        Authenticated, Authenticator, AuthenticatorFactory, BoxFuture, Deps, Principal, Rejected, RequestHead, StrategyError, SubjectToken,
        TokenKind,
    };

    /// `incomingAuth: {type: program}`: callers come from this program alone, with the tokens that it has of them.
    pub struct ProgramFactory;

    struct Program;

    impl AuthenticatorFactory for ProgramFactory {
        const KIND: &'static str = "program";
        type Config = NoSettings;

        fn build(&self, _: NoSettings, _: &Deps) -> Result<Arc<dyn Authenticator>, StrategyError> {
            Ok(Arc::new(Program))
        }
    }

    impl Authenticator for Program {
        fn consumed_headers(&self) -> &[HeaderName] {
            &[]
        }

        /// Whoever comes over HTTP.
        fn authenticate<'a>(&'a self, _: &'a RequestHead<'a>) -> BoxFuture<'a, Result<Arc<Authenticated>, Rejected>> {
            Box::pin(std::future::ready(Err(Rejected::unauthorized("nobody calls over HTTP", None))))
        }
    }

    /// A user of this program, for `gateway.direct` or `gateway.identity`.
    pub fn user(issuer: &str, subject: &str, access_token: String) -> Identity {
        let mut who = Authenticated::new(Principal { issuer: issuer.into(), subject: subject.into() });
        who.subject_token = Some(SubjectToken::new(access_token.into(), TokenKind::Jwt));
        Identity::new(who)
    }
}
// The rest is the test.

/// A module of this file without the module around it.
fn inside(text: &str, begin: &str, end: &str) -> Result<String> {
    let (_, rest) = text.split_once(begin).with_context(|| format!("no `{begin}`"))?;
    let (module, _) = rest.split_once(end).with_context(|| format!("no `{end}`"))?;
    let lines: Vec<&str> = module.trim().lines().collect();
    let inner = lines.get(1..lines.len() - 1).context("no module")?;
    Ok(inner.iter().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_page_shows_the_plugins_that_are_tested_here() -> Result<()> {
    let (page, own) = (include_str!("../../docs/embedding.md"), include_str!("documented.rs"));
    for (begin, end) in [
        ("\n// An authorizer:\n", "\n// An interceptor:\n"),
        ("\n// An interceptor:\n", "\n// Callers of"),
        ("\n// Callers of the program's own:\n", "\n// The rest is"),
    ] {
        let example = format!("```rust\n{}\n```", inside(own, begin, end)?);
        assert!(page.contains(&example), "docs/embedding.md has to show:\n{example}");
    }
    Ok(())
}

#[tokio::test]
async fn guests_may_only_read_and_every_call_says_who_makes_it() -> Result<()> {
    for era in Era::BOTH {
        let fixture = Fixture::start(Spec::new("b", era)).await?;
        fixture.change(|items| {
            items.tools.push(r#"{"name":"look","annotations":{"readOnlyHint":true},"inputSchema":{"type":"object"}}"#.to_owned());
        });
        let config = serde_json::from_value(json!({
            "backends": [fixture.entry(json!({}))],
            "incomingAuth": { "type": "named", "authz": { "type": "guests", "claim": "guest" } },
            "interceptors": [{ "type": "signed", "signed": { "argument": "requestedBy" } }],
        }))?;
        let builder = Gateway::builder(config).authenticator(NamedFactory);
        let gateway = builder.authorizer(guests::GuestsFactory).interceptor(signed::SignedFactory).build()?;
        let (addr, _) = serve(&gateway).await?;
        let mut guest = Client::of(era, addr).header("x-user", "bob").header("x-claims", r#"{"guest":true}"#).connect().await?;
        assert_eq!(guest.tools().await?, ["b_look"], "{era:?}");
        assert_eq!(guest.call("b_echo", "{}").await?.error()?.message, "Unknown tool: b_echo", "{era:?}");
        let mut ann = Client::of(era, addr).header("x-user", "ann").connect().await?;
        ann.call("b_echo", r#"{"a":1}"#).await?.result()?;
        let calls = fixture.calls();
        let sent = &calls.last().context("no call")?.json()["params"]["arguments"];
        assert_eq!(*sent, json!({ "a": 1, "requestedBy": "ann" }), "{era:?}");
        let error = ann.call("b_echo", r#"{"requestedBy":"eve"}"#).await?.error()?;
        assert_eq!(error.message, "`requestedBy` is for the gateway to write; leave it out", "{era:?}");
        gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_users_token_that_the_program_has_is_exchanged_in_a_direct_call_and_nobody_calls_over_http() -> Result<()> {
    let (idp, fixture) = (Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
    let config = |login: &str| {
        let mut exchange = exchanged::strategy(&idp, "b");
        if login == "program" {
            exchange["tokenExchange"]["subjectIssuers"] = json!([idp.issuer()]);
        }
        json!({ "backends": [fixture.entry(json!({}))], "incomingAuth": { "type": login }, "outgoingAuth": { "default": exchange } })
    };
    let refused = Gateway::builder(serde_json::from_value(config("anonymous"))?).build();
    assert!(refused.err().context("it was built")?.to_string().starts_with("outgoingAuth.default.tokenExchange: "));

    let gateway = Gateway::builder(serde_json::from_value(config("program"))?).authenticator(program::ProgramFactory).build()?;
    let ann = program::user(idp.issuer(), "ann", idp.token_of("ann")?);
    exchanged::call(&gateway, &ann, "b", &json!({})).await?;
    let calls = fixture.calls();
    let claims = exchanged::Claims::of(calls.last().context("no call")?)?.context("no token")?;
    assert_eq!((claims.subject.as_str(), claims.audience.as_str()), ("ann", "b"));
    let (addr, _) = serve(&gateway).await?;
    assert_eq!(Client::connect(Era::Modern, addr).await?.call("b_echo", "{}").await?.status(), 401);
    gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn tokens_of_callers_of_nobody_knows_which_issuers_are_shown_to_nobody_before_it_is_said_whose() -> Result<()> {
    let (idp, fixture) = (Idp::start().await?, Fixture::start(Spec::modern("b")).await?);
    let config = |login: &str, strategy: &Value| {
        let outgoing = json!({ "default": strategy });
        json!({ "backends": [fixture.entry(json!({}))], "incomingAuth": { "type": login }, "outgoingAuth": outgoing })
    };
    let built = |config: Value| {
        anyhow::Ok(
            Gateway::builder(serde_json::from_value(config)?).authenticator(NamedFactory).authenticator(program::ProgramFactory).build(),
        )
    };
    let exchange = exchanged::strategy(&idp, "b");
    let exec = json!({ "type": "exec", "exec": { "command": "x", "sendToken": true } });
    let external = json!({ "type": "external", "external": { "url": "https://creds.example.com/", "sendToken": true } });
    for (strategy, key) in [(exchange, "tokenExchange"), (exec, "exec"), (external, "external")] {
        let refused = built(config("program", &strategy))?.err().context("it was built")?.to_string();
        let place = format!("outgoingAuth.default.{key}: would show one place the tokens of callers of any issuer");
        assert!(refused.starts_with(&place) && refused.contains("add `subjectIssuers`"), "{refused}");
        let mut listed = strategy.clone();
        listed[key]["subjectIssuers"] = json!([idp.issuer()]);
        built(config("program", &listed))??.shutdown().await;
        // Callers of this one have one issuer, as it says.
        built(config("named", &strategy))??.shutdown().await;
    }
    Ok(())
}
