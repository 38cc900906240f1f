//! One session and two tokens of its principal, of which one allows more: each stream hears what its own token allows.

use super::*;
use anyhow::Context;
use vmcp_tests::{
    client::{Conn, Stream},
    eventually,
    fixture::Fault,
};

/// Everybody may see all of `a`; `b` is for tokens that say so.
const POLICIES: &str =
    r#"permit(principal, action, resource in Backend::"a"); permit(principal, action, resource) when { context has claim_all };"#;
const CAPABILITIES: &str = r#"{"roots":{"listChanged":true},"sampling":{},"elicitation":{}}"#;
const MESSAGE: &str = "notifications/message";
const UPDATED: &str = "notifications/resources/updated";
const CHANGED: &str = "notifications/tools/list_changed";

fn told(data: &str) -> String {
    format!(r#"{{"level":"emergency","data":"{data}"}}"#)
}

/// What the next message of a log says.
async fn heard(stream: &mut Stream) -> Result<String> {
    let message = stream.message().await?;
    Ok(message["params"]["data"].as_str().with_context(|| format!("no message of a log: {message}"))?.to_owned())
}

/// What it asks is refused: no stream is read on which it may be asked. When this returns, the gateway has heard what it said before.
async fn nobody_is_asked_by(backend: &Fixture) -> Result<()> {
    let answer = backend.ask("roots/list", "{}").await?;
    anyhow::ensure!(answer["error"]["code"].is_number(), "somebody was asked: {answer}");
    Ok(())
}

/// Waits until the gateway knows that so many streams of sessions are read: it hears of a connection's end before that of its stream.
async fn streams_are_read(scene: &Scene, count: usize) -> Result<()> {
    eventually("so many streams are read", async || scene.gateway.status()["sessions"]["streams"] == count).await
}

fn tool(name: &str) -> String {
    format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#)
}

/// A gateway in front of two legacy servers, and Ann's session there, with two tokens.
struct Ann {
    scene: Scene,
    weak: Client,
    strong: Client,
}

impl Ann {
    async fn new(more: Value) -> Result<Self> {
        let scene = Scene::with(Spec::legacy("a").interactive(), Spec::legacy("b").interactive(), POLICIES, more).await?;
        scene.user(Era::Legacy, "ann").header("x-claims", r#"{"all":1}"#).connect().await?.tools().await?;
        let weak = scene.user(Era::Legacy, "ann").capabilities(CAPABILITIES).connect().await?;
        let mut strong = weak.sibling().await?;
        strong.caller.set("x-claims", r#"{"all":1}"#);
        Ok(Self { scene, weak, strong })
    }

    async fn is_listened_for(&self) -> Result<()> {
        for backend in [&self.scene.a, &self.scene.b] {
            backend.until("the gateway listens for Ann", |backend| backend.declared_streams() == 1).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn each_stream_hears_the_backends_that_its_own_token_may_see() -> Result<()> {
    for strong_first in [true, false] {
        let Ann { scene, weak, strong } = &Ann::new(json!({})).await?;
        let (mut of_weak, mut of_strong);
        if strong_first {
            of_strong = strong.listen().await?;
            of_weak = weak.listen().await?;
        } else {
            of_weak = weak.listen().await?;
            of_strong = strong.listen().await?;
        }
        for backend in [&scene.a, &scene.b] {
            backend.until("the gateway listens for Ann", |backend| backend.declared_streams() == 1).await?;
        }
        scene.b.say(MESSAGE, &told("b"));
        assert_eq!(heard(&mut of_strong).await?, "b", "strong first: {strong_first}");
        let question = scene.b.pose("roots/list", "{}")?;
        assert_eq!(of_strong.message().await?["method"], "roots/list", "{question}");
        // What everybody may hear goes to the newest.
        scene.a.say(MESSAGE, &told("a"));
        let newest = if strong_first { &mut of_weak } else { &mut of_strong };
        assert_eq!(heard(newest).await?, "a", "strong first: {strong_first}");
        // The stronger token's stream goes: the other one does not become its heir.
        of_strong.hang_up().await?;
        streams_are_read(scene, 1).await?;
        nobody_is_asked_by(&scene.b).await?;
        scene.b.say(MESSAGE, &told("b"));
        nobody_is_asked_by(&scene.b).await?;
        scene.a.say(MESSAGE, &told("a"));
        assert_eq!(heard(&mut of_weak).await?, "a", "strong first: {strong_first}");
        scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn each_stream_hears_of_the_resources_that_its_own_token_may_read() -> Result<()> {
    let mut ann = Ann::new(json!({})).await?;
    for uri in ["fixture://a/text", "fixture://b/text"] {
        ann.strong.send(&Rpc::new("resources/subscribe", format!(r#""uri":"{uri}""#))).await?.result()?;
    }
    let mut of_strong = ann.strong.listen().await?;
    let mut of_weak = ann.weak.listen().await?;
    ann.is_listened_for().await?;
    ann.scene.b.updated("fixture://b/text");
    let update = of_strong.message().await?;
    assert_eq!((&update["method"], &update["params"]["uri"]), (&json!(UPDATED), &json!("fixture://b/text")));
    ann.scene.a.updated("fixture://a/text");
    let update = of_weak.message().await?;
    assert_eq!((&update["method"], &update["params"]["uri"]), (&json!(UPDATED), &json!("fixture://a/text")));
    Ok(())
}

#[tokio::test]
async fn what_a_weaker_token_may_not_read_is_followed_again_after_a_reload_for_the_stronger_one() -> Result<()> {
    let mut ann = Ann::new(json!({})).await?;
    let uri = "fixture://b/text";
    ann.strong.send(&Rpc::new("resources/subscribe", format!(r#""uri":"{uri}""#))).await?.result()?;
    let mut before = ann.strong.listen().await?;
    let scene = &ann.scene;
    scene.gateway.reload(config(&[&scene.a, &scene.b], POLICIES, json!({}))?)?;
    while before.next().await?.is_some() {}
    scene.b.until("the old session has ended", |b| b.followers(uri) == 0).await?;
    scene.a.until("the old session's stream has ended", |a| a.declared_streams() == 0).await?;
    // The weaker one comes back first.
    let mut of_weak = ann.weak.listen().await?;
    let mut of_strong = ann.strong.listen().await?;
    let hears = |b: &Fixture| b.followers(uri) == 1 && b.hearers(uri) == 1 && b.declared_streams() == 1;
    scene.b.until("the new session follows and hears", hears).await?;
    scene.b.updated(uri);
    let mut update = of_strong.message().await?;
    while update["method"] == CHANGED {
        update = of_strong.message().await?;
    }
    assert_eq!((&update["method"], &update["params"]["uri"]), (&json!(UPDATED), &json!(uri)));
    scene.a.until("the gateway listens for Ann", |a| a.declared_streams() == 1).await?;
    of_strong.hang_up().await?;
    streams_are_read(&ann.scene, 1).await?;
    ann.weak.tools().await?;
    scene.a.say(MESSAGE, &told("a"));
    let mut heard = of_weak.message().await?;
    while heard["method"] == CHANGED {
        heard = of_weak.message().await?;
    }
    assert_eq!(heard["params"]["data"], "a", "the weaker one has heard nothing of it");
    Ok(())
}

#[tokio::test]
async fn each_stream_hears_of_the_changes_that_its_own_token_shows() -> Result<()> {
    let mut ann = Ann::new(json!({})).await?;
    let of_a = ann.weak.tools().await?;
    assert!(of_a.iter().all(|name| name.starts_with("a_")), "{of_a:?}");
    assert!(ann.strong.tools().await?.len() > of_a.len());
    let mut of_strong = ann.strong.listen().await?;
    let mut of_weak = ann.weak.listen().await?;
    ann.is_listened_for().await?;
    ann.scene.b.change(|items| items.tools.push(tool("more")));
    ann.scene.b.announce("tools");
    assert_eq!(of_strong.message().await?["method"], CHANGED);
    // Of a change that both see both hear, the weaker one of nothing before it.
    ann.scene.a.say(MESSAGE, &told("before"));
    assert_eq!(heard(&mut of_weak).await?, "before");
    ann.scene.a.change(|items| items.tools.push(tool("more")));
    ann.scene.a.announce("tools");
    assert_eq!(of_weak.message().await?["method"], CHANGED);
    assert_eq!(of_strong.message().await?["method"], CHANGED);
    Ok(())
}

#[tokio::test]
async fn a_stream_of_a_token_that_shows_something_else_than_the_client_saw_begins_with_a_change() -> Result<()> {
    let mut ann = Ann::new(json!({})).await?;
    ann.weak.tools().await?;
    let mut of_strong = ann.strong.listen().await?;
    assert_eq!(of_strong.message().await?["method"], CHANGED);
    ann.is_listened_for().await?;
    ann.scene.b.say(MESSAGE, &told("b"));
    assert_eq!(heard(&mut of_strong).await?, "b", "once");
    Ok(())
}

/// A call that waits, and has begun its stream.
async fn call(client: &Client) -> Result<(Client, Vec<u8>)> {
    let (mut call, mut buffer) = (client.sibling().await?, Vec::new());
    call.start(&Rpc::tool("a_progress", r#"{"steps":1,"hold":true}"#).meta(r#""progressToken":1"#)).await?;
    let step = call.conn.event(&mut buffer).await?.context("no step")?.json();
    assert_eq!(step["method"], "notifications/progress");
    Ok((call, buffer))
}

#[tokio::test]
async fn a_question_outside_of_calls_goes_on_the_stream_of_a_call_whose_token_may_see_who_asks() -> Result<()> {
    let ann = Ann::new(json!({})).await?;
    let mut of_weak = ann.weak.listen().await?;
    ann.is_listened_for().await?;
    let (mut by_strong, mut buffer) = call(&ann.strong).await?;
    let by_weak = call(&ann.weak).await?;
    ann.scene.b.pose("roots/list", "{}")?;
    let asked = by_strong.conn.event(&mut buffer).await?.context("no question")?.json();
    assert_eq!(asked["method"], "roots/list");
    // Without it there is nobody to ask, though a call of the weaker token still has a stream.
    by_strong.conn.hang_up().await?;
    streams_are_read(&ann.scene, 2).await?;
    nobody_is_asked_by(&ann.scene.b).await?;
    ann.scene.a.say(MESSAGE, &told("a"));
    assert_eq!(heard(&mut of_weak).await?, "a");
    drop(by_weak);
    Ok(())
}

/// A gateway whose backends are sent a header of the caller's, so that each caller has lists of its own.
async fn own_lists() -> Result<Scene> {
    let (a, b) = (Fixture::start(Spec::legacy("a").interactive()).await?, Fixture::start(Spec::legacy("b").interactive()).await?);
    let more = json!({ "passthroughHeaders": ["x-tenant"] });
    let gateway = Gateway::builder(config(&[&a, &b], POLICIES, more)?).authenticator(NamedFactory).build()?;
    let (addr, _) = serve(&gateway).await?;
    Ok(Scene { a, b, gateway, addr })
}

#[tokio::test]
async fn a_question_that_comes_before_the_lists_waits_until_they_say_whether_it_may_be_asked() -> Result<()> {
    for (claims, may) in [(r#"{"all":1}"#, true), ("{}", false)] {
        let scene = own_lists().await?;
        // Its lists are long in coming.
        scene.b.fail_on("prompts/list", Fault::Hang);
        scene.b.fail_on("tools/list", Fault::Hang);
        let ann = scene.user(Era::Legacy, "ann").header("x-tenant", "t").header("x-claims", claims).capabilities(CAPABILITIES);
        let ann = ann.connect().await?;
        let mut stream = ann.listen().await?;
        scene.b.until("the gateway listens for Ann", |b| b.declared_streams() == 1).await?;
        let client = async {
            if may {
                let mut question = stream.message().await?;
                while question["method"] == CHANGED {
                    // What is listed meanwhile changes when the lists have come.
                    question = stream.message().await?;
                }
                assert_eq!(question["method"], "roots/list", "{question}");
                let request = ann.caller.answer(&question["id"], r#""result":{"roots":[]}"#);
                assert_eq!(Conn::open(scene.addr).await?.exchange(&request).await?.status(), 202);
            }
            anyhow::Ok(())
        };
        let heal = async {
            // What is answered in turn was asked after the question.
            scene.b.ask("ping", "{}").await?;
            scene.b.heal();
            let mut other = ann.sibling().await?;
            loop {
                other.tools().await?;
            }
        };
        let asking = async { tokio::join!(scene.b.ask("roots/list", "{}"), client) };
        let (answered, asked) = tokio::select! {
            both = asking => both,
            failed = heal => return failed,
        };
        asked?;
        assert_eq!(answered?["error"].is_null(), may, "{claims}");
        scene.gateway.shutdown().await;
    }
    Ok(())
}
