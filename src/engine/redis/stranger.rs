//! Tells from the first bytes who answers where a Redis server was expected.

use crate::engine::Fault;
use crate::engine::redis::reply::Refusal;
use crate::text;

/// How much of what a stranger said is quoted.
const QUOTED: usize = 40;

/// The fault for a connection that broke before it was of any use.
pub fn fault(place: &str, head: &[u8]) -> Fault {
    // A server that is full or protected says so in an error of the protocol and hangs up.
    if let Some(line) = head.strip_prefix(b"-") {
        return Refusal::from_line(&line_of(line)).fault(place, "the login");
    }
    let Some((got, hint)) = stranger(head) else {
        return Fault::Closed {
            place: place.to_owned(),
            doing: "logging in",
        };
    };
    Fault::WrongServer {
        place: place.to_owned(),
        expected: "Redis",
        got,
        hint: hint.map(str::to_owned),
    }
}

/// Whether something was said that a Redis server would not say.
pub fn is_one(head: &[u8]) -> bool {
    !matches!(head.first(), None | Some(b'+' | b'-' | b':' | b'$' | b'*'))
}

/// The first line of what was said, safe to show and short.
pub fn first_line(head: &[u8]) -> String {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or(head);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let quoted = text::escape(&line[..line.len().min(QUOTED)]);
    if line.len() > QUOTED {
        format!("{quoted}…")
    } else {
        quoted
    }
}

fn stranger(head: &[u8]) -> Option<(String, Option<&'static str>)> {
    const MEMCACHED: &str = "this looks like Memcached: use memcached://HOST:PORT";
    const TLS: &str = "the server speaks TLS: use rediss://";
    let starts = |with: &[u8]| head.starts_with(with);
    if !is_one(head) {
        return None;
    }
    let said = format!("it said {}", first_line(head));
    Some(
        if starts(b"ERROR") || starts(b"CLIENT_ERROR") || starts(b"SERVER_ERROR") {
            (said, Some(MEMCACHED))
        } else if starts(b"HTTP/") || starts(b"<!DOCTYPE") || starts(b"<html") {
            (said, Some("this is an HTTP server"))
        } else if starts(b"SSH-") {
            (said, Some("this is an SSH server"))
        } else if matches!(head, [0x15 | 0x16, 3, ..]) {
            ("it answered with TLS".to_owned(), Some(TLS))
        } else {
            (said, None)
        },
    )
}

fn line_of(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or(bytes);
    // Words that are no text are made safe here, where the bytes still are; the rest when shown.
    String::from_utf8(line.to_vec()).unwrap_or_else(|_| text::escape(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &[u8], says: &str, hint: Option<&str>) {
        let fault = fault("cache:6379", head);
        assert_eq!(fault.to_string(), says);
        if let Some(hint) = hint {
            assert_eq!(fault.hint().as_deref(), Some(hint));
        }
    }

    #[test]
    fn strangers_are_recognised() {
        check(
            b"ERROR\r\nERROR\r\n",
            "cache:6379 is not a Redis server: it said ERROR",
            Some("this looks like Memcached: use memcached://HOST:PORT"),
        );
        check(
            b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n",
            "cache:6379 is not a Redis server: it said HTTP/1.1 400 Bad Request",
            Some("this is an HTTP server"),
        );
        check(
            &[0x15, 3, 3, 0, 2, 2, 10],
            "cache:6379 is not a Redis server: it answered with TLS",
            Some("the server speaks TLS: use rediss://"),
        );
    }

    #[test]
    fn a_full_server_is_no_stranger() {
        check(
            b"-ERR max number of clients reached\r\n",
            "cache:6379 is not ready: max number of clients reached",
            None,
        );
    }

    #[test]
    fn a_server_that_hangs_up_half_way_is_no_stranger() {
        check(
            b"+OK\r\n",
            "cache:6379 closed the connection while logging in",
            None,
        );
    }

    #[test]
    fn silence_before_the_end_suggests_tls() {
        check(
            b"",
            "cache:6379 closed the connection while logging in",
            Some("does the server expect TLS there? then use rediss:// or --tls"),
        );
    }
}
