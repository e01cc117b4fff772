//! Just enough of both protocols to write sample data, to the demo's own sockets only.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::nest::Socket;

/// The servers are our own and idle; one that takes longer is gone.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is sent before the replies are read. Small enough that those fit the socket's buffer.
const FLIGHT: usize = 256;

/// Commands to one of the demo's Redis servers.
#[derive(Debug)]
pub(super) struct RedisLine {
    stream: BufReader<UnixStream>,
    queue: Vec<u8>,
    due: usize,
}

impl RedisLine {
    /// Connects, logs in and asks whether the server is ready.
    pub fn connect(socket: &Socket, password: &SecretString) -> io::Result<Self> {
        let mut line = Self {
            stream: open(socket)?,
            queue: Vec::new(),
            due: 0,
        };
        line.send(&["AUTH", password.expose_secret()])?;
        line.send(&["PING"])?;
        line.flush()?;
        Ok(line)
    }

    /// Queues a command; what is queued goes out with `flush`, or when it is enough.
    pub fn send<A: AsRef<[u8]>>(&mut self, words: &[A]) -> io::Result<()> {
        write!(self.queue, "*{}\r\n", words.len())?;
        for word in words {
            let word = word.as_ref();
            write!(self.queue, "${}\r\n", word.len())?;
            self.queue.extend_from_slice(word);
            self.queue.extend_from_slice(b"\r\n");
        }
        self.due += 1;
        if self.due >= FLIGHT {
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what is queued and waits for the replies.
    pub fn flush(&mut self) -> io::Result<()> {
        self.stream.get_mut().write_all(&self.queue)?;
        self.queue.clear();
        let mut complaint = None;
        for _ in 0..std::mem::take(&mut self.due) {
            complaint = self.skip_reply()?.or(complaint);
        }
        complaint.map_or(Ok(()), |said| Err(io::Error::other(said)))
    }

    /// Reads a reply over; an error reply is returned.
    fn skip_reply(&mut self) -> io::Result<Option<String>> {
        let line = read_line(&mut self.stream)?;
        let (kind, rest) = line.split_at_checked(1).unwrap_or(("", ""));
        let length = || rest.parse::<i64>().map_err(|_| out_of_protocol());
        match kind {
            "+" | ":" => Ok(None),
            "-" => Ok(Some(rest.to_owned())),
            "$" => {
                if let Ok(length) = u64::try_from(length()?) {
                    skip_bytes(&mut self.stream, length + 2)?;
                }
                Ok(None)
            }
            "*" => {
                let mut complaint = None;
                for _ in 0..length()?.max(0) {
                    complaint = self.skip_reply()?.or(complaint);
                }
                Ok(complaint)
            }
            _ => Err(out_of_protocol()),
        }
    }
}

/// Commands to the demo's Memcached server.
#[derive(Debug)]
pub(super) struct MemcachedLine {
    stream: BufReader<UnixStream>,
    queue: Vec<u8>,
    due: usize,
}

impl MemcachedLine {
    pub fn connect(socket: &Socket) -> io::Result<Self> {
        let mut line = Self {
            stream: open(socket)?,
            queue: Vec::new(),
            due: 0,
        };
        line.send("version")?;
        line.flush()?;
        Ok(line)
    }

    /// `seconds` of 0 is for ever.
    pub fn set(&mut self, key: &str, value: &[u8], flags: u32, seconds: u64) -> io::Result<()> {
        let head = format!("set {key} {flags} {seconds} {}\r\n", value.len());
        self.queue.extend_from_slice(head.as_bytes());
        self.queue.extend_from_slice(value);
        self.send("")
    }

    /// Queues a command that is one line.
    pub fn send(&mut self, command: &str) -> io::Result<()> {
        self.queue.extend_from_slice(command.as_bytes());
        self.queue.extend_from_slice(b"\r\n");
        self.due += 1;
        if self.due >= FLIGHT {
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what is queued and waits for the replies.
    pub fn flush(&mut self) -> io::Result<()> {
        self.stream.get_mut().write_all(&self.queue)?;
        self.queue.clear();
        let mut complaint = None;
        for _ in 0..std::mem::take(&mut self.due) {
            complaint = self.skip_reply()?.or(complaint);
        }
        complaint.map_or(Ok(()), |said| Err(io::Error::other(said)))
    }

    /// Reads a reply over, items included; an error is returned.
    fn skip_reply(&mut self) -> io::Result<Option<String>> {
        loop {
            let line = read_line(&mut self.stream)?;
            if line.starts_with("VALUE ") {
                let length = line.rsplit(' ').next().and_then(|word| word.parse().ok());
                let length: u64 = length.ok_or_else(out_of_protocol)?;
                skip_bytes(&mut self.stream, length + 2)?;
                continue;
            }
            let is_error = line.contains("ERROR");
            return Ok(is_error.then_some(line));
        }
    }
}

fn open(socket: &Socket) -> io::Result<BufReader<UnixStream>> {
    let stream = UnixStream::connect(socket.path())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// One line without its end.
fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.take(4096).read_line(&mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn skip_bytes(stream: &mut impl BufRead, count: u64) -> io::Result<()> {
    let skipped = io::copy(&mut stream.take(count), &mut io::sink())?;
    if skipped == count {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn out_of_protocol() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "answered out of protocol")
}
