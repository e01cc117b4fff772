//! The program in a real terminal.
//!
//! A pseudo-terminal of a chosen size, a parser that keeps the screen as a person would see it,
//! and every raw byte for the grammar. Waiting means reading: it blocks on the terminal, not on a
//! clock.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

use super::grammar;
use super::program::{BINARY, Home};
use super::wait::{self, PATIENCE};

/// How to start a program in a terminal.
pub struct Start<'a> {
    pub home: &'a Home,
    pub columns: u16,
    pub rows: u16,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub variables: Vec<(OsString, OsString)>,
}

impl<'a> Start<'a> {
    /// The program under test at 80×24.
    pub fn cachedeck<A: Into<OsString>>(home: &'a Home, args: impl IntoIterator<Item = A>) -> Self {
        Start {
            home,
            columns: 80,
            rows: 24,
            program: BINARY.into(),
            args: args.into_iter().map(Into::into).collect(),
            variables: Vec::new(),
        }
    }

    #[must_use]
    pub fn size(mut self, columns: u16, rows: u16) -> Self {
        (self.columns, self.rows) = (columns, rows);
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    pub fn start(self) -> Pty {
        Pty::start(self)
    }
}

/// A terminal with a program in it. The program ends when dropped.
pub struct Pty {
    master: Option<Box<dyn MasterPty + Send>>,
    /// Held so that the terminal's settings outlive the program and can be looked at.
    slave: Option<Box<dyn SlavePty + Send>>,
    name: PathBuf,
    keyboard: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    raw: Vec<u8>,
    screen: vt100::Parser,
    ended: Option<Ended>,
    hung_up: Arc<AtomicBool>,
}

/// How the program left its terminal.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the terminal of its own"
)]
pub struct Ended {
    pub status: ExitStatus,
    /// Lines are edited and echoed again, and Ctrl-C interrupts.
    pub cooked: bool,
    pub alternate_screen: bool,
    pub cursor_hidden: bool,
    pub mouse_on: bool,
    pub paste_bracketed: bool,
}

impl Ended {
    /// Fails the test unless the terminal is as it was before the program came.
    pub fn gave_the_terminal_back(&self) -> &Ended {
        assert!(self.cooked, "the terminal is still raw");
        assert!(!self.alternate_screen, "the alternate screen is still on");
        assert!(!self.cursor_hidden, "the cursor is still hidden");
        assert!(!self.mouse_on, "the mouse is still captured");
        assert!(!self.paste_bracketed, "paste is still bracketed");
        self
    }
}

impl Pty {
    fn start(start: Start<'_>) -> Pty {
        let pair = portable_pty::native_pty_system()
            .openpty(size(start.columns, start.rows))
            .expect("the system has pseudo-terminals");
        let mut command = CommandBuilder::new(&start.program);
        command.args(&start.args);
        command.env_clear();
        for (name, value) in start.home.environment().into_iter().chain(start.variables) {
            command.env(name, value);
        }
        command.cwd(start.home.path());
        let child = pair
            .slave
            .spawn_command(command)
            .expect("the program under test was built");
        let hung_up = Arc::new(AtomicBool::new(false));
        let reader = pair.master.try_clone_reader().expect("a fresh terminal");
        Pty {
            name: pair.master.tty_name().expect("a terminal has a name"),
            keyboard: Some(pair.master.take_writer().expect("taken only here")),
            master: Some(pair.master),
            slave: Some(pair.slave),
            child,
            output: read_in_background(reader, Arc::clone(&hung_up)),
            raw: Vec::new(),
            screen: vt100::Parser::new(at_least_one(start.rows), at_least_one(start.columns), 0),
            ended: None,
            hung_up,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it was started")
    }

    /// Waits until the screen shows this text, and returns the screen.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_until(&format!("{text:?} on the screen"), |screen| {
            screen.contains(text)
        })
    }

    /// Waits until the screen no longer shows this text.
    pub fn wait_until_gone(&mut self, text: &str) -> String {
        self.wait_until(&format!("{text:?} to leave the screen"), |screen| {
            !screen.contains(text)
        })
    }

    /// Waits until the screen is as `holds` says.
    ///
    /// # Panics
    ///
    /// When that never comes, or the program ends first; the message shows the screen.
    pub fn wait_until(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return screen;
            }
            let more = self.read(give_up.saturating_duration_since(Instant::now()));
            let over = Instant::now() >= give_up;
            assert!(
                more && !over,
                "waited in vain for {what}; the screen:\n{screen}"
            );
        }
    }

    /// Reads for this long and returns how many bytes came: 0 from a program that idles.
    pub fn listen(&mut self, time: Duration) -> usize {
        let (before, end) = (self.raw.len(), Instant::now() + time);
        while Instant::now() < end && self.read(end.saturating_duration_since(Instant::now())) {}
        self.raw.len() - before
    }

    /// Types: plain text, `"\r"` for Enter, `"\x1b"` for Escape, `"\x1b[A"` for the up arrow.
    pub fn send(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("the terminal is there");
        keyboard.write_all(keys.as_bytes()).expect("a terminal");
        keyboard.flush().expect("a terminal");
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.screen
            .set_size(at_least_one(rows), at_least_one(columns));
        let master = self.master.as_ref().expect("the terminal is there");
        master.resize(size(columns, rows)).expect("a terminal");
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a pid fits");
        let pid = Pid::from_raw(pid).expect("a child's pid is not zero");
        kill_process(pid, signal).expect("our own child can be signalled");
    }

    /// Takes the terminal away, as closing its window does.
    pub fn hang_up(&mut self) {
        self.hung_up.store(true, Ordering::SeqCst);
        // The reader holds the terminal too, and only output wakes it.
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&self.name, flags, Mode::empty()).expect("our terminal");
        rustix::io::write(&terminal, b" ").expect("our terminal");
        // A dropped keyboard types an end of file where the terminal knows one. Here nobody types.
        let mut settings = tcgetattr(&terminal).expect("our terminal");
        settings.special_codes[SpecialCodeIndex::VEOF] = 0;
        tcsetattr(&terminal, OptionalActions::Now, &settings).expect("our terminal");
        drop(terminal);
        while self.read(PATIENCE) {}
        self.keyboard = None;
        self.slave = None;
        self.master = None;
    }

    /// The screen as text, one line a row, without the spaces at the ends of rows.
    pub fn screen(&self) -> String {
        self.screen.screen().contents()
    }

    /// Colours, cursor and modes, for tests that look closer.
    pub fn terminal(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Every byte the program wrote so far.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Whether the terminal edits and echoes lines, as a shell leaves it.
    pub fn is_cooked(&self) -> bool {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&self.name, flags, Mode::empty()).expect("our terminal");
        let modes = tcgetattr(&terminal).expect("our terminal").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// Waits for the program's end and checks every byte it wrote.
    pub fn wait_for_end(&mut self) -> Ended {
        let ended = self.wait_for_end_unchecked();
        grammar::assert_clean(&grammar::of_a_screen(&self.raw));
        ended
    }

    /// As `wait_for_end`, for programs that may write anything.
    pub fn wait_for_end_unchecked(&mut self) -> Ended {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let give_up = Instant::now() + PATIENCE;
        let status = loop {
            // Reading on: a program that cannot write does not end.
            self.read(Duration::from_millis(10));
            if let Some(status) = self.child.try_wait().expect("our own child") {
                break status;
            }
            let screen = self.screen();
            assert!(
                Instant::now() < give_up,
                "it does not end; the screen:\n{screen}"
            );
        };
        // A terminal that was taken away needs nothing back.
        let cooked = self.master.is_none() || self.is_cooked();
        // With the last holder of the terminal gone, reading comes to its end.
        self.slave = None;
        while self.read(PATIENCE) {}
        let screen = self.screen.screen();
        let ended = Ended {
            status,
            cooked,
            alternate_screen: screen.alternate_screen(),
            cursor_hidden: screen.hide_cursor(),
            mouse_on: screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None,
            paste_bracketed: screen.bracketed_paste(),
        };
        self.ended = Some(ended.clone());
        ended
    }

    /// Takes in what came, waiting at most `limit` for something; `false` at the end of all output.
    fn read(&mut self, limit: Duration) -> bool {
        match self.output.recv_timeout(limit) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                self.raw.extend_from_slice(&bytes);
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let pid = self
            .child
            .process_id()
            .and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw)
            && matches!(self.child.try_wait(), Ok(None))
        {
            // It may end by itself in between, which is what we want.
            let _ = kill_process(pid, Signal::KILL);
            drop(wait::at_most(PATIENCE, || {
                self.child.try_wait().ok().flatten()
            }));
        }
    }
}

fn read_in_background(
    mut reader: Box<dyn Read + Send>,
    hung_up: Arc<AtomicBool>,
) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        // The end of a terminal is an error on Linux and an empty read elsewhere.
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            let nobody_listens = sender.send(buffer[..length].to_vec()).is_err();
            if nobody_listens || hung_up.load(Ordering::SeqCst) {
                return;
            }
        }
    });
    receiver
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn at_least_one(length: u16) -> NonZeroU16 {
    NonZeroU16::new(length).unwrap_or(NonZeroU16::MIN)
}
