//! Time to live: what it is, how people write it, how it is shown.

use std::fmt;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};
use thiserror::Error;

use crate::model::duration::Why;
use crate::model::units::{Decimal, local_time, rfc3339, span, span_exact, timestamp};
use crate::model::{DurationExpr, ExprError, UnixMs, parse_duration};

/// The longest TTL that is taken for what was meant: 50 years of 365 days. Longer ones are a mistyped
/// unit, or a moment in seconds since 1970 where a duration belongs.
const LONGEST: Duration = Duration::from_secs(50 * 365 * 86_400);

/// From this length on, the end of a duration is shown to the minute.
const SECONDS_ARE_NOISE: Duration = Duration::from_secs(3600);

/// How long a key still lives.
///
/// Kept as the moment of expiry on *our* clock (the time left as the server said it, added to the
/// moment of the answer), so that a countdown needs no further question and no clock agreement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ttl {
    /// It lives until it is deleted or evicted.
    None,
    /// It expires at this moment of our clock.
    Until(UnixMs),
    /// It was not asked, or the server would not say.
    #[default]
    Unknown,
}

impl Ttl {
    /// The time left at `now`; zero when it is over; `None` when there is no end, or none known.
    pub fn left(self, now: UnixMs) -> Option<Duration> {
        match self {
            Self::Until(end) => Some(end.since(now).unwrap_or_default()),
            Self::None | Self::Unknown => None,
        }
    }
}

/// What a person wants a TTL to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlWish {
    /// This long from the moment the server is told.
    In(Duration),
    /// At this moment.
    At(UnixMs),
    /// Never: remove the TTL.
    Never,
}

impl TtlWish {
    /// Reads what a person writes: a duration (`90s`, `1d12h`; a plain number is seconds), a moment in
    /// `zone` (`18:00`, `tomorrow 06:00`, `2026-12-24 18:00`), a moment with its own zone (RFC 3339,
    /// `@` and seconds since 1970), or `never`.
    ///
    /// # Errors
    /// When it is none of these, or is past, zero, more than 50 years away, or a time that the clocks
    /// of `zone` skip or show twice.
    pub fn parse(text: &str, now: UnixMs, zone: &TimeZone) -> Result<Self, TtlError> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        if matches!(lower.as_str(), "never" | "none" | "persist") {
            return Ok(Self::Never);
        }
        match moment(&lower, now, zone)? {
            Some(at) => later(at, now, zone).map(Self::At),
            None => wished_duration(text).map(Self::In),
        }
    }

    /// The wish with both its faces: `in 1d 12h (2026-11-24 10:20)`.
    pub fn words(self, now: UnixMs, zone: &TimeZone) -> String {
        match self {
            Self::Never => "never".to_owned(),
            Self::In(length) => {
                let at = clock(now.plus(length), zone, length >= SECONDS_ARE_NOISE);
                format!("in {} ({at})", span_exact(length))
            }
            Self::At(at) => {
                let shown = clock(at, zone, at.0.rem_euclid(60_000) == 0);
                match at.since(now) {
                    Some(left) => format!("in {} ({shown})", span(left)),
                    None => format!("at {shown}, which is past"),
                }
            }
        }
    }
}

/// In a form that [`TtlWish::parse`] reads back: `1d 12h`, `2026-11-24T10:20:00.000Z`, `never`.
impl fmt::Display for TtlWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(length) => f.pad(&span_exact(*length)),
            Self::At(at) => f.pad(&rfc3339(*at)),
            Self::Never => f.pad("never"),
        }
    }
}

/// Why a text is no TTL that can be set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TtlError {
    #[error(
        "{text:?} is no time to live; write a duration (90s, 2h, 1d12h, 500ms), a moment (18:00, tomorrow 06:00, 2026-12-24 18:00, 2026-12-24T18:00:00+01:00, @1735689600) or never"
    )]
    Unreadable { text: String },
    /// Engines disagree on what zero means: at once for one, never for the other.
    #[error(
        "a time to live is at least 1ms; to remove the key delete it, to keep it for good write never"
    )]
    Zero,
    #[error("a time to live cannot be negative; to remove the key delete it")]
    Negative,
    #[error("{at} is past (it is {now} now)")]
    Past { at: String, now: String },
    #[error(
        "{text:?} is more than 50 years away; write never to keep the key for good (a plain number is seconds from now, a moment in seconds since 1970 begins with @)"
    )]
    TooFar { text: String },
    #[error(
        "clocks are set forward over {at}, so that this time does not exist; write an earlier or later one, or one with its offset such as {example}"
    )]
    Skipped { at: String, example: String },
    #[error(
        "clocks are set back over {at}, so that this time comes twice; write it with its offset: {first} or {second}"
    )]
    Twice {
        at: String,
        first: String,
        second: String,
    },
}

/// A question about a TTL, as filters take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlExpr {
    /// `none`: keys that never expire.
    Without,
    /// `any`: keys that expire, whenever that is.
    With,
    /// `<1h`, `>=2d`: keys that expire, and have this long left.
    Left(DurationExpr),
}

impl TtlExpr {
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "none" | "never" => Ok(Self::Without),
            "any" => Ok(Self::With),
            other => DurationExpr::parse(other)
                .map(Self::Left)
                .map_err(|error| match error {
                    ExprError::NoComparison { text } => ExprError::NoTtl { text },
                    other @ (ExprError::NoTtl { .. } | ExprError::Duration(_)) => other,
                }),
        }
    }

    /// Whether a key is meant. One whose TTL is unknown never is: nothing can be said about it.
    pub fn matches(self, ttl: Ttl, now: UnixMs) -> bool {
        match self {
            Self::Without => ttl == Ttl::None,
            Self::With => matches!(ttl, Ttl::Until(_)),
            Self::Left(length) => ttl.left(now).is_some_and(|left| length.matches(left)),
        }
    }
}

impl fmt::Display for TtlExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Without => f.write_str("none"),
            Self::With => f.write_str("any"),
            Self::Left(length) => length.fmt(f),
        }
    }
}

/// The moment that `text` names; `None` when it does not look like one.
fn moment(text: &str, now: UnixMs, zone: &TimeZone) -> Result<Option<UnixMs>, TtlError> {
    let unreadable = || TtlError::Unreadable {
        text: text.to_owned(),
    };
    let today = || zone.to_datetime(timestamp(now)).date();
    let tomorrow = || today().checked_add(1.day()).map_err(|_| unreadable());
    let time = |text: &str| clock_time(text.trim()).ok_or_else(unreadable);
    let found = if let Some(seconds) = text.strip_prefix('@') {
        since_epoch(seconds).ok_or_else(unreadable)?
    } else if let Some(rest) = text.strip_prefix("today") {
        only(today().to_datetime(time(rest)?), zone)?
    } else if let Some(rest) = text.strip_prefix("tomorrow") {
        only(tomorrow()?.to_datetime(time(rest)?), zone)?
    } else if is_date_like(text) {
        dated(text, zone)?.ok_or_else(unreadable)?
    } else if text.contains(':') {
        let time = time(text)?;
        match only(today().to_datetime(time), zone)? {
            at if at > now => at,
            _ => only(tomorrow()?.to_datetime(time), zone)?,
        }
    } else {
        return Ok(None);
    };
    Ok(Some(found))
}

fn since_epoch(seconds: &str) -> Option<UnixMs> {
    let millis = Decimal::parse(seconds)?.times(1000)?;
    i64::try_from(millis).ok().map(UnixMs)
}

/// Begins like `2026-`.
fn is_date_like(text: &str) -> bool {
    text.split_once('-')
        .is_some_and(|(year, _)| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Four digits, month, day, perhaps a time, perhaps an offset.
fn dated(text: &str, zone: &TimeZone) -> Result<Option<UnixMs>, TtlError> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(UnixMs(at.as_millisecond())));
    }
    // Strict formats: the calendar's own parser would read a date with a wrong offset and drop the
    // offset.
    let (date, time) = match text.split_once(['t', ' ']) {
        Some((date, time)) => (date, clock_time(time.trim_start())),
        None => (text, Some(Time::midnight())),
    };
    let date = Date::strptime("%Y-%m-%d", date).ok();
    match date.zip(time) {
        Some((date, time)) => only(date.to_datetime(time), zone).map(Some),
        None => Ok(None),
    }
}

/// `18:00` or `18:00:30`.
fn clock_time(text: &str) -> Option<Time> {
    Time::strptime("%H:%M:%S", text)
        .or_else(|_| Time::strptime("%H:%M", text))
        .ok()
}

/// The one moment when the clocks of `zone` show `time`.
fn only(time: DateTime, zone: &TimeZone) -> Result<UnixMs, TtlError> {
    let at = || time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let candidate = zone.to_ambiguous_timestamp(time);
    match candidate.offset() {
        AmbiguousOffset::Unambiguous { .. } => {}
        AmbiguousOffset::Gap { after, .. } => {
            return Err(TtlError::Skipped {
                at: at(),
                example: with_offset(time, after),
            });
        }
        AmbiguousOffset::Fold { before, after } => {
            return Err(TtlError::Twice {
                at: at(),
                first: with_offset(time, before),
                second: with_offset(time, after),
            });
        }
    }
    match candidate.compatible() {
        Ok(moment) => Ok(UnixMs(moment.as_millisecond())),
        // Only the last day of the calendar has no moment.
        Err(_) => Err(TtlError::TooFar { text: at() }),
    }
}

/// `2026-10-25T02:30:00+02:00`
fn with_offset(time: DateTime, offset: Offset) -> String {
    let sign = if offset.is_negative() { '-' } else { '+' };
    let minutes = offset.seconds().unsigned_abs() / 60;
    let civil = time.strftime("%Y-%m-%dT%H:%M:%S");
    format!("{civil}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A moment that is still to come, and not too far away.
fn later(at: UnixMs, now: UnixMs, zone: &TimeZone) -> Result<UnixMs, TtlError> {
    match at.since(now) {
        Some(left) if left > LONGEST => Err(TtlError::TooFar {
            text: local_time(at, zone),
        }),
        Some(left) if !left.is_zero() => Ok(at),
        _ => Err(TtlError::Past {
            at: local_time(at, zone),
            now: local_time(now, zone),
        }),
    }
}

fn wished_duration(text: &str) -> Result<Duration, TtlError> {
    let length = parse_duration(text).map_err(|error| match error.why {
        Why::Negative => TtlError::Negative,
        Why::TooLong => TtlError::TooFar { text: error.text },
        Why::Unreadable | Why::Order => TtlError::Unreadable { text: error.text },
    })?;
    if length < Duration::from_millis(1) {
        return Err(TtlError::Zero);
    }
    if length > LONGEST {
        return Err(TtlError::TooFar {
            text: text.to_owned(),
        });
    }
    Ok(length)
}

/// A moment as people read it, without seconds where these are noise.
fn clock(at: UnixMs, zone: &TimeZone, is_to_the_minute: bool) -> String {
    let mut shown = local_time(at, zone);
    if is_to_the_minute {
        shown.truncate(shown.len() - ":00".len());
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Berlin's rules: an hour is skipped on 2027-03-28 at 02:00 and repeated on 2026-10-25 at 03:00.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn at(text: &str) -> UnixMs {
        UnixMs(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    /// 11:20 in Berlin.
    fn now() -> UnixMs {
        at("2026-11-24T10:20:00Z")
    }

    fn parse(text: &str) -> Result<TtlWish, TtlError> {
        TtlWish::parse(text, now(), &berlin())
    }

    #[test]
    fn moments_are_read_in_the_zone() {
        for (text, expected) in [
            ("2026-12-24 18:00", "2026-12-24T17:00:00Z"),
            ("2026-12-24 18:00:30", "2026-12-24T17:00:30Z"),
            ("2026-12-24T18:00", "2026-12-24T17:00:00Z"),
            ("2026-12-24", "2026-12-23T23:00:00Z"),
            ("2027-07-01 06:00", "2027-07-01T04:00:00Z"),
            ("2026-12-24T18:00:00+05:30", "2026-12-24T12:30:00Z"),
            ("2026-12-24 18:00Z", "2026-12-24T18:00:00Z"),
            ("2026-12-24t18:00:00.250z", "2026-12-24T18:00:00.250Z"),
            ("@1798135200", "2026-12-24T18:00:00Z"),
            ("today 23:30", "2026-11-24T22:30:00Z"),
            ("Tomorrow 06:00", "2026-11-25T05:00:00Z"),
            ("tomorrow 6:00", "2026-11-25T05:00:00Z"),
            ("18:00", "2026-11-24T17:00:00Z"),
            ("11:20", "2026-11-25T10:20:00Z"),
            ("11:20:01", "2026-11-24T10:20:01Z"),
        ] {
            assert_eq!(parse(text), Ok(TtlWish::At(at(expected))), "{text}");
        }
        assert_eq!(parse("2h"), Ok(TtlWish::In(Duration::from_secs(7200))));
        for never in ["never", "None", "persist"] {
            assert_eq!(parse(never), Ok(TtlWish::Never));
        }
    }

    #[test]
    fn what_cannot_be_a_ttl_is_refused_with_the_reason() {
        for (text, why) in [
            ("soon", "write a duration"),
            ("", "write a duration"),
            ("tomorrow", "write a duration"),
            ("25:00", "write a duration"),
            ("2026-13-01", "write a duration"),
            ("2026-02-30 10:00", "write a duration"),
            ("2026-12-24T18:00:00+99:00", "write a duration"),
            ("2026-12-24 18", "write a duration"),
            ("@", "write a duration"),
            ("@-5", "write a duration"),
            ("0", "at least 1ms"),
            ("0s", "at least 1ms"),
            ("0.0001s", "at least 1ms"),
            ("-5s", "cannot be negative"),
            (
                "today 09:00",
                "2026-11-24 09:00:00 is past (it is 2026-11-24 11:20:00 now)",
            ),
            ("2020-01-01", "is past"),
            ("@1600000000", "is past"),
            ("2026-11-24T10:20:00Z", "is past"),
            ("1735689600", "begins with @"),
            ("18251d", "50 years"),
            ("9223372036854775807", "50 years"),
            ("2100-01-01", "50 years"),
            ("9999-12-31", "50 years"),
            ("@9223372036854775", "50 years"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(parse("18250d").is_ok());
    }

    #[test]
    fn a_time_that_clocks_skip_is_refused() {
        assert_eq!(
            parse("2027-03-28 02:30").unwrap_err().to_string(),
            "clocks are set forward over 2027-03-28 02:30:00, so that this time does not exist; write an earlier or later one, or one with its offset such as 2027-03-28T02:30:00+02:00"
        );
    }

    #[test]
    fn a_time_that_comes_twice_is_refused_and_both_are_offered() {
        let error = parse("2027-10-31 02:30").unwrap_err();
        let TtlError::Twice { first, second, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(
            (first.as_str(), second.as_str()),
            ("2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00")
        );
        assert_eq!(parse(&first), Ok(TtlWish::At(at("2027-10-31T00:30:00Z"))));
        assert_eq!(parse(&second), Ok(TtlWish::At(at("2027-10-31T01:30:00Z"))));
    }

    #[test]
    fn a_wish_is_put_in_words() {
        for (text, words) in [
            ("36h", "in 1d 12h (2026-11-25 23:20)"),
            ("90s", "in 1m 30s (2026-11-24 11:21:30)"),
            ("500ms", "in 500ms (2026-11-24 11:20:00)"),
            ("tomorrow 06:00", "in 18h 40m (2026-11-25 06:00)"),
            ("18:00:30", "in 6h 40m (2026-11-24 18:00:30)"),
            ("never", "never"),
        ] {
            assert_eq!(parse(text).unwrap().words(now(), &berlin()), words);
        }
        assert_eq!(
            TtlWish::At(at("2026-11-24T10:19:00Z")).words(now(), &berlin()),
            "at 2026-11-24 11:19, which is past"
        );
    }

    #[test]
    fn filters_ask_about_the_time_left() {
        let in_minutes = |minutes: u64| Ttl::Until(now().plus(Duration::from_secs(minutes * 60)));
        let matches =
            |expression: &str, ttl| TtlExpr::parse(expression).unwrap().matches(ttl, now());
        for (expression, yes, no) in [
            (
                "<1h",
                vec![in_minutes(59), in_minutes(0)],
                vec![in_minutes(60), Ttl::None],
            ),
            ("<=1h", vec![in_minutes(60)], vec![in_minutes(61)]),
            (">1h", vec![in_minutes(61)], vec![in_minutes(60), Ttl::None]),
            (
                ">= 2d",
                vec![in_minutes(2880)],
                vec![in_minutes(2879), Ttl::None],
            ),
            ("none", vec![Ttl::None], vec![in_minutes(1)]),
            ("ANY", vec![in_minutes(1)], vec![Ttl::None]),
        ] {
            assert!(
                yes.into_iter().all(|ttl| matches(expression, ttl)),
                "{expression}"
            );
            assert!(
                !no.into_iter().any(|ttl| matches(expression, ttl)),
                "{expression}"
            );
            assert!(!matches(expression, Ttl::Unknown), "{expression}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_with_examples() {
        for (text, why) in [
            ("1h", "write <1h"),
            ("", "write <1h"),
            ("=1h", "write <1h"),
            ("<", "is no duration"),
            ("<<1h", "is no duration"),
            ("<-1h", "is negative"),
        ] {
            let error = TtlExpr::parse(text).expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
            assert!(
                DurationExpr::parse(text)
                    .expect_err(text)
                    .to_string()
                    .contains(why)
            );
        }
        assert!(DurationExpr::parse("none").is_err());
        assert!(
            DurationExpr::parse(">1d")
                .unwrap()
                .matches(Duration::from_secs(86_401))
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(millis in 1_u64..50 * 365 * 86_400 * 1000) {
            let length = Duration::from_millis(millis);
            for wish in [TtlWish::In(length), TtlWish::At(now().plus(length)), TtlWish::Never] {
                prop_assert_eq!(parse(&wish.to_string()), Ok(wish));
            }
            for sign in ["<", "<=", ">", ">="] {
                let expression = DurationExpr::parse(&format!("{sign}{}", span_exact(length))).unwrap();
                prop_assert_eq!(DurationExpr::parse(&expression.to_string()), Ok(expression));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in r"[0-9a-z@:<>=. -]{0,12}|.{0,8}") {
            // Only that none of them panics.
            drop((parse(&text), parse_duration(&text), TtlExpr::parse(&text)));
        }
    }
}
