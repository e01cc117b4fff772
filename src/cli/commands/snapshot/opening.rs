//! A snapshot file on its way in: opened, unpacked, and recognised by how it begins.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use crate::cli::Failure;
use crate::snapshot::items;
use crate::snapshot::unpack::{Compression, Unpacked};
use crate::text;

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// What we write of Memcached.
    Items,
    /// What Redis and Valkey write, or something unknown, which its reader says better than we can.
    Rdb,
}

pub struct Opened {
    /// Safe to show.
    pub shown: String,
    pub form: Form,
    pub compression: Compression,
    pub source: Box<dyn Read>,
}

/// Opens a file, or stdin for `-`.
///
/// # Errors
/// When it cannot be opened, or its compression is damaged at the beginning.
pub fn open(command: &str, path: &Path) -> Result<Opened, Failure> {
    let shown = text::escape(path.as_os_str().as_encoded_bytes());
    let unreadable =
        |error: io::Error| Failure::usage(format!("{command}: {shown}: {}", words(&error)));
    let raw: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let mut unpacked = Unpacked::new(raw).map_err(unreadable)?;
    let compression = unpacked.compression();
    let mut start = Vec::new();
    let most = items::MAGIC.len() as u64;
    unpacked
        .by_ref()
        .take(most)
        .read_to_end(&mut start)
        .map_err(unreadable)?;
    let form = if start == items::MAGIC {
        Form::Items
    } else {
        Form::Rdb
    };
    Ok(Opened {
        form,
        compression,
        source: Box::new(Cursor::new(start).chain(unpacked)),
        shown,
    })
}

/// What the system says, without its number.
fn words(error: &io::Error) -> String {
    let words = error.to_string();
    match words.find(" (os error") {
        Some(end) => words[..end].to_lowercase(),
        None => words,
    }
}
