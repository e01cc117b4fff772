//! Sending what a file holds, and what the server says to each key.
//!
//! A string goes in one command, which decides about a key that is there already in the very moment
//! of storing. Everything else is built under a name of our own, which takes the key's name when it is
//! whole (`RENAMENX`, or `RENAME` where it is to replace): nobody ever sees half a value. What is built
//! expires by itself when we break off, so nothing is left behind.

mod answers;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::{Duration, Instant};

use ::redis::Cmd;

use crate::engine::governor::{Flown, Governor};
use crate::engine::journal::{Journal, Written};
use crate::engine::redis::link::{Link, about, command};
use crate::engine::redis::restore::building::{Builder, Need, Order, Orders};
use crate::engine::redis::restore::reading::{Head, Part, Source};
use crate::engine::redis::slot;
use crate::engine::{Fault, Progress};
use crate::guard::Permit;
use crate::model::{
    ChangePhase, ChangeProgress, Conflict, Key, KeyKind, Pace, Restore, RestoreReport, units,
};
use crate::snapshot::rdb::verified_dump;
use crate::text;

/// Commands and bytes of a flight at full speed.
const FULL_FLIGHT: usize = 512;
const FLIGHT_BYTES: usize = 1 << 20;
/// Keys that may be sent beyond what is noted.
const EVERY: u64 = 4_096;
const TELL_EVERY: Duration = Duration::from_millis(100);
/// What is being built lives so long if we break off.
const UNFINISHED_MS: &str = "3600000";
/// What a command takes of the server's time, and a byte of it.
const COMMAND_COST: Duration = Duration::from_nanos(1_500);
const BYTES_A_SECOND: f64 = 1e9;

pub(super) struct Writing<'a> {
    pub link: &'a Link,
    pub permit: &'a Permit,
    pub restore: &'a Restore,
    pub source: &'a Source,
    pub is_cluster_node: bool,
    pub journal: Journal,
    pub report: RestoreReport,
    pub written: Written,
    /// Stored, and not in everything what it was: not worth comparing.
    pub inexact: BTreeSet<u64>,
    governor: Governor,
    /// Tells names of ours apart from those of others.
    run: u64,
    flight: Vec<Cmd>,
    bytes: usize,
    keys: u64,
    purposes: Vec<Purpose>,
    built: BTreeMap<u64, Built>,
    /// Payloads that the server did not take.
    refused: Vec<(Head, Vec<u8>)>,
    /// Types, by their bytes, that the server does not take as they stand.
    unknown_types: BTreeSet<u8>,
    /// Whether the server took a value of this module.
    modules: BTreeMap<String, bool>,
    stopped: Option<Key>,
    lost: Lost,
    /// The last place that was handed to us, plus one.
    reached: u64,
    noted: u64,
    told: Option<Instant>,
}

/// What could not be brought back as it was.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    field_ends: u64,
    counters: u64,
    pending: u64,
    producers: u64,
}

/// A value that is being built.
struct Built {
    head: Head,
    name: Vec<u8>,
    bytes: u64,
    /// Why it will not be whole.
    failed: Option<String>,
    /// The key is there already, and stays.
    is_there: bool,
}

/// What a command in the flight is for.
enum Purpose {
    Set(Head, u64),
    Payload(Head, Vec<u8>),
    Look(u64),
    Build(u64, Need),
    /// Nothing depends on its answer.
    Aside,
    Rename(u64),
}

impl<'a> Writing<'a> {
    pub fn begin(
        link: &'a Link,
        permit: &'a Permit,
        restore: &'a Restore,
        source: &'a Source,
        journal: Journal,
        is_cluster_node: bool,
    ) -> Self {
        let note = &journal.note;
        let report = RestoreReport {
            restored: note.restored,
            existed: note.existed,
            expired: note.expired,
            failed: note.failed,
            earlier: note.restored,
            ..RestoreReport::default()
        };
        Self {
            link,
            permit,
            restore,
            source,
            is_cluster_node,
            noted: note.done,
            reached: note.done,
            journal,
            report,
            written: Written::default(),
            inexact: BTreeSet::new(),
            governor: Governor::new(restore.pace, 1, Instant::now()),
            run: run(),
            flight: Vec::new(),
            bytes: 0,
            keys: 0,
            purposes: Vec::new(),
            built: BTreeMap::new(),
            refused: Vec::new(),
            unknown_types: BTreeSet::new(),
            modules: BTreeMap::new(),
            stopped: None,
            lost: Lost::default(),
            told: None,
        }
    }

    /// Sends everything, and notes how far it is.
    pub async fn run(
        &mut self,
        matched: u64,
        progress: &Progress,
        began: Instant,
    ) -> Result<(), Fault> {
        // A disk that cannot take the note is found before anything is sent.
        self.note(self.noted)?;
        let mut parts = self.source.parts(self.noted).map_err(Fault::Setup)?;
        while let Some(part) = parts.recv().await {
            self.take(part.map_err(Fault::Setup)?).await?;
            if self.stopped.is_some() {
                break;
            }
            self.tell(matched, progress, began);
            if self.reached >= self.noted + EVERY {
                self.settle().await?;
                if self.built.is_empty() {
                    self.note(self.reached)?;
                }
            }
        }
        self.settle().await?;
        if let Some(key) = self.stopped.take() {
            let left = matched.saturating_sub(self.answered());
            self.report.notes.push(format!(
                "{} came into being meanwhile, and --conflict fail stops there: {} keys were not restored",
                text::escape(key.bytes()),
                units::count(left)
            ));
        } else {
            mem::take(&mut self.journal).close();
        }
        self.tell_lost();
        Ok(())
    }

    /// How it went, what was stored, and what of it is not all that it was.
    pub fn end(self) -> (RestoreReport, Written, BTreeSet<u64>) {
        (self.report, self.written, self.inexact)
    }

    fn tell_lost(&mut self) {
        let lost = self.lost;
        for (many, what) in [
            (
                lost.field_ends,
                "fields do not expire any more: this server knows no expiry of fields",
            ),
            (
                lost.counters,
                "counters or idle consumers of streams could not be set: this server is too old",
            ),
            (
                lost.pending,
                "entries that waited for their consumers do not any more: they are deleted from their streams",
            ),
            (
                lost.producers,
                "producers of streams are not known any more: what they send a second time is taken for new (--trust-payload keeps them where the server is of 8.6 or later)",
            ),
        ] {
            if many > 0 {
                self.report
                    .notes
                    .push(format!("{} {what}", units::count(many)));
            }
        }
    }

    fn note(&mut self, done: u64) -> Result<(), Fault> {
        self.noted = done;
        self.journal
            .write(done, &self.report)
            .map_err(|error| Fault::Setup(format!("the note of how far it is: {error}")))
    }

    fn answered(&self) -> u64 {
        let report = &self.report;
        report.restored + report.existed + report.expired + report.failed
    }

    fn tell(&mut self, of: u64, progress: &Progress, began: Instant) {
        if self.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        progress.tell(ChangeProgress {
            phase: ChangePhase::Writing,
            done: self.answered(),
            of: Some(of),
            bytes: self.report.bytes,
            elapsed: began.elapsed(),
        });
    }

    async fn take(&mut self, part: Part) -> Result<(), Fault> {
        match part {
            Part::Expired(place) => {
                self.reached = place + 1;
                self.report.expired += 1;
            }
            Part::Impossible(head, why) => {
                self.reached = head.place + 1;
                self.drop_built(head.place);
                self.report.fail(head.key.bytes(), why);
            }
            Part::Payload(head, payload) => {
                self.reached = head.place + 1;
                self.hand_over(head, payload).await?;
            }
            Part::Orders {
                head,
                orders,
                is_first,
                is_last,
            } => {
                if is_last {
                    self.reached = head.place + 1;
                }
                self.orders(head, orders, is_first, is_last).await?;
            }
        }
        if self.flight.len() >= self.most() || self.bytes >= FLIGHT_BYTES {
            self.fly().await?;
        }
        Ok(())
    }

    async fn hand_over(&mut self, head: Head, payload: Vec<u8>) -> Result<(), Fault> {
        let is_known = payload
            .first()
            .is_some_and(|code| !self.unknown_types.contains(code));
        if !is_known {
            return self.rebuild(head, &payload).await;
        }
        let KeyKind::Other(module) = &head.kind else {
            self.payload(head, payload);
            return Ok(());
        };
        // A module that does not know the form of its values may take a second to find that out, and
        // the server stands still meanwhile: the first value of each is sent alone, and only when it
        // was taken are there others.
        match self.modules.get(module) {
            Some(true) => self.payload(head, payload),
            Some(false) => {
                let why = format!("a value of its module, {module}, was refused before");
                self.report.fail(head.key.bytes(), why);
            }
            None => {
                self.fly().await?;
                self.payload(head, payload);
                self.fly().await?;
            }
        }
        Ok(())
    }

    fn most(&self) -> usize {
        if self.restore.pace == Pace::FullSpeed {
            return FULL_FLIGHT;
        }
        usize::try_from(self.governor.keys(None)).unwrap_or(FULL_FLIGHT)
    }

    fn send(&mut self, command: Cmd, purpose: Purpose) {
        self.bytes += command
            .args_iter()
            .map(|arg| match arg {
                ::redis::Arg::Simple(bytes) => bytes.len(),
                _ => 0,
            })
            .sum::<usize>();
        self.flight.push(command);
        self.purposes.push(purpose);
    }

    fn payload(&mut self, head: Head, payload: Vec<u8>) {
        let mut command = about(&["RESTORE"], &head.key);
        command.arg(head.ends.map_or(0, |ends| ends.0));
        command.arg(payload.as_slice());
        if head.ends.is_some() {
            command.arg("ABSTTL");
        }
        if self.restore.conflict == Conflict::Replace {
            command.arg("REPLACE");
        }
        if let Some(idle) = head.idle {
            command.arg("IDLETIME").arg(idle.as_secs());
        } else if let Some(frequency) = head.frequency {
            command.arg("FREQ").arg(frequency);
        }
        self.keys += 1;
        self.send(command, Purpose::Payload(head, payload));
    }

    /// What the server does not take as it stands is read and built by plain commands.
    async fn rebuild(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        let mut pieces = Vec::new();
        let mut builder = Builder::new(self.source.knows, self.source.at, |orders| {
            pieces.push(orders);
            std::ops::ControlFlow::Continue(())
        });
        let read = verified_dump(payload).and_then(|mut reader| reader.visit(&mut builder));
        let impossible = builder
            .impossible
            .map(|_| "it is a module's, and the server does not take it as it stands".to_owned());
        let last = builder.finish();
        if let Some(why) = read.err().map(|error| error.to_string()).or(impossible) {
            self.report.fail(head.key.bytes(), why);
            return Ok(());
        }
        pieces.push(last);
        let many = pieces.len();
        for (number, orders) in pieces.into_iter().enumerate() {
            let (is_first, is_last) = (number == 0, number + 1 == many);
            Box::pin(self.orders(head.clone(), orders, is_first, is_last)).await?;
        }
        Ok(())
    }

    async fn orders(
        &mut self,
        head: Head,
        mut orders: Orders,
        is_first: bool,
        is_last: bool,
    ) -> Result<(), Fault> {
        let place = head.place;
        let is_string = matches!(orders.list.as_slice(), [Order { words: ["SET"], .. }]);
        if is_first
            && is_last
            && is_string
            && (head.ends.is_none() || self.source.knows.absolute_ends)
        {
            let value = orders.list.remove(0).arguments.swap_remove(0);
            self.set(head, &value);
            return Ok(());
        }
        if is_first && let Err(why) = self.begin_building(head) {
            self.report.fail(why.0.bytes(), why.1);
            return Ok(());
        }
        if is_first && !is_last && self.restore.conflict != Conflict::Replace {
            // A large value is not built for nothing.
            let key = self.built[&place].head.key.clone();
            self.send(about(&["EXISTS"], &key), Purpose::Look(place));
            self.fly().await?;
        }
        let Some(built) = self.built.get_mut(&place) else {
            return Ok(());
        };
        if built.is_there || built.failed.is_some() {
            if is_last {
                self.end_building(place);
            }
            return Ok(());
        }
        let name = built.name.clone();
        built.bytes += orders.bytes as u64;
        if orders.forgotten > 0 {
            self.lost.producers += orders.forgotten;
            self.inexact.insert(place);
        }
        let is_at_once = is_first
            && is_last
            && orders
                .list
                .iter()
                .filter(|one| one.need() == Need::Value)
                .count()
                == 1;
        for order in orders.list {
            let need = order.need();
            self.send(ordered(&order, &name), Purpose::Build(place, need));
            if self.bytes >= FLIGHT_BYTES {
                self.fly().await?;
            }
        }
        if is_first {
            let mut expire = command(&["PEXPIRE"]);
            expire.arg(name.as_slice()).arg(UNFINISHED_MS);
            self.send(expire, Purpose::Aside);
        }
        if is_last {
            // Whether all of it is there is known only after the answers.
            if !is_at_once {
                self.fly().await?;
            }
            self.end_building(place);
        }
        Ok(())
    }

    fn set(&mut self, head: Head, value: &[u8]) {
        let mut command = about(&["SET"], &head.key);
        command.arg(value);
        if self.restore.conflict != Conflict::Replace {
            command.arg("NX");
        }
        if let Some(ends) = head.ends {
            command.arg("PXAT").arg(ends.0);
        }
        self.keys += 1;
        let bytes = value.len() as u64;
        self.send(command, Purpose::Set(head, bytes));
    }

    fn begin_building(&mut self, head: Head) -> Result<(), (Key, &'static str)> {
        let place = head.place;
        let mut name = format!("cachedeck:restore:{:016x}:{place}", self.run).into_bytes();
        if self.is_cluster_node {
            // Both names have to be on one node.
            let part = slot::hashed_part(head.key.bytes()).to_vec();
            name.extend([b":{".as_slice(), &part, b"}"].concat());
            if slot::of(&name) != slot::of(head.key.bytes()) {
                return Err((
                    head.key,
                    "no other name of its slot can be made from its name",
                ));
            }
        }
        let built = Built {
            head,
            name,
            bytes: 0,
            failed: None,
            is_there: false,
        };
        self.built.insert(place, built);
        self.keys += 1;
        Ok(())
    }

    /// Gives what was built its name, or takes it away.
    fn end_building(&mut self, place: u64) {
        let Some(built) = self.built.get(&place) else {
            return;
        };
        if built.is_there || built.failed.is_some() {
            self.drop_built(place);
            return;
        }
        let name = built.name.clone();
        let ends = built.head.ends;
        let key = built.head.key.clone();
        let mut expiry = command(&[if ends.is_some() {
            "PEXPIREAT"
        } else {
            "PERSIST"
        }]);
        expiry.arg(name.as_slice());
        if let Some(ends) = ends {
            expiry.arg(ends.0);
        }
        self.send(expiry, Purpose::Aside);
        let renames = match self.restore.conflict {
            Conflict::Replace => "RENAME",
            Conflict::Skip | Conflict::Fail => "RENAMENX",
        };
        let mut rename = command(&[renames]);
        rename.arg(name.as_slice()).arg(key.bytes());
        self.send(rename, Purpose::Rename(place));
    }

    fn drop_built(&mut self, place: u64) {
        let Some(built) = self.built.remove(&place) else {
            return;
        };
        if built.is_there {
            self.existed(&built.head);
        } else if let Some(why) = built.failed {
            self.report.fail(built.head.key.bytes(), why);
        }
        let mut drop = command(&["DEL"]);
        drop.arg(built.name.as_slice());
        self.send(drop, Purpose::Aside);
    }

    /// Sends until nothing is waited for.
    async fn settle(&mut self) -> Result<(), Fault> {
        while !self.flight.is_empty() || !self.refused.is_empty() {
            self.fly().await?;
        }
        Ok(())
    }

    async fn fly(&mut self) -> Result<(), Fault> {
        if !self.flight.is_empty() {
            let flight = mem::take(&mut self.flight);
            let purposes = mem::take(&mut self.purposes);
            let bytes = mem::take(&mut self.bytes);
            tokio::time::sleep(self.governor.pause(Instant::now())).await;
            let answer = self.link.carry_out(self.permit, &flight).await;
            let answer = answer.map_err(|lost| lost.fault)?;
            let commands = u32::try_from(flight.len()).unwrap_or(u32::MAX);
            let carried = Duration::from_secs_f64(bytes as f64 / BYTES_A_SECOND);
            let flown = Flown {
                keys: mem::take(&mut self.keys).max(1),
                is_of_names: false,
                took: (bytes < 64 << 10).then_some(answer.took),
                worked: Some(COMMAND_COST * commands + carried),
                total: self.answered(),
            };
            self.governor.flew(flown, Instant::now());
            for (purpose, reply) in purposes.into_iter().zip(answer.replies) {
                self.answer(purpose, reply);
            }
        }
        for (head, payload) in mem::take(&mut self.refused) {
            Box::pin(self.rebuild(head, &payload)).await?;
        }
        Ok(())
    }
}

/// The command with the key that it is about.
fn ordered(order: &Order, name: &[u8]) -> Cmd {
    let mut command = command(order.words);
    command.arg(name);
    for argument in &order.arguments {
        command.arg(argument.as_slice());
    }
    command
}

/// A number that no other run has: names of ours must not meet.
fn run() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
