//! Commands by the thousand, in one piece of memory.
//!
//! What is copied item by item goes out in batches: no allocation an item. The promise of `command`
//! stands all the same: the connection checks every line of a batch before any byte of it is sent.

use std::io::Write;

use crate::engine::memcached::command::{is_covered, only_reads};
use crate::engine::memcached::wire::{LONGEST_KEY, encode_key, is_plain};
use crate::model::Change;

/// How a server is asked for whole items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `mg`, 1.6.10 and later.
    Meta,
    /// `gets` and `set`.
    Classic,
}

/// Commands to be sent together.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
}

/// An item to be stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storing<'a> {
    pub key: &'a [u8],
    pub flags: u32,
    /// As Memcached counts: 0 for never, otherwise a moment of its clock.
    pub expiry: u32,
    /// The CAS that it is to have (1.6.27 and later).
    pub cas: Option<u64>,
    /// Only where there is no such key.
    pub only_new: bool,
    /// Its new CAS is to be told.
    pub tells_cas: bool,
    pub value: &'a [u8],
}

impl Batch {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Asks for an item with its value, flags, CAS and time left, in a way that moves nothing where
    /// the server has one. False when the key cannot be named.
    pub fn look(&mut self, key: &[u8], dialect: Dialect) -> bool {
        match dialect {
            Dialect::Classic if !is_plain(key) => return false,
            Dialect::Classic => {
                self.bytes.extend_from_slice(b"gets ");
                self.bytes.extend_from_slice(key);
            }
            Dialect::Meta => {
                self.bytes.extend_from_slice(b"mg ");
                let Some(is_encoded) = self.name(key, 3) else {
                    return false;
                };
                self.bytes.extend_from_slice(b" v f c t u");
                if is_encoded {
                    self.bytes.extend_from_slice(b" b");
                }
            }
        }
        self.bytes.extend_from_slice(b"\r\n");
        true
    }

    /// Stores an item. False when the key cannot be named.
    pub fn store(&mut self, item: &Storing, dialect: Dialect) -> bool {
        let length = item.value.len();
        match dialect {
            Dialect::Classic if !is_plain(item.key) => return false,
            Dialect::Classic => {
                let verb: &[u8] = if item.only_new { b"add " } else { b"set " };
                self.bytes.extend_from_slice(verb);
                self.bytes.extend_from_slice(item.key);
                let rest = format!(" {} {} {length}", item.flags, item.expiry);
                self.bytes.extend_from_slice(rest.as_bytes());
            }
            Dialect::Meta => {
                self.bytes.extend_from_slice(b"ms ");
                let Some(is_encoded) = self.name(item.key, 3) else {
                    return false;
                };
                self.number(" ", length as u64);
                if item.flags > 0 {
                    self.number(" F", item.flags.into());
                }
                if item.expiry > 0 {
                    self.number(" T", item.expiry.into());
                }
                if let Some(cas) = item.cas {
                    self.number(" E", cas);
                }
                if item.only_new {
                    self.bytes.extend_from_slice(b" ME");
                }
                if item.tells_cas {
                    self.bytes.extend_from_slice(b" c");
                }
                if is_encoded {
                    self.bytes.extend_from_slice(b" b");
                }
            }
        }
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(item.value);
        self.bytes.extend_from_slice(b"\r\n");
        true
    }

    /// Marks an item as stale, if it still is the one with this CAS.
    pub fn mark(&mut self, key: &[u8], cas: u64, keeps_cas: bool) -> bool {
        self.bytes.extend_from_slice(b"md ");
        let Some(is_encoded) = self.name(key, 3) else {
            return false;
        };
        self.number(" I C", cas);
        if keeps_cas {
            self.number(" E", cas);
        }
        if is_encoded {
            self.bytes.extend_from_slice(b" b");
        }
        self.bytes.extend_from_slice(b"\r\n");
        true
    }

    /// Whether a key can be named to such a server at all.
    pub fn can_name(key: &[u8], dialect: Dialect) -> bool {
        let encoded = key.len().div_ceil(3) * 4;
        is_plain(key) || (dialect == Dialect::Meta && !key.is_empty() && encoded <= LONGEST_KEY)
    }

    fn number(&mut self, word: &str, number: u64) {
        write!(self.bytes, "{word}{number}").expect("memory takes everything");
    }

    /// Writes a key as it can be sent, and says whether it is base64. What was written of the command
    /// is taken back when there is no way.
    fn name(&mut self, key: &[u8], written: usize) -> Option<bool> {
        if is_plain(key) {
            self.bytes.extend_from_slice(key);
            return Some(false);
        }
        let encoded = encode_key(key).filter(|encoded| encoded.len() <= LONGEST_KEY);
        let Some(encoded) = encoded else {
            self.bytes.truncate(self.bytes.len() - written);
            return None;
        };
        self.bytes.extend_from_slice(encoded.as_bytes());
        Some(true)
    }

    /// Whether every command may go out: without a change only those that just read.
    pub fn is_allowed(&self, change: Option<&Change>) -> bool {
        let mut rest = self.bytes.as_slice();
        while !rest.is_empty() {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                return false;
            };
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            if only_reads(line) {
                continue;
            }
            if !change.is_some_and(|change| is_covered(line, change)) {
                return false;
            }
            let Some(after) = value_behind(line, after) else {
                return false;
            };
            rest = after;
        }
        true
    }
}

/// What comes behind the value that belongs to a storing line.
fn value_behind<'a>(line: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
    let words: Vec<&[u8]> = line.trim_ascii_end().split(|byte| *byte == b' ').collect();
    let length = match words.as_slice() {
        [b"ms", _, length, ..] | [b"set" | b"add", _, _, _, length] => length,
        [b"md", ..] => return Some(rest),
        // None of the others comes in batches.
        _ => return None,
    };
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    let (_, behind) = rest.split_at_checked(length)?;
    behind.strip_prefix(b"\r\n")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::{any, prop, proptest};

    use super::*;
    use crate::model::{Conflict, Key, Restore};

    fn restoring() -> Change {
        Change::Restore(Box::new(Restore::of(PathBuf::from("a"), Conflict::Skip)))
    }

    fn sent(fill: impl Fn(&mut Batch) -> bool) -> Option<String> {
        let mut batch = Batch::default();
        fill(&mut batch).then(|| String::from_utf8_lossy(&batch.bytes).into_owned())
    }

    const ITEM: Storing = Storing {
        key: b"k",
        flags: 5,
        expiry: 1_795_387_347,
        cas: Some(7),
        only_new: true,
        tells_cas: false,
        value: b"hi",
    };

    #[test]
    fn items_are_asked_for_as_the_dialect_has_it() {
        let (meta, classic) = (Dialect::Meta, Dialect::Classic);
        let looks = |key: &'static [u8], dialect| sent(|batch| batch.look(key, dialect));
        assert_eq!(looks(b"k", meta).unwrap(), "mg k v f c t u\r\n");
        assert_eq!(looks(b"a k", meta).unwrap(), "mg YSBr v f c t u b\r\n");
        assert_eq!(looks(b"k", classic).unwrap(), "gets k\r\n");
        assert_eq!(looks(b"a k", classic), None);
        assert_eq!(looks(&[b' '; 187], meta), None);
        assert_eq!(looks(b"", meta), None);
    }

    #[test]
    fn items_are_stored_as_the_dialect_has_it() {
        let stores = |item: Storing<'static>, dialect| sent(|batch| batch.store(&item, dialect));
        let plain = Storing {
            flags: 0,
            expiry: 0,
            cas: None,
            only_new: false,
            ..ITEM
        };
        assert_eq!(
            stores(ITEM, Dialect::Meta).unwrap(),
            "ms k 2 F5 T1795387347 E7 ME\r\nhi\r\n"
        );
        assert_eq!(stores(plain, Dialect::Meta).unwrap(), "ms k 2\r\nhi\r\n");
        assert_eq!(
            stores(
                Storing {
                    key: b"a k",
                    ..plain
                },
                Dialect::Meta
            )
            .unwrap(),
            "ms YSBr 2 b\r\nhi\r\n"
        );
        let told = Storing {
            tells_cas: true,
            ..plain
        };
        assert_eq!(stores(told, Dialect::Meta).unwrap(), "ms k 2 c\r\nhi\r\n");
        assert_eq!(
            sent(|batch| batch.mark(b"a k", 7, true)).unwrap(),
            "md YSBr I C7 E7 b\r\n"
        );
        assert_eq!(
            stores(ITEM, Dialect::Classic).unwrap(),
            "add k 5 1795387347 2\r\nhi\r\n"
        );
        assert_eq!(
            stores(plain, Dialect::Classic).unwrap(),
            "set k 0 0 2\r\nhi\r\n"
        );
    }

    #[test]
    fn a_batch_goes_out_only_for_what_it_does() {
        let mut looks = Batch::default();
        assert!(looks.look(b"k", Dialect::Meta) && looks.look(b"a k", Dialect::Meta));
        assert!(looks.is_allowed(None));
        let mut stores = looks.clone();
        assert!(stores.store(&ITEM, Dialect::Meta));
        let delete = Change::Delete {
            keys: vec![Key::from("k")],
        };
        assert!(!stores.is_allowed(None));
        assert!(!stores.is_allowed(Some(&delete)));
        assert!(stores.is_allowed(Some(&restoring())));
        for bytes in [
            &b"flush_all\r\n"[..],
            b"ms k 2 T5\r\nhi\r\nflush_all\r\n",
            b"ms k 2\r\nhi!\r\n",
            b"ms k 2\r\nhi",
            b"ms k 2 MA\r\nhi\r\n",
            b"ms k\r\n",
            b"md k\r\n",
            b"md k I\r\n",
            b"md k I C7 x\r\n",
            b"touch k 5\r\n",
            b"mg k v",
        ] {
            let batch = Batch {
                bytes: bytes.to_vec(),
            };
            assert!(!batch.is_allowed(Some(&restoring())), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_value_and_no_key_smuggles_a_command(
            key in prop::collection::vec(any::<u8>(), 0..40), value in "(flush_all|\r\n| |a){0,9}"
        ) {
            for dialect in [Dialect::Meta, Dialect::Classic] {
                let mut batch = Batch::default();
                let item = Storing { key: &key, value: value.as_bytes(), ..ITEM };
                batch.store(&item, dialect);
                assert_eq!(batch.look(&key, dialect), Batch::can_name(&key, dialect));
                batch.mark(&key, 7, false);
                assert!(batch.is_allowed(Some(&restoring())));
                assert!(!batch.bytes.starts_with(b"flush"));
            }
        }
    }
}
