//! `catchment check`: a surface's gradient against differences, its declared minima, an optimizer's first steps, and the
//! shader that is generated for either.

use super::args::{Count, named};
use super::show::{Entry, rule};
use super::{Failure, Terminal, interrupt};
use catchment::optimizer::OptimizerText;
use catchment::random::{Sampler, Starts};
use catchment::report::{count, number, point};
use catchment::{Engine, Given, Plan, Precision, Surface};
use clap::Args;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  catchment check my_own.surf -d 5
  catchment check rosenbrock
  catchment check my_own.opt

Exit code 3 says that a check failed, 78 that the text has a mistake.";

/// `check`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// A surface or an optimizer: a name, a call, or a path to a .surf or .opt file
    name: String,
    /// How many dimensions, where the surface leaves that open
    #[arg(short, long, value_name = "DIM")]
    dim: Option<Count>,
    /// Seed of the random points
    #[arg(long, default_value = "0")]
    seed: Count,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    ok: bool,
    detail: String,
}

/// Random points.
const POINTS: u64 = 64;
/// Coordinates that differences are taken in, at each point.
const COORDINATES: usize = 32;

/// Checks and reports.
pub fn act(args: &CheckArgs, terminal: &Terminal) -> Result<(), Failure> {
    let (name, findings) = match Entry::find(&args.name)? {
        Entry::Surface(text) => {
            let dim = args.dim.map(|d| u32::try_from(d.0).unwrap_or(u32::MAX));
            let text = text.with(Given::stand_in());
            let surface = named(&text, dim, terminal)?;
            if surface.table().is_some() {
                terminal.note(format_args!("the table it reads is 16 rows of random numbers in (0, 1) here"));
            }
            (surface.label().to_owned(), check_surface(&surface, args.seed.0)?)
        }
        Entry::Optimizer(text) => (text.name().to_owned(), check_optimizer(&text, args.seed.0)?),
    };
    let failed = findings.iter().filter(|f| !f.ok).count();
    if terminal.json {
        terminal.document(&serde_json::json!({ "name": name, "ok": failed == 0, "checks": findings }))?;
    } else {
        let mark = |ok: bool| match (ok, terminal.color()) {
            (true, true) => "\u{1b}[32mok\u{1b}[0m    ",
            (true, false) => "ok    ",
            (false, true) => "\u{1b}[31mFAILED\u{1b}[0m",
            (false, false) => "FAILED",
        };
        for finding in &findings {
            terminal.print(&format!("{}  {:<9} {}\n", mark(finding.ok), finding.check, finding.detail))?;
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Checks { failed, total: findings.len() }),
    }
}

fn check_surface(surface: &Surface, seed: u64) -> Result<Vec<Finding>, Failure> {
    let plan = Plan::new(surface.clone()).optimizer("sgd").precision(Precision::F64).resolve()?;
    let nodes = count(surface.graph().len() as u64);
    let shapes =
        format!("{} parameters in, a scalar out, {nodes} nodes with the gradient", count(u64::from(surface.dim())));
    let mut findings = vec![Finding { check: "shapes", ok: true, detail: shapes }];
    let points = random_points(surface, seed)?;
    findings.push(gradient(surface, &points)?);
    findings.extend(minima(surface, &points));
    findings.push(shader(&plan));
    Ok(findings)
}

fn random_points(surface: &Surface, seed: u64) -> Result<Vec<Vec<f64>>, Failure> {
    let sampler = Sampler::new(&Starts::Uniform, surface.domain(), seed, POINTS).map_err(catchment::Error::from)?;
    let mut x = vec![0.0; surface.dim() as usize];
    Ok((0..POINTS)
        .map(|r| {
            sampler.fill(r, 1, &mut x);
            x.iter().map(|&v: &f32| f64::from(v)).collect()
        })
        .collect())
}

/// Compares with central differences at two step sizes: where those disagree by more than rounding, the surface bends or
/// has a kink between them, and their disagreement is the tolerance.
fn gradient(surface: &Surface, points: &[Vec<f64>]) -> Result<Finding, Failure> {
    let value = |x: &[f64]| surface.evaluate(x).0;
    let (mut worst, mut compared, mut undefined) = (None::<(f64, String)>, 0, 0);
    for x in points {
        let (f, g) = surface.evaluate(x);
        let stride = x.len().div_ceil(COORDINATES);
        for i in (0..x.len()).step_by(stride) {
            interrupt::check()?;
            let width = surface.domain().hi[i] - surface.domain().lo[i];
            let h = 1e-5 * x[i].abs().max(0.1 * width).max(1e-12);
            let mut at = x.clone();
            let mut difference = |h: f64| {
                let (mut ends, mut span) = ([0.0; 2], 0.0);
                for (end, side) in ends.iter_mut().zip([-1.0, 1.0]) {
                    at[i] = x[i] + side * h;
                    span += side * at[i];
                    *end = value(&at);
                }
                (ends[1] - ends[0]) / span
            };
            let (coarse, fine) = (difference(h), difference(0.5 * h));
            if !(f.is_finite() && fine.is_finite() && coarse.is_finite()) {
                undefined += 1;
                continue;
            }
            compared += 1;
            let rounding = 1e3 * f64::EPSILON * f.abs() / h;
            let allowed =
                4.0 * (coarse - fine).abs() + rounding + 1e-7 * (fine.abs() + f.abs() / width.max(1e-300)).max(1e-7);
            let off = (g[i] - fine).abs() / allowed;
            // A gradient that is not a number is off by more than any.
            let off = if off.is_nan() { f64::INFINITY } else { off };
            if worst.as_ref().is_none_or(|w| off > w.0) {
                let at = point(x, 9, 8);
                worst = Some((
                    off,
                    format!("coordinate {i} at x = {at}: {} is {} by differences", number(g[i], 9), number(fine, 9)),
                ));
            }
        }
    }
    let undefined =
        if undefined == 0 { String::new() } else { format!(", {} where the surface is not finite", count(undefined)) };
    let seen = format!("{} derivatives against differences{undefined}", count(compared));
    Ok(match worst {
        Some((off, place)) if off > 1.0 => {
            Finding { check: "gradient", ok: false, detail: format!("{seen}; the worst is {place}") }
        }
        _ => Finding { check: "gradient", ok: compared > 0, detail: seen },
    })
}

/// Declared minima have their value, and no random point beats them.
fn minima(surface: &Surface, points: &[Vec<f64>]) -> Option<Finding> {
    let declared = surface.minima().first()?.value;
    let slack = 1e-6 * declared.abs().max(1.0);
    let wrong = surface.minima().iter().find(|m| {
        let off = surface.evaluate(&m.x).0 - m.value;
        off.abs() > slack || off.is_nan()
    });
    let beaten = points.iter().find(|x| surface.evaluate(x).0 < declared - slack);
    let (ok, detail) = match (wrong, beaten) {
        (Some(m), _) => {
            let found = number(surface.evaluate(&m.x).0, 9);
            (false, format!("declared {} at x = {}, which has {found}", number(m.value, 9), point(&m.x, 9, 8)))
        }
        (None, Some(x)) => {
            let found = number(surface.evaluate(x).0, 9);
            (false, format!("declared {}, but x = {} has {found}", number(declared, 9), point(x, 9, 8)))
        }
        (None, None) => {
            let places = surface.minima().len();
            let plural = if places == 1 { "" } else { "s" };
            (
                true,
                format!(
                    "{} at {places} point{plural}, and none of {POINTS} random points is lower",
                    number(declared, 9)
                ),
            )
        }
    };
    Some(Finding { check: "minimum", ok, detail })
}

fn check_optimizer(text: &OptimizerText, seed: u64) -> Result<Vec<Finding>, Failure> {
    let chain = rule(text);
    let surface = Surface::named("sphere", Some(3))?;
    let plan = Plan::new(surface)
        .optimizer(&chain)
        .precision(Precision::F64)
        .restarts(POINTS)
        .steps(100)
        .seed(seed)
        .resolve()?;
    let (hyper, states) = (text.hyper().len(), text.states().len());
    let kind = if text.is_rule() { "an update rule" } else { "a gradient transform" };
    let shapes = format!("{kind} with {hyper} hyperparameters and {states} states a coordinate");
    let mut findings = vec![Finding { check: "shapes", ok: true, detail: shapes }];
    let outcome = Engine::cpu().run(&plan)?;
    let came = &outcome.configurations[0];
    let finite = came.status[4] + came.status[5] == 0;
    let median = came.value.map_or("none".to_owned(), |v| number(v.q50, 6));
    let detail = match finite {
        true => format!("{POINTS} restarts of `{chain}` on a sphere stay finite for 100 steps; median value {median}"),
        false => format!(
            "{} of {POINTS} restarts of `{chain}` on a sphere blow up within 100 steps",
            came.status[4] + came.status[5]
        ),
    };
    findings.push(Finding { check: "descent", ok: finite, detail });
    findings.push(shader(&plan));
    Ok(findings)
}

/// The generated shader, parsed and validated as a GPU's driver would get it.
fn shader(plan: &Plan) -> Finding {
    use wgpu::naga::front::wgsl::parse_str;
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
    let text = match catchment::wgsl(plan) {
        Ok(text) => text,
        Err(error) => return Finding { check: "shader", ok: false, detail: error.to_string() },
    };
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let checked = parse_str(&text).map_err(|e| first(e.to_string())).and_then(|module| {
        Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).map_err(|e| first(e.to_string()))
    });
    let lines = count(text.lines().count() as u64);
    match checked {
        Ok(_) => Finding { check: "shader", ok: true, detail: format!("{lines} lines of WGSL are valid") },
        Err(error) => Finding { check: "shader", ok: false, detail: format!("{lines} lines of WGSL: {error}") },
    }
}
