//! Quantities and how they are written, once for every face.
//!
//! A number without a unit is how outages start, so bytes, moments and ratios are types, and the
//! words for them (`1.2 MiB`, `3m 04s`, `97.3 %`) are made here and nowhere else.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut amount = self.0 as f64 / 1024.0;
        let mut unit = 0;
        // 999.5 would print as 1000, which is the next unit's business.
        while amount >= 999.5 && unit + 1 < UNITS.len() {
            amount /= 1024.0;
            unit += 1;
        }
        let digits = if amount < 9.995 {
            2
        } else {
            usize::from(amount < 99.95)
        };
        write!(f, "{amount:.digits$} {}", UNITS[unit])
    }
}
