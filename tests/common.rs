//! What tests need from the world: real servers, broken networks, a terminal, a clean home.
//!
//! A test file in `tests/` says `mod common;`. A live test in ten lines:
//!
//! ```ignore
//! mod common;
//! use common::redis::{Flavor, Options, RedisServer};
//!
//! #[test]
//! fn ttl_of_a_plain_key_is_none() {
//!     for flavor in Flavor::available() {
//!         let server = RedisServer::start(Options { flavor, ..Options::default() });
//!         server.run("SET plain value");
//!         let run = common::program::cachedeck(["ttl", "plain", "-t", &server.url()]);
//!         run.succeeds();
//!         assert_eq!(server.run("TTL plain"), common::resp::Reply::Int(-1));
//!     }
//! }
//! ```
//!
//! - `redis`, `memcached`: servers on free loopback ports and unix sockets in temporary
//!   directories, ended by pid when dropped. `resp` and `memcached::Client` are raw clients that share no line
//!   with the engine, so that a test never asks the code under test whether it is right.
//! - `proxy`: the network between, with live faults, and a record of every byte the client sent.
//! - `scripted`: a server that says what the test wants, garbage included.
//! - `desk`: a worker and what it reports.
//! - `certs`: certificates of every good and bad kind. `program`: the binary run once in a clean
//!   home. `pty`: the same in a real terminal. `grammar`: what may be written to a terminal.
//! - `wait`: the one place that waits. Tests never sleep: they wait for a fact, with a limit.
//!
//! Everything blocks and needs no runtime; an async test calls it as it is. A missing server fails
//! the test and names `.ci/test`, which prepares them; it never skips silently.
//!
//! A test with several files keeps them beside it without `mod.rs`: `tests/live.rs` says
//! `mod live { mod ttl; mod keys; }`, and Cargo finds `tests/live/ttl.rs`.

#![allow(
    dead_code,
    reason = "each test binary compiles all of the harness and uses its own part"
)]

pub mod certs;
pub mod desk;
pub mod grammar;
pub mod memcached;
pub mod net;
pub mod process;
pub mod program;
pub mod proxy;
pub mod pty;
pub mod redis;
pub mod resp;
pub mod scripted;
pub mod wait;
