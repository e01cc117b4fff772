//! Reading items out of replies, straight into blocks.

use crate::engine::Fault;
use crate::engine::memcached::batch::Dialect;
use crate::engine::memcached::codec::{RefusalKind, number, refusal};
use crate::engine::memcached::take::{Asked, MOST, MemcachedTake};
use crate::snapshot::items::{ItemFacts, Marks, ServerSecond};

/// A moment that was computed from the time left may be off by this: both clocks tick in seconds.
const UNSURE: u32 = 2;

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The line in front of a value, or instead of it.
    Head,
    /// Bytes of a value, as many as the block still wants.
    Value,
    /// The line end behind a value.
    ValueEnd,
    /// `END`, in the classic dialect.
    Close,
}

/// The line in front of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine::memcached) struct Head {
    pub length: usize,
    pub flags: u32,
    pub cas: Option<u64>,
    /// Seconds left.
    pub left: Option<Left>,
    /// `W`: the look took the recache token.
    pub won: bool,
    /// `X`
    pub is_stale: bool,
    /// `Z`: somebody else has the token.
    pub is_awaited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::memcached) enum Left {
    Never,
    Seconds(u32),
}

/// Reads `VA 2 f5 c7 t-1 W`; `None` when it is something else.
pub(in crate::engine::memcached) fn meta_head(line: &[u8]) -> Option<Head> {
    let mut words = line.strip_prefix(b"VA ")?.split(|byte| *byte == b' ');
    let mut head = Head {
        length: number(words.next()?)?,
        ..Head::default()
    };
    for word in words {
        let Some((flag, rest)) = word.split_first() else {
            continue;
        };
        match flag {
            b'f' => head.flags = number(rest)?,
            b'c' => head.cas = Some(number(rest)?),
            b't' if rest == b"-1" => head.left = Some(Left::Never),
            b't' => head.left = Some(Left::Seconds(number(rest)?)),
            b'W' => head.won = true,
            b'X' => head.is_stale = true,
            b'Z' => head.is_awaited = true,
            _ => {}
        }
    }
    Some(head)
}

/// Reads `VALUE key 5 2 7`.
pub(in crate::engine::memcached) fn classic_head(line: &[u8]) -> Option<Head> {
    let mut words = line.strip_prefix(b"VALUE ")?.split(|byte| *byte == b' ');
    words.next()?;
    let flags = number(words.next()?)?;
    let length = number(words.next()?)?;
    Some(Head {
        length,
        flags,
        cas: words.next().and_then(number),
        ..Head::default()
    })
}

/// When an item ends: as listed, unless what is left says otherwise; and whether it does.
///
/// The server said what is left at some moment between asking and reading, in its seconds: on a busy
/// machine these can be far apart.
pub(super) fn expiry(
    listed: Option<u32>,
    left: Option<Left>,
    when: Option<(u32, u32)>,
) -> (Option<u32>, bool) {
    match (listed, left) {
        (listed, None) => (listed, false),
        (None, Some(Left::Never)) => (None, false),
        (Some(_), Some(Left::Never)) => (None, true),
        (listed, Some(Left::Seconds(seconds))) => {
            let Some((asked, read)) = when else {
                // Without the server's clock the list is all there is.
                return (listed, false);
            };
            let earliest = asked.saturating_add(seconds).saturating_sub(UNSURE);
            let latest = read.saturating_add(seconds).saturating_add(UNSURE);
            match listed {
                Some(listed) if (earliest..=latest).contains(&listed) => (Some(listed), false),
                _ => (Some(read.saturating_add(seconds)), true),
            }
        }
    }
}

/// What a line in front of a value, or instead of it, meant for the block.
enum Step {
    /// More bytes are needed.
    Short,
    /// The block has to go first.
    Full,
    On,
}

impl MemcachedTake<'_> {
    /// Uses what has come. True when the block is full and has to be handed on.
    pub(super) fn read_replies(&mut self) -> Result<bool, Fault> {
        while !self.air.is_empty() {
            let step = match self.due {
                Due::Head => self.read_head()?,
                Due::Value => {
                    let unread = self.pipe.unread();
                    let piece = unread.len().min(self.block.owed());
                    self.block.extend(&unread[..piece]);
                    self.pipe.use_up(piece);
                    match self.block.owed() {
                        0 => {
                            self.due = Due::ValueEnd;
                            Step::On
                        }
                        _ => Step::Short,
                    }
                }
                Due::ValueEnd => match self.pipe.unread() {
                    [b'\r', b'\n', ..] => {
                        self.pipe.use_up(2);
                        match self.dialect {
                            Dialect::Meta => self.next_item(),
                            Dialect::Classic => self.due = Due::Close,
                        }
                        Step::On
                    }
                    [] | [b'\r'] => Step::Short,
                    other => return Err(self.pipe.garbled(other)),
                },
                Due::Close => match self.pipe.line()? {
                    None => Step::Short,
                    Some((b"END", taken)) => {
                        self.pipe.use_up(taken);
                        self.next_item();
                        Step::On
                    }
                    Some((other, _)) => return Err(self.pipe.garbled(other)),
                },
            };
            match step {
                Step::Short => return Ok(false),
                Step::Full => return Ok(true),
                Step::On if self.due == Due::Head && self.block.is_full() => return Ok(true),
                Step::On => {}
            }
        }
        Ok(false)
    }

    fn next_item(&mut self) {
        self.due = Due::Head;
        let Some(flight) = self.air.front_mut() else {
            return;
        };
        flight.at += 1;
        if flight.at == flight.items.len() {
            self.landed();
        }
    }

    fn read_head(&mut self) -> Result<Step, Fault> {
        let Some((line, taken)) = self.pipe.line()? else {
            return Ok(Step::Short);
        };
        let head = match self.dialect {
            Dialect::Meta => meta_head(line),
            Dialect::Classic => classic_head(line),
        };
        let Some(head) = head else {
            self.read_other(taken)?;
            return Ok(Step::On);
        };
        if head.length > MOST {
            return Err(self.pipe.garbled(line));
        }
        let Some((flight, asked)) = self
            .air
            .front()
            .and_then(|flight| Some((flight, *flight.items.get(flight.at)?)))
        else {
            return Err(self.pipe.garbled(line));
        };
        let key = flight.key(&asked);
        if self.block.is_crowded_by(key.len(), head.length) {
            return Ok(Step::Full);
        }
        let is_placeholder = head.length == 0 && !head.is_stale && (head.won || head.is_awaited);
        if is_placeholder {
            self.tally.placeholders += 1;
            self.due = Due::ValueEnd;
        } else {
            let (key, asked_at) = (key.to_vec(), flight.second);
            self.begin(&key, &asked, &head, asked_at)?;
            if let (true, Some(cas)) = (head.won, head.cas) {
                self.won(&key, cas);
            }
        }
        self.pipe.use_up(taken);
        Ok(Step::On)
    }

    fn begin(
        &mut self,
        key: &[u8],
        asked: &Asked,
        head: &Head,
        asked_at: Option<u32>,
    ) -> Result<(), Fault> {
        let when = match head.left {
            Some(Left::Seconds(_)) => asked_at.zip(self.server_second()),
            _ => None,
        };
        let (expires, is_other) = expiry(asked.expires, head.left, when);
        let is_rewritten = asked
            .cas
            .zip(head.cas)
            .is_some_and(|(listed, now)| listed != now);
        let facts = ItemFacts {
            flags: head.flags,
            expires: expires.map(ServerSecond),
            // Servers without CAS (-C) say 0.
            cas: head.cas.filter(|cas| *cas > 0),
            accessed: asked.accessed.map(ServerSecond),
            marks: Marks {
                is_stale: head.is_stale,
                is_awaited: head.is_awaited,
            },
        };
        self.block
            .begin(key, &facts, head.length)
            .map_err(|wrong| Fault::Setup(wrong.to_string()))?;
        self.tally.items += 1;
        self.tally.bytes += head.length as u64;
        self.tally.changed += u64::from(is_other || is_rewritten);
        self.tally.stale += u64::from(head.is_stale);
        self.due = Due::Value;
        Ok(())
    }

    /// A line that brings no value.
    fn read_other(&mut self, taken: usize) -> Result<(), Fault> {
        let line = &self.pipe.unread()[..taken];
        let line = line.trim_ascii_end();
        let is_gone = match self.dialect {
            Dialect::Meta => line.starts_with(b"EN"),
            Dialect::Classic => line == b"END",
        };
        if is_gone {
            self.tally.gone += 1;
        } else {
            match refusal(line) {
                // It knows no such command, and will not know it for the next item.
                Some(refused) if refused.kind == RefusalKind::Error => {
                    return Err(Fault::Refused {
                        command: "mg".into(),
                        why: refused.words,
                    });
                }
                Some(refused) => {
                    self.tally.refused += 1;
                    self.refusal.get_or_insert(refused.words);
                }
                None => return Err(self.pipe.garbled(line)),
            }
        }
        self.pipe.use_up(taken);
        self.next_item();
        Ok(())
    }
}
