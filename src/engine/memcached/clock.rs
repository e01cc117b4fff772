//! Our clock beside the server's.

use std::time::Duration;

use crate::engine::memcached::stats::Stats;
use crate::model::UnixMs;

/// The server tells whole seconds, so a smaller difference says nothing.
const UNSURE: i64 = 1_500;

/// Our clock, now.
pub(super) fn now() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub ours: UnixMs,
    pub server: UnixMs,
}

impl Clock {
    /// The clocks as of statistics that arrived just now; `None` when the server does not tell.
    pub fn of(stats: &Stats) -> Option<Self> {
        Some(Self {
            ours: now(),
            server: stats.clock()?,
        })
    }

    /// How far ours is ahead, in milliseconds; 0 when that cannot be told from rounding.
    pub fn ahead(self) -> i64 {
        let ahead = self.ours.0.saturating_sub(self.server.0);
        // The server's second began up to a second ago.
        if (-UNSURE..=UNSURE + 1_000).contains(&ahead) {
            0
        } else {
            ahead
        }
    }

    /// A second of the server's clock, on ours.
    pub fn to_ours(self, second: i64) -> UnixMs {
        UnixMs(second.saturating_mul(1_000).saturating_add(self.ahead()))
    }

    /// A moment of our clock as a second of the server's, rounded up.
    pub fn to_server(self, moment: UnixMs) -> i64 {
        let moment = moment.0.saturating_sub(self.ahead());
        moment.div_euclid(1_000) + i64::from(moment.rem_euclid(1_000) > 0)
    }

    /// The difference when it is worth telling.
    pub fn difference(self) -> Option<Duration> {
        let ahead = self.ahead();
        (ahead != 0).then(|| Duration::from_millis(ahead.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Clock;
    use crate::model::UnixMs;

    fn clock(ours: i64, server: i64) -> Clock {
        Clock {
            ours: UnixMs(ours),
            server: UnixMs(server),
        }
    }

    #[test]
    fn a_rounded_second_is_no_difference() {
        let clock = clock(1_000_900, 1_000_000);
        assert_eq!(clock.difference(), None);
        assert_eq!(clock.to_ours(1_005), UnixMs(1_005_000));
        assert_eq!(clock.to_server(UnixMs(1_005_001)), 1_006);
    }

    #[test]
    fn a_server_whose_clock_is_behind_gets_its_own_seconds() {
        let clock = clock(1_060_000, 1_000_000);
        assert_eq!(clock.difference(), Some(Duration::from_secs(60)));
        assert_eq!(clock.to_ours(1_005), UnixMs(1_065_000));
        assert_eq!(clock.to_server(UnixMs(1_065_000)), 1_005);
    }
}
