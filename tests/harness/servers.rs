//! Servers start, answer, crash, come back and leave nothing behind.

use std::path::Path;

use rustix::process::{Pid, test_kill_process};

use crate::common::certs::Certs;
use crate::common::memcached::{self, Listen, MemcachedServer};
use crate::common::redis::{self, Flavor, Port, RedisServer, wait_until_in_step};
use crate::common::resp::{Reply, RespClient};
use crate::common::{process, wait};

#[test]
fn every_flavor_answers_on_tcp_and_on_its_socket() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        let mut client = RespClient::over_tcp(server.address()).expect("it listens");
        client
            .cmd(&[b"SET", b"k\xff", b"v\r\n"])
            .expect("it answers");
        assert_eq!(
            server.cmd(&[b"GET", b"k\xff"]),
            Reply::Bulk(b"v\r\n".to_vec())
        );
        assert_eq!(server.run("LRANGE none 0 -1"), Reply::Array(vec![]));
        assert_eq!(server.info("process_id"), Some(server.pid().to_string()));
        let named = flavor == Flavor::Valkey;
        assert_eq!(server.info("valkey_version").is_some(), named, "{flavor:?}");
        let version = if named {
            "valkey_version"
        } else {
            "redis_version"
        };
        assert_eq!(server.info(version), Some(flavor.version()));
    }
}

#[test]
fn a_pipeline_fills_a_server() {
    let server = RedisServer::plain(Flavor::Redis);
    let keys: Vec<String> = (0..1200).map(|n| format!("k{n}")).collect();
    let sets = keys
        .iter()
        .map(|key| vec![&b"SET"[..], key.as_bytes(), b"v"]);
    let replies = server.client().pipeline(sets).expect("it answers");
    assert_eq!(replies.len(), 1200);
    assert_eq!(server.run("DBSIZE").int(), 1200);
}

#[test]
fn a_server_needs_its_password() {
    for flavor in Flavor::available() {
        let server = RedisServer::start(redis::Options {
            flavor,
            password: Some("open sesame".into()),
            ..redis::Options::default()
        });
        assert_eq!(server.run("PING").text(), "PONG");
        let mut stranger = RespClient::over_unix(&server.socket()).expect("it listens");
        assert!(stranger.cmd(&[b"PING"]).expect("it answers").is_error());
    }
}

#[test]
fn a_killed_server_comes_back_empty_on_the_same_port() {
    let mut server = RedisServer::plain(Flavor::Redis);
    let address = server.address();
    server.run("SET k v");
    server.kill();
    assert!(RespClient::over_tcp(address).is_err());
    server.restart();
    assert_eq!(server.address(), address);
    assert_eq!(server.run("DBSIZE").int(), 0);
}

#[test]
fn a_replica_follows() {
    for flavor in Flavor::available() {
        let primary = RedisServer::start(redis::Options {
            flavor,
            password: Some("p".into()),
            ..redis::Options::default()
        });
        let replica = RedisServer::start(redis::Options {
            flavor,
            replica_of: Some(primary.as_primary()),
            ..redis::Options::default()
        });
        primary.run("SET k v");
        wait_until_in_step(&primary, &replica);
        assert_eq!(replica.run("GET k").text(), "v");
    }
}

#[test]
fn a_dropped_server_is_gone_with_its_directory() {
    let server = RedisServer::start(redis::Options {
        port: Port::None,
        ..redis::Options::default()
    });
    let (pid, directory) = (server.pid(), server.directory().to_owned());
    server.stop();
    drop(server);
    assert_gone(pid);
    assert!(!directory.exists());
}

#[test]
fn a_frozen_server_answers_after_it_thaws() {
    let server = RedisServer::plain(Flavor::Redis);
    server.stop();
    let state = wait::until("the freeze", wait::PATIENCE, || {
        let state = process_state(server.pid());
        (state == 'T').then_some(state)
    });
    server.cont();
    assert_eq!((state, server.run("PING").text()), ('T', "PONG"));
}

#[test]
fn redis_speaks_tls() {
    let certs = Certs::new();
    let server = RedisServer::start(redis::Options {
        tls: Some(certs.mutual()),
        ..redis::Options::default()
    });
    let peer = tls_peer(server.tls_port(), &certs.ca);
    assert_eq!(peer, "verified");
    assert_eq!(tls_peer(server.tls_port(), &certs.foreign_ca), "refused");
}

#[test]
fn expired_foreign_and_misnamed_certificates_are_what_they_say() {
    let certs = Certs::new();
    for bad in [&certs.expired, &certs.foreign, &certs.other_name] {
        let server = RedisServer::start(redis::Options {
            tls: Some(certs.serving(bad)),
            ..redis::Options::default()
        });
        assert_eq!(tls_peer(server.tls_port(), &certs.ca), "refused", "{bad:?}");
    }
}

#[test]
fn memcached_stores_and_tells() {
    let server = MemcachedServer::start(memcached::Options::default());
    server.set("k", b"END\r\nnot yet", 0);
    let value = server.client().get("k");
    assert_eq!(value, Some(b"END\r\nnot yet".to_vec()));
    assert_eq!(server.client().get("other"), None);
    assert_eq!(server.stat("curr_items"), Some("1".into()));
    assert_eq!(server.stat("version"), Some(MemcachedServer::version()));
    assert_eq!(server.run("mg k s v"), "VA 12 s12\r\nEND\r\nnot yet\r\n");
    // Its own crawler runs now and then, and then it says BUSY.
    let dump = wait::until("the crawler", wait::PATIENCE, || {
        let dump = server.run("lru_crawler metadump hash");
        (!dump.starts_with("BUSY")).then_some(dump)
    });
    assert!(
        dump.contains("key=k ") && dump.ends_with("END\r\n"),
        "{dump}"
    );
}

#[test]
fn memcached_on_a_socket_with_login_or_tls() {
    let socket = MemcachedServer::start(memcached::Options {
        listen: Listen::Unix,
        ..memcached::Options::default()
    });
    socket.set("k", b"v", 0);

    let login = MemcachedServer::start(memcached::Options {
        login: Some(("ops".into(), "secret".into())),
        ..memcached::Options::default()
    });
    login.set("k", b"v", 0);
    let mut stranger = memcached::Client::over_tcp(login.address()).expect("it listens");
    let refused = stranger.cmd(b"get k\r\n");
    assert!(
        refused.starts_with(b"CLIENT_ERROR"),
        "{}",
        refused.escape_ascii()
    );

    let certs = Certs::new();
    let tls = MemcachedServer::start(memcached::Options {
        tls: Some(certs.serving(&certs.server)),
        ..memcached::Options::default()
    });
    tls.set("k", b"v", 0);
    assert_eq!(tls_peer(tls.port(), &certs.ca), "verified");
}

#[test]
fn a_killed_memcached_comes_back_empty_on_the_same_port() {
    let mut server = MemcachedServer::start(memcached::Options::default());
    let address = server.address();
    server.set("k", b"v", 0);
    server.kill();
    assert!(memcached::Client::over_tcp(address).is_err());
    server.restart();
    assert_eq!(server.address(), address);
    assert_eq!(server.client().get("k"), None);
}

#[test]
fn a_missing_server_names_the_script_that_prepares_it() {
    let why = std::panic::catch_unwind(|| process::find("no-such-server"));
    let why = why.expect_err("there is no such server");
    let why = why.downcast_ref::<String>().expect("a message");
    assert!(why.contains(".ci/test"), "{why}");
}

fn assert_gone(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid fits")).expect("not zero");
    assert!(
        test_kill_process(pid).is_err(),
        "process {pid:?} still runs"
    );
}

/// The state letter that `ps` prints.
fn process_state(pid: u32) -> char {
    let output = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .expect("every Unix has ps");
    output.stdout.first().map_or('?', |byte| char::from(*byte))
}

/// Whether a TLS client that trusts `ca` accepts what listens at `localhost:port`.
fn tls_peer(port: u16, ca: &Path) -> &'static str {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};

    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(ca).expect("our own file");
    roots.add(ca).expect("our own authority");
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = rustls::ClientConnection::new(config.into(), name).expect("a client");
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    while client.is_handshaking() {
        if client.complete_io(&mut socket).is_err() {
            return "refused";
        }
    }
    "verified"
}
