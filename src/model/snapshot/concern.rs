//! Whether something is wrong with what a server keeps on its disk.

use std::time::Duration;

use crate::model::{Persistence, SaveStatus, UnixMs};

/// Without a newer snapshot for so long, a day's changes are at stake.
const STALE: Duration = Duration::from_secs(86_400);

/// What must not be overlooked, the most serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// The last snapshot failed.
    SaveFailed,
    /// Writing or rewriting the append-only file failed.
    AofFailed,
    /// The last snapshot is so old, and there were changes since.
    Stale(Duration),
}

impl Persistence {
    /// Who has never saved, or writes an append-only file, does not rely on snapshots: those are not
    /// called stale then.
    pub fn concern(&self, now: UnixMs) -> Option<Concern> {
        let aof = self.aof.as_ref().filter(|aof| aof.is_enabled);
        if self.last_status == Some(SaveStatus::Failed) {
            return Some(Concern::SaveFailed);
        }
        let failed = Some(SaveStatus::Failed);
        if aof.is_some_and(|aof| aof.last_write == failed || aof.last_rewrite == failed) {
            return Some(Concern::AofFailed);
        }
        let old = now.since(self.last_save?)?;
        let has_changed = self.changes_since_save.is_some_and(|changes| changes > 0);
        (old > STALE && has_changed && aof.is_none()).then_some(Concern::Stale(old))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Aof;

    const NOW: UnixMs = UnixMs(1_000_000_000);

    fn saved(hours: i64, changes: u64) -> Persistence {
        Persistence {
            last_status: Some(SaveStatus::Ok),
            last_save: Some(UnixMs(NOW.0 - hours * 3_600_000)),
            changes_since_save: Some(changes),
            ..Persistence::default()
        }
    }

    #[test]
    fn a_day_without_snapshot_is_stale_when_there_were_changes() {
        assert_eq!(saved(23, 5).concern(NOW), None);
        assert_eq!(saved(48, 0).concern(NOW), None);
        let old = Duration::from_secs(172_800);
        assert_eq!(saved(48, 5).concern(NOW), Some(Concern::Stale(old)));
    }

    #[test]
    fn who_writes_an_append_only_file_has_no_stale_snapshots_but_failures() {
        let aof = Aof {
            is_enabled: true,
            ..Aof::default()
        };
        let with = |aof| Persistence {
            aof: Some(aof),
            ..saved(48, 5)
        };
        assert_eq!(with(aof.clone()).concern(NOW), None);
        let failed = Aof {
            last_write: Some(SaveStatus::Failed),
            ..aof
        };
        assert_eq!(with(failed).concern(NOW), Some(Concern::AofFailed));
    }

    #[test]
    fn a_failed_save_comes_first() {
        let failed = Persistence {
            last_status: Some(SaveStatus::Failed),
            ..saved(48, 5)
        };
        assert_eq!(failed.concern(NOW), Some(Concern::SaveFailed));
        assert_eq!(Persistence::default().concern(NOW), None);
    }
}
