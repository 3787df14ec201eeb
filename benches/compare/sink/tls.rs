//! The sink's certificate, made on the spot, and TLS with it.

use crate::Failure;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Puts `cert.pem` and `key.pem` for 127.0.0.1 and localhost into a folder. ECDSA P-256, as the public CAs' certificates.
pub(crate) fn write_certificate(folder: &Path) -> Result<(), Failure> {
    let wrong = |why: String| format!("no certificate can be written into {}: {why}", folder.display());
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])
        .map_err(|why| wrong(why.to_string()))?;
    fs::create_dir_all(folder).map_err(|why| wrong(why.to_string()))?;
    fs::write(folder.join("cert.pem"), made.cert.pem()).map_err(|why| wrong(why.to_string()))?;
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).map_err(|why| wrong(why.to_string()))
}

pub(super) fn acceptor(folder: &Path) -> Result<TlsAcceptor, Failure> {
    let wrong = |why: String| format!("the certificate in {} cannot be used: {why}", folder.display());
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).map_err(|why| wrong(why.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).map_err(|why| wrong(why.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| wrong(why.to_string()))?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(|why| wrong(why.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
