//! HTTP for plugins.

use super::{
    Connector, Target,
    ca_bundle::check_ca_bundle,
    line::{Line, SendError},
    public::{self, NotPublic},
    reply::Reply,
    socket,
};
use crate::ErrorKind;
use bytes::Bytes;
use http::{Request, header::HOST};
use http_body_util::Full;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;
use vmcp_auth::Wiped;
use vmcp_core::plugin::{BoxFuture, CaBundle, CaBundleError, ClientIdentity, Fetch, FetchError, FetchRequest, FetchResponse, Reach};

/// So many TLS profiles are kept: one for each CA bundle in the configuration, twice where both reaches are used with it.
const PROFILES: usize = 16;

/// Makes plugins' requests over the connections that backends are reached with: the same TLS, no proxy, no redirect, and a connection
/// of its own for each, since plugins ask rarely.
#[derive(Default)]
pub struct HttpFetch {
    ca_bundle: Option<CaBundle>,
    /// Made when first needed: the platform's certificates take time to read.
    profiles: Mutex<Vec<Profile>>,
}

/// What is set up once.
struct Profile {
    ca_bundle: Option<CaBundle>,
    identity: Option<ClientIdentity>,
    reach: Reach,
    connector: Connector,
}

impl HttpFetch {
    /// A client that trusts what the platform trusts, or only the certificates of a PEM bundle; a request with a bundle of its own trusts
    /// that one.
    #[must_use]
    pub fn new(ca_bundle: Option<Vec<u8>>) -> Self {
        Self { ca_bundle: ca_bundle.map(CaBundle::new), profiles: Mutex::default() }
    }

    fn connector(&self, target: &Target, request: &FetchRequest) -> Result<Connector, ErrorKind> {
        let reach = request.reach;
        if !target.is_https() {
            return Ok(match reach {
                Reach::Anywhere => Connector::plain(request.timeout),
                _ => Connector::plain_public(request.timeout),
            });
        }
        let ca_bundle = request.ca_bundle.as_ref().or(self.ca_bundle.as_ref());
        let mut profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = profiles
            .iter()
            .find(|known| known.reach == reach && known.ca_bundle.as_ref() == ca_bundle && known.identity == request.identity)
        {
            return Ok(known.connector.clone());
        }
        let pem = ca_bundle.map(CaBundle::pem);
        let limit = Duration::from_secs(30);
        let connector = match (&request.identity, reach) {
            (Some(identity), Reach::Anywhere) => Connector::tls_as(identity, pem, limit),
            // Who the gateway is, is no matter of those whom somebody else named.
            (None, Reach::Anywhere) => Connector::tls(pem, false, limit),
            _ => Connector::tls_public(pem, limit),
        };
        let connector = connector.map_err(ErrorKind::Connect)?;
        if profiles.len() == PROFILES {
            profiles.remove(0);
        }
        profiles.push(Profile { ca_bundle: ca_bundle.cloned(), identity: request.identity.clone(), reach, connector: connector.clone() });
        Ok(connector)
    }

    async fn run(&self, request: FetchRequest, target: &Target) -> Result<FetchResponse, ErrorKind> {
        if let Some(socket) = request.socket.clone() {
            return socket::run(request, &socket, target).await;
        }
        let limit = request.timeout;
        let io = self.connector(target, &request)?.connect(target.origin().clone(), limit).await?;
        let mut line = Line::open(io).await.map_err(|error| ErrorKind::Connect(error.to_string()))?;
        let longest = request.max_body;
        let answer = line.send(outgoing(request, target)).await.map_err(|SendError { error, .. }| ErrorKind::Lost(error.to_string()))?;
        let (parts, body) = answer.into_parts();
        let mut reply = Reply::alone(body, line);
        let mut whole = Wiped::default();
        while let Some(data) = reply.data().await {
            let data = data?;
            if whole.len() + data.len() > longest {
                return Err(ErrorKind::TooLarge(longest));
            }
            whole.add(&data);
        }
        Ok(FetchResponse::new(parts.status, parts.headers, whole.whole()))
    }
}

/// The request as it is sent.
pub(super) fn outgoing(request: FetchRequest, target: &Target) -> Request<Full<Bytes>> {
    let mut outgoing = Request::new(Full::new(request.body));
    *outgoing.method_mut() = request.method;
    *outgoing.uri_mut() = target.path();
    *outgoing.headers_mut() = request.headers;
    outgoing.headers_mut().insert(HOST, target.host().clone());
    outgoing
}

impl Fetch for HttpFetch {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        Box::pin(async move {
            let target = match Target::new(&request.url) {
                Ok(target) => target,
                Err(reason) => return Err(FetchError::Connect { host: String::new(), reason }),
            };
            let host = target.origin().authority().map(ToString::to_string).unwrap_or_default();
            let limit = request.timeout;
            if request.reach != Reach::Anywhere && !public::may_be(&request.url) {
                return Err(FetchError::Private { host });
            }
            match timeout(limit, self.run(request, &target)).await {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(ErrorKind::Connect(reason))) if reason == NotPublic.to_string() => Err(FetchError::Private { host }),
                Ok(Err(ErrorKind::Connect(reason))) => Err(FetchError::Connect { host, reason }),
                Ok(Err(kind)) => Err(FetchError::Response { host, reason: kind.to_string() }),
                Err(_) => Err(FetchError::Timeout { host, timeout: limit }),
            }
        })
    }

    fn check_ca_bundle(&self, ca_bundle: &CaBundle) -> Result<(), CaBundleError> {
        check_ca_bundle(ca_bundle.pem())
    }
}
