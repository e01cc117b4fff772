//! Every fault of the proxy and every answer of a script is seen by a client.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::proxy::{Cut, FaultProxy};
use crate::common::scripted::{Answer, Script, ScriptedServer};
use crate::common::wait::{self, PATIENCE};

/// A server that answers "pong\n" to every "ping", and a proxy before it.
fn pinged() -> (ScriptedServer, FaultProxy) {
    let server = ScriptedServer::start(Script::new().on("ping", Answer::Bytes(b"pong\n".to_vec())));
    let proxy = FaultProxy::to(server.address());
    (server, proxy)
}

fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let patient = socket.set_read_timeout(Some(PATIENCE));
    patient.expect("a socket of our own");
    socket
}

fn ping(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    socket.write_all(b"ping")?;
    let mut answer = vec![0; 5];
    socket.read_exact(&mut answer).map(|()| answer)
}

#[test]
fn a_good_network_passes_everything_and_counts() {
    let (server, proxy) = pinged();
    let mut socket = connect(proxy.port());
    assert_eq!(ping(&mut socket).expect("an answer"), b"pong\n");
    assert_eq!(ping(&mut socket).expect("an answer"), b"pong\n");
    assert_eq!(proxy.sent(), b"pingping");
    assert_eq!(server.received(), b"pingping");
    assert_eq!((proxy.connections(), proxy.delivered()), (1, 10));
    assert!(proxy.saw(b"PING") && !proxy.saw(b"SET"));
}

#[test]
fn delay_holds_bytes_back() {
    let (_server, proxy) = pinged();
    let mut socket = connect(proxy.port());
    proxy.set(|faults| faults.delay_down = Duration::from_millis(150));
    let start = Instant::now();
    assert_eq!(ping(&mut socket).expect("an answer"), b"pong\n");
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[test]
fn stalled_bytes_arrive_after_healing() {
    let (server, proxy) = pinged();
    let mut socket = connect(proxy.port());
    proxy.set(|faults| faults.stall = true);
    socket.write_all(b"ping").expect("the proxy still takes it");
    wait::until("the request at the proxy", PATIENCE, || {
        (proxy.sent() == b"ping").then_some(())
    });
    assert_eq!(server.received(), b"");
    proxy.heal();
    let mut answer = [0; 5];
    socket.read_exact(&mut answer).expect("an answer at last");
    assert_eq!(&answer, b"pong\n");
}

#[test]
fn a_cut_ends_the_connection_after_exactly_n_bytes() {
    let (_server, proxy) = pinged();
    proxy.set(|faults| faults.cut_down = Some((7, Cut::Fin)));
    let mut socket = connect(proxy.port());
    assert_eq!(ping(&mut socket).expect("five bytes"), b"pong\n");
    socket.write_all(b"ping").expect("still open");
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).expect("an end in order");
    assert_eq!(rest, b"po");
}

#[test]
fn a_reset_is_read_as_one() {
    let (_server, proxy) = pinged();
    let mut socket = connect(proxy.port());
    ping(&mut socket).expect("an answer");
    proxy.cut(Cut::Rst);
    let why = socket.read(&mut [0]).expect_err("no more");
    assert_eq!(why.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn requests_can_be_cut_on_their_way_up() {
    let (server, proxy) = pinged();
    proxy.set(|faults| faults.cut_up = Some((2, Cut::Rst)));
    let mut socket = connect(proxy.port());
    assert!(ping(&mut socket).is_err());
    wait::until("what arrived", PATIENCE, || {
        (server.received() == b"pi").then_some(())
    });
    assert_eq!(proxy.sent(), b"ping");
}

#[test]
fn sliced_answers_are_whole_and_corrupt_ones_are_not() {
    let (_server, proxy) = pinged();
    proxy.set(|faults| faults.slice = true);
    let mut socket = connect(proxy.port());
    assert_eq!(ping(&mut socket).expect("an answer"), b"pong\n");
    proxy.set(|faults| faults.corrupt_down = Some(6));
    assert_eq!(ping(&mut socket).expect("an answer"), b"p\x90ng\n");
}

#[test]
fn refusing_closes_the_port_and_healing_opens_it() {
    let (_server, proxy) = pinged();
    let mut old = connect(proxy.port());
    ping(&mut old).expect("an answer");
    proxy.set(|faults| faults.refuse = true);
    let refused = TcpStream::connect(proxy.address()).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ping(&mut old).expect("open connections stay"), b"pong\n");
    proxy.heal();
    assert_eq!(ping(&mut connect(proxy.port())).expect("again"), b"pong\n");
}

#[test]
fn a_dead_upstream_resets() {
    let (server, proxy) = pinged();
    drop(server);
    assert!(ping(&mut connect(proxy.port())).is_err());
}

#[test]
fn a_script_answers_requests_in_their_order() {
    let server = ScriptedServer::start(
        Script::new()
            .on("INFO", Answer::Bytes(b"i".to_vec()))
            .on("ping", Answer::Bytes(b"p".to_vec()))
            .on("quit", Answer::ThenClose(b"bye".to_vec())),
    );
    let mut socket = connect(server.port());
    socket
        .write_all(b"PING info PING quit")
        .expect("it listens");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an end in order");
    assert_eq!(answer, b"pipbye");
    assert_eq!(server.received(), b"PING info PING quit");
}

#[test]
fn a_script_greets_stays_silent_and_resets() {
    let server = ScriptedServer::start(
        Script::new()
            .greets(Answer::Bytes(b"hello\n".to_vec()))
            .on("hush", Answer::Silence)
            .on("die", Answer::ThenReset(b"$10\r\nabc".to_vec())),
    );
    let mut socket = connect(server.port());
    let mut hello = [0; 6];
    socket.read_exact(&mut hello).expect("a greeting");
    socket.write_all(b"hush").expect("it listens");
    socket.write_all(b"die").expect("it listens");
    let mut answer = Vec::new();
    let why = socket.read_to_end(&mut answer).expect_err("a reset");
    assert_eq!(why.kind(), ErrorKind::ConnectionReset);
    assert_eq!(answer, b"$10\r\nabc");
}

#[test]
fn an_endless_answer_ends_when_the_client_leaves() {
    let server = ScriptedServer::always(Answer::endless_line());
    let mut socket = connect(server.port());
    socket.write_all(b"x").expect("it listens");
    let mut start = vec![0; 1_000_000];
    socket.read_exact(&mut start).expect("a long line");
    assert!(start.starts_with(b"+x") && !start.contains(&b'\n'));
    drop(socket);
    let mut before = server.written();
    wait::until("the answer to end", PATIENCE, || {
        let now = server.written();
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    assert!(server.written() >= 1_000_000);
}

#[test]
fn ready_made_answers_are_what_they_say() {
    let say = |answer: Answer, length: usize| {
        let server = ScriptedServer::always(answer);
        let mut socket = connect(server.port());
        socket.write_all(b"PING\r\n").expect("it listens");
        let mut start = vec![0; length];
        socket.read_exact(&mut start).expect("an answer");
        start
    };
    assert_eq!(say(Answer::http(), 12), b"HTTP/1.1 400");
    assert_eq!(say(Answer::huge_bulk(536_870_912), 12), b"$536870912\r\n");
    assert!(std::str::from_utf8(&say(Answer::garbage(), 20)).is_err());
}
