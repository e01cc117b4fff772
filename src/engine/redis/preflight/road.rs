//! What a copy that is sent to us costs the server, and how it comes.

use crate::engine::redis::info::Info;
use crate::engine::redis::preflight::{Settings, note};
use crate::model::{Bytes, PreflightNote, Verdict};

pub fn notes(info: &Info, settings: &Settings) -> Vec<PreflightNote> {
    vec![
        note(
            Verdict::Good,
            "what it does",
            "the server forks, and the copy sends all databases as they are now".to_owned(),
        ),
        road(settings),
        seen(info, settings),
    ]
}

/// Over the disk or straight from memory, and when it begins.
fn road(settings: &Settings) -> PreflightNote {
    let what = "road";
    match (settings.is_diskless, settings.diskless_delay) {
        (Some(true), delay) => {
            let wait = match delay {
                Some(0) => String::new(),
                Some(delay) => format!(", after {delay} s in which it waits for other replicas"),
                None => ", after the delay it is set to".to_owned(),
            };
            let words = format!("straight from memory, nothing on its disk{wait}");
            note(Verdict::Good, what, words)
        }
        // Measured on Redis 7.0 and Valkey 9: the copy becomes the dump file, and counts as a save.
        (Some(false), _) => {
            let file = settings.file.as_deref().unwrap_or("its own snapshot file");
            let words = format!(
                "it writes the copy to its disk first, over {file}, which counts as a save, then sends it from there"
            );
            note(Verdict::Caution, what, words)
        }
        (None, _) => {
            let words = "the server does not tell whether it writes the copy to its disk first";
            note(Verdict::Unknown, what, words.to_owned())
        }
    }
}

/// What others see of it, and what stays of it.
fn seen(info: &Info, settings: &Settings) -> PreflightNote {
    let words = "it counts us as a replica while it lasts".to_owned();
    let has_backlog = info.flag("repl_backlog_active").unwrap_or(true);
    if has_backlog {
        return note(Verdict::Good, "trace", words);
    }
    let size = settings.backlog.map(|size| format!(" of {}", Bytes(size)));
    let size = size.unwrap_or_default();
    let more = format!("takes a new replication id, and keeps a backlog{size} for an hour after");
    note(Verdict::Good, "trace", format!("{words}, {more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(settings: &Settings, info: &str) -> String {
        let notes = notes(&Info::parse(info.as_bytes()), settings);
        let words: Vec<&str> = notes.iter().map(|note| note.words.as_str()).collect();
        words.join("\n")
    }

    #[test]
    fn the_road_is_told_as_far_as_it_is_known() {
        let diskless = Settings {
            is_diskless: Some(true),
            diskless_delay: Some(5),
            ..Settings::default()
        };
        assert!(
            words(&diskless, "").contains("straight from memory, nothing on its disk, after 5 s")
        );
        let disk = Settings {
            is_diskless: Some(false),
            ..Settings::default()
        };
        assert!(words(&disk, "").contains("to its disk first, over"));
        assert!(words(&Settings::default(), "").contains("does not tell"));
    }

    #[test]
    fn a_first_replica_leaves_a_trace() {
        let settings = Settings {
            backlog: Some(1 << 20),
            ..Settings::default()
        };
        let first = words(&settings, "repl_backlog_active:0\n");
        assert!(first.contains("a backlog of 1.00 MiB"), "{first}");
        assert!(!words(&settings, "repl_backlog_active:1\n").contains("backlog"));
    }
}
