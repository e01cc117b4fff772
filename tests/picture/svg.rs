//! A terminal's screen as an SVG picture: one rectangle a background run, one text a run of cells.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: f64 = 17.0;
const FONT_SIZE: f64 = 14.0;
const MARGIN: f64 = 14.0;
const BACKGROUND: &str = "#14171c";
const FOREGROUND: &str = "#d7dce2";

/// The 16 colours as a calm dark terminal shows them.
const PALETTE: [&str; 16] = [
    "#1d2127", "#e2646b", "#7fc58a", "#dcb862", "#6ca6e8", "#b98ae0", "#5fbcc4", "#c5cbd3",
    "#68717d", "#f08389", "#9bdba5", "#f0d084", "#8dbdf5", "#d0a9f0", "#83d6dd", "#f2f5f8",
];

/// What makes neighbouring cells one run.
#[derive(Clone, PartialEq)]
struct Style {
    ink: String,
    paper: Option<String>,
    is_bold: bool,
    is_underlined: bool,
}

/// The screen as a self-contained SVG document.
pub fn svg(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let width = f64::from(columns.get()) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f64::from(rows.get()) * CELL_HEIGHT + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace\" \
         font-size=\"{FONT_SIZE}\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..rows.get() {
        draw_row(&mut out, screen, row, columns.get());
    }
    out.push_str("</svg>\n");
    out
}

fn draw_row(out: &mut String, screen: &Screen, row: u16, columns: u16) {
    let mut column = 0;
    while column < columns {
        let Some(cell) = screen.cell(row, column) else {
            return;
        };
        let style = style_of(cell);
        let (start, mut run) = (column, String::new());
        while column < columns {
            let Some(cell) = screen.cell(row, column) else {
                break;
            };
            if style_of(cell) != style {
                break;
            }
            if !cell.is_wide_continuation() {
                run.push_str(if cell.has_contents() {
                    cell.contents()
                } else {
                    " "
                });
            }
            column += 1;
        }
        draw_run(out, row, start, column - start, &run, &style);
    }
}

fn draw_run(out: &mut String, row: u16, column: u16, cells: u16, run: &str, style: &Style) {
    let x = f64::from(column) * CELL_WIDTH + MARGIN;
    let y = f64::from(row) * CELL_HEIGHT + MARGIN;
    if let Some(paper) = &style.paper {
        let width = f64::from(cells) * CELL_WIDTH;
        write!(out, "{}", rect(x, y, width, CELL_HEIGHT, paper))
            .expect("a String takes every write");
    }
    // Fonts draw lines, blocks and dots with gaps, and each at another width: these are shapes. Words
    // stand alone, so that a font of another width moves no other word.
    let (mut word, mut begins, mut at) = (String::new(), x, x);
    for c in run.chars() {
        let shape = shape(c, at, y, &style.ink);
        if shape.is_some() || c == ' ' {
            write_word(out, begins, y, &word, style);
            word.clear();
            out.push_str(&shape.unwrap_or_default());
        } else {
            if word.is_empty() {
                begins = at;
            }
            word.push(c);
        }
        at += CELL_WIDTH * f64::from(cells_of(c));
    }
    write_word(out, begins, y, &word, style);
}

fn write_word(out: &mut String, x: f64, y: f64, word: &str, style: &Style) {
    if word.is_empty() {
        return;
    }
    let bold = if style.is_bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let line = if style.is_underlined {
        " text-decoration=\"underline\""
    } else {
        ""
    };
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{}\"{bold}{line}>{}</text>",
        y + CELL_HEIGHT * 0.76,
        style.ink,
        escaped(word),
    )
    .expect("a String takes every write");
}

fn cells_of(c: char) -> u8 {
    u8::try_from(unicode_width::UnicodeWidthChar::width(c).unwrap_or(0)).unwrap_or(1)
}

fn rect(x: f64, y: f64, width: f64, height: f64, ink: &str) -> String {
    format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{ink}\"/>\n"
    )
}

/// A character that is drawn rather than written: borders, blocks, shades, braille dots.
fn shape(c: char, x: f64, y: f64, ink: &str) -> Option<String> {
    let (middle, centre) = (x + CELL_WIDTH / 2.0, y + CELL_HEIGHT / 2.0);
    let line = |to: &[(f64, f64)]| {
        let mut ends = String::new();
        for (dx, dy) in to {
            let x = middle + dx * CELL_WIDTH / 2.0;
            let y = centre + dy * CELL_HEIGHT / 2.0;
            write!(ends, "M{middle:.1} {centre:.1}L{x:.1} {y:.1}")
                .expect("a String takes every write");
        }
        Some(format!(
            "<path d=\"{ends}\" stroke=\"{ink}\" stroke-width=\"1\" fill=\"none\"/>\n"
        ))
    };
    let (up, down, left, right) = ((0.0, -1.0), (0.0, 1.0), (-1.0, 0.0), (1.0, 0.0));
    match c {
        '─' => line(&[left, right]),
        '│' => line(&[up, down]),
        '┌' | '╭' => line(&[right, down]),
        '┐' | '╮' => line(&[left, down]),
        '└' | '╰' => line(&[right, up]),
        '┘' | '╯' => line(&[left, up]),
        '░' => Some(rect(x, y + 3.0, CELL_WIDTH, CELL_HEIGHT - 6.0, "#262b33")),
        '▁'..='█' => {
            let height = CELL_HEIGHT * f64::from(c as u32 - 0x2580) / 8.0;
            Some(rect(x, y + CELL_HEIGHT - height, CELL_WIDTH, height, ink))
        }
        '▉'..='▏' => {
            let width = CELL_WIDTH * f64::from(0x2590 - c as u32) / 8.0;
            Some(rect(x, y, width, CELL_HEIGHT, ink))
        }
        '\u{2800}'..='\u{28ff}' => Some(dots(c as u32 - 0x2800, x, y, ink)),
        _ => None,
    }
}

/// The dots of a braille character, by the bits of its number.
fn dots(bits: u32, x: f64, y: f64, ink: &str) -> String {
    const PLACES: [(u8, u8); 8] = [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
        (0, 3),
        (1, 3),
    ];
    let (wide, high) = (CELL_WIDTH / 2.0, CELL_HEIGHT / 4.0);
    (0..)
        .zip(PLACES)
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, (column, row))| {
            let (x, y) = (x + f64::from(column) * wide, y + f64::from(row) * high);
            rect(x + 0.6, y + 0.6, wide - 1.2, high - 1.2, ink)
        })
        .collect()
}

fn style_of(cell: &Cell) -> Style {
    let ink = colour(cell.fgcolor()).unwrap_or(FOREGROUND.to_owned());
    let paper = colour(cell.bgcolor());
    let (ink, paper) = if cell.inverse() {
        (paper.unwrap_or(BACKGROUND.to_owned()), Some(ink))
    } else {
        (ink, paper)
    };
    let ink = if cell.dim() {
        "#8a93a0".to_owned()
    } else {
        ink
    };
    Style {
        ink,
        paper,
        is_bold: cell.bold(),
        is_underlined: cell.underline(),
    }
}

fn colour(colour: Color) -> Option<String> {
    match colour {
        Color::Default => None,
        Color::Idx(index @ 0..16) => Some(PALETTE[usize::from(index)].to_owned()),
        Color::Idx(index @ 16..232) => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let cube = index - 16;
            let (red, green, blue) = (level(cube / 36), level(cube / 6 % 6), level(cube % 6));
            Some(format!("#{red:02x}{green:02x}{blue:02x}"))
        }
        Color::Idx(index) => {
            let grey = 8 + 10 * (index - 232);
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
