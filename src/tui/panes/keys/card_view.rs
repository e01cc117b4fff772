//! Draws an opened key: its card, and the window of its value that was read.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{KeyCard, Part, Value, units};
use crate::text;
use crate::tui::actions::Action;
use crate::tui::panes::keys::aside::{expiry_words, ttl_words};
use crate::tui::panes::keys::card::{Card, State, head};
use crate::tui::panes::keys::value;
use crate::tui::panes::states::wrapped;
use crate::tui::shell::Shell;
use crate::tui::theme::Tone;

pub fn draw(shell: &Shell, card: &Card, frame: &mut Frame, area: Rect) {
    let head = head(area.height);
    let cells = usize::from(area.width).saturating_sub(1);
    let lines = match head {
        5 => vec![
            name(card, cells),
            facts(shell, card),
            more(shell, card),
            extent(shell, card),
            titles(card, cells),
        ],
        3 => vec![name(card, cells), facts(shell, card), extent(shell, card)],
        _ => vec![name(card, cells)],
    };
    for (row, (words, tone)) in area.rows().zip(lines) {
        let words = text::fit(&words, cells);
        frame.render_widget(
            Line::styled(format!(" {words}"), shell.theme.style(tone)),
            row,
        );
    }
    let body = Rect {
        y: area.y + head,
        height: area.height.saturating_sub(head),
        ..area
    };
    draw_body(shell, card, frame, body);
}

fn name(card: &Card, cells: usize) -> (String, Tone) {
    let name = card.key.bytes();
    let whole = text::width(&value::brief(name, cells + 1)) <= cells;
    if whole {
        return (text::escape(name), Tone::Title);
    }
    let length = format!(
        " ({})",
        value::counted(name.len() as u64, ("byte", "bytes"))
    );
    let room = cells.saturating_sub(length.len());
    (value::brief_name(name, room) + &length, Tone::Title)
}

fn facts(shell: &Shell, card: &Card) -> (String, Tone) {
    let State::Shown { card, .. } = &card.state else {
        return (String::new(), Tone::Plain);
    };
    let mut words = vec![card.kind.word().to_owned()];
    words.extend(card.encoding.clone());
    words.extend(card.size.map(|size| format!("{size} in memory")));
    words.push(match card.ttl.left(shell.now) {
        Some(_) => format!(
            "TTL {} ({})",
            ttl_words(shell, card.ttl),
            expiry_words(shell, card.ttl)
        ),
        None => format!("TTL {}", ttl_words(shell, card.ttl)),
    });
    (words.join(&dot(shell)), Tone::Plain)
}

fn more(shell: &Shell, card: &Card) -> (String, Tone) {
    let State::Shown { card, at, .. } = &card.state else {
        return (String::new(), Tone::Plain);
    };
    let mut words = idle_words(card);
    if let Some(item) = &card.item {
        words.extend(item.flags.map(|flags| format!("flags {flags}")));
        words.extend(item.cas.map(|cas| format!("cas {cas}")));
        words.extend(item.slab_class.map(|class| format!("slab {class}")));
        words.extend(
            item.fetched
                .map(|is| if is { "has been read" } else { "never read" }.to_owned()),
        );
    }
    words.push(format!("as of {}", shell.clock(*at)));
    words.extend(card.trace().map(str::to_owned));
    (words.join(&dot(shell)), Tone::Muted)
}

fn idle_words(card: &KeyCard) -> Vec<String> {
    let idle = card.idle.map(|idle| format!("idle {}", units::span(idle)));
    let frequency = card
        .frequency
        .map(|count| format!("access frequency {count}"));
    let slot = card.slot.map(|slot| format!("slot {slot}"));
    [idle, frequency, slot].into_iter().flatten().collect()
}

fn extent(shell: &Shell, card: &Card) -> (String, Tone) {
    let Some(value) = card.value() else {
        return (String::new(), Tone::Plain);
    };
    let mut words = vec![value::extent(value)];
    words.retain(|words| !words.is_empty());
    if let (Some(bytes), true) = (card.bytes(), card.is_possible(Action::NextForm)) {
        words.push(format!("as {}", card.form.word(bytes)));
    }
    if card.is_loading() {
        words.push("reading".to_owned());
    }
    if card.is_possible(Action::Right) {
        words.push(format!("{} next", shell.keymap.key(Action::Right)));
    }
    if card.is_possible(Action::Left) {
        words.push(format!("{} previous", shell.keymap.key(Action::Left)));
    }
    // What is missing is said first: the end of the line may not be on the screen.
    if let Some(cut) = &value.cut {
        words.insert(0, cut.clone());
        return (words.join(&dot(shell)), Tone::Caution);
    }
    (words.join(&dot(shell)), Tone::Accent)
}

fn titles(card: &Card, cells: usize) -> (String, Tone) {
    let words = match card.value() {
        Some(value) if card.element.is_none() => {
            let (left, right) = value::columns(&value.part);
            let (wide, _) = split(value, cells);
            if wide == 0 {
                right.to_owned()
            } else {
                format!("{}  {right}", text::pad(left, wide))
            }
        }
        _ => String::new(),
    };
    (words, Tone::Muted)
}

fn dot(shell: &Shell) -> String {
    format!(" {} ", shell.theme.sign("·", "-"))
}

fn draw_body(shell: &Shell, card: &Card, frame: &mut Frame, area: Rect) {
    let words = match &card.state {
        State::Loading => (Tone::Muted, vec!["reading".to_owned()]),
        State::Gone { at } => {
            let words = format!("there is no such key (asked at {})", shell.clock(*at));
            (Tone::Caution, vec![words])
        }
        State::Failed(fault) => {
            let words = [Some(fault.to_string()), fault.hint()];
            let cells = usize::from(area.width).saturating_sub(1);
            let lines = words
                .iter()
                .flatten()
                .flat_map(|words| wrapped(words, cells));
            (Tone::Danger, lines.collect())
        }
        State::Shown { value, .. } => return draw_value(shell, card, value, frame, area),
    };
    let (tone, words) = words;
    draw_lines(shell, tone, &words, 0, frame, area);
}

fn draw_value(shell: &Shell, card: &Card, value: &Value, frame: &mut Frame, area: Rect) {
    let cells = usize::from(area.width);
    match (&value.part, card.element) {
        (Part::Opaque(why), _) => draw_lines(
            shell,
            Tone::Caution,
            &value::wrapped([why.clone()], cells),
            0,
            frame,
            area,
        ),
        (Part::Text(bytes), _) if bytes.is_empty() => {
            draw_lines(
                shell,
                Tone::Muted,
                &["the value is empty".to_owned()],
                0,
                frame,
                area,
            );
        }
        (Part::Text(bytes), _) => {
            let lines = value::lines(bytes, value.from, card.form, cells.saturating_sub(1));
            draw_lines(
                shell,
                Tone::Plain,
                &lines,
                card.cursor.selected(),
                frame,
                area,
            );
        }
        (_, Some((at, cursor))) => {
            let opened = value::opened(value, at, card.form, cells.saturating_sub(1), &shell.zone);
            let Some((title, lines)) = opened else {
                return;
            };
            let title_row = Rect {
                height: area.height.min(1),
                ..area
            };
            let title = Line::styled(format!(" {title}"), shell.theme.style(Tone::Accent));
            frame.render_widget(title, title_row);
            let below = Rect {
                y: area.y + title_row.height,
                height: area.height - title_row.height,
                ..area
            };
            draw_lines(shell, Tone::Plain, &lines, cursor.selected(), frame, below);
        }
        (_, None) => draw_table(shell, card, value, frame, area),
    }
}

fn draw_lines(
    shell: &Shell,
    tone: Tone,
    lines: &[String],
    from: usize,
    frame: &mut Frame,
    area: Rect,
) {
    for (row, line) in area.rows().zip(lines.iter().skip(from)) {
        frame.render_widget(
            Line::styled(format!(" {line}"), shell.theme.style(tone)),
            row,
        );
    }
}

fn draw_table(shell: &Shell, card: &Card, value: &Value, frame: &mut Frame, area: Rect) {
    let cells = usize::from(area.width).saturating_sub(1);
    let (left, right) = split(value, cells);
    let visible = card
        .cursor
        .visible(value::elements(&value.part), usize::from(area.height));
    for (at, row) in visible.zip(area.rows()) {
        let Some((one, other)) = value::row(value, at, (left, right)) else {
            continue;
        };
        let mut spans = vec![Span::raw(" ")];
        if left > 0 {
            let one = format!("{}  ", text::pad(&one, left));
            spans.push(Span::styled(one, shell.theme.style(Tone::Accent)));
        }
        spans.push(Span::raw(other));
        frame.render_widget(Line::from(spans), row);
        if at == card.cursor.selected() {
            let style = shell.theme.style(Tone::Selected);
            frame.buffer_mut().set_style(row, style);
        }
    }
}

/// Cells of the two columns.
fn split(value: &Value, cells: usize) -> (usize, usize) {
    let left = match &value.part {
        Part::Set(_) | Part::Text(_) | Part::Opaque(_) => 0,
        Part::List(_) => 13.min(cells / 3),
        Part::Hash(_) => 32.min(cells / 3),
        Part::SortedSet(_) => 18.min(cells / 3),
        Part::Stream(_) => 22.min(cells / 3),
    };
    let gap = if left > 0 { 2 } else { 0 };
    (left, cells.saturating_sub(left + gap))
}
