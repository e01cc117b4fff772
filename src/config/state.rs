//! Where cachedeck keeps what it writes for itself: the log, the audit, histories.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{ConfigError, Vars};

/// `CACHEDECK_STATE_DIR`, else the platform's directory for state, else the one for data.
pub fn state_dir(vars: &Vars) -> Result<PathBuf, ConfigError> {
    if let Some(directory) = vars.path("CACHEDECK_STATE_DIR") {
        return Ok(directory);
    }
    let dirs = directories::ProjectDirs::from("", "", "cachedeck");
    dirs.map(|dirs| dirs.state_dir().unwrap_or(dirs.data_local_dir()).into())
        .ok_or_else(|| ConfigError::State {
            directory: "cachedeck".into(),
            why: "there is no home directory".to_owned(),
        })
}

/// Makes the directory if it is not there, closed to others, and refuses one where others could
/// put a file in our way.
pub fn private_dir(directory: &Path) -> Result<(), ConfigError> {
    let failed = |why: String| ConfigError::State {
        directory: directory.into(),
        why,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| failed(error.to_string()))?;
    let facts = directory
        .metadata()
        .map_err(|error| failed(error.to_string()))?;
    if facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(failed("it belongs to another user".to_owned()));
    }
    if facts.mode() & 0o022 != 0 {
        return Err(failed("other users can write there".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_directory_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        private_dir(&path).unwrap();
        private_dir(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(
            dir.path().join("a").metadata().unwrap().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(private_dir(dir.path()).is_err());
    }

    #[test]
    fn the_variable_overrides_the_platform() {
        let vars = Vars::from([("CACHEDECK_STATE_DIR", "/elsewhere")]);
        assert_eq!(state_dir(&vars), Ok("/elsewhere".into()));
    }
}
