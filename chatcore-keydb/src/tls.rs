//! TLS to the store's servers.

use std::{error::Error as StdError, fmt, io, sync::Arc};

use chatcore::error::{Error, ErrorKind, Result};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

use crate::address::HostPort;

const READ: &str = "read certificates for the store";

/// Whom to trust, and who this is.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Trusts the authorities in `trusted`, or whom the system trusts; shows the certificate and
    /// proves it by the key of `identity`, where servers ask who comes. All of it is PEM.
    ///
    /// # Errors
    /// `Invalid` for what is no certificate or key, and when nobody is trusted.
    pub fn new(trusted: Option<&[u8]>, identity: Option<(&[u8], &[u8])>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        match trusted {
            Some(pem) => {
                for authority in certificates(pem)? {
                    roots.add(authority).map_err(invalid)?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, READ)
                .with_context("found", "nobody to trust")
                .with_context("expected", "the certificate of an authority in PEM"));
        }
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(invalid)?;
                let config = config.with_client_auth_cert(certificates(chain)?, key);
                config.map_err(invalid)?
            }
        };
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// Agrees with the server on a key, once it is known to be that server.
    pub(crate) async fn connect(
        &self,
        server: &HostPort,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(server.host.clone()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(name, stream).await
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(invalid)
}

fn invalid(error: impl StdError + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Invalid, READ).with_source(error)
}

/// Whether one of both does not accept the other's certificate: no outage, and nothing that passes.
pub(crate) fn is_refusal(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // The client library shares what it hands on.
        let shared = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>();
        let error = shared.map_or(error, |shared| &**shared);
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)) =
            inner.and_then(|inner| inner.downcast_ref())
        {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        let text = b"-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----\n";
        for trusted in [&b""[..], text] {
            let error = Tls::new(Some(trusted), None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_refusal_is_found_below_other_errors() {
        let refused = || {
            io::Error::other(rustls::Error::InvalidCertificate(
                rustls::CertificateError::UnknownIssuer,
            ))
        };
        assert!(is_refusal(&refused()));
        assert!(is_refusal(&redis::RedisError::from(refused())));
        assert!(!is_refusal(&io::Error::other("reset")));
    }
}
