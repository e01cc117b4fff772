//! The keys of a cache: browse millions of them, look into one, change its life.

pub mod facts;
pub mod filter;
pub mod listing;
pub mod names;
pub mod order;
pub mod table;
pub mod tree;
pub mod value;
