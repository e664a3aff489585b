//! `catchment bench`: how fast runs are, by surface, dimension, restarts, optimizer and device.

use super::args::{Count, named};
use super::{Failure, Terminal, files, interrupt};
use catchment::optimizer::configurations;
use catchment::report::json::{Bench, BenchResult, Device};
use catchment::report::picture::PictureFormat;
use catchment::report::{Align, OutputFile, Speeds, Table, count, many, number, seconds, summary};
use catchment::{DeviceChoice, Engine, Flow, Plan, SurfaceText, devices};
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  Rastrigin's function in 10 dimensions on every device:
    catchment bench

  Two surfaces, three sizes, two optimizers:
    catchment bench rosenbrock,ackley -d 2,10,100 -n 1e5,1e6 -o adam -o sgd --steps 500

  How fast each device is by the number of restarts, and a picture of it:
    catchment bench rastrigin -d 10 -n 1e2,1e3,1e4,1e5,1e6 --devices cpu,gpu --plot speed.png

  For a script:
    catchment bench ackley -d 30 --devices cpu --json

A first run warms up and is not counted; the median of the others is. A run is starts, descent and read-back; what
compiling takes is told apart. A coordinate step is one coordinate of one restart updated once.";

/// `bench`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// Surfaces: names, calls or paths, with commas or blanks between
    #[arg(default_value = "rastrigin", value_name = "SURFACE")]
    surfaces: Vec<String>,
    /// Dimensions; a surface whose dimension is fixed has its own where several surfaces are given
    #[arg(short, long, value_name = "DIM,…", value_delimiter = ',')]
    dim: Vec<Count>,
    /// Restarts
    #[arg(short = 'n', long, value_name = "N,…", value_delimiter = ',', default_value = "1e5")]
    restarts: Vec<Count>,
    /// An optimizer; repeatable [default: adam]
    #[arg(short, long, value_name = "OPTIMIZER")]
    optimizer: Vec<String>,
    /// Steps of every restart
    #[arg(long, value_name = "N", default_value = "200")]
    steps: Count,
    /// Timed runs of each
    #[arg(long, value_name = "N", default_value = "5")]
    repeats: Count,
    /// Devices, as --device of run takes them [default: cpu, and gpu where there is one]
    #[arg(long, value_name = "DEVICE,…", value_delimiter = ',')]
    devices: Vec<String>,
    /// Threads of the CPU engine [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<Count>,
    /// Draw speed against restarts into a .png or .svg file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

/// Every combination, one after the other; a combination's devices in turns, so that they are compared at one time.
pub fn act(args: &BenchArgs, terminal: &Terminal) -> Result<(), Failure> {
    let plans = args.plans(terminal)?;
    let picture = args.plot.as_deref().map(|path| open_picture(path, args.force)).transpose()?;
    let threads = args.threads.map_or(0, |n| n.0.min(1024) as usize);
    let mut engines = Vec::new();
    for name in args.device_names() {
        let engine = Engine::open(&DeviceChoice::parse(&name), threads)?;
        terminal.note(summary::device(&engine.device()));
        engines.push(engine);
    }
    let mut results: Vec<BenchResult> = Vec::new();
    for plan in &plans {
        let mut first = None;
        for engine in &engines {
            let mut result = args.time(engine, plan, terminal)?;
            let speed = result.coordinate_steps_per_s;
            result.ratio = first.filter(|&first| first > 0.0).map(|first| speed / first);
            first = first.or(Some(speed));
            results.push(result);
        }
    }
    if let Some((path, mut file, format)) = picture {
        let bytes = Speeds(&results).picture().bytes(format);
        let written = bytes.map_err(std::io::Error::other).and_then(|bytes| file.write_all(&bytes));
        written.and_then(|()| file.finish()).map_err(|error| Failure::output(&path, error))?;
    }
    match terminal.json {
        true => terminal.document(&Bench { results }),
        false => terminal.print(&text(&results, terminal.color())),
    }
}

fn open_picture(path: &Path, force: bool) -> Result<(PathBuf, OutputFile, PictureFormat), Failure> {
    let format = PictureFormat::of(path);
    let format = format.ok_or_else(|| Failure::OutputForm { path: path.to_owned(), forms: ".png or .svg" })?;
    Ok((path.to_owned(), files::create(path, force)?, format))
}

/// The parts of a list between commas that stand in no brackets: `ackley(a=10, b=1),sphere` has two.
fn parts(list: &str) -> Vec<&str> {
    let (mut out, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                out.push(list[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push(list[from..].trim());
    out.retain(|part| !part.is_empty());
    out
}

impl BenchArgs {
    /// The devices to time: those given, else the CPU and the GPU that `auto` may take.
    fn device_names(&self) -> Vec<String> {
        if !self.devices.is_empty() {
            return self.devices.clone();
        }
        let asked = std::env::var("CATCHMENT_GPU").unwrap_or_default();
        let gpu = devices().iter().any(|d| d.index > 0 && (d.kind != "software" || asked == "require"));
        let names = ["cpu", "gpu"];
        names.iter().take(if gpu { 2 } else { 1 }).map(|&name| name.to_owned()).collect()
    }

    /// Surfaces × dimensions × optimizers × restarts, each with one configuration.
    fn plans(&self, terminal: &Terminal) -> Result<Vec<Plan>, Failure> {
        let whole = |list: &String| match Path::new(list).is_file() {
            true => vec![list.clone()],
            false => parts(list).into_iter().map(str::to_owned).collect(),
        };
        let surfaces: Vec<String> = self.surfaces.iter().flat_map(whole).collect();
        let given = if self.optimizer.is_empty() { vec!["adam".to_owned()] } else { self.optimizer.clone() };
        let mut optimizers = Vec::new();
        for text in &given {
            optimizers.extend(configurations(text)?.into_iter().map(|c| c.text));
        }
        let mut plans = Vec::new();
        for name in &surfaces {
            let text = SurfaceText::named(name)?;
            let dims: Vec<Option<u32>> = match (&self.dim[..], text.dim()) {
                ([], None) => vec![Some(10)],
                ([], Some(_)) => vec![None],
                (_, Some(_)) if surfaces.len() > 1 => vec![None],
                (given, _) => given.iter().map(|d| Some(u32::try_from(d.0).unwrap_or(u32::MAX))).collect(),
            };
            for dim in dims {
                let surface = named(&text, dim, terminal)?;
                for optimizer in &optimizers {
                    for restarts in &self.restarts {
                        let plan = Plan::new(surface.clone()).optimizer(optimizer).restarts(restarts.0);
                        plans.push(plan.steps(self.steps.0).points(false).resolve()?);
                    }
                }
            }
        }
        Ok(plans)
    }

    fn time(&self, engine: &Engine, plan: &Plan, terminal: &Terminal) -> Result<BenchResult, Failure> {
        let repeats = self.repeats.0.clamp(1, 1000);
        let bar = terminal.progress(plan.restarts() as f64 * plan.steps() as f64 * (repeats + 1) as f64);
        let once = |already: u64| {
            engine.watch(plan, |progress| {
                bar.set_position((progress.total * already as f64 + progress.done) as u64);
                if interrupt::asked() { Flow::Stop } else { Flow::Continue }
            })
        };
        let warm = once(0)?;
        let (mut times, mut work) = (Vec::new(), 0.0);
        for run in 1..=repeats {
            let outcome = once(run)?;
            times.push(outcome.timing.run);
            work = outcome.coordinate_steps;
        }
        bar.finish_and_clear();
        let median = median(&times);
        Ok(BenchResult {
            surface: plan.surface().label().to_owned(),
            dim: plan.surface().dim(),
            restarts: plan.restarts(),
            optimizer: plan.configurations()[0].text.clone(),
            steps: plan.steps(),
            device: Device::new(&engine.device()),
            layout: engine.layout(plan)?,
            compile_s: warm.timing.compile,
            run_s: times,
            median_s: median,
            coordinate_steps_per_s: if median > 0.0 { work / median } else { 0.0 },
            ratio: None,
        })
    }
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[half],
        _ => 0.5 * (sorted[half - 1] + sorted[half]),
    }
}

fn text(results: &[BenchResult], color: bool) -> String {
    use Align::{Left, Right};
    let columns = [
        ("surface", Left),
        ("dim", Right),
        ("restarts", Right),
        ("optimizer", Left),
        ("steps", Right),
        ("device", Left),
        ("layout", Left),
        ("compile", Right),
        ("median run", Right),
        ("spread", Right),
        ("coordinate steps/s", Right),
        ("ratio", Right),
    ];
    let mut table = Table::new(&columns);
    for r in results {
        let (lo, hi) = r.run_s.iter().fold((f64::INFINITY, 0.0f64), |(lo, hi), &t| (lo.min(t), hi.max(t)));
        table.row([
            r.surface.clone(),
            r.dim.to_string(),
            count(r.restarts),
            r.optimizer.clone(),
            count(r.steps),
            Speeds(results).device(r),
            r.layout.clone(),
            seconds(r.compile_s),
            seconds(r.median_s),
            format!("{} to {}", seconds(lo), seconds(hi)),
            many(r.coordinate_steps_per_s),
            r.ratio.map_or(String::new(), |ratio| format!("× {}", number(ratio, 3))),
        ]);
    }
    let fastest = results.iter().max_by(|a, b| a.coordinate_steps_per_s.total_cmp(&b.coordinate_steps_per_s));
    let conclusion = fastest.filter(|_| results.len() > 1).map_or(String::new(), |r| {
        let (surface, dim, optimizer) = (&r.surface, r.dim, &r.optimizer);
        let speed = many(r.coordinate_steps_per_s);
        format!(
            "\nFastest: {surface} in {dim} dimensions by {optimizer} on {}, {speed} coordinate steps a second.\n",
            r.device.name
        )
    });
    table.text(color) + &conclusion
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_outside_of_brackets() {
        assert_eq!(parts("sphere"), ["sphere"]);
        assert_eq!(parts("ackley(a=10, b=1), sphere,"), ["ackley(a=10, b=1)", "sphere"]);
        assert_eq!(parts("mlp(layers=[2,16,1]),a.surf"), ["mlp(layers=[2,16,1])", "a.surf"]);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!([median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0]), median(&[])], [2.0, 2.5, 0.0]);
    }
}
