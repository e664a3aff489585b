//! Restarts that are spread over a workgroup: the same laws as of every other layout, in sizes and widths at which turns,
//! lanes and ends of chains meet in every way. Not every device spreads by itself, so the engines here are told to.

mod support;

use catchment::bench::{spreading_gpu, spreading_wgsl};
use catchment::{Bounds, Engine, Plan, PlanBuilder, Precision, Stopping, Surface, Trace};
use std::collections::BTreeSet;
use support::bits::{restarts, same, traced};
use support::catalog::{chains, is_linear, label, points, surfaces};
use support::report::Report;
use support::steps::within_bounds;
use support::{checks, gpu, validate};

const SEED: u64 = 47;
/// Surfaces that must be spread in every size: separable, with neighbours, of one stage and of several, in blocks.
const SPREAD: &[&str] = &["rastrigin", "rosenbrock", "styblinski_tang", "ackley", "powell", "levy", "dixon_price"];

/// A GPU that spreads all restarts of nine or more dimensions.
fn spreading(width: u32) -> Option<Engine> {
    gpu().map(|_| spreading_gpu(9, width).expect("opened once before"))
}

fn named(name: &str, dim: u32) -> Surface {
    Surface::named(name, Some(dim)).expect("a catalog surface")
}

#[test]
fn every_spread_shader_validates() {
    let mut report = Report::new("spread WGSL");
    let chains = chains();
    let bounds = [Bounds::None, Bounds::Clip, Bounds::Reflect, Bounds::Wrap];
    let (mut spread, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut number = 0;
    for surface in surfaces(&[16, 300, 1000, 10_000]).into_iter().filter(|s| s.dim() >= 9 && is_linear(s)) {
        for stopping in [Stopping::default(), Stopping { gradient: Some(1e-3), change: Some(1e-9), target: None }] {
            number += 1;
            let chain = &chains[number % chains.len()];
            let plan = Plan::new(surface.clone()).optimizer(chain).bounds(bounds[number % 4]).stopping(stopping);
            let Ok(plan) = plan.resolve() else { continue };
            let (layout, text) = spreading_wgsl(&plan, 9, 256).expect("prints");
            let verdict = validate(&text);
            let row = format!("{} {chain} {layout}", label(&surface));
            report.require(verdict.is_ok(), || format!("{row}: {}", verdict.err().unwrap_or_default()));
            let named = (surface.name().to_owned(), surface.dim());
            if layout == "spread" {
                spread.insert(named)
            } else {
                others.insert(named)
            };
        }
    }
    let names = |set: &BTreeSet<(String, u32)>| set.iter().map(|s| s.0.clone()).collect::<BTreeSet<_>>();
    println!("spread: {:?}\nothers: {:?}", names(&spread), names(&others));
    for &name in SPREAD {
        report.require(!names(&others).contains(name), || format!("{name} is not always spread"));
    }
    report.finish(150);
}

/// Sizes around whole blocks, rounds and widths, and large ones.
fn rows() -> Vec<(&'static str, u32, u32)> {
    let mut rows = Vec::new();
    for (k, &name) in SPREAD.iter().enumerate() {
        let dims: &[u32] = if name == "powell" { &[64, 256, 300, 1000] } else { &[9, 64, 65, 255, 300, 1000] };
        rows.extend(dims.iter().enumerate().map(|(j, &dim)| (name, dim, [64, 128, 256][(k + j) % 3])));
    }
    rows
}

#[test]
fn spread_steps_lie_within_the_error_bound() {
    let engines = [64, 128, 256].map(spreading);
    let mut report = Report::new("spread steps");
    let chains = chains();
    let bounds = [Bounds::None, Bounds::Clip, Bounds::Reflect, Bounds::Wrap];
    for (number, (name, dim, width)) in rows().into_iter().enumerate() {
        let Some(engine) = &engines[(width / 64).ilog2() as usize] else { return };
        for (k, chain) in chains.iter().enumerate().filter(|(k, _)| (k + number) % 8 == 0) {
            let trace = Trace { steps: (0..=3).collect(), restarts: 3 };
            let plan = Plan::new(named(name, dim)).optimizer(chain).restarts(3).steps(3).seed(SEED).trace(trace);
            let plan = plan.bounds(bounds[(number + k) % 4]).resolve().expect("a plan");
            assert_eq!(engine.layout(&plan).expect("a layout"), "spread", "{name} {dim} {chain}");
            let (_, traces) = traced(engine, &plan);
            within_bounds(&mut report, &format!("{name} d={dim} width {width}"), &plan, &traces);
        }
    }
    println!("{:.2} % sharp", 100.0 * report.sharpness());
    report.finish(100_000);
}

#[test]
fn long_steps_lie_within_the_error_bound() {
    let Some(engine) = spreading(256) else { return };
    let mut report = Report::new("10,000 coordinates");
    // In lanes, in storage, and of both; draws of four.
    for (name, chain) in [("rastrigin", "adam"), ("rosenbrock", "adam"), ("ackley", "noise | momentum")] {
        let trace = Trace { steps: (0..=2).collect(), restarts: 2 };
        let plan = Plan::new(named(name, 10_000)).optimizer(chain).restarts(2).steps(2).seed(SEED).trace(trace);
        let plan = plan.resolve().expect("a plan");
        assert_eq!(engine.layout(&plan).expect("a layout"), "spread", "{name} {chain}");
        let (_, traces) = traced(&engine, &plan);
        within_bounds(&mut report, &format!("{name} {chain}"), &plan, &traces);
    }
    report.finish(100_000);
}

#[test]
fn spread_values_lie_within_the_error_bound() {
    let Some(engine) = spreading(128) else { return };
    let mut report = Report::new("spread values");
    let dims = &[12, 300];
    for surface in surfaces(dims).into_iter().filter(|s| dims.contains(&s.dim()) && is_linear(s)) {
        let points = points(&surface, 3, SEED);
        checks::values(&mut report, &engine, &label(&surface), &surface, &surface, &points, Precision::F32, SEED);
    }
    report.finish(9_000);
}

/// Alone, in a batch, in chunks, traced, from dispatch to dispatch: the same bits.
#[test]
fn nothing_but_the_restart_changes_a_spread_bit() {
    let Some(engine) = spreading(256) else { return };
    let mut report = Report::new("spread bits");
    let stopping = Stopping { gradient: Some(1e-3), change: Some(1e-9), target: None };
    let run = |plan: PlanBuilder| restarts(&engine, &plan.resolve().expect("a plan"));
    for (number, chain) in chains().iter().enumerate() {
        let name = SPREAD[number % SPREAD.len()];
        let dim = [300, 1000, 300, 10_000][number % 4];
        let count = if dim > 1000 { 5 } else { 40 };
        let plan = Plan::new(named(name, dim)).optimizer(chain).restarts(count).steps(12).seed(SEED);
        let plan = if number % 2 == 0 { plan.stopping(stopping) } else { plan };
        assert_eq!(engine.layout(&plan.clone().resolve().expect("a plan")).expect("a layout"), "spread");
        let row = format!("{name} d={dim} {chain}");
        let whole = run(plan.clone());
        same(&mut report, &format!("{row} again"), SEED, &whole, &run(plan.clone()));
        for chunk in [1, 7] {
            same(&mut report, &format!("{row} by {chunk}"), SEED, &whole, &run(plan.clone().chunk(chunk)));
        }
        let cut = plan.clone().trace(Trace { steps: (0..=12).collect(), restarts: count });
        same(&mut report, &format!("{row} cut"), SEED, &whole, &run(cut));
        let one = whole.iter().filter(|r| r.0.1 == 3).map(|(k, r)| (*k, r.clone())).collect();
        same(&mut report, &format!("{row} alone"), SEED, &one, &run(plan.first(3).restarts(1)));
    }
    report.finish(100);
}

/// Restarts that converge, diverge or go on, at different steps.
#[test]
fn spread_restarts_end_on_their_own() {
    let Some(engine) = spreading(64) else { return };
    let mut report = Report::new("spread ends");
    let stopping = Stopping { gradient: Some(1e-2), change: Some(1e-7), target: Some(1e-5) };
    for name in ["sphere", "rosenbrock"] {
        for chain in ["sgd(lr=log_uniform(1e-4, 2))", "momentum(lr=log_uniform(1e-6, 1), beta=[0.9, 0.5])"] {
            let plan = Plan::new(named(name, 200)).optimizer(chain).restarts(300).steps(150).seed(SEED);
            let plan = plan.stopping(stopping);
            let run = |plan: PlanBuilder| restarts(&engine, &plan.resolve().expect("a plan"));
            let whole = run(plan.clone());
            let ends: BTreeSet<u32> = whole.values().map(|r| r.steps).collect();
            report.require(ends.len() > 1, || format!("{name} {chain}: all end at {ends:?}"));
            for chunk in [64, 133] {
                same(&mut report, &format!("{name} {chain} by {chunk}"), SEED, &whole, &run(plan.clone().chunk(chunk)));
            }
        }
    }
    report.finish(12);
}
