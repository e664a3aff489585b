//! The alarm must ring: a model whose slopes are wrong does not pass what a right one passes.

use super::*;
use crate::engine::Engine;
use crate::graph::Unary;

/// Whether noiseless decays are found again, all of them, in the usual number of iterations.
fn passes(residuals: &Residuals, engine: &Engine) -> bool {
    let t: Vec<f32> = (0..20).map(|k| 0.2 * k as f32).collect();
    let truth: Vec<(f32, f32)> = (0..70).map(|k| (1.0 + 0.02 * k as f32, 0.5 + 0.01 * k as f32)).collect();
    let y: Vec<f32> = truth.iter().flat_map(|x| t.iter().map(|t| x.0 * (-x.1 * t).exp())).collect();
    let starts = vec![1.0; 2 * truth.len()];
    let fit = BatchedFit {
        columns: vec![FitColumn::Shared(&t), FitColumn::Own(&y)],
        settings: BatchedSettings { max_iterations: 12, ..BatchedSettings::default() },
        ..BatchedFit::new(residuals, FitRows::Equal(20), &starts)
    };
    let outcome = run_batched(&fit, engine).expect("runs");
    let found = |k: usize| {
        let x = outcome.fit(k);
        (x[0] - truth[k].0).abs() < 1e-4 && (x[1] - truth[k].1).abs() < 1e-4
    };
    outcome.count(BatchedStatus::Converged) == truth.len() && (0..truth.len()).all(found)
}

fn decay() -> Residuals {
    let names = |list: [&str; 2]| list.map(str::to_owned);
    Residuals::parse("a * exp(-c * t)", "y", &names(["a", "c"]), &names(["t", "y"])).expect("a model")
}

#[test]
fn wrong_slopes_are_noticed() {
    let engine = Engine::cpu();
    assert!(passes(&decay(), &engine));
    let mut dropped = decay();
    dropped.slopes[1] = dropped.graph.constant(0.0);
    let mut turned = decay();
    turned.slopes[0] = turned.graph.unary(Unary::Neg, turned.slopes[0]);
    let mut swapped = decay();
    swapped.slopes.swap(0, 1);
    let mut repeated = decay();
    repeated.slopes[1] = repeated.slopes[0];
    for (name, model) in [("dropped", dropped), ("turned", turned), ("swapped", swapped), ("repeated", repeated)] {
        assert!(!passes(&model, &engine), "a slope was {name}, and nothing tells");
    }
}
