//! A connection between its acceptance and its first request.

use super::{certificate, socket::Socket, tls::Tls};
use crate::edge::Peer;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpStream;

/// A connection that has been accepted. A handshake, if there is one, has not begun.
pub(crate) enum Accepted {
    Tcp(TcpStream, SocketAddr, Option<Arc<Tls>>),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

/// The same on its way to another runtime.
pub(crate) enum Moving {
    Tcp(std::net::TcpStream, SocketAddr, Option<Arc<Tls>>),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Lets go of this runtime.
    pub(crate) fn leave(self) -> io::Result<Moving> {
        Ok(match self {
            Self::Tcp(stream, peer, tls) => Moving::Tcp(stream.into_std()?, peer, tls),
            #[cfg(unix)]
            Self::Unix(stream) => Moving::Unix(stream.into_std()?),
        })
    }

    /// Finds out who is there, with a handshake where there is TLS.
    pub(crate) async fn open(self, patience: Duration) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp(stream, address, tls) => {
                // Without it a response in two writes waits 40 ms for the peer's delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                let peer = Peer::from(address);
                let Some(tls) = tls else { return Ok((Socket::Tcp(stream), peer)) };
                let current = tls.current();
                let shaking = current.acceptor().accept(stream);
                let stream = tokio::time::timeout(patience, shaking).await.map_err(|_| io::ErrorKind::TimedOut)??;
                let peer = match stream.get_ref().1.peer_certificates() {
                    // It was verified, so whoever cannot read it here must not take its owner for nobody.
                    Some([shown, chain @ ..]) => {
                        let mut certificate = certificate::read(shown).ok_or(io::ErrorKind::InvalidData)?;
                        let authority = current.authority(shown, chain).ok_or(io::ErrorKind::PermissionDenied)?;
                        certificate.authority = Some(authority.to_owned());
                        peer.encrypted().with_certificate(certificate)
                    }
                    _ => peer.encrypted(),
                };
                Ok((Socket::Tls(Box::new(stream)), peer))
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                let user = vmcp_auth::system_user(stream.peer_cred()?.uid());
                Ok((Socket::Unix(stream), Peer::default().with_local_user(user)))
            }
        }
    }
}

impl Moving {
    /// Arrives in this runtime.
    pub(crate) fn arrive(self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(stream, peer, tls) => Accepted::Tcp(TcpStream::from_std(stream)?, peer, tls),
            #[cfg(unix)]
            Self::Unix(stream) => Accepted::Unix(tokio::net::UnixStream::from_std(stream)?),
        })
    }
}
