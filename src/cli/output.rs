//! What a command prints: the same answer as a table, JSON, records, CSV or YAML.
//!
//! A command makes an `Answer`; which form it takes is decided here, once. Data goes to stdout and
//! everything else to stderr. Machines get values as they are (in JSON strings nothing is left that
//! a terminal would obey); people get foreign bytes through `text` alone.

mod json;
mod look;
mod yaml;

use std::io::{self, BufWriter, IsTerminal, Write};

use serde_json::{Value, json};

use crate::cli::globals::Format;
use crate::cli::{Failure, Kind};
use crate::model::{UnixMs, units};

pub use json::{bytes, line as json_line};
pub use look::{Look, Paint, wants_colour};

/// Something that a command found out, ready to be printed in any form.
pub trait Answer {
    /// `data` of the JSON envelope.
    fn data(&self) -> Value;

    /// The records of ndjson.
    fn records(&self) -> Vec<Value> {
        vec![self.data()]
    }

    /// The lines of a CSV file.
    fn sheet(&self) -> Sheet {
        Sheet::of_fields(&self.data())
    }

    /// For people: lines that end with a line feed.
    fn text(&self, look: Look) -> String;

    /// Prometheus text, for the commands that offer it.
    fn prometheus(&self) -> Option<String> {
        None
    }
}

/// What stands around the data.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub command: &'static str,
    pub target: Option<String>,
    pub at: UnixMs,
    pub warnings: Vec<String>,
}

impl Envelope {
    pub fn around(&self, data: Value) -> Value {
        let mut all = json!({
            "schema": format!("cachedeck/v1/{}", self.command.replace(' ', "-")),
            "target": self.target,
            "at": units::rfc3339(self.at),
            "data": null,
            "warnings": self.warnings,
        });
        all["data"] = data;
        all
    }
}

/// Header and rows of a CSV file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    /// Nested data as `field,value` lines, with dots between the names.
    pub fn of_fields(data: &Value) -> Self {
        let mut rows = Vec::new();
        flatten("", data, &mut rows);
        Self {
            header: vec!["field".into(), "value".into()],
            rows,
        }
    }

    /// Flat records that have the same fields.
    pub fn of_records(header: &[&str], records: &[Value]) -> Self {
        Self {
            header: header.iter().map(|&name| name.to_owned()).collect(),
            rows: records
                .iter()
                .map(|record| header.iter().map(|&name| cell(&record[name])).collect())
                .collect(),
        }
    }
}

fn flatten(path: &str, data: &Value, rows: &mut Vec<Vec<String>>) {
    let inner = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match data {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| flatten(&inner(name), value, rows)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| flatten(&inner(&index.to_string()), item, rows)),
        other => rows.push(vec![path.to_owned(), cell(other)]),
    }
}

/// A value as a CSV cell: unknown is empty, strings in the escape grammar.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) => crate::text::escape(text.as_bytes()),
        other => json_line(other),
    }
}

/// Stdout in the form that was asked for.
#[derive(Debug)]
pub struct Output {
    format: Format,
    look: Look,
    stdout: BufWriter<io::StdoutLock<'static>>,
}

impl Output {
    pub fn new(format: Format, no_color: bool) -> Self {
        Self {
            format,
            look: Look::of_stdout(no_color),
            stdout: BufWriter::with_capacity(64 * 1024, io::stdout().lock()),
        }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    pub fn look(&self) -> Look {
        self.look
    }

    pub fn use_ascii(&mut self, is_ascii: bool) {
        self.look = self.look.in_ascii(is_ascii);
    }

    /// Prints the whole answer.
    ///
    /// # Errors
    /// When stdout cannot be written, a closed pipe included.
    pub fn answer(&mut self, envelope: &Envelope, answer: &impl Answer) -> Result<(), Failure> {
        match self.format {
            Format::Table => {
                let text = answer.text(self.look);
                self.stdout.write_all(text.as_bytes())?;
                say_warnings(envelope);
            }
            Format::Json => self.line(&json::pretty(&envelope.around(answer.data())))?,
            Format::Yaml => {
                let text = yaml::document(&envelope.around(answer.data()));
                self.stdout.write_all(text.as_bytes())?;
            }
            Format::Ndjson => {
                for record in answer.records() {
                    self.record(&record)?;
                }
                say_warnings(envelope);
            }
            Format::Csv => {
                self.sheet(&answer.sheet(), true)?;
                say_warnings(envelope);
            }
            Format::Prom => {
                let text = answer.prometheus().ok_or_else(|| {
                    Failure::new(Kind::Usage, "this command has no Prometheus form")
                })?;
                self.stdout.write_all(text.as_bytes())?;
                say_warnings(envelope);
            }
        }
        self.flush()
    }

    /// One record of ndjson.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn record(&mut self, record: &Value) -> Result<(), Failure> {
        self.line(&json_line(record))
    }

    /// Rows of a CSV file, after the header where it is due.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn sheet(&mut self, sheet: &Sheet, with_header: bool) -> Result<(), Failure> {
        let mut writer = csv::WriterBuilder::new()
            .flexible(true)
            .from_writer(&mut self.stdout);
        if with_header {
            writer
                .write_record(&sheet.header)
                .map_err(io::Error::from)?;
        }
        for row in &sheet.rows {
            writer.write_record(row).map_err(io::Error::from)?;
        }
        writer.flush()?;
        Ok(())
    }

    /// A line of text.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.stdout, "{line}")?;
        Ok(())
    }

    /// Bytes as they are: `show --raw` and nothing else.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout.write_all(bytes)?;
        Ok(())
    }

    /// # Errors
    /// When stdout cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush()?;
        Ok(())
    }

    pub fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }
}

/// Text that is no answer: help, a schema, a script.
///
/// # Errors
/// When stdout cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// JSON and YAML carry the warnings; elsewhere a person reads them.
fn say_warnings(envelope: &Envelope) {
    for warning in &envelope.warnings {
        eprintln!("warning: {warning}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(data: &Value) -> String {
        Sheet::of_fields(data)
            .rows
            .iter()
            .map(|row| row.join("="))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn fields_of_fields_are_named_with_dots() {
        let data = json!({"keys": 3, "window": {"hit_ratio": 0.5}, "databases": [{"db": 0}]});
        assert_eq!(sheet(&data), "keys=3 window.hit_ratio=0.5 databases.0.db=0");
    }

    #[test]
    fn what_is_unknown_is_an_empty_cell() {
        assert_eq!(sheet(&json!({"keys": null})), "keys=");
    }

    #[test]
    fn a_cell_is_escaped() {
        assert_eq!(sheet(&json!({"name": "a\u{1b}[2Jb"})), r"name=a\x1b[2Jb");
    }

    #[test]
    fn the_envelope_has_the_fields_of_the_contract() {
        let envelope = Envelope {
            command: "snapshot status",
            target: Some("local".into()),
            at: UnixMs(1_700_000_000_123),
            warnings: vec![],
        };
        assert_eq!(
            json_line(&envelope.around(json!({"state": "ok"}))),
            "{\"schema\":\"cachedeck/v1/snapshot-status\",\"target\":\"local\",\
             \"at\":\"2023-11-14T22:13:20.123Z\",\"data\":{\"state\":\"ok\"},\"warnings\":[]}"
        );
    }
}
