//! Keeping a file: whole under its name, or not there at all.
//!
//! What is written goes to a file without a name, readable by its owner alone, which goes away with the
//! process, however that ends. Only when all of it has reached the disk does it get its name, in one
//! step. Nothing is written through a link, and nothing is replaced unless that was asked for. A file
//! system that knows no files without a name gets a hidden one beside the wanted one; then a kill that
//! cannot be caught leaves that, and its name says that it is partial.
//!
//! Everything happens by a handle on the directory, so a directory that is swapped meanwhile leads
//! nowhere else.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use thiserror::Error;

/// Hidden names that are tried, where earlier ones were left by a kill.
const TRIES: u32 = 100;
/// The longest name that common file systems take.
const LONGEST_NAME: usize = 255;

/// What to do with a file that already has the wanted name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfThere {
    Refuse,
    Replace,
}

/// Why a file could not be kept.
#[derive(Debug, Error)]
pub enum KeepError {
    #[error("{}: there is such a file already", path.display())]
    Exists { path: PathBuf },
    #[error("{}: it is a symbolic link, and nothing is written through one", path.display())]
    Link { path: PathBuf },
    #[error("{}: it is no regular file", path.display())]
    NoFile { path: PathBuf },
    #[error("{}: it names no file", path.display())]
    NoName { path: PathBuf },
    #[error("{}: no room is left on the disk", path.display())]
    Full { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl KeepError {
    /// What the disk said about this file.
    pub fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Io { path, source },
        }
    }
}

/// A file under way. It has its name once `finish` has said so.
#[derive(Debug)]
pub struct Keeping {
    path: PathBuf,
    directory: OwnedFd,
    name: OsString,
    /// The hidden name, if it has one, until it is given up.
    hidden: Option<OsString>,
    file: File,
    if_there: IfThere,
    written: u64,
}

impl Keeping {
    /// Begins a file that shall stand at `path`.
    ///
    /// # Errors
    /// When there is a file that must not be replaced, or the directory takes none.
    pub fn create(path: &Path, if_there: IfThere) -> Result<Self, KeepError> {
        let name = path.file_name().ok_or_else(|| KeepError::NoName {
            path: path.to_owned(),
        })?;
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new("."));
        let failed = |errno| of_errno(path, errno);
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(parent, flags, Mode::empty()).map_err(failed)?;
        check(path, &directory, name, if_there)?;
        let (hidden, file) = match create_nameless(&directory) {
            Ok(file) => (None, file),
            Err(_) => create_hidden(&directory, name)
                .map(|(hidden, file)| (Some(hidden), file))
                .map_err(failed)?,
        };
        Ok(Self {
            path: path.to_owned(),
            directory,
            name: name.to_owned(),
            hidden,
            file: File::from(file),
            if_there,
            written: 0,
        })
    }

    /// Where it will stand.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// An error of writing, with this file's name.
    pub fn failed(&self, error: io::Error) -> KeepError {
        KeepError::of(&self.path, error)
    }

    /// Brings everything to the disk and gives the file its name.
    ///
    /// # Errors
    /// When the disk fails, or somebody took the name meanwhile. The file is removed then.
    pub fn finish(mut self) -> Result<(), KeepError> {
        let failed = |error| KeepError::of(&self.path, error);
        self.file.sync_all().map_err(failed)?;
        check(&self.path, &self.directory, &self.name, self.if_there)?;
        let failed = |errno| of_errno(&self.path, errno);
        match (&self.hidden, self.if_there) {
            // A second name is never given where there is one, so nothing can be replaced.
            (None, IfThere::Refuse) => self.give_a_name(&self.name).map_err(failed)?,
            (None, IfThere::Replace) => {
                let hidden = free_name(&self.name, |hidden| self.give_a_name(hidden));
                let (hidden, ()) = hidden.map_err(failed)?;
                let renamed = self.rename(&hidden);
                self.hidden = renamed.is_err().then_some(hidden);
                renamed.map_err(|errno| of_errno(&self.path, errno))?;
            }
            (Some(hidden), _) => self.rename(hidden).map_err(failed)?,
        }
        self.hidden = None;
        // The name itself has to reach the disk, too. Some file systems cannot be asked for that.
        match rustix::fs::fsync(&self.directory) {
            Ok(()) | Err(Errno::INVAL | Errno::BADF) => Ok(()),
            Err(errno) => Err(of_errno(&self.path, errno)),
        }
    }

    fn give_a_name(&self, name: &OsStr) -> Result<(), Errno> {
        let file = path_of(&self.file);
        let flags = AtFlags::SYMLINK_FOLLOW;
        rustix::fs::linkat(rustix::fs::CWD, file, &self.directory, name, flags)
    }

    fn rename(&self, hidden: &OsStr) -> Result<(), Errno> {
        let directory = &self.directory;
        if self.if_there == IfThere::Replace {
            return rustix::fs::renameat(directory, hidden, directory, &self.name);
        }
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(directory, hidden, directory, &self.name, flags) {
            // A file system that cannot refuse by itself: a second name is refused everywhere.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                let flags = AtFlags::empty();
                rustix::fs::linkat(directory, hidden, directory, &self.name, flags)?;
                rustix::fs::unlinkat(directory, hidden, flags)
            }
            named => named,
        }
    }
}

impl Write for Keeping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if let Some(hidden) = self.hidden.take()
            && let Err(error) = rustix::fs::unlinkat(&self.directory, &hidden, AtFlags::empty())
        {
            // Nobody is left to tell; its name says that it is partial.
            tracing::warn!(%error, path = %self.path.display(), "a partial file stays");
        }
    }
}

/// Whether the name may be taken.
fn check(
    path: &Path,
    directory: &OwnedFd,
    name: &OsStr,
    if_there: IfThere,
) -> Result<(), KeepError> {
    let path = || path.to_owned();
    let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(of_errno(&path(), errno)),
        Ok(stat) => stat,
    };
    match (FileType::from_raw_mode(stat.st_mode), if_there) {
        (FileType::Symlink, _) => Err(KeepError::Link { path: path() }),
        (FileType::RegularFile, IfThere::Refuse) => Err(KeepError::Exists { path: path() }),
        (FileType::RegularFile, IfThere::Replace) => Ok(()),
        _ => Err(KeepError::NoFile { path: path() }),
    }
}

/// A file without a name that can be given one later.
fn create_nameless(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, ".", flags, Mode::RUSR | Mode::WUSR)?;
    // The way to its name leads through /proc, which may not be there.
    rustix::fs::stat(path_of(&file))?;
    Ok(file)
}

fn path_of(file: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

fn create_hidden(directory: &OwnedFd, name: &OsStr) -> Result<(OsString, OwnedFd), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    free_name(name, |hidden| {
        rustix::fs::openat(directory, hidden, flags, mode)
    })
}

/// The first hidden name that is not taken yet, and what was made of it.
fn free_name<T>(
    name: &OsStr,
    make: impl Fn(&OsStr) -> Result<T, Errno>,
) -> Result<(OsString, T), Errno> {
    let mut number = 0;
    loop {
        let hidden = hidden(name, number);
        match make(&hidden) {
            Ok(done) => return Ok((hidden, done)),
            Err(Errno::EXIST) if number < TRIES => number += 1,
            Err(errno) => return Err(errno),
        }
    }
}

/// `.NAME.partial-PID-NUMBER`, the name cut where it would become too long.
fn hidden(name: &OsStr, number: u32) -> OsString {
    let tail = format!(".partial-{}-{number}", std::process::id());
    let room = LONGEST_NAME - 1 - tail.len();
    let mut hidden = vec![b'.'];
    hidden.extend(name.as_bytes().iter().take(room));
    hidden.extend(tail.as_bytes());
    OsString::from_vec(hidden)
}

fn of_errno(path: &Path, errno: Errno) -> KeepError {
    KeepError::of(path, errno.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_finished_file_has_its_name_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.items");
        let mut keeping = Keeping::create(&path, IfThere::Refuse).unwrap();
        keeping.write_all(b"hello").unwrap();
        assert!(!path.exists());
        keeping.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"hello");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(dir.path()), ["a.items"]);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut keeping = Keeping::create(&dir.path().join("a"), IfThere::Refuse).unwrap();
        keeping.write_all(b"hel").unwrap();
        // Not even a kill leaves anything.
        assert_eq!(names(dir.path()), [""; 0]);
        drop(keeping);
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let refused = Keeping::create(&path, IfThere::Refuse).unwrap_err();
        assert!(matches!(refused, KeepError::Exists { .. }));
        let mut keeping = Keeping::create(&path, IfThere::Replace).unwrap();
        keeping.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        keeping.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_file_that_came_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let keeping = Keeping::create(&path, IfThere::Refuse).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(keeping.finish(), Err(KeepError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn nothing_is_written_through_a_link_or_to_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink(dir.path().join("elsewhere"), &link).unwrap();
        for if_there in [IfThere::Refuse, IfThere::Replace] {
            let refused = Keeping::create(&link, if_there).unwrap_err();
            assert!(matches!(refused, KeepError::Link { .. }), "{refused}");
            let refused = Keeping::create(dir.path(), if_there).unwrap_err();
            assert!(matches!(refused, KeepError::NoFile { .. }), "{refused}");
        }
        let refused = Keeping::create(Path::new("/"), IfThere::Refuse).unwrap_err();
        assert!(matches!(refused, KeepError::NoName { .. }), "{refused}");
    }

    #[test]
    fn the_longest_name_still_finds_a_hidden_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(255));
        Keeping::create(&path, IfThere::Refuse)
            .unwrap()
            .finish()
            .unwrap();
        assert!(path.exists());
    }

    #[test]
    fn where_files_must_have_names_it_is_a_hidden_one() {
        for (if_there, expected) in [(IfThere::Refuse, false), (IfThere::Replace, true)] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a");
            let mut keeping = Keeping::create(&path, if_there).unwrap();
            let (hidden, file) = create_hidden(&keeping.directory, &keeping.name).unwrap();
            (keeping.hidden, keeping.file) = (Some(hidden), File::from(file));
            keeping.write_all(b"new").unwrap();
            assert!(names(dir.path())[0].starts_with(".a.partial-"));
            fs::write(&path, "theirs").unwrap();
            assert_eq!(keeping.finish().is_ok(), expected);
            assert_eq!(names(dir.path()), ["a"]);
            assert_eq!(fs::read(&path).unwrap() == b"new", expected);
        }
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let full = KeepError::of(Path::new("a"), io::ErrorKind::StorageFull.into());
        assert_eq!(full.to_string(), "a: no room is left on the disk");
    }
}
