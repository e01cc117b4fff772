//! The file that an interrupted walk is kept in, so that the same command goes on from there.

use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::Failure;
use crate::engine::{Kept, Server, Survey, SurveyAsk};
use crate::model::{Protocol, Target};

/// A connection that breaks costs at most so much of the walk.
const EVERY: Duration = Duration::from_secs(30);

/// Keeps one walk in one file.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    written: Instant,
}

impl Keeper {
    /// # Errors
    /// When there is nothing that could be gone on with.
    pub fn of(path: PathBuf, targets: &[Target]) -> Result<Self, Failure> {
        match targets {
            [target] if target.protocol == Protocol::Memcached => Err(Failure::usage(
                "--resume: Memcached lists its keys at once, so there is nothing to go on with",
            )),
            [_] => Ok(Self {
                path,
                written: Instant::now(),
            }),
            _ => Err(Failure::usage("--resume goes with one target")),
        }
    }

    /// Goes on with what the file holds; begins where there is none.
    ///
    /// # Errors
    /// When the file cannot be read, or is of another walk.
    pub fn begin(
        &mut self,
        mut servers: impl Iterator<Item = Arc<Server>>,
        ask: SurveyAsk,
    ) -> Result<Survey, Failure> {
        let server = servers.next().expect("one target, as was checked");
        self.written = Instant::now();
        let file = match std::fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Survey::start(vec![server], ask));
            }
            Err(error) => return Err(failure(&self.path, &error)),
        };
        let kept: Kept<_> = serde_json::from_reader(BufReader::new(file))
            .map_err(|_| failure(&self.path, &"it is not what `analyze --resume` keeps"))?;
        Survey::go_on(server, ask, kept).map_err(|about| {
            failure(&self.path, &format!("it is of another walk: {about}"))
                .hint("give the same arguments as then, or another file")
        })
    }

    pub fn is_due(&self) -> bool {
        self.written.elapsed() >= EVERY
    }

    /// Writes what was seen by now; `false` where the walk cannot be gone on with.
    ///
    /// # Errors
    /// When the file cannot be written. The one before stays.
    pub fn keep(&mut self, survey: &Survey) -> Result<bool, Failure> {
        self.written = Instant::now();
        let Some(kept) = survey.kept() else {
            return Ok(false);
        };
        let directory = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        let write = || -> std::io::Result<()> {
            // Temporary files are closed to others: names of keys can be secrets.
            let file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
            let mut file = BufWriter::new(file);
            serde_json::to_writer(&mut file, &kept)?;
            file.write_all(b"\n")?;
            let file = file
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?;
            file.persist(&self.path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| failure(&self.path, &error))?;
        Ok(true)
    }

    /// After the last step: keeps what was interrupted, with a note, and removes the file of a walk
    /// that came to its end.
    ///
    /// # Errors
    /// When the file cannot be written or removed.
    pub fn end(mut self, survey: &Survey, was_stopped: bool) -> Result<Option<String>, Failure> {
        if was_stopped {
            let path = crate::text::escape(self.path.as_os_str().as_encoded_bytes());
            return Ok(self
                .keep(survey)?
                .then(|| format!("kept in {path}: the same command goes on from there")));
        }
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failure(&self.path, &error))
            }
            _ => Ok(None),
        }
    }
}

fn failure(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("--resume {}: {why}", path.display()))
}
