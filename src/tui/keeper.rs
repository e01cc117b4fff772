//! Writes bookmarks and histories down, on a thread of its own: a slow disk must not hold up the
//! screen.

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::config::{BookmarkFile, Bookmarks, Saves};
use crate::model::SnapshotRecord;
use crate::tui::event::Event;

/// What is handed over is written down in its order.
#[derive(Debug)]
pub struct Keeper {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

/// Something to write down of a profile.
#[derive(Debug)]
enum Order {
    Bookmarks(String, Bookmarks),
    Snapshot(String, SnapshotRecord),
}

/// So long the program waits for a slow disk when it ends.
const PATIENCE: Duration = Duration::from_millis(300);

impl Keeper {
    /// Starts the thread. What cannot be written is told through `events`.
    pub fn start(file: BookmarkFile, saves: Saves, events: Sender<Event>) -> std::io::Result<Self> {
        let (orders, inbox) = channel::<Order>();
        let thread = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || {
                for order in inbox {
                    let kept = match order {
                        Order::Bookmarks(profile, bookmarks) => file.save(&profile, &bookmarks),
                        Order::Snapshot(profile, record) => saves.keep(&profile, &record).map(drop),
                    };
                    if let Err(error) = kept
                        && events.send(Event::NotKept(error.to_string())).is_err()
                    {
                        return;
                    }
                }
            })?;
        Ok(Self { orders, thread })
    }

    pub fn keep(&self, profile: String, bookmarks: Bookmarks) {
        self.order(Order::Bookmarks(profile, bookmarks));
    }

    pub fn remember(&self, profile: String, record: SnapshotRecord) {
        self.order(Order::Snapshot(profile, record));
    }

    fn order(&self, order: Order) {
        // The thread ends with the program alone.
        drop(self.orders.send(order));
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
