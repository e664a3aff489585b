//! The same bits: for any thread count, chunk, division into runs, length of run, trace and width of vector instructions.

use crate::support::bits::{Restarts, point, restarts, same, traced};
use crate::support::catalog::{chains, label, points, some_surfaces};
use crate::support::report::Report;
use crate::support::steps::program;
use crate::support::{Backend, engines};
use catchment::random::{Points, Starts};
use catchment::{DeviceChoice, Engine, Plan, PlanBuilder, Precision, Quota, Stopping, Summary, Surface, Trace};
use std::process::Command;
use std::sync::Arc;

const SEED: u64 = 13;

/// Chains of the catalog on `count` surfaces: all of them for the CPU, each on two surfaces; every third for a GPU.
fn rows(backend: &Backend, count: usize) -> Vec<(Surface, Vec<String>)> {
    let count = backend.share(count, count.min(3));
    let dims: &[u32] = if backend.name == "cpu" { &[1, 3, 10, 40] } else { &[1, 3, 10] };
    let surfaces = some_surfaces(dims, count);
    let count = surfaces.len();
    let mut rows: Vec<(Surface, Vec<String>)> = surfaces.into_iter().map(|s| (s, Vec::new())).collect();
    for (i, chain) in chains().into_iter().enumerate() {
        for k in 0..2 {
            if backend.name == "cpu" || (k == 0 && (i + count).is_multiple_of(3)) {
                rows[(2 * i + k) % count].1.push(chain.clone());
            }
        }
    }
    rows.retain(|row| !row.1.is_empty());
    rows
}

fn plan(surface: &Surface, chains: &[String], restarts: u64, steps: u64) -> PlanBuilder {
    let stopping = Stopping { gradient: Some(1e-3), ..Stopping::default() };
    let plan = Plan::new(surface.clone()).restarts(restarts).steps(steps).seed(SEED).stopping(stopping);
    chains.iter().fold(plan, |plan, chain| plan.optimizer(chain))
}

fn cpu() -> Backend {
    Backend { name: "cpu", engine: Engine::cpu() }
}

/// Runs every row as it is and changed, on every engine and in every precision, and requires the same bits.
fn unchanged_by(law: &'static str, count: usize, change: impl Fn(PlanBuilder) -> PlanBuilder) {
    let mut report = Report::new(law);
    for backend in engines() {
        for &precision in backend.precisions() {
            for (surface, chains) in rows(&backend, count) {
                let plan = plan(&surface, &chains, 700, 30).precision(precision);
                let row = format!("{} {} {}", backend.name, precision.name(), label(&surface));
                let a = restarts(&backend.engine, &plan.clone().resolve().expect("a plan"));
                let b = restarts(&backend.engine, &change(plan).resolve().expect("a plan"));
                same(&mut report, &row, SEED, &a, &b);
            }
        }
    }
    report.finish(count);
}

#[test]
fn chunks_change_no_bit() {
    unchanged_by("chunks of 64", 6, |plan| plan.chunk(64));
    unchanged_by("chunks of 333", 6, |plan| plan.chunk(333));
}

#[test]
fn runs_repeat() {
    unchanged_by("the same again", 6, |plan| plan);
}

#[test]
fn a_trace_changes_no_bit() {
    unchanged_by("traced", 6, |plan| plan.trace(Trace { steps: vec![0, 1, 11, 12, 30], restarts: 100 }));
}

#[test]
fn threads_change_no_bit() {
    let mut report = Report::new("threads");
    let of = |threads| Engine::open(&DeviceChoice::Cpu, threads).expect("the CPU");
    for precision in [Precision::F32, Precision::F64] {
        for (surface, chains) in rows(&cpu(), 12) {
            let plan = plan(&surface, &chains, 1500, 20).precision(precision).resolve().expect("a plan");
            let row = format!("{} {}", precision.name(), label(&surface));
            let one = restarts(&of(1), &plan);
            for threads in [2, 5] {
                same(&mut report, &format!("{row} {threads} threads"), SEED, &one, &restarts(&of(threads), &plan));
            }
        }
    }
    report.finish(40);
}

/// Runs a plan in `parts` equal parts by the number of the first restart.
fn in_parts(backend: &Backend, plan: &PlanBuilder, total: u64, parts: u64) -> Restarts {
    let mut all = Restarts::new();
    for part in 0..parts {
        let (first, count) = (part * total / parts, total / parts);
        let plan = plan.clone().first(first).restarts(count).resolve().expect("a plan");
        all.extend(restarts(&backend.engine, &plan));
    }
    all
}

#[test]
fn a_run_is_the_sum_of_its_parts() {
    let mut report = Report::new("1 x 100,000 = 10 x 10,000");
    for backend in engines() {
        for (surface, chains) in rows(&backend, 3) {
            let total = 100_000 / u64::from(surface.dim()).max(1);
            let total = total - total % 10;
            let plan = plan(&surface, &chains[..1], total, 5);
            let whole = restarts(&backend.engine, &plan.clone().resolve().expect("a plan"));
            let row = format!("{} {} {}", backend.name, label(&surface), chains[0]);
            same(&mut report, &row, SEED, &whole, &in_parts(&backend, &plan, total, 10));
        }
    }
    report.finish(3);
}

#[test]
fn far_restarts_run_alone() {
    let mut report = Report::new("one restart of many");
    for backend in engines() {
        for (surface, chains) in rows(&backend, 4) {
            let first = (1 << 40) + 5;
            let plan = plan(&surface, &chains, 50, 10).first(first);
            let many = restarts(&backend.engine, &plan.clone().resolve().expect("a plan"));
            let one = restarts(&backend.engine, &plan.first(first + 31).restarts(1).resolve().expect("a plan"));
            let row = format!("{} {}", backend.name, label(&surface));
            let of_many = many.into_iter().filter(|(key, _)| key.1 == first + 31).collect();
            same(&mut report, &row, SEED, &one, &of_many);
        }
    }
    report.finish(4);
}

#[test]
fn a_short_run_is_the_beginning_of_a_long_one() {
    let mut report = Report::new("prefix");
    for backend in engines() {
        for &precision in backend.precisions() {
            for (surface, chains) in rows(&backend, 6) {
                let plan = plan(&surface, &chains, 200, 40).precision(precision).stopping(Stopping::default());
                let long = plan.clone().trace(Trace { steps: vec![7, 20], restarts: 200 }).resolve().expect("a plan");
                let (_, traces) = traced(&backend.engine, &long);
                for steps in [7, 20] {
                    let short = restarts(&backend.engine, &plan.clone().steps(steps).resolve().expect("a plan"));
                    for ((configuration, restart), end) in short.iter().filter(|(_, r)| r.steps == steps as u32) {
                        let end = point(end, precision == Precision::F32);
                        let seen = traces.get(&(*configuration, *restart, steps));
                        report.require(seen == Some(&end), || {
                            let chain = &long.configurations()[*configuration].text;
                            format!(
                                "{} {} {chain}: restart {restart} ends at {end:?}, not at {seen:?}",
                                backend.name,
                                label(&surface)
                            )
                        });
                    }
                }
            }
        }
    }
    report.finish(10_000);
}

#[test]
fn equal_starts_have_equal_ends() {
    let mut report = Report::new("duplicates");
    for backend in engines() {
        for (surface, chains) in rows(&backend, 6) {
            let dim = surface.dim() as usize;
            let starts: Vec<f64> = points(&surface, 3, SEED).concat();
            let starts = Starts::Points(Arc::new(Points::new(dim, starts).expect("points")));
            let plan = plan(&surface, &chains, 600, 25).starts(starts).resolve().expect("a plan");
            let all = restarts(&backend.engine, &plan);
            for ((configuration, restart), end) in &all {
                // Draws are a restart's own.
                if program(&plan, *configuration).step.sites == 0 {
                    let first = &all[&(*configuration, restart % 3)];
                    report.require(end == first, || format!("{} {}: restart {restart}", backend.name, label(&surface)));
                }
            }
        }
    }
    report.finish(5_000);
}

/// Not a law: the bits of a run as one number, for the child processes of the law below.
#[test]
fn fingerprint() {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for precision in [Precision::F32, Precision::F64] {
        for (surface, chains) in rows(&cpu(), 12) {
            let plan = plan(&surface, &chains, 150, 20).precision(precision).resolve().expect("a plan");
            restarts(&Engine::cpu(), &plan)
                .iter()
                .for_each(|(key, r)| (key, &r.numbers, r.status, r.steps).hash(&mut hasher));
        }
    }
    println!("fingerprint {:016x} {}", hasher.finish(), Engine::cpu().device().driver);
}

#[test]
fn the_width_of_vector_instructions_changes_no_bit() {
    let print = |simd: &str| {
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "bits::fingerprint", "--nocapture"])
            .env("CATCHMENT_SIMD", simd)
            .output()
            .expect("a child process");
        let text = String::from_utf8_lossy(&child.stdout).into_owned();
        let line = text.lines().find(|l| l.starts_with("fingerprint")).expect("a fingerprint").to_owned();
        let words: Vec<&str> = line.split(' ').collect();
        (words[1].to_owned(), words[4..].join(" "))
    };
    let [baseline, avx2, best] = ["baseline", "avx2", ""].map(print);
    println!("{baseline:?} {avx2:?} {best:?}");
    assert_eq!(baseline.0, avx2.0, "{} and {} differ", baseline.1, avx2.1);
    assert_eq!(baseline.0, best.0, "{} and {} differ", baseline.1, best.1);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(baseline.1, "SSE2", "CATCHMENT_SIMD is not read");
    }
}

/// A summary is the same of batches that nobody sees, of those that are given out, and of those added one by one; whatever diverges.
#[test]
fn summaries_need_no_batches() {
    let mut report = Report::new("summaries");
    for backend in engines() {
        for &precision in backend.precisions() {
            for (points, chunk, budget) in [(true, None, None), (false, Some(5000), None), (true, None, Some(400_000))]
            {
                let surface = Surface::named("rosenbrock", Some(2)).expect("a surface");
                let mut plan =
                    Plan::new(surface).optimizer("sgd(lr=[1e-5, 2e-4])").restarts(20_000).steps(60).seed(SEED);
                plan = plan.precision(precision).points(points).quota(Quota { found: None, budget });
                let plan = chunk.map_or(plan.clone(), |chunk| plan.clone().chunk(chunk)).resolve().expect("a plan");
                let row = format!("{} {} points {points} budget {budget:?}", backend.name, precision.name());
                let unseen = backend.engine.run(&plan).expect("runs");
                let (seen, batches) = backend.engine.collect(&plan).expect("runs");
                let mut added = Summary::new(&plan);
                batches.iter().for_each(|batch| added.add(batch));
                let added = added.finish(seen.device.clone(), seen.timing);
                let ended = unseen.configurations[1].status.iter().filter(|&&count| count > 0).count();
                report.require(ended > 1, || format!("{row}: all end alike"));
                for (name, other) in [("given out", &seen), ("added", &added)] {
                    report.require(unseen.configurations == other.configurations, || {
                        format!("{row}: {name} {:?}, not {:?}", other.configurations, unseen.configurations)
                    });
                }
            }
        }
    }
    report.finish(18);
}
