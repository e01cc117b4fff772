//! A server that answers as the test says, however wrong.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use super::net::{self, is_pause};

/// What the server does when a request has come.
#[derive(Debug, Clone)]
pub enum Answer {
    Bytes(Vec<u8>),
    /// Says this and leaves: dying at byte n is saying n bytes.
    ThenClose(Vec<u8>),
    /// Says this and resets the connection.
    ThenReset(Vec<u8>),
    /// Says the first part once, then the second for as long as anybody reads.
    Endless(Vec<u8>, Vec<u8>),
    Silence,
}

impl Answer {
    /// A web server behind the port.
    pub fn http() -> Answer {
        Answer::ThenClose(
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwhat"
                .to_vec(),
        )
    }

    /// Bytes of no protocol, escape sequences and invalid UTF-8 among them.
    pub fn garbage() -> Answer {
        Answer::Bytes(b"\x00\xff\x1b]52;c;aGFjaw==\x07\x80\xc2\x9b31m\r\n\xfe\x1b[2J\r\n".to_vec())
    }

    /// A line whose end never comes.
    pub fn endless_line() -> Answer {
        Answer::Endless(b"+".to_vec(), vec![b'x'; 4096])
    }

    /// A bulk reply that announces this many bytes, and sends them and more.
    pub fn huge_bulk(length: u64) -> Answer {
        Answer::Endless(format!("${length}\r\n").into_bytes(), vec![b'x'; 4096])
    }
}

/// What to say to whom. Requests are searched for the patterns of `on`; the earliest one in the
/// bytes is answered first, and then the search goes on behind it.
#[derive(Debug, Clone, Default)]
pub struct Script {
    rules: Vec<(Vec<u8>, Answer)>,
    greeting: Option<Answer>,
    otherwise: Option<Answer>,
}

impl Script {
    pub fn new() -> Script {
        Script::default()
    }

    /// Answers a request that contains `pattern`, in upper or lower case.
    #[must_use]
    pub fn on(mut self, pattern: &str, answer: Answer) -> Script {
        self.rules.push((pattern.as_bytes().to_vec(), answer));
        self
    }

    /// Speaks first, before any request.
    #[must_use]
    pub fn greets(mut self, answer: Answer) -> Script {
        self.greeting = Some(answer);
        self
    }

    /// Answers whatever arrives when no pattern is in it.
    #[must_use]
    pub fn otherwise(mut self, answer: Answer) -> Script {
        self.otherwise = Some(answer);
        self
    }

    /// The first answer due for `pending`, and how many of its bytes that settles.
    fn answer(&self, pending: &[u8]) -> Option<(usize, &Answer)> {
        let found = self.rules.iter().filter_map(|(pattern, answer)| {
            let at = pending
                .windows(pattern.len())
                .position(|part| part.eq_ignore_ascii_case(pattern))?;
            Some((at + pattern.len(), answer))
        });
        let all = || Some((pending.len(), self.otherwise.as_ref()?));
        found.min_by_key(|(end, _)| *end).or_else(all)
    }
}

/// A server on a loopback port. It ends when dropped, with all its connections.
pub struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl ScriptedServer {
    pub fn start(script: Script) -> ScriptedServer {
        let listener = net::listen();
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        ScriptedServer {
            address,
            shared,
            listening: Some(thread::spawn(move || listen(&listener, &script, &theirs))),
        }
    }

    /// Gives the same answer to everything.
    pub fn always(answer: Answer) -> ScriptedServer {
        ScriptedServer::start(Script::new().otherwise(answer))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was asked so far, connection after connection.
    pub fn received(&self) -> Vec<u8> {
        self.shared.talk().received.concat()
    }

    pub fn connections(&self) -> usize {
        self.shared.talk().received.len()
    }

    /// How many bytes the clients took: a client with a cap stops an endless answer.
    pub fn written(&self) -> u64 {
        self.shared.talk().written
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        if let Some(listening) = self.listening.take() {
            // A panic there has already been printed, and a drop must not panic.
            drop(listening.join());
        }
    }
}

#[derive(Default)]
struct Shared {
    closing: AtomicBool,
    talk: Mutex<Talk>,
}

#[derive(Default)]
struct Talk {
    received: Vec<Vec<u8>>,
    written: u64,
}

impl Shared {
    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().expect("no thread panics with the talk")
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}

fn listen(listener: &TcpListener, script: &Script, shared: &Arc<Shared>) {
    while !shared.is_closing() {
        let Some(client) = net::accept(listener) else {
            continue;
        };
        let number = {
            let mut talk = shared.talk();
            talk.received.push(Vec::new());
            talk.received.len() - 1
        };
        let (script, shared) = (script.clone(), Arc::clone(shared));
        // An error here is a client that left, which is the client's to notice.
        thread::spawn(move || drop(serve(&client, number, &script, &shared)));
    }
}

fn serve(
    mut client: &TcpStream,
    number: usize,
    script: &Script,
    shared: &Shared,
) -> std::io::Result<()> {
    if let Some(greeting) = &script.greeting
        && say(client, greeting, shared)? == Then::Leave
    {
        return Ok(());
    }
    let mut pending = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while !shared.is_closing() {
        match client.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                pending.extend_from_slice(&buffer[..length]);
                shared.talk().received[number].extend_from_slice(&buffer[..length]);
            }
            Err(why) if is_pause(why.kind()) => continue,
            Err(why) => return Err(why),
        }
        while let Some((settled, answer)) = script.answer(&pending).filter(|_| !pending.is_empty())
        {
            pending.drain(..settled);
            if say(client, answer, shared)? == Then::Leave {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Then {
    Stay,
    Leave,
}

fn say(client: &TcpStream, answer: &Answer, shared: &Shared) -> std::io::Result<Then> {
    match answer {
        Answer::Silence => Ok(Then::Stay),
        Answer::Bytes(bytes) => {
            write(client, bytes, shared)?;
            Ok(Then::Stay)
        }
        Answer::ThenClose(bytes) => {
            write(client, bytes, shared)?;
            client.shutdown(Shutdown::Write)?;
            Ok(Then::Leave)
        }
        Answer::ThenReset(bytes) => {
            write(client, bytes, shared)?;
            net::reset_on_close(client);
            Ok(Then::Leave)
        }
        Answer::Endless(head, rest) => {
            write(client, head, shared)?;
            while !shared.is_closing() {
                write(client, rest, shared)?;
            }
            Ok(Then::Leave)
        }
    }
}

fn write(mut client: &TcpStream, mut bytes: &[u8], shared: &Shared) -> std::io::Result<()> {
    while !bytes.is_empty() && !shared.is_closing() {
        match client.write(bytes) {
            Ok(length) => {
                bytes = &bytes[length..];
                shared.talk().written += length as u64;
            }
            Err(why) if is_pause(why.kind()) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}
