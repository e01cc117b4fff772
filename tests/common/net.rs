//! Sockets that a thread can be called away from.
//!
//! Our fake servers block in short steps and look up in between, so that dropping them ends their
//! threads and a reset closes the socket at once.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_linger;

/// How long a thread blocks before it looks up.
pub const LOOK_UP: Duration = Duration::from_millis(10);

/// A listener on a free loopback port, for `accept`.
pub fn listen() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener
        .set_nonblocking(true)
        .expect("a listener of our own");
    listener
}

/// The next client, ready for `LOOK_UP` steps, or `None` when it is time to look up.
pub fn accept(listener: &TcpListener) -> Option<TcpStream> {
    let timeout = Timespec::try_from(LOOK_UP).expect("a short time");
    let mut ears = [PollFd::new(listener, PollFlags::IN)];
    poll(&mut ears, Some(&timeout)).ok()?;
    let (client, _) = listener.accept().ok()?;
    client.set_nonblocking(false).ok()?;
    step_by_step(&client).ok()?;
    Some(client)
}

/// Makes reading and writing return every `LOOK_UP`.
pub fn step_by_step(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(LOOK_UP))?;
    socket.set_write_timeout(Some(LOOK_UP))
}

/// Makes closing the socket a reset.
pub fn reset_on_close(socket: &TcpStream) {
    // Fails only on a socket that the other side has already reset.
    let _ = set_socket_linger(socket, Some(Duration::ZERO));
}

/// Whether an error only means that it is time to look up.
pub fn is_pause(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
