//! How far a walk is and what it costs, on a line that is drawn over.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::model::{Coverage, WalkCost, units};

/// A line is looked at, not read on: more often is of no use.
const EVERY: Duration = Duration::from_millis(250);

/// A line on stderr, where that is a terminal.
#[derive(Debug)]
pub struct Progress {
    is_on: bool,
    drawn: Option<Instant>,
}

impl Progress {
    /// For a command that prints nothing before its end.
    pub fn beside_a_report() -> Self {
        Self {
            is_on: std::io::stderr().is_terminal(),
            drawn: None,
        }
    }

    /// For a command whose results come on the way: they must not go to the same terminal.
    pub fn beside_results() -> Self {
        Self {
            is_on: std::io::stderr().is_terminal() && !std::io::stdout().is_terminal(),
            drawn: None,
        }
    }

    /// Whether a new line would be shown now.
    pub fn is_due(&self) -> bool {
        self.is_on && self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY)
    }

    pub fn show(&mut self, coverage: &Coverage, cost: &WalkCost) {
        if self.is_due() {
            self.draw(&line(coverage, cost));
        }
    }

    /// Shows a line of the caller's own.
    pub fn tell(&mut self, line: &str) {
        if self.is_due() {
            self.draw(line);
        }
    }

    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            write_over("");
        }
    }

    fn draw(&mut self, line: &str) {
        write_over(line);
        self.drawn = Some(Instant::now());
    }
}

fn write_over(line: &str) {
    // A terminal that is gone is noticed where results are written.
    drop(write!(std::io::stderr(), "\r\x1b[K{line}"));
}

/// `41,200 of 1,203,991 keys seen; 4.8 % of a core, 13.2 k keys/s, 11m 04s left`
pub fn line(coverage: &Coverage, cost: &WalkCost) -> String {
    let mut parts = Vec::new();
    parts.extend(
        cost.share
            .map(|share| format!("{} of a core", units::percent(share))),
    );
    parts.extend(cost.keys_per_s.map(keys_per_s));
    parts.extend(
        cost.left(coverage)
            .filter(|_| !coverage.is_filtered)
            .map(|left| format!("{} left", units::span(left))),
    );
    parts.extend(
        cost.backs_off
            .map(|why| format!("slower for a while: {why}")),
    );
    let seen = seen(coverage);
    if parts.is_empty() {
        seen
    } else {
        format!("{seen}; {}", parts.join(", "))
    }
}

fn keys_per_s(speed: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed is neither negative nor astronomical, and casts saturate"
    )]
    let whole = speed.round() as u64;
    format!("{} keys/s", units::count_short(whole))
}

/// `41,200 of 1,203,991 keys seen`
pub fn seen(coverage: &Coverage) -> String {
    let seen = units::count(coverage.seen);
    match coverage.of {
        _ if coverage.is_filtered => format!("{seen} matching keys met so far"),
        Some(of) => format!("{seen} of {} keys seen", units::count(of)),
        None => format!("{seen} keys seen, of how many is not known"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_and_at_what_cost() {
        let coverage = Coverage {
            seen: 41_200,
            of: Some(1_203_991),
            ..Coverage::default()
        };
        let cost = WalkCost {
            keys_per_s: Some(13_200.4),
            share: Some(0.048),
            ..WalkCost::default()
        };
        assert_eq!(
            line(&coverage, &cost),
            "41,200 of 1,203,991 keys seen; 4.8 % of a core, 13.2 k keys/s, 1m 28s left"
        );
        let backs_off = WalkCost {
            backs_off: Some("other clients wait longer"),
            ..WalkCost::default()
        };
        assert_eq!(
            line(&coverage, &backs_off),
            "41,200 of 1,203,991 keys seen; slower for a while: other clients wait longer"
        );
    }

    #[test]
    fn what_the_server_matched_says_nothing_about_the_end() {
        let coverage = Coverage {
            seen: 7,
            of: Some(1_000),
            is_filtered: true,
            ..Coverage::default()
        };
        let cost = WalkCost {
            keys_per_s: Some(10.0),
            ..WalkCost::default()
        };
        assert_eq!(
            line(&coverage, &cost),
            "7 matching keys met so far; 10 keys/s"
        );
    }
}
