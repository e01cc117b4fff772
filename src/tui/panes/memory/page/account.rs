//! What the server counts by itself: there at once, before any key was asked.

use crate::model::{Account, Bytes, CommandTime, OwnSpread, SpreadUnit, units};
use crate::text;

use super::{Page, ratio, share};

/// Commands that are shown: the others take next to nothing.
const COMMANDS: usize = 6;

impl Page<'_> {
    /// The server's own counts, as far as it keeps any.
    pub fn account(&mut self) {
        let Some(account) = &self.report.account else {
            return;
        };
        self.own_counts(account);
        self.own_spreads(&account.spreads);
        self.commands(&account.commands);
    }

    fn own_counts(&mut self, account: &Account) {
        let mut rows = Vec::new();
        if let Some(with) = account.keys_with_ttl {
            let of = account.keys.map(|keys| share(with, keys));
            rows.push((
                "keys with a TTL",
                units::count(with),
                of.unwrap_or_default(),
            ));
        }
        if let Some(ttl) = account.average_ttl {
            let words = format!("~{}", units::span_short(ttl));
            rows.push(("TTL on average", words, String::new()));
        }
        if let Some(dataset) = account.dataset {
            rows.push(("data", dataset.to_string(), String::new()));
            if let Some(each) = account.keys.and_then(|keys| dataset.0.checked_div(keys)) {
                rows.push(("data per key", Bytes(each).to_string(), String::new()));
            }
        }
        if let Some(overhead) = account.overhead {
            rows.push(("beside the data", overhead.to_string(), String::new()));
        }
        if rows.is_empty() {
            return;
        }
        self.heading("SERVER COUNTS", &[]);
        for (name, value, share) in rows {
            self.row(name, &[(value, 11), (share, 7)], None);
        }
    }

    fn own_spreads(&mut self, spreads: &[OwnSpread]) {
        if spreads.is_empty() {
            return;
        }
        self.heading("SERVER'S TYPES", &[("KEYS", 11), ("LARGEST", 16)]);
        let all: u64 = spreads.iter().map(OwnSpread::keys).sum();
        for spread in spreads {
            let largest = spread.buckets.iter().rfind(|bucket| bucket.keys > 0);
            let largest = largest.map(|bucket| match spread.unit {
                SpreadUnit::Bytes => format!(">= {}", Bytes(bucket.border)),
                SpreadUnit::Elements => format!(">= {} elem.", units::count_short(bucket.border)),
                SpreadUnit::ChunkBytes => format!("<= {}", Bytes(bucket.border)),
            });
            let cells = [
                (units::count(spread.keys()), 11),
                (largest.unwrap_or_default(), 16),
            ];
            let part = ratio(spread.keys(), all);
            self.row(&spread.kind, &cells, Some(part));
        }
    }

    fn commands(&mut self, commands: &[CommandTime]) {
        let times = || commands.iter().filter_map(|one| one.total);
        let all = times().map(|total| total.as_secs_f64()).sum::<f64>();
        if all <= 0.0 {
            return;
        }
        let columns = [("CALLS", 8), ("EACH", 8), ("P99", 8), ("TIME", 7)];
        self.heading("COMMANDS", &columns);
        for command in commands.iter().take(COMMANDS) {
            let unknown = || self.unknown();
            let part = command.total.map(|total| total.as_secs_f64() / all);
            let cells = [
                (units::count_short(command.calls), 8),
                (command.each().map_or_else(unknown, units::span_fine), 8),
                (command.p99.map_or_else(unknown, units::span_fine), 8),
                (part.map_or_else(unknown, units::percent), 7),
            ];
            let name = text::escape(command.name.as_bytes());
            self.row(&name, &cells, None);
        }
    }
}
