//! What is said of a copy that is whole.

use serde_json::{Value, json};

use crate::cli::commands::snapshot::begun::preflight_notes;
use crate::cli::commands::snapshot::fetch::receive::Kept;
use crate::cli::output::{Answer, Look};
use crate::cli::unknown;
use crate::model::{FetchWay, Preflight, units};
use crate::snapshot::packing::Packing;

pub struct Fetched<'a> {
    /// Safe to show.
    pub file: &'a str,
    pub compress: Packing,
    pub kept: &'a Kept,
    pub preflight: &'a Preflight,
}

impl Fetched<'_> {
    pub fn warnings(&self) -> Vec<String> {
        let unchecked = "the server makes no checksums, so whether each byte is right is not known";
        let is_checked = self.kept.whole.is_sum_checked;
        let warnings = (!is_checked).then(|| unchecked.to_owned());
        warnings.into_iter().collect()
    }

    fn sum(&self) -> &'static str {
        if self.kept.whole.is_sum_checked {
            "good"
        } else {
            "not_made"
        }
    }
}

impl Answer for Fetched<'_> {
    fn data(&self) -> Value {
        let Kept {
            whole,
            origin,
            received,
            written,
            took,
            ..
        } = self.kept;
        let mut data = json!({
            "file": self.file,
            "received_bytes": received,
            "file_bytes": written,
            "compress": match self.compress {
                Packing::Plain => "none",
                Packing::Gzip => "gzip",
                Packing::Zstd => "zstd",
            },
            "took_s": took.as_secs_f64(),
            "checksum": self.sum(),
            "format": whole.family.to_lowercase(),
            "format_version": whole.version,
            "way": origin.way.map(|way| match way {
                FetchWay::Disk => "disk",
                FetchWay::Memory => "memory",
            }),
            "replication_id": origin.replication_id,
            "offset": origin.offset,
            "preflight": preflight_notes(self.preflight),
        });
        unknown::explain(&mut data, unknown::NOT_REPORTED);
        data
    }

    fn text(&self, _: Look) -> String {
        let Kept {
            received,
            written,
            took,
            ..
        } = self.kept;
        let packed = if received == written {
            String::new()
        } else {
            format!(", packed into {written}")
        };
        let sum = if self.kept.whole.is_sum_checked {
            "checksum good"
        } else {
            "no checksum to check"
        };
        let took = units::span_short(*took);
        format!("{}: {received} in {took}{packed}, {sum}\n", self.file)
    }
}
