//! A part of a name, looked for in names that stand in order.
//!
//! Names side by side begin alike, and a chunk says how far: where the part was found in the common
//! beginning it need not be looked for again, and where it was not, only what is new can hold it.

use memchr::memmem;

#[derive(Clone, Debug)]
pub struct Needle {
    /// In small letters where it folds.
    bytes: Vec<u8>,
    folds: bool,
    finder: memmem::Finder<'static>,
}

/// Where the part first ended in the name before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spot(Option<usize>);

impl Needle {
    /// `None` when there is nothing to look for.
    pub fn of(bytes: &[u8], folds: bool) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        // Where no letter is, nothing can be folded, and the plain search is the faster one.
        let folds = folds && bytes.iter().any(u8::is_ascii_alphabetic);
        let bytes = if folds {
            bytes.to_ascii_lowercase()
        } else {
            bytes.to_vec()
        };
        Some(Self {
            finder: memmem::Finder::new(&bytes).into_owned(),
            bytes,
            folds,
        })
    }

    /// Whether it is in a name that shares so many bytes with the one before.
    pub fn is_in(&self, name: &[u8], shared: usize, spot: &mut Spot) -> bool {
        if let Some(end) = spot.0
            && end <= shared
        {
            return true;
        }
        // What is new, and so much of what is not that the part may reach over the border.
        let from = shared.saturating_sub(self.bytes.len() - 1).min(name.len());
        spot.0 = self.end(&name[from..]).map(|end| from + end);
        spot.0.is_some()
    }

    fn end(&self, name: &[u8]) -> Option<usize> {
        let length = self.bytes.len();
        if !self.folds {
            return self.finder.find(name).map(|start| start + length);
        }
        // What is new of a name is so short that a plain loop is the fastest search.
        let first = self.bytes[0];
        name.windows(length)
            .position(|part| {
                part[0].to_ascii_lowercase() == first && part.eq_ignore_ascii_case(&self.bytes)
            })
            .map(|start| start + length)
    }
}
