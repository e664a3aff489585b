//! Minibatches: which rows a step sees, that their gradients are unbiased, and what noise they leave; sums over many rows;
//! residuals recognised in sums of squares.

mod support;

use catchment::fit::Recognised;
use catchment::{Engine, Error, Event, Flow, Given, Minibatch, Plan, Precision, Rows, Surface, SurfaceText};
use std::sync::Arc;
use support::engines;
use support::tables::{surface, table};

/// A plan's final points, restart-major.
fn ends(engine: &Engine, plan: &Plan) -> Vec<Vec<f64>> {
    let mut out = vec![Vec::new(); plan.restarts() as usize];
    let dim = plan.surface().dim() as usize;
    engine
        .stream(plan, |event| {
            if let Event::Batch(batch) = event {
                for r in 0..batch.len() {
                    let place = (batch.first - plan.first()) as usize + r;
                    out[place] = (0..dim).map(|i| batch.x.at(i * batch.len() + r)).collect();
                }
            }
            Flow::Continue
        })
        .unwrap();
    out
}

/// `k` of row `k`, and a surface whose gradient at every point is the mean of `2^k`: a step of size `rows` with one row adds
/// `2^k`, so that the point tells which rows were seen.
fn counter(rows: usize) -> Surface {
    let powers: Vec<f64> = (0..rows).map(|k| -f64::from(1u32 << k)).collect();
    let text = SurfaceText::parse("counter", "counter", "x in [0, 0]\ndata y\n\nmean_rows(y*x)\n").unwrap();
    let given = Given { rows: Some(Arc::new(Rows::from_columns(&[&powers]).unwrap())), ..Given::default() };
    text.with(given).at(None).unwrap()
}

#[test]
fn an_epoch_without_replacement_visits_each_row_once() {
    for backend in engines() {
        for &precision in backend.precisions() {
            for (rows, batch) in [(16, 1), (16, 4), (12, 4), (16, 16), (1, 1)] {
                let lr = f64::from(batch);
                let plan = |epochs: u64| {
                    Plan::new(counter(rows))
                        .optimizer(format!("sgd(lr={lr})"))
                        .restarts(100)
                        .steps(epochs * rows as u64 / u64::from(batch))
                        .batch(Minibatch { rows: batch, replacement: false })
                        .precision(precision)
                        .resolve()
                        .unwrap()
                };
                for epochs in [1, 2] {
                    let seen = ends(&backend.engine, &plan(epochs));
                    let whole = f64::from((1u32 << rows) - 1) * epochs as f64;
                    assert!(seen.iter().all(|x| x[0] == whole), "{} {precision:?} {rows} by {batch}", backend.name);
                }
            }
        }
    }
}

#[test]
fn every_engine_draws_the_same_rows_and_any_restart_alone() {
    let plan = |replacement, first, restarts, chunk| {
        Plan::new(counter(16))
            .optimizer("sgd(lr=2)")
            .restarts(restarts)
            .first(first)
            .chunk(chunk)
            .steps(3)
            .seed(5)
            .batch(Minibatch { rows: 2, replacement })
            .resolve()
            .unwrap()
    };
    for replacement in [false, true] {
        let want = ends(&Engine::cpu(), &plan(replacement, 0, 300, 300));
        let distinct: std::collections::BTreeSet<u64> = want.iter().map(|x| x[0] as u64).collect();
        assert!(distinct.len() > 200, "restarts draw rows of their own: {} of 300", distinct.len());
        for backend in engines() {
            assert_eq!(want, ends(&backend.engine, &plan(replacement, 0, 300, 77)), "{}", backend.name);
            let alone = ends(&backend.engine, &plan(replacement, 123, 1, 1));
            assert_eq!(want[123], alone[0], "{} restart 123 alone", backend.name);
        }
    }
}

/// Mean and its standard error, coordinate by coordinate.
fn moments(points: &[Vec<f64>]) -> Vec<(f64, f64)> {
    let n = points.len() as f64;
    (0..points[0].len())
        .map(|i| {
            let mean = points.iter().map(|p| p[i]).sum::<f64>() / n;
            let variance = points.iter().map(|p| (p[i] - mean) * (p[i] - mean)).sum::<f64>() / (n - 1.0);
            (mean, (variance / n).sqrt())
        })
        .collect()
}

#[test]
fn minibatch_gradients_are_unbiased() {
    let text = "a in [0.5, 0.5];  k in [0.25, 0.25];  c in [0.125, 0.125]\ndata t, y\n\nmean_rows((a*exp(-k*t) + c - y)^2) + a^2\n";
    let surface = surface("pinned", text, 40);
    let (_, gradient) = surface.evaluate(&[0.5, 0.25, 0.125]);
    for (batch, replacement) in [(1, true), (1, false), (5, true), (5, false), (39, false)] {
        let plan = Plan::new(surface.clone())
            .optimizer("sgd(lr=1)")
            .restarts(1_000_000)
            .steps(1)
            .batch(Minibatch { rows: batch, replacement })
            .resolve()
            .unwrap();
        let after = ends(&Engine::cpu(), &plan);
        let drawn: Vec<Vec<f64>> = after.iter().map(|x| vec![0.5 - x[0], 0.25 - x[1], 0.125 - x[2]]).collect();
        for (i, ((mean, error), want)) in moments(&drawn).into_iter().zip(&gradient).enumerate() {
            let off = (mean - want) / error;
            println!(
                "batch {batch} replacement {replacement} slope {i}: {mean:.6} for {want:.6}, {off:.2} standard errors"
            );
            assert!(error > 0.0 && off.abs() < 4.0, "batch {batch} slope {i}: {mean} ± {error} for {want}");
        }
    }
}

#[test]
fn noisy_descents_settle_with_the_variance_of_theory() {
    // λ/2 (x - y)² over rows of y = -1, 1: a batch of B rows drawn with replacement has gradient noise of s² = λ²/B.
    // Momentum β: variance η s² (1+β) / ((1-β) λ (2(1+β) - ηλ)) (Mandt, Hoffman and Blei 2017 for small η).
    let rows = Arc::new(Rows::from_columns(&[&[-1.0, 1.0]]).unwrap());
    for (lambda, lr, beta, batch) in [(1.0, 0.1, 0.0, 1), (2.0, 0.2, 0.9, 2), (0.5, 0.8, 0.5, 1)] {
        let text = format!("x in [0, 0]\ndata y\n\n{}*mean_rows((x - y)^2)\n", lambda / 2.0);
        let given = Given { rows: Some(rows.clone()), ..Given::default() };
        let surface = SurfaceText::parse("noisy", "noisy", &text).unwrap().with(given).at(None).unwrap();
        let plan = Plan::new(surface)
            .optimizer(format!("momentum(lr={lr}, beta={beta})"))
            .restarts(400_000)
            .steps(200)
            .batch(Minibatch { rows: batch, replacement: true })
            .resolve()
            .unwrap();
        let x = ends(&Engine::cpu(), &plan);
        let n = x.len() as f64;
        let got = x.iter().map(|x| x[0] * x[0]).sum::<f64>() / n;
        let noise = lambda * lambda / f64::from(batch);
        let want = lr * noise * (1.0 + beta) / ((1.0 - beta) * lambda * (2.0 * (1.0 + beta) - lr * lambda));
        println!(
            "λ {lambda} η {lr} β {beta} B {batch}: variance {got:.6} for {want:.6} ({:+.2} %)",
            100.0 * (got / want - 1.0)
        );
        assert!((got / want - 1.0).abs() < 0.01, "{got} for {want}");
    }
}

#[test]
fn sums_over_many_rows_keep_their_digits() {
    let text = "m in [-1, 1]\ndata y\n\nmean_rows((y - m)^2)\n";
    for rows in [1_000, 100_000, 1_500_000] {
        let surface = surface("many", text, rows);
        let x: Vec<f64> = (0..8).map(|k| f64::from(k) / 8.0 - 0.4).map(|v| f64::from(v as f32)).collect();
        let want = Engine::cpu().evaluate(&surface, &x, Precision::F64).unwrap();
        let got = Engine::cpu().evaluate(&surface, &x, Precision::F32).unwrap();
        let worst = got.value.iter().zip(&want.value).map(|(g, w)| ((g - w) / w).abs()).fold(0f64, f64::max);
        println!("{rows} rows: f32 off by {worst:.1e}");
        assert!(worst < 2e-6, "{rows} rows: {worst:e}");
    }
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let plan = |rows| Plan::new(counter(8)).batch(Minibatch { rows, replacement: true }).resolve();
    assert!(matches!(plan(0), Err(Error::BatchSize { batch: 0, rows: 8 })));
    assert!(matches!(plan(9), Err(Error::BatchSize { batch: 9, rows: 8 })));
    let bowl = Surface::named("sphere", Some(2)).unwrap();
    let none = Plan::new(bowl).batch(Minibatch { rows: 1, replacement: true }).resolve();
    assert!(matches!(none, Err(Error::BatchWithoutTable { .. })));
    let text = SurfaceText::parse("decay", "decay", "a in [0, 10]\ndata t, y\n\nmean_rows((a*t - y)^2)\n").unwrap();
    assert!(matches!(text.clone().at(None), Err(Error::TableMissing { names, .. }) if names == ["t", "y"]));
    let narrow = Given { rows: Some(Arc::new(table(3, 1))), ..Given::default() };
    assert!(matches!(text.with(narrow).at(None), Err(Error::TableWidth { expected: 2, found: 1, .. })));
}

#[test]
fn residuals_are_recognised() {
    let text =
        |value: &str| format!("a in [0, 10]; k[2] in [0, 1]\ndata t, y, w\n\nr = a*exp(-k[0]*t) + k[1] - y\n{value}\n");
    for (value, scale) in [("mean_rows(r^2)", 0.2), ("3*sum_rows(r*r)/2", 1.5), ("sum_rows((w + 2)*r^2)", 1.0)] {
        let surface = surface("fit", &text(value), 5);
        let found = Recognised::of(&surface).unwrap_or_else(|| panic!("{value} has residuals"));
        assert!((found.scale - scale).abs() < 1e-15, "{value}: {}", found.scale);
    }
    for value in [
        "mean_rows(r^2) + a^2",
        "mean_rows(r^4)",
        "mean_rows(abs(r))",
        "sum_rows(a*r^2)",
        "sum_rows((r - mean_rows(r))^2)",
    ] {
        assert!(Recognised::of(&surface("fit", &text(value), 5)).is_none(), "{value}");
    }
}
