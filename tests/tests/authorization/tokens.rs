//! Tokens of real issuers: who calls, in which groups and for what, stands in them, and every request is decided by its own.

use super::*;
use anyhow::Context;
use vmcp_tests::idp::{Algorithm, Idp, IdpSpec, Token};

const TASKS: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
const LISTS: [&str; 4] = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];

/// Two issuers, and a gateway that takes the tokens of both.
struct Issued {
    ours: Idp,
    theirs: Idp,
    scene: Scene,
}

impl Issued {
    /// In the policies `OURS` and `THEIRS` stand for the issuers.
    async fn new(backend: Era, policies: &str, more: Value) -> Result<Self> {
        let spec = || IdpSpec { algorithm: Algorithm::Es256, ..IdpSpec::default() };
        let (ours, theirs) = (Idp::with(spec()).await?, Idp::with(spec()).await?);
        let policies = policies.replace("OURS", ours.issuer()).replace("THEIRS", theirs.issuer());
        let oidc = ours.settings(json!({ "issuers": [theirs.settings(json!({}))] }));
        let mut all = json!({
            "incomingAuth": { "type": "oidc", "oidc": oidc, "authz": { "type": "cedar", "policies": [policies] } },
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        let scene = Scene::with(Spec::new("a", backend).tasks(), Spec::new("b", backend), "", all).await?;
        Ok(Self { ours, theirs, scene })
    }

    /// Whoever brings this token.
    fn bearer(&self, era: Era, token: Token) -> Result<ClientBuilder> {
        let capabilities = if era == Era::Modern { TASKS } else { r#"{"roots":{}}"# };
        Ok(Client::of(era, self.scene.addr).capabilities(capabilities).header("authorization", bearer(token)?))
    }

    async fn client(&self, era: Era, token: Token) -> Result<Client> {
        self.bearer(era, token)?.connect().await
    }
}

fn bearer(token: Token) -> Result<String> {
    Ok(format!("Bearer {}", token.sign()?))
}

fn about(method: &'static str) -> impl Fn(&str) -> Rpc {
    move |id| Rpc { name: Some(id.to_owned()), ..Rpc::new(method, format!(r#""taskId":{}"#, json!(id))) }
}

fn complete(uri: &str) -> Rpc {
    Rpc::new(
        "completion/complete",
        format!(r#""ref":{{"type":"ref/resource","uri":{}}},"argument":{{"name":"id","value":"a"}}"#, json!(uri)),
    )
}

fn subscribe(uri: &str) -> Rpc {
    Rpc::new("resources/subscribe", format!(r#""uri":{}"#, json!(uri)))
}

/// Everything of `a` is there for this caller.
async fn has_all_of_a(client: &mut Client, era: Era) -> Result<()> {
    for method in LISTS {
        assert!(!listed(client, method).await?.is_empty(), "{method}");
    }
    client.call("a_echo", "{}").await?.result()?;
    client.send(&Rpc::prompt("a_greet", "{}")).await?.result()?;
    client.send(&Rpc::read("fixture://a/text")).await?.result()?;
    client.send(&Rpc::read("fixture://a/item/7")).await?.result()?;
    client.send(&complete("fixture://a/item/{id}")).await?.result()?;
    match era {
        Era::Legacy => _ = client.send(&subscribe("fixture://a/text")).await?.result()?,
        Era::Modern => {
            let (first, _) = client.subscribe(r#""resourceSubscriptions":["fixture://a/text"]"#).await?;
            assert_eq!(first["params"]["notifications"], json!({ "resourceSubscriptions": ["fixture://a/text"] }));
        }
    }
    Ok(())
}

/// Nothing of `a` is there for this caller.
async fn has_nothing_of_a(client: &mut Client, era: Era) -> Result<()> {
    for method in LISTS {
        assert_eq!(listed(client, method).await?, [""; 0], "{method}");
    }
    alike(client, |name| Rpc::tool(name, "{}"), "a_echo", "a_ecco").await?;
    alike(client, |name| Rpc::prompt(name, "{}"), "a_greet", "a_great").await?;
    alike(client, Rpc::read, "fixture://a/text", "fixture://c/text").await?;
    alike(client, Rpc::read, "fixture://a/item/7", "fixture://c/item/7").await?;
    alike(client, complete, "fixture://a/item/{id}", "fixture://c/item/{id}").await?;
    match era {
        Era::Legacy => alike(client, subscribe, "fixture://a/text", "fixture://c/text").await?,
        Era::Modern => {
            let (first, _) = client.subscribe(r#""resourceSubscriptions":["fixture://a/text"]"#).await?;
            assert_eq!(first["params"]["notifications"], json!({}));
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_subject_at_two_issuers_is_two_people_to_every_method_of_both_eras() -> Result<()> {
    let policies = r#"permit(principal == Client::"OURS#alice", action, resource in Backend::"a");
        permit(principal == Client::"THEIRS#bob", action, resource);"#;
    for (caller, backend) in Era::PAIRINGS {
        let issued = Issued::new(backend, policies, json!({})).await?;
        let mut ours = issued.client(caller, issued.ours.token()?).await?;
        let mut theirs = issued.client(caller, issued.theirs.token()?).await?;
        // The one who may nothing first and last: what the other one looked at is at hand then.
        has_nothing_of_a(&mut theirs, caller).await?;
        has_all_of_a(&mut ours, caller).await?;
        has_nothing_of_a(&mut theirs, caller).await?;
        let mut bob = issued.client(caller, issued.ours.token()?.subject("bob")).await?;
        has_nothing_of_a(&mut bob, caller).await?;
        issued.client(caller, issued.theirs.token()?.subject("bob")).await?.call("b_echo", "{}").await?.result()?;
        assert!(issued.scene.b.requests().iter().all(|sent| sent.value("authorization").is_none()));
        issued.scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn groups_of_two_issuers_are_two_groups() -> Result<()> {
    let policies = r#"permit(principal in THVGroup::"OURS#ops", action, resource in Backend::"a");"#;
    for era in Era::BOTH {
        let issued = Issued::new(era, policies, json!({})).await?;
        let with = |idp: &Idp, groups: Value| Ok::<_, anyhow::Error>(idp.token()?.claim("groups", groups));
        has_all_of_a(&mut issued.client(era, with(&issued.ours, json!(["dev", "ops"]))?).await?, era).await?;
        has_nothing_of_a(&mut issued.client(era, with(&issued.theirs, json!(["ops"]))?).await?, era).await?;
        has_nothing_of_a(&mut issued.client(era, with(&issued.ours, json!(["dev"]))?).await?, era).await?;
        // A group that is written like one of the other issuer's.
        let forged = with(&issued.theirs, json!([format!("{}#ops", issued.ours.issuer())]))?;
        has_nothing_of_a(&mut issued.client(era, forged).await?, era).await?;
        issued.scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn what_a_token_allows_and_claims_decides() -> Result<()> {
    let policies = r#"
        permit(principal, action, resource in Backend::"a") when {
            principal has claim_scp && principal.claim_scp.contains("a:use") && context.claim_org.unit == "lab" };
        permit(principal, action, resource == Tool::"b_echo") when { principal has claim_scope && principal.claim_scope like "*b:use*" };
        forbid(principal, action, resource) when { principal.issuer == "THEIRS" };"#;
    for era in Era::BOTH {
        let issued = Issued::new(era, policies, json!({})).await?;
        let full =
            |idp: &Idp| Ok::<_, anyhow::Error>(idp.token()?.claim("scp", json!(["x", "a:use"])).claim("org", json!({ "unit": "lab" })));
        has_all_of_a(&mut issued.client(era, full(&issued.ours)?).await?, era).await?;
        has_nothing_of_a(&mut issued.client(era, full(&issued.theirs)?).await?, era).await?;
        for token in [
            full(&issued.ours)?.claim("scp", json!(["x"])),
            full(&issued.ours)?.without("scp"),
            full(&issued.ours)?.claim("org", json!({ "unit": "sales" })),
            full(&issued.ours)?.without("org"),
        ] {
            has_nothing_of_a(&mut issued.client(era, token).await?, era).await?;
        }
        let mut scoped = issued.client(era, issued.ours.token()?.scope("x b:use")).await?;
        assert_eq!(listed(&mut scoped, "tools/list").await?, ["b_echo"]);
        scoped.call("b_echo", "{}").await?.result()?;
        issued.scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn another_token_of_the_same_person_has_other_rights_in_the_same_session() -> Result<()> {
    let policies = r#"permit(principal == Client::"OURS#alice", action, resource in Backend::"a") when { context.claim_level > 1 };"#;
    for (caller, backend) in Era::PAIRINGS {
        let issued = Issued::new(backend, policies, json!({})).await?;
        let token = |level: u32| bearer(issued.ours.token()?.claim("level", json!(level)));
        let mut alice = issued.client(caller, issued.ours.token()?.claim("level", json!(2))).await?;
        has_all_of_a(&mut alice, caller).await?;
        alice.caller.set("authorization", token(1)?);
        has_nothing_of_a(&mut alice, caller).await?;
        alice.caller.set("authorization", token(3)?);
        has_all_of_a(&mut alice, caller).await?;
        issued.scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn the_rest_of_a_call_is_for_tokens_with_the_same_rights() -> Result<()> {
    let policies = r#"permit(principal == Client::"OURS#alice", action, resource in Backend::"a") when { context.claim_level > 1 };"#;
    let issued = Issued::new(Era::Legacy, policies, json!({})).await?;
    let token = |level: u32, id: &str| bearer(issued.ours.token()?.claim("level", json!(level)).claim("jti", json!(id)));
    let mut alice = issued.client(Era::Legacy, issued.ours.token()?.claim("level", json!(2))).await?;
    let mut lost = alice.sibling().await?;
    lost.start(&Rpc::tool("a_progress", r#"{"steps":3,"hold":true}"#).meta(r#""progressToken":"mine""#)).await?;
    let id = lost.conn.event(&mut Vec::new()).await?.context("no step")?.id.context("an event without an id")?;
    drop(lost);
    issued.scene.a.until("the call waits", |a| a.started() == 1).await?;
    issued.scene.a.release(1);
    alice.caller.set("authorization", token(1, "weaker")?);
    let text = alice.come_back(&id).await?.opening().await?;
    let stream = id.rsplit_once('-').context("an id of three parts")?.0;
    assert!(text.starts_with("id: ") && !text.contains(stream) && !text.contains("progress"), "{text}");
    alice.caller.set("authorization", token(2, "renewed")?);
    let text = alice.come_back(&id).await?.opening().await?;
    assert!(text.contains(stream), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_task_is_its_beginners_at_its_issuer_alone() -> Result<()> {
    let policies = r#"permit(principal, action, resource in Backend::"a") when { !(principal has claim_off) };"#;
    let issued = Issued::new(Era::Modern, policies, json!({})).await?;
    let mut ours = issued.client(Era::Modern, issued.ours.token()?).await?;
    let id = ours.call("a_job", "{}").await?.result()?["taskId"].as_str().context("no id")?.to_owned();
    ours.send(&about("tasks/get")(&id)).await?.result()?;
    issued.scene.a.forget_requests();
    // Somebody of the same name at the other issuer, who may call the tool too; and the same person with a token that may not.
    let theirs = issued.client(Era::Modern, issued.theirs.token()?).await?;
    let without = issued.client(Era::Modern, issued.ours.token()?.claim("off", json!(true))).await?;
    for mut client in [theirs, without] {
        for method in ["tasks/get", "tasks/cancel", "tasks/update", "tasks/result"] {
            alike(&mut client, about(method), &id, "nothing").await?;
        }
        assert_eq!(client.send(&Rpc::new("tasks/list", "")).await?.error()?.code, -32601, "nobody's tasks are listed");
        let (first, _) = client.subscribe(&format!(r#""taskIds":{}"#, json!([id]))).await?;
        assert_eq!(first["params"]["notifications"], json!({}));
    }
    assert!(issued.scene.a.requests().iter().all(|sent| !String::from_utf8_lossy(&sent.body).contains("tasks/")));
    ours.send(&about("tasks/cancel")(&id)).await?.result()?;
    assert_eq!(issued.scene.a.requests_of("tasks/cancel").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_named_endpoint_and_a_backends_own_know_whose_token_it_is() -> Result<()> {
    let policies = r#"permit(principal == Client::"OURS#alice", action, resource in MCP::"corp");
        permit(principal == Client::"THEIRS#alice", action, resource in MCP::"team");"#;
    let more = json!({ "name": "corp", "endpoints": [{ "path": "/team", "name": "team", "backends": ["a"] }] });
    for era in Era::BOTH {
        let issued = Issued::new(era, policies, more.clone()).await?;
        for (idp, path, tool, may) in [
            (&issued.ours, "/mcp", "a_echo", true),
            (&issued.ours, "/mcp/a", "echo", true),
            (&issued.ours, "/team", "a_echo", false),
            (&issued.theirs, "/mcp", "a_echo", false),
            (&issued.theirs, "/mcp/a", "echo", false),
            (&issued.theirs, "/team", "a_echo", true),
        ] {
            let mut client = issued.bearer(era, idp.token()?)?.path(path).connect().await?;
            for method in LISTS {
                assert_eq!(listed(&mut client, method).await?.is_empty(), !may, "{era:?} {path} {method}");
            }
            assert_eq!(client.call(tool, "{}").await?.result().is_ok(), may, "{era:?} {path}");
        }
        issued.scene.gateway.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_bare_name_in_a_policy_is_refused_where_two_issuers_have_it() -> Result<()> {
    for policy in
        [r#"forbid(principal == Client::"alice", action, resource);"#, r#"permit(principal in THVGroup::"ops", action, resource);"#]
    {
        let refused = Issued::new(Era::Modern, policy, json!({})).await.err().context("it was taken")?.to_string();
        assert!(refused.contains("issuer"), "{refused}");
    }
    Ok(())
}
