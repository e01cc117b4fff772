//! Speaks to Redis.

use crate::engine::{Backend, Fault, Walk};
use crate::guard::Permit;
use crate::model::{
    Change, Features, Key, KeyCard, KeyRow, Outcome, Preflight, Preview, Sample, Target, Value,
    WalkAsk, WalkPage, Window,
};

#[derive(Debug)]
pub struct RedisServer {
    target: Target,
}

#[derive(Debug)]
pub struct RedisWalk {}

impl RedisWalk {
    pub async fn step(&mut self) -> Result<Option<WalkPage>, Fault> {
        todo!()
    }
}

impl RedisServer {
    pub fn at(target: Target) -> Self {
        Self { target }
    }
}

impl Backend for RedisServer {
    fn features(&self) -> Features {
        Features::default()
    }

    async fn sample(&self) -> Result<Sample, Fault> {
        Err(Fault::Setup(self.target.name.clone()))
    }

    async fn walk(&self, _ask: WalkAsk) -> Result<Walk, Fault> {
        todo!()
    }

    async fn facts(&self, _keys: &[Key]) -> Result<Vec<KeyRow>, Fault> {
        todo!()
    }

    async fn show(&self, _key: &Key, _window: Window) -> Result<Option<(KeyCard, Value)>, Fault> {
        todo!()
    }

    async fn preview(&self, _change: &Change) -> Result<Preview, Fault> {
        todo!()
    }

    async fn preflight(&self) -> Result<Preflight, Fault> {
        todo!()
    }

    async fn apply(&self, _permit: Permit) -> Result<Outcome, Fault> {
        todo!()
    }
}
