//! Values, told element by element.

use std::io::Read;

use crate::model::UnixMs;
use crate::snapshot::SnapshotError;
use crate::snapshot::rdb::element::{Element, PIECE, Piece, Role, Teller, Visitor};
use crate::snapshot::rdb::packed::{Form, Items, Value};
use crate::snapshot::rdb::types::{Ends, Holds, Layout, Type};
use crate::snapshot::rdb::{ModuleId, Reader, module};

type Result<T> = std::result::Result<T, SnapshotError>;
type Packed<T> = std::result::Result<T, &'static str>;

impl<'a> Piece<'a> {
    /// A string that is here whole.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            from: 0,
            whole: bytes.len() as u64,
        }
    }
}

impl<R: Read> Reader<R> {
    /// Tells the value of the key that was told last, element by element, and passes it; nothing when
    /// it was read already.
    ///
    /// # Errors
    /// When the value cannot be read. What was told before is true all the same.
    pub fn visit(&mut self, visitor: &mut impl Visitor) -> Result<()> {
        let Some(found) = self.begin_value() else {
            return Ok(());
        };
        self.tell(found, &mut Teller::new(visitor))
    }

    fn tell<V: Visitor>(&mut self, found: &Type, teller: &mut Teller<'_, V>) -> Result<()> {
        match found.layout {
            Layout::Text => self.text_element("a string", teller, Role::Text),
            Layout::Plain if found.holds == Holds::List => self.plain(teller, Role::Item),
            Layout::Plain => self.plain(teller, Role::Member),
            Layout::PlainPairs if found.holds == Holds::SortedSet => self.scored(teller, false),
            Layout::PlainPairs => self.fields(teller),
            Layout::ScoresAsText => self.scored(teller, true),
            Layout::Packed(form) => self.packed_elements(form, found.holds, teller),
            Layout::Quicklist => self.quicklist_items(false, teller),
            Layout::Quicklist2 => self.quicklist_items(true, teller),
            Layout::FieldsWithEnds(ends) => self.fields_and_ends(ends, teller),
            Layout::PackedWithEnds { has_least } => {
                if has_least {
                    self.source.skip(8, "the earliest expiry of fields")?;
                }
                self.packed_fields_and_ends(teller)
            }
            Layout::Stream(version) => self.stream(version, teller),
            Layout::Module => {
                let id = ModuleId(self.source.length("the type of a module")?);
                teller.tell(Element::ModuleType(id));
                // Two closures listen, so what they hear goes through one cell.
                let teller = std::cell::RefCell::new(teller);
                module::parts(
                    &mut self.source,
                    &mut self.scratch,
                    |part| teller.borrow_mut().tell(Element::Module(part)),
                    |bytes, from, whole| {
                        let piece = Piece { bytes, from, whole };
                        teller.borrow_mut().tell(Element::ModuleText(piece));
                    },
                )
            }
        }
    }

    /// Tells a string, in pieces when it is long.
    pub(super) fn text_element<V: Visitor>(
        &mut self,
        expected: &'static str,
        teller: &mut Teller<'_, V>,
        role: Role,
    ) -> Result<()> {
        let text = self.source.text(expected)?;
        let whole = text.len();
        if whole <= PIECE {
            let bytes = self.source.whole(text, &mut self.scratch, expected)?;
            teller.tell(role.of(Piece::of(bytes)));
            return Ok(());
        }
        let mut from = 0;
        self.source
            .pieces(text, &mut self.scratch, expected, |bytes| {
                teller.tell(role.of(Piece { bytes, from, whole }));
                from += bytes.len() as u64;
            })
    }

    fn plain<V: Visitor>(&mut self, teller: &mut Teller<'_, V>, role: Role) -> Result<()> {
        for _ in 0..self.source.length("the number of elements")? {
            self.text_element("an element", teller, role)?;
        }
        Ok(())
    }

    fn fields<V: Visitor>(&mut self, teller: &mut Teller<'_, V>) -> Result<()> {
        for _ in 0..self.source.length("the number of fields")? {
            self.text_element("a field", teller, Role::Field)?;
            self.text_element("the value of a field", teller, Role::FieldValue)?;
        }
        Ok(())
    }

    fn fields_and_ends<V: Visitor>(
        &mut self,
        ends: Ends,
        teller: &mut Teller<'_, V>,
    ) -> Result<()> {
        const MOMENT: &str = "the expiry of a field";
        let least = match ends {
            Ends::FromLeast => i64::from_le_bytes(self.source.array(MOMENT)?),
            Ends::Absolute | Ends::Behind => 0,
        };
        for _ in 0..self.source.length("the number of fields")? {
            let before = match ends {
                Ends::Behind => None,
                Ends::Absolute => Some(self.source.length(MOMENT)?.cast_signed()),
                // 0 is never, so that the earliest itself is 1.
                Ends::FromLeast => match self.source.length(MOMENT)?.cast_signed() {
                    0 => Some(0),
                    later => Some(least.wrapping_add(later).wrapping_sub(1)),
                },
            };
            self.text_element("a field", teller, Role::Field)?;
            self.text_element("the value of a field", teller, Role::FieldValue)?;
            let end = match before {
                Some(end) => Some(end).filter(|end| *end != 0),
                None => {
                    Some(i64::from_le_bytes(self.source.array(MOMENT)?)).filter(|end| *end != -1)
                }
            };
            if let Some(end) = end {
                teller.tell(Element::FieldEnds(UnixMs(end)));
            }
        }
        Ok(())
    }

    fn scored<V: Visitor>(&mut self, teller: &mut Teller<'_, V>, is_text: bool) -> Result<()> {
        for _ in 0..self.source.length("the number of members")? {
            self.text_element("a member", teller, Role::Scored)?;
            let score = if is_text {
                self.score_of_text()?
            } else {
                f64::from_le_bytes(self.source.array("a score")?)
            };
            teller.tell(Element::Score(score));
        }
        Ok(())
    }

    fn score_of_text(&mut self) -> Result<f64> {
        let at = self.source.offset();
        match self.source.byte("a score")? {
            253 => Ok(f64::NAN),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            length => score(self.source.take(usize::from(length), "a score")?)
                .map_err(|what| SnapshotError::Corrupt { at, what }),
        }
    }

    fn quicklist_items<V: Visitor>(
        &mut self,
        has_containers: bool,
        teller: &mut Teller<'_, V>,
    ) -> Result<()> {
        for _ in 0..self.source.length("the number of nodes")? {
            match self.container(has_containers)? {
                Some(form) => self.packed_elements(form, Holds::List, teller)?,
                None => self.text_element("an element", teller, Role::Item)?,
            }
        }
        Ok(())
    }

    fn packed_elements<V: Visitor>(
        &mut self,
        form: Form,
        holds: Holds,
        teller: &mut Teller<'_, V>,
    ) -> Result<()> {
        self.items(form, |items| match holds {
            Holds::Hash => pairs(items, |field, value| {
                teller.tell(Element::Field(Piece::of(field.bytes(&mut [0; 20]))));
                teller.tell(Element::FieldValue(Piece::of(value.bytes(&mut [0; 20]))));
                Ok(())
            }),
            Holds::SortedSet => pairs(items, |member, value| {
                let score = score_of(value)?;
                teller.tell(Element::Scored(Piece::of(member.bytes(&mut [0; 20]))));
                teller.tell(Element::Score(score));
                Ok(())
            }),
            _ => {
                for item in items {
                    let mut digits = [0; 20];
                    let piece = Piece::of(item?.bytes(&mut digits));
                    teller.tell(if holds == Holds::List {
                        Element::Item(piece)
                    } else {
                        Element::Member(piece)
                    });
                }
                Ok(())
            }
        })
    }

    fn packed_fields_and_ends<V: Visitor>(&mut self, teller: &mut Teller<'_, V>) -> Result<()> {
        self.items(Form::Listpack, |mut items| {
            while let Some(field) = items.next() {
                let field = field?;
                let value = next(&mut items)?;
                let end = next(&mut items)?.number().ok_or(NO_MOMENT)?;
                teller.tell(Element::Field(Piece::of(field.bytes(&mut [0; 20]))));
                teller.tell(Element::FieldValue(Piece::of(value.bytes(&mut [0; 20]))));
                if end != 0 {
                    teller.tell(Element::FieldEnds(UnixMs(end)));
                }
            }
            Ok(())
        })
    }

    fn items(&mut self, form: Form, each: impl FnOnce(Items<'_>) -> Packed<()>) -> Result<()> {
        const EXPECTED: &str = "a packed collection";
        let at = self.source.offset();
        let text = self.source.text(EXPECTED)?;
        let bytes = self.source.whole(text, &mut self.scratch, EXPECTED)?;
        Items::of(form, bytes)
            .and_then(each)
            .map_err(|what| SnapshotError::Corrupt { at, what })
    }
}

const NO_MOMENT: &str = "a field whose expiry is no number";
const NO_PAIR: &str = "packed pairs of which the last is incomplete";

fn next<'a>(items: &mut Items<'a>) -> Packed<Value<'a>> {
    items.next().ok_or(NO_PAIR)?
}

fn pairs<'a>(
    mut items: Items<'a>,
    mut each: impl FnMut(Value<'a>, Value<'a>) -> Packed<()>,
) -> Packed<()> {
    while let Some(first) = items.next() {
        let first = first?;
        each(first, next(&mut items)?)?;
    }
    Ok(())
}

fn score_of(value: Value<'_>) -> Packed<f64> {
    match value {
        Value::Int(number) => Ok(number as f64),
        Value::Text(text) => score(text),
    }
}

fn score(text: &[u8]) -> Packed<f64> {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or("a score that is no number")
}
