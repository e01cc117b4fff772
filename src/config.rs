//! What the user wrote down: a file of profiles and habits, a few variables, a few flags.
//!
//! `settings` is the file's shape and its defaults, `file` reads it with care, `resolve` decides
//! which target is meant, and `secrets` fetches its password only when one is about to be used.

mod bookmarks;
mod complaint;
mod error;
mod file;
pub mod log;
mod resolve;
mod saves;
mod secrets;
mod settings;
mod state;
mod suggest;
mod unique;
mod vars;

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use crate::model::Target;

pub use bookmarks::{BookmarkFile, Bookmarks};
pub use error::ConfigError;
pub use resolve::{Named, PasswordFrom, Resolved, local_targets, resolve};
pub use saves::{Saves, who};
pub use settings::{Ascii, Config, Profile, Theme, TlsSettings};
pub use state::{private_dir, state_dir};
pub use vars::Vars;

impl Config {
    /// Reads `explicit`, else `CACHEDECK_CONFIG`, else the platform's `config.yaml`, whose absence
    /// is no error.
    pub fn load(explicit: Option<&Path>, vars: &Vars) -> Result<Self, ConfigError> {
        let named = explicit.map_or_else(|| vars.path("CACHEDECK_CONFIG"), |p| Some(p.into()));
        match named {
            Some(path) => file::read(&path),
            None => match Self::default_path() {
                Some(path) => file::read_if_there(&path),
                None => Ok(Self::default()),
            },
        }
    }

    /// Where the config file is looked for when none is named.
    pub fn default_path() -> Option<PathBuf> {
        let dirs = directories::ProjectDirs::from("", "", "cachedeck")?;
        Some(dirs.config_dir().join("config.yaml"))
    }

    /// The target that profile `name` describes; `None` when there is no such profile.
    ///
    /// No password is fetched here, so a list of profiles runs no command: `resolve` does it for
    /// the one that is used. One that stands in the profile's URL is there.
    pub fn target(&self, name: &str, vars: &Vars) -> Option<Result<Target, ConfigError>> {
        let profile = self.profiles.get(name)?;
        Some(self.target_of(name, profile, vars))
    }

    fn target_of(&self, name: &str, profile: &Profile, vars: &Vars) -> Result<Target, ConfigError> {
        let in_profile = |source| ConfigError::Profile {
            name: name.to_owned(),
            source,
        };
        let mut target = Target::parse_url(profile.url.expose_secret()).map_err(in_profile)?;
        name.clone_into(&mut target.name);
        if profile.user.is_some() {
            target.user.clone_from(&profile.user);
        }
        if let Some(tls) = &profile.tls {
            let tls = tls.with_paths(|path| self.absolute(path, vars));
            if target.tls.is_none() {
                return Err(ConfigError::TlsWithoutTls {
                    what: format!("profile {name}"),
                });
            }
            target.tls = Some(tls);
        }
        target.environment = profile.environment;
        target.is_read_only = profile.read_only;
        target.delimiter.clone_from(&profile.delimiter);
        target.limits.reply = profile.timeout;
        target.limits.connect = profile.connect_timeout;
        Ok(target)
    }

    /// `path` with `~/` expanded, and relative to the config file.
    fn absolute(&self, path: &Path, vars: &Vars) -> PathBuf {
        let expanded = vars.expand_home(path);
        match self.file.as_deref().and_then(Path::parent) {
            Some(directory) => directory.join(expanded),
            None => expanded,
        }
    }
}
