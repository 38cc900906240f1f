//! Sending one request, and going on to where the same origin moved it.

use crate::{
    Backend, ErrorKind,
    http::{Reply, Target},
    outgoing::Outgoing,
};
use bytes::Bytes;
use http::{Request, StatusCode, response::Parts};
use http_body_util::Full;

/// How often the same origin may send a request on.
const HOPS: u32 = 3;

impl Backend {
    /// Sends a request and waits for the answer's head. Redirects with 307 and 308 are followed within the origin; all others are
    /// answers like any other status.
    pub(crate) async fn transmit(&self, outgoing: &Outgoing<'_>) -> Result<(Parts, Reply), ErrorKind> {
        let (parts, reply) = self.transmit_to(self.target(), outgoing).await?;
        match parts.status {
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => Box::pin(self.follow(parts, reply, outgoing)).await,
            _ => Ok((parts, reply)),
        }
    }

    async fn follow(&self, mut parts: Parts, mut reply: Reply, outgoing: &Outgoing<'_>) -> Result<(Parts, Reply), ErrorKind> {
        let mut target = self.target().clone();
        for _ in 0..HOPS {
            let (StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) = parts.status else { break };
            let Some(next) = target.redirected(&parts.headers) else { break };
            target = next;
            (parts, reply) = self.transmit_to(&target, outgoing).await?;
        }
        Ok((parts, reply))
    }

    pub(crate) async fn transmit_to(&self, target: &Target, outgoing: &Outgoing<'_>) -> Result<(Parts, Reply), ErrorKind> {
        if self.wire().programs().is_some() {
            // Its place is no address. Everything goes over its pipe, so nothing comes here.
            return Err(ErrorKind::Settings("is a process, and no request of HTTP reaches it".to_owned()));
        }
        let (request, stamp) = self.request(target, outgoing).await?;
        let (parts, reply) = self.client(outgoing.is_stream).send(request).await?;
        match (parts.status, stamp) {
            // Refused for its credentials alone, so it was not run (RFC 9110 §15.5.2).
            (StatusCode::UNAUTHORIZED, Some(stamp)) if self.drops(outgoing.audience, stamp) => {
                drop(reply);
                Box::pin(self.transmit_anew(target, outgoing)).await
            }
            _ => Ok((parts, reply)),
        }
    }

    /// Sends it once more, with credentials that have replaced those that were refused.
    async fn transmit_anew(&self, target: &Target, outgoing: &Outgoing<'_>) -> Result<(Parts, Reply), ErrorKind> {
        let (request, _) = self.request(target, outgoing).await?;
        self.client(outgoing.is_stream).send(request).await
    }

    async fn request(&self, target: &Target, outgoing: &Outgoing<'_>) -> Result<(Request<Full<Bytes>>, Option<u64>), ErrorKind> {
        let (headers, stamp) = self.headers(outgoing, target).await?;
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = target.path();
        *request.headers_mut() = headers;
        Ok((request, stamp))
    }
}
