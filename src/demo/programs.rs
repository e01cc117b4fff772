//! Which servers this machine has.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{DemoError, Options};

/// The programs to start.
#[derive(Debug, Default)]
pub(super) struct Programs {
    pub redis: Option<(Brand, PathBuf)>,
    pub memcached: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brand {
    Redis,
    Valkey,
}

enum Kind {
    Redis(Brand),
    Memcached,
}

impl Programs {
    pub fn find(options: &Options) -> Result<Self, DemoError> {
        let mut programs = Self::default();
        if let Some(program) = &options.server_bin {
            let program = std::path::absolute(program).map_err(DemoError::Directory)?;
            match kind_of(&program) {
                Some(Kind::Redis(brand)) => programs.redis = Some((brand, program)),
                Some(Kind::Memcached) => programs.memcached = Some(program),
                None => return Err(DemoError::NotAServer { program }),
            }
        }
        if programs.redis.is_none() {
            programs.redis = ["valkey-server", "redis-server"]
                .into_iter()
                .filter_map(|name| on_path(name, &options.search))
                .find_map(|program| match kind_of(&program) {
                    Some(Kind::Redis(brand)) => Some((brand, program)),
                    _ => None,
                });
        }
        if programs.memcached.is_none() {
            programs.memcached = on_path("memcached", &options.search);
        }
        if programs.redis.is_none() && programs.memcached.is_none() {
            let install = install(&this_system(), "valkey", "memcached");
            return Err(DemoError::NoServer { install });
        }
        Ok(programs)
    }

    /// What is missing, and how to get it.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.redis.is_none() {
            let install = install(&this_system(), "valkey", "");
            notes.push(format!(
                "neither valkey-server nor redis-server is on PATH, so the demo shows Memcached only: {install}"
            ));
        }
        if self.memcached.is_none() {
            let install = install(&this_system(), "", "memcached");
            notes.push(format!(
                "memcached is not on PATH, so the demo goes without it: {install}"
            ));
        }
        notes
    }
}

fn on_path(name: &str, search: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(search)
        // A relative entry would run whatever the current directory holds.
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|program| is_executable(program))
}

fn is_executable(program: &Path) -> bool {
    fs::metadata(program)
        .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

/// What the program says that it is.
fn kind_of(program: &Path) -> Option<Kind> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
    if said.starts_with("valkey server") {
        Some(Kind::Redis(Brand::Valkey))
    } else if said.starts_with("redis server") {
        Some(Kind::Redis(Brand::Redis))
    } else if said.starts_with("memcached") {
        Some(Kind::Memcached)
    } else {
        None
    }
}

/// The words of `/etc/os-release`, or `darwin`.
fn this_system() -> String {
    if cfg!(target_os = "macos") {
        return "ID=darwin".to_owned();
    }
    // Without the file the advice is only less precise.
    fs::read_to_string("/etc/os-release").unwrap_or_default()
}

/// The command that installs the packages, as far as we know the system.
fn install(os_release: &str, valkey: &str, memcached: &str) -> String {
    let is = |names: &[&str]| {
        os_release
            .lines()
            .filter_map(|line| line.strip_prefix("ID_LIKE=").or(line.strip_prefix("ID=")))
            .flat_map(|value| value.trim_matches('"').split(' '))
            .any(|name| names.contains(&name))
    };
    // Debian 12 and Ubuntu 22.04 have no Valkey yet, and all of them have Redis.
    let redis = valkey.replace("valkey", "redis-server");
    let (command, first) = if is(&["debian", "ubuntu"]) {
        ("sudo apt install", redis.as_str())
    } else if is(&["fedora", "rhel", "centos"]) {
        ("sudo dnf install", valkey)
    } else if is(&["arch"]) {
        ("sudo pacman -S", valkey)
    } else if is(&["alpine"]) {
        ("sudo apk add", valkey)
    } else if is(&["darwin"]) {
        ("brew install", valkey)
    } else {
        ("install the package", valkey)
    };
    let packages = [command, first, memcached];
    let words: Vec<&str> = packages
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_fits_the_system() {
        let debian = "NAME=x\nID=debian\n";
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        let both = |system| install(system, "valkey", "memcached");
        assert_eq!(both(debian), "sudo apt install redis-server memcached");
        assert_eq!(both(rocky), "sudo dnf install valkey memcached");
        assert_eq!(both("ID=darwin"), "brew install valkey memcached");
        assert_eq!(both(""), "install the package valkey memcached");
        assert_eq!(
            install(debian, "", "memcached"),
            "sudo apt install memcached"
        );
    }

    #[test]
    fn nothing_found_says_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            server_bin: None,
            search: dir.path().into(),
        };
        let error = Programs::find(&options).unwrap_err();
        assert!(matches!(error, DemoError::NoServer { .. }));
        assert!(error.hint().unwrap().contains("--server-bin"));
    }

    #[test]
    fn another_program_is_refused() {
        let options = Options {
            server_bin: Some("/bin/sh".into()),
            search: "".into(),
        };
        let error = Programs::find(&options).unwrap_err();
        assert!(matches!(error, DemoError::NotAServer { .. }), "{error}");
    }
}
