//! What speaks for and against taking the items now.

use crate::engine::Fault;
use crate::engine::memcached::{MemcachedServer, NO_SNAPSHOTS, dialect};
use crate::model::{Bytes, Job, Preflight, PreflightNote, Verdict, units};

impl MemcachedServer {
    /// What taking all items costs; anything else it cannot do.
    pub(super) async fn judge(&self, job: Job) -> Result<Preflight, Fault> {
        if job != Job::Fetch {
            return Ok(Preflight {
                notes: vec![note(Verdict::Stop, "snapshots", NO_SNAPSHOTS)],
            });
        }
        let stats = self.stats().await?;
        let version = stats.text("version").and_then(dialect::Version::read);
        let mut notes = vec![note(
            Verdict::Caution,
            "not one moment",
            "each item is as it is when it is asked for",
        )];
        notes.push(match version {
            Some(version) if version.has_meta() => note(
                Verdict::Good,
                "lookups",
                "every item is looked up once, unmoved in its queue; hit ratios shown here leave that out",
            ),
            Some(_) => note(
                Verdict::Caution,
                "lookups",
                "this version cannot look without use: every item will count as used",
            ),
            None => note(Verdict::Unknown, "lookups", "the version is not known"),
        });
        notes.push(match (stats.count("curr_items"), stats.count("bytes")) {
            (Some(items), Some(bytes)) => {
                let words = format!("{} items, about {}", units::count(items), Bytes(bytes));
                note(Verdict::Good, "size", &words)
            }
            _ => note(Verdict::Unknown, "size", "the server does not tell"),
        });
        if stats.count("lru_crawler_running") == Some(1) {
            notes.push(note(
                Verdict::Caution,
                "crawler",
                "it is at work: the listing waits for its turn",
            ));
        }
        Ok(Preflight { notes })
    }
}

fn note(verdict: Verdict, what: &str, words: &str) -> PreflightNote {
    PreflightNote {
        verdict,
        what: what.to_owned(),
        words: words.to_owned(),
    }
}
