//! Text tables for terminals.

use std::fmt::Write;

/// A column: its heading and its alignment.
pub struct Column(pub &'static str, pub Side);

/// The side to which the cells of a column are aligned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Left, for texts.
    Left,
    /// Right, for numbers.
    Right,
}

/// Formats rows; each column is as wide as its widest cell, and two spaces separate columns.
pub fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = columns.iter().map(|column| column.0.to_owned()).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|number| {
            let cells = std::iter::once(&headings).chain(rows).filter_map(|row| row.get(number));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for ((cell, width), Column(_, side)) in row.iter().zip(&widths).zip(columns) {
            let _ = match side {
                Side::Left => write!(line, "{cell:<width$}  "),
                Side::Right => write!(line, "{cell:>width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Escapes control characters, so that a text from elsewhere cannot control the terminal.
pub fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell() {
        let columns = [Column("KEY", Side::Left), Column("BYTES", Side::Right)];
        let rows = [vec!["käse".to_owned(), "7".to_owned()], vec!["k".to_owned(), "123456".to_owned()]];
        assert_eq!(table(&columns, &rows), "KEY    BYTES\nkäse       7\nk     123456\n");
        assert_eq!(escaped("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}
