//! Walking the keyspace: one flight a step, which asks about the keys of the page before and brings
//! the next page.
//!
//! The questions stand before the SCAN in a flight: the server has just touched those keys, so they
//! are in its caches still. A page is handed on when its keys are told about, which is one flight
//! after their names came (two, where elements are counted: that needs the type). At full speed the
//! next flight is under way while the reader works on the last one.
//!
//! Nothing is taken out of the walk before its replies have landed, so a flight that was lost with its
//! connection is sent again. The cursor stays good over a new connection, but not over a restart of
//! the server: then the walk begins anew and says so.

mod spending;
pub(super) mod telling;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::Fault;
use crate::engine::governor::{Flown, Governor};
use crate::engine::redis::info::Info;
use crate::engine::redis::lane::{Landed, Lane};
use crate::engine::redis::questions::{Flight, Question, refusal};
use crate::engine::redis::repeats::Repeats;
use crate::engine::redis::reply::bytes;
use crate::engine::redis::resp::View;
use crate::engine::redis::{Core, now};
use crate::model::{Coverage, Feature, Key, Lack, Pace, WalkAsk, WalkKey, WalkMark, WalkPage};

use telling::Teller;

pub(super) use spending::Spending;

/// A server that vanished in mid walk gets so long to come back, and one that loads its data longer.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_WHILE_LOADING: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// A walk under way. Dropping it ends it.
#[derive(Debug)]
pub struct RedisWalk {
    core: Arc<Core>,
    ask: WalkAsk,
    lane: Lane,
    governor: Governor,
    teller: Teller,
    spending: Spending,
    stand: Stand,
    run_id: Option<String>,
    /// Names of the latest page, which nothing was asked about yet.
    named: Vec<Key>,
    /// The cursor that brought them.
    named_from: Vec<u8>,
    /// Whether they are to be asked about.
    is_wanted: bool,
    /// Told about, but for the elements.
    told: Vec<WalkKey>,
    told_from: Vec<u8>,
    flight: Flight,
    air: Option<Air>,
    repeats: Repeats,
    coverage: Coverage,
    pages: u32,
    /// Names that came, and those of them that are asked about.
    came: u64,
    wanted: u64,
    /// The server is never asked for more names at a time.
    most: u64,
    is_anew: bool,
    handed_on: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum Stand {
    Before,
    At(Vec<u8>),
    After,
}

/// What the flight under way is made of, in this order.
#[derive(Debug)]
struct Air {
    sent: Instant,
    lengths: usize,
    /// What each key was asked, and the number of all that.
    asked: Arc<[Question]>,
    questions: usize,
    has_page: bool,
}

/// What a flight was about, and what it brought.
#[derive(Debug, Default)]
struct Load {
    /// Keys whose elements were asked for.
    told: Vec<WalkKey>,
    /// Keys that the questions were about, if they were wanted.
    named: Vec<Key>,
    was_wanted: bool,
    is_told: bool,
    asked: u64,
    /// Names in the page.
    came: u64,
    found: Vec<WalkKey>,
}

impl RedisWalk {
    pub(super) fn over(core: Arc<Core>, ask: WalkAsk) -> Self {
        let lane = Lane::to(core.target.clone(), Arc::clone(&core.common));
        Self {
            governor: Governor::new(ask.pace, ask.wants.questions(), Instant::now()),
            teller: Teller::for_wants(ask.wants),
            coverage: coverage_of(&ask),
            core,
            ask,
            lane,
            spending: Spending::default(),
            stand: Stand::Before,
            run_id: None,
            named: Vec::new(),
            named_from: Vec::new(),
            is_wanted: false,
            told: Vec::new(),
            told_from: Vec::new(),
            flight: Flight::default(),
            air: None,
            repeats: Repeats::default(),
            pages: 0,
            came: 0,
            wanted: 0,
            most: u64::MAX,
            is_anew: false,
            handed_on: None,
        }
    }

    /// From here on at this pace.
    pub fn set_pace(&mut self, pace: Pace) {
        self.ask.pace = pace;
        self.governor.set_pace(pace, Instant::now());
    }

    /// The next page; `None` after the last one. A page may be empty and is not the end.
    ///
    /// # Errors
    /// When the connection broke and did not come back, or the server refuses.
    pub async fn step(&mut self) -> Result<Option<WalkPage>, Fault> {
        self.note_idling();
        loop {
            if self.is_over() {
                return Ok(None);
            }
            match self.advance().await {
                Ok(found) => {
                    let page = self.page(found);
                    self.handed_on = Some(Instant::now());
                    return Ok(Some(page));
                }
                Err(Fault::TooLarge { .. }) if self.can_ask_for_less() => {}
                Err(fault) => self.recover(fault).await?,
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stand == Stand::After && self.named.is_empty() && self.told.is_empty()
    }

    /// One flight: sends it unless it is under way, waits for it and reads it.
    async fn advance(&mut self) -> Result<Vec<WalkKey>, Fault> {
        if self.stand == Stand::Before {
            self.begin().await?;
        }
        if self.air.is_none() {
            self.spend().await?;
            tokio::time::sleep(self.governor.pause(Instant::now())).await;
            self.launch().await?;
        }
        let air = self.air.take().expect("a flight was launched");
        let landed = self.lane.land(&self.flight, air.sent).await?;
        let load = self.unload(&air)?;
        let is_due = self.spending.is_due(Instant::now());
        if self.governor.is_at_full_speed() && !self.is_over() && !is_due {
            self.launch().await?;
        }
        let mut found = self.read(&air, landed, load);
        if !self.is_wanted {
            let named = std::mem::take(&mut self.named);
            append(&mut found, named.into_iter().map(unasked).collect());
        }
        Ok(found)
    }

    /// Learns whom we walk on. The first page is asked for afterwards, like every other one.
    async fn begin(&mut self) -> Result<(), Fault> {
        if !self.lane.is_open() {
            self.lane.open().await?;
        }
        self.flight.clear();
        for section in ["server", "memory", "commandstats", "cpu"] {
            self.flight.info(section);
        }
        self.flight.size();
        self.lane.fly(&self.flight).await?;
        self.run_id = Info::parse(&self.text(0)).word("run_id");
        let memory = Info::parse(&self.text(1));
        self.coverage.dataset = memory.bytes("used_memory_dataset");
        if let Some(policy) = memory.word("maxmemory_policy") {
            self.teller.usage_is_kept_as(policy.ends_with("-lfu"));
        }
        self.teller
            .lengths_leave_no_trace(self.lane.leaves_no_trace());
        let account = [self.text(2), self.text(3)].concat();
        self.spending.begin(&Info::parse(&account), Instant::now());
        self.coverage.of = match self.lane.view(4) {
            View::Int(size) => u64::try_from(size).ok(),
            _ => None,
        };
        self.stand = Stand::At(b"0".to_vec());
        if let Some(mark) = self.ask.from.take() {
            self.go_on_from(&mark);
        }
        Ok(())
    }

    /// Goes on where an earlier walk stood. To another run of the server its cursor means nothing, so
    /// then the walk is anew, and whoever kept what came before has to forget it.
    fn go_on_from(&mut self, mark: &WalkMark) {
        let is_cursor = mark.cursor.bytes().all(|byte| byte.is_ascii_digit());
        if !is_cursor || self.run_id.as_ref() != Some(&mark.run_id) {
            self.is_anew = true;
            self.coverage.restarts = mark.restarts + 1;
            return;
        }
        self.stand = Stand::At(mark.cursor.clone().into_bytes());
        self.coverage.seen = mark.seen;
        self.coverage.repeated = mark.repeated;
        self.coverage.gone = mark.gone;
        self.coverage.restarts = mark.restarts;
    }

    /// The place before which everything was handed on: keys that are waited for lie behind it.
    fn mark(&self) -> Option<WalkMark> {
        let cursor = match &self.stand {
            _ if !self.told.is_empty() => &self.told_from,
            _ if !self.named.is_empty() => &self.named_from,
            Stand::At(cursor) => cursor,
            Stand::Before | Stand::After => return None,
        };
        let waiting = (self.told.len() + self.named.len()) as u64;
        Some(WalkMark {
            run_id: self.run_id.clone()?,
            cursor: String::from_utf8(cursor.clone()).ok()?,
            seen: self.coverage.seen.saturating_sub(waiting),
            repeated: self.coverage.repeated,
            gone: self.coverage.gone,
            restarts: self.coverage.restarts,
        })
    }

    /// Now and then the server is asked what our commands cost it.
    async fn spend(&mut self) -> Result<(), Fault> {
        let now = Instant::now();
        if !self.spending.is_due(now) {
            return Ok(());
        }
        self.flight.clear();
        for section in ["commandstats", "cpu", "replication"] {
            self.flight.info(section);
        }
        self.lane.fly(&self.flight).await?;
        self.spending.round_trips += 1;
        let account = Info::parse(&[self.text(0), self.text(1)].concat());
        let account = self.spending.learn(&account, Instant::now());
        self.governor.settle(&account);
        if let Some(lag) = spending::lag(&Info::parse(&self.text(2))) {
            self.governor.lag(lag, Instant::now());
        }
        Ok(())
    }

    /// A text that the server answered with; nothing where it refused.
    fn text(&self, number: usize) -> Vec<u8> {
        let reply = self.lane.value(number).ok();
        reply.and_then(bytes).unwrap_or_default()
    }

    async fn launch(&mut self) -> Result<(), Fault> {
        self.flight.clear();
        let lengths = Teller::ask_lengths(&self.told, &mut self.flight);
        let asked = if self.is_wanted {
            self.named.as_slice()
        } else {
            &[]
        };
        let keys = asked.len();
        let asked = self.teller.ask(asked, &mut self.flight);
        let has_page = match &self.stand {
            Stand::At(cursor) => {
                let count = self.count();
                self.flight.scan(cursor, self.ask.pattern.as_deref(), count);
                true
            }
            Stand::Before | Stand::After => false,
        };
        let sent = self.lane.send(&self.flight).await?;
        self.air = Some(Air {
            sent,
            lengths,
            questions: keys * asked.len(),
            asked,
            has_page,
        });
        Ok(())
    }

    /// Names to ask for in the next page.
    fn count(&self) -> u64 {
        let way = Some(self.lane.way());
        // Beside questions there is no time for a large page.
        let asks = self.is_wanted || !self.told.is_empty();
        let fits = if asks || self.wants_page() {
            self.governor.keys(way)
        } else {
            self.governor.names(way)
        };
        fits.min(self.most)
    }

    /// Whether the keys of the next page are asked about. Pages differ in size, so keys are counted.
    fn wants_page(&self) -> bool {
        let one_in = self.ask.one_key_in.map_or(1, NonZeroU32::get);
        !self.ask.wants.is_nothing() && self.wanted * u64::from(one_in) <= self.came
    }

    /// Makes room for the next flight: takes out what this one asked about, and turns to the page that
    /// it brought. When that is refused, nothing of the flight counts.
    fn unload(&mut self, air: &Air) -> Result<Load, Fault> {
        let page = if air.has_page {
            Some(self.read_page(air.lengths + air.questions)?)
        } else {
            None
        };
        let mut load = Load {
            told: std::mem::take(&mut self.told),
            named: std::mem::take(&mut self.named),
            was_wanted: self.is_wanted,
            ..Load::default()
        };
        // With elements to count, the types have to be known before the next flight leaves.
        if self.teller.asks_lengths() {
            self.tell(air, &mut load);
        }
        if let Some(page) = page {
            self.turn(page, &mut load);
        }
        Ok(load)
    }

    fn read_page(&self, number: usize) -> Result<(Vec<u8>, Vec<Key>), Fault> {
        read_page(&self.lane, number).inspect_err(|fault| {
            if let Fault::NotPermitted { .. } = fault {
                self.core.known.lacks(Feature::Walk, &fault.to_string());
            }
        })
    }

    /// Takes the replies in, and gives the keys that all is told of now.
    fn read(&mut self, air: &Air, landed: Landed, mut load: Load) -> Vec<WalkKey> {
        if !load.is_told {
            self.tell(air, &mut load);
        }
        self.spend_on(air);
        let is_of_names = air.questions + air.lengths == 0;
        let flown = Flown {
            keys: if is_of_names { load.came } else { load.asked },
            is_of_names,
            took: landed.took,
            worked: landed.worked,
            total: self.coverage.seen,
        };
        self.governor.flew(flown, Instant::now());
        load.found
    }

    /// What the replies tell of the keys that they are about.
    fn tell(&mut self, air: &Air, load: &mut Load) {
        load.is_told = true;
        let lane = &self.lane;
        let mut replies = (0..).map(|number| lane.view(number));
        load.found = std::mem::take(&mut load.told);
        self.teller.read_lengths(&mut load.found, &mut replies);
        let named = std::mem::take(&mut load.named);
        load.asked = named.len() as u64;
        if !load.was_wanted {
            return;
        }
        let told = self.teller.read(named, &air.asked, &mut replies, now());
        let gone = load.asked - told.len() as u64;
        self.coverage.gone += gone;
        self.coverage.seen = self.coverage.seen.saturating_sub(gone);
        if self.teller.has_lengths_to_ask(&told) {
            self.told = told;
            self.told_from.clone_from(&self.named_from);
        } else {
            append(&mut load.found, told);
        }
    }

    fn spend_on(&mut self, air: &Air) {
        let (hits, misses) = self.teller.take_lookups();
        self.lane.add_lookups(hits, misses);
        self.spending.lookups += hits + misses;
        self.spending.round_trips += 1;
        self.spending.commands += (air.lengths + air.questions + usize::from(air.has_page)) as u64;
    }

    /// Goes on to the next page.
    fn turn(&mut self, (cursor, mut names): (Vec<u8>, Vec<Key>), load: &mut Load) {
        let next = if cursor == b"0" {
            Stand::After
        } else {
            Stand::At(cursor)
        };
        if let Stand::At(before) = std::mem::replace(&mut self.stand, next) {
            self.named_from = before;
        }
        load.came = names.len() as u64;
        self.repeats.keep_new(&mut names);
        let new = names.len() as u64;
        self.coverage.repeated += load.came - new;
        self.coverage.seen += new;
        self.is_wanted = self.wants_page();
        self.came += load.came;
        self.wanted += if self.is_wanted { load.came } else { 0 };
        self.pages = self.pages.wrapping_add(1);
        self.named = names;
    }

    fn page(&mut self, found: Vec<WalkKey>) -> WalkPage {
        self.coverage.is_complete = self.is_over();
        let cost = self.spending.cost(&self.governor);
        let lacks = self.teller.lacks().to_vec();
        if lacks.iter().any(|lack| lack.what == "size") {
            self.note_missing_sizes(&lacks);
        }
        WalkPage {
            found,
            coverage: self.coverage,
            cost,
            lacks,
            is_anew: std::mem::take(&mut self.is_anew),
            mark: self.mark(),
        }
    }

    /// What is refused for good need not be asked by others either.
    fn note_missing_sizes(&self, lacks: &[Lack]) {
        if self.core.known.has(Feature::KeySize)
            && let Some(refusal) = self.teller.refusal_of_sizes()
        {
            self.core
                .known
                .refused(Feature::KeySize, "MEMORY USAGE", refusal);
            tracing::debug!(lacks = lacks.len(), "sizes are refused");
        }
    }

    /// The time between two steps is the reader's, not the server's.
    fn note_idling(&mut self) {
        const IS_A_PAUSE: Duration = Duration::from_millis(200);
        let now = Instant::now();
        if let Some(handed_on) = self.handed_on.take() {
            let span = now.duration_since(handed_on);
            if span > IS_A_PAUSE {
                self.governor.idled(span, now);
            }
        }
    }

    /// Names so long that a page does not fit: fewer of them at a time.
    fn can_ask_for_less(&mut self) -> bool {
        let count = self.count();
        self.most = (count / 10).max(1);
        self.air = None;
        count > 1
    }

    /// After a lost connection: the same walk goes on where the server is still the same, and begins
    /// anew where it is not.
    async fn recover(&mut self, fault: Fault) -> Result<(), Fault> {
        self.air = None;
        let began = Instant::now();
        let mut fault = fault;
        let mut retry = FIRST_RETRY;
        loop {
            let patience = match &fault {
                Fault::Closed { .. } | Fault::Unreachable { .. } => PATIENCE,
                Fault::NotReady { .. } => PATIENCE_WHILE_LOADING,
                _ => return Err(fault),
            };
            let has_begun = self.pages > 0 || self.coverage.restarts > 0;
            if !has_begun || began.elapsed() + retry > patience {
                return Err(fault);
            }
            tokio::time::sleep(retry).await;
            retry = (retry * 2).min(LONGEST_RETRY);
            match self.come_back().await {
                Ok(()) => return Ok(()),
                Err(again) => fault = again,
            }
        }
    }

    async fn come_back(&mut self) -> Result<(), Fault> {
        self.lane.open().await?;
        self.flight.clear();
        self.flight.info("server");
        self.lane.fly(&self.flight).await?;
        let info = match self.lane.value(0) {
            Ok(reply) => Info::parse(&bytes(reply).unwrap_or_default()),
            // LOADING: it answers nothing yet.
            Err(refusal) => match refusal.fault(self.lane.place(), "INFO") {
                fault @ Fault::NotReady { .. } => return Err(fault),
                _ => Info::default(),
            },
        };
        if info.flag("loading") == Some(true) {
            return Err(Fault::NotReady {
                place: self.lane.place().to_owned(),
                why: "it loads its data".to_owned(),
            });
        }
        if info.word("run_id") != self.run_id {
            self.begin_anew();
        }
        Ok(())
    }

    fn begin_anew(&mut self) {
        self.stand = Stand::Before;
        self.named.clear();
        self.told.clear();
        self.repeats.forget();
        self.is_anew = true;
        self.coverage = Coverage {
            restarts: self.coverage.restarts + 1,
            ..coverage_of(&self.ask)
        };
    }
}

fn coverage_of(ask: &WalkAsk) -> Coverage {
    Coverage {
        is_filtered: ask.pattern.is_some(),
        ..Coverage::default()
    }
}

/// Most of the time one of them is empty.
fn append(found: &mut Vec<WalkKey>, mut more: Vec<WalkKey>) {
    if found.is_empty() {
        *found = more;
    } else {
        found.append(&mut more);
    }
}

fn unasked(key: Key) -> WalkKey {
    WalkKey { key, told: None }
}

/// The cursor and the names in the reply to SCAN.
pub(super) fn read_page(lane: &Lane, number: usize) -> Result<(Vec<u8>, Vec<Key>), Fault> {
    if let View::Error(line) = lane.view(number) {
        return Err(refusal(line).fault(lane.place(), "SCAN"));
    }
    page(lane.elements(number)).ok_or_else(|| Fault::Protocol {
        place: lane.place().to_owned(),
        command: "SCAN".to_owned(),
        why: "not a cursor and a list of keys".to_owned(),
    })
}

fn page<'a>(mut elements: impl Iterator<Item = View<'a>>) -> Option<(Vec<u8>, Vec<Key>)> {
    let (Some(View::Array(2)), Some(View::Bulk(cursor)), Some(View::Array(count))) =
        (elements.next(), elements.next(), elements.next())
    else {
        return None;
    };
    // They are all there already, but what says so came from outside.
    let room = usize::try_from(count).map_or(0, |count| count.min(1 << 14));
    let mut names = Vec::with_capacity(room);
    for name in elements {
        let View::Bulk(name) = name else { return None };
        names.push(Key::new(name));
    }
    Some((cursor.to_vec(), names))
}
