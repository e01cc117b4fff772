//! A change on its way: what it would do, the question, what it did.

use crossterm::event::{Event as Terminal, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::engine::worker::{Query, Report, Ticket};
use crate::guard::{self, Asks, Consent, Plan};
use crate::model::{Change, Outcome, Preview};
use crate::tui::actions::Action;
use crate::tui::app::App;
use crate::tui::deck::Waiter;
use crate::tui::layers::{Layer, Stays};
use crate::tui::panes::Notice;
use crate::tui::theme::Tone;
use crate::tui::widgets::field;

mod view;

/// The question whether to carry out a change.
#[derive(Debug)]
pub struct Confirm {
    deck: usize,
    ticket: Ticket,
    change: Change,
    stage: Stage,
    typed: Input,
    /// Why what was typed did not do.
    objection: String,
}

#[derive(Debug)]
enum Stage {
    /// The server is asked what the change would mean.
    Previewing,
    Deciding(Box<Plan>),
    Applying,
    Refused(String),
    Done(Result<Outcome, String>),
}

impl Confirm {
    pub fn waiting(deck: usize, ticket: Ticket, change: Change) -> Self {
        Self {
            deck,
            ticket,
            change,
            stage: Stage::Previewing,
            typed: Input::default(),
            objection: String::new(),
        }
    }

    pub fn key(&mut self, app: &mut App, key: KeyEvent) -> Stays {
        let Stage::Deciding(plan) = &self.stage else {
            return self.key_without_question(app, key);
        };
        match plan.asks() {
            Asks::Yes => match app.shell.keymap.in_layer(key) {
                Some(Action::Yes) => self.consent(app, &Consent::Yes),
                // Enter is no: a second Enter from the prompt before must not decide.
                Some(Action::No | Action::Back | Action::Quit | Action::Enter) => Stays::Closed,
                _ => Stays::Open,
            },
            Asks::Name(_) => match field::meaning(&app.shell.keymap, key) {
                Some(Action::Back) => Stays::Closed,
                Some(Action::Enter) if self.typed.value().is_empty() => Stays::Closed,
                Some(Action::Enter) => {
                    self.consent(app, &Consent::Typed(self.typed.value().to_owned()))
                }
                Some(_) => Stays::Open,
                None => {
                    self.objection.clear();
                    self.typed.handle_event(&Terminal::Key(key));
                    Stays::Open
                }
            },
        }
    }

    fn key_without_question(&self, app: &mut App, key: KeyEvent) -> Stays {
        let closes = matches!(
            app.shell.keymap.in_layer(key),
            Some(Action::Back | Action::Quit | Action::Enter | Action::No)
        );
        if !closes {
            return Stays::Open;
        }
        match self.stage {
            // Nobody waits for the preview any more.
            Stage::Previewing => app.decks[self.deck].forget(self.ticket),
            // The answer still comes: it is told in the bottom line.
            Stage::Applying => app
                .shell
                .say(Tone::Caution, "already sent; how it went will be said here"),
            Stage::Deciding(_) | Stage::Refused(_) | Stage::Done(_) => {}
        }
        Stays::Closed
    }

    fn consent(&mut self, app: &mut App, consent: &Consent) -> Stays {
        let Stage::Deciding(plan) = &self.stage else {
            return Stays::Open;
        };
        match plan.as_ref().clone().permit(consent, &app.shell.audit) {
            Ok(permit) => {
                app.notice_all(self.deck, Notice::Sent(&self.change));
                let mut cx = app.cx(self.deck);
                let ticket = cx.ticket_for(Waiter::Guard);
                cx.ask(Query::Apply {
                    ticket,
                    permit: Box::new(permit),
                });
                self.ticket = ticket;
                self.stage = Stage::Applying;
            }
            Err(guard::Refused::NameNotTyped { target }) => {
                self.objection = format!("that is not {target}");
                self.typed = Input::default();
            }
            Err(refused) => self.stage = Stage::Refused(refused.to_string()),
        }
        Stays::Open
    }

    fn previewed(&mut self, app: &App, preview: Preview) {
        let policy = &app.decks[self.deck].policy;
        self.stage = match guard::plan(policy, self.change.clone(), preview) {
            Ok(plan) => Stage::Deciding(Box::new(plan)),
            Err(refused) => Stage::Refused(refused.to_string()),
        };
    }
}

/// A preview or an outcome came for the guard.
pub fn answer(app: &mut App, deck: usize, ticket: Ticket, report: Report) {
    match report {
        Report::Previewed { preview, .. } => {
            with_layer(app, ticket, |confirm, app| match preview {
                Ok(preview) => confirm.previewed(app, preview),
                Err(fault) => confirm.stage = Stage::Refused(fault.to_string()),
            });
        }
        Report::Applied { outcome, .. } => applied(
            app,
            deck,
            ticket,
            outcome.map_err(|fault| fault.to_string()),
        ),
        _ => {}
    }
}

/// The question did not reach the worker, so nothing was sent to the server.
pub fn undelivered(app: &mut App, ticket: Ticket) {
    with_layer(app, ticket, |confirm, _| {
        confirm.stage = Stage::Refused("the server hangs; nothing was sent".to_owned());
    });
}

fn applied(app: &mut App, deck: usize, ticket: Ticket, outcome: Result<Outcome, String>) {
    if let Ok(outcome) = &outcome {
        app.notice_all(deck, Notice::Changed(outcome));
    }
    let change = app.shell.layers.iter().find_map(|layer| match layer {
        Layer::Confirm(confirm) if confirm.ticket == ticket => Some(&confirm.change),
        _ => None,
    });
    let (tone, words) = view::words(change, &outcome);
    let is_plain = tone == Tone::Good;
    app.shell.say(tone, words);
    with_layer(app, ticket, |confirm, _| {
        confirm.stage = Stage::Done(outcome);
    });
    if is_plain {
        // What went as planned needs no key to be read: the bottom line says it.
        app.shell
            .layers
            .retain(|layer| !matches!(layer, Layer::Confirm(confirm) if confirm.ticket == ticket));
    }
}

fn with_layer(app: &mut App, ticket: Ticket, act: impl FnOnce(&mut Confirm, &App)) {
    let place = app
        .shell
        .layers
        .iter()
        .position(|layer| matches!(layer, Layer::Confirm(confirm) if confirm.ticket == ticket));
    let Some(place) = place else { return };
    let mut layer = app.shell.layers.remove(place);
    if let Layer::Confirm(confirm) = &mut layer {
        act(confirm, app);
    }
    app.shell.layers.insert(place, layer);
}
