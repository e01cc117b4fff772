//! Bringing all data here as a file: what it costs first, then where to, then how far it is.

use std::path::PathBuf;
use std::time::Duration;

use crate::engine::fetching::copying::Trouble;
use crate::engine::fetching::{FetchedFile, Fetching, FileAsk, Unfetched};
use crate::engine::worker::{FetchStep, Query, Ticket};
use crate::model::{
    Job, Pace, Protocol, RecordEnd, RecordKind, Sample, SnapshotRecord, UnixMs, Verdict, units,
};
use crate::text;
use crate::tui::deck::Deck;
use crate::tui::layers::prompt::Prompt;
use crate::tui::panes::PaneId;
use crate::tui::panes::snapshots::{check, check_for, is_file, keep};
use crate::tui::shell::{Cx, Shell};
use crate::tui::theme::Tone;

/// A server that sends nothing for so long has hung.
const STALL: Duration = Duration::from_secs(60);
/// So few items are taken as fast as can be.
const FEW: u64 = 100_000;

#[derive(Debug, Default)]
pub struct Fetches {
    /// The check was asked for a fetch: when it is there, a name is asked for.
    is_wanted: bool,
    pub under_way: Option<UnderWay>,
}

#[derive(Debug)]
pub struct UnderWay {
    pub file: PathBuf,
    pub began: UnixMs,
    pub latest: Option<Fetching>,
    ticket: Ticket,
}

impl Fetches {
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }
}

/// What it costs is found out before anything else.
pub fn ask(cx: &mut Cx) {
    if is_file(cx.deck) {
        return cx.say(Tone::Caution, "this is a snapshot already");
    }
    if let Some(under_way) = &cx.deck.snapshots.fetching.under_way {
        let words = format!("{} is being fetched already", shown(&under_way.file));
        return cx.say(Tone::Caution, words);
    }
    if !cx.deck.is_up() {
        return cx.say(Tone::Caution, "there is no connection");
    }
    cx.deck.snapshots.fetching.is_wanted = true;
    check_for(cx, Job::Fetch);
}

/// The check came. If it was asked for a fetch, it is known now what that costs.
pub fn checked(cx: &mut Cx) {
    let snapshots = &mut cx.deck.snapshots;
    if !std::mem::take(&mut snapshots.fetching.is_wanted) || snapshots.job != Some(Job::Fetch) {
        return;
    }
    let stop = match &snapshots.preflight {
        Some(Ok(preflight)) => {
            let mut notes = preflight.notes.iter();
            let stop = notes.find(|note| note.verdict == Verdict::Stop);
            stop.map(|note| format!("{}: {}", note.what, note.words))
        }
        Some(Err(fault)) => Some(fault.to_string()),
        None => return,
    };
    if let Some(why) = stop {
        return cx.say(Tone::Danger, format!("not fetched: {why}"));
    }
    let what = match cx.deck.target.protocol {
        Protocol::Redis => "Fetch a copy into the file",
        Protocol::Memcached => "Fetch the items into the file",
    };
    let prompt = Prompt::new(what, begin)
        .starting_with(usual_name(cx.shell, cx.deck))
        .hint("it appears when it is whole");
    cx.prompt(prompt);
}

/// `prod-2026-11-29-0312.rdb`
fn usual_name(shell: &Shell, deck: &Deck) -> String {
    let name = &deck.target.name;
    let name = name
        .split_once("://")
        .map_or(name.as_str(), |(_, name)| name);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    let name: String = name
        .trim_start_matches('/')
        .chars()
        .map(|letter| if is_plain(letter) { letter } else { '-' })
        .collect();
    let when: String = shell
        .date(shell.now)
        .chars()
        .filter(|letter| *letter != ':')
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .take("2026-11-29-0312".len())
        .collect();
    let ending = match deck.target.protocol {
        Protocol::Redis => "rdb",
        Protocol::Memcached => "items",
    };
    format!("{name}-{when}.{ending}")
}

fn begin(cx: &mut Cx, typed: &str) {
    if typed.is_empty() || cx.deck.snapshots.fetching.is_under_way() {
        return;
    }
    let file = PathBuf::from(typed);
    let ticket = cx.ticket(PaneId::Snapshots);
    let keys = cx.deck.latest().and_then(Sample::keys);
    let pace = if keys.is_some_and(|keys| keys <= FEW) {
        Pace::FullSpeed
    } else {
        Pace::default()
    };
    cx.deck.snapshots.fetching.under_way = Some(UnderWay {
        file: file.clone(),
        began: cx.shell.now,
        latest: None,
        ticket,
    });
    let ask = FileAsk {
        file,
        pace,
        stall: STALL,
    };
    cx.ask(Query::Fetch { ticket, ask });
}

pub fn stop(cx: &mut Cx) {
    let Some(under_way) = cx.deck.snapshots.fetching.under_way.take() else {
        return cx.say(Tone::Caution, "nothing is being fetched");
    };
    cx.forget(under_way.ticket);
    cx.ask(Query::StopFetch);
    cx.say(Tone::Plain, "the fetch is stopped; nothing stays of it");
}

pub fn report(cx: &mut Cx, ticket: Ticket, step: FetchStep) {
    let fetches = &mut cx.deck.snapshots.fetching;
    let Some(under_way) = fetches
        .under_way
        .as_mut()
        .filter(|one| one.ticket == ticket)
    else {
        return;
    };
    let (record, tone, words) = match step {
        FetchStep::Fetching(latest) => {
            under_way.latest = Some(latest);
            return;
        }
        FetchStep::Ended(file) => (Some(record(cx, &file)), Tone::Good, ended_words(&file)),
        FetchStep::Failed(why) => {
            let words = text::escape(why.to_string().as_bytes());
            // A name that is taken is no matter of the server.
            let is_ours = matches!(why, Unfetched::Disk(Trouble::Keep(_)));
            let record = (!is_ours).then(|| failed(cx, words.clone()));
            (record, Tone::Danger, format!("not fetched: {words}"))
        }
    };
    cx.deck.snapshots.fetching.under_way = None;
    if let Some(record) = record {
        keep(cx, record);
    }
    // The reason stands behind the name, which may be long.
    let room = usize::from(cx.shell.area.width.saturating_sub(4));
    cx.say(tone, text::fit_middle(&words, room));
    check(cx);
}

fn ended_words(file: &FetchedFile) -> String {
    let items = file
        .keys
        .map(|keys| format!(", {} items", units::count(keys)));
    let notes = file
        .notes
        .iter()
        .fold(String::new(), |notes, note| notes + "; " + note);
    format!(
        "{}: {}{} in {}, whole{notes}",
        shown(&file.file),
        file.size,
        items.unwrap_or_default(),
        units::span(file.took)
    )
}

fn record(cx: &Cx, file: &FetchedFile) -> SnapshotRecord {
    SnapshotRecord {
        took: Some(file.took),
        keys: file.keys,
        size: Some(file.size),
        file: Some(shown(&file.file)),
        end: RecordEnd::Good,
        ..SnapshotRecord::asked(RecordKind::Fetch, cx.now(), cx.shell.who.clone())
    }
}

fn failed(cx: &Cx, why: String) -> SnapshotRecord {
    let under_way = cx.deck.snapshots.fetching.under_way.as_ref();
    SnapshotRecord {
        file: under_way.map(|one| shown(&one.file)),
        end: RecordEnd::Failed(why),
        ..SnapshotRecord::asked(RecordKind::Fetch, cx.now(), cx.shell.who.clone())
    }
}

/// The order did not reach the worker.
pub fn notice_lost(cx: &mut Cx) {
    let fetches = &cx.deck.snapshots.fetching;
    let ticket = fetches.under_way.as_ref().map(|one| one.ticket);
    if ticket.is_some_and(|ticket| cx.deck.waiter(ticket).is_none()) {
        cx.deck.snapshots.fetching.under_way = None;
    }
}

/// Safe to show.
pub fn shown(file: &std::path::Path) -> String {
    text::escape(file.as_os_str().as_encoded_bytes())
}
