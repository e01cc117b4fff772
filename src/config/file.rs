//! Reads the config file, and only one that nobody else could have written.
//!
//! A profile may run a command, so a file that others can change is a way to run theirs.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::model::Bytes;
use crate::text;

use super::complaint::Complaint;
use super::unique::Unique;
use super::{Config, ConfigError};

const LIMIT: u64 = 1 << 20;

/// Reads the file, which has to be there.
pub(super) fn read(path: &Path) -> Result<Config, ConfigError> {
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let facts = file.metadata().map_err(|error| unreadable(path, &error))?;
    refuse_what_others_wrote(path, &facts)?;
    let mut text = String::new();
    Read::by_ref(&mut file)
        .take(LIMIT + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > LIMIT {
        return Err(ConfigError::TooLarge {
            file: path.into(),
            limit: Bytes(LIMIT),
        });
    }
    let mut config = parse(path, &text)?;
    if config.holds_passwords() && facts.mode() & 0o077 != 0 {
        let shown = text::escape(path.as_os_str().as_encoded_bytes());
        config.warnings.push(format!(
            "{shown} holds a password and can be read by other users: chmod 600 {shown}"
        ));
    }
    Ok(config)
}

/// Reads the file; nothing is configured when it is not there.
pub(super) fn read_if_there(path: &Path) -> Result<Config, ConfigError> {
    match read(path) {
        Err(ConfigError::Missing { .. }) => Ok(Config::default()),
        answer => answer,
    }
}

/// Reads `text` as the content of the file at `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    // An empty file, or one of comments only, is `None`.
    let read = serde_yaml::from_str::<Option<Unique>>(text)
        .and_then(|_| serde_yaml::from_str::<Option<Config>>(text));
    match read {
        Ok(config) => Ok(Config {
            file: Some(path.into()),
            ..config.unwrap_or_default()
        }),
        Err(error) => {
            let complaint = Complaint::of(&error);
            Err(ConfigError::Invalid {
                file: path.into(),
                line: complaint.line,
                column: complaint.column,
                key: complaint.key,
                why: complaint.why,
            })
        }
    }
}

fn refuse_what_others_wrote(path: &Path, facts: &Metadata) -> Result<(), ConfigError> {
    let file = path.to_path_buf();
    if facts.is_dir() {
        return Err(ConfigError::Directory { file });
    }
    // /dev/null is how one says that nothing is configured, and what is written there is gone.
    let is_device = facts.file_type().is_char_device();
    if facts.mode() & 0o022 != 0 && !is_device {
        return Err(ConfigError::OthersCanWrite { file });
    }
    if facts.uid() != 0 && facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(ConfigError::OthersOwn { file });
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    let file = path.to_path_buf();
    match error.kind() {
        ErrorKind::NotFound => ConfigError::Missing { file },
        ErrorKind::IsADirectory => ConfigError::Directory { file },
        ErrorKind::InvalidData => ConfigError::NotUtf8 {
            what: text::escape(path.as_os_str().as_encoded_bytes()),
        },
        _ => ConfigError::Unreadable {
            file,
            why: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.yaml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn only_the_default_file_may_be_missing() {
        let path = Path::new("/nonexistent/config.yaml");
        let missing = ConfigError::Missing { file: path.into() };
        assert_eq!(read(path).unwrap_err(), missing);
        assert!(read_if_there(path).unwrap().profiles.is_empty());
    }

    #[test]
    fn a_directory_is_not_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let said = read(dir.path()).unwrap_err().to_string();
        assert!(said.ends_with("is a directory, not a file"), "{said}");
    }

    #[test]
    fn dev_null_configures_nothing() {
        assert!(read(Path::new("/dev/null")).unwrap().profiles.is_empty());
    }

    #[test]
    fn what_others_can_write_is_refused() {
        for mode in [0o620, 0o602, 0o666] {
            let (_dir, file) = written("", mode);
            let refused = read(&file).unwrap_err();
            assert_eq!(refused, ConfigError::OthersCanWrite { file });
        }
    }

    #[test]
    fn a_huge_file_is_refused() {
        let (_dir, file) = written(&"#".repeat(1 + (1 << 20)), 0o600);
        let said = read(&file).unwrap_err().to_string();
        assert!(said.ends_with("is larger than 1.00 MiB"), "{said}");
    }

    #[test]
    fn a_password_that_others_can_read_is_warned_of() {
        let secret = "profiles: { a: { url: 'redis://:x@h' } }";
        let plain = "profiles: { a: { url: 'redis://h' } }";
        for (text, mode, warnings) in [(secret, 0o644, 1), (secret, 0o600, 0), (plain, 0o644, 0)] {
            let (_dir, file) = written(text, mode);
            assert_eq!(read(&file).unwrap().warnings.len(), warnings, "{text}");
        }
    }

    #[test]
    fn a_file_of_comments_configures_nothing() {
        for text in ["", "# nothing\n", "---\n", "profiles:\nkeys:\n"] {
            let config = parse(Path::new("c"), text).unwrap();
            assert!(config.profiles.is_empty());
        }
    }
}
