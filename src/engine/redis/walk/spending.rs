//! What a walk costs its server, by the server's own account.

use std::time::{Duration, Instant};

use crate::engine::governor::{Account, Governor};
use crate::engine::redis::info::{Info, parts};
use crate::model::WalkCost;

const EVERY: Duration = Duration::from_secs(1);
/// The first account comes early: until then only what replies take is known.
const FIRST: Duration = Duration::from_millis(150);

/// Commands that a walk sends, as `INFO commandstats` calls them; before 7.0 families are one.
const OF_A_WALK: &[&str] = &[
    "scan",
    "type",
    "pttl",
    "memory|usage",
    "memory",
    "object|idletime",
    "object|freq",
    "object|encoding",
    "object",
    "hlen",
    "llen",
    "scard",
    "zcard",
    "xlen",
];

#[derive(Debug)]
pub struct Spending {
    /// What is sent, in the server's own words.
    ours: &'static [&'static str],
    pub round_trips: u64,
    pub commands: u64,
    pub lookups: u64,
    asked: Option<Instant>,
    /// Calls and microseconds of all clients, and our own calls by then.
    before: Option<(Tally, u64)>,
    /// The server's processor time by then.
    processor: Option<Duration>,
    flights_before: u64,
    is_first: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    calls: u64,
    micros: u64,
}

impl Default for Spending {
    fn default() -> Self {
        Self::on(OF_A_WALK)
    }
}

impl Spending {
    /// What these commands cost.
    pub fn on(ours: &'static [&'static str]) -> Self {
        Self {
            ours,
            round_trips: 0,
            commands: 0,
            lookups: 0,
            asked: None,
            before: None,
            processor: None,
            flights_before: 0,
            is_first: false,
        }
    }

    pub fn begin(&mut self, info: &Info, now: Instant) {
        self.asked = Some(now);
        self.before = tally(self.ours, info).map(|tally| (tally, self.commands));
        self.processor = processor(info);
        self.is_first = true;
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.asked.is_some_and(|asked| {
            now.duration_since(asked) >= if self.is_first { FIRST } else { EVERY }
        })
    }

    pub fn cost(&self, governor: &Governor) -> WalkCost {
        WalkCost {
            round_trips: self.round_trips,
            commands: self.commands,
            lookups: self.lookups,
            ..governor.cost(Instant::now())
        }
    }

    /// What the server says of the time since it was asked last.
    pub fn learn(&mut self, info: &Info, now: Instant) -> Account {
        self.asked = Some(now);
        self.is_first = false;
        let commands = self.commands - self.before.map_or(0, |(_, commands)| commands);
        let flights = self.round_trips - self.flights_before;
        self.flights_before = self.round_trips;
        let is = processor(info);
        let was = std::mem::replace(&mut self.processor, is);
        Account {
            by_commands: self.learn_commands(info),
            processor: was.zip(is).and_then(|(was, is)| is.checked_sub(was)),
            commands,
            flights,
        }
    }

    /// Our share of the time that the server spent on such commands since it was asked last; `None`
    /// where it would not say or began to count anew.
    fn learn_commands(&mut self, info: &Info) -> Option<Duration> {
        let tally = tally(self.ours, info);
        let before = std::mem::replace(&mut self.before, tally.map(|tally| (tally, self.commands)));
        let ((before, ours_before), tally) = before.zip(tally)?;
        let calls = tally
            .calls
            .checked_sub(before.calls)
            .filter(|calls| *calls > 0)?;
        let micros = tally.micros.checked_sub(before.micros)?;
        let ours = (self.commands - ours_before).min(calls);
        let micros = u128::from(micros) * u128::from(ours) / u128::from(calls);
        u64::try_from(micros).ok().map(Duration::from_micros)
    }
}

fn tally(ours: &[&str], info: &Info) -> Option<Tally> {
    let mut all = Tally::default();
    let mut is_told = false;
    for name in ours {
        let Some(line) = info.text(&format!("cmdstat_{name}")) else {
            continue;
        };
        let parts = parts(line);
        let number = |name: &str| parts.get(name)?.parse::<u64>().ok();
        if let Some((calls, micros)) = number("calls").zip(number("usec")) {
            all.calls += calls;
            all.micros += micros;
            is_told = true;
        }
    }
    (is_told || info.has_section("commandstats")).then_some(all)
}

/// The processor time of the server and its threads.
fn processor(info: &Info) -> Option<Duration> {
    let seconds = info.number("used_cpu_user")? + info.number("used_cpu_sys")?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Bytes that the replica which is furthest behind has not confirmed.
pub fn lag(info: &Info) -> Option<u64> {
    let offset = info.count("master_repl_offset")?;
    let replicas = info.lines().filter(|(name, _)| {
        name.strip_prefix("slave")
            .is_some_and(|number| number.parse::<u32>().is_ok())
    });
    replicas
        .filter_map(|(_, line)| {
            let parts = parts(line);
            (parts.get("state") == Some(&"online")).then_some(())?;
            let confirmed = parts.get("offset")?.parse::<u64>().ok()?;
            Some(offset.saturating_sub(confirmed))
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(scan: (u64, u64), kind: (u64, u64)) -> Info {
        let line = |name: &str, (calls, usec): (u64, u64)| {
            format!("cmdstat_{name}:calls={calls},usec={usec},usec_per_call=1.00\r\n")
        };
        let text = format!(
            "# Commandstats\r\n{}{}",
            line("scan", scan),
            line("type", kind)
        );
        Info::parse(text.as_bytes())
    }

    #[test]
    fn our_share_is_by_our_calls_among_all() {
        let now = Instant::now();
        let mut spending = Spending::default();
        spending.begin(&info((10, 100), (0, 0)), now);
        assert!(!spending.is_due(now));
        assert!(spending.is_due(now + EVERY));
        spending.commands = 50;
        let ours = spending.learn(&info((20, 300), (90, 1100)), now);
        assert_eq!(ours.by_commands, Some(Duration::from_micros(650)));
        assert_eq!((ours.commands, ours.processor), (50, None));
        // A reset of the statistics tells nothing.
        let ours = spending.learn(&info((1, 1), (0, 0)), now);
        assert_eq!(ours.by_commands, None);
    }

    #[test]
    fn the_lag_is_that_of_the_slowest_replica() {
        let info = Info::parse(
            b"role:master\r\nslave0:ip=::1,port=1,state=online,offset=900,lag=0\r\nslave1:ip=::1,port=2,state=online,offset=400,lag=1\r\nslave2:ip=::1,port=3,state=wait_bgsave,offset=0,lag=0\r\nslave_repl_offset:5\r\nmaster_repl_offset:1000\r\n",
        );
        assert_eq!(lag(&info), Some(600));
        assert_eq!(
            lag(&Info::parse(b"role:slave\r\nmaster_repl_offset:7\r\n")),
            None
        );
    }
}
