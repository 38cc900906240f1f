//! Several messages in one POST, as only 2025-03-26 has them.

use super::{result, take};
use crate::{
    edge::{Body, modern::result_response, post::Incoming},
    failure::{Failure, code},
    lane::{Given, Requester, Unanswered},
    session::{OnProgress, Use},
};
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use smallvec::SmallVec;
use vmcp_core::{Era, frame::Message};

/// A batch is answered as one array, so there is nobody to notify, and questions go on the session's own stream: one that was opened with
/// credentials which allow the same.
struct Unheard<'a>(&'a Use, &'a Incoming);

impl Requester for Unheard<'_> {
    async fn notified(&self, _message: Bytes) {}

    async fn ask(&self, method: &str, params: &[u8], on_progress: Option<OnProgress>) -> Result<Given, Unanswered> {
        super::requester::ask(self.0, self.0.session_stream(super::rights_of(self.1)), method, params, on_progress).await
    }
}

/// Serves a batch (2025-03-26, basic/transports): the responses come as one array, in order. All of them together are no longer than
/// one may be: what does not fit is answered with an error, and nothing more is run then.
pub(crate) async fn serve_batch(incoming: &Incoming, session: &Use, messages: SmallVec<[Message<'_>; 1]>) -> Response<Body> {
    let limit = incoming.snapshot.config.limits.max_response_bytes.0;
    // All of them can be cancelled from the start, also those whose turn has not come.
    let calls: Vec<_> = messages
        .into_iter()
        .map(|message| {
            let call = if let Message::Request(request) = &message { Some(session.start_call(request.id.raw())) } else { None };
            (message, call)
        })
        .collect();
    let unheard = Unheard(session, incoming);
    let (mut array, mut is_full) = (vec![b'['], false);
    for (message, call) in calls {
        let (Message::Request(request), Some(call)) = (&message, &call) else {
            take(incoming, session, &message);
            continue;
        };
        let id = request.id.raw();
        let too_long = || Failure::new(code::INTERNAL, "the answers of this batch are too long together; send fewer requests at once");
        let outcome = if is_full {
            Err(too_long())
        } else {
            tokio::select! {
                biased;
                () = call.call().cancelled() => Err(Failure::cancelled()),
                outcome = result(incoming, session, request, &unheard) => outcome,
            }
        };
        let response = match outcome {
            Ok(result) if array.len() + result.len() > limit => {
                is_full = true;
                too_long().into_response(Some(id), Era::Legacy)
            }
            Ok(result) => result_response(id, result),
            Err(failure) => failure.into_response(Some(id), Era::Legacy),
        };
        if array.len() > 1 {
            array.push(b',');
        }
        array.extend_from_slice(&response.into_body().collect().await);
    }
    array.push(b']');
    let mut response = Response::new(Body::full(array));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
