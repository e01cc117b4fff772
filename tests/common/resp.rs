//! A Redis client of thirty lines, for checking from outside what the engine did.
//!
//! RESP2, one blocking connection, no cleverness: it must be so small that nobody doubts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::wait::PATIENCE;

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a simple or bulk reply.
    pub fn text(&self) -> &str {
        match self {
            Reply::Simple(text) => text,
            Reply::Bulk(bytes) => std::str::from_utf8(bytes).expect("a reply in UTF-8"),
            other => panic!("expected text, got {other:?}"),
        }
    }

    pub fn int(&self) -> i64 {
        match self {
            Reply::Int(number) => *number,
            other => panic!("expected a number, got {other:?}"),
        }
    }

    pub fn array(&self) -> &[Reply] {
        match self {
            Reply::Array(replies) => replies,
            other => panic!("expected an array, got {other:?}"),
        }
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }
}

/// One connection to a Redis or Valkey server.
pub struct RespClient {
    reader: BufReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
}

impl RespClient {
    pub fn over_unix(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self::over(stream.try_clone()?, stream))
    }

    pub fn over_tcp(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream.try_clone()?, stream))
    }

    /// Sends one command and reads its reply.
    pub fn cmd(&mut self, args: &[&[u8]]) -> std::io::Result<Reply> {
        self.writer.write_all(&encode(args))?;
        self.writer.flush()?;
        self.read()
    }

    /// Sends many commands at once, then reads all replies: how to fill a server quickly.
    pub fn pipeline<'a>(
        &mut self,
        commands: impl IntoIterator<Item = Vec<&'a [u8]>>,
    ) -> std::io::Result<Vec<Reply>> {
        let mut replies = Vec::new();
        let mut commands = commands.into_iter().peekable();
        while commands.peek().is_some() {
            // Bounded batches: neither side's socket buffer may fill while nobody reads.
            let batch: Vec<Vec<u8>> = commands.by_ref().take(500).map(|c| encode(&c)).collect();
            self.writer.write_all(&batch.concat())?;
            for _ in &batch {
                replies.push(self.read()?);
            }
        }
        Ok(replies)
    }

    /// Reads one reply that was not asked for by `cmd`: a push, or the next line of MONITOR.
    pub fn read(&mut self) -> std::io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at(1);
        match kind {
            "+" => Ok(Reply::Simple(rest.to_owned())),
            "-" => Ok(Reply::Error(rest.to_owned())),
            ":" => Ok(Reply::Int(number(rest)?)),
            "$" => self.bulk(number(rest)?),
            "*" => self.array(number(rest)?),
            _ => Err(broken(&line)),
        }
    }

    fn over(reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Self {
        RespClient {
            reader: BufReader::new(Box::new(reader)),
            writer: Box::new(writer),
        }
    }

    fn bulk(&mut self, length: i64) -> std::io::Result<Reply> {
        let Ok(length) = usize::try_from(length) else {
            return Ok(Reply::Nil);
        };
        let mut bytes = vec![0; length + 2];
        self.reader.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(Reply::Bulk(bytes))
    }

    fn array(&mut self, length: i64) -> std::io::Result<Reply> {
        if length < 0 {
            return Ok(Reply::Nil);
        }
        let replies: std::io::Result<Vec<Reply>> = (0..length).map(|_| self.read()).collect();
        Ok(Reply::Array(replies?))
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        let line = String::from_utf8(line).map_err(|_| broken("a line that is not UTF-8"))?;
        match line.strip_suffix("\r\n") {
            Some(line) if !line.is_empty() => Ok(line.to_owned()),
            _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// One command as it travels.
pub fn encode(args: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn number(text: &str) -> std::io::Result<i64> {
    text.parse().map_err(|_| broken(text))
}

fn broken(what: &str) -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::InvalidData,
        format!("not RESP2: {what}"),
    )
}
