//! A Unix socket that nobody but its owner can open.

use super::bind::BindError;
use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixSocket};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A listener; dropping it removes the socket's file.
#[derive(Debug)]
pub(super) struct OwnSocket {
    pub(super) listener: UnixListener,
    file: File,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Device and inode: somebody may have put another socket in its place.
    id: (u64, u64),
}

impl OwnSocket {
    pub(super) fn bind(path: &Path) -> Result<Self, BindError> {
        clear(path)?;
        let failed = |error: io::Error| BindError::Socket { path: path.to_owned(), reason: reason(&error) };
        let socket = UnixSocket::new_stream().map_err(failed)?;
        socket.bind(path).map_err(failed)?;
        // Nobody can connect before `listen`, so nobody does who may not.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let found = fs::symlink_metadata(path).map_err(failed)?;
        let file = File { path: path.to_owned(), id: (found.dev(), found.ino()) };
        Ok(Self { listener: socket.listen(BACKLOG).map_err(failed)?, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }
}

/// Removes a socket that nobody listens at any more.
fn clear(path: &Path) -> Result<(), BindError> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(BindError::NoSocket { path: path.to_owned() });
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| BindError::Socket { path: path.to_owned(), reason: reason(&error) })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // One that has no room for another connection is in use too.
        _ => Err(BindError::SocketInUse { path: path.to_owned() }),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "its folder is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "no permission; choose a folder that the user who runs vmcp may write to".to_owned(),
        _ => error.to_string(),
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
