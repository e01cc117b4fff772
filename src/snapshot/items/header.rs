//! What a file of items says of itself: where it is from, and how it ended.

use crate::model::UnixMs;
use crate::snapshot::items::Wrong;

/// Where and when items were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The server's place, safe to show.
    pub place: String,
    /// The server's version as it said it, safe to show.
    pub version: String,
    /// Our clock when it began.
    pub began: Option<UnixMs>,
    /// How far our clock was ahead of the server's, in milliseconds; `None`: not known.
    pub clock_ahead_ms: Option<i64>,
    /// How many items the server said it had.
    pub items: Option<u64>,
    /// The listing went by queues, and items may move between them: some may be missing or double.
    pub may_miss: bool,
}

/// What stands at the end of a whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    pub blocks: u64,
    pub items: u64,
    /// Keys, heads and values, unpacked.
    pub bytes: u64,
    /// Our clock when it ended.
    pub ended: Option<UnixMs>,
    /// Listed, and gone when they were fetched.
    pub gone: u64,
    /// Written to by others between being listed and being fetched; the later state is what was kept.
    pub changed: u64,
    /// Listed, and not to be had: their names cannot be sent, or they are too large.
    pub left_out: u64,
}

// Fields are (tag, length, bytes), so that later versions can say more and be read all the same.
const PLACE: u8 = 1;
const SERVER: u8 = 2;
const BEGAN: u8 = 3;
const AHEAD: u8 = 4;
const COUNT: u8 = 5;
const MAY_MISS: u8 = 6;
const BLOCKS: u8 = 16;
const ITEMS: u8 = 17;
const BYTES: u8 = 18;
const ENDED: u8 = 19;
const GONE: u8 = 20;
const CHANGED: u8 = 21;
const LEFT_OUT: u8 = 22;

impl Header {
    pub(super) fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        field(&mut out, PLACE, self.place.as_bytes());
        field(&mut out, SERVER, self.version.as_bytes());
        if let Some(began) = self.began {
            field(&mut out, BEGAN, &began.0.to_le_bytes());
        }
        if let Some(ahead) = self.clock_ahead_ms {
            field(&mut out, AHEAD, &ahead.to_le_bytes());
        }
        if let Some(items) = self.items {
            field(&mut out, COUNT, &items.to_le_bytes());
        }
        if self.may_miss {
            field(&mut out, MAY_MISS, &[]);
        }
        out
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let mut header = Self::default();
        fields(bytes, |tag, bytes| {
            match tag {
                PLACE => header.place = words(bytes)?,
                SERVER => header.version = words(bytes)?,
                BEGAN => header.began = Some(UnixMs(i64::from_le_bytes(number(bytes)?))),
                AHEAD => header.clock_ahead_ms = Some(i64::from_le_bytes(number(bytes)?)),
                COUNT => header.items = Some(u64::from_le_bytes(number(bytes)?)),
                MAY_MISS => header.may_miss = true,
                _ => {}
            }
            Ok(())
        })?;
        Ok(header)
    }
}

impl End {
    pub(super) fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (tag, count) in [
            (BLOCKS, self.blocks),
            (ITEMS, self.items),
            (BYTES, self.bytes),
            (GONE, self.gone),
            (CHANGED, self.changed),
            (LEFT_OUT, self.left_out),
        ] {
            field(&mut out, tag, &count.to_le_bytes());
        }
        if let Some(ended) = self.ended {
            field(&mut out, ENDED, &ended.0.to_le_bytes());
        }
        out
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let mut end = Self::default();
        fields(bytes, |tag, bytes| {
            let count = match tag {
                BLOCKS => &mut end.blocks,
                ITEMS => &mut end.items,
                BYTES => &mut end.bytes,
                GONE => &mut end.gone,
                CHANGED => &mut end.changed,
                LEFT_OUT => &mut end.left_out,
                ENDED => {
                    end.ended = Some(UnixMs(i64::from_le_bytes(number(bytes)?)));
                    return Ok(());
                }
                _ => return Ok(()),
            };
            *count = u64::from_le_bytes(number(bytes)?);
            Ok(())
        })?;
        Ok(end)
    }
}

fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(u16::MAX.into())];
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.push(tag);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

fn fields(
    mut rest: &[u8],
    mut take: impl FnMut(u8, &[u8]) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    const CUT: Wrong = Wrong::Damaged("a field is cut");
    while let Some((head, after)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([head[1], head[2]]));
        let (bytes, after) = after.split_at_checked(length).ok_or(CUT)?;
        take(head[0], bytes)?;
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(CUT) }
}

fn number<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Wrong> {
    bytes
        .try_into()
        .map_err(|_| Wrong::Damaged("a number has another length"))
}

/// Words of a file are foreign: they become safe to show here.
fn words(bytes: &[u8]) -> Result<String, Wrong> {
    let words = std::str::from_utf8(bytes);
    let words = words.map_err(|_| Wrong::Damaged("words are no text"))?;
    if words.is_empty() {
        return Ok(String::new());
    }
    Ok(crate::text::escape(words.as_bytes()))
}
