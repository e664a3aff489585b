//! `catchment fit`: the parameters of a model that a table's rows agree with best.

mod assignments;
mod mistake;
mod request;
mod view;

pub use mistake::FitMistake;

use super::args::Count;
use super::files::{self, Opened};
use super::{Failure, Terminal, interrupt};
use catchment::report::fit::{self as words, Request as Asked};
use catchment::report::json::{Device, Entries, Fit, FitGroup, FitGroups, FitTiming};
use catchment::report::picture::PictureFormat;
use catchment::report::{Cells, OutputFile, count, number, plot};
use catchment::{DeviceChoice, DeviceInfo, Engine};
use clap::Args;
use request::Request;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  A decay with two unknowns, from 100 starts drawn in the box:
    catchment fit --data decay.csv --y y --model 'a*exp(-k*t)' --box 'a=0:10,k=1e-3:10:log'

  With an offset held at 0, outliers that count less, and a picture:
    catchment fit --data decay.csv --y y --model 'a*exp(-k*t) + c' --box 'a=0:10,k=1e-3:10:log' \\
      --fix c=0 --loss huber:0.1 --plot decay.png

  From one start alone; y may be a formula too:
    catchment fit --data growth.parquet --y 'log(mass)' --model 'b + r*day' --start 'b=0,r=0.1'

  One fit for each site, all of them in a file:
    catchment fit --data sites.csv --y y --model 'a*exp(-k*t)' --box 'a=0:10,k=1e-3:10:log' \\
      --group site --out sites_fitted.csv

Names in the formulas that are columns of the table are data; all others are parameters. A column
that no formula can name is bound to a name: --bind 'y=Signal (mV)'. Standard errors are those of
the best solution.";

/// `fit`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FitArgs {
    /// The table: a .csv file with a line of column names, or a .parquet file
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    data: PathBuf,
    /// What is modelled: a column, or a formula in columns
    #[arg(long, value_name = "FORMULA", allow_hyphen_values = true, help_heading = "Model")]
    y: String,
    /// The model: a formula in columns and parameters
    #[arg(long, value_name = "FORMULA", allow_hyphen_values = true, help_heading = "Model")]
    model: String,
    /// What a residual costs: squared, huber:S, cauchy:S or soft_l1:S, with S in units of the residual
    #[arg(long, value_name = "LOSS", default_value = "squared", help_heading = "Model")]
    loss: String,
    /// A column of weights: each squared residual is multiplied by its own
    #[arg(long, value_name = "COLUMN", help_heading = "Model")]
    weights: Option<String>,
    /// Keep parameters at values; repeatable
    #[arg(long, value_name = "NAME=VALUE,…", allow_hyphen_values = true, help_heading = "Model")]
    fix: Vec<String>,
    /// Fit the rows of each label in this column on their own
    #[arg(long, value_name = "COLUMN", help_heading = "Model")]
    group: Option<String>,
    /// What a name in the formulas stands for, where it is not called like the column; repeatable
    #[arg(long, value_name = "NAME=COLUMN", allow_hyphen_values = true, help_heading = "Model")]
    bind: Vec<String>,
    /// Where starts are drawn: NAME=LO:HI for each parameter, with commas between; LO:HI:log draws log-uniformly
    #[arg(long = "box", id = "box", value_name = "NAME=LO:HI,…", allow_hyphen_values = true, help_heading = "Starts")]
    boxes: Vec<String>,
    /// Start here as well; without -n, here alone; repeatable
    #[arg(long, value_name = "NAME=VALUE,…", allow_hyphen_values = true, help_heading = "Starts")]
    start: Vec<String>,
    /// How many starts are drawn from the box [default: 100, or none with --start]
    #[arg(short = 'n', long, value_name = "RESTARTS", help_heading = "Starts")]
    restarts: Option<Count>,
    /// Hold every parameter to its box; else the box only tells where starts are drawn
    #[arg(long, help_heading = "Starts")]
    bounded: bool,
    /// How every second start first descends, within the boxes scaled to [0, 1]; 'none' leaves all as they are drawn
    /// [default: adam(lr = 0.03*0.5*(1 + cos(pi*t/T)))]
    #[arg(short, long, value_name = "OPTIMIZER", conflicts_with = "group", help_heading = "Starts")]
    optimizer: Option<String>,
    /// Steps of these descents
    #[arg(long, value_name = "N", default_value = "200", conflicts_with = "group", help_heading = "Starts")]
    steps: Count,
    /// Where these descents run, and the fits of groups: auto, cpu, gpu, or an index, part of a name or pci:BUS
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = "Starts")]
    device: String,
    /// Seed of the starts
    #[arg(long, default_value = "0", help_heading = "Starts")]
    seed: Count,
    /// Iterations of every descent, at most
    #[arg(long, value_name = "N", default_value = "500", help_heading = "Starts")]
    iterations: Count,
    /// Threads; changes no result [default: all cores]
    #[arg(long, value_name = "N", help_heading = "Starts")]
    threads: Option<Count>,
    /// Write a .csv or .parquet file: each row with its fitted value and residual, or each group with its parameters
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    out: Option<PathBuf>,
    /// Draw data, curve and residuals into a .png or .svg file
    #[arg(long, value_name = "FILE", conflicts_with = "group", help_heading = "Files")]
    plot: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, help_heading = "Files")]
    force: bool,
}

/// Size of the plot in characters.
const PLOT: (usize, usize) = (76, 20);

/// Parse → read the table → fit → report.
pub fn act(args: &FitArgs, terminal: &Terminal) -> Result<(), Failure> {
    let began = Instant::now();
    let request = Request::new(args, terminal)?;
    let outputs = Outputs::open(args)?;
    let engine = Engine::open(&DeviceChoice::parse(&args.device), args.threads.map_or(0, |n| n.0.min(1024) as usize))?;
    let asked = Asked {
        model: &args.model,
        y: &args.y,
        data: &args.data.display().to_string(),
        loss: request.loss(),
        weights: args.weights.as_deref(),
        seed: args.seed.0,
    };
    match &args.group {
        None => one(args, &request, &asked, outputs, &engine, began, terminal),
        Some(column) => many(args, &request, &asked, column, outputs, &engine, began, terminal),
    }
}

/// Files that are open before the work.
struct Outputs {
    table: Option<Opened>,
    picture: Option<(PathBuf, OutputFile, PictureFormat)>,
}

impl Outputs {
    fn open(args: &FitArgs) -> Result<Outputs, Failure> {
        if let (Some(out), Some(plot)) = (&args.out, &args.plot)
            && out == plot
        {
            return Err(Failure::OutputTwice { path: out.clone(), options: "--out and --plot" });
        }
        let format = |path: &PathBuf| {
            let wrong = || Failure::OutputForm { path: path.clone(), forms: ".png or .svg" };
            PictureFormat::of(path).ok_or_else(wrong)
        };
        // Both forms are looked at before either file is made.
        let picture = args.plot.as_ref().map(|path| Ok::<_, Failure>((path, format(path)?))).transpose()?;
        let table = args.out.as_ref().map(|path| files::open(path, args.force)).transpose()?;
        let picture =
            picture.map(|(path, format)| files::create(path, args.force).map(|file| (path.clone(), file, format)));
        Ok(Outputs { table, picture: picture.transpose()? })
    }
}

/// One fit of all rows.
fn one(
    args: &FitArgs,
    request: &Request,
    asked: &Asked<'_>,
    outputs: Outputs,
    engine: &Engine,
    began: Instant,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let data = request.data()?;
    let device = &engine.device();
    let start = Instant::now();
    let fit = request.fit(args, &data)?;
    let fit = request.descended(args, &data, fit, engine)?;
    interrupt::check()?;
    let fitted = fit.run().map_err(|error| view::blame(args, request, &data, error))?;
    let taken = start.elapsed().as_secs_f64();
    interrupt::check()?;
    let seen = view::Seen::new(args, request, &data, &fitted)?;
    if let Some((path, mut file, format)) = outputs.picture {
        let bytes = seen.view(args, &words::agreement(&fitted), fitted.residual_sd).picture().bytes(format);
        let written = bytes.map_err(std::io::Error::other).and_then(|bytes| file.write_all(&bytes));
        written.and_then(|()| file.finish()).map_err(|error| Failure::output(&path, error))?;
    }
    if let Some(table) = outputs.table {
        let values: Vec<f64> = fitted.parameters.iter().map(|p| p.value).collect();
        table.write(&view::rows(args, request, &data, &values)?, &record(asked, device))?;
    }
    let total = began.elapsed().as_secs_f64();
    if terminal.json {
        let timing = FitTiming { read_s: request.read, fit_s: taken, total_s: total };
        terminal.document(&Fit::new(asked, &fitted, Device::new(device), timing))?;
    } else {
        terminal.print(&words::heading(asked, request.table.rows(), device))?;
        if let Some(basins) = request.basins(args) {
            let (all, descended) = (count(basins.first + basins.restarts), count(basins.restarts));
            let (steps, optimizer) = (count(basins.steps), &basins.optimizer);
            terminal
                .print(&format!("{all} starts, {descended} of them first descend: {steps} steps of {optimizer}\n\n"))?;
        }
        let panel = seen.view(args, "", None).panel();
        let plot = plot(&panel, PLOT.0, PLOT.1, terminal.color());
        terminal.print(&words::fitted(&fitted, &plot, terminal.verbose, terminal.color()))?;
        terminal.print(&words::timing(request.read, taken, total))?;
    }
    let values: Vec<f64> = fitted.parameters.iter().map(|p| p.value).collect();
    for (name, value, (lo, hi, _)) in request.outside(&values) {
        let (value, lo, hi) = (number(value, 6), number(lo, 6), number(hi, 6));
        terminal
            .note(format_args!("{name} = {value} lies outside its box {lo}:{hi}, which --bounded would hold it to"));
    }
    Ok(())
}

/// One fit for each label of a column.
#[expect(clippy::too_many_arguments, reason = "those of a fit of all rows, and the column")]
fn many(
    args: &FitArgs,
    request: &Request,
    asked: &Asked<'_>,
    column: &str,
    outputs: Outputs,
    engine: &Engine,
    began: Instant,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let data = request.data()?;
    let device = &engine.device();
    let fit = request.fit(args, &data)?;
    let labels = request.labels(column)?;
    let start = Instant::now();
    let fits = fit.run_groups_on(labels.keys(), engine)?;
    let taken = start.elapsed().as_secs_f64();
    interrupt::check()?;
    if let Some(table) = outputs.table {
        let status = fits.stops.iter().map(|stop| stop.name().to_owned()).collect();
        let mut columns = vec![
            ("group".to_owned(), Cells::Text(labels.names().to_vec())),
            ("rows".to_owned(), Cells::Whole(fits.rows.clone())),
            ("status".to_owned(), Cells::Text(status)),
            ("rss".to_owned(), Cells::Numbers(fits.rss.clone())),
            ("residual_sd".to_owned(), Cells::Numbers(fits.residual_sd.clone())),
        ];
        for (j, name) in request.parameters.iter().enumerate() {
            columns.push((name.clone(), Cells::Numbers(fits.parameters[j].clone())));
            columns.push((format!("{name}_se"), Cells::Numbers(fits.standard_errors[j].clone())));
        }
        table.write(&columns, &record(asked, device))?;
    }
    let total = began.elapsed().as_secs_f64();
    let statuses = words::statuses(&fits);
    if !terminal.json {
        terminal.print(&words::heading(asked, request.table.rows(), device))?;
        let (verbose, color) = (terminal.verbose, terminal.color());
        terminal.print(&words::groups(&request.parameters, labels.names(), &fits, column, verbose, color))?;
        return terminal.print(&words::timing(request.read, taken, total));
    }
    let group = |(g, label): (usize, &String)| FitGroup {
        group: label.clone(),
        rows: fits.rows[g],
        parameters: fits.parameters.iter().map(|p| p[g]).collect(),
        standard_errors: fits.standard_errors.iter().map(|p| p[g]).collect(),
        rss: fits.rss[g],
        residual_sd: fits.residual_sd[g],
        status: fits.stops[g].name(),
    };
    terminal.document(&FitGroups {
        schema: 1,
        model: args.model.clone(),
        y: args.y.clone(),
        rows: request.table.rows(),
        parameters: request.parameters.clone(),
        status: Entries(statuses.into_iter().map(|(stop, n)| (stop.name().to_owned(), n)).collect()),
        groups: labels.names().iter().enumerate().map(group).collect(),
        device: Device::new(device),
        timing: FitTiming { read_s: request.read, fit_s: taken, total_s: total },
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Where the numbers are from: kept in a Parquet file's metadata.
fn record(asked: &Asked<'_>, device: &DeviceInfo) -> String {
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "command": "fit",
        "data": asked.data,
        "y": asked.y,
        "model": asked.model,
        "loss": asked.loss.to_string(),
        "weights": asked.weights,
        "seed": asked.seed,
        "device": { "kind": device.kind, "name": device.name, "backend": device.backend, "driver": device.driver },
    })
    .to_string()
}
