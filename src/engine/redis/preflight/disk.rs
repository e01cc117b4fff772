//! How full the server's disk is, where that can be known: on this machine alone.
//!
//! An address does not say that: a loopback port may lead through a tunnel, a socket into a container.
//! The server names its process and its directory. Where a process of that number works in that
//! directory here, it is that server, and its own view of the directory is asked.

use std::path::PathBuf;
use std::time::Duration;

use crate::engine::redis::info::Info;
use crate::engine::redis::preflight::{Settings, note};
use crate::model::{Bytes, Place, PreflightNote, Target, Verdict};

/// A disk that hangs must not hang us.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was found out about the directory of a server on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    pub free: Bytes,
    /// The snapshot that lies there.
    pub last: Option<Bytes>,
}

impl Disk {
    /// Looks, where it is a server of this machine.
    pub async fn of(target: &Target, info: &Info, settings: &Settings) -> Option<Self> {
        let directory = directory(target, info, settings)?;
        let file = settings.file.clone();
        let looked = tokio::task::spawn_blocking(move || look(&directory, file.as_deref()));
        let looked = tokio::time::timeout(PATIENCE, looked).await;
        looked.ok().and_then(Result::ok).flatten()
    }
}

pub fn judge(disk: Option<Disk>, info: &Info) -> PreflightNote {
    let what = "disk";
    let Some(Disk { free, last }) = disk else {
        let why = "the server does not tell how full its disk is".to_owned();
        return note(Verdict::Unknown, what, why);
    };
    // The new file lies beside the old one until it is whole, and what grew since has to fit too.
    let need = last.or(info.bytes("used_memory_dataset"));
    let is_tight = need.is_some_and(|need| free.0 < need.0.saturating_add(need.0 / 4));
    let last = last.map(|last| format!("; the last snapshot takes {last}"));
    let words = format!("{free} free{}", last.unwrap_or_default());
    let verdict = if is_tight {
        Verdict::Caution
    } else {
        Verdict::Good
    };
    note(verdict, what, words)
}

/// The server's directory by way of its process, which sees it as the server does.
fn directory(target: &Target, info: &Info, settings: &Settings) -> Option<PathBuf> {
    let may_be_here = match &target.place {
        Place::Unix(_) | Place::File(_) => true,
        Place::Tcp { host, .. } => {
            host == "localhost"
                || host
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    };
    let process = info.count("process_id").filter(|_| may_be_here)?;
    let directory = PathBuf::from(format!("/proc/{process}/cwd"));
    let works_in = std::fs::read_link(&directory).ok()?;
    (works_in.to_str() == settings.directory.as_deref()).then_some(directory)
}

fn look(directory: &std::path::Path, file: Option<&str>) -> Option<Disk> {
    let room = rustix::fs::statvfs(directory).ok()?;
    let last = file.and_then(|file| directory.join(file).metadata().ok());
    Some(Disk {
        free: Bytes(room.f_bavail.saturating_mul(room.f_frsize)),
        last: last.map(|found| Bytes(found.len())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    fn here(process: u32, directory: &str) -> Option<PathBuf> {
        let host = "127.0.0.1".to_owned();
        let target = Target::at(Protocol::Redis, Place::Tcp { host, port: 1 });
        let settings = Settings {
            directory: Some(directory.to_owned()),
            ..Settings::default()
        };
        let info = Info::parse(format!("process_id:{process}\n").as_bytes());
        super::directory(&target, &info, &settings)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_works_in_that_directory_is_the_server() {
        let ours = std::env::current_dir().unwrap();
        let ours = ours.to_str().unwrap();
        assert!(here(std::process::id(), ours).is_some());
        assert!(here(std::process::id(), "/nowhere").is_none());
        let found = look(&here(std::process::id(), ours).unwrap(), Some("Cargo.toml"));
        assert!(found.is_some_and(|disk| disk.free.0 > 0 && disk.last.is_some()));
    }

    #[test]
    fn a_full_disk_is_a_caution_and_an_unknown_one_is_unknown() {
        let info = Info::parse(b"used_memory_dataset:1000\n");
        let judged = |free, last| {
            let disk = Disk {
                free: Bytes(free),
                last,
            };
            judge(Some(disk), &info).verdict
        };
        assert_eq!(judged(10_000, None), Verdict::Good);
        assert_eq!(judged(1000, None), Verdict::Caution);
        assert_eq!(judged(1000, Some(Bytes(500))), Verdict::Good);
        assert_eq!(judge(None, &info).verdict, Verdict::Unknown);
    }
}
