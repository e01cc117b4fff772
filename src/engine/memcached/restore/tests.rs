use super::{Fate, Shift};
use crate::engine::memcached::restore::writing::Answer;
use crate::snapshot::items::ServerSecond;

#[test]
fn moments_move_with_the_clock_and_what_is_over_stays_away() {
    let second = |second| Some(ServerSecond(second));
    let fate = |shift, expires, now| Shift(shift).fate(expires, Some(now));
    assert_eq!(fate(5, None, 100), Fate::Never);
    assert_eq!(fate(0, second(101), 100), Fate::At(101));
    assert_eq!(fate(0, second(100), 100), Fate::Over);
    assert_eq!(fate(-60, second(150), 100), Fate::Over);
    assert_eq!(fate(60, second(150), 100), Fate::At(210));
    assert_eq!(fate(0, second(u32::MAX), 100), Fate::TooLate);
    assert_eq!(Shift(0).fate(second(5), None), Fate::At(5));
}

#[test]
fn every_dialects_answers_are_known() {
    let answer = |line: &str| Answer::of(line.as_bytes());
    let stored = |cas| Some(Answer::Stored { cas });
    assert_eq!(answer("HD"), stored(None));
    assert_eq!(answer("HD c7"), stored(Some(7)));
    assert_eq!(answer("STORED"), stored(None));
    assert_eq!(answer("NS"), Some(Answer::Existed));
    assert_eq!(answer("NOT_STORED"), Some(Answer::Existed));
    let words = "SERVER_ERROR out of memory storing object";
    assert_eq!(answer(words), Some(Answer::Failed(words.to_owned())));
    assert_eq!(answer("ERROR"), Some(Answer::Unknown("ERROR".to_owned())));
    assert_eq!(answer("VA 2"), None);
    assert_eq!(answer(""), None);
}
