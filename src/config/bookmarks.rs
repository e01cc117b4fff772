//! Favourite and recent keys, kept for each profile in the state directory.
//!
//! Names stand in the escape grammar, so that any bytes come back as they were. The file is small; it
//! is read whole, changed in one place and replaced whole, so two dashboards lose at most each other's
//! last key, and never the file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ConfigError, private_dir};
use crate::model::Key;
use crate::text;

/// Keys that were opened lately.
const MOST_RECENT: usize = 30;
const MOST_FAVOURITES: usize = 200;
/// A longer name is not worth keeping.
const LONGEST: usize = 4096;

/// What is kept of one profile. The latest come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bookmarks {
    pub favourites: Vec<Key>,
    pub recent: Vec<Key>,
}

#[derive(Default, Serialize, Deserialize)]
struct Entry {
    #[serde(default)]
    favourites: Vec<String>,
    #[serde(default)]
    recent: Vec<String>,
}

impl Bookmarks {
    pub fn is_favourite(&self, key: &Key) -> bool {
        self.favourites.contains(key)
    }

    pub fn is_favourite_name(&self, name: &[u8]) -> bool {
        self.favourites.iter().any(|key| key.bytes() == name)
    }

    /// Makes a key a favourite, or takes it back; says which.
    pub fn toggle(&mut self, key: &Key) -> bool {
        let before = self.favourites.len();
        self.favourites.retain(|other| other != key);
        let is_new = self.favourites.len() == before;
        if is_new {
            self.favourites.insert(0, key.clone());
            self.favourites.truncate(MOST_FAVOURITES);
        }
        is_new
    }

    /// A key was opened; says whether that changes anything.
    pub fn visit(&mut self, key: &Key) -> bool {
        if self.recent.first() == Some(key) || key.bytes().len() > LONGEST {
            return false;
        }
        self.recent.retain(|other| other != key);
        self.recent.insert(0, key.clone());
        self.recent.truncate(MOST_RECENT);
        true
    }
}

/// The file with the bookmarks of all profiles.
#[derive(Clone, Debug)]
pub struct BookmarkFile {
    path: PathBuf,
}

impl BookmarkFile {
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            path: directory.join("keys.json"),
        }
    }

    /// What is kept of a profile; nothing where nothing was.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn load(&self, profile: &str) -> Result<Bookmarks, ConfigError> {
        let entry = self.read()?.remove(profile).unwrap_or_default();
        let keys = |names: Vec<String>| {
            let names = names.iter().filter_map(|name| text::unescape(name).ok());
            names.map(Key::new).collect()
        };
        Ok(Bookmarks {
            favourites: keys(entry.favourites),
            recent: keys(entry.recent),
        })
    }

    /// Replaces what is kept of a profile.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn save(&self, profile: &str, bookmarks: &Bookmarks) -> Result<(), ConfigError> {
        let mut all = self.read()?;
        let names = |keys: &[Key]| keys.iter().map(|key| text::escape(key.bytes())).collect();
        let entry = Entry {
            favourites: names(&bookmarks.favourites),
            recent: names(&bookmarks.recent),
        };
        all.insert(profile.to_owned(), entry);
        let directory = self.path.parent().unwrap_or(Path::new("."));
        private_dir(directory)?;
        self.replace(directory, &all)
            .map_err(|error| self.failed(&error))
    }

    fn replace(&self, directory: &Path, all: &BTreeMap<String, Entry>) -> std::io::Result<()> {
        // Temporary files are closed to others.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer_pretty(&mut file, all)?;
        file.write_all(b"\n")?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    fn read(&self) -> Result<BTreeMap<String, Entry>, ConfigError> {
        match std::fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| self.failed(&error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> ConfigError {
        ConfigError::State {
            directory: self.path.clone(),
            why: why.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn keys_of_any_bytes_come_back_for_their_profile() {
        let directory = tempfile::tempdir().unwrap();
        let file = BookmarkFile::in_directory(&directory.path().join("state"));
        let mut bookmarks = file.load("prod").unwrap();
        let odd = Key::new(&b"\x00\xff\n\\x41\x1b[2J"[..]);
        assert!(bookmarks.toggle(&odd));
        assert!(bookmarks.visit(&Key::from("user:1")));
        assert!(bookmarks.visit(&odd));
        assert!(!bookmarks.visit(&odd));
        file.save("prod", &bookmarks).unwrap();
        file.save("other", &Bookmarks::default()).unwrap();
        assert_eq!(file.load("prod").unwrap(), bookmarks);
        assert_eq!(bookmarks.recent, [odd.clone(), Key::from("user:1")]);
        assert_eq!(file.load("other").unwrap(), Bookmarks::default());
        assert_eq!(file.path.metadata().unwrap().mode() & 0o777, 0o600);
        assert!(!bookmarks.toggle(&odd));
        assert!(!bookmarks.is_favourite(&odd));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = BookmarkFile::in_directory(directory.path());
        std::fs::write(&file.path, "{ not json").unwrap();
        assert!(file.load("prod").is_err());
        assert!(file.save("prod", &Bookmarks::default()).is_err());
        assert_eq!(std::fs::read(&file.path).unwrap(), b"{ not json");
    }

    #[test]
    fn lists_do_not_grow_for_ever() {
        let mut bookmarks = Bookmarks::default();
        for number in 0..1_000 {
            let key = Key::from(number.to_string().as_str());
            bookmarks.visit(&key);
            bookmarks.toggle(&key);
        }
        assert_eq!(bookmarks.recent.len(), MOST_RECENT);
        assert_eq!(bookmarks.favourites.len(), MOST_FAVOURITES);
        assert_eq!(bookmarks.recent[0], Key::from("999"));
    }
}
