//! A window of a value, out of the elements that a snapshot tells.

use std::io::Read;
use std::ops::ControlFlow;

use crate::model::{Bytes, KeyKind, Part, StreamEntry, UnixMs, Value, Window};
use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::{Element, Piece, Reader};

/// The window of the value that the reader stands before. `of` is its length.
pub fn read<R: Read>(
    reader: &mut Reader<R>,
    window: Window,
    of: u64,
    most: Bytes,
) -> Result<Value, SnapshotError> {
    let kind = reader.head().kind.clone();
    let Some(part) = empty(&kind) else {
        let words = format!(
            "a value of {}: what it means is known to its module alone",
            crate::text::escape(kind.word().as_bytes())
        );
        return Ok(Value {
            part: Part::Opaque(words),
            from: 0,
            of: None,
            cut: None,
        });
    };
    let mut hearing = Hearing {
        from: window.from,
        to: window.from.saturating_add(window.count),
        at: 0,
        part,
        left: usize::try_from(most.0).unwrap_or(usize::MAX),
        is_cut: false,
        string: Vec::new(),
        field: Vec::new(),
        is_told: false,
    };
    reader.visit(&mut |element: Element<'_>| hearing.hear(element))?;
    let cut = hearing
        .is_cut
        .then(|| format!("the window was cut at {most}, the most that is shown at a time"));
    Ok(Value {
        part: hearing.part,
        from: window.from,
        of: Some(of),
        cut,
    })
}

fn empty(kind: &KeyKind) -> Option<Part> {
    Some(match kind {
        KeyKind::String => Part::Text(Vec::new()),
        KeyKind::List => Part::List(Vec::new()),
        KeyKind::Set => Part::Set(Vec::new()),
        KeyKind::Hash => Part::Hash(Vec::new()),
        KeyKind::SortedSet => Part::SortedSet(Vec::new()),
        KeyKind::Stream => Part::Stream(Vec::new()),
        KeyKind::Item | KeyKind::Other(_) => return None,
    })
}

/// Listens to a value and keeps what is in the window.
struct Hearing {
    from: u64,
    to: u64,
    /// The element that comes, or goes on.
    at: u64,
    part: Part,
    /// Bytes that may be kept still.
    left: usize,
    is_cut: bool,
    /// What was heard of the string that goes on.
    string: Vec<u8>,
    /// A field whose value comes.
    field: Vec<u8>,
    /// Whether the entry of a stream that goes on is in the window.
    is_told: bool,
}

impl Hearing {
    fn hear(&mut self, element: Element<'_>) -> ControlFlow<()> {
        match element {
            Element::Text(piece) => self.text(piece),
            Element::Item(piece) | Element::Member(piece) => {
                if let Some(string) = self.whole(piece) {
                    match &mut self.part {
                        Part::List(list) | Part::Set(list) => list.push(string),
                        _ => {}
                    }
                }
                self.at += u64::from(piece.is_last());
            }
            Element::Field(piece) | Element::Scored(piece) => {
                if let Some(string) = self.whole(piece) {
                    self.field = string;
                }
            }
            Element::FieldValue(piece) => {
                if let Some(string) = self.whole(piece)
                    && let Part::Hash(pairs) = &mut self.part
                {
                    pairs.push((std::mem::take(&mut self.field), string));
                }
                self.at += u64::from(piece.is_last());
            }
            Element::Score(score) => {
                if self.is_wanted()
                    && let Part::SortedSet(members) = &mut self.part
                {
                    members.push((std::mem::take(&mut self.field), score));
                }
                self.at += 1;
            }
            Element::Entry { id, is_deleted } => {
                self.is_told = !is_deleted && self.is_wanted();
                if self.is_told
                    && let Part::Stream(entries) = &mut self.part
                {
                    entries.push(StreamEntry {
                        id: id.to_string(),
                        at: i64::try_from(id.ms).ok().map(UnixMs),
                        fields: Vec::new(),
                    });
                }
                self.at += u64::from(!is_deleted);
                // Its fields come after it, so the end of the window shows at the entry behind.
                return self.until(self.at > self.to);
            }
            Element::EntryField(piece) if self.is_told => {
                if let Some(string) = self.gathered(piece) {
                    self.field = string;
                }
            }
            Element::EntryValue(piece) if self.is_told => {
                if let Some(string) = self.gathered(piece)
                    && let Part::Stream(entries) = &mut self.part
                    && let Some(entry) = entries.last_mut()
                {
                    entry.fields.push((std::mem::take(&mut self.field), string));
                }
            }
            Element::EntryField(_) | Element::EntryValue(_) => {}
            // What stands behind the entries of a stream, and expiries of fields.
            _ => return ControlFlow::Continue(()),
        }
        let is_over = self.at >= self.to && !matches!(self.part, Part::Stream(_));
        self.until(is_over)
    }

    fn until(&self, is_over: bool) -> ControlFlow<()> {
        if is_over || self.left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn is_wanted(&self) -> bool {
        (self.from..self.to).contains(&self.at)
    }

    /// Of a string the window counts bytes.
    fn text(&mut self, piece: Piece<'_>) {
        let end = piece.from + piece.bytes.len() as u64;
        let (from, to) = (self.from.max(piece.from), self.to.min(end));
        if from < to {
            let within = |at: u64| usize::try_from(at - piece.from).unwrap_or(usize::MAX);
            let bytes = &piece.bytes[within(from)..within(to)];
            let kept = self.kept(bytes);
            if let Part::Text(text) = &mut self.part {
                text.extend_from_slice(&bytes[..kept]);
            }
        }
        self.at = end;
    }

    /// The string of an element in the window, when it is here to its end.
    fn whole(&mut self, piece: Piece<'_>) -> Option<Vec<u8>> {
        if self.is_wanted() {
            self.gathered(piece)
        } else {
            None
        }
    }

    fn gathered(&mut self, piece: Piece<'_>) -> Option<Vec<u8>> {
        let kept = self.kept(piece.bytes);
        self.string.extend_from_slice(&piece.bytes[..kept]);
        piece.is_last().then(|| std::mem::take(&mut self.string))
    }

    /// How much of these bytes there is room for.
    fn kept(&mut self, bytes: &[u8]) -> usize {
        let kept = bytes.len().min(self.left);
        self.is_cut |= kept < bytes.len();
        self.left -= kept;
        kept
    }
}
