//! The strategy inside a gateway, in front of a real MCP server.

use anyhow::{Context, Result};
use serde_json::{json, value::to_raw_value};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};
use vmcp_auth::Identity;
use vmcp_core::{
    config::Config,
    plugin::{Authenticated, Principal},
};
use vmcp_plugin_tenant::TenantKeyFactory;
use vmcp_server::Gateway;
use vmcp_tests::{
    Era,
    client::Client,
    fixture::{Fixture, Spec},
};

/// What the callers in the tests of the program show.
const CALLERS: [&str; 2] = ["the-key-of-a-caller-in-red-0123456789", "the-key-of-a-caller-in-blue-0123456789"];

/// The program. It ends with this value.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn config(fixture: &Fixture, keys: &serde_json::Value) -> Result<Config> {
    Ok(serde_json::from_value(json!({
        "backends": [fixture.entry(json!({}))],
        "outgoingAuth": { "default": { "type": "tenant_key", "tenantKey": { "keys": keys } } },
    }))?)
}

fn caller(tenant: Option<&str>) -> Identity {
    let mut who = Authenticated::new(Principal { issuer: "test".into(), subject: "ann".into() });
    who.claims.extend(tenant.map(|tenant| ("tenant".to_owned(), json!(tenant))));
    Identity::new(who)
}

#[tokio::test]
async fn each_tenants_calls_carry_its_own_key() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    // Two variables that every build has.
    let config = config(&fixture, &json!({ "red": "CARGO_PKG_NAME", "blue": "CARGO_PKG_VERSION" }))?;
    let gateway = Gateway::builder(config).outgoing_strategy(TenantKeyFactory).build()?;
    let call = async |tenant| gateway.direct(caller(tenant)).call_tool("b_echo", &to_raw_value(&json!({}))?).await.context("refused");
    for (tenant, key) in [("red", env!("CARGO_PKG_NAME")), ("blue", env!("CARGO_PKG_VERSION"))] {
        call(Some(tenant)).await?;
        assert_eq!(fixture.calls().last().and_then(|call| call.value("x-api-key")), Some(key), "{tenant}");
    }
    for nobody in [None, Some("green")] {
        assert!(call(nobody).await.is_err());
    }
    assert_eq!(fixture.calls().len(), 2, "who has no key reaches nobody");
    gateway.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn the_program_serves_callers_over_http_with_their_tenants_keys() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    let key = |tenant: &str| json!({ "subject": tenant, "key": { "fromEnv": format!("{tenant}_CALLER") }, "claims": { "tenant": tenant } });
    let config = json!({
        "listen": "127.0.0.1:0",
        "incomingAuth": { "type": "apiKey", "apiKey": { "header": "x-caller", "keys": [key("red"), key("blue")] } },
        "backends": [fixture.entry(json!({}))],
        "outgoingAuth": { "default": { "type": "tenant_key", "tenantKey": { "keys": { "red": "RED_KEY", "blue": "BLUE_KEY" } } } },
    });
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tenants.json");
    std::fs::write(&file, config.to_string())?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmcp-plugin-tenant"));
    command.arg(&file).envs([("RED_KEY", "r"), ("BLUE_KEY", "b"), ("red_CALLER", CALLERS[0]), ("blue_CALLER", CALLERS[1])]);
    let mut program = Program(command.stdout(Stdio::piped()).spawn()?);
    let mut said = String::new();
    BufReader::new(program.0.stdout.take().context("no output")?).read_line(&mut said)?;
    let addr = said.trim().strip_prefix("listening at http://").context(said.clone())?.parse()?;
    for (caller, key) in CALLERS.into_iter().zip(["r", "b"]) {
        let mut client = Client::of(Era::Modern, addr).header("x-caller", caller).connect().await?;
        client.call("b_echo", "{}").await?.result()?;
        assert_eq!(fixture.calls().last().and_then(|call| call.value("x-api-key")), Some(key));
    }
    Ok(())
}

#[test]
fn the_strategy_takes_less_than_forty_lines() {
    let lines = include_str!("../src/lib.rs").lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    assert!(code < 40, "{code} lines of code");
}

#[tokio::test]
async fn policies_that_nothing_here_reads_are_refused_with_the_feature_that_reads_them() -> Result<()> {
    let fixture = Fixture::start(Spec::modern("b")).await?;
    // A program that embeds vmcp has no Cedar unless it asks for it.
    let mut config = config(&fixture, &json!({ "red": "CARGO_PKG_NAME" }))?;
    config.incoming_auth = serde_json::from_value(json!({ "type": "anonymous", "authz": { "type": "cedar", "policies": [] } }))?;
    let told = Gateway::builder(config).outgoing_strategy(TenantKeyFactory).build().err().context("built")?.to_string();
    let wanted = "incomingAuth.authz.type: `cedar` is not part of this program; build it with the Cargo feature `cedar` of `vmcp-server`";
    assert!(told.contains(wanted), "{told}");
    Ok(())
}

#[test]
fn a_missing_key_and_a_misspelt_setting_are_told_when_the_gateway_is_built() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let fixture = Fixture::start(Spec::modern("b")).await?;
        let gateway = Gateway::builder(config(&fixture, &json!({ "red": "NO_SUCH_VARIABLE" }))?).outgoing_strategy(TenantKeyFactory);
        let told = gateway.build().err().context("built")?.to_string();
        let wanted = "outgoingAuth.default.tenantKey.keys.red: `NO_SUCH_VARIABLE` holds no key";
        assert!(told.contains(wanted), "{told}");
        Ok(())
    })
}
