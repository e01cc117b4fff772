//! Certificates of every kind a connection may meet: good, expired, foreign, for another name.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// How a server speaks TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    pub certificate: Certificate,
    /// Who signs the clients.
    pub clients_ca: PathBuf,
    /// Whether a client must show a certificate.
    pub asks_client: bool,
}

/// A set of certificates in a directory of its own, gone when dropped.
pub struct Certs {
    /// The authority that clients trust in tests.
    pub ca: PathBuf,
    /// For `localhost` and `127.0.0.1`, signed by `ca`.
    pub server: Certificate,
    /// Signed by `ca`, for a client to show.
    pub client: Certificate,
    /// As `server`, but its time is over.
    pub expired: Certificate,
    /// As `server`, but for `elsewhere.example`.
    pub other_name: Certificate,
    /// An authority that nobody trusts.
    pub foreign_ca: PathBuf,
    /// As `server`, but signed by `foreign_ca`.
    pub foreign: Certificate,
    _directory: TempDir,
}

impl Certs {
    pub fn new() -> Certs {
        let directory = TempDir::with_prefix("cachedeck-certs-").expect("a temporary directory");
        let at = directory.path();
        let (ca, ours) = authority(at, "ca");
        let (foreign_ca, theirs) = authority(at, "foreign-ca");
        let here = ["localhost", "127.0.0.1"];
        let mut expired = leaf(&here, ExtendedKeyUsagePurpose::ServerAuth);
        expired.not_before = date_time_ymd(2020, 1, 1);
        expired.not_after = date_time_ymd(2021, 1, 1);
        let elsewhere = leaf(&["elsewhere.example"], ExtendedKeyUsagePurpose::ServerAuth);
        let client = leaf(&["cachedeck-test"], ExtendedKeyUsagePurpose::ClientAuth);
        Certs {
            ca,
            server: sign(
                at,
                "server",
                &leaf(&here, ExtendedKeyUsagePurpose::ServerAuth),
                &ours,
            ),
            client: sign(at, "client", &client, &ours),
            expired: sign(at, "expired", &expired, &ours),
            other_name: sign(at, "other-name", &elsewhere, &ours),
            foreign: sign(
                at,
                "foreign",
                &leaf(&here, ExtendedKeyUsagePurpose::ServerAuth),
                &theirs,
            ),
            foreign_ca,
            _directory: directory,
        }
    }

    /// A server that shows `certificate` and asks clients for nothing.
    pub fn serving(&self, certificate: &Certificate) -> ServerTls {
        ServerTls {
            certificate: certificate.clone(),
            clients_ca: self.ca.clone(),
            asks_client: false,
        }
    }

    /// A server with the good certificate that turns clients without one away.
    pub fn mutual(&self) -> ServerTls {
        ServerTls {
            asks_client: true,
            ..self.serving(&self.server)
        }
    }
}

fn authority(directory: &Path, name: &str) -> (PathBuf, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a fresh key");
    let cert = params.self_signed(&key).expect("a certificate of our own");
    let path = write(directory, &format!("{name}.pem"), &cert.pem());
    (path, Issuer::new(params, key))
}

fn leaf(names: &[&str], usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names.clone()).expect("plain names");
    params
        .distinguished_name
        .push(DnType::CommonName, &names[0]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

fn sign(
    directory: &Path,
    name: &str,
    params: &CertificateParams,
    issuer: &Issuer<'static, KeyPair>,
) -> Certificate {
    let key = KeyPair::generate().expect("a fresh key");
    let cert = params
        .signed_by(&key, issuer)
        .expect("a certificate of our own");
    Certificate {
        cert: write(directory, &format!("{name}.pem"), &cert.pem()),
        key: write(directory, &format!("{name}.key"), &key.serialize_pem()),
    }
}

fn write(directory: &Path, name: &str, pem: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, pem).expect("our own directory");
    path
}
