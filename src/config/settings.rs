//! The shape of the config file, with its defaults and units.
//!
//! `config.example.yaml` shows the same for people; a test holds the two together.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::model::{Environment, Limits, Tls};

use super::complaint::OURS;
use super::suggest;

/// The config file.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The profile to use when no target is named.
    pub default: Option<String>,
    /// Time between two readings of a server.
    #[serde(deserialize_with = "interval")]
    pub interval: Duration,
    #[serde(deserialize_with = "theme")]
    pub theme: Theme,
    #[serde(deserialize_with = "ascii")]
    pub ascii: Ascii,
    /// Whether clicks and the wheel are for us rather than for the terminal.
    pub mouse: bool,
    /// Keys by the name of their action, in place of the built-in ones. The screen reads them.
    #[serde(deserialize_with = "keys")]
    pub keys: BTreeMap<String, Vec<String>>,
    #[serde(deserialize_with = "profiles")]
    pub profiles: BTreeMap<String, Profile>,
    /// The file that this was read from.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// What is worth a word and no reason to stop.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Colours by what they must be read against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark: terminals do not say reliably what they are.
    #[default]
    Auto,
    Dark,
    Light,
    /// No colour at all.
    Plain,
}

/// Whether borders and charts are drawn with ASCII alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ascii {
    /// As the locale says.
    #[default]
    Auto,
    Always,
    Never,
}

/// A server and how to be there.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Secret as a whole, because a password may stand in it.
    #[serde(deserialize_with = "secret")]
    pub url: SecretString,
    #[serde(default)]
    pub user: Option<String>,
    /// A program and its arguments; the password is what it prints. No shell.
    #[serde(default)]
    pub password_command: Option<Vec<String>>,
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The name of a variable.
    #[serde(default)]
    pub password_env: Option<String>,
    #[serde(default, deserialize_with = "environment")]
    pub environment: Environment,
    #[serde(default)]
    pub read_only: bool,
    #[serde(default)]
    pub tls: Option<TlsSettings>,
    /// What separates the segments of key names.
    #[serde(default = "default_delimiter", deserialize_with = "delimiter")]
    pub delimiter: String,
    /// One exchange.
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    pub timeout: Duration,
    /// Name lookup, connection, TLS and login together.
    #[serde(default = "default_connect_timeout", deserialize_with = "timeout")]
    pub connect_timeout: Duration,
}

/// What to trust and what to show, on a connection that is TLS by its URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub server_name: Option<String>,
    pub insecure: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default: None,
            interval: Duration::from_secs(1),
            theme: Theme::default(),
            ascii: Ascii::default(),
            mouse: true,
            keys: BTreeMap::new(),
            profiles: BTreeMap::new(),
            file: None,
            warnings: Vec::new(),
        }
    }
}

impl Config {
    pub(super) fn holds_passwords(&self) -> bool {
        self.profiles.values().any(|profile| {
            crate::model::Target::parse_url(profile.url.expose_secret())
                .is_ok_and(|target| target.password.is_some())
        })
    }
}

impl TlsSettings {
    pub(super) fn with_paths(&self, absolute: impl Fn(&Path) -> PathBuf) -> Tls {
        let absolute = |path: &Option<PathBuf>| path.as_deref().map(&absolute);
        Tls {
            ca_file: absolute(&self.ca_file),
            cert_file: absolute(&self.cert_file),
            key_file: absolute(&self.key_file),
            server_name: self.server_name.clone(),
            is_insecure: self.insecure,
        }
    }
}

const A_TIME: &str = "a time with its unit, as 500ms or 5s";
const A_GROUP: &str = "a group of settings";
const A_NAME: &str = "a name of letters, digits, `-`, `_` and `.`";
const A_DELIMITER: &str = "one to eight visible characters";
const KEY_NAMES: &str = "a list of key names";

/// What our visitors say they expect; texts that a complaint may repeat.
pub(super) const EXPECTATIONS: &[&str] = &[
    A_TIME,
    A_GROUP,
    A_NAME,
    A_DELIMITER,
    KEY_NAMES,
    THEMES.expected,
    ASCII.expected,
    ENVIRONMENTS.expected,
];

const THEMES: Words<Theme> = Words {
    expected: "auto, dark, light or plain",
    table: &[
        ("auto", Theme::Auto),
        ("dark", Theme::Dark),
        ("light", Theme::Light),
        ("plain", Theme::Plain),
    ],
    none: None,
};

const ASCII: Words<Ascii> = Words {
    expected: "auto, always or never",
    table: &[
        ("auto", Ascii::Auto),
        ("always", Ascii::Always),
        ("never", Ascii::Never),
    ],
    none: None,
};

const ENVIRONMENTS: Words<Environment> = Words {
    expected: "production, staging or development",
    table: &[
        ("production", Environment::Production),
        ("staging", Environment::Staging),
        ("development", Environment::Development),
    ],
    none: Some(Environment::Unstated),
};

fn default_delimiter() -> String {
    ":".to_owned()
}

fn default_timeout() -> Duration {
    Limits::default().reply
}

fn default_connect_timeout() -> Duration {
    Limits::default().connect
}

fn ours<E: Error>(why: fmt::Arguments) -> E {
    E::custom(format_args!("{OURS}{why}"))
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

fn delimiter<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    from.deserialize_str(Delimiter)
}

fn interval<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_str(TimeBetween {
        least: Duration::from_millis(200),
        most: Duration::from_secs(3600),
        words: "from 200ms to 1h",
    })
}

fn timeout<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_str(TimeBetween {
        least: Duration::from_millis(100),
        most: Duration::from_secs(600),
        words: "from 100ms to 10m",
    })
}

fn theme<'de, D: Deserializer<'de>>(from: D) -> Result<Theme, D::Error> {
    from.deserialize_any(THEMES)
}

fn ascii<'de, D: Deserializer<'de>>(from: D) -> Result<Ascii, D::Error> {
    from.deserialize_any(ASCII)
}

fn environment<'de, D: Deserializer<'de>>(from: D) -> Result<Environment, D::Error> {
    from.deserialize_any(ENVIRONMENTS)
}

struct Delimiter;

impl Visitor<'_> for Delimiter {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(A_DELIMITER)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        let is_short = (1..=8).contains(&text.chars().count());
        if is_short && !text.chars().any(char::is_control) {
            Ok(text.to_owned())
        } else {
            Err(ours(format_args!("expected {A_DELIMITER}")))
        }
    }
}

struct TimeBetween {
    least: Duration,
    most: Duration,
    words: &'static str,
}

impl Visitor<'_> for TimeBetween {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(A_TIME)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        let time: Duration = text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|time| time.try_into().ok())
            .ok_or_else(|| ours(format_args!("expected {A_TIME}")))?;
        if (self.least..=self.most).contains(&time) {
            Ok(time)
        } else {
            Err(ours(format_args!("expected a time {}", self.words)))
        }
    }
}

/// One of a few words.
struct Words<T: 'static> {
    expected: &'static str,
    table: &'static [(&'static str, T)],
    /// What `null` stands for.
    none: Option<T>,
}

impl<T: Copy> Visitor<'_> for Words<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        self.none
            .ok_or_else(|| ours(format_args!("expected {}", self.expected)))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        if let Some((_, value)) = self.table.iter().find(|(known, _)| *known == word) {
            return Ok(*value);
        }
        let expected = self.expected;
        let known = self.table.iter().map(|(known, _)| *known);
        Err(match suggest::close(word, known).first() {
            Some(close) => ours(format_args!("expected {expected}: did you mean `{close}`?")),
            None => ours(format_args!("expected {expected}")),
        })
    }
}

fn profiles<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Profile>, D::Error> {
    from.deserialize_any(Named::<Profile>(is_profile_name, PhantomData))
}

fn keys<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    let named: BTreeMap<String, KeyNames> =
        from.deserialize_any(Named(is_action_name, PhantomData))?;
    Ok(named
        .into_iter()
        .map(|(name, keys)| (name, keys.0))
        .collect())
}

/// Anything that would be taken for a URL, a flag or a file cannot name a profile.
fn is_profile_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&name.chars().count())
        && name.chars().all(is_plain)
        && !name.starts_with('-')
        && !crate::model::Target::is_place(name)
}

fn is_action_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

/// Things by name.
struct Named<T>(fn(&str) -> bool, PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(A_GROUP)
    }

    /// A heading with all its lines commented out.
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut named = BTreeMap::new();
        while let Some(name) = entries.next_key_seed(Name(self.0))? {
            named.insert(name, entries.next_value()?);
        }
        Ok(named)
    }
}

/// A name that the function accepts.
struct Name(fn(&str) -> bool);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(A_NAME)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        if (self.0)(name) {
            Ok(name.to_owned())
        } else {
            Err(ours(format_args!("expected {A_NAME}")))
        }
    }
}

/// One key name or a list of them; an empty list takes the action off the keyboard.
struct KeyNames(Vec<String>);

impl<'de> Deserialize<'de> for KeyNames {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(KeyNamesVisitor)
    }
}

struct KeyNamesVisitor;

impl<'de> Visitor<'de> for KeyNamesVisitor {
    type Value = KeyNames;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(KEY_NAMES)
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<KeyNames, E> {
        Ok(KeyNames(vec![key.to_owned()]))
    }

    /// `quit: [0]`: a digit is a key too.
    fn visit_u64<E: Error>(self, key: u64) -> Result<KeyNames, E> {
        Ok(KeyNames(vec![key.to_string()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<KeyNames, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = list.next_element::<KeyNames>()? {
            keys.extend(key.0);
        }
        Ok(KeyNames(keys))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_yaml::Value;

    use super::super::file::parse;
    use super::*;

    const EXAMPLE: &str = include_str!("../../config.example.yaml");

    fn example() -> Config {
        parse(Path::new("config.example.yaml"), EXAMPLE).unwrap()
    }

    /// The settings that `T` knows, in its own words.
    fn settings_of<T: for<'de> Deserialize<'de> + fmt::Debug>() -> Vec<String> {
        let said = serde_yaml::from_str::<T>("no_such_setting: 1")
            .unwrap_err()
            .to_string();
        let known = said.split('`').skip(3).step_by(2);
        known.map(str::to_owned).collect()
    }

    #[track_caller]
    fn all_are_shown<T: for<'de> Deserialize<'de> + fmt::Debug>(shown: &Value) {
        let shown: Vec<&str> = shown
            .as_mapping()
            .unwrap()
            .keys()
            .map(|key| key.as_str().unwrap())
            .collect();
        let known = settings_of::<T>();
        assert!(known.len() > 2, "{known:?}");
        assert_eq!(known, shown);
    }

    #[test]
    fn the_example_shows_every_setting() {
        let yaml: Value = serde_yaml::from_str(EXAMPLE).unwrap();
        all_are_shown::<Config>(&yaml);
        all_are_shown::<Profile>(&yaml["profiles"]["local"]);
        all_are_shown::<TlsSettings>(&yaml["profiles"]["local-tls"]["tls"]);
    }

    #[test]
    fn the_example_shows_the_defaults() {
        let mut shown = example();
        let profiles = std::mem::take(&mut shown.profiles);
        shown.file = None;
        assert_eq!(format!("{shown:?}"), format!("{:?}", Config::default()));

        let bare: Profile = serde_yaml::from_str("url: redis://127.0.0.1:6379").unwrap();
        assert_eq!(format!("{:?}", profiles["local"]), format!("{bare:?}"));
        assert_eq!(profiles["local-tls"].tls, Some(TlsSettings::default()));
    }

    #[test]
    fn the_example_names_targets() {
        let config = example();
        for name in config.profiles.keys() {
            let target = config.target(name, &super::super::Vars::default());
            let target = target.unwrap().unwrap();
            assert_eq!(target.limits, Limits::default());
            assert_eq!(&target.name, name);
        }
    }

    #[test]
    fn keys_are_one_or_many() {
        let config = parse(
            Path::new("c"),
            "keys: { quit: q, delete: [d, ctrl-d], bulk.undo: [], top: 0 }",
        )
        .unwrap();
        assert_eq!(config.keys["quit"], ["q"]);
        assert_eq!(config.keys["delete"], ["d", "ctrl-d"]);
        assert_eq!(config.keys["bulk.undo"], [] as [&str; 0]);
        assert_eq!(config.keys["top"], ["0"]);
    }
}
