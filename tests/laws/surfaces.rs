//! Surfaces: minima, gradients, simplification.

use crate::support::catalog::{DIMS, is_linear, label, points, surfaces};
use crate::support::report::Report;
use crate::support::{checks, engines};
use catchment::Surface;
use catchment::step::Evaluation;

const SEED: u64 = 11;

/// Points all over the domain, and clouds of ever smaller size around every known minimum, kept inside the domain.
fn samples(surface: &Surface) -> Vec<Vec<f64>> {
    let mut all = points(surface, 200, SEED);
    let domain = surface.domain().clone();
    let spread = points(surface, 20, SEED + 1);
    for known in surface.minima() {
        for scale in [0.1, 1e-2, 1e-4, 1e-6] {
            // The offset of each sample from the middle of the domain, shrunk and moved to the minimum.
            all.extend(spread.iter().map(|p| {
                let near = |i: usize| known.x[i] + scale * (p[i] - 0.5 * (domain.lo[i] + domain.hi[i]));
                (0..p.len()).map(|i| near(i).clamp(domain.lo[i], domain.hi[i])).collect()
            }));
        }
    }
    all
}

#[test]
fn the_known_minimum_has_its_value_and_no_gradient_and_nothing_is_below() {
    let mut report = Report::new("minimum");
    for surface in surfaces(DIMS) {
        checks::minimum(&mut report, &surface, &samples(&surface), SEED);
    }
    report.finish(60_000);
}

#[test]
fn known_minima_agree_and_lie_in_the_domain() {
    let mut report = Report::new("minima agree");
    for surface in surfaces(DIMS) {
        let domain = surface.domain();
        for known in surface.minima() {
            let first = surface.minima()[0].value;
            let close = (known.value - first).abs() <= 1e-12 * (1.0 + first.abs());
            let inside = known.x.iter().enumerate().all(|(i, x)| (domain.lo[i]..=domain.hi[i]).contains(x));
            report.require(close && inside, || format!("{}: minimum {known:?}", label(&surface)));
        }
    }
    report.finish(150);
}

#[test]
fn the_gradient_is_the_derivative_by_dual_numbers() {
    let mut report = Report::new("gradient = dual");
    for surface in surfaces(DIMS) {
        for x in points(&surface, 8, SEED) {
            checks::dual(&mut report, &surface, &surface, &x, SEED);
        }
    }
    report.finish(8_000);
}

#[test]
fn the_gradient_is_the_limit_of_central_differences() {
    let mut report = Report::new("gradient = difference");
    for surface in surfaces(&[1, 2, 3, 5, 33]) {
        for x in points(&surface, 6, SEED) {
            checks::differences(&mut report, &surface, &surface, &x, SEED);
        }
    }
    report.finish(2_500);
}

#[test]
fn the_hessian_is_the_limit_of_central_differences_of_the_gradient() {
    let mut report = Report::new("Hessian = difference");
    for surface in surfaces(&[1, 2, 3]) {
        for x in points(&surface, 4, SEED) {
            checks::hessian(&mut report, &surface, &x, SEED);
        }
    }
    report.finish(1_500);
}

#[test]
fn simplification_changes_roundings_only() {
    let mut report = Report::new("simplified = written");
    for surface in surfaces(DIMS) {
        let evaluation = Evaluation::new(&surface);
        for x in points(&surface, 8, SEED) {
            checks::simplified(&mut report, &surface, &evaluation, &x, SEED);
        }
    }
    report.finish(25_000);
}

#[test]
fn engines_evaluate_within_the_error_bound() {
    for backend in engines() {
        for &precision in backend.precisions() {
            let mut report = Report::new("engine = reference");
            for surface in surfaces(&[1, 2, 3, 10, 33, 100]) {
                let fits = catchment::Plan::new(surface.clone()).precision(precision).resolve().is_ok();
                if !fits {
                    report.skip();
                    continue;
                }
                let row = format!("{} {} {}", backend.name, precision.name(), label(&surface));
                let count = if surface.dim() < 33 { 64 } else { 16 };
                let points = points(&surface, count, SEED);
                checks::values(&mut report, &backend.engine, &row, &surface, &surface, &points, precision, SEED);
            }
            println!("{} {}: {:.2} % sharp", backend.name, precision.name(), 100.0 * report.sharpness());
            assert!(report.sharpness() > 0.6, "bounds that are wide say little");
            report.finish(75_000);
        }
    }
}

#[test]
fn engines_evaluate_long_vectors_in_loops() {
    for backend in engines() {
        for &precision in backend.precisions() {
            let mut report = Report::new("engine = reference, long");
            let long = surfaces(&[300]).into_iter().filter(|s| s.dim() == 300 && is_linear(s));
            for surface in long.step_by(backend.share(1, 6)) {
                let row = format!("{} {} {}", backend.name, precision.name(), label(&surface));
                let points = points(&surface, 3, SEED);
                checks::values(&mut report, &backend.engine, &row, &surface, &surface, &points, precision, SEED);
            }
            report.finish(3_000);
        }
    }
}
