//! cachedeck: a terminal dashboard and a scriptable command for Redis, Valkey and Memcached.
//!
//! This page is the map of the house. Read it, then `engine::backend` (the questions a cache can
//! answer), then `tui::app` or `cli::commands`, whichever face you came for.
//!
//! # Floors
//!
//! ```text
//! 5  main
//! 4  cli      tui      demo             never name each other; no server logic
//! 3  engine   config
//! 2  guard    analysis  catalog  snapshot
//! 1  model    text                      name nothing above
//! ```
//!
//! A floor names only lower floors; `tests/house.rs` reads the `use` lines and fails with the file
//! that breaks it.
//!
//! - [`model`]: what a cache is. Plain values: samples, rates, history, keys, TTLs, changes.
//! - [`text`]: showing bytes safely, the one door through which foreign bytes reach a person.
//! - [`guard`]: the only door to a write. Change → plan → permit, and the audit file.
//! - [`analysis`]: what a keyspace consists of, in bounded memory: prefixes, types, sizes, TTLs.
//! - [`catalog`]: millions of key names, sorted, in little memory.
//! - [`snapshot`]: snapshots as files: their forms, read in constant memory; how they are kept whole and compared.
//! - [`engine`]: talks to servers, and to snapshot files as if they were some. Dialling, TLS, RESP, the
//!   Memcached protocol, the worker.
//! - [`config`]: files, variables and flags → targets; where secrets come from; the log.
//! - [`cli`]: one-shot commands, table `COMMANDS`.
//! - [`tui`]: the dashboard, tables `ACTIONS` and `PANES`.
//! - [`demo`]: private servers with sample data.
//!
//! # Invariants
//!
//! 1. `model` and `text` are pure: no I/O, no async, no clock. Time is an argument.
//! 2. `engine` is the only module that knows protocols, sockets and TLS. It knows no terminal and
//!    prints nothing. (`demo` fills the servers that it started itself, over sockets in its own
//!    private directory, with a writer that cannot be pointed anywhere else.)
//! 3. `tui` alone knows ratatui and crossterm; `cli` and `main` alone know clap.
//! 4. A server is changed only by `Backend::apply(Permit)`, and only `guard` makes a `Permit`. The
//!    engine's send path knows the reading commands by name and refuses every other one that comes
//!    without a permit. (A copy of all data changes none, but costs a fork: only `Server::fetch` can
//!    say its few words.)
//! 5. Drawing is a pure function of `&App`: no lock, no channel, no state change.
//! 6. The thread of the screen never awaits and never locks; it waits on one channel.
//! 7. Unknown is shown as unknown, with the reason where there is one; never as 0.
//! 8. Bytes from a server reach a person only through `text`. Words become text where the engine
//!    reads them, so every `String` of a sample, a fault or a reason is safe to show as it is and
//!    is not escaped again; keys and values stay bytes until a face shows them.
//! 9. Looking does not change the cache: connections ask not to touch, our own lookups are taken
//!    out of the hit ratio, and what a server makes unavoidable stands in the README.
//! 10. Everything estimated, cut, sampled or stale says so, on the screen and in JSON.
//!
//! # One direction
//!
//! ```text
//! keys, mouse, resize ─┐            ┌─ key    → keymap → Action → top layer or pane ─┐
//! worker reports ──────┼─→ Event ─→ ┤                                                ├─→ Effects: Ask a worker,
//! signals, due ticks ──┘            └─ report → deck (tickets drop what is too late) ┘   copy, quit, suspend
//! draw(&App, frame)   only when something changed; an idle screen writes nothing
//! ```
//!
//! A [`engine::worker::Worker`] has three tasks per target: the heartbeat samples on a connection of
//! its own, the desk answers one question after the other, the walk goes over the keys.
//!
//! # What one more costs
//!
//! | One more | Costs |
//! |---|---|
//! | action with a key | a row in `tui::actions::ACTIONS` and the arm where it acts |
//! | pane | a file and a row in `tui::panes::PANES` |
//! | command | a file and a row in `cli::COMMANDS` |
//! | reading command | a row in the engine's table of its protocol |

pub mod analysis;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod guard;
pub mod model;
pub mod snapshot;
pub mod text;
pub mod tui;
