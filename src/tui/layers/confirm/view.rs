//! How a change on its way is drawn, and its outcome in words.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::guard::{Asks, Plan};
use crate::model::{Change, KeyOutcome, Outcome, SnapshotState, TtlWish, units};
use crate::text;
use crate::tui::app::App;
use crate::tui::layers::confirm::{Confirm, Stage};
use crate::tui::panes::keys::value;
use crate::tui::panes::states::wrapped;
use crate::tui::theme::{Theme, Tone};
use crate::tui::widgets::{field, panel};

/// Keys named in a plan or an outcome; the rest is counted.
const NAMED: usize = 5;

impl Confirm {
    pub fn draw(&self, app: &App, frame: &mut Frame, area: Rect) {
        let theme = app.shell.theme;
        // A little less than there is: a space before a word may be carried to the next row.
        let width = usize::from(area.width.clamp(20, 78).saturating_sub(4));
        let lines: Vec<Line> = self
            .lines(app)
            .into_iter()
            .flat_map(|line| hanging(line, width))
            .collect();
        let asks_name = matches!(&self.stage, Stage::Deciding(plan) if plan.asks() != Asks::Yes);
        let rows: usize = lines.iter().map(|line| rows_of(line, width)).sum();
        let height = u16::try_from(rows + 2 + usize::from(asks_name)).unwrap_or(u16::MAX);
        let area = panel::centred(area, 78, height);
        let inner = panel::over(theme, frame, area, title(&self.change));
        let (field_row, body) = if asks_name && inner.height > 1 {
            let row = Rect {
                y: inner.bottom() - 1,
                height: 1,
                ..inner
            };
            (
                Some(row),
                Rect {
                    height: inner.height - 1,
                    ..inner
                },
            )
        } else {
            (None, inner)
        };
        let surplus = u16::try_from(rows)
            .unwrap_or(u16::MAX)
            .saturating_sub(body.height);
        let text = Paragraph::new(lines)
            .wrap(Wrap { trim: false })
            // On a small screen the question itself must stay in view.
            .scroll((surplus, 0));
        frame.render_widget(text, body);
        if let Some(row) = field_row {
            field::draw(theme, frame, row, &self.typed);
        }
    }

    fn lines(&self, app: &App) -> Vec<Line<'static>> {
        let theme = app.shell.theme;
        let mut lines = self.heading(app);
        match &self.stage {
            Stage::Previewing => lines.push(muted(theme, "asking the server what it would mean …")),
            Stage::Deciding(plan) => {
                lines.extend(plan_lines(theme, plan));
                lines.push(Line::default());
                if !self.objection.is_empty() {
                    lines.push(toned(theme, Tone::Danger, &self.objection));
                }
                lines.push(question(theme, plan));
            }
            Stage::Applying => lines.push(muted(theme, "sent; waiting for the outcome …")),
            Stage::Refused(why) => {
                lines.push(toned(theme, Tone::Danger, &format!("refused: {why}")));
                lines.push(keys(theme, &[("Esc", "close")]));
            }
            Stage::Done(outcome) => {
                let (tone, words) = words(Some(&self.change), outcome);
                lines.push(toned(theme, tone, &words));
                lines.extend(failures(theme, outcome));
                lines.push(keys(theme, &[("Esc", "close")]));
            }
        }
        lines
    }

    fn heading(&self, app: &App) -> Vec<Line<'static>> {
        let theme = app.shell.theme;
        let deck = &app.decks[self.deck];
        let mut first = vec![
            Span::styled(" on ", theme.style(Tone::Muted)),
            Span::styled(
                text::escape(deck.target.name.as_bytes()),
                theme.style(Tone::Title),
            ),
        ];
        if deck.policy.environment == crate::model::Environment::Production {
            first.push(Span::raw("  "));
            first.push(Span::styled(" PRODUCTION ", theme.style(Tone::Production)));
        }
        let mut lines = vec![Line::from(first)];
        let all = self.change.keys();
        for key in all.iter().take(NAMED) {
            let name = text::fit(&text::escape(key.bytes()), 70);
            lines.push(Line::raw(format!("   {name}")));
        }
        if all.len() > NAMED {
            let more = format!("  and {} more keys", all.len() - NAMED);
            lines.push(muted(theme, &more));
        }
        lines
    }
}

/// How many rows a line takes when it is wrapped at its words, and within words that are longer.
fn rows_of(line: &Line, width: usize) -> usize {
    let (mut rows, mut column) = (1, 0);
    for word in line.to_string().split_inclusive(' ') {
        let cells = text::width(word.trim_end());
        if column > 0 && column + cells > width {
            (rows, column) = (rows + 1, 0);
        }
        rows += cells.saturating_sub(1) / width;
        column = (column + text::width(word) - 1) % width + 1;
    }
    rows
}

fn title(change: &Change) -> &'static str {
    match change {
        Change::SetTtl {
            wish: TtlWish::Never,
            ..
        } => "Remove the TTL",
        Change::SetTtl { .. } => "Set the TTL",
        Change::Delete { .. } => "Delete",
        Change::Snapshot => "Create a snapshot",
        Change::Restore(_) => "Restore a snapshot",
        Change::RewriteAof => "Rewrite the append-only file",
    }
}

fn plan_lines(theme: Theme, plan: &Plan) -> Vec<Line<'static>> {
    let preview = plan.preview();
    let mut lines = vec![muted(theme, "this would be sent:")];
    for command in preview.commands.iter().take(NAMED) {
        lines.push(toned(
            theme,
            Tone::Accent,
            &format!("  {}", text::fit(command, 200)),
        ));
    }
    let named = preview.commands.len().min(NAMED);
    if preview.of > named {
        let more = format!("  and {} more commands", preview.of - named);
        lines.push(muted(theme, &more));
    }
    if !preview.cost.is_empty() {
        lines.push(fact(theme, "cost", &preview.cost, Tone::Plain));
    }
    for caution in &preview.cautions {
        lines.push(fact(theme, "note", caution, Tone::Caution));
    }
    match &preview.undo {
        Some(undo) => lines.push(fact(theme, "undo", undo, Tone::Plain)),
        None if plan.change().keys().is_empty() => {}
        None => lines.push(fact(theme, "undo", "cannot be taken back", Tone::Danger)),
    }
    lines
}

fn question(theme: Theme, plan: &Plan) -> Line<'static> {
    match plan.asks() {
        Asks::Yes => keys(theme, &[("y", "yes, do it"), ("n Enter Esc", "no")]),
        Asks::Name(name) => Line::from(vec![
            Span::styled(" type ", theme.style(Tone::Danger)),
            Span::styled(text::escape(name.as_bytes()), theme.style(Tone::Title)),
            Span::styled(
                " and Enter to do it; Esc leaves it",
                theme.style(Tone::Danger),
            ),
        ]),
    }
}

/// How a change went, in one line.
pub fn words(change: Option<&Change>, outcome: &Result<Outcome, String>) -> (Tone, String) {
    match outcome {
        Err(why) => (Tone::Danger, format!("not known to be done: {why}")),
        Ok(Outcome::Snapshot(SnapshotState::Failed { why })) => {
            (Tone::Danger, format!("the snapshot failed: {why}"))
        }
        Ok(Outcome::Attached) => (
            Tone::Caution,
            "one is being written already, begun by somebody else; the Snapshots pane follows it"
                .to_owned(),
        ),
        Ok(Outcome::Rewrite(_)) => (
            Tone::Good,
            "the server accepted the rewrite; the Snapshots pane follows it".to_owned(),
        ),
        Ok(Outcome::Snapshot(_)) => (
            Tone::Good,
            "the server accepted the snapshot; the Snapshots pane follows it".to_owned(),
        ),
        Ok(outcome) => {
            let (done, gone, failed) = outcome.counts();
            let mut parts = Vec::new();
            if done > 0 || (gone == 0 && failed == 0) {
                parts.push(done_words(change, done));
            }
            if gone > 0 {
                parts.push(format!("{gone} no longer there"));
            }
            if failed > 0 {
                parts.push(format!("{failed} failed or unknown"));
            }
            let tone = match (gone, failed) {
                (0, 0) => Tone::Good,
                (_, 0) => Tone::Caution,
                _ => Tone::Danger,
            };
            (tone, parts.join(", "))
        }
    }
}

/// What was done, in the change's own words: `TTL set on 3 keys`.
fn done_words(change: Option<&Change>, done: usize) -> String {
    let count = units::count(done as u64);
    let keys = if done == 1 { "key" } else { "keys" };
    match change {
        Some(Change::SetTtl {
            wish: TtlWish::Never,
            ..
        }) => format!("TTL removed from {count} {keys}"),
        Some(Change::SetTtl { .. }) => format!("TTL set on {count} {keys}"),
        Some(Change::Delete { .. }) => format!("{count} {keys} deleted"),
        Some(Change::Restore(_)) => format!("{count} {keys} restored"),
        Some(Change::Snapshot | Change::RewriteAof) | None => format!("{count} done"),
    }
}

fn failures(theme: Theme, outcome: &Result<Outcome, String>) -> Vec<Line<'static>> {
    let Ok(Outcome::Keys(keys)) = outcome else {
        return Vec::new();
    };
    keys.iter()
        .filter_map(|(key, outcome)| {
            let name = text::fit(&text::escape(key.bytes()), 40);
            match outcome {
                KeyOutcome::Failed(why) => Some(format!("{name}: {why}")),
                KeyOutcome::Unknown(why) => Some(format!("{name}: unknown: {why}")),
                KeyOutcome::NoSuchKey => Some(format!("{name}: no longer there")),
                KeyOutcome::Done | KeyOutcome::AlreadySo => None,
            }
        })
        .take(NAMED)
        .map(|words| toned(theme, Tone::Plain, &format!("  {words}")))
        .collect()
}

/// A line as several of at most `width` cells, those after the first under the words of the first.
fn hanging(mut line: Line<'static>, width: usize) -> Vec<Line<'static>> {
    if line.width() <= width {
        return vec![line];
    }
    let style = line.style;
    let heads: usize = line.spans.iter().rev().skip(1).map(Span::width).sum();
    let Some(last) = line.spans.pop_if(|_| heads <= width / 2) else {
        return vec![line];
    };
    let words = last.content.trim_start();
    let margin = text::width(&last.content) - text::width(words);
    let indent = heads + margin;
    let cells = width.saturating_sub(indent).max(8);
    let has_long_word = words.split(' ').any(|word| text::width(word) > cells);
    let parts = if has_long_word {
        // A command must be there to the last byte.
        value::wrapped([words.to_owned()], cells)
    } else {
        wrapped(words, cells)
    };
    let mut before = line.spans;
    before.push(Span::raw(" ".repeat(margin)));
    parts
        .into_iter()
        .map(|part| {
            let under = vec![Span::raw(" ".repeat(indent))];
            let mut spans = std::mem::replace(&mut before, under);
            spans.push(Span::styled(part, last.style));
            Line::from(spans).style(style)
        })
        .collect()
}

fn fact(theme: Theme, label: &str, words: &str, tone: Tone) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!(" {label}  "), theme.style(Tone::Muted)),
        Span::styled(words.to_owned(), theme.style(tone)),
    ])
}

fn muted(theme: Theme, words: &str) -> Line<'static> {
    toned(theme, Tone::Muted, words)
}

fn toned(theme: Theme, tone: Tone, words: &str) -> Line<'static> {
    Line::styled(format!(" {words}"), theme.style(tone))
}

fn keys(theme: Theme, keys: &[(&'static str, &'static str)]) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for (key, words) in keys {
        spans.push(Span::styled(*key, theme.style(Tone::Key)));
        spans.push(Span::raw(format!(" {words}   ")));
    }
    Line::from(spans)
}
