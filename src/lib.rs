//! cachedeck: a terminal dashboard and a scriptable command for Redis, Valkey and Memcached.

pub mod engine;
pub mod guard;
pub mod model;
pub mod text;
pub mod tui;
