//! A YAML error as something that can be shown: where, which setting, what is wrong.
//!
//! The library's own texts repeat the value they stumble over, and that may be a password on the
//! wrong line. So the text is taken apart and only known words of it are passed on.

use crate::text;

use super::{settings, suggest, unique};

/// Begins the texts of our own checks, so that they are told from the library's.
pub(super) const OURS: char = '\u{1}';

/// Where and what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub line: usize,
    pub column: usize,
    /// The path of the setting, as `profiles.prod.url`.
    pub key: String,
    pub why: String,
}

impl Complaint {
    pub fn of(error: &serde_yaml::Error) -> Self {
        let place = error.location();
        let (line, column) = place
            .as_ref()
            .map_or((1, 1), |place| (place.line(), place.column()));
        let mut said = error.to_string();
        if let Some(place) = &place {
            let tail = format!(" at line {} column {}", place.line(), place.column());
            said = said.replace(&tail, "");
        }
        let (key, why) = understood(&said);
        Self {
            line,
            column,
            key: match key.trim_end_matches(": ") {
                "" => String::new(),
                key => text::escape(key.as_bytes()),
            },
            why,
        }
    }
}

/// The path of the key and what is wrong with it.
fn understood(said: &str) -> (&str, String) {
    if let Some((key, why)) = said.rsplit_once(OURS) {
        return (key, why.to_owned());
    }
    for (marker, explain) in SHAPES {
        if let Some(at) = said.find(marker) {
            return (&said[..at], explain(&said[at + marker.len()..]));
        }
    }
    // The parser's own: they speak of YAML's grammar and quote only single characters.
    let is_plain = !said.contains(['"', '`']) && said.len() < 200;
    let why = if is_plain { said } else { "not valid YAML" };
    ("", why.to_owned())
}

/// Turns what follows the marker into words of ours.
type Explain = fn(&str) -> String;

const SHAPES: &[(&str, Explain)] = &[
    ("invalid type: ", wrong_value),
    ("invalid value: ", wrong_value),
    ("unknown field `", unknown_field),
    ("missing field `", |rest| {
        format!("`{}` is missing", rest.trim_end_matches('`'))
    }),
];

fn wrong_value(rest: &str) -> String {
    const KINDS: &[(&str, &str)] = &[
        ("string", "a text"),
        ("integer", "a number"),
        ("floating point", "a number"),
        ("boolean", "true or false"),
        ("sequence", "a list"),
        ("map", "a group of settings"),
        ("unit", "nothing"),
    ];
    let got = KINDS
        .iter()
        .find(|(kind, _)| rest.starts_with(kind))
        .map_or("something else", |(_, words)| words);
    let wanted = rest.rsplit_once(", expected ").map_or("", |(_, end)| end);
    let wanted = match wanted {
        "a sequence" => "a list",
        "a string" => "a text",
        "a boolean" => "true or false",
        other if other.starts_with("struct ") || other == "a map" => "a group of settings",
        other if is_word_of_ours(other) => other,
        _ => "something else",
    };
    format!("expected {wanted}, found {got}")
}

fn unknown_field(rest: &str) -> String {
    let (name, known) = rest.split_once('`').unwrap_or((rest, ""));
    if name == "ssh" {
        return "`ssh` comes in a later version".to_owned();
    }
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let close = suggest::close(name, known.iter().copied());
    // What looks like no setting at all may be a value that slipped.
    let is_like_a_setting = !name.is_empty()
        && name.len() <= 24
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b"_-".contains(&b));
    match (close.first(), is_like_a_setting) {
        (Some(close), true) => format!("unknown setting `{name}`: did you mean `{close}`?"),
        (Some(close), false) => format!("unknown setting: did you mean `{close}`?"),
        (None, true) => format!("unknown setting `{name}`: known are {}", known.join(", ")),
        (None, false) => format!("unknown setting: known are {}", known.join(", ")),
    }
}

/// Descriptions that our visitors give of themselves.
fn is_word_of_ours(wanted: &str) -> bool {
    settings::EXPECTATIONS.contains(&wanted) || unique::EXPECTATIONS.contains(&wanted)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::file::parse;

    #[track_caller]
    fn complains(text: &str, expected: &str) {
        let error = parse(Path::new("c.yaml"), text).expect_err("an error is expected");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn the_place_and_the_key_are_named() {
        complains(
            "profiles:\n  a: { url: 'redis://h' }\n  b:\n    url: redis://h\n    readonly: true\n",
            "c.yaml:5:5: profiles.b: unknown setting `readonly`: did you mean `read_only`?",
        );
        complains(
            "intervall: 1s\n",
            "c.yaml:1:1: unknown setting `intervall`: did you mean `interval`?",
        );
        complains(
            "profiles:\n  a: {}\n",
            "c.yaml:2:6: profiles.a: `url` is missing",
        );
    }

    #[test]
    fn duplicates_are_refused_everywhere() {
        complains(
            "mouse: true\nmouse: true\n",
            "c.yaml:2:1: `mouse` is given twice",
        );
        complains(
            "profiles:\n  a: { url: 'redis://h' }\n  a: { url: 'redis://h' }\n",
            "c.yaml:3:3: profiles: `a` is given twice",
        );
        complains(
            "profiles:\n  a:\n    url: redis://h\n    tls: { ca_file: a, ca_file: b }\n",
            "c.yaml:4:24: profiles.a.tls: `ca_file` is given twice",
        );
        complains(
            "keys:\n  quit: [q]\n  quit: [x]\n",
            "c.yaml:3:3: keys: `quit` is given twice",
        );
    }

    #[test]
    fn values_are_described_and_not_repeated() {
        complains(
            "profiles: { a: { url: 'redis://h', password_command: hunter2 } }",
            "c.yaml:1:54: profiles.a.password_command: expected a list, found a text",
        );
        complains(
            "profiles: { a: { url: [hunter2] } }",
            "c.yaml:1:23: profiles.a.url: expected a text, found a list",
        );
        complains(
            "profiles: { a: { url: 'redis://h', environment: prod } }",
            "c.yaml:1:49: profiles.a.environment: expected production, staging or development: did you mean `production`?",
        );
        complains(
            "interval: 5\n",
            "c.yaml:1:11: interval: expected a time with its unit, as 500ms or 5s",
        );
        complains(
            "interval: hunter2\n",
            "c.yaml:1:11: interval: expected a time with its unit, as 500ms or 5s",
        );
        complains(
            "profiles: { a: { url: 'redis://h', hunter2: 1 } }",
            "c.yaml:1:36: profiles.a: unknown setting: known are url, user, password_command, \
             password_file, password_env, environment, read_only, tls, delimiter, timeout, \
             connect_timeout",
        );
    }

    #[test]
    fn bad_yaml_is_an_error_with_its_place() {
        complains(
            "profiles: { a: \n",
            "c.yaml:2:1: did not find expected node content, while parsing a flow node",
        );
    }

    proptest! {
        #[test]
        fn a_misplaced_password_is_never_shown(
            before in "[ -~]{0,6}", after in "[ -~]{0,6}", shape in 0..9,
        ) {
            let canary = format!("{before}CANARY9{after}");
            let text = match shape {
                0 => format!("profiles:\n  a:\n    url: redis://h\n    timeout: {canary}\n"),
                1 => format!("profiles:\n  a:\n    url: redis://h\n    tls: {canary}\n"),
                2 => format!("profiles:\n  a: {canary}\n"),
                3 => format!("profiles:\n  a:\n    url: redis://h\n    password_command: {canary}\n"),
                4 => format!("profiles:\n  a:\n    url: redis://h\n    {canary}\n"),
                5 => format!("profiles:\n  a:\n    url: redis://:{canary}@h\n    nonsense: 1\n"),
                6 => format!("{canary}\n"),
                7 => format!("mouse: {canary:?}\n"),
                _ => format!("profiles:\n  a: {{ url: {canary}, nonsense }}\n"),
            };
            if let Err(error) = parse(Path::new("c.yaml"), &text) {
                let shown = format!("{error} {error:?} {:?}", error.hint());
                prop_assert!(!shown.contains("CANARY9"), "{}", shown);
            }
        }
    }
}
