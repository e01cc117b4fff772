//! Commands, and which of them only read.
//!
//! The table is the last line of the guard: the connection asks it about the very bytes that would
//! go out, so nothing can be mislabelled on the way.

use memcache::exp::{
    DeleteOptions, GetOptions, MetaCommand, MetaOp, build_debug, build_delete, build_get,
};

use crate::engine::memcached::codec::{Shape, number};
use crate::model::Change;
use crate::text;

/// A command with the shape of its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    bytes: Vec<u8>,
    shape: Shape,
    is_give_back: bool,
}

/// What a stale item's recache token was taken with, as the reply to our `mg` told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Won {
    pub cas: u64,
    /// The server can keep the item's CAS when the token goes back (1.6.27+).
    pub keeps_cas: bool,
}

impl Command {
    pub fn version() -> Self {
        Self::new(b"version\r\n", Shape::Line)
    }

    /// `stats`, or `stats` with a group behind.
    pub fn stats(group: &str) -> Self {
        let line = format!("stats {group}");
        Self::new(format!("{}\r\n", line.trim_end()).as_bytes(), Shape::Stats)
    }

    /// Everything about an item but its value. Counts as no lookup and leaves the item as it is.
    pub fn inspect(key: &[u8]) -> Option<Self> {
        // The crate declines keys that need base64, since newer servers look up the encoded name.
        Self::meta(&build_debug(key).ok()?)
    }

    /// The same for a key that needs base64; only 1.6.10 to 1.6.18 are known to understand it.
    pub fn inspect_encoded(key: &[u8]) -> Option<Self> {
        Self::meta(&MetaCommand::new(MetaOp::Debug, key))
    }

    /// Facts about an item and, when asked, its value, without moving it in the LRU. Counts as a
    /// lookup, and takes the recache token of a stale item: see [`Command::give_back`].
    pub fn look(key: &[u8], with_value: bool) -> Option<Self> {
        let mut options = GetOptions::default();
        options.value = with_value;
        options.return_client_flags = true;
        options.return_cas = true;
        options.return_ttl = true;
        options.return_size = true;
        options.return_last_access = true;
        options.return_hit_before = true;
        options.no_lru_bump = true;
        Self::meta(&build_get(key, &options).ok()?)
    }

    /// The value by the classic command, for servers without the meta protocol.
    pub fn gets(key: &[u8]) -> Self {
        Self::new(&[b"gets ", key, b"\r\n"].concat(), Shape::Values)
    }

    /// Puts a recache token back that our own look took, so that the application gets it.
    pub fn give_back(key: &[u8], won: Won) -> Option<Self> {
        let mut options = DeleteOptions::default();
        options.invalidate = true;
        options.compare_cas = Some(won.cas);
        options.new_cas = won.keeps_cas.then_some(won.cas);
        let mut command = Self::meta(&build_delete(key, &options).ok()?)?;
        command.is_give_back = true;
        Some(command)
    }

    /// Sets the time to live of a key that can be sent as it is.
    pub fn touch(key: &[u8], expiry: u32) -> Self {
        let line = [b"touch ", key, format!(" {expiry}\r\n").as_bytes()].concat();
        Self::new(&line, Shape::Line)
    }

    /// Sets the time to live of a key that needs base64.
    pub fn touch_encoded(key: &[u8], expiry: u32) -> Option<Self> {
        let mut options = GetOptions::default();
        options.value = false;
        options.return_cas = true;
        options.no_lru_bump = true;
        options.touch = Some(expiry);
        Self::meta(&build_get(key, &options).ok()?)
    }

    /// Deletes a key that can be sent as it is.
    pub fn delete(key: &[u8]) -> Self {
        Self::new(&[b"delete ", key, b"\r\n"].concat(), Shape::Line)
    }

    /// Deletes a key that needs base64.
    pub fn delete_encoded(key: &[u8]) -> Option<Self> {
        Self::meta(&build_delete(key, &DeleteOptions::default()).ok()?)
    }

    /// Names every key in order of the hash table, or (before 1.6.9) of the queues.
    pub fn metadump(is_hash_order: bool) -> Self {
        let order = if is_hash_order { "hash" } else { "all" };
        Self::new(
            format!("lru_crawler metadump {order}\r\n").as_bytes(),
            Shape::Line,
        )
    }

    /// Sends every fetch to this connection from now on, until it closes.
    pub fn watch_fetchers() -> Self {
        Self::new(b"watch fetchers\r\n", Shape::Line)
    }

    fn meta(command: &MetaCommand) -> Option<Self> {
        Some(Self::new(&command.encode().ok()?, Shape::Meta))
    }

    fn new(bytes: &[u8], shape: Shape) -> Self {
        Self {
            bytes: bytes.to_vec(),
            shape,
            is_give_back: false,
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The command without the key, for faults.
    pub fn name(&self) -> String {
        let mut words = self.bytes.trim_ascii_end().split(|&byte| byte == b' ');
        let verb = words.next().unwrap_or_default();
        let names_group = matches!(verb, b"stats" | b"lru_crawler");
        let shown: Vec<&[u8]> = std::iter::once(verb)
            .chain(words.take_while(|_| names_group))
            .collect();
        text::escape(&shown.join(&b' '))
    }

    /// The line as it is sent, for people.
    pub fn shown(&self) -> String {
        text::escape(self.bytes.trim_ascii_end())
    }

    /// Whether it may go out only with a permit: everything that is not known to only read, but
    /// what undoes an effect of our own reading.
    pub fn needs_permit(&self) -> bool {
        !self.is_give_back && !only_reads(&self.bytes)
    }

    /// Whether the permit for a change is for what this command does.
    pub fn is_covered(&self, change: &Change) -> bool {
        is_covered(&self.bytes, change)
    }
}

/// Whether the permit for a change is for what this line does.
pub(super) fn is_covered(line: &[u8], change: &Change) -> bool {
    let Some(words) = words_of(line) else {
        return false;
    };
    CHANGING
        .iter()
        .filter(|(word, _, _)| *word == change.word())
        .any(|(_, name, rest)| is_form(&words, name, rest))
}

/// What the permit for a change covers: the change's word, the command, and what may stand behind.
#[rustfmt::skip]
const CHANGING: &[(&str, &str, Rest)] = &[
    ("expire",  "touch",  Rest::KeyAndNumber),
    ("expire",  "mg",     Rest::KeyAndFlags(b"bcuT")),
    ("persist", "touch",  Rest::KeyAndNumber),
    ("persist", "mg",     Rest::KeyAndFlags(b"bcuT")),
    ("delete",  "delete", Rest::Key),
    ("delete",  "md",     Rest::KeyAndFlags(b"b")),
    ("restore", "ms",     Rest::KeyNumberAndFlags(&[b"F", b"T", b"E", b"ME", b"b", b"c"])),
    ("restore", "md",     Rest::KeyAndMark),
    ("restore", "set",    Rest::KeyAndNumbers),
    ("restore", "add",    Rest::KeyAndNumbers),
];

/// What may stand behind a reading command.
enum Rest {
    Nothing,
    /// One of these, or nothing.
    Groups(&'static [&'static str]),
    /// Exactly these words.
    Words(&'static [&'static [&'static str]]),
    Keys,
    Key,
    KeyAndNumber,
    /// Flags, expiry and length.
    KeyAndNumbers,
    /// A key, and then the mark as stale for an item with this very CAS.
    KeyAndMark,
    /// A length, and then flags that begin with one of these.
    KeyNumberAndFlags(&'static [&'static [u8]]),
    /// A key, and then flags that begin with one of these.
    KeyAndFlags(&'static [u8]),
}

/// The commands that change nothing. `stats` has groups that do (`reset`, `detail on`), and `mg`
/// flags (`N`, `R`, `T`, `E`), so what follows the name counts.
#[rustfmt::skip]
const READING: &[(&str, Rest)] = &[
    ("version",     Rest::Nothing),
    ("mn",          Rest::Nothing),
    ("quit",        Rest::Nothing),
    ("stats",       Rest::Groups(&["items", "slabs", "settings", "conns", "threads"])),
    ("lru_crawler", Rest::Words(&[&["metadump", "all"], &["metadump", "hash"]])),
    ("watch",       Rest::Words(&[&["fetchers"]])),
    ("get",         Rest::Keys),
    ("gets",        Rest::Keys),
    ("me",          Rest::KeyAndFlags(b"b")),
    ("mg",          Rest::KeyAndFlags(b"bcfhklOqstuv")),
];

/// Whether a line changes nothing.
pub(super) fn only_reads(bytes: &[u8]) -> bool {
    words_of(bytes).is_some_and(|words| {
        READING
            .iter()
            .any(|(name, allowed)| is_form(&words, name, allowed))
    })
}

/// The words of a single line; `None` for anything else, since a second line would be a second
/// command.
fn words_of(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let line = bytes.strip_suffix(b"\r\n")?;
    let is_one = !line.contains(&b'\n') && !line.contains(&b'\r');
    is_one.then(|| line.split(|&byte| byte == b' ').collect())
}

/// Whether the words are this command with what may stand behind it.
fn is_form(words: &[&[u8]], name: &str, allowed: &Rest) -> bool {
    let Some((verb, rest)) = words.split_first() else {
        return false;
    };
    if name.as_bytes() != *verb {
        return false;
    }
    match allowed {
        Rest::Nothing => rest.is_empty(),
        Rest::Groups(groups) => match rest {
            [] => true,
            [group] => groups.iter().any(|known| known.as_bytes() == *group),
            _ => false,
        },
        Rest::Words(forms) => forms.iter().any(|form| {
            form.iter()
                .map(|word| word.as_bytes())
                .eq(rest.iter().copied())
        }),
        Rest::Keys => !rest.is_empty(),
        Rest::Key => rest.len() == 1,
        Rest::KeyAndNumber => matches!(rest, [_, word] if number::<u32>(word).is_some()),
        Rest::KeyAndNumbers => {
            rest.len() == 4 && rest[1..].iter().all(|word| number::<u32>(word).is_some())
        }
        Rest::KeyAndMark => match rest {
            [_, b"I", [b'C', ..], flags @ ..] => flags
                .iter()
                .all(|flag| flag.first().is_some_and(|first| b"Eb".contains(first))),
            _ => false,
        },
        Rest::KeyNumberAndFlags(known) => match rest {
            [_, length, flags @ ..] => {
                let is_known = |flag: &&[u8]| known.iter().any(|start| flag.starts_with(start));
                number::<u32>(length).is_some() && flags.iter().all(is_known)
            }
            _ => false,
        },
        Rest::KeyAndFlags(known) => rest.split_first().is_some_and(|(_, flags)| {
            flags
                .iter()
                .all(|flag| flag.first().is_some_and(|first| known.contains(first)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Won, only_reads};
    use crate::engine::memcached::codec::Shape;
    use crate::model::{Change, TtlWish};

    #[test]
    fn only_known_reading_commands_need_no_permit() {
        for line in [
            "version",
            "stats",
            "stats items",
            "stats settings",
            "me a",
            "me YQ== b",
            "mn",
            "mg a v f u",
            "get a b",
            "gets a",
            "lru_crawler metadump hash",
        ] {
            assert!(only_reads(format!("{line}\r\n").as_bytes()), "{line}");
        }
        for line in [
            "",
            "stats reset",
            "stats detail on",
            "stats items x",
            "mg a T60",
            "mg a v N30",
            "mg",
            "mg a R5",
            "mg a E7",
            "mg a  v",
            "touch a 5",
            "gat 5 a",
            "delete a",
            "md a",
            "set a 0 0 1",
            "flush_all",
            "lru_crawler",
            "lru_crawler disable",
            "lru_crawler metadump 1",
            "verbosity 2",
            "version\r\nflush_all",
            "get a\nflush_all",
            "VERSION",
        ] {
            assert!(!only_reads(format!("{line}\r\n").as_bytes()), "{line}");
        }
        assert!(!only_reads(b"version"));
    }

    #[test]
    fn a_permit_covers_its_own_change_and_nothing_else() {
        let keys = Vec::new;
        let persist = Change::SetTtl {
            keys: keys(),
            wish: TtlWish::Never,
        };
        let delete = Change::Delete { keys: keys() };
        for (line, persists, deletes) in [
            ("touch a 0\r\n", true, false),
            ("mg YQ== c u T0 b\r\n", true, false),
            ("delete a\r\n", false, true),
            ("md YQ== b\r\n", false, true),
            ("mg a N30\r\n", false, false),
            ("md a I\r\n", false, false),
            ("touch a 0\r\nflush_all\r\n", false, false),
            ("delete a b\r\n", false, false),
            ("flush_all\r\n", false, false),
            ("set a 0 0 1\r\nx\r\n", false, false),
        ] {
            let command = Command::new(line.as_bytes(), Shape::Line);
            assert_eq!(command.is_covered(&persist), persists, "{line}");
            assert_eq!(command.is_covered(&delete), deletes, "{line}");
            assert!(!command.is_covered(&Change::Snapshot), "{line}");
        }
    }

    #[test]
    fn commands_are_spelled_as_the_server_wants_them() {
        let won = Won {
            cas: 7,
            keeps_cas: true,
        };
        let lost = Won {
            cas: 7,
            keeps_cas: false,
        };
        for (command, wire, needs_permit) in [
            (Some(Command::stats("")), "stats\r\n", false),
            (Some(Command::stats("slabs")), "stats slabs\r\n", false),
            (Command::inspect(b"k"), "me k\r\n", false),
            (Command::inspect_encoded(b"a k"), "me YSBr b\r\n", false),
            (Command::look(b"k", true), "mg k v f c t s l h u\r\n", false),
            (
                Command::look(b"a k", false),
                "mg YSBr f c t s l h u b\r\n",
                false,
            ),
            (Some(Command::gets(b"k")), "gets k\r\n", false),
            (Command::give_back(b"k", won), "md k I C7 E7\r\n", false),
            (
                Command::give_back(b"a k", lost),
                "md YSBr I C7 b\r\n",
                false,
            ),
            (Some(Command::touch(b"k", 60)), "touch k 60\r\n", true),
            (
                Command::touch_encoded(b"a k", 60),
                "mg YSBr c u T60 b\r\n",
                true,
            ),
            (Some(Command::delete(b"k")), "delete k\r\n", true),
            (Command::delete_encoded(b"a k"), "md YSBr b\r\n", true),
            (
                Some(Command::metadump(true)),
                "lru_crawler metadump hash\r\n",
                false,
            ),
        ] {
            let command = command.expect(wire);
            assert_eq!(String::from_utf8_lossy(command.bytes()), wire);
            assert_eq!(command.needs_permit(), needs_permit, "{wire}");
        }
        assert_eq!(Command::inspect(b"a k"), None);
    }

    #[test]
    fn names_in_faults_carry_no_keys() {
        assert_eq!(Command::delete(b"secret").name(), "delete");
        assert_eq!(Command::stats("items").name(), "stats items");
        assert_eq!(Command::metadump(true).name(), "lru_crawler metadump hash");
    }
}
