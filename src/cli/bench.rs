//! `catchment bench`: how fast runs are, by surface, dimension, restarts, optimizer and device.

use super::args::{Count, named};
use super::{Failure, Terminal, interrupt};
use catchment::optimizer::configurations;
use catchment::report::json::{Bench, BenchResult, Device};
use catchment::report::{Align, Table, count, many, seconds, summary};
use catchment::{DeviceChoice, Engine, Flow, Plan, SurfaceText};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  catchment bench
  catchment bench rosenbrock -d 2,10,100 -n 1e5,1e6 -o adam -o sgd --steps 500
  catchment bench ackley -d 30 --devices cpu,gpu --json

A first run warms up and is not counted; the median of the others is. A run is starts, descent and read-back; what
compiling takes is told apart.";

/// `bench`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// A surface: a name, a call or a path
    #[arg(default_value = "rastrigin")]
    surface: String,
    /// Dimensions
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
    /// Devices, as --device of run takes them
    #[arg(long, value_name = "DEVICE,…", value_delimiter = ',', default_value = "auto")]
    devices: Vec<String>,
    /// Threads of the CPU engine [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<Count>,
}

/// Every combination, one after the other.
pub fn act(args: &BenchArgs, terminal: &Terminal) -> Result<(), Failure> {
    let plans = args.plans(terminal)?;
    let threads = args.threads.map_or(0, |n| n.0.min(1024) as usize);
    let mut results = Vec::new();
    for name in &args.devices {
        let engine = Engine::open(&DeviceChoice::parse(name), threads)?;
        terminal.note(summary::device(&engine.device()));
        for plan in &plans {
            results.push(args.time(&engine, plan, terminal)?);
        }
    }
    match terminal.json {
        true => terminal.document(&Bench { results }),
        false => terminal.print(&text(&results, terminal.color())),
    }
}

impl BenchArgs {
    /// Dimensions × optimizers × restarts, each with one configuration.
    fn plans(&self, terminal: &Terminal) -> Result<Vec<Plan>, Failure> {
        let text = SurfaceText::named(&self.surface)?;
        let dims: Vec<Option<u32>> = match (&self.dim[..], text.dim()) {
            ([], None) => vec![Some(10)],
            ([], Some(_)) => vec![None],
            (given, _) => given.iter().map(|d| Some(u32::try_from(d.0).unwrap_or(u32::MAX))).collect(),
        };
        let given = if self.optimizer.is_empty() { vec!["adam".to_owned()] } else { self.optimizer.clone() };
        let mut optimizers = Vec::new();
        for text in &given {
            optimizers.extend(configurations(text)?.into_iter().map(|c| c.text));
        }
        let mut plans = Vec::new();
        for dim in dims {
            let surface = named(&text, dim, terminal)?;
            for optimizer in &optimizers {
                for restarts in &self.restarts {
                    let plan = Plan::new(surface.clone()).optimizer(optimizer).restarts(restarts.0).steps(self.steps.0);
                    plans.push(plan.points(false).resolve()?);
                }
            }
        }
        Ok(plans)
    }

    fn time(&self, engine: &Engine, plan: &Plan, terminal: &Terminal) -> Result<BenchResult, Failure> {
        let repeats = self.repeats.0.clamp(1, 1000);
        let bar = terminal.progress(plan.restarts() as f64 * plan.steps() as f64 * (repeats + 1) as f64);
        let once = |already: u64| {
            engine.stream(plan, |event| {
                if let catchment::Event::Progress(progress) = event {
                    bar.set_position((progress.total * already as f64 + progress.done) as u64);
                }
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
            r.device.name.clone(),
            r.layout.clone(),
            seconds(r.compile_s),
            seconds(r.median_s),
            format!("{} to {}", seconds(lo), seconds(hi)),
            many(r.coordinate_steps_per_s),
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
