//! A bar that is filled by a share.

use ratatui::text::Span;

use crate::tui::theme::{Theme, Tone};

const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar of `width` cells, `share` of it (0 to 1) filled.
pub fn bar(theme: Theme, share: f64, width: usize, tone: Tone) -> Vec<Span<'static>> {
    let eighths = width * 8;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a screen's width"
    )]
    let filled = (share.clamp(0.0, 1.0) * eighths as f64).round() as usize;
    let (full, part) = if theme.is_ascii {
        (filled / 8, "")
    } else {
        (filled / 8, PARTS[filled % 8])
    };
    let bar = format!("{}{part}", theme.sign("█", "#").repeat(full));
    let rest = width - full - usize::from(!part.is_empty());
    vec![
        Span::styled(bar, theme.style(tone)),
        Span::styled(theme.sign("░", "-").repeat(rest), theme.style(Tone::Muted)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(is_ascii: bool, share: f64) -> String {
        let theme = Theme {
            is_ascii,
            ..Theme::default()
        };
        bar(theme, share, 4, Tone::Plain)
            .iter()
            .map(|span| span.content.clone())
            .collect()
    }

    #[test]
    fn a_bar_has_its_width_whatever_the_share() {
        assert_eq!(text(false, 0.0), "░░░░");
        assert_eq!(text(false, 0.375), "█▌░░");
        assert_eq!(text(false, 1.0), "████");
        assert_eq!(text(false, 7.0), "████");
        assert_eq!(text(true, 0.5), "##--");
    }
}
