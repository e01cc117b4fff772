//! Which key means which action, from the table and what the config file says otherwise.

use std::collections::BTreeMap;

use crokey::{KeyCombination, KeyCombinationFormat};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use thiserror::Error;

use crate::tui::actions::{ACTIONS, Action, Scope};
use crate::tui::panes::PaneId;

/// Action name → keys, as in the config file's `keys:`.
pub type Overrides = BTreeMap<String, Vec<String>>;

#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: Vec<Binding>,
    format: KeyCombinationFormat,
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    scope: Scope,
    key: KeyCombination,
    action: Action,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeymapError {
    #[error("keys: there is no action `{0}`")]
    NoSuchAction(String),
    #[error("keys: `{action}`: `{key}` is not a key (try `ctrl-d`, `f5`, `shift-g`)")]
    NoSuchKey { action: String, key: String },
    #[error("keys: `{key}` is both `{first}` and `{second}`")]
    Twice {
        key: String,
        first: &'static str,
        second: &'static str,
    },
}

impl Keymap {
    /// The table's keys, with those of `overrides` in place of an action's own.
    ///
    /// # Errors
    /// When an override names no action or no key, or two actions of one place share a key.
    pub fn new(overrides: &Overrides) -> Result<Self, KeymapError> {
        if let Some(name) = overrides
            .keys()
            .find(|name| ACTIONS.iter().all(|row| row.name != **name))
        {
            return Err(KeymapError::NoSuchAction(name.clone()));
        }
        let mut bindings = Vec::new();
        for row in ACTIONS {
            let own = || row.keys.iter().map(|key| (*key).to_owned()).collect();
            let keys: Vec<String> = overrides.get(row.name).cloned().unwrap_or_else(own);
            for key in keys {
                bindings.push(Binding {
                    scope: row.scope,
                    key: parse(row.name, &key)?,
                    action: row.action,
                });
            }
        }
        let keymap = Self {
            bindings,
            format: KeyCombinationFormat::default().with_implicit_shift(),
        };
        keymap.twice().map_or(Ok(keymap), Err)
    }

    /// What `key` means in `pane`: the pane's own keys first, then movement, then the rest.
    pub fn in_pane(&self, pane: PaneId, key: KeyEvent) -> Option<Action> {
        self.find(&[Scope::Pane(pane), Scope::List, Scope::Global], key)
    }

    /// What `key` means in a question over the panes.
    pub fn in_layer(&self, key: KeyEvent) -> Option<Action> {
        self.find(&[Scope::Layer, Scope::List, Scope::Global], key)
    }

    /// Every key of an action, written for people.
    pub fn keys(&self, action: Action) -> Vec<String> {
        self.bindings
            .iter()
            .filter(|binding| binding.action == action)
            .map(|binding| self.written(binding.key))
            .collect()
    }

    /// The first key of an action.
    pub fn key(&self, action: Action) -> String {
        self.bindings
            .iter()
            .find(|binding| binding.action == action)
            .map_or_else(String::new, |binding| self.written(binding.key))
    }

    fn find(&self, scopes: &[Scope], key: KeyEvent) -> Option<Action> {
        let key = plain(key);
        scopes.iter().find_map(|scope| {
            self.bindings
                .iter()
                .find(|binding| binding.scope == *scope && binding.key == key)
                .map(|binding| binding.action)
        })
    }

    fn written(&self, key: KeyCombination) -> String {
        self.format.to_string(key)
    }

    /// The first pair of actions that one key would mean in one place.
    fn twice(&self) -> Option<KeymapError> {
        self.bindings.iter().enumerate().find_map(|(at, one)| {
            self.bindings[at + 1..]
                .iter()
                .find(|other| other.key == one.key && meet(one.scope, other.scope))
                .map(|other| KeymapError::Twice {
                    key: self.written(one.key),
                    first: one.action.row().name,
                    second: other.action.row().name,
                })
        })
    }
}

/// Whether two scopes are ever heard at the same time. Questions hear movement and nothing of panes.
fn meet(one: Scope, other: Scope) -> bool {
    match (one, other) {
        (Scope::Pane(one), Scope::Pane(other)) => one == other,
        (Scope::Pane(_), Scope::Layer) | (Scope::Layer, Scope::Pane(_)) => false,
        _ => true,
    }
}

fn parse(action: &str, key: &str) -> Result<KeyCombination, KeymapError> {
    crokey::parse(key)
        .map(KeyCombination::normalized)
        .map_err(|_| KeymapError::NoSuchKey {
            action: action.to_owned(),
            key: key.to_owned(),
        })
}

/// Some terminals report Shift with characters that already are what Shift made of them (`?`).
fn plain(mut key: KeyEvent) -> KeyCombination {
    if matches!(key.code, KeyCode::Char(letter) if !letter.is_alphabetic()) {
        key.modifiers.remove(KeyModifiers::SHIFT);
    }
    KeyCombination::from(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(pairs: &[(&str, &str)]) -> Overrides {
        pairs
            .iter()
            .map(|(name, key)| ((*name).to_owned(), vec![(*key).to_owned()]))
            .collect()
    }

    fn press(key: &str) -> KeyEvent {
        crokey::parse(key).unwrap().into()
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        assert_eq!(Keymap::new(&Overrides::new()).err(), None);
    }

    #[test]
    fn every_action_has_one_row_and_one_name() {
        for row in ACTIONS {
            let same = |other: &&crate::tui::actions::Row| {
                other.name == row.name || other.action == row.action
            };
            assert_eq!(ACTIONS.iter().filter(same).count(), 1, "{}", row.name);
        }
    }

    #[test]
    fn the_config_moves_a_key() {
        let keymap = Keymap::new(&overrides(&[("delete", "f8")])).unwrap();
        assert_eq!(
            keymap.in_pane(PaneId::Keys, press("f8")),
            Some(Action::Delete)
        );
        assert_eq!(keymap.in_pane(PaneId::Keys, press("d")), None);
    }

    #[test]
    fn a_wrong_override_says_what_is_wrong() {
        let error = |pairs| Keymap::new(&overrides(pairs)).unwrap_err().to_string();
        assert_eq!(error(&[("fly", "f8")]), "keys: there is no action `fly`");
        assert_eq!(
            error(&[("delete", "hyper-ü")]),
            "keys: `delete`: `hyper-ü` is not a key (try `ctrl-d`, `f5`, `shift-g`)"
        );
        assert_eq!(
            error(&[("delete", "t")]),
            "keys: `t` is both `set-ttl` and `delete`"
        );
    }

    #[test]
    fn a_question_does_not_hear_the_pane_below() {
        let keymap = Keymap::new(&Overrides::new()).unwrap();
        assert_eq!(keymap.in_layer(press("y")), Some(Action::Yes));
        assert_eq!(
            keymap.in_pane(PaneId::Keys, press("y")),
            Some(Action::CopyName)
        );
        assert_eq!(keymap.in_layer(press("d")), None);
    }
}
