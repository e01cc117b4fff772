//! Showing bytes safely: the one door through which foreign bytes reach a screen.
//!
//! Keys, values, error texts and client names are chosen by others, and a terminal obeys what it is
//! sent. So nothing foreign is shown before it went through here. Nothing is stripped either: two
//! keys that differ must look different, or the wrong one is deleted. What cannot be shown as
//! itself becomes a visible escape, and [`unescape`] takes exactly these escapes back.
//!
//! - [`escape`] (or [`shown`], which copies less) for a name or a message on one line, [`escape_ascii`] where a person confirms.
//! - [`escape_lines`], [`json_pretty`] and [`hex_dump`] for values, as [`shape`] suggests.
//! - [`width`], [`fit`], [`fit_middle`] and [`pad`] place escaped text in terminal cells.
//! - [`redact`] takes passwords out of URLs in texts that are logged or reported.

mod escape;
mod fit;
mod hex;
mod json;
mod redact;
mod shape;

pub use escape::{Tabs, UnescapeError, escape, escape_ascii, escape_lines, shown, unescape};
pub use fit::{fit, fit_middle, pad, pad_left, width};
pub use hex::hex_dump;
pub use json::json_pretty;
pub use redact::redact;
pub use shape::{Shape, shape};
