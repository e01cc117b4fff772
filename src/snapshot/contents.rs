//! What a snapshot says beside its keys, and whether all of it can be read.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;

use crate::model::{Bytes, KeyKind, UnixMs};
use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::{Element, Ending, Flavour, Header, KeyHead, Reader, Record};

/// Facts and functions that are kept at most; a server writes a dozen of them.
const MOST_FACTS: usize = 1_000;
/// What is longer is cut.
const LONGEST_FACT: usize = 1_000;

/// What was met so far.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// `None` when it is no snapshot at all.
    pub header: Option<Header>,
    /// What the server said of itself, in its order: `redis-ver`, `ctime`, …
    pub facts: Vec<(Vec<u8>, Vec<u8>)>,
    pub databases: BTreeMap<u32, DatabaseCount>,
    /// Libraries of functions, by the names that they give themselves.
    pub functions: Vec<Vec<u8>>,
    pub modules: BTreeMap<String, ModuleCount>,
    /// Bytes of the snapshot that were read, uncompressed.
    pub read: Bytes,
    /// `None` when the end was not reached.
    pub ending: Option<Ending>,
    /// More follows behind the end, as in an append-only file.
    pub goes_on: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseCount {
    pub keys: u64,
    /// Of these, the ones that expire at all, and the ones that have by the moment of counting.
    pub expiring: u64,
    pub expired: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModuleCount {
    pub keys: u64,
    /// What the module keeps beside its keys.
    pub facts: Bytes,
}

impl Contents {
    pub fn keys(&self) -> u64 {
        self.databases.values().map(|one| one.keys).sum()
    }

    pub fn expired(&self) -> u64 {
        self.databases.values().map(|one| one.expired).sum()
    }

    /// When the server wrote it, on the server's clock.
    pub fn created_at(&self) -> Option<UnixMs> {
        let seconds: i64 = self.number("ctime")?;
        Some(UnixMs(seconds.checked_mul(1000)?))
    }

    /// The version of the server that wrote it; bytes of a stranger.
    pub fn server_version(&self) -> Option<&[u8]> {
        self.fact("valkey-ver").or_else(|| self.fact("redis-ver"))
    }

    /// Whose server wrote it: one of Valkey before 9 says so only in a fact.
    pub fn flavour(&self) -> Option<Flavour> {
        if self.fact("valkey-ver").is_some() {
            return Some(Flavour::Valkey);
        }
        self.header.map(|header| header.flavour)
    }

    pub fn used_memory(&self) -> Option<Bytes> {
        self.number("used-mem").map(Bytes)
    }

    pub fn bits(&self) -> Option<u32> {
        self.number("redis-bits")
    }

    pub fn fact(&self, name: &str) -> Option<&[u8]> {
        let mut facts = self.facts.iter();
        let (_, value) = facts.find(|(other, _)| other == name.as_bytes())?;
        Some(value)
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        str::from_utf8(self.fact(name)?).ok()?.parse().ok()
    }

    /// Takes in a key as it stands at this moment.
    pub fn take_key(&mut self, head: &KeyHead, at: UnixMs) {
        let database = self.databases.entry(head.db).or_default();
        database.keys += 1;
        if let Some(end) = head.ends {
            database.expiring += 1;
            database.expired += u64::from(end < at);
        }
        if let KeyKind::Other(module) = &head.kind {
            self.module(module).keys += 1;
        }
    }

    /// Takes in everything that is no key.
    pub fn take(&mut self, record: &Record<'_>) {
        match record {
            Record::Fact { name, value } if self.facts.len() < MOST_FACTS => {
                self.facts.push((cut(name), cut(value)));
            }
            Record::Database(number) => drop(self.databases.entry(*number).or_default()),
            Record::Function { code } if self.functions.len() < MOST_FACTS => {
                self.functions.push(library_name(code));
            }
            Record::OldFunction { name, .. } if self.functions.len() < MOST_FACTS => {
                self.functions.push(cut(name));
            }
            Record::ModuleFacts { module, bytes } => {
                self.module(&module.name()).facts.0 += bytes;
            }
            Record::End(ending) => self.ending = Some(*ending),
            _ => {}
        }
    }

    fn module(&mut self, name: &str) -> &mut ModuleCount {
        if !self.modules.contains_key(name) {
            self.modules.insert(name.to_owned(), ModuleCount::default());
        }
        self.modules.entry(name.to_owned()).or_default()
    }
}

fn cut(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(LONGEST_FACT)].to_vec()
}

/// A library begins with a line such as `#!lua name=mylib`.
fn library_name(code: &[u8]) -> Vec<u8> {
    let line = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let name = words.find_map(|word| word.strip_prefix(b"name="));
    cut(name.unwrap_or(line))
}

/// A snapshot that was read whole, or as far as it could be.
#[derive(Debug)]
pub struct Verified {
    pub contents: Contents,
    /// Why it was not read to its end.
    pub fault: Option<SnapshotError>,
}

/// Reads all of a snapshot, every element of every value, and checks what can be checked. `at` is the
/// moment for which expired keys are counted. From time to time `goes_on` is told how far it is, and
/// says whether to go on.
pub fn verify<R: Read>(
    from: R,
    at: UnixMs,
    goes_on: impl FnMut(&Contents) -> ControlFlow<()>,
) -> Verified {
    let mut contents = Contents::default();
    let fault = read_whole(from, at, &mut contents, goes_on).err();
    Verified { contents, fault }
}

/// Keys between two words on how far it is.
const STEP: u64 = 4_096;

fn read_whole<R: Read>(
    from: R,
    at: UnixMs,
    contents: &mut Contents,
    mut goes_on: impl FnMut(&Contents) -> ControlFlow<()>,
) -> Result<(), SnapshotError> {
    let mut reader = Reader::new(from)?;
    contents.header = Some(reader.header());
    let mut until_word = STEP;
    loop {
        let read = read_one(&mut reader, at, contents);
        contents.read = Bytes(reader.offset());
        if read? {
            contents.goes_on = reader.goes_on()?;
            return Ok(());
        }
        until_word -= 1;
        if until_word == 0 {
            until_word = STEP;
            if goes_on(contents).is_break() {
                return Ok(());
            }
        }
    }
}

/// Whether it was the end.
fn read_one<R: Read>(
    reader: &mut Reader<R>,
    at: UnixMs,
    contents: &mut Contents,
) -> Result<bool, SnapshotError> {
    match reader.next()? {
        Record::Key(_) => {}
        record => {
            contents.take(&record);
            return Ok(matches!(record, Record::End(_)));
        }
    }
    reader.visit(&mut |_: Element<'_>| ControlFlow::Continue(()))?;
    contents.take_key(reader.head(), at);
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(bytes: &[u8]) -> Verified {
        verify(bytes, UnixMs(2_000), |_| ControlFlow::Continue(()))
    }

    #[test]
    fn what_is_in_a_file_is_told_as_far_as_it_could_be_read() {
        let whole = b"REDIS0004\xfa\x09redis-ver\x057.0.1\xfa\x05ctime\xc0\x07\xfe\x00\0\x01a\x01x\xfe\x02\xfc\xe8\x03\0\0\0\0\0\0\0\x01b\x01y\xff";
        let read = verified(whole);
        assert!(read.fault.is_none());
        let contents = read.contents;
        assert_eq!(contents.created_at(), Some(UnixMs(7_000)));
        assert_eq!(contents.server_version(), Some(&b"7.0.1"[..]));
        assert_eq!((contents.keys(), contents.expired()), (2, 1));
        assert_eq!(contents.databases.len(), 2);
        assert_eq!(contents.ending, Some(Ending::None));
        let cut = verified(&whole[..whole.len() - 3]);
        assert_eq!((cut.contents.keys(), cut.contents.ending), (1, None));
        assert!(matches!(cut.fault, Some(SnapshotError::Cut { .. })));
    }

    #[test]
    fn what_follows_behind_the_end_is_told() {
        assert!(verified(b"REDIS0004\xff*1\r\n").contents.goes_on);
        assert!(!verified(b"REDIS0004\xff").contents.goes_on);
    }

    #[test]
    fn a_library_is_named_by_its_first_line() {
        assert_eq!(library_name(b"#!lua name=mylib \nredis.x"), b"mylib");
        assert_eq!(library_name(b"#!lua"), b"#!lua");
    }
}
