//! The network between a client and a server, as bad as a test wants it.
//!
//! Faults can be changed while connections run. Every byte the client sends is kept: that is how
//! a test proves that a write never left.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::net::{self, LOOK_UP, is_pause};
use super::wait::{self, PATIENCE};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// In order, as when a server leaves: the client reads an end.
    Fin = 1,
    /// At once, as when a firewall forgets it: the client reads "connection reset".
    Rst = 2,
}

/// What the network does now. The default is nothing bad. "Up" is from client to server.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// How much later every byte arrives. Order and throughput stay as they are.
    pub delay_up: Duration,
    pub delay_down: Duration,
    /// Ends every connection after exactly this many bytes in that direction.
    pub cut_up: Option<(u64, Cut)>,
    pub cut_down: Option<(u64, Cut)>,
    /// Connections are accepted and stay open, but nothing passes in either direction.
    pub stall: bool,
    /// Every byte travels in a packet of its own.
    pub slice: bool,
    /// Flips the bits of the byte at this offset of each connection's replies.
    pub corrupt_down: Option<u64>,
    /// Nobody listens: connecting is refused. Open connections stay.
    pub refuse: bool,
}

/// A proxy on a loopback port of its own. It ends when dropped, with all its connections.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl FaultProxy {
    pub fn to(upstream: SocketAddr) -> FaultProxy {
        let listener = net::listen();
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        FaultProxy {
            address,
            shared,
            listening: Some(thread::spawn(move || listen(listener, upstream, &theirs))),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes the faults; when it returns, they are in force for new bytes and connections.
    pub fn set(&self, change: impl FnOnce(&mut Faults)) {
        let refuses = {
            let mut state = self.shared.lock();
            change(&mut state.faults);
            state.faults.refuse
        };
        self.shared.changed.notify_all();
        wait::until("the listener to follow", PATIENCE, || {
            (self.shared.lock().deaf == refuses).then_some(())
        });
    }

    /// A good network again. Connections that were cut stay cut.
    pub fn heal(&self) {
        self.set(|faults| *faults = Faults::default());
    }

    /// Ends all open connections now.
    pub fn cut(&self, how: Cut) {
        self.shared.lock().cut(how);
    }

    /// How many connections were made through it.
    pub fn connections(&self) -> usize {
        self.shared.lock().sent.len()
    }

    /// What the clients sent, connection after connection, whether it arrived or not.
    pub fn sent(&self) -> Vec<u8> {
        self.shared.lock().sent.concat()
    }

    /// Whether a client sent these bytes on any connection, in upper or lower case.
    pub fn saw(&self, needle: &[u8]) -> bool {
        let state = self.shared.lock();
        state.sent.iter().any(|sent| {
            sent.windows(needle.len())
                .any(|part| part.eq_ignore_ascii_case(needle))
        })
    }

    /// How many bytes of replies were handed to the clients.
    pub fn delivered(&self) -> u64 {
        self.shared.lock().delivered
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.closing = true;
            state.cut(Cut::Rst);
        }
        self.shared.changed.notify_all();
        if let Some(listening) = self.listening.take() {
            // A panic there has already been printed, and a drop must not panic.
            drop(listening.join());
        }
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    faults: Faults,
    closing: bool,
    deaf: bool,
    /// Weak: a link's sockets close when its threads have left it.
    links: Vec<Weak<Link>>,
    sent: Vec<Vec<u8>>,
    delivered: u64,
}

impl State {
    fn cut(&mut self, how: Cut) {
        for link in self.links.drain(..).filter_map(|link| link.upgrade()) {
            link.cut(how);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the state")
    }
}

/// One connection: both sockets and whether it is over.
struct Link {
    number: usize,
    client: TcpStream,
    server: TcpStream,
    over: AtomicU8,
}

impl Link {
    fn cut(&self, how: Cut) {
        self.over.store(how as u8, Ordering::SeqCst);
        for socket in [&self.client, &self.server] {
            // The other side may have left first; then there is nothing to cut.
            match how {
                Cut::Fin => drop(socket.shutdown(Shutdown::Write)),
                Cut::Rst => net::reset_on_close(socket),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst) != 0
    }

    fn is_reset(&self) -> bool {
        self.over.load(Ordering::SeqCst) == Cut::Rst as u8
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Bytes and when they are due.
struct Parcel {
    due: Instant,
    bytes: Vec<u8>,
}

fn listen(listener: TcpListener, upstream: SocketAddr, shared: &Arc<Shared>) {
    let address = listener.local_addr().expect("a bound socket");
    let mut listener = Some(listener);
    loop {
        {
            let mut state = shared.lock();
            while state.faults.refuse && !state.closing {
                listener = None;
                state.deaf = true;
                state = shared.changed.wait(state).expect("no thread panics");
            }
            if state.closing {
                return;
            }
        }
        let ears = listener.get_or_insert_with(|| bind_again(address));
        shared.lock().deaf = false;
        if let Some(client) = net::accept(ears) {
            connect(client, upstream, shared);
        }
    }
}

fn bind_again(address: SocketAddr) -> TcpListener {
    let listener = wait::until("our port back", PATIENCE, || {
        TcpListener::bind(address).ok()
    });
    listener
        .set_nonblocking(true)
        .expect("a listener of our own");
    listener
}

fn connect(client: TcpStream, upstream: SocketAddr, shared: &Arc<Shared>) {
    let Ok(server) = TcpStream::connect(upstream) else {
        // As a load balancer without a backend: accepted, then reset.
        net::reset_on_close(&client);
        return;
    };
    if net::step_by_step(&server).is_err() {
        return;
    }
    let link = {
        let mut state = shared.lock();
        state.sent.push(Vec::new());
        let link = Arc::new(Link {
            number: state.sent.len() - 1,
            client,
            server,
            over: AtomicU8::new(0),
        });
        state.links.push(Arc::downgrade(&link));
        link
    };
    for way in [Way::Up, Way::Down] {
        let (sender, receiver) = channel();
        let (ours, theirs) = (Arc::clone(shared), Arc::clone(shared));
        let (from, to) = (Arc::clone(&link), Arc::clone(&link));
        thread::spawn(move || take_in(way, &from, &ours, &sender));
        thread::spawn(move || hand_on(way, &to, &theirs, &receiver));
    }
}

/// Reads everything that comes from one side and stamps it with the time it is due.
fn take_in(way: Way, link: &Link, shared: &Shared, parcels: &Sender<Parcel>) {
    let mut source = match way {
        Way::Up => &link.client,
        Way::Down => &link.server,
    };
    let mut buffer = vec![0; 64 * 1024];
    while !link.is_reset() {
        match source.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                let bytes = buffer[..length].to_vec();
                let mut state = shared.lock();
                let delay = if way == Way::Up {
                    state.sent[link.number].extend_from_slice(&bytes);
                    state.faults.delay_up
                } else {
                    state.faults.delay_down
                };
                let due = Instant::now() + delay;
                // After a cut in order nobody takes parcels any more; we read on so that the
                // client is not reset.
                drop(parcels.send(Parcel { due, bytes }));
            }
            Err(why) if is_pause(why.kind()) => {}
            Err(_) => return,
        }
    }
}

/// Hands the parcels to the other side when they are due, as the faults allow.
fn hand_on(way: Way, link: &Link, shared: &Shared, parcels: &Receiver<Parcel>) {
    let mut passed = 0;
    while !link.is_over() {
        match parcels.recv_timeout(LOOK_UP) {
            Ok(parcel) => deliver(way, link, shared, parcel, &mut passed),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let target = match way {
                    Way::Up => &link.server,
                    Way::Down => &link.client,
                };
                // The other side may have left before us.
                drop(target.shutdown(Shutdown::Write));
                return;
            }
        }
    }
}

fn deliver(way: Way, link: &Link, shared: &Shared, parcel: Parcel, passed: &mut u64) {
    let Some(faults) = wait_until_due(link, shared, parcel.due) else {
        return;
    };
    let mut bytes = parcel.bytes;
    let cut = match way {
        Way::Up => faults.cut_up,
        Way::Down => faults.cut_down,
    };
    if let (Way::Down, Some(at)) = (way, faults.corrupt_down)
        && let Some(at) = at.checked_sub(*passed)
        && let Some(byte) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at))
    {
        *byte = !*byte;
    }
    let mut ends = None;
    if let Some((after, how)) = cut
        && *passed + bytes.len() as u64 >= after
    {
        let left = after.saturating_sub(*passed);
        bytes.truncate(usize::try_from(left).expect("fewer than came"));
        ends = Some(how);
    }
    let step = if faults.slice { 1 } else { bytes.len().max(1) };
    for piece in bytes.chunks(step) {
        *passed += piece.len() as u64;
        if way == Way::Down {
            // Counted first: a client that has read them must find them counted.
            shared.lock().delivered += piece.len() as u64;
        }
        if !write(way, link, piece) {
            return;
        }
    }
    if let Some(how) = ends {
        link.cut(how);
    }
}

/// The faults in force when the parcel may go on, or `None` when the connection is over.
fn wait_until_due(link: &Link, shared: &Shared, due: Instant) -> Option<Faults> {
    let mut state = shared.lock();
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if state.closing || link.is_over() {
            return None;
        }
        if left.is_zero() && !state.faults.stall {
            return Some(state.faults.clone());
        }
        let nap = if left.is_zero() {
            LOOK_UP
        } else {
            left.min(LOOK_UP)
        };
        let woken = shared.changed.wait_timeout(state, nap);
        state = woken.expect("no thread panics with the state").0;
    }
}

/// Writes all of it, giving up when the connection is over.
fn write(way: Way, link: &Link, mut bytes: &[u8]) -> bool {
    let mut target = match way {
        Way::Up => &link.server,
        Way::Down => &link.client,
    };
    while !bytes.is_empty() && !link.is_over() {
        match target.write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(why) if is_pause(why.kind()) => {}
            Err(_) => return false,
        }
    }
    bytes.is_empty()
}
