//! TLS for outbound connections.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

/// A configuration that trusts the public authorities and some more, and offers HTTP/2 and
/// HTTP/1.1.
pub(crate) fn config(extra_roots: &[CertificateDer<'static>]) -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let (_, unusable) = roots.add_parsable_certificates(extra_roots.iter().cloned());
    if unusable > 0 {
        tracing::warn!(unusable, "some extra certificate authorities could not be read");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
