//! Keys, bytes and elements by type and by encoding.

use serde::{Deserialize, Serialize};

use crate::analysis::report::{EncodingRow, Figure, TypeRow};
use crate::analysis::scale::{Scale, Sum};
use crate::model::{KeyKind, Told};

/// What stands for a type that was not told.
const UNKNOWN: &str = "unknown";

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Kinds(Vec<Kind>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kind {
    word: String,
    tally: Tally,
    encodings: Vec<(String, Tally)>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Tally {
    keys: u64,
    bytes: Sum,
    sized: u64,
    elements: u64,
    counted: u64,
}

impl Kinds {
    pub fn take(&mut self, told: &Told) {
        let word = told.kind.as_ref().map_or(UNKNOWN, KeyKind::word);
        let kind = self.kind(word);
        kind.tally.add(told);
        if let Some(encoding) = &told.encoding {
            let word = encoding.0.as_ref();
            tally_of(&mut kind.encodings, word).add(told);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for theirs in &other.0 {
            let ours = self.kind(&theirs.word);
            ours.tally.merge(&theirs.tally);
            for (word, tally) in &theirs.encodings {
                tally_of(&mut ours.encodings, word).merge(tally);
            }
        }
    }

    /// Of all keys whose size was told; `None` when that is none of them.
    pub fn bytes(&self) -> Option<Sum> {
        let sized: u64 = self.0.iter().map(|kind| kind.tally.sized).sum();
        let mut all = Sum::default();
        for kind in &self.0 {
            all.merge(&kind.tally.bytes);
        }
        (sized > 0).then_some(all)
    }

    /// The most keys first.
    pub fn rows(&self, scale: &Scale) -> (Vec<TypeRow>, Vec<EncodingRow>) {
        let mut kinds: Vec<&Kind> = self.0.iter().collect();
        kinds.sort_by(|a, b| b.tally.keys.cmp(&a.tally.keys).then(a.word.cmp(&b.word)));
        let types = kinds.iter().map(|kind| TypeRow {
            kind: kind.word.clone(),
            keys: scale.keys(kind.tally.keys),
            bytes: kind.tally.bytes(scale),
            elements: (kind.tally.counted > 0).then(|| Figure::exact(kind.tally.elements)),
        });
        let mut encodings = Vec::new();
        for kind in &kinds {
            let mut rows: Vec<&(String, Tally)> = kind.encodings.iter().collect();
            rows.sort_by(|a, b| b.1.keys.cmp(&a.1.keys).then(a.0.cmp(&b.0)));
            encodings.extend(rows.into_iter().map(|(word, tally)| EncodingRow {
                kind: kind.word.clone(),
                encoding: word.clone(),
                keys: scale.keys(tally.keys),
                bytes: tally.bytes(scale),
            }));
        }
        (types.collect(), encodings)
    }

    fn kind(&mut self, word: &str) -> &mut Kind {
        let place = self.0.iter().position(|kind| kind.word == word);
        let place = place.unwrap_or_else(|| {
            self.0.push(Kind {
                word: word.to_owned(),
                tally: Tally::default(),
                encodings: Vec::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}

fn tally_of<'a>(list: &'a mut Vec<(String, Tally)>, word: &str) -> &'a mut Tally {
    let place = list.iter().position(|(other, _)| other == word);
    let place = place.unwrap_or_else(|| {
        list.push((word.to_owned(), Tally::default()));
        list.len() - 1
    });
    &mut list[place].1
}

impl Tally {
    fn add(&mut self, told: &Told) {
        self.keys += 1;
        if let Some(size) = told.size {
            self.bytes.add(size.0);
            self.sized += 1;
        }
        if let Some(length) = told.length {
            self.elements += length;
            self.counted += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.keys += other.keys;
        self.bytes.merge(&other.bytes);
        self.sized += other.sized;
        self.elements += other.elements;
        self.counted += other.counted;
    }

    fn bytes(&self, scale: &Scale) -> Option<Figure> {
        (self.sized > 0).then(|| scale.bytes(&self.bytes))
    }
}
