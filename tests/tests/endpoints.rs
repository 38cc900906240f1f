//! Endpoints beside the one of all backends: `/mcp/{backend}`, and named ones.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Request, Rpc},
    fixture::{Fixture, Items, Spec},
    process::Vmcp,
};

const TOOL: &str = r#"{"name":"fresh","description":"New","inputSchema":{"type":"object"}}"#;

/// A user at one path.
fn at(era: Era, path: &str) -> Caller {
    Caller::new(era).at(path)
}

async fn names(caller: &mut Caller, conn: &mut Conn, method: &str, key: &str) -> Result<Vec<String>> {
    let result = caller.send(conn, &Rpc::list(method, None)).await?.result()?;
    let items = result[key].as_array().with_context(|| format!("no {key} in {result}"))?;
    Ok(items.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect())
}

async fn tools(caller: &mut Caller, conn: &mut Conn) -> Result<Vec<String>> {
    names(caller, conn, "tools/list", "tools").await
}

async fn status(vmcp: &Vmcp, request: &Request) -> Result<u16> {
    Ok(Conn::open(vmcp.addr()).await?.exchange(request).await?.status())
}

#[tokio::test]
async fn a_backends_own_endpoint_shows_it_alone_with_its_names_as_they_are() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let at_pairing = format!("{caller:?} caller, {backend:?} backend");
        let (git, mail) = (Fixture::start(Spec::new("git", backend)).await?, Fixture::start(Spec::new("mail", backend)).await?);
        let vmcp = Vmcp::serve(json!({
            "aggregation": { "tools": [{ "workload": "git", "filter": ["echo", "slow"], "overrides": { "slow": { "name": "wait" } } }] },
            "backends": [git.entry(json!({})), mail.entry(json!({}))],
        }))
        .await?;
        let mut conn = Conn::open(vmcp.addr()).await?;
        for path in ["/mcp/git", "/mcp/git/"] {
            let mut user = at(caller, path);
            user.initialize(&mut conn).await?;
            git.forget_requests();
            mail.forget_requests();
            assert_eq!(tools(&mut user, &mut conn).await?, ["echo", "wait"], "{at_pairing} {path}");
            let prompts = names(&mut user, &mut conn, "prompts/list", "prompts").await?;
            assert!(!prompts.is_empty() && prompts.iter().all(|name| !name.starts_with("git_")), "{at_pairing} {path}: {prompts:?}");
            user.send(&mut conn, &Rpc::tool("echo", r#"{"a":1}"#)).await?.result().with_context(|| at_pairing.clone())?;
            assert_eq!(git.calls().last().map(|call| call.json()["params"]["name"].clone()), Some(json!("echo")), "{at_pairing}");
            for hidden in ["git_echo", "mail_echo", "slow", "structured"] {
                let error = user.send(&mut conn, &Rpc::tool(hidden, "{}")).await?.error()?;
                assert_eq!(error.code, -32602, "{at_pairing} {hidden}: {}", error.message);
            }
            assert_eq!(mail.calls().len(), 0, "{at_pairing}");
        }
        let mut everything = at(caller, "/mcp");
        everything.initialize(&mut conn).await?;
        let all = tools(&mut everything, &mut conn).await?;
        assert!(all.contains(&"git_wait".to_owned()) && all.contains(&"mail_echo".to_owned()), "{at_pairing}: {all:?}");
        assert_eq!((git.violations(), mail.violations()), (vec![], vec![]), "{at_pairing}");
    }
    Ok(())
}

#[tokio::test]
async fn a_backends_own_endpoint_says_its_name_and_its_instructions_and_nobody_elses() -> Result<()> {
    let git = Fixture::start(Spec::modern("git").instructions("Commit often.")).await?;
    let mail = Fixture::start(Spec::modern("mail").instructions("Be brief.")).await?;
    let vmcp =
        Vmcp::serve(json!({ "instructions": "The whole house.", "backends": [git.entry(json!({})), mail.entry(json!({}))] })).await?;
    let mut conn = Conn::open(vmcp.addr()).await?;
    for path in ["/mcp", "/mcp/git"] {
        tools(&mut at(Era::Modern, path), &mut conn).await?;
    }
    let mut said = async |path: &str| at(Era::Legacy, path).initialize(&mut conn).await;
    let (all, one) = (said("/mcp").await?, said("/mcp/git").await?);
    assert_eq!(all["instructions"], "The whole house.\n\n# Backend `git`\n\nCommit often.\n\n# Backend `mail`\n\nBe brief.");
    assert_eq!((&one["instructions"], &one["serverInfo"]["name"]), (&json!("# Backend `git`\n\nCommit often."), &json!("vmcp/git")));
    Ok(())
}

#[tokio::test]
async fn a_session_of_one_endpoint_is_unknown_at_the_others_and_keeps_living() -> Result<()> {
    let (git, mail) = (Fixture::start(Spec::legacy("git")).await?, Fixture::start(Spec::legacy("mail")).await?);
    let vmcp = Vmcp::serve(json!({ "backends": [git.entry(json!({})), mail.entry(json!({}))] })).await?;
    let mut conn = Conn::open(vmcp.addr()).await?;
    let paths = ["/mcp", "/mcp/git", "/mcp/mail"];
    for own in paths {
        let mut user = at(Era::Legacy, own);
        user.initialize(&mut conn).await?;
        for other in paths.into_iter().filter(|other| *other != own) {
            let stray = user.clone().at(other);
            for request in [stray.request(&Rpc::list("tools/list", None), "1"), stray.get(), stray.delete()] {
                assert_eq!(status(&vmcp, &request).await?, 404, "a session of {own} at {other}");
            }
        }
        assert!(!tools(&mut user, &mut conn).await?.is_empty(), "{own}: nothing happened to it");
        assert_eq!(status(&vmcp, &user.delete()).await?, 204, "{own}");
    }
    Ok(())
}

#[tokio::test]
async fn where_no_backend_is_there_is_nothing() -> Result<()> {
    let git = Fixture::start(Spec::modern("git")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [git.entry(json!({}))] })).await?;
    for era in Era::BOTH {
        for path in ["/mcp/mail", "/mcp/mail/", "/mcp/git/more", "/mcp/.well-known/x", "/git"] {
            let request = at(era, path).request(&Rpc::new("initialize", r#""protocolVersion":"2025-11-25""#), "1");
            assert_eq!(status(&vmcp, &request).await?, 404, "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn without_backends_of_the_top_level_there_are_the_endpoints_and_nothing_at_the_path_of_all() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("own")).await?;
    let vmcp = Vmcp::serve(json!({ "backends": [], "endpoints": [{ "path": "/team", "backends": [fixture.entry(json!({}))] }] })).await?;
    let mut conn = Conn::open(vmcp.addr()).await?;
    for era in Era::BOTH {
        let mut user = at(era, "/team");
        user.initialize(&mut conn).await?;
        user.send(&mut conn, &Rpc::tool("own_echo", "{}")).await?.result()?;
        for path in ["/mcp", "/mcp/own", "/team/own"] {
            assert_eq!(status(&vmcp, &at(era, path).request(&Rpc::list("tools/list", None), "1")).await?, 404, "{path}");
        }
    }
    for path in ["/health", "/readyz", "/status"] {
        assert_eq!(status(&vmcp, &Request::get(path)).await?, 200, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn changes_are_told_where_they_are_visible_and_nowhere_else() -> Result<()> {
    let change = |fixture: &Fixture| {
        fixture.change(|items: &mut Items| items.tools.push(TOOL.to_owned()));
        fixture.announce("tools");
    };
    let prompt = |fixture: &Fixture| {
        fixture.change(|items: &mut Items| items.prompts.push(r#"{"name":"fresh"}"#.to_owned()));
        fixture.announce("prompts");
    };
    for era in Era::BOTH {
        let (git, mail) = (Fixture::start(Spec::legacy("git")).await?, Fixture::start(Spec::legacy("mail")).await?);
        let vmcp = Vmcp::serve(json!({
            "aggregation": { "listTtl": "1h" },
            "backends": [git.entry(json!({})), mail.entry(json!({}))],
        }))
        .await?;
        let mut users = Vec::new();
        for path in ["/mcp", "/mcp/git"] {
            let mut client = vmcp.client_of(era).path(path).connect().await?;
            client.tools().await?;
            client.list("prompts/list").await?;
            let stream = client.listen().await?;
            users.push((client, stream));
        }
        for fixture in [&git, &mail] {
            fixture.until("the gateway listens", |f| f.streams() > 0).await?;
        }
        prompt(&mail);
        assert_eq!(users[0].1.message().await?["method"], "notifications/prompts/list_changed", "{era:?}: all backends");
        change(&git);
        assert_eq!(users[0].1.message().await?["method"], "notifications/tools/list_changed", "{era:?}: all backends");
        assert_eq!(
            users[1].1.message().await?["method"],
            "notifications/tools/list_changed",
            "{era:?}: the first that is heard of git alone"
        );
        assert!(users[1].0.tools().await?.contains(&"fresh".to_owned()), "{era:?}");
    }
    Ok(())
}

/// Two endpoints that use one server with different credentials, and the one of all backends with a third.
fn apart(shared: &Fixture, other: &Fixture) -> Value {
    json!({
        "passthroughHeaders": ["x-main"],
        "aggregation": { "listTtl": "1h" },
        "backends": [shared.entry(json!({ "headers": { "authorization": "Bearer main-static" } })), other.entry(json!({}))],
        "endpoints": [
            {
                "path": "/work",
                "name": "work",
                "backends": [{ "use": "shared", "name": "job", "headers": { "authorization": "Bearer work-static" } }],
                "passthroughHeaders": ["x-work"],
            },
            {
                "path": "/home",
                "backends": [
                    { "use": "shared", "headers": {}, "passthroughHeaders": [{ "name": "x-home", "as": "authorization", "format": "Bearer {}" }] },
                    "other",
                ],
                "aggregation": { "conflictResolution": "priority", "conflictResolutionConfig": { "priorityOrder": ["shared"] } },
            },
        ],
    })
}

/// A user who sends every header to every endpoint.
fn generous(era: Era, path: &str) -> Caller {
    let mut user = at(era, path);
    for name in ["x-main", "x-work", "x-home"] {
        user.set(name, format!("{name}-value"));
    }
    user
}

#[tokio::test]
async fn endpoints_that_use_one_server_send_it_each_their_own_headers_and_nobody_elses() -> Result<()> {
    for (caller, backend) in Era::PAIRINGS {
        let (shared, other) = (Fixture::start(Spec::new("shared", backend)).await?, Fixture::start(Spec::new("other", backend)).await?);
        let vmcp = Vmcp::serve(apart(&shared, &other)).await?;
        let mut conn = Conn::open(vmcp.addr()).await?;
        let mut users = ["/mcp", "/mcp/shared", "/work", "/home"].map(|path| generous(caller, path));
        for user in &mut users {
            user.initialize(&mut conn).await?;
            tools(user, &mut conn).await?;
        }
        for round in 0..20 {
            for (user, tool) in users.iter_mut().zip(["shared_echo", "echo", "job_echo", "echo"]) {
                let arguments = format!(r#"{{"from":"{}","round":{round}}}"#, user.path);
                user.send(&mut conn, &Rpc::tool(tool, &arguments)).await?.result().with_context(|| format!("{} {tool}", user.path))?;
            }
        }
        let calls = shared.calls();
        assert_eq!(calls.len(), 80, "{caller:?} {backend:?}");
        for call in calls {
            let from = call.json()["params"]["arguments"]["from"].as_str().unwrap_or_default().to_owned();
            let (authorization, own) = match from.as_str() {
                "/work" => ("Bearer work-static", Some("x-work")),
                "/home" => ("Bearer x-home-value", None),
                _ => ("Bearer main-static", Some("x-main")),
            };
            assert_eq!(call.value("authorization"), Some(authorization), "{from}: {call:?}");
            for name in ["x-main", "x-work", "x-home"] {
                let expected = (own == Some(name)).then(|| format!("{name}-value"));
                assert_eq!(call.value(name).map(str::to_owned), expected, "{from}: {call:?}");
            }
        }
        // A session at the server, and what it lists with, belongs to one endpoint.
        for request in shared.requests() {
            let of = |word: &str| request.headers_contain(word);
            let endpoints = [of("main-static") || of("x-main-value"), of("work-static") || of("x-work-value"), of("x-home-value")];
            assert!(endpoints.iter().filter(|of| **of).count() < 2, "{caller:?} {backend:?}: {request:?}");
        }
        for request in other.requests() {
            for word in ["static", "x-work-value", "x-home-value"] {
                assert!(!request.headers_contain(word), "{word} reached another server: {request:?}");
            }
        }
        assert_eq!((shared.violations(), other.violations()), (vec![], vec![]));
    }
    Ok(())
}

#[tokio::test]
async fn a_named_endpoint_has_its_own_names_and_shows_its_own_backends() -> Result<()> {
    let (shared, other) = (Fixture::start(Spec::legacy("shared")).await?, Fixture::start(Spec::modern("other")).await?);
    let vmcp = Vmcp::serve(apart(&shared, &other)).await?;
    let mut conn = Conn::open(vmcp.addr()).await?;
    for era in Era::BOTH {
        for (path, shown, hidden) in [
            ("/work", &["job_echo"][..], &["shared_echo", "echo", "other_echo"][..]),
            ("/work/", &["job_echo"], &["shared_echo"]),
            ("/home", &["echo", "other_echo"], &["shared_echo", "job_echo"]),
            ("/mcp", &["shared_echo", "other_echo"], &["echo", "job_echo"]),
        ] {
            let mut user = generous(era, path);
            let opened = user.initialize(&mut conn).await?;
            if era == Era::Legacy {
                let name = if path.starts_with("/work") { "work" } else { "vmcp" };
                assert_eq!(opened["serverInfo"]["name"], name, "{path}");
            }
            let tools = tools(&mut user, &mut conn).await?;
            for name in shown {
                assert!(tools.iter().any(|tool| tool == name), "{era:?} {path}: {name} is not in {tools:?}");
                user.send(&mut conn, &Rpc::tool(name, "{}")).await?.result().with_context(|| format!("{era:?} {path} {name}"))?;
            }
            for name in hidden {
                assert!(!tools.iter().any(|tool| tool == name), "{era:?} {path}: {name} is in {tools:?}");
                assert_eq!(user.send(&mut conn, &Rpc::tool(name, "{}")).await?.error()?.code, -32602, "{era:?} {path} {name}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_session_of_a_named_endpoint_is_unknown_everywhere_else() -> Result<()> {
    let (shared, other) = (Fixture::start(Spec::legacy("shared")).await?, Fixture::start(Spec::legacy("other")).await?);
    let vmcp = Vmcp::serve(apart(&shared, &other)).await?;
    let mut conn = Conn::open(vmcp.addr()).await?;
    let paths = ["/mcp", "/mcp/shared", "/work", "/home"];
    for own in paths {
        let mut user = generous(Era::Legacy, own);
        user.initialize(&mut conn).await?;
        for other in paths.into_iter().filter(|other| *other != own) {
            let stray = user.clone().at(other);
            for request in [stray.request(&Rpc::list("tools/list", None), "1"), stray.get(), stray.delete()] {
                assert_eq!(status(&vmcp, &request).await?, 404, "a session of {own} at {other}");
            }
        }
        assert!(!tools(&mut user, &mut conn).await?.is_empty(), "{own}: nothing happened to it");
    }
    Ok(())
}

#[tokio::test]
async fn the_status_shows_every_endpoint_with_its_own_backends_and_no_value() -> Result<()> {
    let (shared, other) = (Fixture::start(Spec::legacy("shared")).await?, Fixture::start(Spec::legacy("other")).await?);
    let vmcp = Vmcp::serve(apart(&shared, &other)).await?;
    let mut conn = Conn::open(vmcp.addr()).await?;
    for path in ["/mcp", "/work", "/home"] {
        let mut user = generous(Era::Modern, path);
        user.initialize(&mut conn).await?;
        tools(&mut user, &mut conn).await?;
    }
    let response = Conn::open(vmcp.addr()).await?.exchange(&Request::get("/status")).await?;
    let (text, report) = (response.text(), response.json()?);
    assert!(!text.contains("static") && !text.contains("-value"), "{text}");
    let names = |backends: &Value| {
        let backends = backends.as_array().cloned().unwrap_or_default();
        backends.iter().filter_map(|backend| backend["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(names(&report["backends"]), ["shared", "other"], "{report}");
    let endpoints = report["endpoints"].as_array().cloned().unwrap_or_default();
    let shown: Vec<_> = endpoints.iter().map(|it| (it["path"].as_str().unwrap_or_default(), names(&it["backends"]))).collect();
    assert_eq!(shown, [("/work", vec!["job".to_owned()]), ("/home", vec!["shared".to_owned(), "other".to_owned()])]);
    assert_eq!((&endpoints[0]["name"], &endpoints[0]["healthy"]), (&json!("work"), &json!(true)), "{report}");
    Ok(())
}

#[tokio::test]
async fn changes_at_a_named_endpoint_are_told_there_alone() -> Result<()> {
    for era in Era::BOTH {
        let (shared, other) = (Fixture::start(Spec::legacy("shared")).await?, Fixture::start(Spec::legacy("other")).await?);
        let vmcp = Vmcp::serve(json!({
            "aggregation": { "listTtl": "1h" },
            "backends": [shared.entry(json!({}))],
            "endpoints": [{ "path": "/team", "backends": [other.entry(json!({})), "shared"] }],
        }))
        .await?;
        let mut listening = Vec::new();
        for path in ["/mcp", "/team"] {
            let mut client = vmcp.client_of(era).path(path).connect().await?;
            client.tools().await?;
            client.list("prompts/list").await?;
            let stream = client.listen().await?;
            listening.push((client, stream));
        }
        other.until("the gateway listens", |f| f.streams() > 0).await?;
        shared.until("the gateway listens for both", |f| f.streams() > 1).await?;
        other.change(|items: &mut Items| items.prompts.push(r#"{"name":"fresh"}"#.to_owned()));
        other.announce("prompts");
        assert_eq!(listening[1].1.message().await?["method"], "notifications/prompts/list_changed", "{era:?}");
        shared.change(|items: &mut Items| items.tools.push(TOOL.to_owned()));
        shared.announce("tools");
        for (client, stream) in &mut listening {
            assert_eq!(
                stream.message().await?["method"],
                "notifications/tools/list_changed",
                "{era:?}: the first that the main endpoint hears"
            );
            assert!(client.tools().await?.contains(&"shared_fresh".to_owned()), "{era:?}");
        }
    }
    Ok(())
}
