//! Where the walk over the keys stands, and what the screen says of it.

use crate::engine::Fault;
use crate::engine::worker::Ticket;
use crate::model::{Coverage, Lack, Pace, UnixMs, WalkCost, units};
use crate::text;
use crate::tui::panes::keys::Plan;

#[derive(Clone, Debug, Default)]
pub struct Walking {
    pub state: State,
    pub coverage: Coverage,
    pub cost: WalkCost,
    /// What the server would not tell of the keys, and why.
    pub lacks: Vec<Lack>,
    pub plan: Plan,
    pub pace: Pace,
    pub ticket: Option<Ticket>,
    pub began: UnixMs,
    /// The walk began anew after the connection was lost; names from before are still listed.
    pub is_repeated: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    NotStarted,
    Running,
    Paused,
    Complete {
        at: UnixMs,
    },
    Failed(Fault),
}

impl Walking {
    /// How much was seen, of how much: never more than is known.
    pub fn extent(&self, listed: u64) -> String {
        let seen = units::count(self.coverage.seen);
        let pattern = self
            .plan
            .pattern
            .as_deref()
            .map(|bytes| text::fit_middle(&text::escape(bytes), 40));
        match (&self.state, pattern, self.coverage.of) {
            (State::NotStarted, _, _) => "no key seen yet".to_owned(),
            (State::Complete { .. }, None, _) if listed == 0 => "no keys".to_owned(),
            (State::Complete { .. }, None, _) => format!("all {} keys", units::count(listed)),
            (State::Complete { .. }, Some(pattern), _) => {
                format!("{} keys match {pattern}", units::count(listed))
            }
            (_, Some(pattern), _) => format!("{} found that match {pattern}", units::count(listed)),
            (_, None, Some(of)) if of >= self.coverage.seen => {
                format!("{seen} of {} seen", units::count(of))
            }
            // Keys pass twice while the server's table grows, and new ones come.
            (_, None, Some(of)) => format!("{seen} seen, some twice, of {}", units::count(of)),
            (_, None, None) => format!("{seen} seen"),
        }
    }

    /// What it costs the server now and how long it takes still: `4.8 % of a core, 13.0 k keys/s, 11m
    /// left`.
    pub fn costing(&self) -> Option<String> {
        if self.state != State::Running || self.coverage.is_complete {
            return None;
        }
        let mut words = Vec::new();
        if let Some(share) = self.cost.share {
            words.push(format!("{} of a core", units::percent(share)));
        }
        if let Some(speed) = self.cost.keys_per_s {
            words.push(format!(
                "{} keys/s",
                units::rate(speed).trim_end_matches("/s")
            ));
        }
        // What a pattern leaves of the keyspace is not known beforehand.
        let left = self.cost.left(&self.coverage);
        if let Some(left) = left.filter(|_| !self.coverage.is_filtered) {
            words.push(format!("{} left", units::span_short(left)));
        }
        // Last, since narrow screens cut it off.
        words.extend(self.cost.backs_off.map(|why| format!("slower: {why}")));
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// What the walk does now, in a word or two.
    pub fn doing(&self, clock: impl Fn(UnixMs) -> String) -> String {
        match &self.state {
            State::NotStarted => "waiting for the connection".to_owned(),
            State::Running if self.coverage.is_complete => "sorting the last names".to_owned(),
            State::Running if self.plan.asks_all => "asking every key".to_owned(),
            State::Running if self.is_repeated => {
                "walking again after a lost connection".to_owned()
            }
            State::Running => "walking".to_owned(),
            State::Paused => "paused".to_owned(),
            State::Complete { at } => format!("seen by {}", clock(*at)),
            State::Failed(fault) => format!("stopped: {fault}"),
        }
    }

    pub fn is_under_way(&self) -> bool {
        matches!(self.state, State::Running | State::Paused)
    }

    /// Whether the server would be held up if this program stopped reading now.
    pub fn holds_server(&self) -> bool {
        self.is_under_way() && self.coverage.holds_server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walking(state: State, seen: u64, of: Option<u64>, pattern: Option<&str>) -> Walking {
        Walking {
            state,
            coverage: Coverage {
                seen,
                of,
                ..Coverage::default()
            },
            plan: Plan {
                pattern: pattern.map(|pattern| pattern.as_bytes().to_vec()),
                ..Plan::default()
            },
            ..Walking::default()
        }
    }

    #[test]
    #[rustfmt::skip]
    fn the_extent_claims_no_more_than_is_known() {
        let done = State::Complete { at: UnixMs(0) };
        for (walking, expected) in [
            (walking(State::NotStarted, 0, None, None),               "no key seen yet"),
            (walking(State::Running, 41_200, Some(1_203_991), None),  "41,200 of 1,203,991 seen"),
            (walking(State::Running, 120, Some(100), None),           "120 seen, some twice, of 100"),
            (walking(State::Paused, 41_200, None, None),              "41,200 seen"),
            (walking(State::Running, 7, Some(100), Some("user:*")),   "7 found that match user:*"),
            (walking(done, 120, Some(100), None),                     "all 7 keys"),
        ] {
            assert_eq!(walking.extent(7), expected);
        }
    }

    #[test]
    fn a_walk_says_what_it_costs_and_how_long_it_takes_still() {
        let mut walking = walking(State::Running, 40_000, Some(1_240_000), None);
        assert_eq!(walking.costing(), None);
        walking.cost = WalkCost {
            share: Some(0.048),
            keys_per_s: Some(13_000.0),
            ..WalkCost::default()
        };
        let words = "4.8 % of a core, 13.0 k keys/s, 1m32s left";
        assert_eq!(walking.costing().as_deref(), Some(words));
        walking.cost.backs_off = Some("a replica falls behind");
        let words = format!("{words}, slower: a replica falls behind");
        assert_eq!(walking.costing(), Some(words));
        walking.state = State::Paused;
        assert_eq!(walking.costing(), None);
    }
}
