//! What a server can do, and why not.
//!
//! A pane never asks which engine it shows. It asks for a feature and gets a yes or a sentence.

use std::collections::BTreeMap;

/// Something that not every server offers or permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Listing keys.
    Walk,
    /// Sizes of single keys.
    KeySize,
    /// Changing TTLs.
    Ttl,
    Delete,
    /// Triggering a snapshot.
    Snapshot,
    Replication,
    /// Several numbered databases.
    Databases,
    Slabs,
    /// Hits, rates and whatever else only a running server counts.
    Counters,
}

/// Why a feature is missing, in words that both faces show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

/// The features that are missing. What is not listed is there, as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    missing: BTreeMap<Feature, Missing>,
}

impl Features {
    #[must_use]
    pub fn without(mut self, feature: Feature, why: impl Into<String>) -> Self {
        self.missing.insert(feature, Missing(why.into()));
        self
    }

    /// # Errors
    /// The reason in words, when the server lacks or refuses the feature.
    pub fn need(&self, feature: Feature) -> Result<(), &Missing> {
        self.missing.get(&feature).map_or(Ok(()), Err)
    }
}
