//! Opening what the configuration says, and taking connections from all of it.

#[cfg(unix)]
use super::unix::OwnSocket;
use super::{
    Accepted,
    tls::{Tls, TlsError},
};
use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::net::TcpListener;
use vmcp_core::config::Listen;

/// What connections are accepted from: an address, with TLS or without, a Unix socket, or both.
#[derive(Debug)]
pub struct Listener {
    tcp: Option<TcpListener>,
    tls: Option<Arc<Tls>>,
    #[cfg(unix)]
    unix: Option<OwnSocket>,
}

/// Why nothing listens. The text says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody else listens there.
    #[error("{0} is in use; choose another port with --port or `listen`")]
    InUse(SocketAddr),
    /// The address belongs to another machine.
    #[error("{0} is no address of this machine; choose one with --host or `listen`")]
    NotHere(SocketAddr),
    /// The system does not allow it.
    #[error("no permission to listen on {0}; choose a port above 1023 with --port")]
    NotAllowed(SocketAddr),
    /// Something else about the address.
    #[error("cannot listen on {address}: {error}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A file under `listen.tls`.
    #[error("listen.tls.{key}: {message}")]
    Tls {
        /// The key below `listen.tls`.
        key: &'static str,
        /// File and reason.
        message: String,
    },
    /// Another process listens at the Unix socket.
    #[error("{} is in use: another process listens there; choose another path with `listen.unix`", path.display())]
    SocketInUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is where the Unix socket belongs.
    #[error("{} is there and is no socket; choose another path with `listen.unix`", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// Something else about the Unix socket.
    #[error("cannot listen at {}: {reason}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl From<TlsError> for BindError {
    fn from(error: TlsError) -> Self {
        Self::Tls { key: error.key, message: error.to_string() }
    }
}

impl Listener {
    /// Opens what the configuration says. Has to be called inside a tokio runtime.
    ///
    /// # Errors
    /// When an address or a socket cannot be listened at, or a certificate cannot be used.
    pub async fn bind(listen: &Listen) -> Result<Self, BindError> {
        let tls = listen.tls.clone().map(Tls::new).transpose()?.map(Arc::new);
        let tcp = match listen.address {
            Some(address) => Some(TcpListener::bind(address).await.map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => BindError::InUse(address),
                io::ErrorKind::AddrNotAvailable => BindError::NotHere(address),
                io::ErrorKind::PermissionDenied => BindError::NotAllowed(address),
                _ => BindError::Address { address, error },
            })?),
            None => None,
        };
        #[cfg(unix)]
        let unix = listen.unix.as_deref().map(OwnSocket::bind).transpose()?;
        #[cfg(not(unix))]
        if let Some(path) = &listen.unix {
            return Err(BindError::Socket { path: path.clone(), reason: "this system has no Unix sockets".to_owned() });
        }
        Ok(Self {
            tcp,
            tls,
            #[cfg(unix)]
            unix,
        })
    }

    /// Where it listens, for people: URLs without a path, and paths of sockets.
    ///
    /// # Errors
    /// When the system cannot tell its own address.
    pub fn places(&self) -> io::Result<Vec<String>> {
        let mut places = Vec::new();
        if let Some(tcp) = &self.tcp {
            let scheme = if self.tls.is_some() { "https" } else { "http" };
            places.push(format!("{scheme}://{}", tcp.local_addr()?));
        }
        #[cfg(unix)]
        places.extend(self.unix.iter().map(|unix| format!("unix:{}:", unix.path().display())));
        Ok(places)
    }

    /// The address that it listens at; `None` where there is a Unix socket alone.
    ///
    /// # Errors
    /// When the system cannot tell its own address.
    pub fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.tcp.as_ref().map(TcpListener::local_addr).transpose()
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        let tcp = async {
            match &self.tcp {
                Some(tcp) => tcp.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer, self.tls.clone())),
                None => std::future::pending().await,
            }
        };
        #[cfg(unix)]
        {
            let unix = async {
                match &self.unix {
                    Some(unix) => unix.listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                accepted = tcp => accepted,
                accepted = unix => accepted,
            }
        }
        #[cfg(not(unix))]
        tcp.await
    }
}

impl From<TcpListener> for Listener {
    /// A listener of one's own, without TLS.
    fn from(listener: TcpListener) -> Self {
        Self {
            tcp: Some(listener),
            tls: None,
            #[cfg(unix)]
            unix: None,
        }
    }
}
