//! Something answers, but not what the URL says.

use cachedeck::engine::{Backend, Fault, Kind, Server};
use cachedeck::model::Target;

use crate::common::memcached::{self, MemcachedServer};
use crate::common::redis::{Flavor, RedisServer};
use crate::common::scripted::{Answer, ScriptedServer};

/// The fault of a first sample.
pub fn fault(url: &str) -> Fault {
    fault_at(Target::parse_url(url).expect("a URL that the tests wrote"))
}

pub fn fault_at(target: Target) -> Fault {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime
        .block_on(async { Server::at(target).sample().await })
        .expect_err("a fault")
}

/// The fault is about the connection and its words and hint hold `parts`, with nothing unsafe.
pub fn check(fault: &Fault, kind: Kind, parts: &[&str]) {
    let said = format!("{fault} / {}", fault.hint().unwrap_or_default());
    assert_eq!(fault.kind(), kind, "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    assert!(!said.chars().any(char::is_control), "unsafe: {said:?}");
}

#[test]
fn memcached_behind_a_redis_url() {
    let server = MemcachedServer::start(memcached::Options::default());
    let fault = fault(&format!("redis://{}", server.address()));
    check(
        &fault,
        Kind::Connection,
        &["is not a Redis", "memcached://"],
    );
}

#[test]
fn redis_behind_a_memcached_url() {
    let server = RedisServer::plain(Flavor::default());
    let fault = fault(&format!("memcached://{}", server.address()));
    check(
        &fault,
        Kind::Connection,
        &["is not a Memcached", "redis://"],
    );
}

#[test]
fn a_web_server() {
    let server = ScriptedServer::always(Answer::http());
    for scheme in ["redis", "memcached"] {
        let fault = fault(&format!("{scheme}://{}", server.address()));
        check(
            &fault,
            Kind::Connection,
            &[if scheme == "redis" {
                "HTTP"
            } else {
                "web server"
            }],
        );
    }
}

#[test]
fn bytes_of_no_protocol() {
    let server = ScriptedServer::always(Answer::garbage());
    for scheme in ["redis", "memcached"] {
        let fault = fault(&format!("{scheme}://{}", server.address()));
        check(&fault, Kind::Connection, &[&server.port().to_string()]);
    }
}
