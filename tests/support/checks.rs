//! The checks: each compares one thing with another that was made apart from it, and reports. Laws loop over them;
//! sabotage requires that they report.

use super::bounds::{Rounded, Running, bounded, element};
use super::catalog::label;
use super::interpreter::{Lane, interpret};
use super::oracle::Classic;
use super::report::{Place, Report, What};
use catchment::graph::{Bounded, Dual, Graph, Inputs, NodeId, Scalar, evaluate};
use catchment::kernel::{Array, Kernel, Outputs};
use catchment::step::Evaluation;
use catchment::{Engine, Precision, Surface};

fn norm(gradient: &[f64]) -> f64 {
    gradient.iter().map(|g| g * g).sum::<f64>().sqrt()
}

/// A surface's value alone, by the reference evaluator.
pub fn value(surface: &Surface, x: &[f64]) -> f64 {
    evaluate(surface.graph(), &[surface.value_node()], &Inputs { x, ..Inputs::default() })[0][0]
}

/// A surface against the oracle, by the reference evaluator and by an engine in `f64`.
pub fn oracle(report: &mut Report, engine: &Engine, surface: &Surface, case: &Classic) {
    let flat: Vec<f64> = case.points.iter().flat_map(|p| p.x.clone()).collect();
    let got = engine.evaluate(surface, &flat, Precision::F64).expect("evaluates");
    let n = case.dim as usize;
    for (i, point) in case.points.iter().enumerate() {
        let reference = surface.evaluate(&point.x);
        let engine = (got.value[i], got.gradient[i * n..][..n].to_vec());
        for (who, (value, gradient)) in [("engine", engine), ("reference", reference)] {
            let row = format!("{} {who}", label(surface));
            let place = |what| Place { row: &row, what, point: &point.x, seed: 0 };
            // Values near zero come from cancellation of terms of the size of the gradient times the point.
            let scale = point.gradient.iter().flatten().zip(&point.x).map(|(g, x)| (g * x).abs()).sum::<f64>();
            report.compare(&place(What::Value), value, point.value, 1e-12 * (point.value.abs() + scale.max(1e-3)));
            let Some(expected) = &point.gradient else { continue };
            let bound = 1e-11 * (norm(expected) + 1e-3);
            for (k, (&g, &e)) in gradient.iter().zip(expected).enumerate() {
                report.compare(&place(What::Gradient(k)), g, e, bound);
            }
        }
    }
}

/// An engine's values and gradients against another surface's formula, within the running error bound: in `f32` the
/// bound of the simplified graph, in `f64` that of the formula as written.
#[expect(clippy::too_many_arguments, reason = "what identifies a point belongs together")]
pub fn values(
    report: &mut Report,
    engine: &Engine,
    row: &str,
    surface: &Surface,
    truth: &Surface,
    points: &[Vec<f64>],
    precision: Precision,
    seed: u64,
) {
    values_within(report, engine, row, surface, truth, points, precision, seed, 1.0);
}

/// As [`values`], with so many times the bound.
#[allow(clippy::too_many_arguments, reason = "as above")]
pub fn values_within(
    report: &mut Report,
    engine: &Engine,
    row: &str,
    surface: &Surface,
    truth: &Surface,
    points: &[Vec<f64>],
    precision: Precision,
    seed: u64,
    times: f64,
) {
    let got = engine.evaluate(surface, &points.concat(), precision).expect("evaluates");
    let evaluation = Evaluation::new(truth);
    let n = truth.dim() as usize;
    for (p, x) in points.iter().enumerate() {
        let (value, gradient) = match precision {
            Precision::F32 => with_errors::<Bounded>(&evaluation.graph, evaluation.value, evaluation.gradient, x),
            Precision::F64 => with_errors::<Rounded>(truth.graph(), truth.value_node(), truth.gradient_node(), x),
        };
        // Where the formula has no value, its gradient is nothing to hold anyone to.
        if !self::value(truth, x).is_finite() {
            report.skip();
            continue;
        }
        let place = |what| Place { row, what, point: x, seed };
        let mut compare =
            |what, got: f64, (expected, bound): (f64, f64)| report.compare(&place(what), got, expected, times * bound);
        compare(What::Value, got.value[p], value);
        for i in 0..n {
            compare(What::Gradient(i), got.gradient[p * n + i], element(&gradient, i));
        }
    }
}

/// Value and gradient, each number with its bound.
fn with_errors<S: Running>(graph: &Graph, value: NodeId, gradient: NodeId, x: &[f64]) -> ((f64, f64), Vec<(f64, f64)>) {
    let roots = bounded::<S>(graph, &[value, gradient], x);
    let pair = |s: &S| (s.value(), s.error());
    (pair(&roots[0][0]), roots[1].iter().map(pair).collect())
}

/// The simplified graph against the formula as written, in `f64`.
pub fn simplified(report: &mut Report, surface: &Surface, evaluation: &Evaluation, x: &[f64], seed: u64) {
    let row = label(surface);
    let (value, gradient) = with_errors::<Rounded>(surface.graph(), surface.value_node(), surface.gradient_node(), x);
    let (new_value, new_gradient) = with_errors::<Rounded>(&evaluation.graph, evaluation.value, evaluation.gradient, x);
    let place = |what| Place { row: &row, what, point: x, seed };
    if !value.0.is_finite() {
        return report.skip();
    }
    let mut compare = |what: What, a: (f64, f64), b: (f64, f64)| report.compare(&place(what), b.0, a.0, a.1 + b.1);
    compare(What::Value, value, new_value);
    for i in 0..x.len() {
        compare(What::Gradient(i), element(&gradient, i), element(&new_gradient, i));
    }
}

/// The gradient against forward-mode derivatives of the value of `truth`, in `f64`.
pub fn dual(report: &mut Report, surface: &Surface, truth: &Surface, x: &[f64], seed: u64) {
    let row = label(surface);
    let gradient = bounded::<Rounded>(surface.graph(), &[surface.gradient_node()], x).swap_remove(0);
    let n = x.len();
    // All coordinates of a short point; of a long one both ends and a stride between.
    for i in (0..n).filter(|&i| n <= 10 || i < 2 || i + 2 >= n || i % 17 == 0) {
        let seeded: Vec<Dual> =
            x.iter().enumerate().map(|(j, &value)| Dual { value, slope: f64::from(u8::from(i == j)) }).collect();
        let inputs = Inputs { x: &seeded, ..Inputs::default() };
        let slope = evaluate(truth.graph(), &[truth.value_node()], &inputs)[0][0].slope;
        let b = element(&gradient, i);
        // Forward mode rounds in another order: the bound of one is doubled for both.
        let place = Place { row: &row, what: What::Gradient(i), point: x, seed };
        report.compare(&place, b.value(), slope, 2.0 * b.error());
    }
}

/// The gradient against central differences of the value of `truth`, where these settle.
pub fn differences(report: &mut Report, surface: &Surface, truth: &Surface, x: &[f64], seed: u64) {
    let row = label(surface);
    let (_, gradient) = surface.evaluate(x);
    let scale = norm(&gradient);
    let n = x.len();
    for i in (0..n).filter(|&i| n <= 10 || i < 2 || i + 2 >= n || i % 17 == 0) {
        let along = |h: f64| {
            let mut y = x.to_vec();
            y[i] += h;
            value(truth, &y)
        };
        let width = surface.domain().hi[i] - surface.domain().lo[i];
        let (slope, error) = ridders(along, 1e-3 * width);
        // A difference that has not settled to 6 digits says nothing.
        if !(error <= 1e-6 * scale) {
            report.skip();
            continue;
        }
        let place = Place { row: &row, what: What::Gradient(i), point: x, seed };
        report.compare(&place, gradient[i], slope, 10.0 * error + 1e-6 * scale);
    }
}

/// The derivative of `f` at 0 from central differences, extrapolated to step 0, and an estimate of its error (Ridders,
/// "Accurate computation of F'(x) and F'(x)F''(x)", 1982).
pub fn ridders(f: impl Fn(f64) -> f64, mut h: f64) -> (f64, f64) {
    const SHRINK: f64 = 1.4;
    const ROWS: usize = 20;
    let (mut best, mut error) = (f64::NAN, f64::INFINITY);
    let mut last: Vec<f64> = Vec::new();
    for _ in 0..ROWS {
        let mut row = vec![(f(h) - f(-h)) / (2.0 * h)];
        let mut factor = SHRINK * SHRINK;
        for (j, &above) in last.iter().enumerate() {
            let next = (row[j] * factor - above) / (factor - 1.0);
            let estimate = (next - row[j]).abs().max((next - above).abs());
            if estimate <= error {
                (best, error) = (next, estimate);
            }
            row.push(next);
            factor *= SHRINK * SHRINK;
        }
        last = row;
        h /= SHRINK;
    }
    (best, error)
}

/// A known minimum has its value, no gradient where it is smooth and inside the domain, and nothing of `samples` below it.
pub fn minimum(report: &mut Report, surface: &Surface, samples: &[Vec<f64>], seed: u64) {
    let row = label(surface);
    for known in surface.minima() {
        let x = &known.x;
        let slack = 1e-10 * (1.0 + known.value.abs());
        let place = |what| Place { row: &row, what, point: x, seed };
        let (value, gradient) = surface.evaluate(x);
        report.compare(&place(What::Value), value, known.value, slack);
        for sample in samples {
            let below = self::value(surface, sample);
            report.require(!(below < known.value - slack), || {
                format!("{row}: {below} at {sample:?} is below the minimum {} (seed {seed})", known.value)
            });
        }
        for i in 0..x.len() {
            let (lo, hi) = (surface.domain().lo[i], surface.domain().hi[i]);
            let width = hi - lo;
            let inside = x[i] - lo > 1e-6 * width && hi - x[i] > 1e-6 * width;
            let moved = |h: f64| {
                let mut y = x.clone();
                y[i] += h;
                y
            };
            let one_sided = |h: f64| (self::value(surface, &moved(h)) - value) / h;
            // Slopes from both sides come together as the step shrinks; at a kink they do not.
            let jump = |h: f64| (one_sided(h) - one_sided(-h)).abs();
            let h = 1e-3 * width;
            if !inside || jump(h / 16.0) > 0.25 * jump(h) {
                report.skip();
                continue;
            }
            let nearby = norm(&surface.evaluate(&moved(h)).1);
            report.compare(&place(What::Gradient(i)), gradient[i], 0.0, 1e-8 * nearby);
        }
    }
}

/// A kernel against the reference evaluator of the graph that it was lowered from, in `f64` on one lane.
pub fn kernel(
    report: &mut Report,
    row: &str,
    kernel: &Kernel,
    graph: &Graph,
    outputs: &Outputs,
    lane: &Lane<Rounded>,
    seed: u64,
) {
    let plain = |v: &[Rounded]| v.iter().map(|r| r.value()).collect::<Vec<f64>>();
    let all = |v: &[Vec<Rounded>]| v.iter().map(|v| plain(v)).collect::<Vec<_>>();
    let number = Lane {
        x: plain(&lane.x),
        states: all(&lane.states),
        host: plain(&lane.host),
        hyper: plain(&lane.hyper),
        draws: all(&lane.draws),
        data: plain(&lane.data),
        picks: lane.picks.clone(),
        columns: lane.columns,
    };
    let left = interpret(kernel, &number);
    let roots: Vec<_> = outputs.arrays.iter().map(|a| a.1).chain(outputs.scalars.iter().copied()).collect();
    // A graph over a batch has the batch's rows for its table.
    let picked: Vec<Rounded> =
        lane.picks.iter().flat_map(|&row| lane.data[row * lane.columns..][..lane.columns].iter().copied()).collect();
    let inputs = Inputs {
        x: &lane.x,
        states: &lane.states,
        hyper: &lane.hyper,
        host: &lane.host,
        draws: &lane.draws,
        data: if lane.picks.is_empty() { &lane.data } else { &picked },
        columns: lane.columns,
        ..Inputs::default()
    };
    let expected = evaluate(graph, &roots, &inputs);
    let mut compare = |what: What, got: f64, expected: Rounded| {
        let place = Place { row, what, point: &number.x, seed };
        report.compare(&place, got, expected.value(), expected.error());
    };
    for ((array, _), values) in outputs.arrays.iter().zip(&expected) {
        let got = &left.arrays[array];
        for (i, &g) in got.iter().enumerate() {
            compare(What::Element(*array, i), g, element(values, i));
        }
    }
    for (k, (&got, values)) in left.scalars.iter().zip(&expected[outputs.arrays.len()..]).enumerate() {
        compare(What::Scalar(k), got, values[0]);
    }
    report.require(left.arrays[&Array::X] == number.x, || format!("{row}: the kernel wrote to its own parameters"));
}

/// Second derivatives against central differences of the gradient, where these settle.
pub fn hessian(report: &mut Report, surface: &Surface, x: &[f64], seed: u64) {
    let row = label(surface);
    let n = x.len();
    let hessian = surface.hessian(x);
    let scale = norm(&hessian);
    for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
        let along = |h: f64| {
            let mut y = x.to_vec();
            y[j] += h;
            surface.evaluate(&y).1[i]
        };
        let (slope, error) = ridders(along, 1e-3 * (surface.domain().hi[j] - surface.domain().lo[j]));
        if !(error <= 1e-6 * scale) {
            report.skip();
            continue;
        }
        let place = Place { row: &row, what: What::Element(Array::Scratch(i as u32), j), point: x, seed };
        report.compare(&place, hessian[i * n + j], slope, 10.0 * error + 1e-6 * scale);
    }
}
