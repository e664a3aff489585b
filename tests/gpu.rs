//! What a GPU must do that only a GPU can get wrong, next to the laws of tests/laws, which run on it too: steps within the
//! running error bound from many states, starts with the CPU's bits, fused steps, and shaders that validate.

mod support;

use catchment::random::{Domain, Points, Starts};
use catchment::{Bounds, Plan, Stopping, Surface, Trace};
use std::sync::Arc;
use support::bits::{restarts, same, traced};
use support::catalog::{DIMS, chains, label, points, some_surfaces, surfaces};
use support::report::Report;
use support::steps::within_bounds;
use support::{checks, engines, gpu, validate};

const SEED: u64 = 31;

#[test]
fn steps_lie_within_the_error_bound() {
    for backend in engines() {
        for &precision in backend.precisions() {
            let mut report = Report::new("steps");
            // Every chain somewhere, and every surface under some chain.
            let surfaces = some_surfaces(&[1, 3, 10, 40], backend.share(30, 9));
            let chains = chains();
            let mut shares = Vec::new();
            for (number, surface) in surfaces.iter().enumerate() {
                let (sharp, all) = (report.sharp, report.checked + report.skipped);
                for (k, chain) in chains.iter().enumerate() {
                    if (k + number) % backend.share(3, 4) != 0 {
                        continue;
                    }
                    let bounds = [Bounds::None, Bounds::Clip, Bounds::Reflect, Bounds::Wrap][(k + number / 4) % 4];
                    let restarts = backend.share(8, 24) as u64;
                    let trace = Trace { steps: (0..=6).collect(), restarts };
                    let plan =
                        Plan::new(surface.clone()).optimizer(chain).restarts(restarts).steps(6).seed(SEED).trace(trace);
                    let plan = plan.bounds(bounds).precision(precision).resolve().expect("a plan");
                    let (_, traces) = traced(&backend.engine, &plan);
                    let row = format!("{} {} {} {bounds:?}", backend.name, precision.name(), label(surface));
                    within_bounds(&mut report, &row, &plan, &traces);
                }
                let all = (report.checked + report.skipped - all).max(1);
                shares.push((report.sharp - sharp) as f64 / all as f64);
            }
            // By surface: one whose values pass all sizes has wide bounds in any number of dimensions.
            let sharpness = shares.iter().sum::<f64>() / shares.len() as f64;
            println!("{} {}: {:.2} % sharp", backend.name, precision.name(), 100.0 * sharpness);
            assert!(sharpness > 0.8, "bounds that are wide say little");
            report.finish(20_000);
        }
    }
}

#[test]
fn starts_have_the_same_bits_everywhere() {
    let Some(gpu) = gpu() else { return };
    let cpu = catchment::Engine::cpu();
    let mut report = Report::new("starts");
    for surface in some_surfaces(&[1, 3, 10, 40], 5) {
        let dim = surface.dim() as usize;
        let given = Points::new(dim, points(&surface, 7, SEED).concat()).expect("points");
        let rules = [
            Starts::Uniform,
            Starts::Normal { sd: 0.5 },
            Starts::Sobol,
            Starts::LatinHypercube,
            Starts::Grid,
            Starts::Points(Arc::new(given)),
        ];
        for starts in rules {
            let plan = Plan::new(surface.clone()).optimizer("sgd(lr=0)").restarts(500).steps(1).seed(SEED).first(17);
            let plan = plan.starts(starts.clone()).resolve().expect("a plan");
            // Values may differ by roundings, points may not.
            let points = |engine| {
                let mut all = restarts(engine, &plan);
                all.values_mut().for_each(|r| r.numbers.drain(..3).for_each(drop));
                all
            };
            let row = format!("{} {starts}", label(&surface));
            same(&mut report, &row, SEED, &points(&cpu), &points(&gpu.engine));
        }
    }
    report.finish(30);
}

#[test]
fn fused_steps_equal_single_dispatches() {
    let mut report = Report::new("fused");
    let chains = chains();
    for backend in engines() {
        let surfaces = some_surfaces(&[1, 3, 10], 6);
        for (number, chain) in chains.iter().enumerate().filter(|(k, _)| k % backend.share(1, 2) == 0) {
            let surface = &surfaces[number % surfaces.len()];
            let plan = Plan::new(surface.clone()).optimizer(chain).restarts(150).steps(12).seed(SEED);
            // A trace at every step cuts the run into dispatches of one step.
            let cut = plan.clone().trace(Trace { steps: (0..=12).collect(), restarts: 150 });
            let (cut, traces) = traced(&backend.engine, &cut.resolve().expect("a plan"));
            let fused = restarts(&backend.engine, &plan.resolve().expect("a plan"));
            let row = format!("{} {} {chain}", backend.name, label(surface));
            same(&mut report, &row, SEED, &fused, &cut);
            let last = traces.iter().filter(|t| t.0.2 == 12);
            let ends = last.filter(|(key, x)| support::bits::point(&fused[&(0, key.1)], true) != **x).count();
            report.require(ends == 0, || format!("{row}: {ends} restarts end elsewhere than in their trace"));
        }
    }
    report.finish(40);
}

#[test]
fn every_shader_validates() {
    let mut report = Report::new("WGSL");
    let (mut bytes, mut skipped) = (0, 0);
    let chains = chains();
    let bounds = [Bounds::None, Bounds::Clip, Bounds::Reflect, Bounds::Wrap];
    let mut check = |plan: catchment::PlanBuilder, row: String| {
        let Ok(plan) = plan.resolve() else {
            skipped += 1;
            return;
        };
        let text = catchment::wgsl(&plan).expect("prints");
        bytes += text.len();
        let verdict = validate(&text);
        report.require(verdict.is_ok(), || format!("{row}: {}", verdict.err().unwrap_or_default()));
    };
    // Every surface in every layout under one chain, the chains taking turns ...
    for (number, surface) in surfaces(DIMS).into_iter().enumerate() {
        let chain = &chains[number % chains.len()];
        let plan = Plan::new(surface.clone()).optimizer(chain).bounds(bounds[number % 4]);
        check(plan, format!("{} {chain}", label(&surface)));
    }
    // ... and every pair in one dimension.
    for surface in surfaces(&[]) {
        for chain in &chains {
            check(Plan::new(surface.clone()).optimizer(chain), format!("{} {chain}", label(&surface)));
        }
    }
    println!("{bytes} bytes of WGSL, {skipped} plans refused");
    report.finish(1_500);
}

#[test]
fn values_of_many_points_lie_within_the_error_bound() {
    let Some(gpu) = gpu() else { return };
    let mut report = Report::new("many points");
    for surface in some_surfaces(&[2, 10], 12) {
        let points = points(&surface, 1500, SEED);
        let row = format!("gpu {}", label(&surface));
        checks::values(&mut report, &gpu.engine, &row, &surface, &surface, &points, catchment::Precision::F32, SEED);
    }
    report.finish(40_000);
}

/// Restarts that converge, stall, reach a target, diverge or go on, at very different steps: the list of those that run is
/// written anew many times, and neither its cuts nor its order show.
#[test]
fn restarts_that_end_early_change_no_bit() {
    let Some(gpu) = gpu() else { return };
    let mut report = Report::new("ends");
    let chains = [
        "sgd(lr=log_uniform(1e-4, 2))",
        "adam(lr=log_uniform(1e-4, 0.3))",
        "noise(sigma=0.01) | momentum(lr=log_uniform(1e-4, 0.5))",
        "sgd(lr=[0.4, 0.01])",
    ];
    for dim in [1, 2, 7, 200] {
        let surface = Surface::formula("sum(x^2 + 0.1*x^4)", Domain::cube(dim, -2.0, 2.0)).expect("a formula");
        for chain in chains {
            let stopping = Stopping { gradient: Some(1e-2), change: Some(1e-7), target: Some(1e-5) };
            let (restarts_, steps) = if dim > 40 { (300, 150) } else { (700, 400) };
            let plan = Plan::new(surface.clone()).optimizer(chain).restarts(restarts_).steps(steps).seed(SEED);
            let plan = plan.stopping(stopping);
            let run = |plan: catchment::PlanBuilder| restarts(&gpu.engine, &plan.resolve().expect("a plan"));
            let whole = run(plan.clone());
            let mut ends: Vec<u32> = whole.values().map(|r| r.steps).collect();
            ends.sort_unstable();
            ends.dedup();
            report.require(ends.len() > 2, || format!("{dim} {chain}: all end at {ends:?}"));
            let row = format!("{dim} {chain}");
            for chunk in [64, 333] {
                same(&mut report, &format!("{row} by {chunk}"), SEED, &whole, &run(plan.clone().chunk(chunk)));
            }
            let trace = Trace { steps: vec![0, 1, 7, 50, 133, 140], restarts: 100 };
            same(&mut report, &format!("{row} traced"), SEED, &whole, &run(plan.trace(trace)));
        }
    }
    report.finish(60);
}

#[test]
fn restarts_that_meet_large_angles_take_the_same_steps() {
    // Beyond 6,400 another kernel goes on with a restart: some begin there, some come there on their way, most never do.
    for backend in engines() {
        let mut report = Report::new("large angles");
        for (formula, step) in [
            ("sum(cos(x) + 1e-3*sin(3*x))", 0.5),
            ("sum(sin(x) - 2*x)", 0.7),
            ("sum(tan(0.01*x)) + prod(cos(x))", 0.01),
        ] {
            for dim in [1, 5, 60] {
                let surface = Surface::formula(formula, Domain::cube(dim, -1e4, 1e4)).expect("a formula");
                let starts = |r: usize, i: usize| match (r + i) % 7 {
                    0 => 6399.0 + 0.37 * (r % 11) as f64,
                    1 if r.is_multiple_of(3) => -2.0e6 - 17.3 * r as f64,
                    2 if r.is_multiple_of(5) => 7.7e12 * (1.0 + r as f64),
                    k => k as f64 - 3.0 + 0.01 * r as f64,
                };
                let given = (0..150).flat_map(|r| (0..dim).map(move |i| starts(r, i))).collect();
                let given = Starts::Points(Arc::new(Points::new(dim, given).expect("points")));
                for optimizer in ["sgd", "adam"] {
                    let plan = Plan::new(surface.clone()).optimizer(format!("{optimizer}(lr={step})"));
                    let plan = plan.restarts(150).steps(8).seed(SEED).starts(given.clone());
                    let all = Trace { steps: (0..=8).collect(), restarts: 150 };
                    let row = format!("{} {} {formula} {optimizer}", backend.name, dim);
                    let stepwise = plan.clone().trace(all).resolve().expect("a plan");
                    let (ends, traces) = traced(&backend.engine, &stepwise);
                    within_bounds(&mut report, &row, &stepwise, &traces);
                    let fused = plan.clone().resolve().expect("a plan");
                    same(&mut report, &row, SEED, &ends, &restarts(&backend.engine, &fused));
                    let pieces = plan.clone().chunk(13).resolve().expect("a plan");
                    same(&mut report, &row, SEED, &ends, &restarts(&backend.engine, &pieces));
                    let until = Stopping { gradient: Some(0.3), ..Stopping::default() };
                    let plan = plan.clone().steps(40).stopping(until);
                    let whole = restarts(&backend.engine, &plan.clone().resolve().expect("a plan"));
                    let cut = plan.trace(Trace { steps: (0..40).step_by(3).collect(), restarts: 150 });
                    same(&mut report, &row, SEED, &whole, &restarts(&backend.engine, &cut.resolve().expect("a plan")));
                }
            }
        }
        report.finish(5_000);
    }
}
