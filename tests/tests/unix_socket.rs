//! A Unix socket to listen at: for its owner alone, left by nobody behind, and with the caller's user known.
#![cfg(unix)]

mod told;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};
use tokio::{net::UnixStream, task::JoinHandle};
use told::ToldFactory;
use vmcp_core::config::Config;
use vmcp_server::{BindError, BuildError, Gateway, Listener};
use vmcp_tests::{
    Era,
    client::{Caller, Conn, Request, Rpc, once},
    fixture::{Fixture, Spec},
    process::Vmcp,
};

/// A gateway at this socket.
async fn serve(fixture: &Fixture, path: &Path, more: Value) -> Result<(Gateway, JoinHandle<std::io::Result<()>>)> {
    let mut config = json!({ "listen": { "unix": path }, "backends": [fixture.entry(json!({}))] });
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    let config: Config = serde_json::from_value(config)?;
    let listener = Listener::bind(&config.listen).await?;
    let gateway = Gateway::builder(config).authenticator(ToldFactory).build()?;
    let serving = gateway.clone();
    Ok((gateway, tokio::spawn(async move { serving.serve(listener).await })))
}

fn call() -> Request {
    Caller::new(Era::Modern).request(&Rpc::tool("b_echo", "{}"), "1")
}

#[tokio::test]
async fn a_socket_is_its_owners_alone_and_gone_with_the_gateway() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::both("b")).await?, tempfile::tempdir()?);
    let path = folder.path().join("vmcp.sock");
    let (gateway, serving) = serve(&fixture, &path, json!({})).await?;
    assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    assert_eq!(once(UnixStream::connect(&path).await?, &call()).await?.status, 200);
    let foreign = call().set("host", "evil.example.com");
    assert_eq!(once(UnixStream::connect(&path).await?, &foreign).await?.status, 403, "the guard is the same");
    gateway.shutdown().await;
    serving.await??;
    assert!(!path.exists(), "the socket is still there");
    Ok(())
}

#[tokio::test]
async fn a_socket_that_nobody_listens_at_is_replaced_and_any_other_thing_is_left_alone() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::both("b")).await?, tempfile::tempdir()?);
    let path = folder.path().join("vmcp.sock");
    drop(std::os::unix::net::UnixListener::bind(&path)?);
    assert!(path.exists(), "a listener that is dropped leaves its socket");
    let (gateway, serving) = serve(&fixture, &path, json!({})).await?;
    assert_eq!(once(UnixStream::connect(&path).await?, &call()).await?.status, 200);

    let bind = async |path: &Path| Listener::bind(&serde_json::from_value(json!({ "unix": path }))?).await.map_err(anyhow::Error::new);
    let second = bind(&path).await.err().context("two of them listen at one socket")?;
    assert!(matches!(second.downcast_ref(), Some(BindError::SocketInUse { .. })), "{second}");
    assert_eq!(once(UnixStream::connect(&path).await?, &call()).await?.status, 200, "the first one goes on");
    gateway.shutdown().await;
    serving.await??;

    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "mine")?;
    let refused = bind(&file).await.err().context("a file was taken for a socket")?;
    assert!(matches!(refused.downcast_ref(), Some(BindError::NoSocket { .. })), "{refused}");
    assert_eq!(std::fs::read_to_string(&file)?, "mine");
    let nowhere = bind(&folder.path().join("none/vmcp.sock")).await.err().context("it listens nowhere")?;
    assert!(nowhere.to_string().ends_with("its folder is not there"), "{nowhere}");
    Ok(())
}

#[tokio::test]
async fn whoever_ends_does_not_remove_a_successors_socket() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::both("b")).await?, tempfile::tempdir()?);
    let path = folder.path().join("vmcp.sock");
    let (first, ending) = serve(&fixture, &path, json!({})).await?;
    std::fs::remove_file(&path)?;
    let (second, serving) = serve(&fixture, &path, json!({})).await?;
    let inode = std::fs::metadata(&path)?.ino();
    first.shutdown().await;
    ending.await??;
    assert_eq!(std::fs::metadata(&path)?.ino(), inode);
    assert_eq!(once(UnixStream::connect(&path).await?, &call()).await?.status, 200);
    second.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn the_user_at_the_other_end_is_known() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::both("b")).await?, tempfile::tempdir()?);
    let path = folder.path().join("vmcp.sock");
    let (gateway, serving) = serve(&fixture, &path, json!({ "incomingAuth": { "type": "told" } })).await?;
    let answer = once(UnixStream::connect(&path).await?, &Request::get("/mcp").header("x-tell", "user")).await?;
    let me = String::from_utf8(Command::new("id").arg("-un").output()?.stdout)?;
    assert_eq!((answer.status, &answer.json()?["error"]["message"]), (401, &json!(me.trim())));
    gateway.shutdown().await;
    serving.await??;
    Ok(())
}

#[tokio::test]
async fn a_local_caller_is_the_systems_user_at_a_port_and_at_a_socket_whatever_the_environment_says() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::both("b")).await?, tempfile::tempdir()?);
    let path = folder.path().join("vmcp.sock");
    let me = String::from_utf8(Command::new("id").arg("-un").output()?.stdout)?;
    for (name, may) in [(me.trim(), true), ("mallory", false)] {
        let policy = format!(r#"permit(principal == Client::"{name}", action, resource);"#);
        let vmcp = Vmcp::with(json!({
            "listen": { "address": "127.0.0.1:0", "unix": &path },
            "incomingAuth": { "type": "local", "authz": { "type": "cedar", "policies": [policy] } },
            "backends": [fixture.entry(json!({}))],
        }));
        let vmcp = vmcp.env("USER", "mallory").env("LOGNAME", "mallory").env("USERNAME", "mallory").start().await?;
        let port = Conn::open(vmcp.addr()).await?.exchange(&call()).await?.text();
        let socket = once(UnixStream::connect(&path).await?, &call()).await?.rest;
        for (place, answer) in [("port", port), ("socket", socket)] {
            assert_eq!(answer.contains(r#""content""#), may, "{name} at the {place}: {answer}");
        }
        vmcp.kill().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_address_and_a_socket_are_served_side_by_side() -> Result<()> {
    let (fixture, folder) = (Fixture::start(Spec::both("b")).await?, tempfile::tempdir()?);
    let path = folder.path().join("vmcp.sock");
    let listen = json!({ "address": "127.0.0.1:0", "unix": &path });
    let vmcp = Vmcp::serve(json!({ "listen": listen, "backends": [fixture.entry(json!({}))] })).await?;
    assert_eq!(Conn::open(vmcp.addr()).await?.exchange(&call()).await?.status(), 200);
    assert_eq!(once(UnixStream::connect(&path).await?, &call()).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn tls_at_a_socket_is_refused() -> Result<()> {
    let listen = json!({ "unix": "/tmp/vmcp-never.sock", "tls": { "certificate": "c", "key": "k" } });
    let config: Config = serde_json::from_value(json!({ "listen": listen, "backends": [{ "name": "a", "url": "http://127.0.0.1:1/" }] }))?;
    let Err(BuildError::Config(problems)) = Gateway::builder(config).build() else { anyhow::bail!("it was built") };
    let expected = "listen.tls: without effect on a Unix socket; remove it, or add an `address`";
    assert!(problems.iter().any(|problem| problem.to_string() == expected), "{problems:?}");
    Ok(())
}
