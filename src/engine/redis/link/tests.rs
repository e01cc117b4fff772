use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::redis::{Cmd, cmd};
use secrecy::SecretString;

use super::{Link, command};
use crate::engine::redis::scripted::Does::{HangsUp, Says, Waits};
use crate::engine::redis::scripted::{Scripted, polite};
use crate::engine::{Fault, Kind};
use crate::guard::{Audit, Consent, Policy, plan};
use crate::model::{Change, Preview, Target};

fn link(target: Target) -> Link {
    Link::to(target, Arc::default())
}

async fn ask(link: &Link, question: Cmd) -> Result<usize, Fault> {
    link.ask(&[question])
        .await
        .map(|answer| answer.replies.len())
}

#[tokio::test]
async fn a_write_without_permit_is_stopped_before_a_byte_is_sent() {
    let server = Scripted::answering(|line| polite(line).unwrap_or(Says("+OK\r\n")));
    let link = link(server.target());
    for write in [
        command(&["SET", "k", "v"]),
        command(&["FLUSHALL"]),
        command(&["CONFIG", "SET", "a", "b"]),
    ] {
        let fault = ask(&link, write).await.expect_err("no permit");
        assert_eq!(fault.kind(), Kind::Guard);
    }
    let mixed = [cmd("PING"), command(&["DEL", "k"])];
    link.ask(&mixed).await.expect_err("no permit");
    assert_eq!(server.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn a_permit_lets_nothing_pass_but_its_own_change() {
    let server = Scripted::answering(|line| polite(line).unwrap_or(Says("+OK\r\n")));
    let target = server.target();
    let directory = tempfile::tempdir().expect("a directory");
    let permit = plan(&Policy::of(&target), Change::Snapshot, Preview::default())
        .expect("a plan")
        .permit(&Consent::Flag, &Audit::in_directory(directory.path()))
        .expect("a permit");
    let link = link(target);
    for other in [
        command(&["UNLINK", "k"]),
        command(&["PEXPIRE", "k", "1"]),
        command(&["FLUSHALL"]),
    ] {
        let flight = [cmd("BGSAVE"), other];
        let unsent = link.carry_out(&permit, &flight).await.expect_err("stopped");
        assert!(!unsent.was_sent);
        assert_eq!(unsent.fault.kind(), Kind::Guard);
    }
    assert_eq!(server.heard(), Vec::<String>::new());
    link.carry_out(&permit, &[cmd("BGSAVE")])
        .await
        .expect("its own change");
}

#[tokio::test]
async fn the_first_question_travels_with_the_login() {
    // Nothing is answered before the question has arrived: who waits for the login waits for ever.
    let server = Scripted::answering(|line| match line {
        "DBSIZE" => Says(":3\r\n"),
        _ => Waits("+OK\r\n"),
    });
    let link = link(server.target());
    assert_eq!(ask(&link, cmd("DBSIZE")).await, Ok(1));
    assert_eq!(server.heard().last().map(String::as_str), Some("DBSIZE"));
}

#[tokio::test]
async fn a_refused_login_spoils_the_answer() {
    let server = Scripted::answering(|line| match line {
        "AUTH secret" => Says("-WRONGPASS invalid username-password pair\r\n"),
        _ => polite(line).unwrap_or(Says(":3\r\n")),
    });
    let mut target = server.target();
    target.password = Some(SecretString::from("secret"));
    let fault = ask(&link(target), cmd("DBSIZE"))
        .await
        .expect_err("no login");
    assert_eq!(fault.kind(), Kind::Permission);
    assert!(fault.to_string().contains("WRONGPASS"), "{fault}");
    assert!(!fault.to_string().contains("secret"), "{fault}");
}

#[tokio::test]
async fn a_database_that_is_not_there_spoils_the_answer() {
    let server = Scripted::answering(|line| match line {
        "SELECT 99" => Says("-ERR DB index is out of range\r\n"),
        _ => polite(line).unwrap_or(Says(":3\r\n")),
    });
    let mut target = server.target();
    target.database = 99;
    let fault = ask(&link(target), cmd("DBSIZE"))
        .await
        .expect_err("no such database");
    assert_eq!(fault.to_string(), "SELECT: DB index is out of range");
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_opened_again() {
    let asked = AtomicUsize::new(0);
    let server = Scripted::answering(move |line| match line {
        "DBSIZE" if asked.fetch_add(1, Ordering::SeqCst) == 1 => HangsUp,
        "DBSIZE" => Says(":3\r\n"),
        _ => polite(line).unwrap_or(HangsUp),
    });
    let link = link(server.target());
    assert_eq!(ask(&link, cmd("DBSIZE")).await, Ok(1));
    assert_eq!(ask(&link, cmd("DBSIZE")).await, Ok(1));
    let logins = server
        .heard()
        .iter()
        .filter(|line| line.starts_with("CLIENT SETNAME"))
        .count();
    assert_eq!(logins, 2);
}

#[tokio::test]
async fn more_than_may_be_read_is_too_large_and_the_link_heals() {
    let server = Scripted::answering(|line| match line {
        "TIME" => Says("$2000000\r\n0123456789"),
        _ => polite(line).unwrap_or(Says(":3\r\n")),
    });
    let mut target = server.target();
    target.limits.reply_bytes = 40;
    let link = link(target);
    let big = link
        .ask(&[cmd("DBSIZE"), cmd("TIME")])
        .await
        .expect_err("too large");
    assert!(matches!(big, Fault::TooLarge { .. }), "{big}");
    assert_eq!(ask(&link, cmd("DBSIZE")).await, Ok(1));
}

#[tokio::test]
async fn memcached_is_recognised() {
    let server = Scripted::answering(|_| Says("ERROR\r\n"));
    let fault = ask(&link(server.target()), cmd("PING"))
        .await
        .expect_err("a stranger");
    assert!(matches!(fault, Fault::WrongServer { .. }), "{fault}");
    assert!(fault.hint().expect("a hint").contains("memcached://"));
}
