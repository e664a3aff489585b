//! The shader of batched fits: a model's row function inside the hand-written iteration, normal equations written out.

use super::library::{FIT, filled, with_library};
use super::print::{Layout, Printer, literal};
use crate::fit::damping::{FIRST, LEAST, MOST, PIVOT, SINGULAR, SLACK, SMALLEST, triangle};
use crate::fit::{BatchedFit, FitColumn, RowCode};
use std::fmt::Write;

/// The text of the module, and what its buffers need.
#[derive(Clone, Debug)]
pub(super) struct FitShader {
    pub(super) text: String,
    /// Words of a fit in `work`.
    pub(super) work: usize,
    /// Instructions of a row, to tell how long a dispatch may take.
    pub(super) cost: usize,
}

/// Words of a fit in `work`: the trial point, the triangle, and four numbers.
fn work_rows(p: usize) -> usize {
    p + (p + 1) * (p + 2) / 2 + 4
}

/// Prints the module.
pub(super) fn fit_shader(fit: &BatchedFit<'_>, code: &RowCode) -> FitShader {
    let p = code.parameters;
    let (prologue, row, scalars) = Printer::new(&code.kernel, Layout::Straight, false, 0, 0).print_split(code.prologue);
    let own = fit.inputs().filter_map(FitColumn::own).count();
    let sizes = [
        ("FIRST_LAMBDA", literal(FIRST)),
        ("LEAST_LAMBDA", literal(LEAST)),
        ("MOST_LAMBDA", literal(MOST)),
        ("SMALLEST", literal(SMALLEST)),
        ("SINGULAR", literal(SINGULAR)),
        ("PIVOT", literal(PIVOT)),
        ("SLACK", literal(SLACK)),
        ("PARAMETERS", format!("{p}u")),
        ("OWN", format!("{own}u")),
        ("SHARED", format!("{}u", fit.inputs().count() - own)),
    ];
    let mut constants = String::new();
    for (name, value) in sizes {
        let _ = writeln!(constants, "const {name} = {value};");
    }
    let parts = [
        ("load", load(p)),
        ("prologue", cleared(p) + &prologue),
        ("columns", columns(fit, p)),
        ("row", row),
        ("accumulate", accumulated(p, &scalars)),
        ("worst", worst(p)),
        ("accept", accepted(p)),
        ("solve", solve(p)),
        ("pivots", pivots(p)),
        ("store", store(p)),
    ];
    let text = with_library(&(constants + "\n" + &filled(FIT, &parts)));
    let cost = code.kernel.len() + (p + 1) * (p + 2);
    FitShader { text, work: work_rows(p), cost }
}

/// All `(i, j)` with `i <= j`, the residual being number `p`.
fn pairs(p: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..=p).flat_map(move |i| (i..=p).map(move |j| (i, j)))
}

/// The name of an element of the triangle of the accepted point.
fn element(i: usize, j: usize) -> String {
    format!("h{}_{}", i.min(j), i.max(j))
}

fn load(p: usize) -> String {
    let mut text = String::new();
    for i in 0..p {
        let _ = writeln!(text, "var z{i} = points[{i}u * fit.count + lane];");
    }
    for i in 0..p {
        let _ = writeln!(text, "var x{i} = select(work[{i}u * fit.count + lane], z{i}, begins);");
    }
    for (i, j) in pairs(p) {
        let row = p + triangle(p + 1, i, j);
        let _ = writeln!(text, "var h{i}_{j} = work[{row}u * fit.count + lane];");
    }
    let first = work_rows(p) - 4;
    for (k, (name, start)) in
        [("lambda", "FIRST_LAMBDA"), ("nu", "2.0"), ("predicted", "0.0"), ("still", "0.0")].into_iter().enumerate()
    {
        let _ = writeln!(text, "var {name} = select(work[{}u * fit.count + lane], {start}, begins);", first + k);
    }
    text
}

fn cleared(p: usize) -> String {
    pairs(p).fold(String::new(), |mut text, (i, j)| {
        let _ = writeln!(text, "var t{i}_{j} = 0.0;");
        text
    })
}

fn columns(fit: &BatchedFit<'_>, p: usize) -> String {
    let (mut text, mut own, mut shared) = (String::new(), 0, 0);
    for (c, column) in fit.inputs().enumerate() {
        let _ = match column {
            FitColumn::Own(_) => {
                own += 1;
                writeln!(text, "let x{} = own_columns[base + (row * OWN + {}u) * 64u];", p + c, own - 1)
            }
            FitColumn::Shared(_) => {
                shared += 1;
                writeln!(text, "let x{} = shared_columns[row * SHARED + {}u];", p + c, shared - 1)
            }
        };
    }
    text
}

fn accumulated(p: usize, scalars: &[String]) -> String {
    pairs(p).fold(String::new(), |mut text, (i, j)| {
        let _ = writeln!(text, "t{i}_{j} += {} * {};", scalars[i], scalars[j]);
        text
    })
}

/// The largest magnitude among diagonal, gradient and sum of squares: what bounds all others.
fn worst(p: usize) -> String {
    let mut text = format!("let before = h{p}_{p};\nlet now = t{p}_{p};\nvar worst = magnitude(now);\n");
    for i in 0..p {
        let _ = writeln!(text, "worst = max(worst, max(magnitude(t{i}_{i}), magnitude(t{i}_{p})));");
    }
    text
}

fn accepted(p: usize) -> String {
    let mut text = String::new();
    for i in 0..p {
        let _ = writeln!(text, "z{i} = x{i};");
    }
    for (i, j) in pairs(p) {
        let _ = writeln!(text, "h{i}_{j} = t{i}_{j};");
    }
    text
}

/// Cholesky's factor `l` of the scaled matrix with this diagonal, row by row; pivots are given as they were.
fn factor(p: usize, diagonal: &str) -> String {
    let mut text = String::new();
    for i in 0..p {
        let _ = writeln!(text, "let s{i} = column_scale(h{i}_{i}, h{i}_{p}, z{i}, fit.ends[{i}]);");
    }
    for j in 0..p {
        let products = (0..j).fold(String::new(), |text, k| format!("{text} - l{j}_{k} * l{j}_{k}"));
        let _ = writeln!(text, "let d{j} = {diagonal}{products};");
        let _ = writeln!(text, "let r{j} = 1.0 / sqrt(max(d{j}, PIVOT));");
        for i in j + 1..p {
            let products = (0..j).fold(String::new(), |text, k| format!("{text} - l{i}_{k} * l{j}_{k}"));
            let _ = writeln!(text, "let l{i}_{j} = (h{j}_{i} * s{i} * s{j}{products}) * r{j};");
        }
    }
    text
}

fn solve(p: usize) -> String {
    let mut text = factor(p, "(1.0 + lambda)");
    for i in 0..p {
        let products = (0..i).fold(String::new(), |text, k| format!("{text} - l{i}_{k} * w{k}"));
        let _ = writeln!(text, "let w{i} = (-h{i}_{p} * s{i}{products}) * r{i};");
    }
    for i in (0..p).rev() {
        let products = (i + 1..p).fold(String::new(), |text, k| format!("{text} - l{k}_{i} * u{k}"));
        let _ = writeln!(text, "let u{i} = (w{i}{products}) * r{i};");
    }
    text.push_str("still = 1.0;\n");
    for i in 0..p {
        let _ = writeln!(text, "x{i} = max(min(z{i} + s{i} * u{i}, fit.ends[{i}].y), fit.ends[{i}].x);");
        let _ = writeln!(text, "let e{i} = x{i} - z{i};");
        let _ = writeln!(text, "still = select(0.0, still, abs(e{i}) <= fit.tolerance * abs(z{i}));");
    }
    text.push_str("predicted = 0.0;\n");
    for i in 0..p {
        let products = (0..p).fold(String::new(), |text, j| format!("{text} + {} * e{j}", element(i, j)));
        let _ = writeln!(text, "predicted -= e{i} * (2.0 * h{i}_{p}{products});");
    }
    text
}

fn pivots(p: usize) -> String {
    let mut text = factor(p, "1.0");
    text.push_str("var least = 1.0;\n");
    for i in 0..p {
        let _ = writeln!(text, "least = min(least, select(d{i}, 0.0, h{i}_{i} < SMALLEST));");
    }
    text
}

fn store(p: usize) -> String {
    let mut text = String::new();
    for i in 0..p {
        let _ = writeln!(text, "points[{i}u * fit.count + lane] = z{i};");
    }
    for i in 0..p {
        let _ = writeln!(text, "work[{i}u * fit.count + lane] = x{i};");
    }
    for (i, j) in pairs(p) {
        let _ = writeln!(text, "work[{}u * fit.count + lane] = h{i}_{j};", p + triangle(p + 1, i, j));
    }
    for (k, name) in ["lambda", "nu", "predicted", "still"].into_iter().enumerate() {
        let _ = writeln!(text, "work[{}u * fit.count + lane] = {name};", work_rows(p) - 4 + k);
    }
    let _ = writeln!(text, "results[2u * fit.count + lane] = bitcast<u32>(h{p}_{p});");
    text
}
