//! `catchment eval`: values, gradients and Hessians at the points of a file.

use super::args::{DeviceArgs, SurfaceArgs};
use super::{Failure, Terminal, files, interrupt, points};
use catchment::random::{Points, StartsError};
use catchment::report::json::{Device, Eval, EvalPoint};
use catchment::report::{Align, Format, OutputFile, Table, count, json, number, point, summary};
use catchment::{Engine, Precision, Surface};
use clap::Args;
use std::io;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  catchment eval rastrigin --points points.csv --gradient
  catchment eval branin --points points.csv --hessian --precision f64 --json
  catchment eval --expr 'x[0]^2 + sin(x[1])' --box -3:3 --points points.csv --gradient --out values.csv

A point file has one point a line, with commas between coordinates; a heading is optional. -d is not needed: the points
have a dimension. Values and gradients come from the device, Hessians from the reference evaluator in f64.";

/// `eval`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EvalArgs {
    #[command(flatten)]
    surface: SurfaceArgs,
    /// A CSV file with a point a line
    #[arg(long, value_name = "FILE", help_heading = "Evaluation")]
    points: PathBuf,
    /// Give gradients too
    #[arg(long, help_heading = "Evaluation")]
    gradient: bool,
    /// Give matrices of second derivatives too
    #[arg(long, help_heading = "Evaluation")]
    hessian: bool,
    #[command(flatten)]
    device: DeviceArgs,
    /// Write a .csv file as well
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    out: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long, help_heading = "Files")]
    force: bool,
}

/// Points at a time, between looks for Ctrl-C.
const PIECE: usize = 1 << 16;
/// Columns of derivatives that the text shows at most.
const MOST_COLUMNS: usize = 12;

/// Coordinates, times rows of the table, that the CPU has evaluated before a GPU is open.
const LITTLE: usize = 2_000_000;

/// Parse → evaluate → report.
pub fn act(args: &EvalArgs, terminal: &Terminal) -> Result<(), Failure> {
    let points = points::read(&args.points)?;
    let surface = args.surface.resolve(Some(points.dim() as u32), terminal)?;
    if points.dim() != surface.dim() as usize {
        let source = StartsError::PointsDim { expected: surface.dim() as usize, got: points.dim() };
        return Err(Failure::Points { path: args.points.clone(), line: None, source });
    }
    let file = args.out.as_ref().map(|path| match Format::of(path) {
        Some(Format::Csv) => files::create(path, args.force),
        _ => Err(Failure::OutputForm { path: path.clone(), forms: ".csv" }),
    });
    let file = file.transpose()?;
    let rows = surface.table().map_or(1, |table| table.rows as usize);
    let little = points.rows().saturating_mul(points.dim()).saturating_mul(rows) < LITTLE;
    let engine = args.device.open(little)?;
    let rows = args.evaluate(&engine, &surface, &points)?;
    if let (Some(file), Some(path)) = (file, &args.out) {
        write(file, &rows, surface.dim() as usize).map_err(|error| Failure::output(path, error))?;
    }
    if terminal.json {
        return terminal.document(&Eval {
            surface: json::Surface::new(&surface),
            precision: args.device.precision().name(),
            device: Device::new(&engine.device()),
            points: rows,
        });
    }
    let (count, precision) = (count(rows.len() as u64), args.device.precision().name());
    terminal.print(&format!("{}\n", summary::surface(&surface)))?;
    terminal.print(&format!("{count} points in {precision} {}\n\n", summary::device(&engine.device())))?;
    terminal.print(&args.text(&rows, terminal.color()))
}

impl EvalArgs {
    fn evaluate(&self, engine: &Engine, surface: &Surface, points: &Points) -> Result<Vec<EvalPoint>, Failure> {
        let dim = points.dim();
        let mut rows = Vec::with_capacity(points.rows());
        for first in (0..points.rows()).step_by(PIECE) {
            let x: Vec<f64> =
                (first..points.rows().min(first + PIECE)).flat_map(|r| points.row(r as u64)).copied().collect();
            let found = engine.evaluate(surface, &x, self.device.precision())?;
            let pairs = found.value.iter().zip(found.gradient.chunks(dim)).zip(x.chunks(dim));
            for ((&value, gradient), x) in pairs {
                interrupt::check()?;
                let hessian = self.hessian.then(|| surface.hessian(x).chunks(dim).map(<[f64]>::to_vec).collect());
                let gradient = self.gradient.then(|| gradient.to_vec());
                rows.push(EvalPoint { x: x.to_vec(), value, gradient, hessian });
            }
        }
        Ok(rows)
    }

    fn text(&self, rows: &[EvalPoint], color: bool) -> String {
        let digits = if self.device.precision() == Precision::F64 { 17 } else { 9 };
        let dim = rows.first().map_or(0, |row| row.x.len());
        let shown = dim.min(MOST_COLUMNS);
        let mut names = vec!["x".to_owned(), "value".to_owned()];
        let column = |name: &'static str| (0..shown).map(move |i| format!("{name}{i}"));
        names.extend(self.gradient.then(|| column("g")).into_iter().flatten());
        if self.hessian {
            names.extend((0..shown).flat_map(|i| (0..=i).map(move |j| format!("h{j},{i}"))).take(MOST_COLUMNS));
        }
        let align = |name: &str| if name == "x" { Align::Left } else { Align::Right };
        let columns: Vec<(&str, Align)> = names.iter().map(|n| (n.as_str(), align(n))).collect();
        let mut table = Table::new(&columns);
        for row in rows {
            let mut cells = vec![point(&row.x, digits, 8), number(row.value, digits)];
            cells.extend(row.gradient.iter().flat_map(|g| g.iter().take(shown)).map(|&v| number(v, digits)));
            if let Some(h) = &row.hessian {
                let lower = (0..shown).flat_map(|i| (0..=i).map(move |j| (i, j))).take(MOST_COLUMNS);
                cells.extend(lower.map(|(i, j)| number(h[i][j], digits)));
            }
            table.row(cells);
        }
        let cut = dim > MOST_COLUMNS && self.gradient || self.hessian && dim * (dim + 1) / 2 > MOST_COLUMNS;
        let more = if cut { "… and more: --json and --out have all derivatives\n" } else { "" };
        table.text(color) + more
    }
}

/// Writes `x0…, value, g0…, h0_0…`.
fn write(file: OutputFile, rows: &[EvalPoint], dim: usize) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(file);
    let with = |given: fn(&EvalPoint) -> bool| rows.first().is_some_and(given);
    let mut heading: Vec<String> = (0..dim).map(|i| format!("x{i}")).chain(["value".to_owned()]).collect();
    if with(|row| row.gradient.is_some()) {
        heading.extend((0..dim).map(|i| format!("g{i}")));
    }
    if with(|row| row.hessian.is_some()) {
        heading.extend((0..dim).flat_map(|i| (0..dim).map(move |j| format!("h{i}_{j}"))));
    }
    writer.write_record(&heading)?;
    for row in rows {
        let derivatives = row.gradient.iter().flatten().chain(row.hessian.iter().flatten().flatten());
        let cells = row.x.iter().chain([&row.value]).chain(derivatives);
        writer.write_record(cells.map(|v| format!("{v:?}")))?;
    }
    writer.into_inner().map_err(|e| e.into_error())?.finish()
}
