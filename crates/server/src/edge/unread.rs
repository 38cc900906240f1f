//! Bodies of requests that are refused before anybody reads them.
//!
//! A client sends a request's head and its body without waiting in between, and keeps the connection for the next request. Were it closed
//! because the body was not there yet when the refusal was, the next request would be lost with it: a client that is told to log in comes
//! back over the same connection.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt;
use std::{pin::pin, time::Duration};

/// How much of such a body is read, in bytes.
const MOST: usize = 64 * 1024;

/// How long it is waited for.
const PATIENCE: Duration = Duration::from_millis(250);

/// Reads a body that means nothing any more. Where it does not end soon, the response says that the connection does.
pub(super) async fn pass_over<B, T>(body: B, mut response: Response<T>) -> Response<T>
where
    B: http_body::Body<Data = Bytes>,
{
    let ended = body.is_end_stream() || tokio::time::timeout(PATIENCE, read(body)).await.unwrap_or(false);
    if !ended {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether it came to its end.
async fn read<B: http_body::Body<Data = Bytes>>(body: B) -> bool {
    let (mut body, mut length) = (pin!(body), 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > MOST {
            return false;
        }
    }
    true
}
