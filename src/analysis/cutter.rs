//! Names cut into the segments that prefixes are made of.
//!
//! Cutting needs only the name, so whoever brings keys can do it beside the analysis.

use crate::analysis::{AnalysisAsk, ids};

/// Segments beyond this depth are one.
const DEEPEST: usize = 16;

/// Cuts names as an analysis asks for.
#[derive(Clone, Debug)]
pub struct Cutter {
    delimiters: Vec<Vec<u8>>,
    /// Delimiters of one byte, which nearly all are.
    single: Option<Box<[bool]>>,
    collapses_ids: bool,
}

/// Segments of names, one after the other, each with its delimiter.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    bytes: Vec<u8>,
    cuts: Vec<Cut>,
}

/// Where a segment ends, and whether something is below it.
#[derive(Clone, Copy, Debug)]
struct Cut {
    end: usize,
    is_folder: bool,
}

/// The segments of one name.
#[derive(Clone, Copy, Debug)]
pub struct Segmented<'a> {
    all: &'a Segments,
    first: usize,
    last: usize,
}

impl Segments {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.cuts.clear();
    }

    /// How many segments there are.
    pub fn len(&self) -> usize {
        self.cuts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// The segments from one place up to another.
    pub fn between(&self, first: usize, last: usize) -> Segmented<'_> {
        Segmented {
            all: self,
            first,
            last,
        }
    }
}

impl<'a> Segmented<'a> {
    /// Each with its delimiter, and whether something is below it.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], bool)> {
        let cuts = &self.all.cuts;
        let mut start = match self.first {
            0 => 0,
            first => cuts[first - 1].end,
        };
        cuts[self.first..self.last].iter().map(move |cut| {
            let segment = &self.all.bytes[start..cut.end];
            start = cut.end;
            (segment, cut.is_folder)
        })
    }
}

impl Cutter {
    pub fn new(ask: &AnalysisAsk) -> Self {
        Self {
            single: single(&ask.delimiters),
            delimiters: ask.delimiters.clone(),
            collapses_ids: ask.collapses_ids,
        }
    }

    pub fn delimiters(&self) -> &[Vec<u8>] {
        &self.delimiters
    }

    pub fn collapses_ids(&self) -> bool {
        self.collapses_ids
    }

    /// Puts the segments of a name behind the others.
    pub fn cut(&self, name: &[u8], into: &mut Segments) {
        let mut rest = name;
        for depth in 1.. {
            let place = if depth < DEEPEST {
                self.next(rest)
            } else {
                None
            };
            let (at, length) = place.unwrap_or((rest.len(), 0));
            let (segment, after) = rest.split_at(at);
            let (delimiter, after) = after.split_at(length);
            if self.collapses_ids {
                ids::collapse(segment, &mut into.bytes);
            } else {
                into.bytes.extend_from_slice(segment);
            }
            into.bytes.extend_from_slice(delimiter);
            into.cuts.push(Cut {
                end: into.bytes.len(),
                is_folder: place.is_some(),
            });
            if place.is_none() {
                return;
            }
            rest = after;
        }
    }

    /// The next delimiter: where it stands, and how long it is.
    fn next(&self, rest: &[u8]) -> Option<(usize, usize)> {
        if let Some(single) = &self.single {
            let at = rest.iter().position(|byte| single[usize::from(*byte)])?;
            return Some((at, 1));
        }
        (0..rest.len()).find_map(|at| {
            let fits =
                |delimiter: &&Vec<u8>| !delimiter.is_empty() && rest[at..].starts_with(delimiter);
            let delimiter = self.delimiters.iter().find(fits)?;
            Some((at, delimiter.len()))
        })
    }
}

fn single(delimiters: &[Vec<u8>]) -> Option<Box<[bool]>> {
    let mut single = vec![false; 256];
    for delimiter in delimiters {
        match delimiter.as_slice() {
            [byte] => single[usize::from(*byte)] = true,
            _ => return None,
        }
    }
    Some(single.into_boxed_slice())
}
