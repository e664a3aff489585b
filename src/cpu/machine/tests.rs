use super::super::engine::{CpuEngine, compile};
use super::super::lane::{CHUNK, Lane, Width};
use super::super::tile::{Line, Task, TileLayout, Work};
use super::{MachineCode, Worker};
use crate::catalog;
use crate::engine::Backend;
use crate::graph::{Binary, LaneLoop, Unary};
use crate::kernel::{Array, Carried, Fused, Index, Instruction, Kernel, Loop, Statement, Type};
use crate::outcome::{Event, Flow, Timing};
use crate::{Plan, Stopping, Surface};

/// The forms that this machine can run.
fn widths() -> Vec<Width> {
    Width::all().into_iter().filter(|w| *w != Width::Baseline).collect()
}

fn kernel(dim: u32, body: Vec<Statement>, values: usize, scalars: Vec<u32>, scratch: Vec<u32>) -> Kernel {
    Kernel { dim, types: vec![Type::Number; values], tables: Vec::new(), scratch, body, scalars }
}

/// The first scalar output at points of two coordinates.
fn evaluate(kernel: &Kernel, width: Width, points: &[(f32, f32)]) -> Vec<f32> {
    let layout = TileLayout { dim: kernel.dim as usize, states: 0, drawn: 0, gradient: false, puts_down: false };
    let code = MachineCode::new(kernel, layout.clone(), width, Task::Evaluate).expect("this machine has the form");
    let (lanes, together) = (code.lanes(), code.together());
    let tile = layout.len() * lanes;
    let mut out = Vec::new();
    for part in points.chunks(lanes * together) {
        let mut memory = vec![Line::default(); tile * together / 16];
        let numbers: &mut [f32] = bytemuck::cast_slice_mut(&mut memory);
        for k in 0..lanes * together {
            let (a, b) = part[k.min(part.len() - 1)];
            numbers[k / lanes * tile + k % lanes] = a;
            numbers[k / lanes * tile + lanes + k % lanes] = b;
        }
        let work = Work { tiles: &mut memory, flip: 0, host: &[], stride: 0, step: 0, steps: 1 };
        Worker::new(&code, [0, 0], &[]).run(work, &mut |_| panic!("an evaluation rings no alarm"));
        let numbers: &[f32] = bytemuck::cast_slice(&memory);
        let at = |k: usize| numbers[k / lanes * tile + layout.outputs() * lanes + k % lanes];
        out.extend((0..part.len()).map(at));
    }
    out
}

/// All magnitudes but subnormal ones, which machine code takes for zero, and the edges.
fn points() -> Vec<(f32, f32)> {
    let edges = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        3.0,
        -3.0,
        88.7,
        -88.0,
        6399.9995,
        6400.0005,
        -1e10,
        1e30,
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        8_388_609.0,
        16_777_216.0,
        0.62500006,
        -0.7,
    ];
    let usual = |x: &f32| x.is_nan() || *x == 0.0 || x.abs() >= f32::MIN_POSITIVE;
    let mut all: Vec<f32> = (0..u32::MAX).step_by(1_000_003).map(f32::from_bits).filter(usual).collect();
    all.extend((0..4000).map(|i| (i as f32 - 2000.0) * 7.001e-3));
    let mut points: Vec<(f32, f32)> = all.iter().zip(all.iter().rev()).map(|(&a, &b)| (a, b)).collect();
    points.extend(edges.iter().flat_map(|&a| edges.iter().map(move |&b| (a, b))));
    points
}

/// What the tape computes, lane by lane.
fn unary(op: Unary, x: f32) -> f32 {
    let mut out = [0.0; CHUNK];
    <f32 as Lane>::unary::<true>(op, &[x; CHUNK], &mut out);
    out[0]
}

fn binary(op: Binary, a: f32, b: f32) -> f32 {
    struct One<'a>(f32, f32, &'a mut f32);
    impl LaneLoop<f32> for One<'_> {
        fn run(self, f: impl Fn(f32, f32) -> f32 + Copy) {
            *self.2 = f(self.0, self.1);
        }
    }
    let mut out = 0.0;
    <f32 as Lane>::binary::<true, _>(op, One(a, b, &mut out));
    out
}

/// The same bits; a subnormal result is 0 in machine code, and NaN has no bits of its own.
fn same(got: f32, wanted: f32) -> bool {
    let tiny = wanted.is_subnormal() || wanted.abs() == f32::MIN_POSITIVE;
    got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan() || tiny && got.abs() <= f32::MIN_POSITIVE
}

const X0: Instruction = Instruction::Load(Array::X, Index { offset: 0, terms: [(0, 0); crate::graph::MAX_RANK] });
const X1: Instruction = Instruction::Load(Array::X, Index { offset: 1, terms: [(0, 0); crate::graph::MAX_RANK] });

#[test]
fn every_operator_has_the_bits_of_the_tape() {
    let points = points();
    let mut wrong = Vec::new();
    for width in widths() {
        let mut check = |name: &str,
                         last: Instruction,
                         wanted: &dyn Fn(f32, f32) -> f32,
                         skip: &dyn Fn(f32, f32) -> bool| {
            let body = vec![Statement::Let(0, X0), Statement::Let(1, X1), Statement::Let(2, last)];
            let got = evaluate(&kernel(2, body, 3, vec![2, 2], Vec::new()), width, &points);
            let off = points.iter().zip(got).find(|&(&(a, b), got)| !skip(a, b) && !same(got, wanted(a, b)));
            wrong.extend(off.map(|(p, got)| format!("{width:?} {name}{p:?} = {got:e}, tape {:e}", wanted(p.0, p.1))));
        };
        for &op in Unary::ALL {
            // A power, or a scaled argument, may be subnormal on the way where neither end is.
            let near_subnormal = |a: f32, _: f32| a.abs() < 1e-30;
            check(op.name(), Instruction::Unary(op, 0), &|a, _| unary(op, a), &near_subnormal);
        }
        for &op in Binary::ALL {
            let extreme = |v: f32| v != 0.0 && v.is_finite() && !(1e-15..1e15).contains(&v.abs());
            let skip = |a: f32, b: f32| extreme(a) || extreme(b);
            check(op.name(), Instruction::Binary(op, 0, 1), &|a, b| binary(op, a, b), &skip);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_operator_is_told() {
    let points = points();
    for width in widths() {
        let body = vec![Statement::Let(0, X0), Statement::Let(1, Instruction::Unary(Unary::Exp, 0))];
        let got = evaluate(&kernel(2, body, 2, vec![1, 1], Vec::new()), width, &points);
        assert!(points.iter().zip(got).any(|(p, got)| !same(got, unary(Unary::Sin, p.0))));
    }
}

#[test]
fn loops_keep_accumulators_apart() {
    // Two accumulators that change places at every turn, and one that adds up what a scratch array holds.
    let index = |offset, step| Index { offset, ..Index::moving(offset, 0, step) };
    let mut body =
        vec![Statement::Let(0, X0), Statement::Let(1, X1), Statement::Let(2, Instruction::Constant(0f64.to_bits()))];
    body.push(Statement::Loop(Box::new(Loop {
        var: 0,
        count: 5,
        block: None,
        carried: Vec::new(),
        body: vec![
            Statement::Let(10, Instruction::Position(index(1, 1))),
            Statement::Let(11, Instruction::Binary(Binary::Mul, 10, 0)),
            Statement::Store(Array::Scratch(0), index(4, -1), 11),
        ],
    })));
    body.push(Statement::Loop(Box::new(Loop {
        var: 1,
        count: 5,
        block: None,
        carried: vec![
            Carried { value: 3, init: 0, next: 4 },
            Carried { value: 4, init: 1, next: 3 },
            Carried { value: 5, init: 2, next: 7 },
        ],
        body: vec![
            Statement::Let(6, Instruction::Load(Array::Scratch(0), Index::moving(0, 1, 1))),
            Statement::Let(7, Instruction::Binary(Binary::Add, 5, 6)),
        ],
    })));
    body.push(Statement::Let(8, Instruction::Binary(Binary::Sub, 3, 4)));
    body.push(Statement::Let(9, Instruction::Binary(Binary::Add, 8, 5)));
    let kernel = kernel(2, body, 12, vec![9, 9], vec![5]);
    for width in widths() {
        let got = evaluate(&kernel, width, &[(2.0, 7.0), (1.0, 0.0)]);
        // After five exchanges the two stand crosswise: x1 - x0 + 15 x0.
        assert_eq!(got, [7.0 - 2.0 + 30.0, -1.0 + 15.0], "{width:?}");
    }
}

#[test]
fn many_values_at_once_are_put_aside_and_come_back() {
    // Sums of 40 products that are all needed twice, far apart: more than there are registers.
    let mut body = vec![Statement::Let(0, X0), Statement::Let(1, X1)];
    let mut next = 2;
    for k in 0..40u32 {
        body.push(Statement::Let(next, Instruction::Constant(f64::from(k).to_bits())));
        body.push(Statement::Let(next + 1, Instruction::Binary(Binary::Add, 0, next)));
        body.push(Statement::Let(next + 2, Instruction::Binary(Binary::Mul, next + 1, 1)));
        next += 3;
    }
    let product = |k: u32| 2 + 3 * k + 2;
    let mut sum = product(0);
    for order in [(1..40).collect::<Vec<u32>>(), (0..40).rev().collect()] {
        for k in order {
            body.push(Statement::Let(next, Instruction::Binary(Binary::Add, sum, product(k))));
            sum = next;
            next += 1;
        }
    }
    let kernel = kernel(2, body, next as usize, vec![sum, sum], Vec::new());
    for width in widths() {
        // 2 Σ (x0 + k) x1, all exact.
        assert_eq!(evaluate(&kernel, width, &[(1.0, 2.0)]), [2.0 * 2.0 * (40.0 + 780.0)], "{width:?}");
    }
}

/// `a·b + c` and its relatives with one rounding.
fn fused(op: Fused, a: f32, b: f32, c: f32) -> f32 {
    match op {
        Fused::Add => a.mul_add(b, c),
        Fused::Subtract => a.mul_add(b, -c),
        Fused::SubtractFrom => (-a).mul_add(b, c),
    }
}

#[test]
fn products_and_sums_are_rounded_once_wherever_their_operands_lie() {
    // Random chains: operands that are read again and that are not, the same one twice or three times, constants, and more
    // values than there are registers.
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let points = [(0.3f32, -1.7f32), (2.5, 0.11)];
    for round in 0..300 {
        let mut body = vec![Statement::Let(0, X0), Statement::Let(1, X1)];
        let mut values = vec![points.map(|p| p.0), points.map(|p| p.1)];
        let reach = [3, 8, 60][round % 3];
        for next in 2..120u32 {
            let pick = |r: &mut dyn FnMut(usize) -> usize| (next as usize - 1 - r(reach.min(next as usize))) as u32;
            let [a, b, c] = [pick(&mut random), pick(&mut random), pick(&mut random)];
            let at = |v: u32| values[v as usize];
            let kind = [Fused::Add, Fused::Subtract, Fused::SubtractFrom][random(3)];
            let (instruction, value) = match random(8) {
                0 => {
                    let constant = random(9) as f32 * 0.37 - 1.5;
                    (Instruction::Constant(f64::from(constant).to_bits()), [constant; 2])
                }
                1 => (Instruction::Binary(Binary::Min, a, b), [0, 1].map(|i| binary(Binary::Min, at(a)[i], at(b)[i]))),
                2 => (Instruction::Unary(Unary::Sin, a), [0, 1].map(|i| unary(Unary::Sin, at(a)[i]))),
                _ => (Instruction::Fused(kind, a, b, c), [0, 1].map(|i| fused(kind, at(a)[i], at(b)[i], at(c)[i]))),
            };
            body.push(Statement::Let(next, instruction));
            values.push(value);
        }
        let kernel = kernel(2, body, 120, vec![119, 119], Vec::new());
        for width in widths() {
            let got = evaluate(&kernel, width, &points);
            let right = got.iter().zip(values[119]).all(|(&got, wanted)| same(got, wanted));
            assert!(right, "{width:?}, round {round}: {got:?} for {:?}", values[119]);
        }
    }
}

#[test]
fn accumulators_of_fused_sums() {
    // s = Σ x0·k + s, p = p·x1 + k, and one that both factors come from: none comes to the same with its turns in
    // another order. Several turns stand in one, and some may be left over.
    for count in [1, 2, 7, 8, 19, 32] {
        let mut body = vec![Statement::Let(0, X0), Statement::Let(1, X1)];
        body.push(Statement::Loop(Box::new(Loop {
            var: 0,
            count,
            block: None,
            carried: vec![
                Carried { value: 2, init: 0, next: 6 },
                Carried { value: 3, init: 1, next: 7 },
                Carried { value: 4, init: 1, next: 8 },
            ],
            body: vec![
                Statement::Let(5, Instruction::Position(Index::moving(1, 0, 1))),
                Statement::Let(6, Instruction::Fused(Fused::Add, 0, 5, 2)),
                Statement::Let(7, Instruction::Fused(Fused::SubtractFrom, 3, 1, 5)),
                Statement::Let(8, Instruction::Fused(Fused::Subtract, 4, 4, 2)),
            ],
        })));
        body.push(Statement::Let(9, Instruction::Binary(Binary::Add, 2, 3)));
        body.push(Statement::Let(10, Instruction::Binary(Binary::Add, 9, 4)));
        let kernel = kernel(2, body, 11, vec![10, 10], Vec::new());
        let (x0, x1) = (0.0021f32, 0.83f32);
        let (mut s, mut p, mut q) = (x0, x1, x1);
        for k in 1..=count {
            let before = s;
            s = x0.mul_add(k as f32, s);
            p = (-p).mul_add(x1, k as f32);
            q = q.mul_add(q, -before);
        }
        for width in widths() {
            let got = evaluate(&kernel, width, &[(x0, x1)]);
            assert_eq!(got, [s + p + q], "{width:?}, {count} turns");
        }
    }
}

#[test]
fn tiles_that_put_restarts_down_are_evaluated_by_machine_code() {
    let body = vec![Statement::Let(0, X0), Statement::Let(1, Instruction::Binary(Binary::Mul, 0, 0))];
    let kernel = kernel(1, body, 2, vec![1, 1], Vec::new());
    let layout = TileLayout { dim: 1, states: 0, drawn: 0, gradient: false, puts_down: true };
    for width in widths() {
        assert!(MachineCode::new(&kernel, layout.clone(), width, Task::Evaluate).is_some(), "{width:?}");
    }
}

/// Where restarts of a plan end, with vectors of a width: the value and the coordinates of one after the other.
fn ends(plan: &Plan, width: Width) -> Vec<f32> {
    let mut ends = Vec::new();
    let engine = CpuEngine::new(1).with_width(width);
    let taken = engine.descend(plan, &mut Timing::default(), &mut |given| {
        for event in given.iter().filter_map(|g| g.event.as_ref()) {
            let Event::Batch(batch) = event else { continue };
            for r in 0..batch.len() {
                let x = (0..batch.dim).map(|i| batch.x.at(i * batch.len() + r));
                ends.extend(std::iter::once(batch.value.at(r)).chain(x).map(|v| v as f32));
            }
        }
        Flow::Continue
    });
    taken.expect("it runs");
    ends
}

#[test]
fn descents_have_the_bits_of_the_tape() {
    let mut wrong = Vec::new();
    let mut loops = 0;
    for (k, name) in catalog::surfaces().enumerate() {
        // Straight code, and loops of a number of turns that no small number divides.
        for dim in [2, 31, 331] {
            let Ok(surface) = Surface::named(name, Some(dim)) else { continue };
            let optimizer = ["sgd(lr=1e-5)", "momentum(lr=1e-5)", "adam"][(k + dim as usize) % 3];
            let plan = Plan::new(surface).optimizer(optimizer).restarts(20).steps(5).resolve().expect("a plan");
            loops += usize::from(CpuEngine::new(1).layout(&plan).expect("a layout").contains("loops"));
            let tape = ends(&plan, Width::Baseline);
            for width in widths() {
                let own = ends(&plan, width);
                let same = own.len() == tape.len() && own.iter().zip(&tape).all(|(&a, &b)| same(a, b));
                if !same {
                    wrong.push(format!("{name} {dim} {optimizer} {width:?}"));
                }
            }
        }
    }
    assert!(loops > 20, "loops are among them: {loops}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing falls back to the tape unseen: it computes the same bits, forty times slower.
#[test]
fn every_plan_of_the_catalog_is_machine_code() {
    let stops = [
        Stopping::default(),
        Stopping { gradient: Some(1e-3), ..Stopping::default() },
        Stopping { gradient: Some(1e-3), target: Some(0.0), change: Some(1e-9) },
    ];
    let mut tapes = Vec::new();
    let mut look = |plan: &Plan, name: &str| {
        for width in widths() {
            let (step, evaluation) = compile::<f32>(plan, &plan.programs()[0], width).expect("it compiles");
            if [step.form(), evaluation.form()] != ["machine code"; 2] {
                tapes.push(format!("{name}, {width:?}: {}, {}", step.form(), evaluation.form()));
            }
        }
    };
    for (k, name) in catalog::surfaces().enumerate() {
        for dim in [2, 12, 40] {
            let Ok(surface) = Surface::named(name, Some(dim)) else { continue };
            let plan = Plan::new(surface).optimizer("adam").stopping(stops[k % 3]).resolve().expect("a plan");
            look(&plan, &format!("{name} {dim}"));
        }
    }
    for optimizer in catalog::optimizers() {
        for stopping in stops {
            let surface = Surface::named("rosenbrock", Some(9)).expect("a surface");
            let plan = |chain: &str| Plan::new(surface.clone()).optimizer(chain).stopping(stopping).resolve();
            // What only changes gradients stands before a rule.
            let plan = plan(optimizer).or_else(|_| plan(&format!("{optimizer} | sgd"))).expect("a plan");
            look(&plan, &format!("{optimizer} {stopping:?}"));
        }
    }
    assert!(tapes.is_empty(), "{tapes:#?}");
}
