//! Private servers with sample data and gentle traffic, to try everything without a cache at hand.
//!
//! Real servers rather than an imitation: what the screens show (statistics, slow log, replication,
//! snapshots) is then true. They live in a directory of their own that nobody else can enter, and
//! they end with this process, however it ends: see `nest`.
//!
//! The servers are fed over `line`, a few lines of protocol of the demo's own. It is apart from the
//! engine on purpose: the engine asks for a permit before each change, and what fills the demo
//! cannot speak to any other server than those in its nest.

mod bundled;
mod dice;
mod error;
mod line;
mod nest;
mod programs;
mod sample_data;
mod traffic;

use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::model::{Environment, Place, Protocol, Target, UnixMs};

pub use bundled::Bundled;
pub use error::DemoError;

use nest::Nest;
use programs::{Brand, Programs};
use traffic::Traffic;

/// What the demo runs on.
#[derive(Clone, Debug)]
pub struct Options {
    /// A server program to use in place of the one that is found (`--server-bin`).
    pub server_bin: Option<PathBuf>,
    /// Where programs are looked for, as in `PATH`.
    pub search: OsString,
}

impl Options {
    /// With this program, or those on PATH.
    pub fn using(server_bin: Option<PathBuf>) -> Self {
        Self {
            server_bin,
            ..Self::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_bin: None,
            search: std::env::var_os("PATH").unwrap_or_default(),
        }
    }
}

/// What a demo is shown on.
#[derive(Debug)]
pub enum Stage {
    Servers(Demo),
    /// Boxed, since it is so much smaller.
    Snapshot(Box<Bundled>, Vec<String>),
}

impl Stage {
    /// Servers where there are any, else the bundled snapshot; that one at once when `is_offline`.
    ///
    /// # Errors
    /// When the servers that there are cannot be started.
    pub fn set(options: &Options, is_offline: bool) -> Result<Self, DemoError> {
        let mut notes = Vec::new();
        if !is_offline {
            match Demo::start(options) {
                Err(error @ DemoError::NoServer { .. }) if options.server_bin.is_none() => {
                    notes.push(format!(
                        "{error}; a snapshot of the sample data is shown instead"
                    ));
                    notes.extend(error.hint());
                }
                started => return started.map(Self::Servers),
            }
        }
        let now = UnixMs(jiff::Timestamp::now().as_millisecond());
        Ok(Self::Snapshot(Box::new(Bundled::unpack(now)?), notes))
    }

    pub fn targets(&self) -> Vec<Target> {
        match self {
            Self::Servers(demo) => demo.targets().to_vec(),
            Self::Snapshot(bundled, _) => vec![bundled.target().clone()],
        }
    }

    /// What a person should know.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Servers(demo) => demo.notes(),
            Self::Snapshot(_, notes) => notes,
        }
    }
}

/// Running servers. Dropping it ends them and removes everything.
#[derive(Debug)]
pub struct Demo {
    targets: Vec<Target>,
    notes: Vec<String>,
    traffic: Vec<Traffic>,
    nest: Nest,
}

impl Demo {
    /// Starts what is found, fills it and keeps it a little busy.
    pub fn start(options: &Options) -> Result<Self, DemoError> {
        let programs = Programs::find(options)?;
        let nest = Nest::build(&programs)?;
        let mut demo = Self {
            targets: Vec::new(),
            notes: programs.notes(),
            traffic: Vec::new(),
            nest,
        };
        if let Some((brand, _)) = &programs.redis {
            demo.add_redis(*brand)?;
        }
        if programs.memcached.is_some() {
            demo.add_memcached()?;
        }
        Ok(demo)
    }

    /// `demo-redis` or `demo-valkey`, `demo-replica`, `demo-memcached`: those that run.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// What a person should know: which of the servers is missing, and how to get it.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn add_redis(&mut self, brand: Brand) -> Result<(), DemoError> {
        let primary = self.nest.redis_line(nest::PRIMARY)?;
        sample_data::fill_redis(primary).map_err(DemoError::fill)?;
        let name = match brand {
            Brand::Redis => "demo-redis",
            Brand::Valkey => "demo-valkey",
        };
        self.add_target(name, Protocol::Redis, nest::PRIMARY);
        self.add_target("demo-replica", Protocol::Redis, nest::REPLICA);
        let traffic = Traffic::on_redis(self.nest.socket(nest::PRIMARY), self.nest.password());
        self.traffic.push(traffic);
        Ok(())
    }

    fn add_memcached(&mut self) -> Result<(), DemoError> {
        let line = self.nest.memcached_line()?;
        sample_data::fill_memcached(line).map_err(DemoError::fill)?;
        self.add_target("demo-memcached", Protocol::Memcached, nest::MEMCACHED);
        let traffic = Traffic::on_memcached(self.nest.socket(nest::MEMCACHED));
        self.traffic.push(traffic);
        Ok(())
    }

    fn add_target(&mut self, name: &str, protocol: Protocol, server: nest::ServerName) {
        let place = Place::Unix(self.nest.socket(server).path().into());
        let mut target = Target::at(protocol, place);
        name.clone_into(&mut target.name);
        target.environment = Environment::Development;
        if protocol == Protocol::Redis {
            let password = self.nest.password().expose_secret();
            target.password = Some(SecretString::from(password));
        }
        self.targets.push(target);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        for traffic in &mut self.traffic {
            traffic.stop();
        }
        // The servers first: a traffic thread that waits for one of them then wakes up at once.
        self.nest.close();
        self.traffic.clear();
    }
}
