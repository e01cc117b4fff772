//! Filled curves of the recent past.
//!
//! A known zero is a line at the bottom, an unknown a gap: the two must never look the same.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::theme::{Theme, Tone};

/// The dots of a braille cell, from the bottom up, left and right.
const DOTS: [[u32; 4]; 2] = [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]];

const BRAILLE: u32 = 0x2800;

/// Heights of a cell in ASCII.
const STEPS: [&str; 5] = [" ", ".", ":", "|", "#"];

/// A curve to draw.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// Oldest first, as many as `capacity` says.
    pub points: &'a [Option<f64>],
    /// What the upper edge stands for.
    pub top: f64,
    /// Places among the points where the numbers before and after cannot be compared.
    pub marks: &'a [usize],
    pub tone: Tone,
}

/// How many points a chart of this width shows.
pub fn capacity(theme: Theme, width: u16) -> usize {
    usize::from(width) * if theme.is_ascii { 1 } else { 2 }
}

impl Chart<'_> {
    pub fn draw(&self, theme: Theme, frame: &mut Frame, area: Rect) {
        let style = theme.style(self.tone);
        let buffer = frame.buffer_mut();
        if theme.is_ascii {
            self.draw_ascii(buffer, area, style);
        } else {
            self.draw_braille(buffer, area, style);
        }
        self.draw_marks(theme, buffer, area);
    }

    fn draw_braille(&self, buffer: &mut Buffer, area: Rect, style: Style) {
        let height = usize::from(area.height) * 4;
        for (column, x) in (area.left()..area.right()).enumerate() {
            let left = self.level(column * 2, height);
            let right = self.level(column * 2 + 1, height);
            for (row, y) in (area.top()..area.bottom()).rev().enumerate() {
                let mut dots = 0;
                for (side, level) in DOTS.iter().zip([left, right]) {
                    let filled = level.unwrap_or_default().saturating_sub(row * 4);
                    dots |= side.iter().take(filled).sum::<u32>();
                }
                if dots > 0 {
                    let symbol = char::from_u32(BRAILLE + dots).unwrap_or(' ');
                    buffer[(x, y)].set_char(symbol).set_style(style);
                }
            }
        }
    }

    fn draw_ascii(&self, buffer: &mut Buffer, area: Rect, style: Style) {
        let height = usize::from(area.height) * 4;
        for (column, x) in (area.left()..area.right()).enumerate() {
            let Some(level) = self.level(column, height) else {
                continue;
            };
            for (row, y) in (area.top()..area.bottom()).rev().enumerate() {
                let step = level.saturating_sub(row * 4).min(4);
                buffer[(x, y)].set_symbol(STEPS[step]).set_style(style);
            }
        }
    }

    fn draw_marks(&self, theme: Theme, buffer: &mut Buffer, area: Rect) {
        let per_cell = if theme.is_ascii { 1 } else { 2 };
        for mark in self.marks {
            let column = u16::try_from(mark / per_cell).unwrap_or(u16::MAX);
            if column >= area.width {
                continue;
            }
            for y in area.top()..area.bottom() {
                buffer[(area.x + column, y)]
                    .set_symbol(theme.sign("┊", "!"))
                    .set_style(theme.style(Tone::Caution));
            }
        }
    }

    /// How many dots high a point is: at least one when it is known.
    fn level(&self, point: usize, height: usize) -> Option<usize> {
        let value = (*self.points.get(point)?)?;
        let share = if self.top > 0.0 {
            value / self.top
        } else {
            0.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a screen's height before"
        )]
        let dots = (share.clamp(0.0, 1.0) * height as f64).round() as usize;
        Some(dots.max(1))
    }
}

/// One line of bars, for tables.
pub fn sparkline(theme: Theme, points: &[Option<f64>], top: f64) -> String {
    const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    points
        .iter()
        .map(|point| match point {
            None => " ",
            Some(value) => {
                let share = if top > 0.0 { value / top } else { 0.0 }.clamp(0.0, 1.0);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share of 7"
                )]
                let step = (share * 7.0).round() as usize;
                if theme.is_ascii {
                    STEPS[1 + step / 2]
                } else {
                    BARS[step]
                }
            }
        })
        .collect()
}

/// A round number at or barely below the highest in the chart, so that its scale seldom moves.
pub fn round_top(points: &[Option<f64>]) -> f64 {
    let highest = points.iter().flatten().copied().fold(0.0, f64::max);
    if highest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        // A little above is let through: 1.001 operations a second must not halve the curve.
        .find(|top| *top * 1.05 >= highest)
        .unwrap_or(highest)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn drawn(theme: Theme, points: &[Option<f64>], marks: &[usize], width: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 2)).unwrap();
        terminal
            .draw(|frame| {
                let chart = Chart {
                    points,
                    top: 8.0,
                    marks,
                    tone: Tone::Plain,
                };
                chart.draw(theme, frame, frame.area());
            })
            .unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_zero_is_a_line_and_an_unknown_is_a_gap() {
        let points = [Some(0.0), Some(0.0), None, None, Some(8.0), Some(4.0)];
        assert_eq!(
            drawn(Theme::default(), &points, &[], 3),
            "\"  ⡇\"\n\"⣀ ⣿\"\n"
        );
    }

    #[test]
    fn a_break_is_marked() {
        let points = [Some(8.0); 6];
        assert_eq!(
            drawn(Theme::default(), &points, &[2], 3),
            "\"⣿┊⣿\"\n\"⣿┊⣿\"\n"
        );
    }

    #[test]
    fn ascii_draws_the_same_shape() {
        let theme = Theme {
            is_ascii: true,
            ..Theme::default()
        };
        let points = [Some(0.0), None, Some(3.0), Some(6.0), Some(8.0)];
        assert_eq!(drawn(theme, &points, &[], 5), "\"   :#\"\n\". |##\"\n");
    }

    #[test]
    fn the_scale_is_a_round_number() {
        let top = |value| round_top(&[Some(value), None]);
        assert!((top(3.2) - 5.0).abs() < 1e-9);
        assert!((top(99.0) - 100.0).abs() < 1e-9);
        assert!((top(1.02) - 1.0).abs() < 1e-9);
        assert!((top(0.0) - 1.0).abs() < 1e-9);
    }
}
