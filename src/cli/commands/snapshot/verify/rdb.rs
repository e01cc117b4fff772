//! Checking a snapshot of Redis or Valkey.

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::call::now;
use crate::cli::commands::snapshot::opening::Opened;
use crate::cli::output::{Answer, Envelope, Look, Paint};
use crate::cli::{Call, Failure, Kind, Next, output, unknown};
use crate::model::units;
use crate::snapshot::rdb::{Ending, Flavour};
use crate::snapshot::unpack::Compression;
use crate::snapshot::{Contents, SnapshotError, Verified, verify};
use crate::text;

pub fn run(call: &mut Call, path: &Path, opened: Opened) -> Result<Next, Failure> {
    let at = now();
    let verified = verify(opened.source, at, |_| ControlFlow::Continue(()));
    let failure = verified.fault.as_ref().map(|fault| {
        Failure::new(
            Kind::No,
            format!("snapshot verify: {}: {fault}", opened.shown),
        )
    });
    // What is no snapshot at all has nothing to say of itself.
    if let (None, Some(failure)) = (verified.contents.header, &failure) {
        return Err(failure.clone());
    }
    let envelope = Envelope {
        command: "snapshot verify",
        target: Some(opened.shown),
        at,
        warnings: warnings(&verified.contents),
    };
    let answer = Answered {
        path,
        compression: opened.compression,
        verified: &verified,
    };
    call.output().answer(&envelope, &answer)?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(Next::Exit(0)),
    }
}

fn warnings(contents: &Contents) -> Vec<String> {
    let mut warnings = Vec::new();
    if contents.ending == Some(Ending::Disabled) {
        warnings.push(
            "the server was told to write no checksum: damage within texts goes unnoticed".into(),
        );
    }
    if contents.ending == Some(Ending::None) {
        warnings
            .push("so old a version has no checksum: damage within texts goes unnoticed".into());
    }
    if contents.goes_on {
        warnings
            .push("more follows behind the end of the snapshot, which was not looked at".into());
    }
    warnings
}

struct Answered<'a> {
    path: &'a Path,
    compression: Compression,
    verified: &'a Verified,
}

impl Answered<'_> {
    fn contents(&self) -> &Contents {
        &self.verified.contents
    }
}

impl Answer for Answered<'_> {
    fn data(&self) -> Value {
        let contents = self.contents();
        let databases = contents.databases.iter().map(|(number, count)| {
            json!({
                "database": number,
                "keys": count.keys,
                "with_ttl": count.expiring,
                "expired": count.expired,
            })
        });
        let modules = contents.modules.iter().map(|(module, count)| {
            json!({"module": module, "keys": count.keys, "facts_bytes": count.facts})
        });
        let facts = contents.facts.iter().map(
            |(name, value)| json!({"name": output::bytes(name), "value": output::bytes(value)}),
        );
        let mut data = json!({
            "file": output::bytes(self.path.as_os_str().as_encoded_bytes()),
            "form": "rdb",
            "is_whole": self.verified.fault.is_none(),
            "is_one_moment": true,
            "server": contents.flavour().map(|flavour| flavour.to_string().to_lowercase()),
            "server_version": contents.server_version().map(text::escape),
            "format": contents.header.map(|header| header.flavour.to_string().to_lowercase()),
            "format_version": contents.header.map(|header| header.version),
            "bits": contents.bits(),
            "created_at": contents.created_at().map(units::rfc3339),
            "used_bytes": contents.used_memory(),
            "compression": compression_word(self.compression),
            "read_bytes": contents.read,
            "keys": contents.keys(),
            "with_ttl": contents.databases.values().map(|one| one.expiring).sum::<u64>(),
            "expired": contents.expired(),
            "databases": databases.collect::<Vec<Value>>(),
            "functions": contents.functions.iter().map(|name| output::bytes(name)).collect::<Vec<Value>>(),
            "modules": modules.collect::<Vec<Value>>(),
            "facts": facts.collect::<Vec<Value>>(),
            "checksum": checksum_word(self.verified),
            "is_followed": contents.goes_on,
        });
        if let (Some(fault), Some(data)) = (&self.verified.fault, data.as_object_mut()) {
            put_fault(fault, data);
        }
        unknown::explain(&mut data, "the file does not say it");
        data
    }

    fn text(&self, look: Look) -> String {
        let contents = self.contents();
        let mut lines = vec![self.first_line(look), self.server_line()];
        if let Some(created) = contents.created_at() {
            lines.push(("created", units::rfc3339(created)));
        }
        if let Some(used) = contents.used_memory() {
            lines.push(("memory", format!("{used} in the server that wrote it")));
        }
        for (number, count) in &contents.databases {
            let words = format!(
                "{} keys, {} with a TTL, {} of them over by now",
                units::count(count.keys),
                units::count(count.expiring),
                units::count(count.expired)
            );
            lines.push(("", format!("database {number}: {words}")));
        }
        if !contents.functions.is_empty() {
            let names: Vec<String> = contents
                .functions
                .iter()
                .map(|name| text::escape(name))
                .collect();
            lines.push(("functions", names.join(", ")));
        }
        for (module, count) in &contents.modules {
            let keys = units::count(count.keys);
            lines.push((
                "module",
                format!("{}: {keys} keys", text::escape(module.as_bytes())),
            ));
        }
        lines.push(("checksum", checksum_words(self.verified).to_owned()));
        let lines: Vec<String> = lines
            .into_iter()
            .map(|(label, words)| format!("{}  {words}", text::pad(label, 9)))
            .collect();
        lines.join("\n") + "\n"
    }
}

impl Answered<'_> {
    fn first_line(&self, look: Look) -> (&'static str, String) {
        let contents = self.contents();
        let state = match &self.verified.fault {
            None => "whole".to_owned(),
            Some(_) => look.paint(Paint::Caution, "NOT WHOLE, up to where it could be read"),
        };
        let packed = match self.compression {
            Compression::None => "",
            Compression::Gzip => ", packed with gzip",
            Compression::Zstd => ", packed with zstd",
        };
        let keys = units::count(contents.keys());
        (
            "file",
            format!("{state}: {keys} keys, {}{packed}", contents.read),
        )
    }

    fn server_line(&self) -> (&'static str, String) {
        let contents = self.contents();
        let server = contents.flavour().unwrap_or(Flavour::Redis);
        let version = contents.server_version().map(text::escape);
        let format = contents.header.map_or_else(String::new, |header| {
            format!(" (format {} of {})", header.version, header.flavour)
        });
        let version = version.unwrap_or_else(|| "of an unknown version".to_owned());
        ("from", format!("{server} {version}{format}"))
    }
}

/// Where it broke, and why.
fn put_fault(fault: &SnapshotError, data: &mut Map<String, Value>) {
    data.insert("fault".into(), fault.to_string().into());
}

fn compression_word(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    }
}

fn checksum_word(verified: &Verified) -> &'static str {
    match (&verified.fault, verified.contents.ending) {
        (Some(SnapshotError::Checksum { .. }), _) => "wrong",
        (_, Some(Ending::Verified(_))) => "verified",
        (_, Some(Ending::Disabled)) => "disabled",
        (_, Some(Ending::None)) => "none",
        (_, None) => "not_reached",
    }
}

fn checksum_words(verified: &Verified) -> &'static str {
    match checksum_word(verified) {
        "wrong" => "wrong",
        "verified" => "right",
        "disabled" => "none: the server was told not to write it",
        "none" => "none: this version has none",
        _ => "not reached",
    }
}
