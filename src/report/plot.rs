//! A panel drawn in characters: lines as braille, which has eight dots a character, a few points as bullets.

use super::picture::{Axis, Mark, Panel, Series};
use std::collections::BTreeSet;

/// More points than this are braille too, and lines are box characters then, to be told from them.
const FEW: usize = 150;

/// Colours of a terminal: points blue, lines red.
const POINTS: &str = "34";
const LINES: &str = "31";

/// A panel in `columns` × `rows` characters, axes and their labels included; in two colours where `color` says so.
pub fn plot(panel: &Panel, columns: usize, rows: usize, color: bool) -> String {
    let y_axis = panel.y_axis();
    let x_axis = Axis::around(panel.x_values(), panel.x_scale, 0.02);
    let height = rows.saturating_sub(4).max(3);
    let y_ticks = y_axis.ticks((height / 3).max(2));
    let margin = y_ticks.marks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0);
    let width = columns.saturating_sub(margin + 2).max(8);
    let mut canvas = Canvas::new(width, height, x_axis, y_axis);
    let shown: Vec<&Series> = panel.series.iter().filter(|s| s.counts).collect();
    let many = shown.iter().any(|s| matches!(s.mark, Mark::Points { .. }) && s.x.len() > FEW);
    for series in &shown {
        match series.mark {
            Mark::Points { .. } => canvas.points(series, many),
            Mark::Line { .. } => canvas.line(series, many),
            // Areas have no edge that characters could show.
            Mark::Bars { .. } | Mark::Band { .. } => {}
        }
    }
    for series in panel.series.iter().filter(|s| !s.counts && s.name == "observed = fitted") {
        canvas.line(series, many);
    }
    let with = |label: &str, factor: &str| format!("{label} {factor}").trim().to_owned();
    let row_of =
        |value: f64| ((1.0 - y_axis.place(value)) * height as f64 - 0.5).round().clamp(0.0, height as f64 - 1.0);
    let mut out = format!("{:>margin$}  {}\n", "", with(&panel.y_label, &y_ticks.factor));
    for row in 0..height {
        let label = y_ticks.marks.iter().find(|(value, _)| row_of(*value) as usize == row);
        let (text, edge) = label.map_or(("", '│'), |(_, text)| (text.as_str(), '┤'));
        out += &format!("{text:>margin$} {edge}{}\n", canvas.text(row, color));
    }
    let x_ticks = x_axis.ticks((width / 10).max(2));
    let mut edge: Vec<char> = vec!['─'; width];
    let mut labels: Vec<char> = vec![' '; width + margin + 2];
    let mut free = 0;
    for (value, text) in &x_ticks.marks {
        let column = ((x_axis.place(*value) * width as f64 - 0.5).round().max(0.0) as usize).min(width - 1);
        let long = text.chars().count();
        let first = (margin + 2 + column).saturating_sub(long / 2).min(labels.len().saturating_sub(long));
        if first >= free {
            edge[column] = '┬';
            labels.iter_mut().skip(first).zip(text.chars()).for_each(|(cell, c)| *cell = c);
            free = first + long + 1;
        }
    }
    let line = |cells: Vec<char>| cells.into_iter().collect::<String>();
    out += &format!("{:>margin$} └{}\n{}\n", "", line(edge), line(labels).trim_end());
    let label = with(&panel.x_label, &x_ticks.factor);
    out + format!("{:>margin$}  {label:^width$}", "").trim_end() + "\n"
}

/// What a character holds; a later kind covers an earlier one.
#[derive(Clone, Copy, Default)]
struct Cell {
    points: u8,
    bullet: bool,
    line: u8,
    stroke: Option<char>,
}

struct Canvas {
    width: usize,
    height: usize,
    x: Axis,
    y: Axis,
    cells: Vec<Cell>,
}

/// The bit of each dot in a braille character, by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    fn new(width: usize, height: usize, x: Axis, y: Axis) -> Canvas {
        Canvas { width, height, x, y, cells: vec![Cell::default(); width * height] }
    }

    /// The place in dots, from the upper left; may lie outside.
    fn dot(&self, x: f64, y: f64) -> Option<[f64; 2]> {
        let place = [self.x.place(x) * 2.0 * self.width as f64, (1.0 - self.y.place(y)) * 4.0 * self.height as f64];
        place.iter().all(|v| v.is_finite()).then_some(place.map(|v| v.clamp(-1e4, 1e4)))
    }

    fn at(&mut self, [x, y]: [f64; 2]) -> Option<(&mut Cell, u8)> {
        if !(x >= 0.0 && y >= 0.0) {
            return None;
        }
        let (x, y) = (x as usize, y as usize);
        let cell = (x / 2 < self.width && y / 4 < self.height).then(|| y / 4 * self.width + x / 2)?;
        Some((&mut self.cells[cell], DOTS[y % 4][x % 2]))
    }

    fn points(&mut self, series: &Series, many: bool) {
        for (&x, &y) in series.x.iter().zip(&series.y) {
            let Some((cell, bit)) = self.dot(x, y).and_then(|dot| self.at(dot)) else { continue };
            match many {
                true => cell.points |= bit,
                false => cell.bullet = true,
            }
        }
    }

    fn line(&mut self, series: &Series, strokes: bool) {
        let dots: Vec<Option<[f64; 2]>> = series.x.iter().zip(&series.y).map(|(&x, &y)| self.dot(x, y)).collect();
        let mut covered: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.width];
        for pair in dots.windows(2) {
            let [Some(a), Some(b)] = *pair else { continue };
            let steps = (b[0] - a[0]).abs().max((b[1] - a[1]).abs()).ceil().max(1.0) as usize;
            for i in 0..=steps {
                let t = i as f64 / steps as f64;
                let dot = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
                let Some((cell, bit)) = self.at(dot) else { continue };
                cell.line |= if strokes { 0 } else { bit };
                if strokes {
                    covered[dot[0] as usize / 2].insert(dot[1] as usize / 4);
                }
            }
        }
        for (column, rows) in covered.into_iter().enumerate() {
            // Where the line leaves a column on another row than it came, the next column shows that row.
            let stroke = if rows.len() > 2 { '┃' } else { '━' };
            let most = rows.len().saturating_sub(1).max(1);
            for row in rows.into_iter().take(most) {
                self.cells[row * self.width + column].stroke = Some(stroke);
            }
        }
    }

    /// A row of characters without trailing blanks.
    fn text(&self, row: usize, color: bool) -> String {
        let cells = &self.cells[row * self.width..][..self.width];
        let braille = |bits: u8| char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ');
        let drawn: Vec<(char, &str)> = cells
            .iter()
            .map(|cell| match cell {
                Cell { stroke: Some(stroke), .. } => (*stroke, LINES),
                Cell { bullet: true, .. } => ('•', POINTS),
                Cell { line: 0, points: 0, .. } => (' ', ""),
                Cell { line: 0, points, .. } => (braille(*points), POINTS),
                Cell { line, .. } => (braille(*line), LINES),
            })
            .collect();
        let end = drawn.iter().rposition(|(c, _)| *c != ' ').map_or(0, |last| last + 1);
        let mut out = String::new();
        let mut now = "";
        for &(c, paint) in &drawn[..end] {
            if color && paint != now {
                out += if paint.is_empty() { "\u{1b}[0m".to_owned() } else { format!("\u{1b}[0;{paint}m") }.as_str();
                now = paint;
            }
            out.push(c);
        }
        if !now.is_empty() {
            out += "\u{1b}[0m";
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::color;
    use super::*;

    #[test]
    fn a_line_and_points_in_characters() {
        let mut panel = Panel::new("t", "y");
        panel.add(Series::points("data", &[0.0, 5.0, 10.0], &[0.0, 9.0, 10.0], color::BLUE));
        panel.add(Series::line("fit", &[0.0, 10.0], &[0.0, 10.0], color::VERMILLION, 2.0));
        let text = plot(&panel, 40, 14, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 14, "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= 40), "{text}");
        assert_eq!(text.matches('•').count(), 3, "{text}");
        assert!(lines[0].trim() == "y" && lines[13].trim() == "t" && lines[12].contains("10"), "{text}");
        assert!(text.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count() > 15, "{text}");
        assert!(!text.contains('\u{1b}') && plot(&panel, 40, 14, true).contains("\u{1b}[0;34m•"));
        let many: Vec<f64> = (0..1000).map(f64::from).collect();
        panel.add(Series::points("more", &many, &many, color::BLUE));
        assert!(plot(&panel, 40, 14, false).contains('━'));
    }
}
