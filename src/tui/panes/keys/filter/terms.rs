//! Words that ask for what was told of a key: `type:hash ttl:<1h size:>1mb idle:>1d`.

use std::time::Duration;

use crate::catalog::Fact;
use crate::model::{Bytes, KeyKind, Ttl, UnixMs, parse_duration};

#[derive(Clone, Debug)]
pub enum Term {
    Kind(Vec<Kind>),
    Ttl(Lifetime),
    Size(Bound<Bytes>),
    Idle(Bound<Duration>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    One(KeyKind),
    /// A type that only some server knows.
    Other,
}

#[derive(Clone, Copy, Debug)]
pub enum Lifetime {
    None,
    Any,
    /// Ends before or after this moment.
    Ends(Bound<UnixMs>),
}

/// On which side of a value.
#[derive(Clone, Copy, Debug)]
pub enum Bound<T> {
    Less(T),
    More(T),
}

impl<T: PartialOrd> Bound<T> {
    fn holds(&self, value: &T) -> bool {
        match self {
            Self::Less(bound) => value < bound,
            Self::More(bound) => value > bound,
        }
    }
}

impl Term {
    /// Whether what was told meets it. What was not told meets nothing.
    pub fn is_met(&self, fact: &Fact) -> bool {
        match self {
            Self::Kind(kinds) => kinds.iter().any(|kind| match kind {
                Kind::One(kind) => fact.kind() == Some(kind),
                Kind::Other => fact.is_of_other_kind(),
            }),
            Self::Ttl(lifetime) => match (lifetime, fact.ttl()) {
                (Lifetime::None, Ttl::None) | (Lifetime::Any, Ttl::Until(_)) => true,
                (Lifetime::Ends(bound), Ttl::Until(end)) => bound.holds(&end),
                _ => false,
            },
            Self::Size(bound) => fact.size().is_some_and(|size| bound.holds(&size)),
            Self::Idle(bound) => fact.idle().is_some_and(|idle| bound.holds(&idle)),
        }
    }
}

/// Takes the words out that ask for facts; gives them and the rest.
///
/// # Errors
/// What such a word may say.
pub fn split(typed: &str, now: UnixMs) -> Result<(Vec<Term>, String), String> {
    // An expression is taken as it is.
    if typed.trim_start_matches('!').starts_with(['~', '/']) {
        return Ok((Vec::new(), typed.to_owned()));
    }
    let mut terms = Vec::new();
    let mut rest = Vec::new();
    for word in typed.split(' ') {
        match term(word, now)? {
            Some(term) => terms.push(term),
            None => rest.push(word),
        }
    }
    if terms.is_empty() {
        return Ok((terms, typed.to_owned()));
    }
    Ok((terms, rest.join(" ").trim().to_owned()))
}

fn term(word: &str, now: UnixMs) -> Result<Option<Term>, String> {
    let Some((name, value)) = word.split_once(':') else {
        return Ok(None);
    };
    if value.is_empty() {
        return Ok(None);
    }
    let is_bound = value.starts_with(['<', '>']);
    let term = match name {
        "type" => value
            .split(',')
            .map(kind)
            .collect::<Option<_>>()
            .map(Term::Kind)
            .ok_or("type: is one of string, hash, list, set, zset, stream, item, other"),
        "ttl" => lifetime(value, now)
            .map(Term::Ttl)
            .ok_or("ttl: is none, any, or compares with a time, as in ttl:<1h"),
        // Names may well hold `size:7`; only what compares is meant.
        "size" if is_bound => bound(value, |text| text.parse().ok())
            .map(Term::Size)
            .ok_or("size: compares with a size, as in size:>1mb"),
        "idle" if is_bound => bound(value, |text| parse_duration(text).ok())
            .map(Term::Idle)
            .ok_or("idle: compares with a time, as in idle:>1d"),
        _ => return Ok(None),
    };
    term.map(Some).map_err(str::to_owned)
}

fn kind(word: &str) -> Option<Kind> {
    match KeyKind::from_word(word) {
        KeyKind::Other(word) if word == "other" => Some(Kind::Other),
        KeyKind::Other(_) => None,
        kind => Some(Kind::One(kind)),
    }
}

fn lifetime(value: &str, now: UnixMs) -> Option<Lifetime> {
    match value {
        "none" => Some(Lifetime::None),
        "any" => Some(Lifetime::Any),
        _ => bound(value, |text| Some(now.plus(parse_duration(text).ok()?))).map(Lifetime::Ends),
    }
}

fn bound<T>(value: &str, read: impl Fn(&str) -> Option<T>) -> Option<Bound<T>> {
    if let Some(value) = value.strip_prefix('<') {
        return read(value).map(Bound::Less);
    }
    read(value.strip_prefix('>')?).map(Bound::More)
}
