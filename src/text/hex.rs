//! Bytes as hexadecimal beside what of them is readable.

use std::fmt::Write as _;

/// Bytes per row, widest first.
const ROWS: [usize; 6] = [32, 16, 8, 4, 2, 1];

/// Rows such as `00000010  68 65 6c 6c 6f 0a …  |hello.…|`, as wide as `cells` allow.
///
/// `offset` is the place of the first byte in the whole value.
pub fn hex_dump(
    bytes: &[u8],
    offset: u64,
    cells: usize,
) -> impl ExactSizeIterator<Item = String> + DoubleEndedIterator {
    let end = offset.saturating_add(bytes.len() as u64);
    let digits = offset_digits(end);
    let per_row = row_bytes(cells, digits);
    bytes.chunks(per_row).enumerate().map(move |(index, row)| {
        let at = offset.saturating_add((index * per_row) as u64);
        hex_row(row, at, per_row, digits)
    })
}

fn offset_digits(end: u64) -> usize {
    if end <= 1 << 32 { 8 } else { 16 }
}

fn row_bytes(cells: usize, digits: usize) -> usize {
    ROWS.into_iter()
        .find(|bytes| digits + 2 + hex_cells(*bytes) + 2 + bytes + 2 <= cells)
        .unwrap_or(1)
}

/// Two digits a byte, a space between, one more between groups of eight.
fn hex_cells(bytes: usize) -> usize {
    bytes * 3 - 1 + (bytes - 1) / 8
}

fn hex_row(row: &[u8], at: u64, per_row: usize, digits: usize) -> String {
    let hex_width = hex_cells(per_row);
    let mut hex = String::with_capacity(hex_width);
    for (index, byte) in row.iter().enumerate() {
        if index > 0 {
            hex.push_str(if index % 8 == 0 { "  " } else { " " });
        }
        write!(hex, "{byte:02x}").expect("a String takes all text");
    }
    let readable: String = row
        .iter()
        .map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        })
        .collect();
    format!("{at:0digits$x}  {hex:hex_width$}  |{readable}|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(bytes: &[u8], offset: u64, cells: usize) -> Vec<String> {
        hex_dump(bytes, offset, cells).collect()
    }

    #[test]
    fn rows_line_up() {
        assert_eq!(
            dump(b"hello, w\x1b[2J\xff\0 world", 16, 80),
            [
                "00000010  68 65 6c 6c 6f 2c 20 77  1b 5b 32 4a ff 00 20 77  |hello, w.[2J.. w|",
                "00000020  6f 72 6c 64                                       |orld|",
            ]
        );
    }

    #[test]
    fn narrow_screens_get_short_rows() {
        assert_eq!(
            dump(b"hello", 0, 30),
            [
                "00000000  68 65 6c 6c  |hell|",
                "00000004  6f           |o|"
            ]
        );
        assert_eq!(
            dump(b"hi", 0, 0),
            ["00000000  68  |h|", "00000001  69  |i|"]
        );
    }

    #[test]
    fn rows_fit_their_cells() {
        for cells in 17..200 {
            for row in hex_dump(&[b'a'; 70], 0, cells) {
                assert!(row.len() <= cells, "{row} in {cells}");
            }
        }
    }

    #[test]
    fn far_offsets_get_more_digits() {
        assert_eq!(dump(b"a", 1 << 40, 25), ["0000010000000000  61  |a|"]);
        assert!(dump(b"", 0, 80).is_empty());
    }
}
