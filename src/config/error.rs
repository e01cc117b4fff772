//! What can be wrong with a configuration, in words for a person and without its secrets.

use std::path::PathBuf;

use thiserror::Error;

use crate::model::TargetError;
use crate::text;

/// Why there is no configuration or no target. Every text is safe to show and holds no password.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    #[error("{} does not exist", shown(file))]
    Missing { file: PathBuf },
    #[error("{} is a directory, not a file", shown(file))]
    Directory { file: PathBuf },
    #[error("{} cannot be read: {why}", shown(file))]
    Unreadable { file: PathBuf, why: String },
    #[error("{} is larger than {limit}", shown(file))]
    TooLarge {
        file: PathBuf,
        limit: crate::model::Bytes,
    },
    #[error("{} can be changed by other users", shown(file))]
    OthersCanWrite { file: PathBuf },
    #[error("{} belongs to another user", shown(file))]
    OthersOwn { file: PathBuf },
    #[error("{} can be read by other users", shown(file))]
    OthersCanRead { file: PathBuf },
    /// The file is not a configuration. `key` is the path of the setting, empty at the top.
    #[error("{}:{line}:{column}: {}{why}", shown(file), prefixed(key))]
    Invalid {
        file: PathBuf,
        line: usize,
        column: usize,
        key: String,
        why: String,
    },
    #[error("profile {name}: {source}")]
    Profile { name: String, source: TargetError },
    #[error("{what}: {source}")]
    Place {
        what: &'static str,
        source: TargetError,
    },
    /// `name` is shown escaped, and left out when it may hold a password.
    #[error("{}no profile is called {}", prefixed(origin), name.as_deref().unwrap_or("that"))]
    NoProfile {
        /// What names it, where that is not the command line.
        origin: &'static str,
        name: Option<String>,
        close: Vec<String>,
        is_address: bool,
    },
    #[error("{0} cannot be used together")]
    Conflict(&'static str),
    #[error("{what} has TLS settings and a URL without TLS")]
    TlsWithoutTls { what: String },
    #[error("{what} is not UTF-8")]
    NotUtf8 { what: String },
    #[error("no password: {0}")]
    Password(String),
    #[error("CACHEDECK_LOG is not a level")]
    Log,
    #[error("{} cannot be used: {why}", shown(directory))]
    State { directory: PathBuf, why: String },
}

impl ConfigError {
    /// The same, told of what said so where a person would look for it in vain.
    pub(super) fn said_by(mut self, who: &'static str) -> Self {
        match &mut self {
            Self::NoProfile { origin, .. } => *origin = who,
            Self::Place { what, .. } => *what = who,
            _ => {}
        }
        self
    }

    /// What to try, where we know something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OthersCanWrite { file } => Some(format!("chmod go-w {}", shown(file))),
            Self::OthersCanRead { file } => Some(format!("chmod 600 {}", shown(file))),
            Self::Profile { source, .. } | Self::Place { source, .. } => {
                source.hint().map(str::to_owned)
            }
            Self::NoProfile {
                close, is_address, ..
            } => Some(if *is_address {
                "an address needs its scheme: redis://HOST:PORT or memcached://HOST:PORT".into()
            } else if close.is_empty() {
                "`profiles` lists those of the config file; a server is named redis://HOST:PORT"
                    .into()
            } else {
                format!("did you mean {}?", close.join(" or "))
            }),
            Self::TlsWithoutTls { .. } => {
                Some("use rediss:// (or memcacheds://), or --tls on the command line".into())
            }
            Self::Log => Some("error, warn, info, debug, trace or off".into()),
            _ => None,
        }
    }
}

fn shown(path: &std::path::Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes())
}

fn prefixed(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    }
}
