//! How restarts end: each status on a surface made for it, and no end that touches a neighbour.

use crate::support::bits::{Restart, point, restarts};
use crate::support::engines;
use crate::support::report::Report;
use catchment::random::{Domain, Points, Starts};
use catchment::{Plan, PlanBuilder, Precision, Status, Stopping, Surface};
use std::sync::Arc;

const SEED: u64 = 15;

fn on(text: &str, lo: f64, hi: f64) -> PlanBuilder {
    let surface = Surface::formula(text, Domain::cube(3, lo, hi)).expect("a formula");
    Plan::new(surface).restarts(100).steps(200).seed(SEED)
}

/// A plan whose restarts all end in one way.
fn cases() -> Vec<(Status, PlanBuilder)> {
    let stopping = |gradient, change, target| Stopping { gradient, change, target };
    let bowl = || on("sum(x^2)", 1.0, 2.0);
    vec![
        (Status::Converged, bowl().optimizer("sgd(lr=0.2)").stopping(stopping(Some(1e-3), None, None))),
        (Status::Target, bowl().optimizer("sgd(lr=0.2)").stopping(stopping(None, None, Some(1e-4)))),
        (Status::Stalled, bowl().optimizer("sgd(lr=0.2)").stopping(stopping(None, Some(1e-6), None))),
        (Status::MaxSteps, bowl().optimizer("sgd(lr=1e-4)").stopping(stopping(Some(1e-3), Some(1e-9), Some(1e-4)))),
        (Status::MaxSteps, bowl().optimizer("sgd(lr=1e-4)")),
        // Tripled at every step.
        (Status::Diverged, on("-sum(x^2)", 1.0, 2.0).optimizer("sgd(lr=1)")),
        (
            Status::Diverged,
            on("-sum(x^2)", 1.0, 2.0).optimizer("sgd(lr=1)").stopping(stopping(Some(1e-3), Some(0.0), None)),
        ),
        // e^(x^2) overflows both precisions from the start.
        (Status::Nonfinite, on("exp(sum(x^2))", 30.0, 40.0).optimizer("sgd(lr=0.1)")),
        // The first step leaves the logarithm's domain; the gradient there is NaN.
        (Status::Nonfinite, on("sum(x*log(x))", 0.5, 1.0).optimizer("sgd(lr=5)")),
    ]
}

#[test]
fn every_status_has_its_cause() {
    let mut report = Report::new("statuses");
    for backend in engines() {
        for &precision in backend.precisions() {
            for (expected, plan) in cases() {
                let plan = plan.precision(precision).resolve().expect("a plan");
                let row = format!("{} {} {}", backend.name, precision.name(), plan.surface().label());
                let single = precision == Precision::F32;
                for ((_, restart), end) in &restarts(&backend.engine, &plan) {
                    let x = point(end, single);
                    report.require(end.status == expected as u8, || {
                        format!(
                            "{row}: restart {restart} ended with {}, not {expected:?}, at {x:?} after {} steps",
                            end.status, end.steps
                        )
                    });
                    report.require(x.iter().all(|v| v.abs() <= 1e18), || {
                        format!("{row}: restart {restart} is left at {x:?}")
                    });
                    let whole = end.steps == plan.steps() as u32;
                    report.require(whole == (expected == Status::MaxSteps), || format!("{row}: {} steps", end.steps));
                }
            }
        }
    }
    report.finish(2_500);
}

#[test]
fn a_stopped_restart_keeps_what_stopped_it() {
    let mut report = Report::new("where restarts stop");
    for backend in engines() {
        for &precision in backend.precisions() {
            let number = |b: u64| {
                if precision == Precision::F32 { f64::from(f32::from_bits(b as u32)) } else { f64::from_bits(b) }
            };
            for (expected, plan) in cases() {
                let stopping = plan.clone().resolve().expect("a plan").stopping();
                let plan = plan.precision(precision).resolve().expect("a plan");
                for end in restarts(&backend.engine, &plan).values() {
                    let (value, norm) = (number(end.numbers[0]), number(end.numbers[1]));
                    let kept = match expected {
                        Status::Converged => norm <= 1.000_001 * stopping.gradient.unwrap_or(0.0),
                        Status::Target => value <= stopping.target.unwrap_or(f64::MIN) as f32 as f64 + 1e-12,
                        _ => true,
                    };
                    report.require(kept, || format!("{} {expected:?}: value {value}, norm {norm}", backend.name));
                }
            }
        }
    }
    report.finish(1_500);
}

#[test]
fn a_restart_that_diverges_harms_no_neighbour() {
    let mut report = Report::new("neighbours");
    let surface = Surface::formula("sum(x^4 - x^2)", Domain::cube(2, -30.0, 30.0)).expect("a formula");
    // Good starts, and every third a start from which a step overshoots more each time.
    let good: Vec<[f64; 2]> = (0..200).map(|k| [0.004 * f64::from(k) - 0.4, 0.3 - 0.002 * f64::from(k)]).collect();
    let mixed: Vec<[f64; 2]> = good.chunks(2).flat_map(|pair| [pair[0], [25.0, -20.0], pair[1]]).collect();
    let starts = |rows: &[[f64; 2]]| Starts::Points(Arc::new(Points::new(2, rows.concat()).expect("points")));
    let plan = |rows: &[[f64; 2]]| {
        let plan = Plan::new(surface.clone()).steps(100).restarts(rows.len() as u64).starts(starts(rows)).seed(SEED);
        plan.optimizer("momentum(lr=0.05)").optimizer("sgd(lr=0.1)")
    };
    for backend in engines() {
        for &precision in backend.precisions() {
            let of = |rows: &[[f64; 2]]| {
                let plan = plan(rows).precision(precision).resolve().expect("a plan");
                restarts(&backend.engine, &plan)
            };
            let (alone, among) = (of(&good), of(&mixed));
            for configuration in 0..2 {
                let ends = |all: &std::collections::BTreeMap<(usize, u64), Restart>, keep: &dyn Fn(u64) -> bool| {
                    let own = all.iter().filter(|(key, _)| key.0 == configuration && keep(key.1));
                    own.map(|(_, end)| end.clone()).collect::<Vec<_>>()
                };
                let bad = ends(&among, &|r| r % 3 == 1);
                report.require(bad.iter().all(|end| end.status == Status::Diverged as u8), || {
                    "a bad start survives".to_owned()
                });
                let (alone, among) = (ends(&alone, &|_| true), ends(&among, &|r| r % 3 != 1));
                for (k, (a, b)) in alone.iter().zip(&among).enumerate() {
                    report.require(a == b, || {
                        format!("{} {}: good start {k}\n  {a:?}\n  {b:?}", backend.name, precision.name())
                    });
                }
            }
        }
    }
    report.finish(800);
}
