//! The threads that listen to the world: keys, signals, the terminal's end.

use std::io;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event as Terminal};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use crate::tui::event::{Event, Signal};

/// How long the loop may take to end in good order. It can hang in a write to a stopped terminal.
const PATIENCE: Duration = Duration::from_millis(1200);

/// Starts the threads. They end with the process.
///
/// # Errors
/// When a thread or a signal handler cannot be set up.
pub fn start(events: &Sender<Event>) -> io::Result<()> {
    let signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT])?;
    spawn("keys", events, read_keys)?;
    spawn("terminal", events, wait_for_hang_up)?;
    spawn("signals", events, |events| hear_signals(signals, events))
}

fn spawn(
    name: &str,
    events: &Sender<Event>,
    work: impl FnOnce(&Sender<Event>) + Send + 'static,
) -> io::Result<()> {
    let events = events.clone();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || work(&events))
        .map(drop)
}

fn read_keys(events: &Sender<Event>) {
    loop {
        let event = match event::read() {
            Ok(Terminal::Key(key)) => Event::Key(key),
            Ok(Terminal::Paste(text)) => Event::Paste(text),
            Ok(Terminal::Mouse(mouse)) => Event::Mouse(mouse),
            Ok(Terminal::Resize(width, height)) => Event::Resize { width, height },
            Ok(Terminal::FocusGained | Terminal::FocusLost) => continue,
            Err(_) => Event::Signal(Signal::HungUp),
        };
        let is_end = matches!(event, Event::Signal(_));
        if events.send(event).is_err() || is_end {
            return;
        }
    }
}

/// Waits for the terminal to vanish, at no cost: no event is asked for, and a hang-up comes unasked.
/// Reading the terminal would not tell: the reader spins at its end instead of saying so.
fn wait_for_hang_up(events: &Sender<Event>) {
    let stdin = rustix::stdio::stdin();
    loop {
        let mut watched = [PollFd::new(&stdin, PollFlags::empty())];
        match poll(&mut watched, None) {
            Err(rustix::io::Errno::INTR) | Ok(0) => {}
            _ => break,
        }
    }
    end(events, Signal::HungUp, 128 + SIGHUP);
}

fn hear_signals(mut signals: Signals, events: &Sender<Event>) {
    for number in signals.forever() {
        match number {
            SIGTSTP => drop(events.send(Event::Signal(Signal::Stop))),
            SIGCONT => drop(events.send(Event::Signal(Signal::Continue))),
            _ => end(events, Signal::End(number), 128 + number),
        }
    }
}

/// Tells the loop to end, and ends the process when it does not.
fn end(events: &Sender<Event>, signal: Signal, code: i32) {
    // A loop that is gone has ended already.
    drop(events.send(Event::Signal(signal)));
    thread::sleep(PATIENCE);
    super::terminal::give_back();
    std::process::exit(code);
}
