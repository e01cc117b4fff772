//! How fast a walk may go: a budget of the server's time, kept flight by flight.
//!
//! Size and pause are two things. What other clients feel is the length of one flight, since they
//! wait while the server works for us; what the server's core feels is the share of time that flights
//! take together. So on a budget flights are kept short, and the pause between them keeps the share.
//! At full speed there is no pause, and flights are as long as pays: from some size on the server gains
//! little, and others wait longer.
//!
//! Time is an argument here, so that a test is the whole story.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::model::{Pace, WalkCost};

/// Server time of one flight on a budget. With 5 % of such flights others' 99th percentile grows by
/// four fifths of one. What it grows from is at least the way there and back, which we know: so flights
/// are in proportion to it, down to where the server would do little but wake up,
const SHORTEST_FLIGHT: Duration = Duration::from_micros(50);
/// and not longer than this on any network that is near.
const SHORT_FLIGHT: Duration = Duration::from_micros(120);
/// This part of the way.
const PART_OF_WAY: f64 = 0.8;
/// No flight is longer than this on a budget, however slow the link.
const LONG_FLIGHT: Duration = Duration::from_micros(800);
/// A single SCAN of names alone stays below this at full speed.
const LONG_SCAN: Duration = Duration::from_micros(700);

/// Keys of a flight with questions at full speed,
const FULL: u64 = 100;
/// where there are no more questions than these: the pace is all that such a walk is about.
const QUESTIONS: u64 = 3;
/// Keys of a flight that asks everything: others wait as long as the server works. A fifth of the keys
/// costs a twelfth of the pace and halves their wait.
const FULL_DEEP: u64 = 20;
/// The work of a flight is no less than twice the way, or most of the time would be spent under way,
const WAYS: u32 = 2;
/// and no flight has more keys.
const MOST: u64 = 500;
/// Names in a page at full speed.
const FULL_NAMES: u64 = 1000;
const FEWEST: u64 = 3;
const FIRST: u64 = 16;

/// What a flight and a command take beside what the server books as the command's own time (reading,
/// finding, writing). Measured on Redis 7.0 as the difference to its processor time, rounded up.
const FLIGHT_OVERHEAD: Duration = Duration::from_micros(30);
const COMMAND_OVERHEAD: Duration = Duration::from_nanos(600);

/// Late wake-ups are made up for, up to this much.
const MOST_CREDIT: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Flights whose median tells how quickly the server answers.
const LOOK_BACK: usize = 31;
/// Answers that come so much later than the quickest ones did mean that others wait as well.
const SLOWER: u32 = 3;
const SLOWER_BY: Duration = Duration::from_micros(400);
/// A replica that is so much further behind than in the beginning.
const LAG_BYTES: u64 = 8 << 20;

/// A budget is cut to no less than this part of itself.
const LEAST_PART: f64 = 1.0 / 16.0;
const AFTER_BACKING_OFF: Duration = Duration::from_millis(500);
/// The time over which speed and share are told.
const METER: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub struct Governor {
    pace: Pace,
    /// Asked of every key, or of those of some pages.
    questions: u64,
    began: Instant,
    /// Server time of one key that is asked about, and of one that is only named: moving averages in
    /// seconds.
    per_key: Option<f64>,
    per_name: Option<f64>,
    /// When the next flight may leave.
    next: Instant,
    /// How much of the budget is used: 1 unless the server is in trouble.
    part: f64,
    backs_off: Option<&'static str>,
    turned: Instant,
    latest: VecDeque<Duration>,
    /// The lowest median so far.
    quickest: Option<Duration>,
    lag_at_first: Option<u64>,
    /// Server time up to the last account.
    settled: Duration,
    /// What replies took since then.
    unsettled: Duration,
    /// How much of what replies take is the server's work: the rest is waking up and waiting.
    factor: f64,
    meter: VecDeque<Mark>,
    idle: Duration,
}

/// What was done by some moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    keys: u64,
    server: Duration,
}

/// What the server says of the time since the last account.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    /// What it booked to our commands; `None` where it would not say.
    pub by_commands: Option<Duration>,
    /// Its processor time, other clients included.
    pub processor: Option<Duration>,
    pub commands: u64,
    pub flights: u64,
}

/// What a flight was and took.
#[derive(Clone, Copy, Debug)]
pub struct Flown {
    /// Keys that it learnt names or facts of.
    pub keys: u64,
    /// It asked nothing but names.
    pub is_of_names: bool,
    pub took: Option<Duration>,
    pub worked: Option<Duration>,
    /// Keys of the whole walk by now.
    pub total: u64,
}

impl Governor {
    pub fn new(pace: Pace, questions: u64, now: Instant) -> Self {
        Self {
            pace,
            questions,
            began: now,
            per_key: None,
            per_name: None,
            next: now,
            part: 1.0,
            backs_off: None,
            turned: now,
            latest: VecDeque::with_capacity(LOOK_BACK),
            quickest: None,
            lag_at_first: None,
            settled: Duration::ZERO,
            unsettled: Duration::ZERO,
            factor: 1.0,
            meter: VecDeque::new(),
            idle: Duration::ZERO,
        }
    }

    pub fn set_pace(&mut self, pace: Pace, now: Instant) {
        self.pace = pace;
        self.next = now;
        self.part = 1.0;
        self.backs_off = None;
    }

    pub fn is_at_full_speed(&self) -> bool {
        self.pace == Pace::FullSpeed
    }

    /// Keys to ask about in the next flight, where the way takes so long, if that is known.
    pub fn keys(&self, way: Option<Duration>) -> u64 {
        let fits = |span| fits(self.per_key, span);
        match self.pace {
            Pace::FullSpeed => {
                let fewest = if self.questions > QUESTIONS {
                    FULL_DEEP
                } else {
                    FULL
                };
                let far = way.and_then(|way| fits(way * WAYS));
                far.unwrap_or(fewest).clamp(fewest, MOST)
            }
            Pace::Budget(_) => fits(short(way)).map_or(FIRST, |keys| keys.clamp(FEWEST, MOST)),
        }
    }

    /// The same of keys that nothing is asked about.
    pub fn names(&self, way: Option<Duration>) -> u64 {
        let fits = |span| fits(self.per_name, span);
        match self.pace {
            Pace::FullSpeed => fits(LONG_SCAN).map_or(FULL, |names| names.clamp(FULL, FULL_NAMES)),
            Pace::Budget(_) => fits(short(way)).map_or(FIRST, |names| names.clamp(FEWEST, MOST)),
        }
    }

    /// How long to wait before the next flight.
    pub fn pause(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now).min(LONGEST_PAUSE)
    }

    /// Time that passed while the walk was held by whoever reads it.
    pub fn idled(&mut self, span: Duration, now: Instant) {
        self.idle += span;
        self.next = self.next.max(now);
        self.meter.clear();
    }

    /// Takes note of a flight, and decides when the next one may leave.
    pub fn flew(&mut self, flown: Flown, now: Instant) {
        let raw = flown.worked.unwrap_or_else(|| self.expected(&flown));
        let worked = raw.mul_f64(self.factor);
        self.unsettled += raw;
        if flown.worked.is_some() && flown.keys > 0 {
            let one = worked.as_secs_f64().max(1e-7) / flown.keys as f64;
            let per = if flown.is_of_names {
                &mut self.per_name
            } else {
                &mut self.per_key
            };
            *per = Some(per.map_or(one, |before| before * 0.9 + one * 0.1));
        }
        if let Some(took) = flown.took
            && !self.is_at_full_speed()
        {
            self.look_back(took, now);
        }
        if let Pace::Budget(share) = self.pace {
            let share = share.ratio() * self.part;
            let earliest = now.checked_sub(MOST_CREDIT).unwrap_or(now);
            let cycle = worked.div_f64(share.max(1e-6)).min(LONGEST_PAUSE);
            self.next = self.next.max(earliest) + cycle;
        }
        self.meter.push_back(Mark {
            at: now,
            keys: flown.total,
            server: self.server(),
        });
        while self.meter.len() > 2
            && self
                .meter
                .get(1)
                .is_some_and(|mark| now.duration_since(mark.at) > METER)
        {
            self.meter.pop_front();
        }
    }

    /// Corrects what replies told by what the server says. Each of the three is an upper bound of
    /// its own: replies include waiting, the processor time includes other clients, and what is booked
    /// to commands gets its overhead added. So the least of them is the closest.
    pub fn settle(&mut self, account: &Account) {
        let raw = std::mem::take(&mut self.unsettled);
        let by_commands = account.by_commands.map(|booked| {
            let flights = u32::try_from(account.flights).unwrap_or(u32::MAX);
            let commands = u32::try_from(account.commands).unwrap_or(u32::MAX);
            booked + FLIGHT_OVERHEAD * flights + COMMAND_OVERHEAD * commands
        });
        let bounds = [Some(raw), by_commands, account.processor];
        let least = bounds.into_iter().flatten().min().unwrap_or(raw);
        self.settled += least.max(account.by_commands.unwrap_or_default());
        if !raw.is_zero() {
            let factor = (least.as_secs_f64() / raw.as_secs_f64()).clamp(0.02, 1.0);
            self.factor = if self.factor < 1.0 {
                f64::midpoint(self.factor, factor)
            } else {
                factor
            };
        }
    }

    /// How many bytes the replica that is furthest behind has not got yet.
    pub fn lag(&mut self, bytes: u64, now: Instant) {
        let first = *self.lag_at_first.get_or_insert(bytes);
        if bytes > first.saturating_add(LAG_BYTES) && !self.is_at_full_speed() {
            self.back_off("a replica falls behind", now);
        }
    }

    pub fn cost(&self, now: Instant) -> WalkCost {
        let lately = self
            .meter
            .front()
            .zip(self.meter.back())
            .and_then(|(from, to)| {
                let span = to.at.duration_since(from.at).as_secs_f64();
                let keys = to.keys.saturating_sub(from.keys) as f64;
                let server = to.server.saturating_sub(from.server).as_secs_f64();
                (span > 0.2).then_some((keys / span, (server / span).min(1.0)))
            });
        WalkCost {
            elapsed: now.duration_since(self.began).saturating_sub(self.idle),
            server: self.server(),
            keys_per_s: lately.map(|(speed, _)| speed),
            share: lately.map(|(_, share)| share),
            backs_off: self.backs_off,
            ..WalkCost::default()
        }
    }

    fn server(&self) -> Duration {
        self.settled + self.unsettled.mul_f64(self.factor)
    }

    fn expected(&self, flown: &Flown) -> Duration {
        let per = if flown.is_of_names {
            self.per_name
        } else {
            self.per_key
        };
        let seconds = per.unwrap_or_default() * flown.keys as f64 / self.factor;
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }

    /// Whether the server answers as quickly as it did: what we wait for, others wait for, too.
    fn look_back(&mut self, took: Duration, now: Instant) {
        if self.latest.len() == LOOK_BACK {
            self.latest.pop_front();
        }
        self.latest.push_back(took);
        if self.latest.len() < LOOK_BACK || now.duration_since(self.turned) < AFTER_BACKING_OFF {
            return;
        }
        let mut sorted: Vec<Duration> = self.latest.iter().copied().collect();
        sorted.sort_unstable();
        let median = sorted[LOOK_BACK / 2];
        let quickest = self
            .quickest
            .map_or(median, |quickest| quickest.min(median));
        self.quickest = Some(quickest);
        if median > (quickest * SLOWER).max(quickest + SLOWER_BY) {
            self.back_off("answers take longer than before", now);
        } else if self.part < 1.0 {
            self.turned = now;
            self.part = (self.part * 1.5).min(1.0);
            if self.part >= 1.0 {
                self.backs_off = None;
            }
        }
    }

    fn back_off(&mut self, why: &'static str, now: Instant) {
        self.turned = now;
        self.part = (self.part / 2.0).max(LEAST_PART);
        self.backs_off = Some(why);
        self.latest.clear();
    }
}

/// Server time of a flight on a budget.
fn short(way: Option<Duration>) -> Duration {
    way.map_or(SHORT_FLIGHT, |way| {
        let near = way.mul_f64(PART_OF_WAY);
        let near = near.clamp(SHORTEST_FLIGHT, SHORT_FLIGHT);
        (way / 10).clamp(near, LONG_FLIGHT)
    })
}

/// How many of what takes so long each fit into a span.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number that is clamped"
)]
fn fits(each: Option<f64>, span: Duration) -> Option<u64> {
    each.map(|each| (span.as_secs_f64() / each) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Share;

    const MICRO: Duration = Duration::from_micros(1);

    /// A server that takes 4 us a key behind a way of 50 us, walked for `span`.
    struct Walked {
        governor: Governor,
        now: Instant,
        keys: u64,
        server: Duration,
        longest: u64,
    }

    impl Walked {
        fn at(pace: Pace) -> Self {
            let now = Instant::now();
            Self {
                governor: Governor::new(pace, 3, now),
                now,
                keys: 0,
                server: Duration::ZERO,
                longest: 0,
            }
        }

        fn go(&mut self, span: Duration, delay: Duration) {
            let end = self.now + span;
            while self.now < end {
                let pause = self.governor.pause(self.now);
                // Timers are late by up to a millisecond.
                if !pause.is_zero() {
                    self.now += pause + 600 * MICRO;
                }
                let keys = self.governor.keys(Some(50 * MICRO));
                self.longest = self.longest.max(keys);
                let worked = MICRO * 4 * u32::try_from(keys).unwrap();
                let took = worked + 50 * MICRO + delay;
                self.now += took;
                self.keys += keys;
                self.server += worked;
                let flown = Flown {
                    keys,
                    is_of_names: false,
                    took: Some(took),
                    worked: Some(worked + delay),
                    total: self.keys,
                };
                self.governor.flew(flown, self.now);
            }
        }
    }

    fn percent(percent: f64) -> Pace {
        Pace::Budget(Share::of_percent(percent).unwrap())
    }

    #[test]
    fn the_budget_is_kept_with_late_timers() {
        for share in [0.5, 5.0, 20.0] {
            let mut walked = Walked::at(percent(share));
            walked.go(Duration::from_secs(20), Duration::ZERO);
            let took = walked.server.as_secs_f64() / 20.0 * 100.0;
            assert!(took <= share * 1.02, "{took} of {share}");
            assert!(took >= share * 0.9, "{took} of {share}");
            let cost = walked.governor.cost(walked.now);
            let told = cost.share.expect("known by now") * 100.0;
            assert!((told - share).abs() < share * 0.15, "{told} of {share}");
        }
    }

    #[test]
    fn flights_on_a_budget_are_short_and_at_full_speed_long() {
        let mut walked = Walked::at(percent(5.0));
        walked.go(Duration::from_secs(2), Duration::ZERO);
        assert_eq!(walked.governor.keys(Some(50 * MICRO)), 12);
        assert!(walked.longest <= FIRST);
        assert_eq!(walked.governor.keys(Some(125 * MICRO)), 25);
        assert_eq!(walked.governor.keys(Some(300 * MICRO)), 30);
        assert_eq!(walked.governor.keys(None), 30);
        let mut walked = Walked::at(Pace::FullSpeed);
        walked.go(Duration::from_secs(2), Duration::ZERO);
        assert_eq!(walked.longest, FULL);
        assert!(walked.server > Duration::from_millis(1700));
    }

    #[test]
    fn a_far_server_gets_larger_flights_but_never_long_ones() {
        let mut walked = Walked::at(percent(5.0));
        walked.go(Duration::from_secs(2), Duration::ZERO);
        let keys = walked.governor.keys(Some(Duration::from_millis(300)));
        assert_eq!(keys, 200);
        let mut walked = Walked::at(Pace::FullSpeed);
        walked.go(Duration::from_secs(2), Duration::ZERO);
        assert_eq!(walked.governor.keys(Some(500 * MICRO)), 250);
        assert_eq!(walked.governor.keys(Some(Duration::from_millis(300))), MOST);
    }

    #[test]
    fn it_backs_off_while_answers_are_slow_and_comes_back() {
        let mut walked = Walked::at(percent(5.0));
        walked.go(Duration::from_secs(3), Duration::ZERO);
        assert_eq!(walked.governor.backs_off, None);
        walked.go(Duration::from_secs(10), Duration::from_millis(2));
        assert!(walked.governor.part < 0.2, "{}", walked.governor.part);
        assert!(walked.governor.backs_off.is_some());
        walked.go(Duration::from_secs(20), Duration::ZERO);
        assert_eq!(
            (walked.governor.part, walked.governor.backs_off),
            (1.0, None)
        );
    }

    #[test]
    fn it_backs_off_while_a_replica_falls_behind() {
        let mut walked = Walked::at(percent(5.0));
        walked.governor.lag(1_000, walked.now);
        walked.governor.lag(2_000, walked.now);
        assert_eq!(walked.governor.backs_off, None);
        walked.governor.lag(LAG_BYTES * 2, walked.now);
        assert_eq!(walked.governor.backs_off, Some("a replica falls behind"));
        assert!(walked.governor.part < 1.0);
    }

    #[test]
    fn waiting_is_no_work_of_the_server() {
        let mut governor = Governor::new(percent(5.0), 3, Instant::now());
        let flown = Flown {
            keys: 10,
            is_of_names: false,
            took: Some(300 * MICRO),
            worked: Some(250 * MICRO),
            total: 10,
        };
        governor.flew(flown, Instant::now());
        governor.settle(&Account {
            by_commands: Some(20 * MICRO),
            processor: Some(90 * MICRO),
            commands: 30,
            flights: 1,
        });
        assert_eq!(governor.server(), 68 * MICRO);
        governor.flew(flown, Instant::now());
        assert_eq!(governor.server(), 136 * MICRO);
        // Nothing was told: replies alone count.
        governor.settle(&Account::default());
        assert_eq!(governor.server(), (68 + 250) * MICRO);
    }

    #[test]
    fn more_questions_of_each_key_make_a_flight_of_fewer() {
        for (questions, keys) in [(1, 100), (3, 100), (5, 20), (6, 20)] {
            let governor = Governor::new(Pace::FullSpeed, questions, Instant::now());
            assert_eq!(governor.keys(Some(50 * MICRO)), keys, "{questions}");
        }
    }

    #[test]
    fn names_alone_come_in_larger_pages() {
        let now = Instant::now();
        let mut governor = Governor::new(Pace::FullSpeed, 3, now);
        assert_eq!(governor.names(None), FULL);
        for (keys, is_of_names) in [(100, false), (100, true)] {
            let each = if is_of_names { 2 } else { 6 };
            let took = Some(MICRO * each * 100);
            let flown = Flown {
                keys,
                is_of_names,
                took,
                worked: took,
                total: 0,
            };
            governor.flew(flown, now);
        }
        assert_eq!((governor.keys(None), governor.names(None)), (100, 350));
    }

    #[test]
    fn full_speed_does_not_back_off() {
        let mut walked = Walked::at(Pace::FullSpeed);
        walked.go(Duration::from_secs(1), Duration::ZERO);
        walked.go(Duration::from_secs(1), Duration::from_millis(2));
        assert_eq!(walked.governor.backs_off, None);
    }
}
