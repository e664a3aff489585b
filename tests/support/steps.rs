//! One optimizer step outside every engine: the inputs that a step's graph takes, and the graph over any scalar.

use super::Backend;
use super::bits::{Traces, traced};
use super::bounds::{Rounded, Running, element};
use super::catalog::label;
use super::interpreter::Lane;
use super::report::{Place, Report, What};
use catchment::graph::{Binary, Bounded, DIVERGED, Graph, Input, Inputs, Law, Node, NodeId, Scalar, Unary, evaluate};
use catchment::kernel::Array;
use catchment::optimizer::HyperValue;
use catchment::random::{Purpose, Stream, normal_pair_f64, uniform};
use catchment::step::Step;
use catchment::{Plan, Precision};
use std::collections::BTreeSet;

/// What a run in this precision holds.
pub trait Given: Running {
    /// What the host computes in `f64` and rounds to the run's precision.
    fn rounded(value: f64) -> Self;
    /// Two normal draws from two words.
    fn normal(first: u32, second: u32) -> [Self; 2];
}

impl Given for Rounded {
    fn rounded(value: f64) -> Rounded {
        Rounded::exact(value)
    }
    fn normal(first: u32, second: u32) -> [Rounded; 2] {
        let (a, b) = normal_pair_f64(first, second);
        [a, b].map(Rounded::exact)
    }
}

impl Given for Bounded {
    fn rounded(value: f64) -> Bounded {
        Bounded::rounded(value)
    }
    /// Box and Muller's pair: as in shaders/philox.wgsl, operation by operation.
    fn normal(first: u32, second: u32) -> [Bounded; 2] {
        let [u, v] = [first, second].map(|w| Bounded::exact(f64::from(uniform(w))));
        let times = |k: f64, a| Bounded::binary(Binary::Mul, Bounded::exact(k), a);
        let square = Bounded::binary(Binary::Max, Bounded::exact(0.0), times(-2.0, Bounded::unary(Unary::Log, u)));
        let radius = Bounded::unary(Unary::Sqrt, square);
        let turn = times(2.0, v);
        [Unary::CosPi, Unary::SinPi].map(|op| Bounded::binary(Binary::Mul, radius, Bounded::unary(op, turn)))
    }
}

/// Every node that the roots need.
pub fn reachable(graph: &Graph, roots: &[NodeId]) -> BTreeSet<NodeId> {
    let (mut seen, mut todo) = (BTreeSet::new(), roots.to_vec());
    while let Some(id) = todo.pop() {
        if seen.insert(id) {
            todo.extend(graph.arguments(id));
        }
    }
    seen
}

/// The law of each draw site; `None` for a site that simplification dropped.
fn laws(step: &Step) -> Vec<Option<Law>> {
    let mut laws = vec![None; step.sites as usize];
    let outputs = step.outputs();
    let roots: Vec<NodeId> = outputs.arrays.iter().map(|a| a.1).chain(outputs.scalars).collect();
    for id in reachable(&step.graph, &roots) {
        if let Node::Input(Input::Draw { site, law }, _) = step.graph.node(id) {
            laws[site as usize] = Some(law);
        }
    }
    laws
}

/// Draws by site and coordinate for one restart and step.
pub fn draws<S: Given>(step: &Step, dim: usize, seed: u64, restart: u64, t: u64) -> Vec<Vec<S>> {
    let site = |(site, law): (usize, Option<Law>)| {
        let Some(law) = law else { return Vec::new() };
        let stream = Stream::new(seed, restart, t as u32, Purpose::Draw(site as u8));
        let four = |block: u32| {
            let words = stream.block(block);
            match law {
                Law::Uniform => words.map(|w| S::exact(f64::from(uniform(w)))),
                Law::Normal => {
                    let ([a, b], [c, d]) = (S::normal(words[0], words[1]), S::normal(words[2], words[3]));
                    [a, b, c, d]
                }
            }
        };
        let mut all: Vec<S> = (0..dim.div_ceil(4) as u32).flat_map(four).collect();
        all.truncate(dim);
        all
    };
    laws(step).into_iter().enumerate().map(site).collect()
}

/// What a restart brings to step `t`, states apart.
pub fn lane<S: Given>(
    plan: &Plan,
    configuration: usize,
    restart: u64,
    t: u64,
    x: &[f64],
    states: Vec<Vec<S>>,
) -> Lane<S> {
    let program = program(plan, configuration);
    let step = &program.step;
    let mut run = step.host.run(&plan.configurations()[configuration].hyper, plan.steps());
    let mut host = Vec::new();
    run.extend(t, &mut host);
    let host = host[host.len() - step.host.len()..].iter().map(|&v| S::rounded(v)).collect();
    let hyper = &plan.configurations()[configuration].hyper;
    let drawn = plan.drawn(configuration, restart);
    let hyper = hyper
        .iter()
        .enumerate()
        .map(|(k, h)| S::exact(if matches!(h, HyperValue::Drawn { .. }) { drawn[k] } else { f64::NAN }))
        .collect();
    let draws = draws(step, x.len(), plan.seed(), restart, t);
    let rest = Lane::at(x.iter().map(|&v| S::exact(v)).collect());
    Lane { states, host, hyper, draws, ..rest }
}

/// The program that runs a configuration.
pub fn program(plan: &Plan, configuration: usize) -> &catchment::Program {
    plan.programs()
        .iter()
        .find(|p| p.configurations.contains(&configuration))
        .expect("every configuration has a program")
}

/// The states that every restart of a configuration starts from.
pub fn initial_states<S: Given>(plan: &Plan, configuration: usize) -> Vec<Vec<S>> {
    let step = &program(plan, configuration).step;
    let mut run = step.host.run(&plan.configurations()[configuration].hyper, plan.steps());
    let dim = plan.surface().dim() as usize;
    run.initial_states().into_iter().map(|v| vec![S::rounded(v); dim]).collect()
}

/// New parameters and new states, by the reference evaluator on the step's graph.
pub fn advance<S: Scalar>(step: &Step, lane: &Lane<S>, t: u64, steps: u64) -> (Vec<S>, Vec<Vec<S>>) {
    let inputs = Inputs {
        x: &lane.x,
        states: &lane.states,
        host_states: &[],
        hyper: &lane.hyper,
        host: &lane.host,
        draws: &lane.draws,
        data: &lane.data,
        columns: lane.columns,
        step: t,
        steps,
    };
    let roots: Vec<_> = step.arrays.iter().map(|a| a.1).collect();
    let dim = lane.x.len();
    let spread = |v: Vec<S>| (0..dim).map(|i| element(&v, i)).collect::<Vec<S>>();
    let values = evaluate(&step.graph, &roots, &inputs).into_iter().map(spread);
    let mut states = lane.states.clone();
    let mut next = Vec::new();
    for ((array, _), value) in step.arrays.iter().zip(values) {
        match array {
            Array::State(k) => states[*k as usize] = value,
            _ => next = value,
        }
    }
    (next, states)
}

/// Walks a recorded descent and requires of every step that it lies within the error bound of the same step from the
/// same point. The states are carried along by their own bounds.
pub fn within_bounds(report: &mut Report, row: &str, plan: &Plan, traces: &Traces) {
    match plan.precision() {
        Precision::F32 => within::<Bounded>(report, row, plan, traces),
        Precision::F64 => within::<Rounded>(report, row, plan, traces),
    }
}

fn within<S: Given>(report: &mut Report, row: &str, plan: &Plan, traces: &Traces) {
    for configuration in 0..plan.configurations().len() {
        let step = &program(plan, configuration).step;
        let row = format!("{row} {}", plan.configurations()[configuration].text);
        for restart in plan.first()..plan.first() + plan.trace().restarts {
            let mut states = initial_states::<S>(plan, configuration);
            for t in 1..=plan.steps() {
                let Some(x) = traces.get(&(configuration, restart, t - 1)) else { break };
                let lane = lane(plan, configuration, restart, t, x, states);
                let (next, new) = advance(step, &lane, t, plan.steps());
                states = new;
                let Some(after) = traces.get(&(configuration, restart, t)) else {
                    // A surface may be undefined at the point itself; a step that is fine stops nobody.
                    let fine = next.iter().all(|b| b.value().abs() + b.error() < 0.9 * DIVERGED);
                    let defined = plan.surface().evaluate(x).1.iter().all(|g| g.is_finite());
                    report.require(!(fine && defined), || {
                        format!("{row}: restart {restart} stops before step {t} at {x:?}")
                    });
                    break;
                };
                for (i, (b, &got)) in next.iter().zip(after).enumerate() {
                    let what = What::After { coordinate: i, step: t, restart };
                    report.compare(&Place { row: &row, what, point: x, seed: plan.seed() }, got, b.value(), b.error());
                }
            }
        }
    }
}

/// Plain code of a surface: the value, and the gradient in its place.
pub type PlainSurface = fn(&[f64], &mut [f64]) -> f64;

/// A rule in plain code: restart, step, point, gradient.
pub type PlainRule<'a> = dyn FnMut(u64, u64, &mut [f64], &mut [f64]) + 'a;

/// Requires every recorded step to equal plain code, from where the engine stood: `rule(restart, t, x, gradient)` moves
/// `x` and keeps its own states. It may be off by 1e-12 in `f64`, and in `f32` by the running error bound of the step.
pub fn plain_steps(
    report: &mut Report,
    backend: &Backend,
    plan: &Plan,
    surface: PlainSurface,
    rule: &mut PlainRule<'_>,
) {
    let (_, traces) = traced(&backend.engine, plan);
    let chain = &plan.configurations()[0].text;
    let row = format!("{} {} {} {chain}", backend.name, plan.precision().name(), label(plan.surface()));
    for restart in 0..plan.trace().restarts {
        let mut states = initial_states::<Bounded>(plan, 0);
        for t in 1..=plan.steps() {
            let Some(before) = traces.get(&(0, restart, t - 1)) else { break };
            let (mut x, mut gradient) = (before.clone(), vec![0.0; before.len()]);
            surface(&x, &mut gradient);
            rule(restart, t, &mut x, &mut gradient);
            let Some(after) = traces.get(&(0, restart, t)) else {
                let fine = x.iter().all(|v| v.abs() < 0.9 * DIVERGED);
                report.require(!fine, || format!("{row}: restart {restart} stops before step {t} at {before:?}"));
                break;
            };
            let (bounds, new) =
                advance(&program(plan, 0).step, &lane(plan, 0, restart, t, before, states), t, plan.steps());
            states = new;
            for (i, (&got, &expected)) in after.iter().zip(&x).enumerate() {
                let rounding = 1e-12 * (expected.abs() + (expected - before[i]).abs());
                let bound = if plan.precision() == Precision::F64 { rounding } else { bounds[i].error + rounding };
                let what = What::After { coordinate: i, step: t, restart };
                report.compare(&Place { row: &row, what, point: before, seed: plan.seed() }, got, expected, bound);
            }
        }
    }
}
