//! TLS of the accept loop, by rustls and `ring`: versions 1.2 and 1.3, HTTP/1.1 alone.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use chatcore::error::{Error, ErrorKind, Result};
use tokio::time::sleep;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};
use tokio_util::sync::CancellationToken;

use super::timed_io::TimedIo;

/// Between two looks at the files.
const READ_EVERY: Duration = Duration::from_secs(2);
/// Longest file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// What TLS is spoken with, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then those that it is signed with.
    pub certificate: PathBuf,
    /// The key of the server's certificate.
    pub key: PathBuf,
}

/// The certificate that new connections are shown; another one once the files have another.
pub struct Tls {
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
    /// What was read last, well or not: a wrong pair is told once, not at every look.
    seen: Mutex<blake3::Hash>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// Both files as they were read. Has a key, so it has no `Debug`.
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// `Invalid` when one of them can't be read or is no PEM, or the key is not the certificate's.
    pub async fn open(files: TlsFiles) -> Result<Self> {
        let pair = Pair::read(&files).await?;
        Ok(Self {
            config: RwLock::new(Arc::new(pair.config()?)),
            seen: Mutex::new(pair.hash()),
            files,
        })
    }

    /// Looks at the files every two seconds until the end. New connections are shown what they have;
    /// those that are open stay as they are. A pair that can't be used is told in the log, and the
    /// one before it stays.
    ///
    /// # Cancellation
    /// May be dropped at any point.
    pub async fn watch(&self, until: CancellationToken) {
        let pause = || sleep(READ_EVERY);
        while until.run_until_cancelled(pause()).await.is_some() {
            self.read_again().await;
        }
    }

    async fn read_again(&self) {
        let told = match Pair::read(&self.files).await {
            Ok(pair) => {
                let hash = pair.hash();
                if !self.is_news(hash) {
                    return;
                }
                pair.config()
            }
            // As if the files were empty, so that it is told once.
            Err(_) if !self.is_news(blake3::hash(b"")) => return,
            Err(error) => Err(error),
        };
        match told {
            Ok(config) => {
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!("the certificate was read again; new connections are shown it");
            }
            Err(error) => {
                tracing::error!(%error, "the certificate can't be read again; the one before stays");
            }
        }
    }

    /// Whether it is not what was read last.
    fn is_news(&self, hash: blake3::Hash) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *seen, hash) != hash
    }

    /// Agrees with the other side on keys. Without a deadline of its own.
    pub(super) async fn accept(&self, io: TimedIo) -> io::Result<TlsStream<TimedIo>> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(io).await
    }
}

impl Pair {
    async fn read(files: &TlsFiles) -> Result<Self> {
        Ok(Self {
            certificate: read("tls_certificate_file", &files.certificate).await?,
            key: read("tls_key_file", &files.key).await?,
        })
    }

    fn hash(&self) -> blake3::Hash {
        let parts = [&self.certificate, &self.key].map(|bytes| blake3::hash(bytes));
        let mut both = blake3::Hasher::new();
        for part in &parts {
            both.update(part.as_bytes());
        }
        both.finalize()
    }

    fn config(&self) -> Result<ServerConfig> {
        let expected = |key: &'static str, what: &'static str| {
            Error::new(ErrorKind::Invalid, "read the certificate of TLS")
                .with_context("key", key)
                .with_context("expected", what)
        };
        let not_pem = || expected("tls_certificate_file", "certificates in PEM");
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| not_pem().with_source(error))?;
        if chain.is_empty() {
            return Err(not_pem());
        }
        // Not the cause: it may repeat some of the key.
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| expected("tls_key_file", "a private key in PEM"))?;
        let unfit = || expected("tls_key_file", "the key of the first certificate");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| unfit().with_source(error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

async fn read(key: &'static str, file: &Path) -> Result<Vec<u8>> {
    let failed = || {
        Error::new(ErrorKind::Invalid, "read the certificate of TLS")
            .with_context("key", key)
            .with_context("file", file.display())
    };
    let length = tokio::fs::metadata(file).await;
    let length = length.map_err(|error| failed().with_source(error))?.len();
    if length > FILE_BYTES_MAX {
        return Err(failed()
            .with_context("bytes", length)
            .with_context("most", FILE_BYTES_MAX));
    }
    let bytes = tokio::fs::read(file).await;
    bytes.map_err(|error| failed().with_source(error))
}
