//! The digest of a vector set (Redis 8): the same in whatever order its elements were saved.
//!
//! The module that keeps them saves a graph: elements come in the order of a list that every load turns
//! round, with the numbers and links of their nodes, which depend on chance. What a client put in is
//! the element, its vector and its attributes, so these are what is compared.
//!
//! As the module's `VectorSetRdbSave` writes it: dimension, elements, quantization and links, flags; a
//! projection where there is one; then for each element its name, its attributes where any has some,
//! its vector, and so many numbers, of which the last holds length and range of the vector.

use crate::snapshot::diff::digest;
use crate::snapshot::diff::mix::{Tag, mix};
use crate::snapshot::rdb::{ModuleId, ModulePart};

const TYPE: &str = "vectorset";
const VERSION: u16 = 0;

/// Flags of a saved set: what it has.
const HAS_PROJECTION: u64 = 1;
const HAS_ATTRIBUTES: u64 = 2;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Dimension,
    Elements,
    Form,
    Flags,
    ProjectedFrom,
    Projection,
    Name,
    Attributes,
    Vector,
    Numbers,
    Number { left: u64 },
}

/// Hears the parts of a vector set.
#[derive(Clone, Debug)]
pub(super) struct Vectors {
    due: Due,
    elements: u64,
    has_attributes: bool,
    /// Of what the elements have in common.
    common: u128,
    element: u128,
    sum: u128,
    /// It is not saved as is known here.
    is_strange: bool,
}

impl Vectors {
    /// `None` for what another module keeps, or this one in a form that is not known.
    pub fn of(id: ModuleId) -> Option<Self> {
        (id.version() == VERSION && id.name() == TYPE).then_some(Self {
            due: Due::Dimension,
            elements: 0,
            has_attributes: false,
            common: 0,
            element: 0,
            sum: 0,
            is_strange: false,
        })
    }

    pub fn take(&mut self, part: ModulePart) {
        let ModulePart::Unsigned(number) = part else {
            self.is_strange = true;
            return;
        };
        self.due = match self.due {
            Due::Dimension => {
                self.share(number.into());
                Due::Elements
            }
            Due::Elements => {
                self.elements = number;
                Due::Form
            }
            Due::Form => {
                self.share(number.into());
                Due::Flags
            }
            Due::Flags => {
                self.has_attributes = number & HAS_ATTRIBUTES != 0;
                self.is_strange |= number & !(HAS_PROJECTION | HAS_ATTRIBUTES) != 0;
                if number & HAS_PROJECTION != 0 {
                    Due::ProjectedFrom
                } else {
                    Due::Name
                }
            }
            Due::ProjectedFrom => {
                self.share(number.into());
                Due::Projection
            }
            Due::Numbers if number > 0 => Due::Number { left: number },
            Due::Number { left: 1 } => {
                self.sum = self.sum.wrapping_add(self.with(number.into()));
                self.elements = self.elements.wrapping_sub(1);
                Due::Name
            }
            Due::Number { left } => Due::Number { left: left - 1 },
            other => {
                self.is_strange = true;
                other
            }
        };
    }

    /// The digest of a string among the parts.
    pub fn take_text(&mut self, text: u128) {
        self.due = match self.due {
            Due::Projection => {
                self.share(text);
                Due::Name
            }
            Due::Name => {
                self.element = text;
                if self.has_attributes {
                    Due::Attributes
                } else {
                    // A set without any writes none, and one with some writes an empty one.
                    self.element = self.with(digest(b""));
                    Due::Vector
                }
            }
            Due::Attributes => {
                self.element = self.with(text);
                Due::Vector
            }
            Due::Vector => {
                self.element = self.with(text);
                Due::Numbers
            }
            other => {
                self.is_strange = true;
                other
            }
        };
    }

    /// `None` when it was not what it should be.
    pub fn finish(&self) -> Option<u128> {
        let is_whole = self.due == Due::Name && self.elements == 0;
        (is_whole && !self.is_strange).then(|| mix(Tag::Module, self.common, self.sum))
    }

    fn share(&mut self, fact: u128) {
        self.common = mix(Tag::Module, self.common, fact);
    }

    fn with(&self, fact: u128) -> u128 {
        mix(Tag::Pair, self.element, fact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `vectorset`, in the signs of a type's name, of this version.
    fn id(version: u64) -> ModuleId {
        const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let place = |sign| SIGNS.iter().position(|one| *one == sign).unwrap() as u64;
        let name = TYPE.bytes().fold(0, |all, sign| all << 6 | place(sign));
        ModuleId(name << 10 | version)
    }

    type Element = (&'static [u8], &'static [u8], &'static [u8], u64);

    /// The digest of a set of these elements: name, attributes, vector, its range and length. The
    /// numbers of nodes are as given.
    fn digested(flags: u64, elements: &[Element], node: u64) -> Option<u128> {
        let mut vectors = Vectors::of(id(0)).unwrap();
        let numbers = |vectors: &mut Vectors, numbers: &[u64]| {
            for number in numbers {
                vectors.take(ModulePart::Unsigned(*number));
            }
        };
        numbers(&mut vectors, &[3, elements.len() as u64, 0x1001, flags]);
        for (name, attributes, vector, range) in elements {
            vectors.take_text(digest(name));
            if flags & HAS_ATTRIBUTES != 0 {
                vectors.take_text(digest(attributes));
            }
            vectors.take_text(digest(vector));
            numbers(&mut vectors, &[4, node, 0, 7, *range]);
        }
        vectors.finish()
    }

    const A: Element = (b"a", b"", b"xyz", 10);
    const B: Element = (b"b", b"", b"zyx", 11);

    #[test]
    fn neither_order_nor_nodes_matter() {
        let told = digested(0, &[A, B], 1);
        assert!(told.is_some());
        assert_eq!(digested(0, &[B, A], 2), told);
        // Attributes that are empty are none.
        assert_eq!(digested(HAS_ATTRIBUTES, &[A, B], 1), told);
    }

    #[test]
    fn names_vectors_lengths_and_attributes_matter() {
        let told = digested(HAS_ATTRIBUTES, &[A, B], 1);
        for other in [
            (&b"c"[..], A.1, A.2, A.3),
            (A.0, b"{}", A.2, A.3),
            (A.0, A.1, b"xyy", A.3),
            (A.0, A.1, A.2, 12),
        ] {
            assert_ne!(digested(HAS_ATTRIBUTES, &[other, B], 1), told);
        }
        assert_ne!(digested(HAS_ATTRIBUTES, &[A], 1), told);
    }

    #[test]
    fn what_is_saved_in_another_way_is_not_guessed_at() {
        assert!(Vectors::of(id(1)).is_none());
        assert!(Vectors::of(ModuleId(0xb5eb_2dff_fadd_6c01)).is_none());
        assert_eq!(digested(4, &[A], 1), None);
        let mut vectors = Vectors::of(id(0)).unwrap();
        vectors.take(ModulePart::Float(1.0));
        assert_eq!(vectors.finish(), None);
    }
}
