//! Opens the byte stream to a server: TCP, unix socket or TLS, for every protocol alike.
//!
//! Opening and reading have limits of their own, because a server that never answers or never stops
//! answering must not take the dashboard with it. What goes wrong here is told in words that say
//! which end to look at.

mod allowance;

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use crate::engine::{Fault, tls};
use crate::model::{Place, Target};
use crate::text;

pub use allowance::Allowance;

/// Where the target is, safe to show: `host:port` or the socket's path.
pub fn place(target: &Target) -> String {
    match &target.place {
        Place::Tcp { host, port } if host.contains(':') => {
            format!("[{}]:{port}", text::escape(host.as_bytes()))
        }
        Place::Tcp { host, port } => format!("{}:{port}", text::escape(host.as_bytes())),
        Place::Unix(path) | Place::File(path) => text::escape(path.as_os_str().as_encoded_bytes()),
    }
}

/// Opens a stream to the target within its limit for connecting.
///
/// # Errors
/// When nothing answers there, TLS cannot be agreed on, or a certificate file is of no use.
pub async fn dial(target: &Target) -> Result<Stream, Fault> {
    let limit = Limit {
        place: place(target),
        ends: Instant::now() + target.limits.connect,
        span: target.limits.connect,
    };
    let transport = match (&target.place, &target.tls) {
        (Place::Tcp { host, port }, None) => Transport::Tcp(tcp(host, *port, &limit).await?),
        (Place::Tcp { host, port }, Some(wanted)) => {
            let name = tls::name(wanted, host)?;
            let connector = tls::connector(wanted).await?;
            let plain = tcp(host, *port, &limit).await?;
            let secured = timeout_at(limit.ends, connector.connect(name, plain))
                .await
                .map_err(|_| tls::unanswered(&limit.place))?
                .map_err(|error| tls::fault(&limit.place, &error))?;
            Transport::Tls(Box::new(secured))
        }
        (Place::Unix(path), None) => Transport::Unix(unix(path, &limit).await?),
        // Files are opened by the engine's file room, which dials nobody.
        (Place::File(path), _) => {
            return Err(Fault::Setup(format!(
                "{} is a file, and no server can be reached there",
                text::escape(path.as_os_str().as_encoded_bytes())
            )));
        }
        (Place::Unix(_), Some(_)) => {
            return Err(Fault::Setup(format!(
                "{}: TLS is not used on unix sockets",
                limit.place
            )));
        }
    };
    Ok(Stream {
        transport,
        allowance: Allowance::new(target.limits.reply_bytes),
    })
}

/// An open stream that reads no more than its allowance.
#[derive(Debug)]
pub struct Stream {
    transport: Transport,
    allowance: Allowance,
}

#[derive(Debug)]
enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl Stream {
    /// The handle that refills what may be read, and knows why reading ended.
    pub fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }
}

/// The time that is left for opening a stream.
struct Limit {
    place: String,
    ends: Instant,
    span: Duration,
}

impl Limit {
    async fn keep<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, Fault> {
        timeout_at(self.ends, work)
            .await
            .map_err(|_| self.passed(doing))
    }

    fn passed(&self, doing: &'static str) -> Fault {
        Fault::Timeout {
            place: self.place.clone(),
            doing,
            after: self.span,
        }
    }

    fn unreachable(&self, why: impl Into<String>) -> Fault {
        Fault::Unreachable {
            place: self.place.clone(),
            why: why.into(),
        }
    }
}

/// Tries every address of the name in turn. Each gets an equal share of the time that is left, so
/// that one address in a black hole does not use up the others' chance.
async fn tcp(host: &str, port: u16, limit: &Limit) -> Result<TcpStream, Fault> {
    let addresses: Vec<SocketAddr> = limit
        .keep("looking up its name", lookup_host((host, port)))
        .await?
        .map_err(|error| {
            let words = words(&error);
            let reason = words.rsplit(": ").next().unwrap_or(&words);
            limit.unreachable(format!("its name cannot be looked up ({reason})"))
        })?
        .collect();
    let mut worst = limit.unreachable("its name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let left = limit.ends.saturating_duration_since(Instant::now());
        let shares = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let attempt = TcpStream::connect(address);
        worst = match timeout_at(Instant::now() + left / shares, attempt).await {
            Ok(Ok(stream)) => {
                settle(&stream);
                return Ok(stream);
            }
            Ok(Err(error)) => limit.unreachable(match error.kind() {
                io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                _ => words(&error),
            }),
            Err(_) => limit.passed("connecting"),
        };
    }
    Err(worst)
}

/// Small questions leave at once, and a peer that vanished is noticed. Neither is worth failing for.
fn settle(stream: &TcpStream) {
    let set = stream.set_nodelay(true).and_then(|()| {
        rustix::net::sockopt::set_socket_keepalive(stream, true)?;
        rustix::net::sockopt::set_tcp_keepidle(stream, Duration::from_secs(30))?;
        Ok(())
    });
    if let Err(error) = set {
        tracing::debug!(error = words(&error), "socket options were refused");
    }
}

async fn unix(path: &Path, limit: &Limit) -> Result<UnixStream, Fault> {
    limit
        .keep("connecting", UnixStream::connect(path))
        .await?
        .map_err(|error| {
            let is_socket = path
                .metadata()
                .map_or(true, |found| found.file_type().is_socket());
            limit.unreachable(match error.kind() {
                _ if !is_socket => "it is not a socket".to_owned(),
                io::ErrorKind::NotFound => "there is no such socket".to_owned(),
                io::ErrorKind::PermissionDenied => "no permission to use the socket".to_owned(),
                io::ErrorKind::ConnectionRefused => "nobody listens on the socket".to_owned(),
                _ => words(&error),
            })
        })
}

/// What the system says, without the number of the error, safe to show.
pub(in crate::engine) fn words(error: &io::Error) -> String {
    let said = error.to_string();
    let plain = said.split(" (os error").next().unwrap_or(&said);
    text::escape(plain.as_bytes())
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Err(spent) = this.allowance.check() {
            return Poll::Ready(Err(spent));
        }
        let before = buf.filled().len();
        let polled = match &mut this.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        match polled {
            Poll::Ready(Ok(())) => {
                let taken = this.allowance.take(&buf.filled()[before..]);
                if taken.is_err() {
                    // A read that fails has read nothing.
                    buf.set_filled(before);
                }
                Poll::Ready(taken)
            }
            Poll::Ready(Err(error)) => {
                this.allowance.note(&error);
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
