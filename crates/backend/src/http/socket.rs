//! A plugin's request at a Unix socket: rare, and over a connection of its own.

use super::Target;
use crate::ErrorKind;
use std::path::Path;
use vmcp_core::plugin::{FetchRequest, FetchResponse};

#[cfg(unix)]
pub(super) async fn run(request: FetchRequest, socket: &Path, target: &Target) -> Result<FetchResponse, ErrorKind> {
    use super::{connect::reason, fetch::outgoing};
    use http_body_util::BodyExt as _;
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use std::pin::pin;
    use vmcp_auth::Wiped;

    let lost = |error: hyper::Error| ErrorKind::Lost(reason(&error));
    if target.is_https() {
        return Err(ErrorKind::Connect("a socket has no TLS".to_owned()));
    }
    let stream = tokio::net::UnixStream::connect(socket).await;
    let stream = stream.map_err(|error| ErrorKind::Connect(format!("{}: {}", socket.display(), error.kind())))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let asking = async {
        let longest = request.max_body;
        let (parts, mut body) = sender.send_request(outgoing(request, target)).await.map_err(lost)?.into_parts();
        let mut whole = Wiped::default();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(lost)?.into_data() else { continue };
            if whole.len() + data.len() > longest {
                return Err(ErrorKind::TooLarge(longest));
            }
            whole.add(&data);
        }
        Ok(FetchResponse::new(parts.status, parts.headers, whole.whole()))
    };
    let mut asking = pin!(asking);
    tokio::select! {
        biased;
        answer = &mut asking => return answer,
        // What it has read is still to be taken.
        _ = connection => {}
    }
    asking.await
}

#[cfg(not(unix))]
pub(super) async fn run(_: FetchRequest, _: &Path, _: &Target) -> Result<FetchResponse, ErrorKind> {
    Err(ErrorKind::Connect("this system has no Unix sockets".to_owned()))
}
