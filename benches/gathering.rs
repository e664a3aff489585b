//! What the receiver of finished restarts does with them: a restart is an element.
//!
//! `cargo bench --bench gathering`

use catchment::report::Places;
use catchment::{Batch, Column, Plan, Status, Summary, Surface};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

/// 4096 restarts of two coordinates that ended at `cells` different places.
fn batch(cells: u32) -> Batch {
    let n = 4096;
    let place = |i: u32| (i.wrapping_mul(2_654_435_761) >> 8) % cells;
    let x = |i: u32| -5.0 + 10.0 * place(i) as f32 / cells as f32;
    Batch {
        configuration: 0,
        first: 0,
        dim: 2,
        value: Column::F32((0..n).map(|i| place(i) as f32 * 1e-3 + 1e-6 * i as f32).collect()),
        gradient_norm: Column::F32(vec![0.0; n as usize]),
        steps: vec![100; n as usize],
        status: vec![Status::MaxSteps; n as usize],
        start_value: Column::F32(Vec::new()),
        x: Column::F32((0..n).map(x).chain((0..n).map(|i| x(i.rotate_left(3)))).collect()),
    }
}

fn gathering(c: &mut Criterion) {
    let surface = Surface::named("sphere", Some(2)).expect("a surface of the catalog");
    let plan = Plan::new(surface).restarts(1).resolve().expect("a plan");
    let mut group = c.benchmark_group("gathering");
    group.throughput(Throughput::Elements(4096));
    let batch_of = batch;
    let one = batch_of(1);
    // Values are kept as they are at first, and counted behind.
    group.bench_function("summary, values kept", |b| {
        b.iter_batched_ref(|| Summary::new(&plan), |summary| summary.add(black_box(&one)), BatchSize::SmallInput)
    });
    for cells in [1, 100, 4096] {
        let batch = batch_of(cells);
        let mut summary = Summary::new(&plan);
        (0..1100).for_each(|_| summary.add(&batch));
        group.bench_function(BenchmarkId::new("summary, values counted", cells), |b| {
            b.iter(|| summary.add(black_box(&batch)))
        });
        let mut places = Places::new(plan.surface().domain(), 1 << 17);
        group.bench_function(BenchmarkId::new("places", cells), |b| b.iter(|| places.take(black_box(&batch))));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = gathering
}
criterion_main!(benches);
