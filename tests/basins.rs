//! Basins whose size is known: small steps on the Rastrigin surface go downhill coordinate by coordinate, so the share of
//! starts that reach the global minimum is the width of its basin, `0.098153^d`.

mod support;

use catchment::{Plan, Surface};
use support::bits::{point, restarts};
use support::engines;
use support::report::Report;

/// Slow enough that a step never crosses a crest: lr times the largest curvature is below 1.
const CHAIN: &str = "sgd(lr=0.002)";
const STEPS: u64 = 100;

fn surface(dim: u32) -> Surface {
    Surface::named("rastrigin", Some(dim)).expect("a catalog surface")
}

/// The share of an axis from which descent reaches its middle: the crest beside it, by bisection, over the half width.
fn share() -> f64 {
    let line = surface(1);
    let (mut inside, mut outside) = (0.4, 0.6);
    for _ in 0..60 {
        let middle = 0.5 * (inside + outside);
        let uphill = line.evaluate(&[middle]).1[0] > 0.0;
        *(if uphill { &mut inside } else { &mut outside }) = middle;
    }
    inside / 5.12
}

#[test]
fn the_basin_is_as_wide_as_its_crests_are_apart() {
    assert!((share() - 0.098153).abs() < 1e-6, "{}", share());
}

#[test]
fn the_global_basin_has_its_share() {
    let mut report = Report::new("basin shares");
    for backend in engines() {
        for dim in 1..=3u32 {
            for seed in [1, 2, 3] {
                let n = if dim == 1 && seed == 1 { 1_000_000 } else { 200_000 };
                let plan = Plan::new(surface(dim)).optimizer(CHAIN).restarts(n).steps(STEPS).seed(seed).points(false);
                let outcome = backend.engine.run(&plan.resolve().expect("a plan")).expect("runs");
                let success = outcome.configurations[0].success.expect("a known minimum");
                let (n, p) = (n as f64, share().powi(dim as i32));
                // 99.9 % of a binomial's draws are within 3.29 standard deviations.
                let half = 3.29 * (p * (1.0 - p) / n).sqrt() + 0.5 / n;
                println!(
                    "{} d={dim} seed {seed}: {} of {n}, {:.6} ± {half:.6} expected",
                    backend.name, success.count, p
                );
                report.require((success.fraction - p).abs() <= half, || {
                    format!("{} d={dim} seed {seed}: share {}, not {p} ± {half}", backend.name, success.fraction)
                });
                let [lo, hi] = success.interval;
                report.require(lo < success.fraction && success.fraction < hi && hi - lo < 2.0 * half, || {
                    format!(
                        "{} d={dim} seed {seed}: the interval {lo}..{hi} is not around {}",
                        backend.name, success.fraction
                    )
                });
            }
        }
    }
    report.finish(18);
}

#[test]
fn every_minimum_has_its_share_on_every_engine() {
    let plan = Plan::new(surface(1)).optimizer(CHAIN).restarts(100_000).steps(STEPS).seed(4).resolve().expect("a plan");
    let histograms: Vec<[i64; 11]> = engines()
        .iter()
        .map(|backend| {
            let mut histogram = [0; 11];
            for end in restarts(&backend.engine, &plan).values() {
                // Minima lie within 0.03 of the integers from -5 to 5.
                let x = point(end, true)[0];
                assert!((x - x.round()).abs() < 0.03, "{}: an end at {x}", backend.name);
                histogram[(x.round() + 5.0) as usize] += 1;
            }
            histogram
        })
        .collect();
    println!("{histograms:?}");
    let whole = 100_000.0 / 10.24;
    for (histogram, backend) in histograms.iter().zip(engines()) {
        for (k, &count) in histogram.iter().enumerate() {
            // The inner basins are nearly 1 wide, the two outermost end at the domain.
            let near = (count as f64 - whole).abs() < 600.0 || k == 0 || k == 10;
            assert!(near, "{}: minimum {k} has {count}", backend.name);
        }
        let moved: i64 = histogram.iter().zip(&histograms[0]).map(|(a, b)| (a - b).abs()).sum();
        // Only starts within rounding of a crest may fall elsewhere on another device.
        assert!(moved <= 10, "{}: {moved} restarts fall elsewhere than on the first engine", backend.name);
    }
}
