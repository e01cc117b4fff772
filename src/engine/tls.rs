//! TLS the way an operator wants it: the system's authorities or one named file, and reasons in words.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use crate::engine::Fault;
use crate::engine::dial::words;
use crate::model::Tls;
use crate::text;

/// The name that the server's certificate must carry.
pub(in crate::engine) fn name(wanted: &Tls, host: &str) -> Result<ServerName<'static>, Fault> {
    let name = wanted.server_name.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_| {
        Fault::Setup(format!(
            "{} is not a name that a certificate can carry",
            text::escape(name.as_bytes())
        ))
    })
}

/// Reads the certificate files and makes a connector of them.
pub(in crate::engine) async fn connector(wanted: &Tls) -> Result<TlsConnector, Fault> {
    let wanted = wanted.clone();
    // The system's authorities are some hundred files.
    tokio::task::spawn_blocking(move || config(&wanted))
        .await
        .map_err(|error| Fault::Setup(format!("reading certificates was interrupted: {error}")))?
        .map(|config| TlsConnector::from(Arc::new(config)))
}

fn config(wanted: &Tls) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if wanted.is_insecure {
        Arc::new(AnyCertificate(Arc::clone(&provider)))
    } else {
        let named = match &wanted.ca_file {
            Some(ca_file) => certificates(ca_file)?,
            None => Vec::new(),
        };
        let roots = Arc::new(roots(wanted.ca_file.as_deref(), &named)?);
        let by_authority =
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(|error| {
                    Fault::Setup(format!("no certificate authority is known: {error}"))
                })?;
        Arc::new(OrNamed {
            by_authority,
            named,
        })
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Setup(format!("TLS cannot be set up: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some(cert_file) = &wanted.cert_file else {
        if let Some(key_file) = &wanted.key_file {
            return Err(unusable(key_file, "a key needs a certificate beside it"));
        }
        return Ok(config.with_no_client_auth());
    };
    let chain = certificates(cert_file)?;
    // One file with both, certificate and key, is common.
    let key_file = wanted.key_file.as_deref().unwrap_or(cert_file);
    config
        .with_client_auth_cert(chain, private_key(key_file)?)
        .map_err(|error| unusable(key_file, &format!("the key does not fit: {error}")))
}

fn roots(
    ca_file: Option<&Path>,
    named: &[CertificateDer<'static>],
) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    if let Some(ca_file) = ca_file {
        for certificate in named {
            roots
                .add(certificate.clone())
                .map_err(|error| unusable(ca_file, &error.to_string()))?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(
            error = text::escape(error.to_string().as_bytes()),
            "a certificate authority of the system was left out"
        );
    }
    let (_, left_out) = roots.add_parsable_certificates(found.certs);
    if left_out > 0 {
        tracing::warn!(left_out, "certificate authorities could not be read");
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let bytes = read(file)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(file, &pem_words(&error)))?;
    if chain.is_empty() {
        return Err(unusable(file, "it holds no PEM certificate"));
    }
    Ok(chain)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    let bytes = read(file)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => unusable(file, "it holds no unencrypted PEM private key"),
        error => unusable(file, &pem_words(&error)),
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(file).map_err(|error| unusable(file, &words(&error)))
}

fn pem_words(error: &pem::Error) -> String {
    text::escape(format!("it is not good PEM: {error}").as_bytes())
}

fn unusable(file: &Path, why: &str) -> Fault {
    let file = text::escape(file.as_os_str().as_encoded_bytes());
    Fault::Setup(format!("{file} cannot be used for TLS: {why}"))
}

/// What TLS itself has against the connection, when it was TLS that broke it.
pub(in crate::engine) fn cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

const PLAIN_TEXT: &str =
    "the server speaks plain text on this port: drop the TLS (redis:// or memcached://)";

/// A server that takes our first words of TLS for the beginning of a command waits for the rest.
pub(in crate::engine) fn unanswered(place: &str) -> Fault {
    Fault::Tls {
        place: place.to_owned(),
        why: "it did not answer the handshake in time".to_owned(),
        hint: Some(format!("perhaps {PLAIN_TEXT}")),
    }
}

/// Why TLS with a server failed, and what to try.
pub(in crate::engine) fn fault(place: &str, error: &io::Error) -> Fault {
    let (why, hint) = match cause(error) {
        Some(cause) => reason(cause),
        None if error.kind() == io::ErrorKind::UnexpectedEof => (
            "it closed the connection in the handshake".to_owned(),
            Some("does the server speak TLS on this port?"),
        ),
        None => (words(error), None),
    };
    Fault::Tls {
        place: place.to_owned(),
        why,
        hint: hint.map(str::to_owned),
    }
}

fn reason(cause: &rustls::Error) -> (String, Option<&'static str>) {
    const CLIENT_CERTIFICATE: &str = "give one with --cert and --key";
    match cause {
        rustls::Error::InvalidMessage(_) => (
            "what it answers is not TLS".to_owned(),
            Some(
                "the server speaks plain text on this port: drop the TLS (redis:// or memcached://)",
            ),
        ),
        rustls::Error::InvalidCertificate(flaw) => certificate_reason(flaw),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => (
            "the server asks for a client certificate".to_owned(),
            Some(CLIENT_CERTIFICATE),
        ),
        // Before TLS 1.3 there is no word for a missing certificate but this one.
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => (
            "the server broke off the handshake".to_owned(),
            Some("perhaps it asks for a client certificate: give one with --cert and --key"),
        ),
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked,
        ) => (
            "the server does not accept the client certificate".to_owned(),
            Some(CLIENT_CERTIFICATE),
        ),
        other => (text::escape(other.to_string().as_bytes()), None),
    }
}

fn certificate_reason(flaw: &CertificateError) -> (String, Option<&'static str>) {
    const CA: &str = "name the authority's file with --cacert";
    const CLOCK: &str = "is the clock of this machine right?";
    match flaw {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("its certificate has expired".to_owned(), Some(CLOCK))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("its certificate is not valid yet".to_owned(), Some(CLOCK))
        }
        CertificateError::UnknownIssuer => (
            "its certificate was not issued by a known authority".to_owned(),
            Some(CA),
        ),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => (
            format!(
                "its certificate is not for {} but for {}",
                text::escape(expected.to_str().as_bytes()),
                carried(presented)
            ),
            Some("give the certificate's name with --sni or `server_name`"),
        ),
        CertificateError::Revoked => ("its certificate was revoked".to_owned(), None),
        CertificateError::BadSignature => (
            "its certificate was not signed by the authority that it names".to_owned(),
            Some(CA),
        ),
        other if is_self_signed(other) => ("its certificate is self-signed".to_owned(), Some(CA)),
        other => (
            format!(
                "its certificate is not acceptable: {}",
                text::escape(other.to_string().as_bytes())
            ),
            None,
        ),
    }
}

/// A certificate that is its own authority, as `openssl req -x509` makes them. The verifier's own
/// type for it is hidden behind an `Other`.
fn is_self_signed(flaw: &CertificateError) -> bool {
    matches!(flaw, CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity"))
}

/// The names of a certificate; `DnsName("cache.example")` is how they come.
fn carried(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no name at all".to_owned();
    }
    let names: Vec<String> = presented
        .iter()
        .take(5)
        .map(|name| {
            let bare = name
                .split_once('(')
                .and_then(|(_, rest)| rest.strip_suffix(')'))
                .unwrap_or(name);
            text::escape(bare.trim_matches('"').as_bytes())
        })
        .collect();
    names.join(", ")
}

/// Accepts what an authority has signed, and a self-signed certificate that the file of authorities
/// names itself: people make one of those and copy it to both ends.
#[derive(Debug)]
struct OrNamed {
    by_authority: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for OrNamed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.by_authority.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verdict {
            Err(rustls::Error::InvalidCertificate(flaw))
                if is_self_signed(&flaw) && self.named.contains(end_entity) =>
            {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_authority.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_authority.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}

/// Accepts any certificate, for who asked for exactly that.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
