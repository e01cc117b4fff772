//! Taking a Memcached server's items into a file.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::call::now;
use crate::cli::output::{Answer, Look};
use crate::cli::progress::Progress;
use crate::cli::{Call, Failure, Kind, Next, Visit, facts, output};
use crate::engine::fetching::filing::{Filed, Filing, FilingError, Place};
use crate::engine::fetching::spill;
use crate::engine::{Fault, MemcachedTake, TakeAsk, TakeTally};
use crate::model::{Bytes, Pace, units};
use crate::snapshot::items::{End, Header, Packing};
use crate::snapshot::keeping::{IfThere, KeepError};
use crate::text;

const COMMAND: &str = "snapshot fetch";

/// What to take, and where to.
#[derive(Debug)]
pub struct Wish {
    pub file: PathBuf,
    pub packing: Packing,
    pub if_there: IfThere,
    pub pattern: Option<Vec<u8>>,
    pub pace: Pace,
}

impl Wish {
    fn is_stdout(&self) -> bool {
        self.file == Path::new("-")
    }
}

pub fn run(call: &mut Call, visit: &Visit, wish: &Wish) -> Result<Next, Failure> {
    let place = Place::of(&wish.file, wish.if_there).map_err(|error| of_keeping(&error))?;
    let taken = call.wait(or_told_to_end(take(visit, wish, place)))?;
    let envelope = call.envelope(COMMAND, visit, taken.warnings());
    let answer = Answered {
        taken: &taken,
        wish,
    };
    if wish.is_stdout() {
        // Stdout is the file.
        eprint!("{}", answer.text(Look::plain()));
        for warning in &envelope.warnings {
            eprintln!("warning: {warning}");
        }
    } else {
        call.output().answer(&envelope, &answer)?;
    }
    if taken.tally.left_out() > 0 {
        let left = units::count(taken.tally.left_out());
        return Err(Failure::new(
            Kind::Partial,
            format!(
                "{COMMAND} on {}: {left} items could not be taken",
                visit.target.name
            ),
        ));
    }
    Ok(Next::Exit(0))
}

/// Ends in order also when the program is told to end: a file under way is removed.
async fn or_told_to_end<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        biased;
        _ = terminate.recv() => Err(Failure::interrupted()),
        _ = hangup.recv() => Err(Failure::interrupted()),
        done = work => done,
    }
}

/// What was taken, and how.
struct Taken {
    header: Header,
    tally: TakeTally,
    filed: Filed,
    touched: bool,
    refusal: Option<String>,
    took: Duration,
}

async fn take(visit: &Visit, wish: &Wish, place: Place) -> Result<Taken, Failure> {
    let of_server = |fault: Fault| Failure::of_server(COMMAND, &visit.target.name, &fault);
    let began = Instant::now();
    let ask = TakeAsk {
        pattern: wish.pattern.clone(),
        pace: wish.pace,
        spill: if wish.is_stdout() {
            tempfile::tempfile().ok()
        } else {
            spill(&wish.file)
        },
    };
    let mut take = visit.server.take(ask).await.map_err(of_server)?;
    let mut filing = Filing::start(place, take.header().clone(), wish.packing)?;
    let mut progress = Progress::beside_a_report();
    let taken = fill(&mut take, &mut filing, &mut progress, of_server).await;
    progress.clear();
    taken?;
    let tally = *take.tally();
    let end = End {
        ended: Some(now()),
        gone: tally.gone,
        changed: tally.changed,
        left_out: tally.left_out() + tally.placeholders,
        ..End::default()
    };
    let filed = filing
        .finish(end)
        .await
        .map_err(|error| of_filing(&error))?;
    Ok(Taken {
        header: take.header().clone(),
        tally,
        filed,
        touched: take.touches(),
        refusal: take.refusal().map(str::to_owned),
        took: began.elapsed(),
    })
}

async fn fill(
    take: &mut MemcachedTake<'_>,
    filing: &mut Filing,
    progress: &mut Progress,
    of_server: impl Fn(Fault) -> Failure,
) -> Result<(), Failure> {
    let began = Instant::now();
    while let Some(block) = take.step(filing.room()).await.map_err(&of_server)? {
        filing.put(block).await.map_err(|error| of_filing(&error))?;
        if progress.is_due() {
            progress.tell(&line(take, began.elapsed()));
        }
    }
    Ok(())
}

/// `412,000 of about 1,000,000 items, 61 MiB; 320 k items/s`
fn line(take: &MemcachedTake, elapsed: Duration) -> String {
    let tally = take.tally();
    let of = take.header().items;
    let of = of.map_or_else(String::new, |of| format!(" of about {}", units::count(of)));
    let speed = tally.items as f64 / elapsed.as_secs_f64().max(0.001);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed is neither negative nor astronomical, and casts saturate"
    )]
    let speed = units::count_short(speed as u64);
    format!(
        "{}{of} items, {}; {speed} items/s",
        units::count(tally.items),
        Bytes(tally.bytes),
    )
}

fn of_keeping(error: &KeepError) -> Failure {
    let failure = Failure::usage(format!("{COMMAND}: {error}"));
    match error {
        KeepError::Exists { .. } => failure.hint("--force replaces it"),
        KeepError::Full { .. } => failure.hint("nothing is left of it; --compress zstd takes less"),
        _ => failure,
    }
}

fn of_filing(error: &FilingError) -> Failure {
    match error {
        FilingError::Keep(error) => of_keeping(error),
        FilingError::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Failure::new(Kind::ClosedPipe, "the reader closed the pipe")
        }
        FilingError::Io(error) => Failure::usage(format!("{COMMAND}: {error}")),
    }
}

impl Taken {
    fn warnings(&self) -> Vec<String> {
        let tally = &self.tally;
        let count = units::count;
        let mut warnings = vec![
            "this is not one moment of the cache: each item is as it was when it was asked for"
                .to_owned(),
        ];
        if self.header.may_miss {
            warnings.push(format!(
                "Memcached {} lists its keys by queues: items that moved meanwhile may be missing",
                self.header.version
            ));
        }
        if self.touched {
            warnings.push(format!(
                "Memcached {} has no way to look without counting it as a use: every item now counts as used",
                self.header.version
            ));
        }
        if tally.tokens > 0 {
            warnings.push(format!(
                "{} stale items gave us their recache token, which was given back at once",
                count(tally.tokens)
            ));
        }
        if tally.unnameable > 0 {
            warnings.push(format!(
                "{} keys cannot be sent to this server and were left out",
                count(tally.unnameable)
            ));
        }
        if let Some(refusal) = &self.refusal {
            warnings.push(format!(
                "{} items were not handed out: {refusal}",
                count(tally.refused)
            ));
        }
        warnings
    }
}

struct Answered<'a> {
    taken: &'a Taken,
    wish: &'a Wish,
}

impl Answer for Answered<'_> {
    fn data(&self) -> Value {
        let Taken {
            header,
            tally,
            filed,
            took,
            ..
        } = self.taken;
        json!({
            "file": output::bytes(self.wish.file.as_os_str().as_encoded_bytes()),
            "form": "memcached-items",
            "is_one_moment": false,
            "server_version": header.version,
            "items": tally.items,
            "value_bytes": tally.bytes,
            "file_bytes": filed.bytes,
            "blocks": filed.end.blocks,
            "changed": tally.changed,
            "gone": tally.gone,
            "stale": tally.stale,
            "tokens_given_back": tally.tokens,
            "placeholders": tally.placeholders,
            "left_out": tally.left_out(),
            "may_miss": header.may_miss,
            "counts_as_use": self.taken.touched,
            "took_s": facts::seconds(*took),
        })
    }

    fn text(&self, _: Look) -> String {
        let Taken {
            tally, filed, took, ..
        } = self.taken;
        let count = units::count;
        let path = text::escape(self.wish.file.as_os_str().as_encoded_bytes());
        let mut lines = vec![format!(
            "{} items, {} in {} → {path} ({})",
            count(tally.items),
            Bytes(tally.bytes),
            units::span(*took),
            Bytes(filed.bytes),
        )];
        for (many, what) in [
            (
                tally.changed,
                "changed after they were listed; kept as they were then",
            ),
            (tally.gone, "gone before they were asked for"),
            (tally.stale, "marked as stale, kept with their mark"),
            (
                tally.placeholders,
                "places kept for items that are not made yet, left out",
            ),
            (tally.left_out(), "could not be taken"),
        ] {
            if many > 0 {
                lines.push(format!("{:>9}  {what}", count(many)));
            }
        }
        lines.join("\n") + "\n"
    }
}
