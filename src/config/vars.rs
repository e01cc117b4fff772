//! Environment variables as an argument, so that what depends on them can be tried without them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::ConfigError;

/// A set of variables. An empty one counts as unset, as `NAME= command` is how one clears it.
#[derive(Clone, Default)]
pub struct Vars(BTreeMap<OsString, OsString>);

impl Vars {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    pub fn os(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value)
    }

    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.os(name).map(PathBuf::from)
    }

    /// The variable as text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ConfigError> {
        self.os(name)
            .map(|value| {
                value.to_str().ok_or_else(|| ConfigError::NotUtf8 {
                    what: format!("the variable {name}"),
                })
            })
            .transpose()
    }

    /// `~/rest` as a path in the home directory; other paths as they are.
    pub fn expand_home(&self, path: &Path) -> PathBuf {
        let home = || {
            self.path("HOME")
                .or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().into()))
        };
        match path.strip_prefix("~") {
            Ok(rest) => home().map_or_else(|| path.into(), |home| home.join(rest)),
            Err(_) => path.into(),
        }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Vars {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
        )
    }
}

/// Only the names: values may be passwords.
impl std::fmt::Debug for Vars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
