//! Who is at the other end of a connection, as far as the connection tells.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use vmcp_core::plugin::ClientCertificate;

/// Who is at the other end of a connection. Cheap to clone; the default is a caller in this process.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    address: Option<SocketAddr>,
    more: Option<Arc<More>>,
}

/// What most connections have not.
#[derive(Clone, Debug, Default)]
struct More {
    is_encrypted: bool,
    certificate: Option<ClientCertificate>,
    local_user: Option<Box<str>>,
}

impl Peer {
    /// The connection is one of TLS.
    #[must_use]
    pub fn encrypted(self) -> Self {
        self.with(|more| more.is_encrypted = true)
    }

    /// The client has proved to have this certificate, and it was verified.
    #[must_use]
    pub fn with_certificate(self, certificate: ClientCertificate) -> Self {
        self.with(|more| more.certificate = Some(certificate))
    }

    /// The client runs on this machine as this user of the system's.
    #[must_use]
    pub fn with_local_user(self, user: impl Into<Box<str>>) -> Self {
        self.with(|more| more.local_user = Some(user.into()))
    }

    fn with(mut self, change: impl FnOnce(&mut More)) -> Self {
        change(Arc::make_mut(self.more.get_or_insert_default()));
        self
    }

    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip())
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.is_encrypted)
    }

    pub(super) fn certificate(&self) -> Option<&ClientCertificate> {
        self.more.as_ref()?.certificate.as_ref()
    }

    pub(super) fn local_user(&self) -> Option<&str> {
        self.more.as_ref()?.local_user.as_deref()
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { address: Some(address), more: None }
    }
}

impl From<Option<SocketAddr>> for Peer {
    fn from(address: Option<SocketAddr>) -> Self {
        Self { address, more: None }
    }
}
