//! What is asked about each key of a walk, and what the replies tell.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::redis::questions::{Elements, Flight, Question, refusal};
use crate::engine::redis::reply::{Refusal, shown};
use crate::engine::redis::resp::View;
use crate::model::{Bytes, Encoding, Key, KeyKind, Lack, Told, Ttl, UnixMs, WalkKey, Wants};

const ENCODINGS: &[&str] = &[
    "embstr",
    "int",
    "raw",
    "listpack",
    "hashtable",
    "quicklist",
    "skiplist",
    "intset",
    "stream",
    "ziplist",
    "listpackex",
    "linkedlist",
    "zipmap",
];

#[derive(Debug)]
pub struct Teller {
    /// A flight in the air goes on carrying those that it left with.
    questions: Arc<[Question]>,
    asks_lengths: bool,
    lacks: Vec<Lack>,
    hits: u64,
    misses: u64,
    sizes: Option<Refusal>,
}

impl Teller {
    pub fn for_wants(wants: Wants) -> Self {
        // Counting elements needs the type.
        let questions = [
            (wants.kind || wants.length, Question::Kind),
            (wants.ttl, Question::Ttl),
            (wants.size, Question::Size),
            (wants.usage, Question::Idle),
            (wants.encoding, Question::Encoding),
        ];
        Self {
            questions: questions
                .into_iter()
                .filter_map(|(is_wanted, question)| is_wanted.then_some(question))
                .collect(),
            asks_lengths: wants.length,
            lacks: Vec::new(),
            hits: 0,
            misses: 0,
            sizes: None,
        }
    }

    /// Under an LFU policy the server counts accesses instead of keeping their times.
    pub fn usage_is_kept_as(&mut self, is_frequency: bool) {
        let usage = if is_frequency {
            Question::Frequency
        } else {
            Question::Idle
        };
        let questions = self.questions.iter().map(|question| match question {
            Question::Idle | Question::Frequency => usage,
            other => *other,
        });
        self.questions = questions.collect();
    }

    /// Elements are not counted, and the report says why.
    pub fn asks_no_lengths(&mut self) {
        if self.asks_lengths {
            self.asks_lengths = false;
            self.lack("elements", "a sample does not count them".to_owned());
        }
    }

    /// Elements are counted only where that leaves no trace.
    pub fn lengths_leave_no_trace(&mut self, leaves_no_trace: bool) {
        if self.asks_lengths && !leaves_no_trace {
            self.asks_lengths = false;
            self.lack(
                "elements",
                "counting them would make keys look recently used on this server".to_owned(),
            );
        }
    }

    pub fn asks_lengths(&self) -> bool {
        self.asks_lengths
    }

    pub fn lacks(&self) -> &[Lack] {
        &self.lacks
    }

    pub fn refusal_of_sizes(&self) -> Option<&Refusal> {
        self.sizes.as_ref()
    }

    /// Lookups that the server counted since this was asked last: hits, misses.
    pub fn take_lookups(&mut self) -> (u64, u64) {
        (
            std::mem::take(&mut self.hits),
            std::mem::take(&mut self.misses),
        )
    }

    /// Asks about these keys; gives the questions that each of them was asked.
    pub fn ask(&self, keys: &[Key], flight: &mut Flight) -> Arc<[Question]> {
        for key in keys {
            flight.about(&self.questions, key.bytes());
        }
        Arc::clone(&self.questions)
    }

    /// What the replies tell, one for each of the questions that `ask` gave about each key. Keys that
    /// are gone are left out.
    pub fn read<'a>(
        &mut self,
        keys: Vec<Key>,
        questions: &[Question],
        replies: &mut impl Iterator<Item = View<'a>>,
        at: UnixMs,
    ) -> Vec<WalkKey> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let mut told = Told::default();
            let mut is_here = true;
            for question in questions {
                let Some(reply) = replies.next() else { break };
                match question.counted(&reply) {
                    Some(true) => self.hits += 1,
                    Some(false) => self.misses += 1,
                    None => {}
                }
                is_here &= self.learn(*question, reply, at, &mut told);
            }
            if is_here {
                let told = Some(told);
                found.push(WalkKey { key, told });
            }
        }
        found
    }

    pub fn has_lengths_to_ask(&self, told: &[WalkKey]) -> bool {
        self.asks_lengths && told.iter().any(|key| elements(key).is_some())
    }

    /// Asks for the elements of collections; gives the number of questions.
    pub fn ask_lengths(told: &[WalkKey], flight: &mut Flight) -> usize {
        let mut count = 0;
        for key in told {
            if let Some(elements) = elements(key) {
                flight.about(&[Question::Length(elements)], key.key.bytes());
                count += 1;
            }
        }
        count
    }

    pub fn read_lengths<'a>(
        &mut self,
        told: &mut [WalkKey],
        replies: &mut impl Iterator<Item = View<'a>>,
    ) {
        for key in told {
            let Some(elements) = elements(key) else {
                continue;
            };
            let Some(reply) = replies.next() else { break };
            let question = Question::Length(elements);
            match question.counted(&reply) {
                Some(true) => self.hits += 1,
                Some(false) => self.misses += 1,
                None => {}
            }
            match reply {
                View::Int(length) => {
                    if let Some(told) = &mut key.told {
                        told.length = u64::try_from(length).ok();
                    }
                }
                View::Error(line) if line.starts_with(b"NOPERM") => self.refused(question, line),
                // It became another type or vanished in between.
                _ => {}
            }
        }
    }

    /// Whether the key is there, as far as this reply tells.
    fn learn(&mut self, question: Question, reply: View, at: UnixMs, told: &mut Told) -> bool {
        if is_gone(question, &reply) {
            return false;
        }
        match (question, reply) {
            (_, View::Error(line)) => self.refused(question, line),
            (Question::Kind, View::Simple(word) | View::Bulk(word)) => told.kind = Some(kind(word)),
            (Question::Ttl, View::Int(-1)) => told.ttl = Ttl::None,
            (Question::Ttl, View::Int(left)) => {
                told.ttl = u64::try_from(left).map_or(Ttl::Unknown, |left| {
                    Ttl::Until(at.plus(Duration::from_millis(left)))
                });
            }
            (Question::Size, View::Int(size)) => told.size = u64::try_from(size).ok().map(Bytes),
            (Question::Idle, View::Int(idle)) => {
                told.idle = u64::try_from(idle).ok().map(Duration::from_secs);
            }
            (Question::Frequency, View::Int(frequency)) => {
                told.frequency = u8::try_from(frequency).ok();
            }
            (Question::Encoding, View::Simple(word) | View::Bulk(word)) => {
                told.encoding = Some(encoding(word));
            }
            _ => {}
        }
        true
    }

    /// What is refused for good is not asked again; what one key refuses is unknown of that key.
    fn refused(&mut self, question: Question, line: &[u8]) {
        let refusal = refusal(line);
        if refusal.is_about_policy() {
            // The policy was changed in mid walk.
            self.usage_is_kept_as(question == Question::Idle);
            return;
        }
        let why = refusal.words();
        if refusal.is_for_good() {
            let others = self.questions.iter().filter(|other| **other != question);
            self.questions = others.copied().collect();
            if matches!(question, Question::Length(_)) {
                self.asks_lengths = false;
            }
            if question == Question::Size {
                self.sizes = Some(refusal);
            }
            self.lack(question.what(), format!("{}: {why}", question.title()));
        } else {
            let words = format!("{}, for some keys: {why}", question.title());
            self.lack(question.what(), words);
        }
    }

    fn lack(&mut self, what: &'static str, why: String) {
        if !self.lacks.iter().any(|lack| lack.what == what) {
            self.lacks.push(Lack { what, why });
        }
    }
}

fn is_gone(question: Question, reply: &View) -> bool {
    match reply {
        View::Nil => true,
        View::Simple(word) => question == Question::Kind && *word == b"none",
        View::Int(left) => question == Question::Ttl && *left == -2,
        _ => false,
    }
}

fn elements(key: &WalkKey) -> Option<Elements> {
    Elements::of(key.told.as_ref()?.kind.as_ref()?)
}

fn kind(word: &[u8]) -> KeyKind {
    match word {
        b"string" => KeyKind::String,
        b"hash" => KeyKind::Hash,
        b"list" => KeyKind::List,
        b"set" => KeyKind::Set,
        b"zset" => KeyKind::SortedSet,
        b"stream" => KeyKind::Stream,
        other => KeyKind::Other(shown(other)),
    }
}

fn encoding(word: &[u8]) -> Encoding {
    let known = ENCODINGS.iter().find(|known| known.as_bytes() == word);
    Encoding(match known {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(shown(word)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(wants: Wants, key: &str, replies: &[View]) -> (Option<Told>, Teller) {
        let mut teller = Teller::for_wants(wants);
        let keys = vec![Key::from(key)];
        let asked = teller.ask(&keys, &mut Flight::default());
        let found = teller.read(keys, &asked, &mut replies.iter().copied(), UnixMs(1_000));
        (found.into_iter().next().and_then(|key| key.told), teller)
    }

    #[test]
    fn replies_become_facts() {
        let (told, mut teller) = read(
            Wants {
                usage: true,
                encoding: true,
                ..Wants::BASICS
            },
            "k",
            &[
                View::Simple(b"hash"),
                View::Int(500),
                View::Int(77),
                View::Int(3),
                View::Bulk(b"listpack"),
            ],
        );
        let expected = Told {
            kind: Some(KeyKind::Hash),
            ttl: Ttl::Until(UnixMs(1_500)),
            size: Some(Bytes(77)),
            idle: Some(Duration::from_secs(3)),
            encoding: Some(Encoding(Cow::Borrowed("listpack"))),
            ..Told::default()
        };
        assert_eq!(told, Some(expected));
        assert_eq!(teller.take_lookups(), (4, 0));
    }

    #[test]
    fn a_key_that_is_gone_is_left_out() {
        let gone = [View::Simple(b"none"), View::Int(-2), View::Nil];
        let (told, mut teller) = read(Wants::BASICS, "k", &gone);
        assert_eq!(told, None);
        assert_eq!(teller.take_lookups(), (0, 2));
    }

    #[test]
    fn a_refusal_for_good_is_named_once_and_not_asked_again() {
        let refused =
            View::Error(b"NOPERM this user has no permissions to run the 'memory|usage' command");
        let (told, teller) = read(
            Wants::BASICS,
            "k",
            &[View::Simple(b"string"), View::Int(-1), refused],
        );
        assert_eq!(told.expect("the key").size, None);
        assert_eq!(*teller.questions, [Question::Kind, Question::Ttl]);
        assert_eq!(teller.lacks()[0].what, "size");
    }

    #[test]
    fn a_flight_in_the_air_is_read_as_it_was_asked() {
        let mut teller = Teller::for_wants(Wants::BASICS);
        let keys = || vec![Key::from("a"), Key::from("b")];
        let first = teller.ask(&keys(), &mut Flight::default());
        let second = teller.ask(&keys(), &mut Flight::default());
        let refused = View::Error(b"NOPERM no");
        let replies = [View::Simple(b"set"), View::Int(-1), refused].repeat(2);
        for asked in [first, second] {
            let mut replies = replies.iter().copied();
            let found = teller.read(keys(), &asked, &mut replies, UnixMs(1));
            let kinds = found.iter().map(|key| key.told.as_ref()?.kind.clone());
            assert_eq!(
                kinds.collect::<Vec<_>>(),
                [Some(KeyKind::Set), Some(KeyKind::Set)]
            );
            assert_eq!(replies.next(), None);
        }
    }

    #[test]
    fn a_policy_that_changes_changes_the_question() {
        let wants = Wants {
            usage: true,
            ..Wants::NAMES
        };
        let line = b"ERR An LFU maxmemory policy is selected, idle time not tracked.";
        let (told, teller) = read(wants, "k", &[View::Error(line)]);
        assert_eq!(told, Some(Told::default()));
        assert_eq!(*teller.questions, [Question::Frequency]);
        assert_eq!(teller.lacks(), []);
    }
}
