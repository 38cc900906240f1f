//! A gateway inside the test, behind a listener.

use anyhow::Result;
use std::{io, net::SocketAddr};
use tokio::{net::TcpListener, task::JoinHandle};
use vmcp_server::Gateway;

/// Serves it at a free port. The task ends with the gateway.
pub(crate) async fn serve(gateway: &Gateway) -> Result<(SocketAddr, JoinHandle<io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let gateway = gateway.clone();
    Ok((addr, tokio::spawn(async move { gateway.serve(listener).await })))
}
