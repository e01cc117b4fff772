//! `INFO` as lines: names, values, sections.
//!
//! Every server and every managed service leaves other lines out, so nothing here is required. A
//! line that is missing or unreadable is `None`.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::engine::redis::reply::shown;
use crate::model::Bytes;

/// The lines of one `INFO` reply.
#[derive(Debug, Default)]
pub struct Info {
    lines: Vec<(String, String)>,
    places: HashMap<String, usize>,
    sections: HashSet<String>,
}

impl Info {
    pub fn parse(reply: &[u8]) -> Self {
        let mut info = Self::default();
        for line in reply.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(section) = line.strip_prefix(b"# ") {
                info.sections.insert(shown(section).to_ascii_lowercase());
            } else if let Some(colon) = line.iter().position(|byte| *byte == b':') {
                let name = shown(&line[..colon]);
                let value = shown(&line[colon + 1..]);
                info.places.insert(name.clone(), info.lines.len());
                info.lines.push((name, value));
            }
        }
        info
    }

    /// Every line in the server's order.
    pub fn into_lines(self) -> Vec<(String, String)> {
        self.lines
    }

    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the section was there, be it empty.
    pub fn has_section(&self, name: &str) -> bool {
        self.sections.contains(name)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        let place = self.places.get(name)?;
        Some(self.lines[*place].1.as_str())
    }

    /// The text, unless there is none in it.
    pub fn word(&self, name: &str) -> Option<String> {
        self.text(name)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
    }

    /// A count; negative stands for "never" or "none" in `INFO` and is `None` here.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub fn bytes(&self, name: &str) -> Option<Bytes> {
        self.count(name).map(Bytes)
    }

    pub fn seconds(&self, name: &str) -> Option<Duration> {
        self.count(name).map(Duration::from_secs)
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        let number: f64 = self.text(name)?.trim_end_matches('%').parse().ok()?;
        number.is_finite().then_some(number)
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.count(name).map(|number| number != 0)
    }

    /// `yes` to `Some(true)`, anything else that is there to `Some(false)`.
    pub fn is(&self, name: &str, yes: &str) -> Option<bool> {
        self.text(name).map(|word| word == yes)
    }
}

/// The parts of a value such as `keys=1,expires=0`.
pub fn parts(value: &str) -> HashMap<&str, &str> {
    value
        .split(',')
        .filter_map(|part| part.split_once('='))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_oddities_survive() {
        let info = Info::parse(b"# Server\r\nredis_version:7.0.15\r\nodd:a:b\r\nno colon\r\n\r\nrdb_last_bgsave_time_sec:-1\r\n# Keyspace\r\n");
        assert_eq!(info.text("redis_version"), Some("7.0.15"));
        assert_eq!(info.text("odd"), Some("a:b"));
        assert_eq!(info.count("rdb_last_bgsave_time_sec"), None);
        assert_eq!(info.count("absent"), None);
        assert!(info.has_section("keyspace"));
        assert!(!info.has_section("replication"));
        assert_eq!(info.into_lines().len(), 3);
    }

    #[test]
    fn what_is_empty_stays_empty() {
        let info = Info::parse(b"config_file:\r\nos:Linux\r\n");
        assert_eq!(info.text("config_file"), Some(""));
        assert_eq!(info.word("config_file"), None);
    }
}
