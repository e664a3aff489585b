//! The engines against plain scalar code, written from the papers (tests/reference): surfaces, and one step of each
//! optimizer from many states.

#[path = "mod.rs"]
mod reference;
#[path = "../support/mod.rs"]
mod support;

use catchment::graph::Bounded;
use catchment::{Plan, Precision, Surface, SurfaceText, Trace};
use reference::optimizers::{HYPER, OPTIMIZERS};
use reference::surfaces::SURFACES;
use reference::transforms::TRANSFORMS;
use support::bits::traced;
use support::catalog::{label, points};
use support::engines;
use support::report::{Place, Report, What};
use support::steps::{advance, draws, initial_states, lane, program};

const SEED: u64 = 21;
const RESTARTS: u64 = 12;
const STEPS: u64 = 8;

/// Numbers for [`HYPER`]'s names that are not the defaults, row by row.
const NUMBERS: &[&[f64]] =
    &[&[0.003], &[0.002, 0.8, 0.25], &[0.002, 0.85], &[0.1, 0.02, 0.3, 1e-6], &[0.02, 0.9, 1e-5, 0.4], &[0.03, 0.85, 0.95, 1e-6]];

/// The plain surfaces in each of these dimensions that they allow.
fn surfaces(dims: &[u32]) -> Vec<(Surface, reference::surfaces::Surface)> {
    let mut all = Vec::new();
    for &(name, plain) in SURFACES {
        let text = SurfaceText::named(name).expect("a catalog surface");
        let own: Vec<u32> = text.dim().map_or(dims.to_vec(), |d| vec![d]);
        all.extend(own.into_iter().filter_map(|d| text.at(Some(d)).ok()).map(|s| (s, plain)));
    }
    all
}

#[test]
fn surfaces_equal_plain_code() {
    let mut report = Report::new("plain surfaces");
    for backend in engines() {
        for &precision in backend.precisions() {
            for (surface, plain) in surfaces(&[1, 2, 5, 40]) {
                let points = points(&surface, 100, SEED);
                let got = backend.engine.evaluate(&surface, &points.concat(), precision).expect("evaluates");
                let row = format!("{} {} {}", backend.name, precision.name(), label(&surface));
                let n = surface.dim() as usize;
                for (p, x) in points.iter().enumerate() {
                    let mut gradient = vec![0.0; n];
                    let value = plain(x, &mut gradient);
                    let size = gradient.iter().zip(x).map(|(g, x)| (g * x).abs()).fold(value.abs() + 1.0, f64::max);
                    let steep = gradient.iter().map(|g| g.abs()).fold(1.0, f64::max);
                    let unit = if precision == Precision::F64 { 1e-13 } else { 1e-5 };
                    let place = |what| Place { row: &row, what, point: x, seed: SEED };
                    report.compare(&place(What::Value), got.value[p], value, unit * size);
                    for (i, &g) in gradient.iter().enumerate() {
                        report.compare(&place(What::Gradient(i)), got.gradient[p * n + i], g, unit * steep * 10.0);
                    }
                }
            }
        }
    }
    report.finish(20_000);
}

/// Requires every step of a rule from where the engine stood. The plain code keeps its own states; what it allows is
/// 1e-12 in `f64`, and in `f32` the running error bound of the step.
fn steps_equal(report: &mut Report, backend: &support::Backend, precision: Precision, surface: &Surface, plain: reference::surfaces::Surface, chain: &str, rule: &mut dyn FnMut(u64, u64, &mut [f64], &mut [f64])) {
    let trace = Trace { steps: (0..=STEPS).collect(), restarts: RESTARTS };
    let plan = Plan::new(surface.clone()).optimizer(chain).restarts(RESTARTS).steps(STEPS).seed(SEED).trace(trace);
    let plan = plan.precision(precision).resolve().expect("a plan");
    let (_, traces) = traced(&backend.engine, &plan);
    let row = format!("{} {} {} {chain}", backend.name, precision.name(), label(surface));
    for restart in 0..RESTARTS {
        let mut states = initial_states::<Bounded>(&plan, 0);
        for t in 1..=STEPS {
            let (Some(before), Some(after)) = (traces.get(&(0, restart, t - 1)), traces.get(&(0, restart, t))) else { break };
            let (mut x, mut gradient) = (before.clone(), vec![0.0; before.len()]);
            plain(&x, &mut gradient);
            rule(restart, t, &mut x, &mut gradient);
            let (bounds, new) = advance(&program(&plan, 0).step, &lane(&plan, 0, restart, t, before, states), t, STEPS);
            states = new;
            for (i, (&got, &expected)) in after.iter().zip(&x).enumerate() {
                let moved = expected.abs() + (expected - before[i]).abs();
                let bound = if precision == Precision::F64 { 1e-12 * moved } else { bounds[i].error + 1e-12 * moved };
                let what = What::After { coordinate: i, step: t, restart };
                report.compare(&Place { row: &row, what, point: before, seed: SEED }, got, expected, bound);
            }
        }
    }
}

#[test]
fn steps_equal_plain_code() {
    let mut report = Report::new("plain optimizers");
    for backend in engines() {
        for &precision in backend.precisions() {
            let dims: &[u32] = if backend.name == "cpu" { &[2, 5, 40] } else { &[5] };
            for (surface, plain) in surfaces(dims) {
                for (((name, rule), (_, names)), numbers) in OPTIMIZERS.iter().zip(HYPER).zip(NUMBERS) {
                    let given: Vec<String> = names.iter().zip(*numbers).map(|(n, v)| format!("{n}={v}")).collect();
                    let chain = format!("{name}({})", given.join(", "));
                    let mut states = vec![Vec::new(); RESTARTS as usize];
                    steps_equal(&mut report, &backend, precision, &surface, plain, &chain, &mut |restart, t, x, g| {
                        rule(x, g, &mut states[restart as usize], t as u32, numbers);
                    });
                }
            }
        }
    }
    report.finish(100_000);
}

#[test]
fn transforms_equal_plain_code() {
    let mut report = Report::new("plain transforms");
    const LR: f64 = 0.003;
    for backend in engines() {
        for &precision in backend.precisions() {
            let dims: &[u32] = if backend.name == "cpu" { &[2, 5, 40] } else { &[5] };
            for (surface, plain) in surfaces(dims) {
                for (name, given, transform) in TRANSFORMS {
                    let chain = format!("{name}({given}) | sgd(lr={LR})");
                    let plan = Plan::new(surface.clone()).optimizer(&chain).resolve().expect("a plan");
                    let mut states = vec![Vec::new(); RESTARTS as usize];
                    steps_equal(&mut report, &backend, precision, &surface, plain, &chain, &mut |restart, t, x, g| {
                        let draws = draws::<f64>(&plan.programs()[0].step, x.len(), SEED, restart, t);
                        transform(x, g, &mut states[restart as usize], t as f64, draws.first().map_or(&[][..], |d| &d[..]));
                        for (x, g) in x.iter_mut().zip(g) {
                            *x -= LR * *g;
                        }
                    });
                }
            }
        }
    }
    report.finish(100_000);
}
