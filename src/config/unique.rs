//! Refuses a key that is given twice, wherever it stands.
//!
//! YAML forbids it, but most readers keep one of the two in silence; a profile that was pasted twice
//! would then connect to a place that nobody chose. This walks the whole file before it is read,
//! which also gives the line of the second key instead of that of the group around it.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::text;

use super::complaint::OURS;

const PLAIN_YAML: &str = "plain YAML without tags";
const A_NAME: &str = "a name";

/// What the visitors here say they expect; texts that a complaint may repeat.
pub(super) const EXPECTATIONS: &[&str] = &[PLAIN_YAML, A_NAME];

/// Any YAML whose keys are unique. Holds nothing.
pub(super) struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(PLAIN_YAML)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unique, A::Error> {
        while list.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unique, A::Error> {
        let mut taken = BTreeSet::new();
        while entries.next_key_seed(NewKey(&mut taken))?.is_some() {
            entries.next_value::<Unique>()?;
        }
        Ok(Unique)
    }
}

/// A key that is not among those before it.
struct NewKey<'a>(&'a mut BTreeSet<String>);

impl<'de> DeserializeSeed<'de> for NewKey<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for NewKey<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(A_NAME)
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        if self.0.insert(key.to_owned()) {
            return Ok(());
        }
        let key = text::escape(key.as_bytes());
        Err(E::custom(format_args!("{OURS}`{key}` is given twice")))
    }
}
