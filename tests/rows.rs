//! Surfaces over the rows of a table: every evaluator, lowering and engine against the reference.

mod support;

use catchment::fit::Recognised;
use catchment::graph::{Bounded, Graph, Inputs, NodeId, Scalar, evaluate};
use catchment::{Engine, Error, Event, Flow, Given, Minibatch, Plan, Precision, Rows, Surface, SurfaceText};
use std::sync::Arc;
use support::{bounds::element, engines};

/// Surfaces over tables of the columns that they declare.
const SURFACES: &[(&str, &str)] = &[
    ("decay", "a in [0, 10];  k in [1e-2, 10] log;  c in [0, 1]\ndata t, y\n\nmean_rows((a*exp(-k*t) + c - y)^2)\n"),
    (
        "spread",
        "m in [-1, 1]\ndata y\n\nmu = mean_rows(y)\nsum_rows((y - mu - m)^4)/100 + sum_rows(abs(y - m)) + m^2\n",
    ),
    (
        "perceptron",
        "W[5, 2] in [-1, 1];  b[5] in [-1, 1];  v[5] in [-1, 1];  c in [-1, 1]\ndata u[2], y\n\n\
         p = v @ tanh(W @ u + b) + c\nmean_rows(log(1 + exp(-y*p)))\n",
    ),
    (
        "deep",
        "A[4, 3] in [-1, 1]; a[4] in [-1, 1]; B[3, 4] in [-1, 1]; C[2, 3] in [-1, 1]\ndata u[3], y[2]\n\n\
         h = sigmoid(A @ u + a)\nk = relu(B @ h)\nmean_rows(sum((C @ k - y)^2)) + 0.01*sum(A^2)\n",
    ),
    (
        "products",
        "x[6] in [-1, 1]\ndata u[3]\n\nsum_rows((u @ x[:3])^2 * x[3]) + norm(x) + sum_rows(u[1]*x[4] + max(u))\n",
    ),
    (
        "left",
        "W[3, 2] in [-1, 1]\ndata u[3]\n\nq = u @ W\nmean_rows(q[0]^2 + q[1] + sum(transpose(W) @ u) + sum(W @ transpose(W)))\n",
    ),
];

/// A table of numbers that f32 holds, between -1 and 1.
fn table(rows: usize, columns: usize) -> Rows {
    let number = |i: usize| {
        let word = (i as u32 + 7).wrapping_mul(0x9e37_79b9);
        f64::from(((word ^ (word >> 15)).wrapping_mul(0x85eb_ca6b) >> 8) as f32 / 8_388_608.0 - 1.0)
    };
    let all: Vec<Vec<f64>> = (0..columns).map(|c| (0..rows).map(|r| number(r * columns + c)).collect()).collect();
    Rows::from_columns(&all.iter().map(|c| &c[..]).collect::<Vec<_>>()).unwrap()
}

fn surface(name: &str, text: &str, rows: usize) -> Surface {
    let text = SurfaceText::parse(name, name, text).unwrap();
    let columns: u32 = text.data().unwrap().iter().map(|d| d.1.unwrap_or(1)).sum();
    let given = Given { rows: Some(Arc::new(table(rows, columns as usize))), ..Given::default() };
    text.with(given).at(None).unwrap()
}

/// A few points of a surface's domain, in f32.
fn points(surface: &Surface, count: usize) -> Vec<f64> {
    let domain = surface.domain();
    let one = |k: usize, i: usize| {
        let word = ((k * 31 + i + 1) as u32).wrapping_mul(0x9e37_79b9);
        let unit = f64::from(word ^ (word >> 13)) / 4_294_967_296.0;
        f64::from((domain.lo[i] + unit * (domain.hi[i] - domain.lo[i])) as f32)
    };
    (0..count).flat_map(|k| (0..domain.dim()).map(move |i| (k, i))).map(|(k, i)| one(k, i)).collect()
}

fn reference<S: Scalar>(surface: &Surface, graph: &Graph, roots: &[NodeId], x: &[f64]) -> Vec<Vec<S>> {
    let rows = surface.table().unwrap();
    let list = |v: &[f64]| v.iter().map(|&v| S::constant(v)).collect::<Vec<S>>();
    let (x, data) = (list(x), list(&rows.values));
    evaluate(graph, roots, &Inputs { x: &x, data: &data, columns: rows.columns as usize, ..Inputs::default() })
}

#[test]
fn gradients_agree_with_differences() {
    for &(name, text) in SURFACES {
        let surface = surface(name, text, 9);
        for x in points(&surface, 3).chunks(surface.dim() as usize) {
            let (_, gradient) = surface.evaluate(x);
            for i in 0..x.len() {
                let value = |h: f64| {
                    let mut x = x.to_vec();
                    x[i] += h;
                    surface.evaluate(&x).0
                };
                let central = |h: f64| (value(h) - value(-h)) / (2.0 * h);
                let difference = (4.0 * central(5e-5) - central(1e-4)) / 3.0;
                let bound = 1e-7 * (1.0 + gradient[i].abs());
                assert!((gradient[i] - difference).abs() < bound, "{name} {i}: {} {difference}", gradient[i]);
            }
        }
    }
}

#[test]
fn engines_agree_with_the_reference() {
    for engine in engines() {
        for &(name, text) in SURFACES {
            for rows in [1, 2, 7, 1024, 1025, 3000] {
                let surface = surface(name, text, rows);
                let all = points(&surface, 3);
                for &precision in engine.precisions() {
                    let got = engine.engine.evaluate(&surface, &all, precision).unwrap();
                    for (p, x) in all.chunks(surface.dim() as usize).enumerate() {
                        let roots = [surface.value_node(), surface.gradient_node()];
                        let want: Vec<Vec<Bounded>> = reference(&surface, surface.graph(), &roots, x);
                        let shrink = if precision == Precision::F64 { 2f64.powi(-29) } else { 1.0 };
                        let check = |what: &str, got: f64, want: Bounded| {
                            let bound = want.error * shrink + 1e-13 * want.value.abs();
                            let error = (got - want.value).abs();
                            let place = format!("{} {name} {rows} rows {precision:?} point {p} {what}", engine.name);
                            assert!(error <= bound, "{place}: {got} for {} ± {bound}", want.value);
                        };
                        check("value", got.value[p], want[0][0]);
                        for i in 0..x.len() {
                            check(&format!("slope {i}"), got.gradient[p * x.len() + i], element(&want[1], i));
                        }
                    }
                }
            }
        }
    }
}

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
    let text = SurfaceText::parse("decay", "decay", SURFACES[0].1).unwrap();
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
