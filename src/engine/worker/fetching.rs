//! A fetch for the screen: how far it is, and at the end what stands in the file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::Server;
use crate::engine::fetching::{FetchedFile, Fetching, FileAsk, Unfetched, copy_file, items_file};
use crate::model::Protocol;

/// Between two words about how far it is.
const PICTURE: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub enum FetchStep {
    Fetching(Fetching),
    Ended(Box<FetchedFile>),
    Failed(Unfetched),
}

/// Fetches to the end.
pub async fn fetch(
    server: Arc<Server>,
    protocol: Protocol,
    ask: FileAsk,
    say: impl Fn(FetchStep) + Send + Sync,
) {
    let mut told: Option<Instant> = None;
    let tell = |fetching| {
        if told.is_none_or(|told| told.elapsed() >= PICTURE) {
            told = Some(Instant::now());
            say(FetchStep::Fetching(fetching));
        }
    };
    let fetched = match protocol {
        Protocol::Redis => copy_file(&server, ask, tell).await,
        Protocol::Memcached => items_file(&server, ask, tell).await,
    };
    say(match fetched {
        Ok(file) => FetchStep::Ended(Box::new(file)),
        Err(why) => FetchStep::Failed(why),
    });
}
