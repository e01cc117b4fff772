//! Quantities and how they are written, once for every face.
//!
//! A number without a unit is how outages start, so bytes, moments and ratios are types, and the
//! words for them (`1.2 MiB`, `3m 04s`, `97.3 %`) are made here and nowhere else.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A number of bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// A moment on a wall clock, in milliseconds since the Unix epoch. Whose clock it is (ours or the
/// server's) the field that holds it says.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// The time from `earlier` to `self`; `None` when `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        u64::try_from(self.0.checked_sub(earlier.0)?)
            .ok()
            .map(Duration::from_millis)
    }

    /// `self` moved by `span` into the future, saturating.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Bytes {
    /// Three significant digits and a binary unit: `0 B`, `999 B`, `1.20 KiB`, `34.5 MiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&bytes_of(self.0 as f64))
    }
}

impl FromStr for Bytes {
    type Err = SizeError;

    /// Reads `100`, `64mb`, `1.5 GiB`. Units are binary however they are spelled, as memory is
    /// configured and as [`Bytes`] is shown.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let unit_at = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let unreadable = || SizeError::Unreadable {
            text: text.to_owned(),
        };
        let number = Decimal::parse(number).ok_or_else(unreadable)?;
        let power = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            "p" | "pb" | "pib" => 50,
            _ => return Err(unreadable()),
        };
        number
            .times(1 << power)
            .map(Self)
            .ok_or_else(|| SizeError::TooLarge {
                text: text.to_owned(),
            })
    }
}

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SizeError {
    #[error(
        "{text:?} is no size; write bytes or a number with a unit: 100, 64kb, 1.5MiB, 2G (1 kb is 1,024 bytes)"
    )]
    Unreadable { text: String },
    #[error("{text:?} is larger than any memory (the limit is 16 EiB)")]
    TooLarge { text: String },
}

/// A span of time in its two largest units: `0.4ms`, `42ms`, `0.4s`, `42s`, `3m 04s`, `2h 05m`,
/// `12d 03h`. What is smaller is cut off, not rounded, so that a countdown never shows too much.
pub fn span(span: Duration) -> String {
    span_with(span, " ")
}

/// Like [`span`] in at most 7 cells: `3m04s`, `12d03h`.
/// `24 us`, `1.2 ms`; from a second on like [`span`].
pub fn span_fine(span: Duration) -> String {
    let micros = span.as_secs_f64() * 1e6;
    match micros {
        micros if micros < 10.0 => format!("{micros:.1} us"),
        micros if micros < 1_000.0 => format!("{micros:.0} us"),
        micros if micros < 1_000_000.0 => format!("{:.1} ms", micros / 1_000.0),
        _ => self::span(span),
    }
}

pub fn span_short(span: Duration) -> String {
    span_with(span, "")
}

/// A span of time with all its units, down to milliseconds: `1d 12h`, `1h 30m 5s`, `500ms`. For
/// what a person asked for and must recognise.
pub fn span_exact(span: Duration) -> String {
    let seconds = span.as_secs();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(span.subsec_millis()), "ms"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(amount, _)| *amount > 0)
        .map(|(amount, unit)| format!("{amount}{unit}"))
        .collect();
    if words.is_empty() {
        return "0s".to_owned();
    }
    words.join(" ")
}

/// A share of one as `97.3 %`. Only what is exactly all is `100 %` and what is exactly nothing `0 %`:
/// a hit ratio that misses once in ten thousand reads `>99.9 %`.
pub fn percent(share: f64) -> String {
    let shown = format!("{:.1} %", share * 100.0);
    match share {
        0.0 => "0 %".to_owned(),
        1.0 => "100 %".to_owned(),
        _ => match shown.as_str() {
            "100.0 %" if share < 1.0 => ">99.9 %".to_owned(),
            "100.0 %" => ">100 %".to_owned(),
            "0.0 %" | "-0.0 %" => "<0.1 %".to_owned(),
            _ => shown,
        },
    }
}

/// A number in full with separators: `1,203,991`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number in at most 6 cells: `999`, `1.20 k`, `41.2 k`, `1.20 M`.
pub fn count_short(number: u64) -> String {
    if number < 1000 {
        return number.to_string();
    }
    scaled(number as f64, 1000.0, &DECIMAL_UNITS)
}

/// Something per second: `0/s`, `0.4/s`, `42/s`, `12.3 k/s`.
pub fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0/s".to_owned(),
        small if small.abs() < 0.05 => "<0.1/s".to_owned(),
        small if small.abs() < 9.95 => format!("{small:.1}/s"),
        medium if medium.abs() < 999.5 => format!("{medium:.0}/s"),
        large => format!("{}/s", scaled(large, 1000.0, &DECIMAL_UNITS)),
    }
}

/// Bytes per second: `0 B/s`, `12.3 MiB/s`.
pub fn bytes_rate(per_second: f64) -> String {
    if per_second > 0.0 && per_second < 0.5 {
        return "<1 B/s".to_owned();
    }
    format!("{}/s", bytes_of(per_second))
}

/// A moment in UTC as RFC 3339 with milliseconds: `2026-11-24T10:20:00.000Z`.
pub fn rfc3339(at: UnixMs) -> String {
    format!("{:.3}", timestamp(at))
}

/// A moment as the clocks of a zone show it: `2026-11-24 10:20:00`.
pub fn local_time(at: UnixMs, zone: &TimeZone) -> String {
    zone.to_datetime(timestamp(at))
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// A moment as the calendar has it; the ends of the calendar (year 9999) for what lies beyond.
pub(super) fn timestamp(at: UnixMs) -> Timestamp {
    Timestamp::from_millisecond(at.0).unwrap_or(if at.0 < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// A number as people write it, kept exactly: an amount in binary floating point would turn `0.1d`
/// into a TTL that is a millisecond off.
#[derive(Clone, Copy)]
pub(super) struct Decimal {
    billionths: u128,
}

impl Decimal {
    const ONE: u128 = 1_000_000_000;

    /// Reads `12`, `1.5` or `.5`; nothing else, no sign, at most nine digits after the point.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) || fraction.is_empty() || fraction.len() > 9 {
            return None;
        }
        if whole.is_empty() && !text.starts_with('.') {
            return None;
        }
        let whole: u64 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        let fraction: u128 = format!("{fraction:0<9}").parse().ok()?;
        Some(Self {
            billionths: u128::from(whole) * Self::ONE + fraction,
        })
    }

    /// So many of something, without what is less than one of it.
    pub(super) fn times(self, unit: u64) -> Option<u64> {
        u64::try_from(self.billionths.checked_mul(u128::from(unit))? / Self::ONE).ok()
    }
}

const BINARY_UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const DECIMAL_UNITS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];

fn bytes_of(amount: f64) -> String {
    if amount < 1023.5 {
        return format!("{amount:.0} B");
    }
    scaled(amount, 1024.0, &BINARY_UNITS)
}

/// Three significant digits and the unit that makes this possible. `amount` is at least about `base`.
fn scaled(amount: f64, base: f64, units: &[&str]) -> String {
    let mut amount = amount / base;
    let mut unit = 0;
    // 999.5 would print as 1000, which is the next unit's business.
    while amount >= 999.5 && unit + 1 < units.len() {
        amount /= base;
        unit += 1;
    }
    let digits = match amount {
        small if small < 9.995 => 2,
        medium if medium < 99.95 => 1,
        _ => 0,
    };
    format!("{amount:.digits$} {}", units[unit])
}

fn span_with(span: Duration, gap: &str) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..10 => span_below_ten_seconds(span),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{gap}{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{gap}{:02}m", minutes % 60),
        _ if days < 1000 => format!("{days}d{gap}{:02}h", hours % 24),
        _ if days < 36_500 => format!("{}y{gap}{}d", days / 365, days % 365),
        _ if days < 365_000 => format!("{}y", days / 365),
        _ => ">999y".to_owned(),
    }
}

fn span_below_ten_seconds(span: Duration) -> String {
    let (tenths, unit) = match span.as_micros() {
        0 if span.is_zero() => return "0s".to_owned(),
        0..100 => return "<0.1ms".to_owned(),
        micros @ 100..10_000 => (micros / 100, "ms"),
        micros @ 10_000..100_000 => (micros / 1000 * 10, "ms"),
        micros => (micros / 100_000, "s"),
    };
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole}{unit}"),
        (whole, tenth) => format!("{whole}.{tenth}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 3600;
    const DAY: u64 = 86_400;

    #[test]
    fn bytes_have_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1229, "1.20 KiB"),
            (10_234, "9.99 KiB"),
            (10_239, "10.0 KiB"),
            (102_348, "99.9 KiB"),
            (102_399, "100 KiB"),
            (1024 * 999, "999 KiB"),
            (1024 * 1000, "0.98 MiB"),
            (1 << 20, "1.00 MiB"),
            (36_175_872, "34.5 MiB"),
            (1 << 30, "1.00 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(format!("{:>8}", Bytes(1)), "     1 B");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("100", 100),
            ("100b", 100),
            ("64mb", 64 << 20),
            ("64 MB", 64 << 20),
            ("1.5GiB", 3 << 29),
            (" 2g ", 2 << 30),
            (".5k", 512),
            ("0", 0),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_examples() {
        for text in [
            "", "k", "-1", "+1", "1x", "1.k", "1.2.3k", ".", "1e3", "1 k b", "٣",
        ] {
            let error = text.parse::<Bytes>().expect_err(text);
            assert!(error.to_string().contains("64kb"), "{error}");
        }
        for text in ["16384p", "18446744073709551615k"] {
            let error = text.parse::<Bytes>().expect_err(text);
            assert!(matches!(error, SizeError::TooLarge { .. }), "{error}");
        }
    }

    #[test]
    fn spans_show_their_two_largest_units() {
        let ms = Duration::from_millis;
        let s = Duration::from_secs;
        for (length, long, short) in [
            (ms(0), "0s", "0s"),
            (Duration::from_nanos(1), "<0.1ms", "<0.1ms"),
            (Duration::from_micros(450), "0.4ms", "0.4ms"),
            (ms(1), "1ms", "1ms"),
            (ms(42), "42ms", "42ms"),
            (ms(99), "99ms", "99ms"),
            (ms(400), "0.4s", "0.4s"),
            (ms(999), "0.9s", "0.9s"),
            (s(3), "3s", "3s"),
            (ms(9_999), "9.9s", "9.9s"),
            (s(42), "42s", "42s"),
            (ms(59_999), "59s", "59s"),
            (s(3 * MINUTE + 4), "3m 04s", "3m04s"),
            (s(HOUR - 1), "59m 59s", "59m59s"),
            (s(2 * HOUR + 5 * MINUTE), "2h 05m", "2h05m"),
            (s(12 * DAY + 3 * HOUR), "12d 03h", "12d03h"),
            (s(1000 * DAY - 1), "999d 23h", "999d23h"),
            (s(1000 * DAY), "2y 270d", "2y270d"),
            (s(99 * 365 * DAY), "99y 0d", "99y0d"),
            (s(100 * 365 * DAY), "100y", "100y"),
            (Duration::MAX, ">999y", ">999y"),
        ] {
            assert_eq!(span(length), long);
            assert_eq!(span_short(length), short);
            assert!(short.len() <= 7, "{short}");
        }
    }

    #[test]
    fn exact_spans_leave_nothing_out() {
        let exact = |millis| span_exact(Duration::from_millis(millis));
        assert_eq!(exact(0), "0s");
        assert_eq!(exact(500), "500ms");
        assert_eq!(exact(36 * HOUR * 1000), "1d 12h");
        assert_eq!(exact((HOUR + 30 * MINUTE + 5) * 1000 + 1), "1h 30m 5s 1ms");
    }

    #[test]
    fn percentages_do_not_round_to_all_or_nothing() {
        for (share, text) in [
            (0.0, "0 %"),
            (0.0001, "<0.1 %"),
            (0.0005, "0.1 %"),
            (0.973, "97.3 %"),
            (0.9994, "99.9 %"),
            (0.9997, ">99.9 %"),
            (1.0 - f64::EPSILON, ">99.9 %"),
            (1.0, "100 %"),
            (1.0001, ">100 %"),
            (1.2, "120.0 %"),
            (-0.5, "-50.0 %"),
        ] {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn counts_are_separated_or_short() {
        for (number, full, short) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1000, "1,000", "1.00 k"),
            (9_994, "9,994", "9.99 k"),
            (9_995, "9,995", "10.0 k"),
            (41_234, "41,234", "41.2 k"),
            (412_345, "412,345", "412 k"),
            (999_499, "999,499", "999 k"),
            (999_500, "999,500", "1.00 M"),
            (1_203_991, "1,203,991", "1.20 M"),
            (u64::MAX, "18,446,744,073,709,551,615", "18.4 E"),
        ] {
            assert_eq!(count(number), full);
            assert_eq!(count_short(number), short);
            assert!(short.len() <= 6, "{short}");
        }
    }

    #[test]
    fn rates_say_zero_only_for_nothing() {
        for (per_second, text) in [
            (0.0, "0/s"),
            (0.01, "<0.1/s"),
            (0.4, "0.4/s"),
            (9.94, "9.9/s"),
            (9.96, "10/s"),
            (42.4, "42/s"),
            (999.4, "999/s"),
            (999.6, "1.00 k/s"),
            (12_345.0, "12.3 k/s"),
        ] {
            assert_eq!(rate(per_second), text);
        }
        assert_eq!(bytes_rate(0.0), "0 B/s");
        assert_eq!(bytes_rate(0.2), "<1 B/s");
        assert_eq!(bytes_rate(1023.7), "1.00 KiB/s");
        assert_eq!(bytes_rate(12.3 * 1_048_576.0), "12.3 MiB/s");
    }

    #[test]
    fn moments_are_written_in_utc_and_in_a_zone() {
        let at = UnixMs(1_795_515_600_123);
        assert_eq!(rfc3339(at), "2026-11-24T10:20:00.123Z");
        assert_eq!(rfc3339(UnixMs(0)), "1970-01-01T00:00:00.000Z");
        assert!(rfc3339(UnixMs(i64::MAX)).starts_with("9999-12-30T"));
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(local_time(at, &berlin), "2026-11-24 11:20:00");
        assert_eq!(local_time(at, &TimeZone::UTC), "2026-11-24 10:20:00");
    }

    #[test]
    fn the_future_saturates() {
        assert_eq!(UnixMs(1).plus(Duration::MAX), UnixMs(i64::MAX));
        assert_eq!(UnixMs(5).since(UnixMs(3)), Some(Duration::from_millis(2)));
        assert_eq!(UnixMs(3).since(UnixMs(5)), None);
        assert_eq!(UnixMs(i64::MAX).since(UnixMs(i64::MIN)), None);
    }
}
