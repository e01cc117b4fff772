//! Where passwords come from.
//!
//! Never from a `--password` argument, which every user of the machine can read. A source that was
//! named and yields nothing is an error: going on without a password would only hide it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use crate::text;

use super::{ConfigError, Vars};

/// More than any password, and little enough to read at once.
const LIMIT: u64 = 64 << 10;
/// How long `password_command` may take.
pub(super) const COMMAND_TIME: Duration = Duration::from_secs(10);

/// The content of a file that only its owner can read.
pub(super) fn from_file(path: &Path) -> Result<SecretString, ConfigError> {
    let shown = text::escape(path.as_os_str().as_encoded_bytes());
    let failed = |error: std::io::Error| ConfigError::Password(format!("{shown}: {error}"));
    let file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if facts.is_dir() {
        return Err(ConfigError::Directory { file: path.into() });
    }
    if facts.mode() & 0o077 != 0 {
        return Err(ConfigError::OthersCanRead { file: path.into() });
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    password_of(bytes, &shown)
}

/// The value of a variable.
pub(super) fn from_variable(name: &str, vars: &Vars) -> Result<SecretString, ConfigError> {
    let shown = text::escape(name.as_bytes());
    match vars.text(name)? {
        Some(value) => Ok(SecretString::from(value)),
        None => Err(ConfigError::Password(format!(
            "the variable {shown} is not set"
        ))),
    }
}

/// What a program prints, without its last line end.
pub(super) fn from_command(
    argv: &[String],
    vars: &Vars,
    limit: Duration,
) -> Result<SecretString, ConfigError> {
    let failed = |why: String| ConfigError::Password(format!("password_command {why}"));
    let Some((program, arguments)) = argv.split_first() else {
        return Err(failed("is empty".to_owned()));
    };
    let mut child = Command::new(vars.expand_home(Path::new(program)))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What it complains about may hold what it should not, so nothing of it is shown.
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let answer = printed(&mut child, limit);
    let in_time = answer.is_some();
    if !in_time {
        // It may have ended by itself a moment ago; then there is nothing to kill.
        let _ = child.kill();
    }
    let status = child
        .wait()
        .map_err(|error| failed(format!("is lost: {error}")))?;
    match answer {
        None => Err(failed(format!(
            "did not end within {} s",
            limit.as_secs_f64()
        ))),
        Some(_) if !status.success() => Err(failed(format!("failed: {status}"))),
        Some(bytes) => password_of(bytes, "password_command"),
    }
}

/// All that `child` prints until it has ended; `None` when that takes longer than `limit`.
fn printed(child: &mut Child, limit: Duration) -> Option<Vec<u8>> {
    let deadline = Instant::now() + limit;
    let output = child.stdout.take()?;
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(LIMIT + 1).read_to_end(&mut bytes);
        // Nobody listens any more when the time was up.
        let _ = tx.send(read.map(|_| bytes));
    });
    let bytes = rx.recv_timeout(limit).ok()?.ok()?;
    // It has closed its output; now it only has to end.
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
    Some(bytes)
}

fn password_of(bytes: Vec<u8>, source: &str) -> Result<SecretString, ConfigError> {
    let wrong = |why: &str| ConfigError::Password(format!("{source} {why}"));
    if bytes.len() as u64 > LIMIT {
        return Err(wrong("gives more than 64 KiB"));
    }
    let mut password = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8"))?;
    if password.ends_with('\n') {
        password.pop();
        if password.ends_with('\r') {
            password.pop();
        }
    }
    if password.is_empty() {
        return Err(wrong("is empty"));
    }
    Ok(SecretString::from(password))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn run(script: &str, limit: Duration) -> Result<String, String> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        from_command(&argv, &Vars::default(), limit)
            .map(|password| password.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_gives_its_output_without_the_line_end() {
        let long = Duration::from_secs(60);
        assert_eq!(run("echo 'p w '", long).unwrap(), "p w ");
        assert_eq!(run("printf 'x\\r\\n'", long).unwrap(), "x");
        assert_eq!(run("printf 'x\\n\\n'", long).unwrap(), "x\n");
    }

    #[test]
    fn a_failing_command_shows_its_status_and_not_its_output() {
        assert_eq!(
            run("echo CANARY; echo CANARY >&2; exit 3", COMMAND_TIME).unwrap_err(),
            "no password: password_command failed: exit status: 3"
        );
        assert_eq!(
            run("true", COMMAND_TIME).unwrap_err(),
            "no password: password_command is empty"
        );
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        assert_eq!(
            run("exec sleep 1000", Duration::from_millis(50)).unwrap_err(),
            "no password: password_command did not end within 0.05 s"
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        fs::write(&file, "s3cret\n").unwrap();
        for mode in [0o640, 0o604, 0o644] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let refused = from_file(&file).unwrap_err();
            assert_eq!(refused, ConfigError::OthersCanRead { file: file.clone() });
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(from_file(&file).unwrap().expose_secret(), "s3cret");
    }

    #[test]
    fn an_unset_variable_is_an_error() {
        let vars = Vars::from([("SET", "x"), ("EMPTY", "")]);
        assert_eq!(from_variable("SET", &vars).unwrap().expose_secret(), "x");
        for name in ["UNSET", "EMPTY"] {
            assert!(from_variable(name, &vars).is_err());
        }
    }
}
