//! Why there is no demo.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::text;

#[derive(Debug, Error)]
pub enum DemoError {
    #[error("no server to show: neither valkey-server, redis-server nor memcached is on PATH")]
    NoServer { install: String },
    #[error("{} is neither a Redis, a Valkey nor a Memcached server", text::escape(.program.as_os_str().as_encoded_bytes()))]
    NotAServer { program: PathBuf },
    #[error("the demo's private directory cannot be used: {0}")]
    Directory(io::Error),
    #[error("no free port on the loopback interface: {0}")]
    Port(io::Error),
    #[error("the demo's keeper (sh) cannot be started: {0}")]
    Keeper(io::Error),
    /// `said` is the end of the server's log, escaped.
    #[error("the demo's {server} did not start: {said}")]
    NotReady { server: &'static str, said: String },
    #[error("the sample data cannot be written: {0}")]
    Fill(io::Error),
}

impl DemoError {
    pub(super) fn fill(error: io::Error) -> Self {
        Self::Fill(error)
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoServer { install } => Some(format!(
                "install one ({install}), or name one with --server-bin"
            )),
            Self::NotAServer { .. } => {
                Some("name the program itself, as /usr/bin/valkey-server".to_owned())
            }
            Self::Directory(_) => Some("is TMPDIR writable, and short?".to_owned()),
            _ => None,
        }
    }
}
