//! TTLs as Memcached counts them.
//!
//! It reads a TTL of more than 30 days as a moment on its own clock, and one beyond 2038 as the past,
//! without a word: the item is gone. So long TTLs are sent as that moment, and what cannot be written
//! is refused.

use std::time::Duration;

use crate::engine::memcached::clock::Clock;
use crate::model::TtlWish;

/// What is more, Memcached takes for a moment.
const LONGEST_SPAN: i64 = 30 * 24 * 60 * 60;

/// The last moment that it can write: 2038-01-19.
const LAST_SECOND: i64 = i32::MAX as i64;

/// A TTL as Memcached wants it, and what a person should know about that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expiry {
    pub wire: u32,
    pub note: Option<String>,
}

/// The wish as Memcached counts, or why it must not be sent.
pub(super) fn expiry(wish: TtlWish, clock: Option<Clock>) -> Result<Expiry, String> {
    let no_clock = || "the server does not tell its clock, by which it counts long TTLs".to_owned();
    match wish {
        TtlWish::Never => Ok(Expiry {
            wire: 0,
            note: None,
        }),
        TtlWish::In(span) => {
            let seconds = whole_seconds(span);
            if seconds == 0 {
                return Err(
                    "a TTL of 0 would mean never to Memcached: delete the key instead".into(),
                );
            }
            if seconds <= LONGEST_SPAN {
                let note = (seconds == 1).then(|| {
                    "Memcached counts whole seconds: a TTL of 1 s may be over at once".to_owned()
                });
                return Ok(Expiry {
                    wire: written(seconds)?,
                    note,
                });
            }
            let clock = clock.ok_or_else(no_clock)?;
            let moment = clock.server.0.div_euclid(1_000).saturating_add(seconds);
            Ok(Expiry {
                wire: written(moment)?,
                note: Some(format!(
                    "over 30 days: sent as the absolute time {moment} on the server's clock, since Memcached would take the span for a moment in 1970"
                )),
            })
        }
        TtlWish::At(moment) => {
            let clock = clock.ok_or_else(no_clock)?;
            let second = clock.to_server(moment);
            if second.saturating_mul(1_000) <= clock.server.0 || second <= LONGEST_SPAN {
                return Err("that moment is over: delete the key instead".into());
            }
            let note = clock.difference().map(|apart| {
                format!(
                    "the server's clock differs from ours by {} s; the moment is sent on its clock",
                    apart.as_secs()
                )
            });
            Ok(Expiry {
                wire: written(second)?,
                note,
            })
        }
    }
}

fn written(second: i64) -> Result<u32, String> {
    u32::try_from(second)
        .ok()
        .filter(|_| second <= LAST_SECOND)
        .ok_or_else(|| {
            "Memcached writes moments in 31 bits, up to 2038-01-19: a later one would delete the item (ask for no TTL instead)".to_owned()
        })
}

/// Rounded up: a key should not die before its time.
fn whole_seconds(span: Duration) -> i64 {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    seconds.saturating_add(i64::from(span.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Expiry, expiry};
    use crate::engine::memcached::clock::Clock;
    use crate::model::{TtlWish, UnixMs};

    const NOW: i64 = 1_795_387_258;

    fn wire(wish: TtlWish) -> Result<u32, String> {
        let clock = Clock {
            ours: UnixMs(NOW * 1_000),
            server: UnixMs(NOW * 1_000),
        };
        expiry(wish, Some(clock)).map(|expiry| expiry.wire)
    }

    fn span(seconds: u64) -> TtlWish {
        TtlWish::In(Duration::from_secs(seconds))
    }

    #[test]
    fn up_to_30_days_go_as_a_span_and_more_as_a_moment() {
        assert_eq!(wire(TtlWish::Never), Ok(0));
        assert_eq!(wire(span(60)), Ok(60));
        assert_eq!(wire(TtlWish::In(Duration::from_millis(1_500))), Ok(2));
        assert_eq!(wire(span(2_592_000)), Ok(2_592_000));
        assert_eq!(wire(span(2_592_001)), Ok(1_795_387_258 + 2_592_001));
        assert_eq!(
            wire(TtlWish::At(UnixMs((NOW + 5) * 1_000))),
            Ok(1_795_387_263)
        );
    }

    #[test]
    fn what_would_delete_or_never_expire_is_not_sent() {
        assert!(wire(span(0)).is_err());
        assert!(wire(span(400_000_000)).is_err());
        assert!(wire(span(u64::MAX)).is_err());
        assert!(wire(TtlWish::At(UnixMs(NOW * 1_000))).is_err());
        assert!(wire(TtlWish::At(UnixMs(0))).is_err());
        assert!(wire(TtlWish::At(UnixMs(i64::MAX))).is_err());
    }

    #[test]
    fn a_long_ttl_says_how_it_is_sent() {
        let clock = Clock {
            ours: UnixMs(NOW * 1_000),
            server: UnixMs(NOW * 1_000),
        };
        let Ok(Expiry {
            note: Some(note), ..
        }) = expiry(span(2_592_001), Some(clock))
        else {
            panic!("no note");
        };
        assert!(note.starts_with("over 30 days: sent as the absolute time 1797979259"));
        assert!(expiry(span(2_592_001), None).is_err());
    }
}
