//! Where folders end in a name.

use memchr::{memchr, memchr2, memmem};

/// What separates the segments of names: one or several texts of one or more bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delimiters(Vec<Vec<u8>>);

impl Delimiters {
    pub fn of(delimiters: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(
            delimiters
                .into_iter()
                .filter(|one| !one.is_empty())
                .collect(),
        )
    }

    /// How much of `rest` belongs to a folder, its delimiter included; `None` for a key.
    ///
    /// The delimiter that ends first counts, so that every name that begins like the folder is in it.
    pub fn segment(&self, rest: &[u8]) -> Option<usize> {
        match self.0.as_slice() {
            [one] if one.len() == 1 => memchr(one[0], rest).map(|at| at + 1),
            [one, two] if one.len() == 1 && two.len() == 1 => {
                memchr2(one[0], two[0], rest).map(|at| at + 1)
            }
            all => all
                .iter()
                .filter_map(|one| memmem::find(rest, one).map(|at| at + one.len()))
                .min(),
        }
    }

    /// Bytes of the delimiter that a folder's segment ends with.
    pub fn width(&self, segment: &[u8]) -> usize {
        let ends = self.0.iter().filter(|one| segment.ends_with(one));
        ends.map(Vec::len).max().unwrap_or_default()
    }

    /// The folders that a name is in, from the outermost on, each as where it ends.
    pub fn ends<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let mut at = 0;
        std::iter::from_fn(move || {
            at += self.segment(&name[at..])?;
            Some(at)
        })
    }

    /// What the folder is in.
    pub fn parent<'a>(&self, folder: &'a [u8]) -> &'a [u8] {
        let ends = self.ends(folder).take_while(|end| *end < folder.len());
        &folder[..ends.last().unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delimiters(all: &[&str]) -> Delimiters {
        Delimiters::of(all.iter().map(|one| one.as_bytes().to_vec()))
    }

    #[test]
    #[rustfmt::skip]
    fn the_delimiter_that_ends_first_ends_the_folder() {
        for (given, name, expected) in [
            (&[":"][..],       "a:b:c",  &["a:", "a:b:"][..]),
            (&["::"],          "a::b:c", &["a::"]),
            (&[":", "/"],      "a/b:c",  &["a/", "a/b:"]),
            (&[":", "::"],     "a::b",   &["a:", "a::"]),
            (&["xabc", "ab"],  "wxabc",  &["wxab"]),
            (&[":", "/", "|"], "|a/b",   &["|", "|a/"]),
            (&[],              "a:b",    &[]),
        ] {
            let delimiters = delimiters(given);
            let ends = delimiters.ends(name.as_bytes());
            let found: Vec<&str> = ends.map(|end| &name[..end]).collect();
            assert_eq!(found, expected, "{given:?} in {name}");
        }
        assert_eq!(delimiters(&[":"]).parent(b"a:b:"), b"a:");
        assert_eq!(delimiters(&[":"]).parent(b"a:"), b"");
    }
}
