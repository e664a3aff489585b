//! What moves a restart and what does not: learning rates, bounds, drawn hyperparameters.

use crate::support::bits::{point, restarts, traced};
use crate::support::catalog::{chains_with, label, some_surfaces, surfaces};
use crate::support::engines;
use crate::support::report::{Place, Report, What};
use catchment::{Bounds, Plan, Precision, Trace};

const SEED: u64 = 14;

#[test]
fn without_a_step_size_nothing_moves() {
    let mut report = Report::new("lr = 0");
    // Everything that is a length: the step size, its smallest value, the radius of a kick.
    let chains = chains_with(&[("lr", "0"), ("step_min", "0"), ("radius", "0")]);
    for backend in engines() {
        for surface in some_surfaces(&[1, 3, 10], backend.share(8, 1)) {
            let trace = Trace { steps: vec![0, 6], restarts: 100 };
            let plan = Plan::new(surface.clone()).restarts(100).steps(6).seed(SEED).trace(trace);
            let plan = chains.iter().fold(plan, |plan, chain| plan.optimizer(chain)).resolve().expect("a plan");
            let (_, traces) = traced(&backend.engine, &plan);
            for ((configuration, restart, step), x) in traces.iter().filter(|t| t.0.2 > 0) {
                let start = &traces[&(*configuration, *restart, 0)];
                report.require(x == start, || {
                    let chain = &plan.configurations()[*configuration].text;
                    format!("{} {} {chain}: {start:?} moved to {x:?} in {step} steps", backend.name, label(&surface))
                });
            }
        }
    }
    report.finish(10_000);
}

#[test]
fn bounds_hold() {
    let mut report = Report::new("bounds hold");
    for backend in engines() {
        for &precision in backend.precisions() {
            for surface in some_surfaces(&[1, 3, 10], backend.share(8, 2)) {
                for bounds in [Bounds::Clip, Bounds::Reflect, Bounds::Wrap] {
                    let trace = Trace { steps: vec![1, 2, 3, 10], restarts: 64 };
                    let plan = Plan::new(surface.clone()).restarts(64).steps(10).seed(SEED).trace(trace).bounds(bounds);
                    // Far too fast, so that every way out of the domain is tried.
                    let plan = plan.optimizer("sgd(lr=[0.3, 30])").optimizer("noise(sigma=100) | momentum(lr=1)");
                    let plan = plan.precision(precision).resolve().expect("a plan");
                    let (_, traces) = traced(&backend.engine, &plan);
                    let end = |v: f64| if precision == Precision::F32 { f64::from(v as f32) } else { v };
                    let domain = surface.domain();
                    for ((configuration, restart, step), x) in &traces {
                        let inside = (0..x.len()).all(|i| (end(domain.lo[i])..=end(domain.hi[i])).contains(&x[i]));
                        report.require(inside, || {
                            let chain = &plan.configurations()[*configuration].text;
                            let row = format!("{} {} {} {chain}", backend.name, precision.name(), label(&surface));
                            format!("{row} {bounds:?}: restart {restart} is at {x:?} after step {step} (seed {SEED})")
                        });
                    }
                }
            }
        }
    }
    report.finish(9_000);
}

/// A coordinate put back into `lo..hi`, by going back and forth.
fn put_back(mut x: f64, lo: f64, hi: f64, bounds: Bounds) -> f64 {
    for _ in 0..100_000 {
        if (lo..=hi).contains(&x) {
            break;
        }
        x = match bounds {
            Bounds::None => return x,
            Bounds::Clip => x.clamp(lo, hi),
            Bounds::Reflect if x < lo => 2.0 * lo - x,
            Bounds::Reflect => 2.0 * hi - x,
            Bounds::Wrap if x < lo => x + (hi - lo),
            Bounds::Wrap => x - (hi - lo),
        };
    }
    x
}

#[test]
fn bounds_put_back_as_they_say() {
    let mut report = Report::new("bounds");
    for backend in engines().iter().filter(|b| b.precisions().contains(&Precision::F64)) {
        for surface in surfaces(&[1, 3]) {
            let starts = crate::support::catalog::points(&surface, 30, SEED);
            let mut slopes: Vec<f64> = starts.iter().flat_map(|x| surface.evaluate(x).1).map(f64::abs).collect();
            slopes.retain(|s| s.is_finite());
            slopes.sort_by(f64::total_cmp);
            let width = surface.domain().hi[0] - surface.domain().lo[0];
            // A median slope carries one and a half widths far.
            let lr = 1.5 * width / slopes[slopes.len() / 2].max(1e-12);
            for bounds in [Bounds::None, Bounds::Clip, Bounds::Reflect, Bounds::Wrap] {
                let trace = Trace { steps: vec![0, 1], restarts: 30 };
                let plan = Plan::new(surface.clone()).restarts(30).steps(1).seed(SEED).trace(trace).bounds(bounds);
                let plan = plan.optimizer(format!("sgd(lr={lr})")).precision(Precision::F64).resolve().expect("a plan");
                let (_, traces) = traced(&backend.engine, &plan);
                for r in 0..30 {
                    let (Some(x), Some(after)) = (traces.get(&(0, r, 0)), traces.get(&(0, r, 1))) else {
                        report.skip();
                        continue;
                    };
                    let (_, gradient) = surface.evaluate(x);
                    for i in 0..x.len() {
                        let (lo, hi) = (surface.domain().lo[i], surface.domain().hi[i]);
                        let free = x[i] - lr * gradient[i];
                        // Very far out, only the last digits of the position say where it comes back.
                        if !((free - lo).abs() < 1e4 * (hi - lo)) {
                            report.skip();
                            continue;
                        }
                        let expected = put_back(free, lo, hi, bounds);
                        let row = format!("{} {} {bounds:?}", backend.name, label(&surface));
                        let what = What::After { coordinate: i, step: 1, restart: r };
                        let place = Place { row: &row, what, point: x, seed: SEED };
                        // Where the two ends of a torus meet, either is right.
                        let other = if bounds == Bounds::Wrap { hi - lo } else { 0.0 };
                        let off = (after[i] - expected).abs().min(((after[i] - expected).abs() - other).abs());
                        let bound = 1e-11 * (free.abs() + hi.abs().max(lo.abs()) + (lr * gradient[i]).abs());
                        report.compare(&place, expected + off, expected, bound);
                    }
                }
            }
        }
    }
    report.finish(5_000);
}

#[test]
fn drawn_hyperparameters_are_in_range_and_each_restart_s_own() {
    let mut report = Report::new("drawn hyperparameters");
    for backend in engines() {
        for surface in some_surfaces(&[2, 5], 4) {
            let plan =
                Plan::new(surface.clone()).restarts(400).seed(SEED).steps(3).optimizer(
                    "noise(sigma=uniform(0.5, 2)) | adam(lr=log_uniform(1e-5, 1e-1), beta1=uniform(0.8, 0.95))",
                );
            let plan = plan.resolve().expect("a plan");
            let slots = &plan.configurations()[0].chain.hyper;
            let slot = |label: &str| slots.iter().position(|s| s.label == label).expect("a slot");
            let ranges = [("noise.sigma", 0.5, 2.0), ("lr", 1e-5, 1e-1), ("beta1", 0.8, 0.95)];
            let mut small = 0;
            for restart in 0..400u64 {
                let drawn = plan.drawn(0, restart);
                for (name, lo, hi) in ranges {
                    let v = drawn[slot(name)];
                    let inside = (f64::from(lo as f32)..=f64::from(hi as f32)).contains(&v);
                    report.require(inside, || format!("restart {restart} draws {name} = {v}"));
                }
                small += usize::from(drawn[slot("lr")] < 1e-3);
                let again = plan.drawn(0, restart);
                report.require(drawn.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()), || {
                    "drawn anew".to_owned()
                });
            }
            // Half of the decades: 200 of 400, five standard deviations of 10 on either side.
            report.require((150..=250).contains(&small), || {
                format!("{small} of 400 rates below the middle of their decades")
            });
            let a = restarts(&backend.engine, &plan);
            let b = restarts(&backend.engine, &plan);
            crate::support::bits::same(&mut report, &label(&surface), SEED, &a, &b);
        }
    }
    report.finish(6_000);
}

#[test]
fn a_drawn_rate_is_the_rate_of_the_step() {
    let mut report = Report::new("drawn rates are used");
    for backend in engines() {
        let bowl =
            catchment::Surface::formula("sum(x^2)", catchment::random::Domain::cube(3, 1.0, 2.0)).expect("a bowl");
        let plan = Plan::new(bowl).restarts(300).seed(SEED).steps(1).trace(Trace { steps: vec![0], restarts: 300 });
        let plan = plan.optimizer("sgd(lr=log_uniform(1e-3, 0.4))").resolve().expect("a plan");
        let (ends, traces) = traced(&backend.engine, &plan);
        for ((_, restart), end) in &ends {
            let start = &traces[&(0, *restart, 0)];
            let lr = plan.drawn(0, *restart)[0];
            for (i, x) in point(end, true).into_iter().enumerate() {
                let what = What::After { coordinate: i, step: 1, restart: *restart };
                let place = Place { row: backend.name, what, point: start, seed: SEED };
                report.compare(&place, x, start[i] * (1.0 - 2.0 * lr), 3e-7);
            }
        }
    }
    report.finish(900);
}
