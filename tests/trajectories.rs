//! Descents of other systems, PyTorch and optax (tests/data/README.md), step by step: every case, on every engine.

mod support;

use catchment::random::{Points, Starts};
use catchment::{Plan, Precision, Surface, Trace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use support::bits::{Traces, traced};
use support::oracle::{Trajectory, trajectories};
use support::report::Report;
use support::{Backend, engines};

/// The oracle's surfaces as ours.
const SURFACES: &[(&str, &str)] = &[
    ("rosenbrock2", "rosenbrock"),
    ("rosenbrock10", "rosenbrock"),
    ("rastrigin5", "rastrigin"),
    ("himmelblau", "himmelblau"),
    ("xcospix", "xcospix"),
    ("monkey", "monkey_saddle"),
    ("xsq", "xsq"),
];

/// The framework's optimizer and arguments as a chain of ours.
fn chain(case: &Trajectory) -> String {
    let hyper = |name: &str| case.hyper[name].as_f64().unwrap_or_else(|| panic!("{}: no number `{name}`", case.id));
    let pair = |name: &str, k: usize| case.hyper[name][k].as_f64().expect("a pair");
    let is = |name: &str| case.hyper[name] == Value::Bool(true);
    let betas = || format!("beta1={}, beta2={}", pair("betas", 0), pair("betas", 1));
    let adam = |name: &str| format!("{name}(lr={}, {}, eps={})", hyper("lr"), betas(), hyper("eps"));
    let decayed = |rule: String| match case.hyper["weight_decay"].as_f64() {
        Some(lambda) if lambda > 0.0 => format!("weight_decay(lambda={lambda}) | {rule}"),
        _ => rule,
    };
    let file = |name: &str, arguments: String| format!("tests/data/optimizers/{name}.opt({arguments})");
    let rate = || format!("lr={}", hyper("learning_rate"));
    let moments = || format!("{}, beta1={}, beta2={}", rate(), hyper("b1"), hyper("b2"));
    match (case.framework.as_str(), case.optimizer.as_str()) {
        ("torch", "sgd") if hyper("momentum") == 0.0 => decayed(format!("sgd(lr={})", hyper("lr"))),
        ("torch", "sgd") if is("nesterov") => {
            decayed(format!("nesterov(lr={}, beta={})", hyper("lr"), hyper("momentum")))
        }
        ("torch", "sgd") => {
            let (lr, beta, dampening) = (hyper("lr"), hyper("momentum"), hyper("dampening"));
            decayed(format!("momentum(lr={lr}, beta={beta}, dampening={dampening})"))
        }
        ("torch", "adagrad") => {
            let (lr, decay, initial) = (hyper("lr"), hyper("lr_decay"), hyper("initial_accumulator_value"));
            format!("adagrad(lr={lr}, lr_decay={decay}, initial={initial}, eps={})", hyper("eps"))
        }
        ("torch", "rmsprop") => {
            let name = if is("centered") { "rmsprop_centered" } else { "rmsprop" };
            let (lr, alpha, eps, beta) = (hyper("lr"), hyper("alpha"), hyper("eps"), hyper("momentum"));
            format!("{name}(lr={lr}, alpha={alpha}, eps={eps}, beta={beta})")
        }
        ("torch", "adam") if is("amsgrad") => adam("amsgrad"),
        ("torch", "adam") => decayed(adam("adam")),
        ("torch", "adamw") => {
            let decay = format!(
                "lr={}, {}, eps={}, weight_decay={}",
                hyper("lr"),
                betas(),
                hyper("eps"),
                hyper("weight_decay")
            );
            if is("amsgrad") { file("adamw_amsgrad", decay) } else { format!("adamw({decay})") }
        }
        ("torch", "adamax" | "radam") => adam(&case.optimizer),
        ("torch", "nadam") => {
            let (lr, eps, decay) = (hyper("lr"), hyper("eps"), hyper("momentum_decay"));
            format!("nadam(lr={lr}, {}, eps={eps}, momentum_decay={decay})", betas())
        }
        ("torch", "adadelta") => format!("adadelta(lr={}, rho={}, eps={})", hyper("lr"), hyper("rho"), hyper("eps")),
        ("torch", "rprop") => {
            let (minus, plus) = (pair("etas", 0), pair("etas", 1));
            let (least, most) = (pair("step_sizes", 0), pair("step_sizes", 1));
            format!("rprop(lr={}, eta_minus={minus}, eta_plus={plus}, step_min={least}, step_max={most})", hyper("lr"))
        }
        ("optax", "lion") => format!("lion({}, weight_decay={})", moments(), hyper("weight_decay")),
        // optax adds epsilon inside the square root, which is a larger initial sum.
        ("optax", "adagrad") => {
            let (initial, eps) = (hyper("initial_accumulator_value"), hyper("eps"));
            format!("adagrad({}, initial={initial} + {eps}, eps=0)", rate())
        }
        ("optax", "rmsprop") if is("nesterov") => file(
            "optax_rmsprop_nesterov",
            format!("{}, decay={}, eps={}, momentum={}", rate(), hyper("decay"), hyper("eps"), hyper("momentum")),
        ),
        ("optax", "rmsprop") => {
            file("optax_rmsprop", format!("{}, decay={}, eps={}", rate(), hyper("decay"), hyper("eps")))
        }
        ("optax", "adabelief") => {
            format!("adabelief({}, eps={}, eps_root={})", moments(), hyper("eps"), hyper("eps_root"))
        }
        ("optax", "yogi") => format!("yogi({}, eps={})", moments(), hyper("eps")),
        other => panic!("{}: no chain for {other:?}", case.id),
    }
}

/// Cases on one surface, all run as one plan: every chain from every start.
struct Group {
    surface: Surface,
    cases: Vec<Trajectory>,
}

fn groups() -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for case in trajectories() {
        let name = SURFACES.iter().find(|s| s.0 == case.surface).expect("a surface").1;
        let surface = || Surface::named(name, Some(case.dim)).expect("a catalog surface");
        let group =
            groups.entry(case.surface.clone()).or_insert_with(|| Group { surface: surface(), cases: Vec::new() });
        group.cases.push(case);
    }
    groups.into_values().collect()
}

/// The trace of a group at `steps`, and each case's configuration and restart in it.
fn run(backend: &Backend, group: &Group, precision: Precision, steps: Vec<u64>) -> (Traces, Vec<(usize, u64)>) {
    let (mut chains, mut starts): (Vec<String>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
    fn place<T: PartialEq>(all: &mut Vec<T>, item: T) -> usize {
        all.iter().position(|i| *i == item).unwrap_or_else(|| {
            all.push(item);
            all.len() - 1
        })
    }
    let places: Vec<(usize, u64)> = group
        .cases
        .iter()
        .map(|case| (place(&mut chains, chain(case)), place(&mut starts, case.start.clone()) as u64))
        .collect();
    let restarts = starts.len() as u64;
    let points = Points::new(group.surface.dim() as usize, starts.concat()).expect("points");
    let last = steps.last().copied().expect("a step");
    let plan = Plan::new(group.surface.clone()).precision(precision).starts(Starts::Points(Arc::new(points)));
    let plan = plan.restarts(restarts).steps(last).trace(Trace { steps, restarts });
    let plan = chains.iter().fold(plan, |plan, chain| plan.optimizer(chain)).resolve().expect("a plan");
    assert_eq!(plan.configurations().len(), chains.len(), "no chain is a grid");
    (traced(&backend.engine, &plan).1, places)
}

/// `max |x - x'| / max(1, |x'|)`
fn distance(x: &[f64], truth: &[f64]) -> f64 {
    x.iter().zip(truth).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f64::max)
}

#[test]
fn descents_follow_the_frameworks() {
    for backend in engines() {
        for &precision in backend.precisions() {
            let mut report = Report::new("trajectories");
            let mut cases = 0;
            for group in groups() {
                let (traces, places) = run(&backend, &group, precision, vec![1, 2, 3, 5, 10, 50, 100, 500]);
                for (case, (configuration, restart)) in group.cases.iter().zip(places) {
                    cases += 1;
                    for record in &case.records {
                        let tolerance = match precision {
                            Precision::F64 => record.tolerance64,
                            Precision::F32 => record.tolerance32,
                        };
                        let Some(tolerance) = tolerance else {
                            report.skip();
                            continue;
                        };
                        let x = traces.get(&(configuration, restart, record.step));
                        let off = x.map_or(f64::INFINITY, |x| distance(x, &record.x));
                        report.require(off <= tolerance, || {
                            let row = format!("{} {} {}", backend.name, precision.name(), case.id);
                            let chain = chain(case);
                            format!(
                                "{row} t={}: {x:?}, not {:?} (off by {off:e}, bound {tolerance:e}; {chain})",
                                record.step, record.x
                            )
                        });
                    }
                }
            }
            println!("{} {}: {cases} cases", backend.name, precision.name());
            assert_eq!(cases, 212);
            let expected = if precision == Precision::F64 { (1665, 17) } else { (1651, 31) };
            let counts = (report.checked, report.skipped);
            report.finish(1600);
            assert_eq!(counts, expected);
        }
    }
}

#[test]
fn blow_ups_happen_when_the_frameworks_do() {
    let mut report = Report::new("blow-ups");
    for backend in engines() {
        for &precision in backend.precisions() {
            for mut group in groups() {
                group.cases.retain(|case| case.blowup.is_some());
                let Some(last) = group.cases.iter().filter_map(|case| case.blowup).max() else { continue };
                let around = |b: u64| b.saturating_sub(2).max(1)..=b + 1;
                let mut steps: Vec<u64> = group.cases.iter().filter_map(|case| case.blowup).flat_map(around).collect();
                steps.sort_unstable();
                steps.dedup();
                assert!(steps.contains(&last));
                let (traces, places) = run(&backend, &group, precision, steps);
                for (case, (configuration, restart)) in group.cases.iter().zip(places) {
                    let blowup = case.blowup.expect("a blow-up");
                    // A restart that has stopped is in no trace: it blew up.
                    let large = |t: u64| {
                        let x = traces.get(&(configuration, restart, t));
                        x.is_none_or(|x| !x.iter().all(|v| v.abs() <= 1e6))
                    };
                    let before = blowup > 1 && large(blowup - 1);
                    report.require(large(blowup) && !before, || {
                        let row = format!("{} {} {}", backend.name, precision.name(), case.id);
                        format!(
                            "{row}: blows up elsewhere than at step {blowup}: before {before}, then {}",
                            large(blowup)
                        )
                    });
                }
            }
        }
    }
    report.finish(12);
}
