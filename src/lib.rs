//! cachedeck: a terminal dashboard and a scriptable command for Redis, Valkey and Memcached.

pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod guard;
pub mod model;
pub mod text;
pub mod tui;
