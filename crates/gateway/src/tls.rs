//! TLS from certificate files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alula_types::{Code, Fault};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Where the certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file of the certificate and those that vouch for it, in that order.
    pub certificate: PathBuf,
    /// PEM file of its private key (PKCS #1, PKCS #8 or SEC 1).
    pub key: PathBuf,
}

/// Reads the files and offers HTTP/2 before HTTP/1.1.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Fault> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| refused(&files.certificate, e))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| refused(&files.key, e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|e| refused(&files.certificate, e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn refused(path: &Path, error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::FileRefused, format!("reading TLS from `{}`: {error}", path.display()))
        .hint("give PEM files: the certificate chain and its unencrypted private key")
}
