//! The grammar finds what it must and lets pass what our drawing layer sends.

use crate::common::grammar::{of_a_command, of_a_screen};

#[test]
fn what_the_drawing_layer_sends_is_clean() {
    let bytes = concat!(
        "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1015h\x1b[?1006h\x1b[?2004h",
        "\x1b[2J\x1b[1;1H\x1b[38;5;10m│ naïve ✓ 漢字\x1b[0m\x1b[4:3m\x1b[39m\x1b[K\r\n",
        "\x1b7\x1b8\x1b[0 q\x1b]52;c;aGk=\x07\x1b]52;c;aGk=\x1b\\\x1b[?25h\x1b[?1049l",
    );
    assert_eq!(of_a_screen(bytes.as_bytes()), []);
}

#[test]
fn planted_bytes_are_found() {
    let planted: [(&str, &[u8]); 19] = [
        ("invalid UTF-8", b"a\x9b31m"),
        ("C1 control U+009B", "a\u{9b}31m".as_bytes()),
        ("bidi embedding U+202E", "a\u{202e}b".as_bytes()),
        ("bidi isolate U+2066", "a\u{2066}b".as_bytes()),
        ("zero-width character U+200B", "a\u{200b}b".as_bytes()),
        ("zero-width character U+200D", "a\u{200d}b".as_bytes()),
        ("byte order mark", "a\u{feff}b".as_bytes()),
        ("tag character", "a\u{e0041}b".as_bytes()),
        ("control byte 0x07", b"a\x07"),
        ("control byte 0x09", b"a\tb"),
        ("control byte 0x7f", b"a\x7f"),
        ("OSC 0;title", b"\x1b]0;title\x07"),
        ("OSC 52;c;?", b"\x1b]52;c;?\x07"),
        ("OSC 8;;http", b"\x1b]8;;http://x\x1b\\"),
        ("OSC without an end", b"\x1b]52;c;aGk="),
        ("CSI 6 n", b"\x1b[6n"),
        ("CSI ?12 h", b"\x1b[?12h"),
        ("ESC 'c'", b"\x1bc"),
        ("ESC 'P'", b"\x1bPq\x1b\\"),
    ];
    for (expected, bytes) in planted {
        let found = of_a_screen(bytes);
        let first = found.first().map(|offence| offence.what.clone());
        let first = first.unwrap_or_default();
        assert!(first.starts_with(expected), "{expected}: found {first:?}");
    }
}

#[test]
fn an_offence_says_where_it_is() {
    let found = of_a_screen("ab\u{200b}cd\u{200b}".as_bytes());
    let offsets: Vec<usize> = found.iter().map(|offence| offence.offset).collect();
    assert_eq!(offsets, [2, 7]);
}

#[test]
fn a_command_writes_text_and_at_most_colours() {
    let coloured = b"\x1b[1mkey\x1b[0m\n";
    assert_eq!(of_a_command(b"key  ttl\n", false), []);
    assert_eq!(of_a_command(coloured, true), []);
    assert_eq!(of_a_command(coloured, false).len(), 2);
    assert_eq!(of_a_command(b"\x1b[2J", true).len(), 1);
    assert_eq!(of_a_command(b"a\rb", true).len(), 1);
}
