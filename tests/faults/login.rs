//! Passwords and permissions that are wrong.

use cachedeck::engine::Kind;

use super::wrong_server::{check, fault};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::redis::{Flavor, Options, RedisServer};

fn guarded(flavor: Flavor) -> RedisServer {
    let password = Some("right horse".to_owned());
    RedisServer::start(Options {
        flavor,
        password,
        ..Options::default()
    })
}

#[test]
fn a_wrong_password_is_refused_and_not_repeated_in_the_words() {
    for flavor in Flavor::available() {
        let server = guarded(flavor);
        let fault = fault(&format!("redis://:battery-canary@{}", server.address()));
        check(&fault, Kind::Permission, &["refused the login"]);
        assert!(!format!("{fault:?} {fault}").contains("canary"));
    }
}

#[test]
fn no_password_where_one_is_needed() {
    for flavor in Flavor::available() {
        let server = guarded(flavor);
        check(
            &fault(&format!("redis://{}", server.address())),
            Kind::Permission,
            &["--askpass"],
        );
    }
}

#[test]
fn a_user_without_info() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("ACL SETUSER blind on >secret ~* +@all -info");
        let fault = fault(&format!("redis://blind:secret@{}", server.address()));
        check(&fault, Kind::Permission, &["not permitted", "INFO"]);
    }
}

#[test]
fn memcached_refuses_a_wrong_password() {
    let server = MemcachedServer::start(memcached::Options {
        login: Some(("ops".to_owned(), "right".to_owned())),
        ..memcached::Options::default()
    });
    let fault = fault(&format!("memcached://ops:wrong@{}", server.address()));
    check(&fault, Kind::Permission, &["refused the login"]);
}
