//! Whom we believe to be the server: the public CAs, or those of the `ca=` file in their place. There is no way to
//! switch the check off.

use crate::delivery::route::Server;
use crate::reply::Stage;
use crate::transport::{Configuration, Error, NotReady};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A TLS configuration and the name the certificate must be for.
#[derive(Clone)]
pub(super) struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Trust {
    pub(super) fn open(server: &Server, root: &Path) -> Result<Self, Error> {
        let name =
            ServerName::try_from(server.host.clone()).map_err(|_| Error::ServerName { server: server.to_string() })?;
        let ca = server.ca.as_ref().map(|file| root.join(file));
        Ok(Trust { config: client_config(ca.as_deref())?, name })
    }

    pub(super) async fn handshake(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsConnector::from(self.config.clone()).connect(self.name.clone(), stream).await
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trust({:?})", self.name)
    }
}

/// What a client believes: the public CAs, or those of a PEM file in their place.
pub fn client_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    let named = match ca {
        None => Vec::new(),
        Some(file) => read_certificates(file)?,
    };
    let roots = match ca {
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        Some(file) => roots(&named, file)?,
    };
    // Named here, not taken from the process, so that no crate that installs another provider changes it.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let by_ca = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let by_ca = by_ca.expect("there is a root, and no revocation list");
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { by_ca, named }))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |why: String| Error::Ca { path: path.into(), why };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|why| wrong(format!("cannot be read: {why}")))?;
    let certificates: Result<Vec<_>, _> = certificates.collect();
    match certificates.map_err(|why| wrong(format!("is not a PEM file: {why}")))? {
        none if none.is_empty() => {
            Err(wrong("holds no certificate; it must be a PEM file with BEGIN CERTIFICATE in it".into()))
        }
        some => Ok(some),
    }
}

fn roots(certificates: &[CertificateDer<'static>], path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let why = |why| Error::Ca { path: path.into(), why: format!("holds a certificate that cannot be used: {why}") };
        roots.add(certificate.clone()).map_err(why)?;
    }
    Ok(roots)
}

/// webpki's verifier, and one thing more: it refuses every certificate that calls itself a CA as a server's own, but that is
/// what `openssl req -x509` makes. Where exactly that certificate stands in the `ca=` file, its owner vouches for it.
#[derive(Debug)]
struct Verifier {
    by_ca: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.by_ca.verify_server_cert(certificate, chain, name, ocsp, now) {
            // Expired or not yet valid has an error of its own, and is found first.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))) if self.named.contains(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_ca.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_ca.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_ca.supported_verify_schemes()
    }
}

/// Why a handshake failed, for a person. A peer that went away may come back; one that is not trusted stays so.
pub(super) fn not_ready(server: &Server, why: &io::Error) -> NotReady {
    let configuration = |sentence| NotReady::Configuration(Configuration { stage: Stage::StartTls, sentence });
    let host = &server.host;
    match why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(problem)) => configuration(match problem {
            // Other: a self-signed certificate that calls itself a CA.
            CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_) => format!(
                "the certificate of {server} is not signed by a CA we trust; if it is your own, name its CA (or, if it is self-signed, \
                 itself) in mail.transport: ?ca=FILE.pem"
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
                "the certificate of {server} is for another name than {host}; write the name that is in the certificate in mail.transport"
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!(
                    "the certificate of {server} has expired; its owner must renew it (and this machine's clock must be right)"
                )
            }
            other => format!("the certificate of {server} cannot be accepted: {other}"),
        }),
        Some(rustls::Error::InvalidMessage(_)) => {
            configuration(format!("{server} does not speak TLS; smtps:// is for port 465, smtp:// for 587 and 25"))
        }
        Some(other) => configuration(format!("TLS with {server} failed: {other}")),
        None => NotReady::Unreachable(format!("the TLS handshake with {server} broke off: {why}")),
    }
}
