//! Tables for people.

use std::fmt::Write;

/// A column's name, and whether it stands at the right, as figures do.
pub struct Column(pub &'static str, pub Side);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// Columns as wide as what is in them, two spaces apart.
pub fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let width = |(number, column): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.get(number)).map(|cell| cell.chars().count());
        cells.chain([column.0.len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(width).collect();
    let heads = columns.iter().map(|column| column.0.to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(rows) {
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

/// A text from elsewhere as it may be shown on a terminal.
pub fn shown(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let columns = [Column("KEY", Side::Left), Column("BYTES", Side::Right)];
        let rows = [vec!["käse".to_owned(), "7".to_owned()], vec!["k".to_owned(), "123456".to_owned()]];
        assert_eq!(table(&columns, &rows), "KEY    BYTES\nkäse       7\nk     123456\n");
        assert_eq!(shown("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}
