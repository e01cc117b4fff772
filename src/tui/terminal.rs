//! Borrowing the terminal, and giving it back whatever happens.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{execute, queue, terminal};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use thiserror::Error;

use crate::tui::app::App;
use crate::tui::chrome;
use crate::tui::event::{Event, Signal};

/// Whether the terminal is ours now. The panic hook has to know, and it can be told no other way.
static IS_OURS: AtomicBool = AtomicBool::new(false);

#[derive(Debug, Error)]
pub enum TerminalError {
    #[error(
        "the dashboard needs a terminal, and {0}; try `cachedeck info`, `watch`, `keys` or `show`"
    )]
    None(&'static str),
    #[error("the terminal does not work: {0}")]
    Broken(#[from] io::Error),
}

/// The screen while it is ours. Dropping it gives it back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    /// What the terminal shows now, so that an unchanged screen is not written at all.
    shown: Buffer,
    /// What the terminal shows may not be ours.
    is_foreign: bool,
    has_mouse: bool,
}

/// Says why no screen can be drawn here, if so.
///
/// # Errors
/// When input or output is no terminal, or one that cannot place its cursor.
pub fn check() -> Result<(), TerminalError> {
    if !io::stdout().is_terminal() {
        return Err(TerminalError::None("the output is not one"));
    }
    if !io::stdin().is_terminal() {
        return Err(TerminalError::None("the input is not one"));
    }
    match std::env::var("TERM").as_deref() {
        Ok("dumb") => Err(TerminalError::None("TERM=dumb cannot place its cursor")),
        _ => Ok(()),
    }
}

impl Screen {
    /// Takes the terminal over. From here on a panic in any thread gives it back before it is
    /// printed, and tells the loop through `events`.
    ///
    /// # Errors
    /// When the terminal cannot be switched.
    pub fn enter(has_mouse: bool, events: Sender<Event>) -> Result<Self, TerminalError> {
        give_back_on_panic(events);
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(
            64 << 10,
            io::stdout(),
        )))?;
        let mut screen = Self {
            terminal,
            shown: Buffer::default(),
            is_foreign: true,
            has_mouse,
        };
        screen.take()?;
        Ok(screen)
    }

    pub fn area(&self) -> io::Result<Rect> {
        let size = self.terminal.size()?;
        Ok(Rect::new(0, 0, size.width, size.height))
    }

    /// Draws what changed since the last time; nothing changed, nothing is written.
    pub fn draw(&mut self, app: &App) -> io::Result<()> {
        if !IS_OURS.load(Ordering::SeqCst) {
            return Ok(());
        }
        if std::mem::take(&mut self.is_foreign) {
            // `Terminal::clear` would ask the terminal for its cursor, and the thread that reads
            // keys would swallow the answer. This clears as well and asks nothing.
            let area = self.area()?;
            self.terminal.resize(area)?;
            self.shown = Buffer::default();
        }
        self.terminal.autoresize()?;
        chrome::draw(app, &mut self.terminal.get_frame());
        let drawn = self.terminal.current_buffer_mut();
        if *drawn == self.shown {
            drawn.reset();
            return Ok(());
        }
        self.shown.clone_from(drawn);
        self.terminal.flush()?;
        self.terminal.swap_buffers();
        self.terminal.backend_mut().flush()
    }

    /// Forgets what the terminal shows: the next `draw` writes everything.
    pub fn redraw(&mut self) {
        self.is_foreign = true;
    }

    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(
            self.terminal.backend_mut(),
            CopyToClipboard::to_clipboard_from(text)
        )
    }

    /// Gives the terminal to the shell, stops, and takes it back when continued.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        // The whole job stops, as the terminal itself does it for Ctrl-Z: whoever started us in a
        // pipeline or a script must stop too, or the shell does not come back.
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        self.resume()
    }

    /// Takes the terminal again after a stop, whatever mode the shell left it in.
    pub fn resume(&mut self) -> io::Result<()> {
        if IS_OURS.swap(false, Ordering::SeqCst) {
            terminal::disable_raw_mode()?;
        }
        self.redraw();
        self.take()
    }

    fn take(&mut self) -> io::Result<()> {
        IS_OURS.store(true, Ordering::SeqCst);
        terminal::enable_raw_mode()?;
        let out = self.terminal.backend_mut();
        queue!(out, EnterAlternateScreen, Hide, EnableBracketedPaste)?;
        if self.has_mouse {
            queue!(out, EnableMouseCapture)?;
        }
        io::Write::flush(out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether somebody could bring us back after a stop: a session's leader has no shell above it.
pub fn can_suspend() -> bool {
    rustix::process::getsid(None).is_ok_and(|leader| leader != rustix::process::getpid())
}

/// Whether the terminal has vanished under us.
pub fn is_gone() -> bool {
    let stdin = rustix::stdio::stdin();
    let mut watched = [PollFd::new(&stdin, PollFlags::empty())];
    poll(&mut watched, Some(&Timespec::default())).is_ok_and(|found| found > 0)
}

/// Puts the terminal back as it was, once. Errors are of no use here: it may be gone.
pub fn give_back() {
    if !IS_OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    drop(execute!(
        out,
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    ));
    drop(terminal::disable_raw_mode());
    drop(out.flush());
}

fn give_back_on_panic(events: Sender<Event>) {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        give_back();
        previous(panic);
        // The loop may be gone already, or be what panicked.
        drop(events.send(Event::Signal(Signal::Panicked)));
    }));
}
