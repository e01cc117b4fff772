//! The dashboard: one loop, one channel, one state machine.
//!
//! ```text
//! keys, mouse, signals, reports ──→ Event ──→ App::update ──→ Effects ──→ the loop does them
//!                                                  └──→ draw(&App), when something changed
//! ```
//!
//! Read `actions` and `panes` first: the two tables. `app` is the state machine, `deck` what is
//! known of one target, `layers` what lies over the panes. The thread of the screen waits on the
//! channel and on nothing else, so a slow or dead server never makes a key wait.

pub mod actions;
pub mod app;
pub mod chrome;
pub mod deck;
pub mod event;
mod keeper;
pub mod keymap;
pub mod layers;
pub mod listen;
pub mod panes;
pub mod shell;
pub mod terminal;
pub mod theme;
pub mod widgets;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;

use crate::config::{self, BookmarkFile, Config, Saves};
use crate::engine::worker::Worker;
use crate::guard::Audit;
use crate::model::{Target, UnixMs};
use crate::tui::app::{App, Setup};
use crate::tui::event::{Effect, Ending, Event, ticket};
use crate::tui::keeper::Keeper;
use crate::tui::keymap::{Keymap, Overrides};
use crate::tui::panes::PaneId;
use crate::tui::terminal::Screen;
use crate::tui::theme::{Theme, ThemeChoice};

/// No screen is worth more than 60 pictures a second.
const FRAME: Duration = Duration::from_millis(16);

/// What the person or the config file chose.
#[derive(Debug)]
pub struct Options {
    pub audit: Audit,
    pub interval: Duration,
    pub theme: ThemeChoice,
    /// No colours, as `NO_COLOR` and `--no-color` ask.
    pub no_color: bool,
    /// ASCII only.
    pub ascii: bool,
    pub mouse: bool,
    pub keys: Overrides,
    pub start_pane: PaneId,
}

impl Options {
    /// The defaults, with changes written down at `audit`.
    pub fn new(audit: Audit) -> Self {
        Self {
            audit,
            interval: Duration::from_secs(1),
            theme: ThemeChoice::default(),
            no_color: false,
            ascii: false,
            mouse: true,
            keys: Overrides::new(),
            start_pane: PaneId::Overview,
        }
    }

    /// The habits of the config file.
    pub fn of(config: Config, audit: Audit) -> Self {
        Self {
            interval: config.interval,
            theme: match config.theme {
                config::Theme::Light => ThemeChoice::Light,
                _ => ThemeChoice::Dark,
            },
            mouse: config.mouse,
            keys: config.keys,
            ..Self::new(audit)
        }
    }
}

/// Opens the dashboard on `targets` and returns how it ended. The exit code is the caller's.
///
/// # Errors
/// When there is no terminal, a key of the config is wrong, or the terminal breaks.
pub fn run(targets: Vec<Target>, options: Options) -> anyhow::Result<Ending> {
    terminal::check()?;
    if targets.is_empty() {
        return Err(anyhow!("there is no target to show"));
    }
    let keymap = Keymap::new(&options.keys)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // One is enough for what waits for servers all the time; two would wake each other.
        .worker_threads(1)
        .enable_all()
        .build()
        .context("no threads for the connections")?;
    let (sender, events) = channel();
    let screen = Screen::enter(options.mouse, sender.clone())?;
    listen::start(&sender).context("no threads for keys and signals")?;
    let workers = start_workers(&runtime, &targets, options.interval, &sender);
    let bookmarks = BookmarkFile::in_directory(options.audit.directory());
    let saves = Saves::in_directory(options.audit.directory());
    let keeper = Keeper::start(bookmarks.clone(), saves.clone(), sender.clone())
        .context("no thread for what is kept")?;
    let mut app = App::new(
        targets,
        Setup {
            theme: Theme {
                choice: options.theme,
                is_colourless: options.no_color,
                is_ascii: options.ascii,
            },
            keymap,
            audit: options.audit,
            who: config::who(),
            zone: TimeZone::system(),
            interval: options.interval,
            pane: options.start_pane,
            now: now(),
            area: screen.area()?,
        },
    );
    for deck in &mut app.decks {
        match bookmarks.load(&deck.target.name) {
            Ok(kept) => deck.bookmarks = kept,
            Err(error) => sender.send(Event::NotKept(error.to_string()))?,
        }
        match saves.load(&deck.target.name) {
            Ok(records) => deck.snapshots.recall(records),
            Err(error) => sender.send(Event::NotKept(error.to_string()))?,
        }
    }
    let ending = Loop {
        app,
        screen,
        workers,
        keeper,
        events,
        sender,
    }
    .run()
    .or_else(|error| {
        // Drawing may notice it before those who listen for it do.
        if terminal::is_gone() {
            Ok(Ending::HungUp)
        } else {
            Err(error)
        }
    });
    // A connection that hangs must not keep the program: what was sent is sent.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ending
}

fn start_workers(
    runtime: &tokio::runtime::Runtime,
    targets: &[Target],
    interval: Duration,
    sender: &Sender<Event>,
) -> Vec<Worker> {
    targets
        .iter()
        .enumerate()
        .map(|(deck, target)| {
            let sender = sender.clone();
            let report = move |report| {
                // A screen that is gone needs no reports.
                drop(sender.send(Event::Report { deck, report }));
            };
            Worker::start(runtime.handle(), target.clone(), interval, report)
        })
        .collect()
}

struct Loop {
    app: App,
    screen: Screen,
    workers: Vec<Worker>,
    keeper: Keeper,
    events: Receiver<Event>,
    sender: Sender<Event>,
}

impl Loop {
    fn run(mut self) -> anyhow::Result<Ending> {
        let ending = self.turn();
        self.keeper.finish();
        ending
    }

    fn turn(&mut self) -> anyhow::Result<Ending> {
        let effects = self.app.begin();
        if let Some(ending) = self.perform(effects)? {
            return Ok(ending);
        }
        loop {
            self.screen.draw(&self.app).context("the terminal broke")?;
            let drawn = Instant::now();
            let first = self.wait()?;
            // What comes within one frame is drawn together; what comes after a rest is drawn at once.
            let frame_end = drawn + FRAME;
            let mut next = Some(first);
            let mut somebody_waits = false;
            while let Some(event) = next {
                somebody_waits |= matches!(event, Event::Key(_));
                let effects = self.app.update(event, now());
                if let Some(ending) = self.perform(effects)? {
                    return Ok(ending);
                }
                let rest = frame_end.checked_duration_since(Instant::now());
                next = rest.and_then(|rest| {
                    // A key is not kept waiting for what may still come, only for what is here.
                    let rest = if somebody_waits { Duration::ZERO } else { rest };
                    self.events.recv_timeout(rest).ok()
                });
            }
        }
    }

    /// The next event, or a tick when something on the screen changes by itself.
    fn wait(&self) -> anyhow::Result<Event> {
        let Some(due) = self.app.next_due() else {
            return self.events.recv().context("every thread is gone");
        };
        let pause = due.since(now()).unwrap_or_default();
        match self.events.recv_timeout(pause) {
            Ok(event) => Ok(event),
            Err(RecvTimeoutError::Timeout) => Ok(Event::Tick),
            Err(RecvTimeoutError::Disconnected) => Err(anyhow!("every thread is gone")),
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) -> anyhow::Result<Option<Ending>> {
        for effect in effects {
            match effect {
                Effect::Ask { deck, query } => self.ask(deck, query)?,
                Effect::Copy(text) => self.screen.copy(&text)?,
                Effect::Keep { profile, bookmarks } => self.keeper.keep(profile, bookmarks),
                Effect::Remember { profile, record } => self.keeper.remember(profile, *record),
                Effect::Redraw => self.screen.redraw(),
                Effect::Resume => self.screen.resume()?,
                Effect::Suspend if terminal::can_suspend() => self.screen.suspend()?,
                Effect::Suspend => {}
                Effect::Quit(ending) => return Ok(Some(ending)),
            }
        }
        Ok(None)
    }

    fn ask(&mut self, deck: usize, query: crate::engine::worker::Query) -> anyhow::Result<()> {
        if let Err(query) = self.workers[deck].ask(query) {
            let ticket = ticket(&query);
            self.sender
                .send(Event::Undelivered { deck, ticket })
                .map_err(|_| anyhow!("every thread is gone"))?;
        }
        Ok(())
    }
}

fn now() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}
