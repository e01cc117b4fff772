//! The log file: what went wrong, for the day when somebody asks.
//!
//! Never on the terminal, which belongs to the screen. Private, bounded in size, and a second pair
//! of eyes for what must not be in it: passwords in URLs are struck out of every line, and bytes
//! from elsewhere are escaped.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use regex::Regex;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;

use crate::text;

use super::{ConfigError, Vars, private_dir, state_dir};

const NAME: &str = "cachedeck.log";
/// Beyond this the file becomes `cachedeck.log.1` and a new one is begun.
const LIMIT: u64 = 5 << 20;

/// Begins to log into the state directory, at the level of `CACHEDECK_LOG` (default `warn`), and
/// returns the file.
pub fn init(vars: &Vars) -> Result<PathBuf, ConfigError> {
    let directory = state_dir(vars)?;
    private_dir(&directory)?;
    let path = directory.join(NAME);
    let book = Book::open(&path, LIMIT).map_err(|error| ConfigError::State {
        directory: path.clone(),
        why: error.to_string(),
    })?;
    let level = vars.text("CACHEDECK_LOG")?.unwrap_or("warn");
    let subscriber = subscriber(book, level)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|error| ConfigError::State {
        directory: path.clone(),
        why: error.to_string(),
    })?;
    Ok(path)
}

fn subscriber(book: Book, level: &str) -> Result<impl Subscriber + use<>, ConfigError> {
    let filter = EnvFilter::try_new(level).map_err(|_| ConfigError::Log)?;
    Ok(tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(book))
        .finish())
}

/// The file with what keeps it clean and small.
struct Book {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
    userinfo: Regex,
}

impl Book {
    fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = append(path)?;
        let mut book = Self {
            path: path.into(),
            written: file.metadata()?.len(),
            file,
            limit,
            userinfo: Regex::new(r"([A-Za-z+-]+://[^\s/:@]*):\S*@")
                .expect("the pattern is fixed and valid"),
        };
        book.turn_over_when_full()?;
        Ok(book)
    }

    fn turn_over_when_full(&mut self) -> io::Result<()> {
        if self.written <= self.limit {
            return Ok(());
        }
        std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
        self.file = append(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

/// The subscriber hands over one whole event at a time.
impl Write for Book {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.turn_over_when_full()?;
        let body = event.strip_suffix(b"\n").unwrap_or(event);
        let line = text::escape(body);
        let line = self.userinfo.replace_all(&line, "$1:***@") + "\n";
        self.file.write_all(line.as_bytes())?;
        self.written += line.len() as u64;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    // A link in its place would let somebody else choose the file.
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(no_link)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn lines_are_clean_and_the_file_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let mut book = Book::open(&path, 1000).unwrap();
        book.write_all(b"no redis://ops:CAN@ARY@h:1/2 and rediss://:CANARY@h\n")
            .unwrap();
        let line = fs::read_to_string(&path).unwrap();
        assert_eq!(line, "no redis://ops:***@h:1/2 and rediss://:***@h\n");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_logged_at_the_level_is_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let book = Book::open(&path, 1000).unwrap();
        tracing::subscriber::with_default(subscriber(book, "warn").unwrap(), || {
            tracing::warn!(target_name = "prod", "lost redis://:CANARY@h");
            tracing::info!("not this");
        });
        let log = fs::read_to_string(&path).unwrap();
        assert_eq!(log.lines().count(), 1);
        assert!(log.contains("WARN"), "{log}");
        let end = "lost redis://:***@h target_name=\"prod\"\n";
        assert!(log.ends_with(end), "{log}");
    }

    #[test]
    fn a_wrong_level_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let book = Book::open(&dir.path().join(NAME), 1000).unwrap();
        assert!(matches!(subscriber(book, "a=b=c"), Err(ConfigError::Log)));
    }

    #[test]
    fn a_full_file_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let mut book = Book::open(&path, 10).unwrap();
        for line in ["the first line\n", "the second\n", "the third\n"] {
            book.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "the third\n");
        let old = fs::read_to_string(dir.path().join("cachedeck.log.1")).unwrap();
        assert_eq!(old, "the second\n");
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(Book::open(&path, 10).is_err());
    }
}
