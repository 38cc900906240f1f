//! A vmcp with one more outgoing strategy: `vmcp-plugin-tenant FILE.yaml`.

use vmcp_plugin_tenant::TenantKeyFactory;
use vmcp_server::Gateway;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let file = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("usage: vmcp-plugin-tenant FILE.yaml"))?;
    let config: vmcp_core::config::Config = serde_saphyr::from_str(&std::fs::read_to_string(file)?)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:4483").await?;
    let gateway = Gateway::builder(config).outgoing_strategy(TenantKeyFactory).build()?;
    tokio::select! {
        served = gateway.serve(listener) => served?,
        _ = tokio::signal::ctrl_c() => gateway.shutdown().await,
    }
    Ok(())
}
