//! Certificates that are wrong, and TLS where there is none.

use std::path::Path;

use cachedeck::engine::{Backend, Kind, Server};
use cachedeck::model::{Target, Tls};

use super::wrong_server::{check, fault, fault_at};
use crate::common::certs::{Certs, ServerTls};
use crate::common::redis::{Flavor, Options, RedisServer};

fn serving(tls: ServerTls) -> RedisServer {
    RedisServer::start(Options {
        tls: Some(tls),
        ..Options::default()
    })
}

/// A target on the server's TLS port that trusts `ca_file`.
fn trusting(server: &RedisServer, ca_file: Option<&Path>) -> Target {
    let url = format!("rediss://localhost:{}", server.tls_port());
    let tls = Tls {
        ca_file: ca_file.map(Path::to_owned),
        ..Tls::default()
    };
    Target {
        tls: Some(tls),
        ..Target::parse_url(&url).expect("a URL that the tests wrote")
    }
}

#[test]
fn a_trusted_certificate_works_and_a_client_certificate_too() {
    let certs = Certs::new();
    let server = serving(certs.mutual());
    let mut target = trusting(&server, Some(&certs.ca));
    if let Some(tls) = &mut target.tls {
        tls.cert_file = Some(certs.client.cert.clone());
        tls.key_file = Some(certs.client.key.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let sample = runtime.block_on(async { Server::at(target).sample().await });
    assert!(sample.is_ok(), "{sample:?}");
    check(
        &fault_at(trusting(&server, Some(&certs.ca))),
        Kind::Connection,
        &["client certificate"],
    );
}

#[test]
fn every_bad_certificate_is_named_for_what_it_is() {
    let certs = Certs::new();
    for (certificate, words) in [
        (&certs.expired, "expired"),
        (&certs.other_name, "elsewhere.example"),
        (&certs.foreign, "--cacert"),
    ] {
        let server = serving(certs.serving(certificate));
        check(
            &fault_at(trusting(&server, Some(&certs.ca))),
            Kind::Connection,
            &[words],
        );
    }
}

#[test]
fn a_certificate_that_the_system_does_not_know() {
    let certs = Certs::new();
    let server = serving(certs.serving(&certs.server));
    check(
        &fault_at(trusting(&server, None)),
        Kind::Connection,
        &["--cacert"],
    );
}

#[test]
fn an_authority_file_that_is_missing_or_a_directory() {
    let certs = Certs::new();
    let server = serving(certs.serving(&certs.server));
    let directory = tempfile::tempdir().expect("a directory");
    for path in [Path::new("/nowhere/ca.pem"), directory.path()] {
        let fault = fault_at(trusting(&server, Some(path)));
        check(&fault, Kind::Setup, &[&path.display().to_string()]);
    }
}

#[test]
fn tls_against_a_plain_port_and_plain_against_a_tls_port() {
    let certs = Certs::new();
    let server = serving(certs.serving(&certs.server));
    let to_plain = fault(&format!("rediss://localhost:{}", server.port()));
    check(&to_plain, Kind::Connection, &["plain", "redis://"]);
    let to_tls = fault(&format!("redis://localhost:{}", server.tls_port()));
    check(&to_tls, Kind::Connection, &["TLS", "rediss://"]);
    assert_ne!(Flavor::available(), []);
}
