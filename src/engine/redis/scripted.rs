//! A server on a unix socket that says what a test wants it to say.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::redis::{Parser, Value};
use tempfile::TempDir;

use crate::engine::redis::reply::word;
use crate::model::{Environment, Limits, Place, Protocol, Target};

pub struct Scripted {
    directory: TempDir,
    heard: Arc<Mutex<Vec<String>>>,
}

/// What the server does about a command.
pub enum Does {
    Says(&'static str),
    /// Says nothing until the next command that says something; then all of it at once.
    Waits(&'static str),
    HangsUp,
}

impl Scripted {
    /// Every connection is answered by `answer`, which gets the words of each command as a line.
    pub fn answering(answer: impl Fn(&str) -> Does + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("socket")).expect("a socket");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, notes) = (Arc::clone(&answer), Arc::clone(&notes));
                std::thread::spawn(move || serve(stream, &*answer, &notes));
            }
        });
        Self { directory, heard }
    }

    pub fn target(&self) -> Target {
        Target {
            name: "scripted".to_owned(),
            protocol: Protocol::Redis,
            place: Place::Unix(self.directory.path().join("socket")),
            user: None,
            password: None,
            database: 0,
            tls: None,
            environment: Environment::Unstated,
            is_read_only: false,
            delimiter: ":".to_owned(),
            limits: Limits {
                connect: Duration::from_secs(20),
                reply: Duration::from_secs(20),
                reply_bytes: 1 << 20,
            },
        }
    }

    /// Every command that arrived, over all connections.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("the notes").clone()
    }
}

/// The answer to what is said at the beginning of every connection.
pub fn polite(line: &str) -> Option<Does> {
    match line {
        "PING" => Some(Does::Says("+PONG\r\n")),
        line if line.starts_with("CLIENT ") => Some(Does::Says("+OK\r\n")),
        _ => None,
    }
}

fn serve(mut stream: UnixStream, answer: &dyn Fn(&str) -> Does, notes: &Mutex<Vec<String>>) {
    let mut parser = Parser::new();
    let mut held = String::new();
    while let Ok(Value::Array(words)) = parser.parse_value(&mut stream) {
        let words: Vec<String> = words.iter().filter_map(word).collect();
        let line = words.join(" ");
        notes.lock().expect("the notes").push(line.clone());
        match answer(&line) {
            Does::Waits(said) => held.push_str(said),
            Does::Says(said) => {
                held.push_str(said);
                if stream.write_all(held.as_bytes()).is_err() {
                    return;
                }
                held.clear();
            }
            Does::HangsUp => return,
        }
    }
}
