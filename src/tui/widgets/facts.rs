//! Labels with values, aligned.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::theme::{Theme, Tone};

/// A labelled value. All text in it must be safe to show.
#[derive(Clone, Debug)]
pub struct Fact {
    label: &'static str,
    /// `None`: not known.
    value: Option<String>,
    tone: Tone,
    note: String,
    bar: Option<f64>,
}

impl Fact {
    pub fn new(label: &'static str, value: impl Into<Option<String>>) -> Self {
        Self {
            label,
            value: value.into(),
            tone: Tone::Plain,
            note: String::new(),
            bar: None,
        }
    }

    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// Words beside the value: a unit, or why there is none.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// A bar filled by this share, between label and value.
    #[must_use]
    pub fn bar(mut self, share: Option<f64>) -> Self {
        self.bar = share;
        self
    }

    fn line(&self, theme: Theme, labels: usize, width: usize) -> Line<'static> {
        let mut spans = vec![
            Span::styled(
                format!(" {} ", text::pad(self.label, labels)),
                theme.style(Tone::Muted),
            ),
            match &self.value {
                Some(value) => {
                    let room = width.saturating_sub(labels + 2);
                    // Ends differ where beginnings are alike: `volatile-lru`, `volatile-ttl`.
                    Span::styled(text::fit_middle(value, room), theme.style(self.tone))
                }
                None => Span::styled(theme.unknown(), theme.style(Tone::Muted)),
            },
        ];
        let used: usize = spans.iter().map(Span::width).sum();
        let left = width.saturating_sub(used + 1);
        if let Some(share) = self.bar
            && left >= 3
        {
            spans.push(Span::raw(" "));
            let cells = left.min(41) - 1;
            spans.extend(crate::tui::widgets::gauge::bar(
                theme, share, cells, self.tone,
            ));
        }
        // Half a note confuses more than none.
        if text::width(&self.note) <= left {
            spans.push(Span::styled(
                format!(" {}", self.note),
                theme.style(Tone::Muted),
            ));
        }
        Line::from(spans)
    }
}

/// Draws facts below each other, as many as fit.
pub fn draw(theme: Theme, frame: &mut Frame, area: Rect, facts: &[Fact]) {
    let labels = facts
        .iter()
        .map(|fact| text::width(fact.label))
        .max()
        .unwrap_or_default();
    for (row, fact) in area.rows().zip(facts) {
        frame.render_widget(fact.line(theme, labels, usize::from(row.width)), row);
    }
}
