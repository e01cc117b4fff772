//! What a snapshot says between its keys.

use std::io::Read;

use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::module::{self, ModuleId};
use crate::snapshot::rdb::{Ending, Flavour, Reader, Record, State, opcode, unknown_type};

/// Versions from here on end with a checksum.
const CHECKED_SINCE: u32 = 5;

type Result<T> = std::result::Result<T, SnapshotError>;

impl<R: Read> Reader<R> {
    /// The record that this byte begins.
    pub(super) fn record(&mut self, code: u8) -> Result<Record<'_>> {
        let at = self.source.offset() - 1;
        match code {
            opcode::FACT => {
                let name = self.source.text("the name of a fact")?;
                let name = self
                    .source
                    .whole(name, &mut self.scratch, "the name of a fact")?;
                self.head.name.clear();
                self.head.name.extend_from_slice(name);
                let value = self.source.text("the value of a fact")?;
                let value = self
                    .source
                    .whole(value, &mut self.scratch, "the value of a fact")?;
                self.header.learn(&self.head.name, value);
                Ok(Record::Fact {
                    name: &self.head.name,
                    value,
                })
            }
            opcode::DATABASE => {
                let number = self.source.length("the number of a database")?;
                self.head.db = u32::try_from(number).map_err(|_| SnapshotError::Corrupt {
                    at,
                    what: "a database with a number that is too large",
                })?;
                self.head.slot = None;
                Ok(Record::Database(self.head.db))
            }
            opcode::SIZES => Ok(Record::Sizes {
                keys: self.source.length("the number of keys")?,
                expiring: self.source.length("the number of keys that expire")?,
            }),
            opcode::SLOT => self.slot(at),
            opcode::FUNCTION => {
                let code = self.source.text("a library of functions")?;
                let code = self
                    .source
                    .whole(code, &mut self.scratch, "a library of functions")?;
                Ok(Record::Function { code })
            }
            opcode::OLD_FUNCTION => self.old_function(),
            opcode::MODULE => {
                let module = ModuleId(self.source.length("the type of a module")?);
                let start = self.source.offset();
                module::skip(&mut self.source)?;
                Ok(Record::ModuleFacts {
                    module,
                    bytes: self.source.offset() - start,
                })
            }
            opcode::SLOT_IMPORT if self.header.flavour == Flavour::Valkey => {
                let job = self.source.text("the name of a slot import")?;
                let job = self
                    .source
                    .whole(job, &mut self.scratch, "the name of a slot import")?;
                self.head.name.clear();
                self.head.name.extend_from_slice(job);
                let ranges = self.source.length("the number of slot ranges")?;
                for _ in 0..ranges {
                    self.source.length("the first slot of a range")?;
                    self.source.length("the last slot of a range")?;
                }
                Ok(Record::SlotImport {
                    job: &self.head.name,
                    ranges,
                })
            }
            opcode::END => self.end(),
            _ => Err(unknown_type(at, code)),
        }
    }

    fn slot(&mut self, at: u64) -> Result<Record<'_>> {
        let slot = self.source.length("the number of a slot")?;
        let slot = u16::try_from(slot).ok().filter(|slot| *slot < 16_384);
        let slot = slot.ok_or(SnapshotError::Corrupt {
            at,
            what: "a slot with a number above 16383",
        })?;
        self.head.slot = Some(slot);
        Ok(Record::Slot {
            slot,
            keys: self.source.length("the number of keys of a slot")?,
            expiring: self
                .source
                .length("the number of expiring keys of a slot")?,
        })
    }

    fn old_function(&mut self) -> Result<Record<'_>> {
        const EXPECTED: &str = "a function";
        let source = &mut self.source;
        let mut read = |into: &mut Vec<u8>| {
            let text = source.text(EXPECTED)?;
            into.clear();
            into.extend_from_slice(source.whole(text, &mut self.scratch, EXPECTED)?);
            Ok::<(), SnapshotError>(())
        };
        let mut name = std::mem::take(&mut self.head.name);
        read(&mut name)?;
        let mut engine = Vec::new();
        read(&mut engine)?;
        let has_description = source.length(EXPECTED)? != 0;
        let description = if has_description {
            let text = source.text(EXPECTED)?;
            let text = source.whole(text, &mut self.scratch, EXPECTED)?;
            Some(text.to_vec())
        } else {
            None
        };
        let split = name.len();
        name.extend_from_slice(&engine);
        self.head.name = name;
        let code = source.text(EXPECTED)?;
        let code = source.whole(code, &mut self.scratch, EXPECTED)?;
        let (name, engine) = self.head.name.split_at(split);
        Ok(Record::OldFunction {
            name,
            engine,
            description,
            code,
        })
    }

    fn end(&mut self) -> Result<Record<'_>> {
        let found = self.source.checksum();
        let ending = match found {
            Some(found) if self.header.version >= CHECKED_SINCE => {
                let told = u64::from_le_bytes(self.source.array("the checksum")?);
                match told {
                    0 => Ending::Disabled,
                    _ if told == found => Ending::Verified(told),
                    _ => return Err(SnapshotError::Checksum { told, found }),
                }
            }
            _ => Ending::None,
        };
        self.state = State::Ended(ending);
        Ok(Record::End(ending))
    }
}
