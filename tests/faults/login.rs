//! Passwords and permissions that are wrong.

use cachedeck::engine::{Backend, Kind, Server};
use cachedeck::model::Target;

use super::wrong_server::{check, fault};
use crate::common::memcached::{self, MemcachedServer};
use crate::common::redis::{Flavor, Options, RedisServer};
use crate::common::scripted::{Answer, Script, ScriptedServer};

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
fn a_user_without_info_sees_what_is_left_and_why() {
    for flavor in Flavor::available() {
        let server = RedisServer::plain(flavor);
        server.run("SET one 1");
        server.run("ACL SETUSER blind on >secret ~* +@all -info");
        let target = Target::parse_url(&format!("redis://blind:secret@{}", server.address()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let server = Server::at(target.expect("a URL"));
        let sample = runtime.block_on(server.sample()).expect("what is left");
        assert_eq!((sample.keys(), sample.counters.hits), (Some(1), None));
        let why = &sample.unsupported["hit_ratio"];
        assert!(why.contains("not permitted: INFO"), "{why}");
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

#[test]
fn a_server_in_protected_mode_says_what_it_wants() {
    let denied =
        b"-DENIED Redis is running in protected mode because protected mode is enabled and \
        no password is set for the default user. In this mode connections are only accepted from \
        the loopback interface. If you want to connect from external computers to Redis you may \
        adopt one of the following solutions: 1) Just disable protected mode\r\n";
    let script = Script::new().greets(Answer::ThenClose(denied.to_vec()));
    let server = ScriptedServer::start(script);
    let fault = fault(&format!("redis://{}", server.address()));
    let says = ["running in protected mode", "only its own machine"];
    check(&fault, Kind::Permission, &says);
    assert!(!fault.to_string().contains("Just disable"), "{fault}");
}
