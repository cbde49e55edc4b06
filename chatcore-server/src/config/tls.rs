//! The server's own TLS.

use super::sources::Sources;
use crate::http::tls::TlsFiles;

/// None if one of both is missing; what is in them is judged at the start.
pub(super) fn read(sources: &mut Sources) -> Option<Option<TlsFiles>> {
    let (certificate, key) = (
        sources.take("tls_certificate_file"),
        sources.take("tls_key_file"),
    );
    match (certificate, key) {
        (None, None) => Some(None),
        (Some(certificate), Some(key)) => Some(Some(TlsFiles {
            certificate: certificate.into(),
            key: key.into(),
        })),
        (Some(_), None) => {
            let text = "is set without tls_key_file; expected both";
            sources.problem("tls_certificate_file", text);
            None
        }
        (None, Some(_)) => {
            let text = "is set without tls_certificate_file; expected both";
            sources.problem("tls_key_file", text);
            None
        }
    }
}
