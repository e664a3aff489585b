//! Aligned tables of text. A column whose cells are all empty is left out, so that a rare thing costs no width.

/// Which side a column is flush with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table with a heading.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn new(columns: &[(&str, Align)]) -> Table {
        Table { columns: columns.iter().map(|&(name, align)| (name.to_owned(), align)).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().take(self.columns.len()).collect());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each with its newline; the heading in bold where `color` says so.
    pub fn text(&self, color: bool) -> String {
        let width = |i: usize| self.rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
        let shown: Vec<(usize, usize)> = (0..self.columns.len())
            .filter(|&i| self.rows.is_empty() || width(i) > 0)
            .map(|i| (i, width(i).max(self.columns[i].0.chars().count())))
            .collect();
        let line = |cells: &[String]| {
            let cells: Vec<String> = shown
                .iter()
                .map(|&(i, width)| match (cells.get(i).map_or("", String::as_str), self.columns[i].1) {
                    (cell, Align::Left) => format!("{cell:<width$}"),
                    (cell, Align::Right) => format!("{cell:>width$}"),
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        let names: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let heading = line(&names);
        let mut out = if color { format!("\u{1b}[1m{heading}\u{1b}[0m\n") } else { format!("{heading}\n") };
        for row in &self.rows {
            out += &line(row);
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_columns_cost_nothing_and_nothing_trails() {
        let mut table = Table::new(&[("a", Align::Left), ("gone", Align::Right), ("n", Align::Right)]);
        table.row(["long".to_owned(), String::new(), "7".to_owned()]);
        table.row(["x".to_owned()]);
        assert_eq!(table.text(false), "a     n\nlong  7\nx\n");
        assert!(table.text(true).starts_with("\u{1b}[1ma     n\u{1b}[0m\n"));
    }
}
