//! The network between fails in every way that it knows.

use std::time::Duration;

use cachedeck::engine::{Backend, Kind, Server};
use cachedeck::model::{Limits, Target};

use super::wrong_server::{check, fault, fault_at};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::process;
use crate::common::proxy::{Cut, FaultProxy};
use crate::common::redis::{Flavor, RedisServer};

/// A target whose limits end within a test's patience.
pub fn impatient(url: &str) -> Target {
    let limits = Limits {
        connect: Duration::from_millis(300),
        reply: Duration::from_millis(300),
        ..Limits::default()
    };
    Target {
        limits,
        ..Target::parse_url(url).expect("a URL that the tests wrote")
    }
}

pub fn through(proxy: &FaultProxy, scheme: &str) -> String {
    format!("{scheme}://{}", proxy.address())
}

#[test]
fn nobody_listens() {
    for scheme in ["redis", "memcached"] {
        let url = format!("{scheme}://127.0.0.1:{}", process::free_port());
        check(&fault(&url), Kind::Connection, &["connection refused"]);
    }
}

#[test]
fn a_socket_that_is_not_there_or_no_socket() {
    let missing = fault("redis+unix:///nowhere/redis.sock");
    check(
        &missing,
        Kind::Connection,
        &["/nowhere/redis.sock", "no such socket"],
    );
    let file = tempfile::NamedTempFile::new().expect("a file");
    let not_a_socket = fault(&format!("redis+unix://{}", file.path().display()));
    check(&not_a_socket, Kind::Connection, &["not a socket"]);
}

#[test]
fn a_half_open_connection_ends_in_time() {
    let redis = RedisServer::plain(Flavor::default());
    let memcached = MemcachedServer::start(memcached::Options::default());
    for (scheme, address) in [
        ("redis", redis.address()),
        ("memcached", memcached.address()),
    ] {
        let proxy = FaultProxy::to(address);
        proxy.set(|faults| faults.stall = true);
        check(
            &fault_at(impatient(&through(&proxy, scheme))),
            Kind::Connection,
            &["did not answer within"],
        );
    }
}

#[test]
fn replies_in_single_bytes_read_the_same() {
    let redis = RedisServer::plain(Flavor::default());
    let memcached = MemcachedServer::start(memcached::Options::default());
    redis.run("SET one 1");
    memcached.set("one", b"1", 0);
    for (scheme, address) in [
        ("redis", redis.address()),
        ("memcached", memcached.address()),
    ] {
        let proxy = FaultProxy::to(address);
        proxy.set(|faults| faults.slice = true);
        let target = Target::parse_url(&through(&proxy, scheme)).expect("a URL");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let sample = runtime
            .block_on(async { Server::at(target).sample().await })
            .expect("a sample");
        assert_eq!(sample.keys(), Some(1), "{scheme}");
    }
}

#[test]
fn a_reply_that_is_cut_anywhere_is_no_sample() {
    let server = RedisServer::plain(Flavor::default());
    let proxy = FaultProxy::to(server.address());
    for at in (0_u64..1200).step_by(101) {
        proxy.set(|faults| faults.cut_down = Some((at, Cut::Rst)));
        let fault = fault_at(impatient(&through(&proxy, "redis")));
        assert_eq!(fault.kind(), Kind::Connection, "cut after {at}: {fault}");
    }
}
