//! How large a value is, found out by passing over it.

use std::io::Read;

use crate::model::Bytes;
use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::memory::{self, Sizes};
use crate::snapshot::rdb::packed::{self, Form, Items};
use crate::snapshot::rdb::source::Text;
use crate::snapshot::rdb::types::{Ends, Holds, Layout, Type};
use crate::snapshot::rdb::{Reader, module};

/// How large a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Elements of a collection, bytes of a string; 0 for what a module keeps.
    pub length: u64,
    /// What it takes in the file, without key and type.
    pub stored: Bytes,
    /// What the key takes in a server, as `MEMORY USAGE` would say: an estimate.
    pub memory: Bytes,
}

/// Length and memory, without the key's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measure {
    pub length: u64,
    pub memory: u64,
}

type Result<T> = std::result::Result<T, SnapshotError>;

impl<R: Read> Reader<R> {
    /// Passes the value of the key that was told last, and tells how large it is; nothing when it was
    /// read already.
    ///
    /// # Errors
    /// When the value cannot be read.
    #[inline]
    pub fn skip(&mut self) -> Result<Shape> {
        match self.begin_value() {
            Some(found) => self.shape(found),
            None => Ok(Shape::default()),
        }
    }

    /// Passes a value that nobody asked for.
    pub(super) fn pass(&mut self, found: &'static Type) -> Result<()> {
        self.begin_value();
        self.shape(found).map(drop)
    }

    #[inline]
    pub(super) fn shape(&mut self, found: &Type) -> Result<Shape> {
        let start = self.source.offset();
        let sizes = Sizes::of(self.header);
        let name = self.head.name.len() as u64;
        let (length, memory) = if found.layout == Layout::Text {
            let text = self.source.text("a string")?;
            self.source.skip_text(text, "a string")?;
            let length = text.len();
            (
                length,
                sizes.text(name, length, self.head.encoding == "int"),
            )
        } else {
            let measure = self.measure(found, &sizes)?;
            let memory = sizes.key(name).saturating_add(measure.memory);
            (measure.length, memory)
        };
        Ok(Shape {
            length,
            stored: Bytes(self.source.offset() - start),
            memory: Bytes(memory),
        })
    }

    fn measure(&mut self, found: &Type, sizes: &Sizes) -> Result<Measure> {
        match found.layout {
            Layout::Text => Ok(Measure::default()),
            Layout::Plain if found.holds == Holds::List => self.old_list(),
            Layout::Plain => self.table(sizes, 1),
            Layout::PlainPairs if found.holds == Holds::SortedSet => self.sorted_set(sizes, false),
            Layout::PlainPairs => self.table(sizes, 2),
            Layout::ScoresAsText => self.sorted_set(sizes, true),
            Layout::Packed(form) => {
                let (items, bytes) = self.packed(form)?;
                let per_element = match found.holds {
                    Holds::Hash | Holds::SortedSet => 2,
                    _ => 1,
                };
                Ok(Measure {
                    length: items / per_element,
                    memory: memory::class(bytes),
                })
            }
            Layout::Quicklist => self.quicklist(false),
            Layout::Quicklist2 => self.quicklist(true),
            Layout::FieldsWithEnds(ends) => self.fields_with_ends(sizes, ends),
            Layout::PackedWithEnds { has_least } => {
                if has_least {
                    self.source.skip(8, "the earliest expiry of fields")?;
                }
                let (items, bytes) = self.packed(Form::Listpack)?;
                Ok(Measure {
                    length: items / 3,
                    // Its own structure beside the listpack.
                    memory: memory::class(bytes) + 32,
                })
            }
            Layout::Stream(version) => self.stream_shape(version),
            Layout::Module => {
                self.source.length("the type of a module")?;
                let bytes = module::skip(&mut self.source)?;
                Ok(Measure {
                    length: 0,
                    memory: memory::class(bytes),
                })
            }
        }
    }

    fn element(&mut self) -> Result<Text> {
        const EXPECTED: &str = "an element";
        let text = self.source.text(EXPECTED)?;
        self.source.skip_text(text, EXPECTED)?;
        Ok(text)
    }

    /// A list that was written element by element is put into nodes of 8 KiB.
    fn old_list(&mut self) -> Result<Measure> {
        let length = self.source.length("the number of elements")?;
        let mut bytes = 0_u64;
        for _ in 0..length {
            bytes = bytes.saturating_add(self.element()?.len().saturating_add(2));
        }
        let nodes = bytes / 8_192 + 1;
        let memory = memory::quicklist(nodes).saturating_add(memory::class(bytes));
        Ok(Measure { length, memory })
    }

    fn table(&mut self, sizes: &Sizes, strings: u64) -> Result<Measure> {
        let length = self.source.length("the number of elements")?;
        let mut bytes = 0_u64;
        for _ in 0..length {
            for _ in 0..strings {
                bytes = bytes.saturating_add(memory::string(self.element()?.len()));
            }
        }
        let memory = sizes.table(length).saturating_add(bytes);
        Ok(Measure { length, memory })
    }

    fn fields_with_ends(&mut self, sizes: &Sizes, ends: Ends) -> Result<Measure> {
        const MOMENT: &str = "the expiry of a field";
        let least = if ends == Ends::FromLeast { 8 } else { 0 };
        self.source.skip(least, MOMENT)?;
        let length = self.source.length("the number of fields")?;
        let mut bytes = 0_u64;
        for _ in 0..length {
            if ends != Ends::Behind {
                self.source.length(MOMENT)?;
            }
            for _ in 0..2 {
                bytes = bytes.saturating_add(memory::string(self.element()?.len()));
            }
            if ends == Ends::Behind {
                self.source.skip(8, MOMENT)?;
            }
            bytes = bytes.saturating_add(16);
        }
        let memory = sizes.table(length).saturating_add(bytes);
        Ok(Measure { length, memory })
    }

    fn sorted_set(&mut self, sizes: &Sizes, is_text: bool) -> Result<Measure> {
        let length = self.source.length("the number of members")?;
        let mut bytes = 0_u64;
        for _ in 0..length {
            bytes = bytes.saturating_add(memory::string(self.element()?.len()));
            let score = if is_text {
                match self.source.byte("a score")? {
                    253..=255 => 0,
                    length => u64::from(length),
                }
            } else {
                8
            };
            self.source.skip(score, "a score")?;
        }
        let memory = sizes.sorted_set(length).saturating_add(bytes);
        Ok(Measure { length, memory })
    }

    fn quicklist(&mut self, has_containers: bool) -> Result<Measure> {
        let nodes = self.source.length("the number of nodes")?;
        let mut measure = Measure::default();
        for _ in 0..nodes {
            let form = self.container(has_containers)?;
            let (items, bytes) = match form {
                Some(form) => self.packed(form)?,
                None => (1, self.element()?.len()),
            };
            measure.length = measure.length.saturating_add(items);
            measure.memory = measure.memory.saturating_add(memory::class(bytes));
        }
        let own = if self.head.encoding == "listpack" {
            0
        } else {
            memory::quicklist(nodes)
        };
        measure.memory = measure.memory.saturating_add(own);
        Ok(measure)
    }

    /// How a node of a list is packed; `None` when it is one element as it stands.
    pub(super) fn container(&mut self, has_containers: bool) -> Result<Option<Form>> {
        if !has_containers {
            return Ok(Some(Form::Ziplist));
        }
        let at = self.source.offset();
        match self.source.length("the kind of a node")? {
            1 => Ok(None),
            2 => Ok(Some(Form::Listpack)),
            _ => Err(SnapshotError::Corrupt {
                at,
                what: "a node of a list of an unknown kind",
            }),
        }
    }

    /// Passes a packed collection: how many items it has, and how long it is.
    pub(super) fn packed(&mut self, form: Form) -> Result<(u64, u64)> {
        const EXPECTED: &str = "a packed collection";
        let at = self.source.offset();
        let text = self.source.text(EXPECTED)?;
        let ahead = match text {
            Text::Plain(length) if length >= packed::HEAD as u64 => {
                self.source.peek(packed::HEAD)?
            }
            _ => &[],
        };
        // Most tell their count in front; the others are gone through.
        let head = <&[u8; packed::HEAD]>::try_from(ahead).ok();
        if let Some(items) = head.and_then(|head| packed::told(form, head)) {
            self.source.skip_text(text, EXPECTED)?;
            return Ok((items, text.len()));
        }
        if let Text::Packed { .. } = text
            && let Some(items) = self.told_of_compressed(form, text)?
        {
            return Ok((items, text.len()));
        }
        let bytes = self.source.whole(text, &mut self.scratch, EXPECTED)?;
        let corrupt = |what| SnapshotError::Corrupt { at, what };
        let mut items = 0;
        for item in Items::of(form, bytes).map_err(corrupt)? {
            item.map_err(corrupt)?;
            items += 1;
        }
        Ok((items, text.len()))
    }

    /// Inflates only the front of a compressed collection where that tells how many items it has, and
    /// then passes it.
    fn told_of_compressed(&mut self, form: Form, text: Text) -> Result<Option<u64>> {
        let head = self.source.head_of_compressed::<{ packed::HEAD }>(text)?;
        let Some(items) = head.and_then(|head| packed::told(form, &head)) else {
            return Ok(None);
        };
        self.source.skip_text(text, "a packed collection")?;
        Ok(Some(items))
    }
}
