//! Writes bookmarks down, on a thread of its own: a slow disk must not hold up the screen.

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::config::{BookmarkFile, Bookmarks};
use crate::tui::event::Event;

/// What is handed over is written down in its order.
#[derive(Debug)]
pub struct Keeper {
    orders: Sender<(String, Bookmarks)>,
    thread: JoinHandle<()>,
}

/// So long the program waits for a slow disk when it ends.
const PATIENCE: Duration = Duration::from_millis(300);

impl Keeper {
    /// Starts the thread. What cannot be written is told through `events`.
    pub fn start(file: BookmarkFile, events: Sender<Event>) -> std::io::Result<Self> {
        let (orders, inbox) = channel::<(String, Bookmarks)>();
        let thread = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || {
                for (profile, bookmarks) in inbox {
                    if let Err(error) = file.save(&profile, &bookmarks)
                        && events.send(Event::NotKept(error.to_string())).is_err()
                    {
                        return;
                    }
                }
            })?;
        Ok(Self { orders, thread })
    }

    pub fn keep(&self, profile: String, bookmarks: Bookmarks) {
        // The thread ends with the program alone.
        drop(self.orders.send((profile, bookmarks)));
    }

    /// Lets it write what it was given last.
    pub fn finish(self) {
        drop(self.orders);
        let began = Instant::now();
        while !self.thread.is_finished() && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
