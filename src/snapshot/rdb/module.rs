//! Values of modules: they describe themselves, so they can be passed over without the module.

use std::io::Read;

use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::source::{Scratch, Source, Text};

/// The type that a module registered: a name of nine signs and a version, in 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u64);

const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl ModuleId {
    pub fn name(self) -> String {
        let signs = (0..9).rev().map(|place| {
            let sign = self.0 >> (10 + 6 * place) & 63;
            char::from(SIGNS[usize::try_from(sign).unwrap_or(0)])
        });
        signs.collect()
    }

    /// The version of how the module writes its values.
    pub fn version(self) -> u16 {
        (self.0 & 0x3ff) as u16
    }
}

/// One part of a module's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ModulePart {
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
}

type Result<T> = std::result::Result<T, SnapshotError>;

/// Reads parts to the end of the value; strings come in pieces with their place and whole length.
pub fn parts<R: Read>(
    source: &mut Source<R>,
    scratch: &mut Scratch,
    mut number: impl FnMut(ModulePart),
    mut text: impl FnMut(&[u8], u64, u64),
) -> Result<()> {
    const EXPECTED: &str = "a part of a module's value";
    loop {
        let at = source.offset();
        match source.length(EXPECTED)? {
            0 => return Ok(()),
            1 => number(ModulePart::Signed(source.length(EXPECTED)?.cast_signed())),
            2 => number(ModulePart::Unsigned(source.length(EXPECTED)?)),
            3 => number(ModulePart::Float(f32::from_le_bytes(
                source.array(EXPECTED)?,
            ))),
            4 => number(ModulePart::Double(f64::from_le_bytes(
                source.array(EXPECTED)?,
            ))),
            5 => {
                let header = source.text(EXPECTED)?;
                if header.len() == 0 {
                    source.skip_text(header, EXPECTED)?;
                    text(&[], 0, 0);
                    continue;
                }
                let mut from = 0;
                source.pieces(header, scratch, EXPECTED, |bytes| {
                    text(bytes, from, header.len());
                    from += bytes.len() as u64;
                })?;
            }
            _ => {
                return Err(SnapshotError::Corrupt {
                    at,
                    what: "a part of a module's value of an unknown kind",
                });
            }
        }
    }
}

/// Passes over parts to the end of the value; gives how many bytes its strings have.
pub fn skip<R: Read>(source: &mut Source<R>) -> Result<u64> {
    const EXPECTED: &str = "a part of a module's value";
    let mut bytes = 0;
    loop {
        let at = source.offset();
        match source.length(EXPECTED)? {
            0 => return Ok(bytes),
            1 | 2 => {
                source.length(EXPECTED)?;
                bytes += 8;
            }
            3 => source.skip(4, EXPECTED)?,
            4 => source.skip(8, EXPECTED)?,
            5 => {
                let text: Text = source.text(EXPECTED)?;
                source.skip_text(text, EXPECTED)?;
                bytes = text.len().saturating_add(bytes);
            }
            _ => {
                return Err(SnapshotError::Corrupt {
                    at,
                    what: "a part of a module's value of an unknown kind",
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_from_its_number() {
        let id = ModuleId(0xb5eb_2dff_fadd_6c01);
        assert_eq!((id.name().as_str(), id.version()), ("test__rdb", 1));
    }
}
