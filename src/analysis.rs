//! What a keyspace consists of, told key by key and in bounded memory.
//!
//! A walk, a sample or a file feeds an [`Analysis`]; whoever asks gets a [`Report`] at any time, whole
//! or partial. Pure: time is an argument, and nothing here knows where keys come from.

pub mod report;

pub use report::Report;
