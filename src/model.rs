//! What a cache is: plain values without I/O, clock or terminal.

mod account;
mod change;
mod duration;
#[cfg(test)]
mod example;
mod feature;
mod fetch;
mod glob;
mod history;
mod hot;
mod key;
mod rates;
mod replication;
mod restore;
mod sample;
mod snapshot;
mod target;
mod ttl;
pub mod units;
mod value;
mod walk;

pub use account::{Account, CommandTime, OwnBucket, OwnSpread, SpreadUnit};
pub use change::{Change, KeyOutcome, Outcome, Preview};
pub use duration::{DurationError, DurationExpr, ExprError, parse_duration};
pub use feature::{Feature, Features, Missing};
pub use fetch::{FetchAsk, FetchOrigin, FetchPhase, FetchProgress, FetchWay};
pub use glob::Glob;
pub use history::History;
pub use hot::{HotAsk, HotEnd, HotKey, HotReport, HotVia};
pub use key::{ItemFacts, Key, KeyCard, KeyFacts, KeyKind, KeyRow};
pub use rates::{Break, Rates, break_between, ratio};
pub use replication::{Backlog, Link, Replica, Replication, Role};
pub use restore::{
    ChangePhase, ChangeProgress, Conflict, Restore, RestoreReport, Verified, Verify,
};
pub use sample::{Clients, Counters, Database, Engine, Identity, Memory, Sample, SlabClass, Slabs};
pub use snapshot::{
    Aof, Concern, Job, Persistence, Preflight, PreflightNote, RecordEnd, RecordKind, RewriteWatch,
    SaveStatus, SnapshotRecord, SnapshotState, SnapshotWatch, Verdict,
};
pub use target::{Environment, Limits, Place, Protocol, Target, TargetError, Tls};
pub use ttl::{Ttl, TtlError, TtlExpr, TtlWish};
pub use units::{Bytes, SizeError, UnixMs};
pub use value::{Part, StreamEntry, Value, Window};
pub use walk::{
    Coverage, Encoding, Lack, Pace, Share, Told, WalkAsk, WalkCost, WalkKey, WalkMark, WalkPage,
    Wants,
};
