//! A vmcp with one more outgoing strategy: `vmcp-plugin-tenant FILE.yaml`.

use vmcp_plugin_tenant::TenantKeyFactory;
use vmcp_server::{Gateway, Listener};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let file = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("usage: vmcp-plugin-tenant FILE.yaml"))?;
    let config: vmcp_core::config::Config = serde_saphyr::from_str(&std::fs::read_to_string(file)?)?;
    let listener = Listener::bind(&config.listen).await?;
    let gateway = Gateway::builder(config).outgoing_strategy(TenantKeyFactory).build()?;
    println!("listening at {}", listener.places()?.join(", "));
    tokio::select! {
        served = gateway.serve(listener) => served?,
        _ = tokio::signal::ctrl_c() => gateway.shutdown().await,
    }
    Ok(())
}
