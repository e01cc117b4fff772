//! Talks to servers. The only place that knows RESP, the Memcached protocol, sockets and TLS.
//!
//! Read `backend` first: the questions a cache can answer. `worker` is what the screen speaks to;
//! one-shot commands call a backend directly.

pub mod backend;
pub mod comparison;
pub mod conduit;
pub mod dial;
pub mod fault;
pub mod fetching;
mod file;
mod gate;
mod governor;
mod journal;
pub mod memcached;
mod perusal;
mod progress;
pub mod redis;
mod survey;
mod tls;
pub mod worker;

pub use backend::{Backend, Draws, Fetch, Hot, Poured, Server, Walk};
pub use fault::{Fault, Kind};
pub use memcached::{MemcachedTake, TakeAsk, TakeTally};
pub use perusal::{ItemPerusal, Perusal, peruse, peruse_items};
pub use progress::Progress;
pub use redis::{DigestAsk, DigestTally, RedisDigests};
pub use survey::{Kept, Node, Survey, SurveyAsk};
