//! The pieces of a run, each alone: random words and starts, lane math, resolving, lowering, WGSL, and the tape's steps.
//!
//! `cargo bench --bench pieces`, or with a part of a name behind it.

use catchment::bench::lane_math;
use catchment::graph::Unary;
use catchment::kernel::{lower_nest, lower_straight};
use catchment::random::{Domain, Purpose, Sampler, Starts, Stream};
use catchment::{Engine, Plan, Surface};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

fn plan(surface: &str, dim: u32, optimizer: &str, restarts: u64, steps: u64) -> Plan {
    let surface = Surface::named(surface, Some(dim)).expect("a surface of the catalog");
    let plan = Plan::new(surface).optimizer(optimizer).restarts(restarts).steps(steps);
    plan.points(false).resolve().expect("a plan")
}

/// Blocks of four words, and starts: a restart is an element.
fn random(c: &mut Criterion) {
    let mut group = c.benchmark_group("random");
    group.throughput(Throughput::Elements(256));
    group.bench_function("philox blocks", |b| {
        b.iter(|| (0..256).fold(0, |sum, r| sum ^ Stream::new(1, black_box(r), 0, Purpose::Start).block(0)[0]))
    });
    for (starts, dim) in [
        (Starts::Uniform, 2),
        (Starts::Uniform, 10),
        (Starts::Normal { sd: 1.0 }, 2),
        (Starts::Sobol, 2),
        (Starts::LatinHypercube, 2),
    ] {
        let sampler = Sampler::new(&starts, &Domain::cube(dim, -5.0, 5.0), 1, 1 << 20).expect("a sampler");
        let mut out = vec![0.0; dim * 256];
        group.bench_function(BenchmarkId::new(format!("{starts} starts"), dim), |b| {
            b.iter(|| sampler.fill(black_box(512), 256, &mut out))
        });
    }
    group.finish();
}

/// The functions that cost most in surfaces: a number is an element.
fn math(c: &mut Criterion) {
    let mut group = c.benchmark_group("lane math");
    group.throughput(Throughput::Elements(1024));
    let x: Vec<f32> = (0..1024).map(|i| 0.01 + 0.005 * i as f32).collect();
    let mut out = vec![0.0; 1024];
    for op in [Unary::SinPi, Unary::Sin, Unary::Exp, Unary::Log, Unary::Sqrt, Unary::Tanh] {
        group.bench_function(format!("{op:?}"), |b| b.iter(|| lane_math(op, black_box(&x), &mut out)));
    }
    group.finish();
}

/// From text to code.
fn compiling(c: &mut Criterion) {
    let mut group = c.benchmark_group("compiling");
    for (surface, dim, optimizer) in [("sphere", 2, "sgd"), ("rastrigin", 10, "adam"), ("rosenbrock", 100, "adam")] {
        let row = format!("{surface} {dim} {optimizer}");
        group.bench_function(BenchmarkId::new("resolve", &row), |b| {
            b.iter(|| plan(black_box(surface), dim, optimizer, 10, 10))
        });
        let plan = plan(surface, dim, optimizer, 10, 10);
        let step = plan.programs()[0].step.clone();
        group.bench_function(BenchmarkId::new("lower straight", &row), |b| {
            b.iter(|| lower_straight(&step.graph, &step.outputs(), dim, 1 << 20))
        });
        group.bench_function(BenchmarkId::new("lower nest", &row), |b| {
            b.iter(|| lower_nest(&step.graph, &step.outputs(), dim))
        });
        group.bench_function(BenchmarkId::new("print WGSL", &row), |b| b.iter(|| catchment::wgsl(&plan)));
    }
    group.finish();
}

/// Compiling and running on the CPU engine: a coordinate's step is an element.
fn running(c: &mut Criterion) {
    let mut group = c.benchmark_group("CPU engine");
    let engine = Engine::cpu();
    for (surface, dim, optimizer) in [("sphere", 2, "sgd(lr=0.1)"), ("rastrigin", 10, "adam"), ("ackley", 30, "adam")] {
        let (restarts, steps) = (8192, 50);
        let plan = plan(surface, dim, optimizer, restarts, steps);
        group.throughput(Throughput::Elements(restarts * steps * u64::from(dim)));
        group.bench_function(format!("{surface} {dim} {optimizer}"), |b| b.iter(|| engine.run(&plan)));
    }
    group.finish();
}

criterion_group! {
    name = pieces;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = random, math, compiling, running
}
criterion_main!(pieces);
