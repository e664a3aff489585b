//! Surfaces over the rows of a table: every evaluator, lowering and engine against the reference.

mod support;

use catchment::graph::{Bounded, Graph, Inputs, NodeId, Scalar, evaluate};
use catchment::kernel::{Array, Instruction, Kernel, Outputs, Statement, ValueId, lower_nest, lower_straight};
use catchment::step::Evaluation;
use catchment::{DeviceProblem, Engine, Error, Minibatch, Plan, Precision, Stopping, Surface};
use support::bounds::{Rounded, Running, element};
use support::interpreter::{Lane, interpret};
use support::report::Report;
use support::steps::{advance, initial_states, lane};
use support::tables::surface;
use support::{checks, engines};

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

/// Surfaces whose straight code is long: wide layers, long vectors, constant matrices.
const LARGE: &[(&str, &str)] = &[
    (
        "network",
        "W[24, 2] in [-1, 1]; b[24] in [-1, 1]; V[20, 24] in [-1, 1]; c[20] in [-1, 1]; v[20] in [-1, 1]; d in [-1, 1]\n\
         data u[2], y\n\n\
         h = tanh(W @ u + b)\nk = tanh(V @ h + c)\nmean_rows((v @ k + d - y)^2) + 0.001*sum(V^2)\n",
    ),
    (
        "rectified",
        "W[12, 3] in [-1, 1]; b[12] in [-1, 1]; V[10, 12] in [-1, 1]; c[10] in [-1, 1]\ndata u[3], y\n\n\
         k = relu(V @ relu(W @ u + b) + c)\nmean_rows((sum(k) - y)^2) + sum(V @ transpose(V))\n",
    ),
    ("weights", "x[100] in [-1, 1]\ndata u[100], y\n\nmean_rows((u @ x - y)^2) + 0.01*sum(abs(x))\n"),
    (
        "softmax",
        "W[11, 9] in [-1, 1]\ndata u[9], y\n\n\
         z = W @ u\nmean_rows(log(sum(exp(z - max(z)))) + max(z) - y*z[3])\n",
    ),
    (
        "shifted",
        "x[40] in [-1, 1]\ndata u[20], y\n\n\
         z = x[1:] - x[:-1]^2\nmean_rows(sum((u*z[:20] + tanh(x[::2]))^2) + y*sum(cumsum(u*x[20:]))) + sum(z^2)\n",
    ),
    (
        "products",
        "x[12] in [0.5, 1.5]\ndata u[12]\n\nmean_rows(prod(x + 0.1*u) + sum(j in range(0, 12): tanh(x[j]*u[j])))\n",
    ),
    (
        "passes",
        "x[30] in [-1, 1]\ndata u[30]\n\n\
         mu = mean_rows(u)\nz = exp(x)\nsum_rows(sum((u - mu)*z)^2)/30 + sum_rows(sum(tanh(u*x - mu)))\n",
    ),
    (
        "crossed",
        "A[10, 13] in [-1, 1]; x[10] in [-1, 1]\ndata u[13]\n\n\
         B = transpose(A) @ A\nmean_rows((u @ B @ u)^2 + sum(tanh(x @ A + u))) + sum(tanh(A)^2)\n",
    ),
];

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
        let all = SURFACES.iter().map(|s| (s, &[1, 2, 7, 1024, 1025, 3000][..]));
        // A software GPU counts the turns of loops, and compiles slowly.
        let counts = if engine.name == "cpu" { &[7, 1025][..] } else { &[7] };
        let large = LARGE.iter().take(engine.share(LARGE.len(), 3)).map(|s| (s, counts));
        for (&(name, text), counts) in all.chain(large) {
            for &rows in counts {
                let surface = surface(name, text, rows);
                let all = points(&surface, 3);
                for &precision in engine.precisions() {
                    let got = match engine.engine.evaluate(&surface, &all, precision) {
                        Ok(got) => got,
                        // A software GPU ends loops after 65,535 turns: it says so, and gives no wrong sum.
                        Err(Error::Device { problem: DeviceProblem::Refused(why), .. })
                            if rows > 1000 && why.contains("loop turns") =>
                        {
                            continue;
                        }
                        Err(error) => panic!("{} {name} {rows} rows: {error}", engine.name),
                    };
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

/// Arithmetic that the looped form executes for one row more.
fn operations_a_row(name: &str, text: &str) -> f64 {
    let executed = |rows: usize| {
        let surface = surface(name, text, rows);
        let evaluation = Evaluation::new(&surface);
        let kernel = lower_nest(&evaluation.graph, &evaluation.outputs(true), surface.dim()).unwrap();
        let rows = surface.table().unwrap();
        let x = points(&surface, 1);
        let lane = Lane { data: rows.values.clone(), columns: rows.columns as usize, ..Lane::at(x) };
        interpret(&kernel, &lane).operations as f64
    };
    (executed(5) - executed(1)) / 4.0
}

#[test]
fn loops_execute_what_the_textbook_says() {
    // Forward, and backward once for the weights and once for the layer below: three multiply-adds a weight and row.
    let layers = |widths: &[usize]| widths.windows(2).map(|w| w[0] * w[1]).sum::<usize>() as f64;
    let network = "W[64, 2] in [-1, 1]; b[64] in [-1, 1]; V[64, 64] in [-1, 1]; c[64] in [-1, 1]; v[64] in [-1, 1]\n\
                   d in [-1, 1]\ndata u[2], y\n\n\
                   mean_rows((v @ tanh(V @ tanh(W @ u + b) + c) + d - y)^2)\n";
    let rectified = network.replace("tanh", "relu");
    let linear = "x[1000] in [-1, 1]\ndata u[1000], y\n\nmean_rows((u @ x - y)^2)\n";
    for (name, text, weights, passes) in [
        ("network", network, layers(&[2, 64, 64, 1]), 3.0),
        ("rectified", &rectified, layers(&[2, 64, 64, 1]), 3.0),
        ("linear", linear, 1000.0, 2.0),
    ] {
        let multiply_adds = operations_a_row(name, text) / 2.0;
        let textbook = passes * weights;
        println!("{name}: {multiply_adds} multiply-adds a row, {:.2} of the textbook's", multiply_adds / textbook);
        assert!(multiply_adds < 1.5 * textbook, "{name}: {multiply_adds} for {textbook}");
    }
}

/// Both forms of a graph, by name.
fn kernels(graph: &Graph, outputs: &Outputs, dim: u32) -> Vec<(&'static str, Kernel)> {
    let straight = lower_straight(graph, outputs, dim, 20_000).map(|k| ("straight", k));
    let loops = lower_nest(graph, outputs, dim).map(|k| ("loops", k));
    straight.into_iter().chain(loops).collect()
}

/// A plan of a few steps that see a few rows each, or all.
fn plan(surface: &Surface, batch: Option<u32>) -> Plan {
    let plan = Plan::new(surface.clone()).optimizer("adam(lr=0.05)").restarts(5).steps(4).seed(3);
    let plan = match batch {
        Some(rows) => plan.batch(Minibatch { rows, replacement: false }),
        None => plan,
    };
    plan.stopping(Stopping { gradient: Some(0.0), ..Stopping::default() }).resolve().unwrap()
}

/// A lane at a point of a surface over a table.
fn lane_at(surface: &Surface, x: &[f64]) -> Lane<Rounded> {
    let exact = |v: &[f64]| v.iter().map(|&v| Rounded::exact(v)).collect::<Vec<_>>();
    let rows = surface.table().unwrap();
    Lane { data: exact(&rows.values), columns: rows.columns as usize, ..Lane::at(exact(x)) }
}

#[test]
fn kernels_equal_their_graphs() {
    let mut report = Report::new("kernels over rows");
    for &(name, text) in SURFACES.iter().chain(LARGE) {
        for rows in [1, 7, 1025] {
            let surface = surface(name, text, rows);
            let evaluation = Evaluation::new(&surface);
            let outputs = evaluation.outputs(true);
            let forms = kernels(&evaluation.graph, &outputs, surface.dim());
            assert!(forms.iter().any(|f| f.0 == "loops"), "{name}: no loops");
            for (form, kernel) in forms {
                for x in points(&surface, 2).chunks(surface.dim() as usize) {
                    let row = format!("{name} {rows} rows {form}");
                    let lane = lane_at(&surface, x);
                    checks::kernel(&mut report, &row, &kernel, &evaluation.graph, &outputs, &lane, 0);
                }
            }
        }
    }
    report.finish(5_000);
}

#[test]
fn kernels_of_steps_equal_their_graphs() {
    let mut report = Report::new("steps over rows");
    for &(name, text) in SURFACES.iter().chain(LARGE) {
        for batch in [None, Some(1), Some(5)] {
            let surface = surface(name, text, 9);
            let plan = plan(&surface, batch);
            let step = &plan.programs()[0].step;
            let outputs = step.outputs();
            let table = surface.table().unwrap();
            for (form, kernel) in kernels(&step.graph, &outputs, surface.dim()) {
                let mut states = initial_states::<Rounded>(&plan, 0);
                for t in [1, 2] {
                    let mut lane = lane(&plan, 0, 0, t, &points(&surface, 1), states);
                    lane.data = table.values.iter().map(|&v| Rounded::exact(v)).collect();
                    lane.columns = table.columns as usize;
                    lane.picks = (0..batch.unwrap_or(0)).map(|draw| (7 * draw as usize + t as usize) % 9).collect();
                    let row = format!("{name} batch {batch:?} t={t} {form}");
                    checks::kernel(&mut report, &row, &kernel, &step.graph, &outputs, &lane, 0);
                    // The reference walks the batch's rows in the order of the draws.
                    let width = lane.columns;
                    if !lane.picks.is_empty() {
                        let of = |&row: &usize| lane.data[row * width..][..width].to_vec();
                        lane.data = lane.picks.iter().flat_map(of).collect();
                    }
                    states = advance(step, &lane, t, plan.steps()).1;
                }
            }
        }
    }
    report.finish(20_000);
}

#[test]
fn shaders_are_valid_and_engines_descend_alike() {
    let engines = engines();
    for &(name, text) in SURFACES.iter().chain(LARGE) {
        for batch in [None, Some(3)] {
            let surface = surface(name, text, 7);
            let plan = plan(&surface, batch);
            let wgsl = catchment::wgsl(&plan).unwrap();
            support::validate(&wgsl).unwrap_or_else(|error| panic!("{name} {batch:?}: {error}"));
            if !["perceptron", "network"].contains(&name) {
                continue;
            }
            let best = |engine: &Engine| engine.run(&plan).unwrap().configurations[0].clone();
            let first = best(&engines[0].engine);
            for engine in &engines[1..] {
                let (a, b) = (&first.best, &best(&engine.engine).best);
                let (a, b) = (a.as_ref().unwrap().value, b.as_ref().unwrap().value);
                assert!((a - b).abs() <= 1e-3 * (1.0 + a.abs()), "{name} {batch:?} {}: {b} for {a}", engine.name);
            }
        }
    }
}

/// Kernels with one sum over rows left out: an accumulator that stays as it is, an array that is never added to.
fn forgetful(body: &[Statement]) -> Vec<Vec<Statement>> {
    let mut all = Vec::new();
    let adds: Vec<ValueId> = body
        .iter()
        .filter_map(|s| match s {
            Statement::Let(value, Instruction::Load(Array::Scratch(_), _)) => Some(*value),
            _ => None,
        })
        .collect();
    for (i, statement) in body.iter().enumerate() {
        let mut replacements: Vec<Option<Statement>> = Vec::new();
        match statement {
            Statement::Store(array, place, value) => {
                let loaded = |v: ValueId| {
                    adds.contains(&v) && body.contains(&Statement::Let(v, Instruction::Load(*array, *place)))
                };
                let sum = body
                    .iter()
                    .any(|s| matches!(s, Statement::Let(v, Instruction::Binary(_, a, _)) if v == value && loaded(*a)));
                if sum {
                    replacements.push(None);
                }
            }
            Statement::Loop(l) => {
                for k in 0..l.carried.len() {
                    let mut l = l.clone();
                    l.carried[k].next = l.carried[k].value;
                    replacements.push(Some(Statement::Loop(l)));
                }
                for inner in forgetful(&l.body) {
                    let mut l = l.clone();
                    l.body = inner;
                    replacements.push(Some(Statement::Loop(l)));
                }
            }
            _ => {}
        }
        for replacement in replacements {
            let mut changed = body.to_vec();
            changed.splice(i..=i, replacement);
            all.push(changed);
        }
    }
    all
}

#[test]
fn a_sum_left_out_is_reported() {
    // 1,100 rows are summed in blocks: partial sums are there to be forgotten.
    for (name, text, rows) in [("network", LARGE[0].1, 3), ("weights", LARGE[2].1, 1100), ("spread", SURFACES[1].1, 5)]
    {
        let surface = surface(name, text, rows);
        let evaluation = Evaluation::new(&surface);
        let outputs = evaluation.outputs(true);
        let kernel = lower_nest(&evaluation.graph, &outputs, surface.dim()).unwrap();
        let lane = lane_at(&surface, &points(&surface, 1));
        let failed = |kernel: &Kernel| {
            let mut report = Report::new("mutant");
            checks::kernel(&mut report, name, kernel, &evaluation.graph, &outputs, &lane, 0);
            report.failed()
        };
        assert_eq!(failed(&kernel), 0);
        let mutants = forgetful(&kernel.body);
        println!("{name}: {} mutants", mutants.len());
        assert!(mutants.len() > 2);
        for body in mutants {
            let mutant = Kernel { body, ..kernel.clone() };
            assert!(failed(&mutant) > 0, "{name}: a sum left out, and no alarm: {mutant:?}");
        }
    }
}
