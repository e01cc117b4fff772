//! Targets: what the user named, as a place to connect to.
//!
//! A target never shows its password: it is a `SecretString`, and `name` is made without it.

mod error;
mod url;

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

pub use error::TargetError;

/// Where and how to connect, and how careful to be there.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the header and every error call it: the profile's name, or the URL without secrets.
    pub name: String,
    pub protocol: Protocol,
    pub place: Place,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    /// The numbered database; Memcached has none.
    pub database: u32,
    pub tls: Option<Tls>,
    pub environment: Environment,
    pub is_read_only: bool,
    /// What separates the segments of key names; several stand with spaces between them.
    pub delimiter: String,
    pub limits: Limits,
}

impl Target {
    /// A target with nothing but a place, named by its address.
    pub fn at(protocol: Protocol, place: Place) -> Self {
        let mut target = Self {
            name: String::new(),
            protocol,
            place,
            user: None,
            password: None,
            database: 0,
            tls: None,
            environment: Environment::default(),
            is_read_only: false,
            delimiter: ":".to_owned(),
            limits: Limits::default(),
        };
        target.name = target.address();
        target
    }

    /// What separates the segments of key names, one by one.
    pub fn delimiters(&self) -> Vec<Vec<u8>> {
        let several = self.delimiter.split(' ').filter(|one| !one.is_empty());
        let several: Vec<Vec<u8>> = several.map(|one| one.as_bytes().to_vec()).collect();
        if several.is_empty() && !self.delimiter.is_empty() {
            return vec![b" ".to_vec()];
        }
        several
    }

    /// Reads `redis://user:password@host:port/db` and its relatives; the name is the URL without
    /// the password.
    pub fn parse_url(text: &str) -> Result<Self, TargetError> {
        url::parse(text)
    }

    /// Whether `text` is meant as a place rather than as the name of a profile.
    pub fn is_place(text: &str) -> bool {
        url::is_place(text)
    }

    /// Whether `text` is the name or the address of a host, without port or brackets.
    pub fn is_host(text: &str) -> bool {
        url::is_host(text)
    }

    /// The place as a URL of printable ASCII, without the password.
    pub fn address(&self) -> String {
        url::render(self)
    }
}

impl Protocol {
    /// The port that its servers listen on unless told otherwise.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Redis => 6379,
            Self::Memcached => 11211,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Redis,
    Memcached,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
    /// A snapshot file.
    File(PathBuf),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// The name the certificate must carry, when it is not the host's.
    pub server_name: Option<String>,
    /// Accept any certificate. Shown in red for as long as the connection lives.
    pub is_insecure: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    Production,
    Staging,
    Development,
    #[default]
    Unstated,
}

/// How long things may take and how large they may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Name lookup, connection, TLS and login together. Default 3 s.
    pub connect: Duration,
    /// One exchange. Default 5 s.
    pub reply: Duration,
    /// Bytes of one flight's replies. Default 16 MiB.
    pub reply_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            reply: Duration::from_secs(5),
            reply_bytes: 16 << 20,
        }
    }
}
