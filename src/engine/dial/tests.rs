use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::{Stream, dial, place};
use crate::engine::Fault;
use crate::model::{Environment, Limits, Place, Protocol, Target, Tls};

fn target(place: Place, tls: Option<Tls>) -> Target {
    Target {
        name: "test".to_owned(),
        protocol: Protocol::Redis,
        place,
        user: None,
        password: None,
        database: 0,
        tls,
        environment: Environment::Unstated,
        is_read_only: false,
        delimiter: ":".to_owned(),
        limits: Limits {
            connect: Duration::from_secs(20),
            ..Limits::default()
        },
    }
}

fn tcp(port: u16, tls: Option<Tls>) -> Target {
    let host = "127.0.0.1".to_owned();
    target(Place::Tcp { host, port }, tls)
}

async fn check_refused(target: Target, says: &str) {
    let fault = dial(&target).await.expect_err("no stream");
    assert_eq!(fault.to_string(), says);
}

/// A server that says one thing to whoever comes.
fn saying(words: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            stream.write_all(words).expect("a reader");
        }
    });
    port
}

#[test]
fn places_are_written_as_people_write_them() {
    let host = |host: &str| {
        let host = host.to_owned();
        place(&target(Place::Tcp { host, port: 6379 }, None))
    };
    assert_eq!(host("cache.example.com"), "cache.example.com:6379");
    assert_eq!(host("::1"), "[::1]:6379");
    let socket = Place::Unix(PathBuf::from("/run/redis.sock"));
    assert_eq!(place(&target(socket, None)), "/run/redis.sock");
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let says = format!("127.0.0.1:{port} cannot be reached: connection refused");
    check_refused(tcp(port, None), &says).await;
}

#[tokio::test]
async fn sockets_that_are_none_are_told_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let check = async |name: &str, why: &str| {
        let path = directory.path().join(name);
        let says = format!("{} cannot be reached: {why}", path.display());
        check_refused(target(Place::Unix(path), None), &says).await;
    };
    check("missing", "there is no such socket").await;
    std::fs::write(directory.path().join("file"), "").expect("a file");
    check("file", "it is not a socket").await;
    drop(UnixListener::bind(directory.path().join("left")).expect("a socket"));
    check("left", "nobody listens on the socket").await;
}

#[tokio::test]
async fn tls_is_not_used_on_unix_sockets() {
    let socket = Place::Unix(PathBuf::from("/run/s"));
    check_refused(
        target(socket, Some(Tls::default())),
        "/run/s: TLS is not used on unix sockets",
    )
    .await;
}

#[tokio::test]
async fn reading_stops_at_the_allowance() {
    let mut stream = dial(&tcp(saying(b"0123456789"), None))
        .await
        .expect("a stream");
    let allowance = stream.allowance();
    allowance.refill(4);
    let mut all = Vec::new();
    let error = stream.read_to_end(&mut all).await.expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::Other);
    let fault = allowance.fault("cache:1", "GET").expect("a fault");
    assert_eq!(fault.to_string(), "the answer to GET is larger than 4 B");
}

#[tokio::test]
async fn the_beginning_of_an_answer_is_kept() {
    let mut stream = dial(&tcp(saying(b"HTTP/1.1 400"), None))
        .await
        .expect("a stream");
    stream.read_to_end(&mut Vec::new()).await.expect("an end");
    let allowance = stream.allowance();
    assert_eq!(allowance.head(), b"HTTP/1.1 400");
    assert_eq!(allowance.fault("cache:1", "GET"), None);
    allowance.refill(10);
    assert_eq!(allowance.head(), b"");
}

#[tokio::test]
async fn tls_with_a_server_that_speaks_plain_text_says_so() {
    let insecure = Tls {
        is_insecure: true,
        ..Tls::default()
    };
    let fault = dial(&tcp(saying(b"-ERR unknown command\r\n"), Some(insecure)))
        .await
        .expect_err("no TLS");
    assert!(
        fault.to_string().ends_with("what it answers is not TLS"),
        "{fault}"
    );
    assert!(fault.hint().expect("a hint").contains("plain text"));
}

#[tokio::test]
async fn files_that_are_no_certificates_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("empty.pem");
    std::fs::write(&file, "nothing").expect("a file");
    let check = async |ca_file: &Path, why: &str| {
        let tls = Tls {
            ca_file: Some(ca_file.to_owned()),
            ..Tls::default()
        };
        let says = format!("{} cannot be used for TLS: {why}", ca_file.display());
        check_refused(tcp(1, Some(tls)), &says).await;
    };
    check(&file, "it holds no PEM certificate").await;
    check(directory.path(), "Is a directory").await;
    check(
        &directory.path().join("missing"),
        "No such file or directory",
    )
    .await;
}

/// An authority with its file, and servers with its certificates.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("a file");
        Self { issuer, directory }
    }

    fn tls(&self) -> Tls {
        Tls {
            ca_file: Some(self.directory.path().join("ca.pem")),
            ..Tls::default()
        }
    }

    /// A TLS server on a port of its own that says `hello`, with a certificate for `name`.
    async fn server(&self, name: &str, expiry: i32, wants_client: bool) -> u16 {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.not_after = rcgen::date_time_ymd(expiry, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if wants_client {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.issuer.der().clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .expect("a verifier");
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let config = builder
            .with_single_cert(chain, key)
            .expect("a configuration");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((plain, _)) = listener.accept().await {
                // A client that does not like the certificate hangs up; that is what is tested.
                if let Ok(mut secured) = acceptor.accept(plain).await
                    && secured.write_all(b"hello").await.is_ok()
                {
                    secured.shutdown().await.ok();
                }
            }
        });
        port
    }
}

async fn hello(stream: Result<Stream, Fault>) -> Result<Vec<u8>, Fault> {
    let mut stream = stream?;
    let mut said = Vec::new();
    let read = stream.read_to_end(&mut said).await;
    match stream.allowance().fault("cache:1", "hello") {
        Some(fault) => Err(fault),
        None => Ok(read.map(|_| said).expect("an end")),
    }
}

fn check_tls(said: Result<Vec<u8>, Fault>, why: &str, hint: &str) {
    let fault = said.expect_err("no TLS");
    assert!(fault.to_string().ends_with(why), "{fault}");
    assert!(fault.hint().expect("a hint").contains(hint), "{fault:?}");
}

#[tokio::test]
async fn a_good_certificate_is_accepted() {
    let authority = Authority::named("ours");
    let port = authority.server("127.0.0.1", 4000, false).await;
    let said = hello(dial(&tcp(port, Some(authority.tls()))).await).await;
    assert_eq!(said, Ok(b"hello".to_vec()));
}

#[tokio::test]
async fn certificates_are_refused_with_the_reason() {
    let authority = Authority::named("ours");
    let wrong = authority.server("cache.example.com", 4000, false).await;
    check_tls(
        hello(dial(&tcp(wrong, Some(authority.tls()))).await).await,
        "its certificate is not for 127.0.0.1 but for cache.example.com",
        "--sni",
    );
    let expired = authority.server("127.0.0.1", 2020, false).await;
    check_tls(
        hello(dial(&tcp(expired, Some(authority.tls()))).await).await,
        "its certificate has expired",
        "clock",
    );
    let unknown = authority.server("127.0.0.1", 4000, false).await;
    check_tls(
        hello(dial(&tcp(unknown, Some(Authority::named("other").tls()))).await).await,
        "its certificate was not issued by a known authority",
        "--cacert",
    );
}

#[tokio::test]
async fn a_missing_client_certificate_is_told_though_the_handshake_ended() {
    let authority = Authority::named("ours");
    let port = authority.server("127.0.0.1", 4000, true).await;
    check_tls(
        hello(dial(&tcp(port, Some(authority.tls()))).await).await,
        "the server asks for a client certificate",
        "--cert",
    );
}

#[tokio::test]
async fn another_name_or_no_check_at_all_can_be_asked_for() {
    let authority = Authority::named("ours");
    let port = authority.server("cache.example.com", 4000, false).await;
    let named = Tls {
        server_name: Some("cache.example.com".to_owned()),
        ..authority.tls()
    };
    let insecure = Tls {
        is_insecure: true,
        ..Tls::default()
    };
    for tls in [named, insecure] {
        let said = hello(dial(&tcp(port, Some(tls))).await).await;
        assert_eq!(said, Ok(b"hello".to_vec()));
    }
}
