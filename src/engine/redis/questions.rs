//! The questions that a walk asks: the page after the next cursor, and what is to be known of each
//! key. There are no others, so a flight never needs a permit.

use crate::engine::redis::reply::Refusal;
use crate::engine::redis::resp::{View, Writer};
use crate::model::KeyKind;

/// A question about a key that does not make it look recently used, where the lane leaves no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Kind,
    Ttl,
    Size,
    Idle,
    Frequency,
    Encoding,
    /// All of it, as `RESTORE` takes it.
    Value,
    Length(Elements),
}

/// Whose elements are counted: each type has a command of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elements {
    Hash,
    List,
    Set,
    SortedSet,
    Stream,
}

impl Elements {
    /// `None` for what has no elements.
    pub fn of(kind: &KeyKind) -> Option<Self> {
        match kind {
            KeyKind::Hash => Some(Self::Hash),
            KeyKind::List => Some(Self::List),
            KeyKind::Set => Some(Self::Set),
            KeyKind::SortedSet => Some(Self::SortedSet),
            KeyKind::Stream => Some(Self::Stream),
            KeyKind::String | KeyKind::Item | KeyKind::Other(_) => None,
        }
    }
}

impl Question {
    /// The command, before the key.
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Kind => &["TYPE"],
            Self::Ttl => &["PTTL"],
            // Five elements are looked at by default; never all of them.
            Self::Size => &["MEMORY", "USAGE"],
            Self::Idle => &["OBJECT", "IDLETIME"],
            Self::Frequency => &["OBJECT", "FREQ"],
            Self::Encoding => &["OBJECT", "ENCODING"],
            Self::Value => &["DUMP"],
            Self::Length(Elements::Hash) => &["HLEN"],
            Self::Length(Elements::List) => &["LLEN"],
            Self::Length(Elements::Set) => &["SCARD"],
            Self::Length(Elements::SortedSet) => &["ZCARD"],
            Self::Length(Elements::Stream) => &["XLEN"],
        }
    }

    /// The same as it stands on the wire.
    const fn head(self) -> &'static [u8] {
        match self {
            Self::Kind => b"*2\r\n$4\r\nTYPE\r\n",
            Self::Ttl => b"*2\r\n$4\r\nPTTL\r\n",
            Self::Size => b"*3\r\n$6\r\nMEMORY\r\n$5\r\nUSAGE\r\n",
            Self::Idle => b"*3\r\n$6\r\nOBJECT\r\n$8\r\nIDLETIME\r\n",
            Self::Frequency => b"*3\r\n$6\r\nOBJECT\r\n$4\r\nFREQ\r\n",
            Self::Encoding => b"*3\r\n$6\r\nOBJECT\r\n$8\r\nENCODING\r\n",
            Self::Value => b"*2\r\n$4\r\nDUMP\r\n",
            Self::Length(Elements::Hash) => b"*2\r\n$4\r\nHLEN\r\n",
            Self::Length(Elements::List) => b"*2\r\n$4\r\nLLEN\r\n",
            Self::Length(Elements::Set) => b"*2\r\n$5\r\nSCARD\r\n",
            Self::Length(Elements::SortedSet) => b"*2\r\n$5\r\nZCARD\r\n",
            Self::Length(Elements::Stream) => b"*2\r\n$4\r\nXLEN\r\n",
        }
    }

    /// How it is called in a report.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Kind => "type",
            Self::Ttl => "ttl",
            Self::Size => "size",
            Self::Idle => "idle",
            Self::Frequency => "frequency",
            Self::Encoding => "encoding",
            Self::Value => "value",
            Self::Length(_) => "elements",
        }
    }

    pub fn title(self) -> String {
        self.words().join(" ")
    }

    /// What the server counted for this reply, as measured on Redis 6.2, 7.0 and Valkey 9:
    /// `Some(true)` a hit, `Some(false)` a miss.
    pub fn counted(self, reply: &View) -> Option<bool> {
        if self == Self::Size {
            return None;
        }
        match reply {
            View::Error(line) => is_found_first(line).then_some(true),
            View::Nil | View::Int(-2) | View::Simple(b"none") => Some(false),
            View::Int(0) if matches!(self, Self::Length(_)) => Some(false),
            _ => Some(true),
        }
    }
}

/// These refusals come after the key was found; every other one comes before.
fn is_found_first(line: &[u8]) -> bool {
    line.starts_with(b"WRONGTYPE") || line.starts_with(b"ERR An LFU maxmemory policy")
}

/// Questions that travel together.
#[derive(Debug, Default)]
pub struct Flight {
    writer: Writer,
    title: &'static str,
    is_ping: bool,
}

impl Flight {
    pub fn clear(&mut self) {
        self.writer.clear();
        self.title = "";
        self.is_ping = false;
    }

    pub fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }

    pub fn replies(&self) -> usize {
        self.writer.commands()
    }

    /// What to call it when it gets no answer.
    pub fn title(&self) -> &'static str {
        self.title
    }

    pub fn is_ping(&self) -> bool {
        self.is_ping
    }

    pub fn ping(&mut self) {
        self.writer.command(&[b"PING"]);
        self.title = "PING";
        self.is_ping = true;
    }

    pub fn info(&mut self, section: &'static str) {
        self.writer.command(&[b"INFO", section.as_bytes()]);
        self.title = "INFO";
    }

    /// Which notifications the server sends.
    pub fn notifications(&mut self) {
        self.writer
            .command(&[b"CONFIG", b"GET", b"notify-keyspace-events"]);
        self.title = "CONFIG GET";
    }

    /// What the server has tracked by itself.
    pub fn hot_keys(&mut self) {
        self.writer.command(&[b"HOTKEYS", b"GET"]);
        self.title = "HOTKEYS GET";
    }

    /// What the server's clock says.
    pub fn time(&mut self) {
        self.writer.command(&[b"TIME"]);
        self.title = "TIME";
    }

    pub fn size(&mut self) {
        self.writer.command(&[b"DBSIZE"]);
        self.title = "DBSIZE";
    }

    pub fn scan(&mut self, cursor: &[u8], pattern: Option<&[u8]>, count: u64) {
        let count = count.to_string();
        let count = count.as_bytes();
        match pattern {
            Some(pattern) => {
                self.writer
                    .command(&[b"SCAN", cursor, b"MATCH", pattern, b"COUNT", count]);
            }
            None => self.writer.command(&[b"SCAN", cursor, b"COUNT", count]),
        }
        self.title = "SCAN";
    }

    /// Asks all that about a key.
    pub fn about(&mut self, questions: &[Question], key: &[u8]) {
        let heads = questions.iter().map(|question| question.head());
        self.writer.each(heads, key);
        if self.title.is_empty()
            && let Some(first) = questions.first()
        {
            self.title = first.words()[0];
        }
    }
}

pub fn refusal(line: &[u8]) -> Refusal {
    Refusal::from_line(&crate::text::escape(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::redis::commands::reading;
    use crate::engine::redis::link::command;

    const ALL: [Question; 12] = [
        Question::Kind,
        Question::Ttl,
        Question::Size,
        Question::Idle,
        Question::Frequency,
        Question::Encoding,
        Question::Value,
        Question::Length(Elements::Hash),
        Question::Length(Elements::List),
        Question::Length(Elements::Set),
        Question::Length(Elements::SortedSet),
        Question::Length(Elements::Stream),
    ];

    #[test]
    fn heads_are_the_words_on_the_wire() {
        for question in ALL {
            let mut flight = Flight::default();
            flight.about(&[question], b"key");
            let words = question.words().iter().map(|word| word.as_bytes());
            let words: Vec<&[u8]> = words.chain([&b"key"[..]]).collect();
            let mut writer = Writer::default();
            writer.command(&words);
            assert_eq!(flight.bytes(), writer.bytes(), "{question:?}");
        }
    }

    #[test]
    fn every_question_is_on_the_list_of_reading_commands() {
        for question in ALL {
            let entry = reading(&command(question.words()));
            let entry = entry.unwrap_or_else(|| panic!("{question:?}"));
            for (wire, view) in [
                (&b":0\r\n"[..], View::Int(0)),
                (b":7\r\n", View::Int(7)),
                (b"-WRONGTYPE x\r\n", View::Error(b"WRONGTYPE x")),
                (b"-NOPERM x\r\n", View::Error(b"NOPERM x")),
            ] {
                let reply = crate::engine::redis::reply::from_wire(wire);
                let expected = entry.counted(&reply);
                // A stream without entries is still there: XLEN tells the two apart no more than 0 does.
                if question != Question::Length(Elements::Stream) {
                    assert_eq!(question.counted(&view), expected, "{question:?} {view:?}");
                }
            }
        }
        for other in ["SCAN", "DBSIZE", "INFO", "PING"] {
            assert!(reading(&command(&[other])).is_some(), "{other}");
        }
    }
}
