//! Two users, two backends, ten thousand calls over shared connections: every value arrives where it belongs and nowhere else.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Rpc},
    fixture::{Fixture, Recorded, Spec},
    process::Vmcp,
};

const USERS: [&str; 2] = ["ann", "bob"];
const CONNECTIONS: usize = 4;
/// A multiple of four, so that users and backends get equal shares.
const CALLS_PER_CONNECTION: usize = 1252;

/// What the gateway writes itself; everything else must be listed.
const PROTOCOL: [&str; 6] = ["host", "accept", "accept-encoding", "content-type", "content-length", "user-agent"];

fn user(era: Era, name: &str) -> Caller {
    let mut caller = Caller::new(era);
    for (header, value) in [
        ("x-tenant", format!("tenant-{name}")),
        ("x-alpha-key", format!("alpha-{name}")),
        ("x-user-token", format!("token-{name}")),
        ("x-beta-key", format!("beta-{name}")),
        ("x-unlisted", format!("unlisted-{name}")),
        ("cookie", format!("unlisted={name}")),
        ("authorization", format!("Bearer unlisted-{name}")),
    ] {
        caller.set(header, value);
    }
    caller
}

/// Both users take turns on one connection, and so do both backends.
async fn interleave(addr: SocketAddr, era: Era, lane: usize) -> Result<()> {
    let mut conn = Conn::open(addr).await?;
    let mut users = USERS.map(|name| user(era, name));
    for caller in &mut users {
        caller.initialize(&mut conn).await?;
    }
    for n in 0..CALLS_PER_CONNECTION {
        let (who, tool) = (n % 2, ["alpha_echo", "beta_echo"][n / 2 % 2]);
        let stamp = format!("{}-{lane}-{n}", USERS[who]);
        users[who].set("x-request-id", &stamp);
        let arguments = format!(r#"{{"user":"{}","stamp":"{stamp}"}}"#, USERS[who]);
        let reply = users[who].send(&mut conn, &Rpc::tool(tool, &arguments)).await?;
        let result = reply.raw_result().with_context(|| format!("{era:?} call {n} on {tool}"))?;
        ensure!(result.contains(&arguments), "call {stamp} was answered with {result}");
    }
    Ok(())
}

/// The one user whose values a request carries.
fn owner(request: &Recorded) -> Option<&'static str> {
    let carried: Vec<_> = USERS.into_iter().filter(|user| request.headers_contain(&format!("-{user}"))).collect();
    assert!(carried.len() < 2, "one request carries values of both users: {request:?}");
    carried.first().copied()
}

/// Checks every request that a backend saw. `expected` are the outgoing headers of a user, with `USER` for the name.
fn check(fixture: &Fixture, foreign: &[&str], expected: &[(&str, &str)]) {
    assert_eq!(fixture.violations(), Vec::<String>::new());
    let requests = fixture.requests();
    let calls: Vec<_> = requests.iter().filter(|request| request.method.as_deref() == Some("tools/call")).collect();
    assert_eq!(calls.len(), CONNECTIONS * CALLS_PER_CONNECTION, "half of the calls of both eras");
    let mut sessions: HashMap<&str, &str> = HashMap::new();
    let mut connections: HashMap<usize, BTreeSet<&str>> = HashMap::new();
    for request in &requests {
        for word in foreign {
            assert!(!request.headers_contain(word), "{word} reached this backend: {request:?}");
        }
        let names: BTreeSet<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        for name in names {
            let listed = name == "x-request-id" || expected.iter().any(|(listed, _)| *listed == name);
            assert!(listed || PROTOCOL.contains(&name) || name.starts_with("mcp-"), "{name} is not listed: {request:?}");
        }
        if let (Some(session), Some(owner)) = (request.session(), owner(request)) {
            assert_eq!(*sessions.entry(session).or_insert(owner), owner, "session {session} served two users");
        }
    }
    for call in &calls {
        connections.entry(call.connection).or_default().extend(owner(call));
    }
    // Otherwise nothing above would show that values stay apart where they could mix.
    let shared = connections.values().filter(|users| users.len() == USERS.len()).count();
    assert!(shared > 0, "no backend connection carried calls of both users: {connections:?}");
    for call in calls {
        let arguments = &call.json()["params"]["arguments"];
        let user = arguments["user"].as_str().unwrap_or_default();
        assert_eq!(call.value("x-request-id"), arguments["stamp"].as_str());
        for (name, value) in expected {
            assert_eq!(call.value(name), Some(value.replace("USER", user).as_str()), "{name} of {arguments}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_calls_of_two_users_over_shared_connections_never_mix() -> Result<()> {
    let alpha = Fixture::start(Spec::legacy("alpha")).await?;
    let beta = Fixture::start(Spec::modern("beta")).await?;
    let vmcp = Vmcp::serve(json!({
        "passthroughHeaders": ["x-tenant", "x-request-id"],
        "backends": [
            alpha.entry(json!({ "passthroughHeaders": ["x-alpha-key", { "name": "x-user-token", "as": "authorization", "format": "Bearer {}" }] })),
            beta.entry(json!({ "passthroughHeaders": ["x-beta-key"] })),
        ],
    }))
    .await?;
    for era in Era::BOTH {
        let lanes: Vec<_> = (0..CONNECTIONS).map(|lane| tokio::spawn(interleave(vmcp.addr(), era, lane))).collect();
        for lane in lanes {
            lane.await??;
        }
    }
    check(
        &alpha,
        &["unlisted", "beta-"],
        &[("x-tenant", "tenant-USER"), ("x-alpha-key", "alpha-USER"), ("authorization", "Bearer token-USER")],
    );
    check(&beta, &["unlisted", "alpha-", "token-"], &[("x-tenant", "tenant-USER"), ("x-beta-key", "beta-USER")]);
    let log = vmcp.quit().await?;
    for user in USERS {
        assert!(!log.contains(&format!("-{user}")), "a value reached the log:\n{log}");
    }
    Ok(())
}
