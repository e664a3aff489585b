//! Whole results as bits, for laws that promise the same ones.

use super::report::Report;
use catchment::{Batch, Column, Engine, Event, Flow, Plan, TraceBatch};
use std::collections::BTreeMap;

/// One restart: value, gradient norm, start value, then the point, each by its bits; status and steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    pub numbers: Vec<u64>,
    pub status: u8,
    pub steps: u32,
}

/// Restarts by configuration and number.
pub type Restarts = BTreeMap<(usize, u64), Restart>;

/// Points by configuration, restart and step.
pub type Traces = BTreeMap<(usize, u64, u64), Vec<f64>>;

fn bits(column: &Column, i: usize) -> u64 {
    match column {
        Column::F32(v) => u64::from(v[i].to_bits()),
        Column::F64(v) => v[i].to_bits(),
    }
}

/// Adds a batch's restarts.
pub fn gather(all: &mut Restarts, batch: &Batch) {
    let len = batch.len();
    for r in 0..len {
        let mut numbers = vec![bits(&batch.value, r), bits(&batch.gradient_norm, r), bits(&batch.start_value, r)];
        numbers.extend((0..batch.dim).map(|i| bits(&batch.x, i * len + r)));
        let restart = Restart { numbers, status: batch.status[r] as u8, steps: batch.steps[r] };
        let twice = all.insert((batch.configuration, batch.first + r as u64), restart);
        assert!(twice.is_none(), "restart {} came twice", batch.first + r as u64);
    }
}

/// Runs a plan.
pub fn restarts(engine: &Engine, plan: &Plan) -> Restarts {
    let mut all = Restarts::new();
    for batch in engine.collect(plan).expect("runs").1 {
        gather(&mut all, &batch);
    }
    all
}

fn gather_trace(all: &mut Traces, trace: &TraceBatch) {
    let len = trace.restarts.len();
    for (r, &restart) in trace.restarts.iter().enumerate() {
        let point = (0..trace.x.len() / len).map(|i| trace.x.at(i * len + r)).collect();
        all.insert((trace.configuration, restart, trace.step), point);
    }
}

/// Runs a plan and keeps its trace too.
pub fn traced(engine: &Engine, plan: &Plan) -> (Restarts, Traces) {
    let (mut all, mut traces) = (Restarts::new(), Traces::new());
    engine
        .stream(plan, |event| {
            match event {
                Event::Batch(batch) => gather(&mut all, batch),
                Event::Trace(trace) => gather_trace(&mut traces, trace),
                Event::Progress(_) => {}
            }
            Flow::Continue
        })
        .expect("runs");
    (all, traces)
}

/// The point of a restart.
pub fn point(restart: &Restart, single: bool) -> Vec<f64> {
    let number = |&b: &u64| if single { f64::from(f32::from_bits(b as u32)) } else { f64::from_bits(b) };
    restart.numbers[3..].iter().map(number).collect()
}

/// Requires that two results are the same, bit for bit.
pub fn same(report: &mut Report, row: &str, seed: u64, a: &Restarts, b: &Restarts) {
    let differs = a.iter().find(|(key, restart)| b.get(key) != Some(restart));
    report.require(a.len() == b.len() && differs.is_none(), || match differs {
        Some((key, restart)) => format!(
            "{row}: configuration {} restart {} (seed {seed}) is\n  {restart:?}\n  {:?}",
            key.0,
            key.1,
            b.get(key)
        ),
        None => format!("{row}: {} restarts, not {} (seed {seed})", b.len(), a.len()),
    });
}
