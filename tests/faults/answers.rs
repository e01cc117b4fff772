//! Answers that are too large, never end, or lie.

use cachedeck::engine::{Backend, Kind, Server};
use cachedeck::model::{Key, Part, Target, Window};

use super::wrong_server::{check, fault};
use crate::common::redis::{Flavor, RedisServer};
use crate::common::scripted::{Answer, ScriptedServer};

#[test]
fn a_line_without_end_is_cut_off() {
    let server = ScriptedServer::always(Answer::endless_line());
    for scheme in ["redis", "memcached"] {
        let fault = fault(&format!("{scheme}://{}", server.address()));
        assert!(
            server.written() < 256 << 20,
            "{} bytes were read",
            server.written()
        );
        check(&fault, fault.kind(), &[]);
    }
}

#[test]
fn an_announced_giant_is_not_believed() {
    let server = ScriptedServer::always(Answer::huge_bulk(10_000_000_000));
    let fault = fault(&format!("redis://{}", server.address()));
    assert!(
        server.written() < 256 << 20,
        "{} bytes were read",
        server.written()
    );
    assert_ne!(fault.kind(), Kind::Setup, "{fault}");
}

#[test]
fn a_window_on_512_mib_reads_the_window() {
    let server = RedisServer::plain(Flavor::default());
    // SETRANGE makes the value in the server, so that the test does not carry it there.
    server.run("SETRANGE giant 536870911 x");
    let target = Target::parse_url(&server.url()).expect("a URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let window = Window {
        from: 0,
        count: 65_536,
    };
    let (card, value) = runtime
        .block_on(async { Server::at(target).show(&Key::from("giant"), window).await })
        .expect("an answer")
        .expect("the key is there");
    assert_eq!(
        (card.length, value.of),
        (Some(536_870_912), Some(536_870_912))
    );
    assert!(matches!(&value.part, Part::Text(bytes) if bytes.len() == 65_536));
    let sent: u64 = server
        .info("total_net_output_bytes")
        .expect("a counter")
        .parse()
        .expect("a number");
    assert!(sent < 1 << 20, "{sent} bytes left the server");
}

#[test]
fn a_hash_with_one_giant_field_opens_and_says_what_is_left_out() {
    let server = RedisServer::plain(Flavor::default());
    server.run("HSET table small value");
    let giant = vec![b'x'; 40 << 20];
    assert!(
        !server
            .cmd(&[b"HSET", b"table", b"giant", &giant])
            .is_error()
    );
    let target = Target::parse_url(&server.url()).expect("a URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let window = Window {
        from: 0,
        count: 100,
    };
    let shown =
        runtime.block_on(async { Server::at(target).show(&Key::from("table"), window).await });
    let (card, value) = shown.expect("an answer").expect("the key is there");
    assert_eq!(card.length, Some(2));
    assert!(
        value.cut.is_some() || matches!(value.part, Part::Opaque(_)),
        "nothing says that a part is missing"
    );
}
