//! TLS at the listener: the certificate, read again when its files change, and whose clients' certificates are taken.

use super::authorities::{Authorities, UNUSABLE, verifier};
use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};
use tokio_rustls::TlsAcceptor;
use vmcp_core::config::ListenTls;

/// How often the files are looked at, at most, in milliseconds. Only new connections look.
const LOOK: u64 = 1000;

/// The longest file that is read: authorities of a whole system take less.
const MAX_FILE: u64 = 4 << 20;

/// The gateway's side of TLS.
pub(crate) struct Tls {
    files: ListenTls,
    current: ArcSwap<Current>,
    started: Instant,
    /// When the files were looked at last, in milliseconds since `started`.
    looked: AtomicU64,
    /// What was last said to be wrong with new files, so that it is said once.
    complaint: Mutex<Option<String>>,
}

/// What is made of the files as they were at one time.
pub(super) struct Current {
    loaded: Loaded,
    stamps: Stamps,
}

struct Loaded {
    config: Arc<ServerConfig>,
    authorities: Option<Authorities>,
}

impl Current {
    /// What makes TLS of a new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.loaded.config))
    }

    /// The name of the authority that vouches for the client of a connection of this one's.
    pub(super) fn authority(&self, shown: &CertificateDer<'_>, chain: &[CertificateDer<'_>]) -> Option<&str> {
        self.loaded.authorities.as_ref()?.name(shown, chain)
    }
}

type Stamps = Vec<Option<Stamp>>;

/// What tells a file from the one that was there before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// What is wrong with a file. Quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub(crate) struct TlsError {
    /// The configuration's key below `listen.tls`.
    pub(crate) key: &'static str,
    /// The file cannot be read here. Where `vmcp serve` runs it may be.
    pub(crate) is_absent: bool,
    file: PathBuf,
    reason: String,
}

/// What is wrong with a file, without its name.
struct Reason {
    text: String,
    is_absent: bool,
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), is_absent: false }
    }
}

impl Tls {
    /// Reads the files.
    pub(crate) fn new(files: ListenTls) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(Current { stamps: stamps(&files), loaded: load(&files)? });
        Ok(Self { files, current, started: Instant::now(), looked: AtomicU64::new(0), complaint: Mutex::default() })
    }

    /// What is valid for a new connection.
    pub(super) fn current(&self) -> Arc<Current> {
        self.look();
        self.current.load_full()
    }

    /// Takes over files that have changed. One who renews a certificate writes one file after the other: until they fit each other, the
    /// former ones go on.
    fn look(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(looked) >= LOOK;
        if !is_due || self.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let stamps = stamps(&self.files);
        if stamps == self.current.load().stamps {
            return;
        }
        let loaded = load(&self.files);
        let mut complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded {
            Ok(loaded) => {
                self.current.store(Arc::new(Current { loaded, stamps }));
                *complaint = None;
                tracing::info!("the listener's certificate was read again");
            }
            Err(error) => {
                let error = error.to_string();
                if complaint.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the listener's changed certificate cannot be used; the former one goes on");
                    *complaint = Some(error);
                }
            }
        }
    }
}

/// Whether the files can be used.
pub(crate) fn check(files: &ListenTls) -> Result<(), TlsError> {
    load(files).map(drop)
}

fn stamps(files: &ListenTls) -> Stamps {
    [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()].into_iter().flatten().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = fs::metadata(file).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&found);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Stamp { modified: found.modified().ok(), length: found.len(), inode })
}

fn load(files: &ListenTls) -> Result<Loaded, TlsError> {
    let wrong = |key, file: &Path| {
        let file = file.to_owned();
        move |Reason { text, is_absent }: Reason| TlsError { key, is_absent, file: file.clone(), reason: text }
    };
    let wrong_certificate = wrong("certificate", &files.certificate);
    let chain = read(&files.certificate).and_then(|pem| certificates(&pem)).map_err(&wrong_certificate)?;
    let wrong_key = wrong("key", &files.key);
    let pem = read(&files.key).map_err(&wrong_key)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| wrong_key("it has no private key in PEM".into()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = versions.map_err(|_| wrong_certificate("TLS cannot be set up".into()))?;
    let (builder, authorities) = match &files.client_ca {
        None => (builder.with_no_client_auth(), None),
        Some(file) => {
            let wrong = wrong("clientCa", file);
            let trusted = read(file).and_then(|pem| certificates(&pem)).map_err(&wrong)?;
            let unusable = |why: &str| wrong(why.into());
            let roots = roots(&trusted).map_err(unusable)?;
            let verifier = verifier(roots, &provider, files.require_client_certificate).map_err(unusable)?;
            let authorities = Authorities::new(trusted, &provider).map_err(unusable)?;
            (builder.with_client_cert_verifier(verifier), Some(authorities))
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => wrong_key(format!("it is not the key of {}", files.certificate.display()).as_str().into()),
        rustls::Error::InvalidCertificate(_) => wrong_certificate("its certificate cannot be used".into()),
        _ => wrong_key("its key cannot be used".into()),
    })?;
    // What the accept loop speaks.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Loaded { config: Arc::new(config), authorities })
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Reason> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| Reason::from("it is not PEM"))?;
    if all.is_empty() { Err("it has no certificate in PEM".into()) } else { Ok(all) }
}

fn roots(trusted: &[CertificateDer<'static>]) -> Result<RootCertStore, &'static str> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).map_err(|_| UNUSABLE)?;
    }
    Ok(roots)
}

fn read(file: &Path) -> Result<Vec<u8>, Reason> {
    let absent = |error: io::Error| {
        let text = match error.kind() {
            io::ErrorKind::NotFound => "no such file".to_owned(),
            kind => format!("cannot be read: {kind}"),
        };
        Reason { text, is_absent: true }
    };
    let mut bytes = Vec::new();
    let read = fs::File::open(file).and_then(|open| open.take(MAX_FILE + 1).read_to_end(&mut bytes));
    if read.map_err(absent)? as u64 > MAX_FILE { Err("longer than 4 MiB".into()) } else { Ok(bytes) }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("vmcp-tls-{}-{:?}", std::process::id(), std::thread::current().id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn files(folder: &Path) -> ListenTls {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.join("cert.pem"), certified.cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
        serde_json::from_value(serde_json::json!({ "certificate": folder.join("cert.pem"), "key": folder.join("key.pem") })).unwrap()
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_of_that_file() {
        let folder = folder();
        let good = files(&folder);
        let complaint = |files: &ListenTls| load(files).err().map(|error| (error.key, error.reason));
        assert_eq!(complaint(&good), None);
        let of = |change: &dyn Fn(&mut ListenTls)| {
            let mut files = good.clone();
            change(&mut files);
            complaint(&files).unwrap()
        };
        let gone = folder.join("none");
        assert_eq!(of(&|files| files.certificate.clone_from(&gone)), ("certificate", "no such file".to_owned()));
        assert_eq!(of(&|files| files.certificate = good.key.clone()), ("certificate", "it has no certificate in PEM".to_owned()));
        assert_eq!(of(&|files| files.key = good.certificate.clone()), ("key", "it has no private key in PEM".to_owned()));
        assert_eq!(of(&|files| files.client_ca = Some(good.key.clone())), ("clientCa", "it has no certificate in PEM".to_owned()));
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.join("other.pem"), other.signing_key.serialize_pem()).unwrap();
        let (key, reason) = of(&|files| files.key = folder.join("other.pem"));
        assert!(key == "key" && reason.starts_with("it is not the key of "), "{key}: {reason}");
        fs::remove_dir_all(folder).unwrap();
    }
}
