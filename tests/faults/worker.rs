//! A worker behind a bad network: every question ends, what it says is right or a fault, and it
//! comes back.

use std::time::Duration;

use cachedeck::engine::Fault;
use cachedeck::engine::worker::{Query, Report, SessionState, Ticket};
use cachedeck::model::{Key, Part, Target, Window};

use super::network::{impatient, through};
use crate::common::desk::Desk;
use crate::common::memcached::{self, MemcachedServer};
use crate::common::proxy::{Cut, FaultProxy};
use crate::common::redis::{Flavor, RedisServer};

const VALUE: &[u8] = b"forty-two bytes that are known to the test";

/// Runs the work behind a proxy to each kind of server, all of which hold the same value.
fn behind_a_proxy(work: impl Fn(&str, &FaultProxy)) {
    let redis = RedisServer::plain(Flavor::default());
    let memcached = MemcachedServer::start(memcached::Options::default());
    assert!(!redis.cmd(&[b"SET", b"known", VALUE]).is_error());
    memcached.set("known", VALUE, 0);
    work("redis", &FaultProxy::to(redis.address()));
    work("memcached", &FaultProxy::to(memcached.address()));
}

fn ask(desk: &Desk, number: u64) -> Result<Vec<u8>, Fault> {
    let ticket = Ticket(number);
    desk.ask(Query::Show {
        ticket,
        key: Key::from("known"),
        window: Window {
            from: 0,
            count: 1000,
        },
    });
    let shown = desk.wait_for("the answer", |report| match report {
        Report::Shown {
            ticket: answered,
            shown,
        } if answered == ticket => Some(*shown),
        _ => None,
    });
    let (_, value) = shown?.expect("the key is there");
    match value.part {
        Part::Text(bytes) => Ok(bytes),
        part => panic!("no text: {part:?}"),
    }
}

fn is_well_again(desk: &Desk, proxy: &FaultProxy) {
    proxy.heal();
    proxy.cut(Cut::Rst);
    desk.ask(Query::SampleNow);
    desk.next_sample();
    assert_eq!(ask(desk, 999_999).expect("a value"), VALUE);
}

#[test]
fn cuts_in_the_middle_of_replies_give_faults_and_no_wrong_values() {
    behind_a_proxy(|scheme, proxy| {
        let target = impatient(&through(proxy, scheme));
        let desk = Desk::over(target, Duration::from_millis(20));
        desk.wait_until_up();
        for at in (0_u64..600).step_by(13).chain((600..9000).step_by(700)) {
            let how = if at % 2 == 0 { Cut::Fin } else { Cut::Rst };
            proxy.set(|faults| faults.cut_down = Some((at, how)));
            proxy.cut(Cut::Rst);
            if let Ok(value) = ask(&desk, at) {
                assert_eq!(value, VALUE, "{scheme}, cut after {at}");
            }
        }
        is_well_again(&desk, proxy);
    });
}

#[test]
fn a_session_is_down_while_nothing_gets_through_and_up_afterwards() {
    behind_a_proxy(|scheme, proxy| {
        let target = impatient(&through(proxy, scheme));
        let desk = Desk::over(target, Duration::from_millis(20));
        desk.wait_until_up();
        proxy.set(|faults| faults.cut_down = Some((3, Cut::Fin)));
        proxy.cut(Cut::Fin);
        desk.wait_until_down();
        ask(&desk, 1).expect_err("three bytes are no answer");
        proxy.heal();
        desk.ask(Query::SampleNow);
        desk.wait_until_up();
        desk.next_sample();
    });
}

/// What a flipped byte means nobody can know: it may be a letter of the value. It must not be more
/// than that.
#[test]
fn a_flipped_byte_ends_no_task_and_is_forgotten() {
    behind_a_proxy(|scheme, proxy| {
        let target = impatient(&through(proxy, scheme));
        let desk = Desk::over(target, Duration::from_millis(20));
        desk.wait_until_up();
        for at in (0..60).chain((60..400).step_by(11)) {
            proxy.set(|faults| faults.corrupt_down = Some(at));
            proxy.cut(Cut::Rst);
            let answer = desk_answers(&desk, at);
            assert!(answer, "{scheme}, flipped at {at}");
        }
        is_well_again(&desk, proxy);
    });
}

/// Whether a question ends, with whatever answer.
fn desk_answers(desk: &Desk, number: u64) -> bool {
    let ticket = Ticket(number);
    desk.ask(Query::Facts {
        ticket,
        keys: vec![Key::from("known")],
    });
    desk.wait_for("the end of the question", |report| match report {
        Report::Facts {
            ticket: answered, ..
        } => Some(answered == ticket),
        _ => None,
    })
}

#[test]
fn single_bytes_and_a_long_way_are_slow_and_right() {
    behind_a_proxy(|scheme, proxy| {
        proxy.set(|faults| {
            faults.slice = true;
            faults.delay_up = Duration::from_millis(150);
            faults.delay_down = Duration::from_millis(150);
        });
        let target = Target::parse_url(&through(proxy, scheme)).expect("a URL");
        let desk = Desk::over(target, Duration::from_millis(20));
        let keys = desk.wait_for("a sample", |report| match report {
            Report::Session(SessionState::Down { why, .. }) => panic!("{scheme}: {why}"),
            Report::Sampled(sample) => Some(sample.keys()),
            _ => None,
        });
        assert_eq!(keys, Some(1), "{scheme}");
        assert_eq!(ask(&desk, 1).expect("a value"), VALUE, "{scheme}");
    });
}
