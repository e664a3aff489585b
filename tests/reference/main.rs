//! The engines against plain scalar code, written from the papers (tests/reference): surfaces, and one step of each
//! optimizer from many states.

#[path = "mod.rs"]
mod reference;
#[path = "../support/mod.rs"]
mod support;

use catchment::graph::Scalar;
use catchment::{Plan, Precision, Surface, SurfaceText, Trace};
use reference::optimizers::{HYPER, OPTIMIZERS};
use reference::surfaces::SURFACES;
use reference::transforms::TRANSFORMS;
use support::bounds::Rounded;
use support::catalog::{label, points};
use support::engines;
use support::report::{Place, Report, What};
use support::steps::{draws, plain_steps};

const SEED: u64 = 21;
const RESTARTS: u64 = 12;
const STEPS: u64 = 8;

/// Numbers for [`HYPER`]'s names that are not the defaults, row by row.
const NUMBERS: &[&[f64]] = &[
    &[0.003],
    &[0.002, 0.8, 0.25],
    &[0.002, 0.85],
    &[0.1, 0.02, 0.3, 1e-6],
    &[0.02, 0.9, 1e-5, 0.4],
    &[0.03, 0.85, 0.95, 1e-6],
];

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

/// A few steps of a few restarts, all recorded.
fn plan(surface: &Surface, chain: &str, precision: Precision) -> Plan {
    let trace = Trace { steps: (0..=STEPS).collect(), restarts: RESTARTS };
    let plan = Plan::new(surface.clone()).optimizer(chain).restarts(RESTARTS).steps(STEPS).seed(SEED).trace(trace);
    plan.precision(precision).resolve().expect("a plan")
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
                    plain_steps(
                        &mut report,
                        &backend,
                        &plan(&surface, &chain, precision),
                        plain,
                        &mut |restart, t, x, g| {
                            rule(x, g, &mut states[restart as usize], t as u32, numbers);
                        },
                    );
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
                    let step = plan(&surface, &chain, precision).programs()[0].step.clone();
                    let mut states = vec![Vec::new(); RESTARTS as usize];
                    plain_steps(
                        &mut report,
                        &backend,
                        &plan(&surface, &chain, precision),
                        plain,
                        &mut |restart, t, x, g| {
                            let draws = draws::<Rounded>(&step, x.len(), SEED, restart, t);
                            let draws: Vec<f64> = draws.first().into_iter().flatten().map(|d| d.value()).collect();
                            transform(x, g, &mut states[restart as usize], t as f64, &draws);
                            for (x, g) in x.iter_mut().zip(g) {
                                *x -= LR * *g;
                            }
                        },
                    );
                }
            }
        }
    }
    report.finish(100_000);
}
