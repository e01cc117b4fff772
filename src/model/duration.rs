//! Durations as people write them, and questions about them.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::model::units::{Decimal, span_exact};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const SECOND_NS: u64 = 1_000_000_000;

/// Reads a duration: numbers with units from large to small, `1d12h`, `1h 30m`, `1.5h`, `500ms`; a plain
/// number is seconds. Units are `w d h m s ms` and their usual words. Zero is a duration.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let failure = |why| DurationError {
        text: text.to_owned(),
        why,
    };
    if text.starts_with('-') {
        return Err(failure(Why::Negative));
    }
    if let Some(seconds) = Decimal::parse(text) {
        return seconds
            .times(SECOND_NS)
            .map(Duration::from_nanos)
            .ok_or_else(|| failure(Why::TooLong));
    }
    let mut total = 0_u64;
    let mut smallest = u64::MAX;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit() && c != '.');
        let (unit, after) = split_where(after.trim_start(), |c| !c.is_ascii_alphabetic());
        rest = after.trim_start();
        let number = Decimal::parse(number).ok_or_else(|| failure(Why::Unreadable))?;
        let unit = unit_ns(unit).ok_or_else(|| failure(Why::Unreadable))?;
        if unit >= smallest {
            return Err(failure(Why::Order));
        }
        smallest = unit;
        total = number
            .times(unit)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| failure(Why::TooLong))?;
    }
    if smallest == u64::MAX {
        return Err(failure(Why::Unreadable));
    }
    Ok(Duration::from_nanos(total))
}

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} {why}; write numbers with units, such as 90s, 1h30m, 1d12h, 1w or 500ms")]
pub struct DurationError {
    pub(super) text: String,
    pub(super) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Unreadable,
    Order,
    Negative,
    TooLong,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "is no duration",
            Self::Order => "is no duration, since its units do not go from large to small",
            Self::Negative => "is negative",
            Self::TooLong => "is too long",
        })
    }
}

/// A question about a duration, as filters take it: `<1h`, `<=1h`, `>1d`, `>=1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationExpr {
    comparison: Comparison,
    bound: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Comparison {
    /// Longest first, since `<` begins `<=` too.
    const ALL: [(&'static str, Self); 4] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Below),
        (">", Self::Above),
    ];
}

impl DurationExpr {
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        let text = text.trim();
        let (comparison, bound) = Comparison::ALL
            .into_iter()
            .find_map(|(sign, comparison)| Some((comparison, text.strip_prefix(sign)?)))
            .ok_or_else(|| ExprError::NoComparison {
                text: text.to_owned(),
            })?;
        Ok(Self {
            comparison,
            bound: parse_duration(bound)?,
        })
    }

    pub fn matches(self, length: Duration) -> bool {
        match self.comparison {
            Comparison::Below => length < self.bound,
            Comparison::AtMost => length <= self.bound,
            Comparison::Above => length > self.bound,
            Comparison::AtLeast => length >= self.bound,
        }
    }
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Comparison::ALL
            .iter()
            .find_map(|(sign, comparison)| (*comparison == self.comparison).then_some(*sign))
            .expect("every comparison has its sign");
        write!(f, "{sign}{}", span_exact(self.bound))
    }
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExprError {
    #[error("{text:?} compares nothing; write <1h, <=1h, >1d or >=1d")]
    NoComparison { text: String },
    #[error(
        "{text:?} compares nothing; write <1h, <=1h, >1d, >=1d, any (keys that expire) or none (keys that never do)"
    )]
    NoTtl { text: String },
    #[error(transparent)]
    Duration(#[from] DurationError),
}

fn unit_ns(unit: &str) -> Option<u64> {
    // A lone capital M is as often a month as a minute.
    if unit == "M" {
        return None;
    }
    let seconds = match unit.to_ascii_lowercase().as_str() {
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => return Some(1_000_000),
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => MINUTE,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7 * DAY,
        _ => return None,
    };
    Some(seconds * SECOND_NS)
}

fn split_where(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("90s", 90_000),
            ("90", 90_000),
            ("1.5", 1500),
            ("2h", 7_200_000),
            ("1d12h", 129_600_000),
            ("1h 30m", 5_400_000),
            ("1 hour 30 minutes", 5_400_000),
            ("1.5h", 5_400_000),
            ("0.1d", 8_640_000),
            ("1W", 604_800_000),
            ("500ms", 500),
            (" 1s500ms ", 1500),
            ("0", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_examples() {
        for (text, why) in [
            ("", "is no duration"),
            ("h", "is no duration"),
            ("1x", "is no duration"),
            ("1M", "is no duration"),
            ("1y", "is no duration"),
            ("1h30", "is no duration"),
            ("1h,30m", "is no duration"),
            ("+1h", "is no duration"),
            ("1e3s", "is no duration"),
            ("30m1h", "do not go from large to small"),
            ("1h1h", "do not go from large to small"),
            ("-5s", "is negative"),
            ("99999999999h", "is too long"),
            ("18446744073709551615", "is too long"),
            ("500y\u{1b}[2J", r"500y\u{1b}[2J"),
        ] {
            let error = parse_duration(text).expect_err(text).to_string();
            assert!(error.contains(why) && error.contains("1d12h"), "{error}");
        }
    }
}
