//! What was learnt about a server so far, so that it is not asked twice.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::redis::reply::Refusal;
use crate::model::{Engine, Feature, Features, Sample};

#[derive(Debug)]
pub struct Known(Mutex<Learnt>);

#[derive(Debug)]
struct Learnt {
    features: Features,
    is_cluster_node: Option<bool>,
    keeps_frequency: Option<bool>,
}

impl Default for Known {
    fn default() -> Self {
        Self(Mutex::new(Learnt {
            features: Features::default().without(Feature::Slabs, "slabs are Memcached's"),
            is_cluster_node: None,
            keeps_frequency: None,
        }))
    }
}

impl Known {
    pub fn features(&self) -> Features {
        self.learnt().features.clone()
    }

    pub fn has(&self, feature: Feature) -> bool {
        self.learnt().features.need(feature).is_ok()
    }

    /// Whether keys have slots; `None` before the server said.
    pub fn is_cluster_node(&self) -> Option<bool> {
        self.learnt().is_cluster_node
    }

    /// Whether the server counts accesses (an LFU policy) instead of keeping idle times.
    pub fn keeps_frequency(&self) -> Option<bool> {
        self.learnt().keeps_frequency
    }

    pub fn is_cluster(&self, is_cluster: bool) {
        self.learnt().is_cluster_node = Some(is_cluster);
    }

    pub fn learn(&self, sample: &Sample) {
        let mut learnt = self.learnt();
        learnt.is_cluster_node = Some(sample.identity.is_cluster_node);
        if let Some(policy) = &sample.memory.policy {
            learnt.keeps_frequency = Some(policy.ends_with("-lfu"));
        }
        // From version 9 on, Valkey has numbered databases in a cluster as well.
        if sample.identity.is_cluster_node && sample.identity.engine == Engine::Redis {
            learnt.lack(Feature::Databases, "a cluster has one database");
        }
        if sample.replication.is_none()
            && let Some(why) = sample.unsupported.get("replication")
        {
            learnt.lack(Feature::Replication, why);
        }
    }

    /// Remembers a refusal that will not change, so that the feature is not asked for again.
    pub fn refused(&self, feature: Feature, command: &str, refusal: &Refusal) {
        if refusal.is_for_good() {
            let why = refusal.fault("", command).to_string();
            self.learnt().lack(feature, &why);
        }
    }

    pub fn lacks(&self, feature: Feature, why: &str) {
        self.learnt().lack(feature, why);
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        // Nothing in here can be left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learnt {
    fn lack(&mut self, feature: Feature, why: &str) {
        self.features = std::mem::take(&mut self.features).without(feature, why);
    }
}
