//! Connections and the runtimes that callers run in.

use crate::testing::*;
use std::sync::Arc;
use tokio::{runtime::Builder, task::spawn_blocking};
use vmcp_core::config::ProtocolEra;

#[tokio::test]
async fn a_connection_is_used_in_the_runtime_that_opened_it_and_in_no_other() {
    let server = Server::start(modern()).await;
    let under = Arc::new(Setup::new().era(ProtocolEra::Modern).at(&server));
    under.modern_call().await;
    assert_eq!(server.connections(), 1);
    let elsewhere = Arc::clone(&under);
    spawn_blocking(move || {
        // The connection that is idle belongs to the other runtime; the one that is opened here ends with this one.
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for _ in 0..3 {
                elsewhere.modern_call().await;
            }
        });
    })
    .await
    .unwrap();
    assert_eq!(server.connections(), 2);
    for _ in 0..3 {
        under.modern_call().await;
    }
    assert_eq!((server.connections(), server.seen().len()), (2, 7), "nothing is taken of what a runtime left behind");
}
