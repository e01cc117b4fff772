//! Rows: what the list, the tree and the patterns are made of.

use crate::catalog::{Fact, Sums};

/// A row as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Folders that it is in.
    pub depth: usize,
    /// The whole name; of a folder, what its keys begin with.
    pub name: Vec<u8>,
    /// Where in the name begins what the row adds to the folder that it is in.
    pub start: usize,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Key(Option<Fact>),
    Folder {
        sums: Sums,
        is_open: bool,
    },
    /// Keys that are alike but for their ids, counted together.
    Pattern(Sums),
    /// So many more are not listed.
    More(usize),
}

/// Which row it is, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowId {
    Key(Vec<u8>),
    Folder(Vec<u8>),
    Pattern(Vec<u8>),
    More(Vec<u8>),
}

impl Row {
    pub fn segment(&self) -> &[u8] {
        self.name.get(self.start..).unwrap_or_default()
    }

    pub fn id(&self) -> RowId {
        let name = self.name.clone();
        match self.what {
            What::Key(_) => RowId::Key(name),
            What::Folder { .. } => RowId::Folder(name),
            What::Pattern(_) => RowId::Pattern(name),
            What::More(_) => RowId::More(name),
        }
    }
}

/// In which order rows stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorting {
    #[default]
    Name,
    /// Folders with the most keys first.
    Keys,
    /// The largest first.
    Size,
    /// The soonest to expire first.
    Ttl,
    /// Those first that were not used for longest.
    Idle,
}

impl Sorting {
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "by name",
            Self::Keys => "by keys",
            Self::Size => "by size",
            Self::Ttl => "by TTL",
            Self::Idle => "by idle time",
        }
    }
}

/// Keys that must have told for their mean to say something of the others.
const ENOUGH: u64 = 20;

/// Bytes of several keys: as counted when all were told, else what those that were tell of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    pub bytes: u64,
    pub is_exact: bool,
}

/// `None` when too few sizes are known.
pub fn weight(sums: &Sums) -> Option<Weight> {
    if !is_enough(sums.sized, sums.keys) {
        return None;
    }
    let bytes = u128::from(sums.bytes) * u128::from(sums.keys) / u128::from(sums.sized);
    Some(Weight {
        bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        is_exact: sums.sized == sums.keys,
    })
}

/// The share of keys without TTL among those that told, and whether all did.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub fn share_without_ttl(sums: &Sums) -> Option<(f64, bool)> {
    is_enough(sums.timed, sums.keys).then(|| {
        let share = sums.without_ttl as f64 / sums.timed as f64;
        (share, sums.timed == sums.keys)
    })
}

fn is_enough(told: u64, keys: u64) -> bool {
    told > 0 && (told == keys || told >= ENOUGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn few_keys_do_not_speak_for_many() {
        for (keys, sized, bytes, expected) in [
            (6,     6,  600, Some((600, true))),
            (6,     1,  100, None),
            (6,     0,    0, None),
            (1_000, 20, 200, Some((10_000, false))),
            (1_000, 19, 190, None),
        ] {
            let sums = Sums { keys, sized, bytes, ..Sums::default() };
            let found = weight(&sums).map(|weight| (weight.bytes, weight.is_exact));
            assert_eq!(found, expected);
        }
    }
}
