//! What stands between keys, by its byte.

/// Types are below, but for one of Redis Enterprise.
pub const FIRST: u8 = 243;
pub const RAM_LRU: u8 = 107;
/// The two houses use one byte for two things.
pub const KEY_FACTS: u8 = 243;
pub const SLOT_IMPORT: u8 = 243;
pub const SLOT: u8 = 244;
pub const FUNCTION: u8 = 245;
pub const OLD_FUNCTION: u8 = 246;
pub const MODULE: u8 = 247;
pub const IDLE: u8 = 248;
pub const FREQUENCY: u8 = 249;
pub const FACT: u8 = 250;
pub const SIZES: u8 = 251;
pub const ENDS_MS: u8 = 252;
pub const ENDS_S: u8 = 253;
pub const DATABASE: u8 = 254;
pub const END: u8 = 255;
