//! One descent step as one graph: surface, gradient, transforms, update rule, bounds and the tests for blow-ups composed,
//! simplified, and split into what the host computes once and what every restart computes.

use crate::error::Error;
use crate::graph::{
    Axes, Axis, Binary, Graph, Input, NodeId, Reduction, Simplified, Unary, batched, simplify, split_host,
};
use crate::host::HostProgram;
use crate::kernel::{Array, Outputs, RowAccess};
use crate::language::ast::{Expr, ExprKind, Subscript};
use crate::language::{Diagnostic, DiagnosticKind, Elaborator};
use crate::optimizer::Chain;
use crate::surface::Surface;
use std::collections::HashSet;

/// What happens at the ends of the domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bounds {
    /// Nothing: the domain is where starts are drawn.
    #[default]
    None,
    /// A coordinate beyond an end is put on it.
    Clip,
    /// A coordinate beyond an end is mirrored.
    Reflect,
    /// The domain is a torus.
    Wrap,
}

/// What a step's kernel must give out beside the new parameters and states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepNeeds {
    /// The value before the step.
    pub value: bool,
    /// The squared gradient norm before the step.
    pub gradient_norm: bool,
    /// How many rows a step draws; all of them where this is none.
    pub batch: Option<u32>,
}

/// A step, ready to be lowered.
#[derive(Clone, Debug)]
pub struct Step {
    /// The restarts' graph.
    pub graph: Graph,
    /// New parameters and states.
    pub arrays: Vec<(Array, NodeId)>,
    /// Largest magnitude among the new parameters; the kernel's first scalar.
    pub worst_x: NodeId,
    /// Largest magnitude in the gradient; the second scalar.
    pub worst_gradient: NodeId,
    /// The value before the step, where it was asked for.
    pub value: Option<NodeId>,
    /// The squared gradient norm before the step, where it was asked for.
    pub gradient_norm: Option<NodeId>,
    /// State slots a restart has.
    pub states: usize,
    /// Places of drawing.
    pub sites: u32,
    /// What the host computes.
    pub host: HostProgram,
    /// How the surface's table is read.
    pub rows: RowAccess,
}

impl Step {
    /// What to lower: arrays, then the scalars in the order worst x, worst gradient, value, squared gradient norm.
    pub fn outputs(&self) -> Outputs {
        let mut scalars = vec![self.worst_x, self.worst_gradient];
        scalars.extend(self.value);
        scalars.extend(self.gradient_norm);
        Outputs { arrays: self.arrays.clone(), scalars, rows: self.rows }
    }
}

/// A surface's value, squared gradient norm and gradient, ready to be lowered.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The graph.
    pub graph: Graph,
    /// The value.
    pub value: NodeId,
    /// The squared norm of the gradient.
    pub gradient_norm: NodeId,
    /// The gradient.
    pub gradient: NodeId,
    /// How the surface's table is read.
    pub rows: RowAccess,
}

impl Evaluation {
    /// Simplifies a surface's value and gradient together.
    pub fn new(surface: &Surface) -> Evaluation {
        let mut graph = surface.graph().clone();
        let gradient = surface.gradient_node();
        let norm = squared_norm(&mut graph, gradient, surface.dim());
        let Simplified { graph, roots } = simplify(&graph, &[surface.value_node(), norm, gradient]);
        Evaluation { graph, value: roots[0], gradient_norm: roots[1], gradient: roots[2], rows: rows_of(surface, None) }
    }

    /// What to lower: value and squared norm as scalars, and the gradient where it is asked for.
    pub fn outputs(&self, gradient: bool) -> Outputs {
        let arrays = if gradient { vec![(Array::Gradient, self.gradient)] } else { Vec::new() };
        Outputs { arrays, scalars: vec![self.value, self.gradient_norm], rows: self.rows }
    }
}

/// How a kernel reads a surface's table.
fn rows_of(surface: &Surface, batch: Option<u32>) -> RowAccess {
    RowAccess { columns: surface.table().map_or(0, |t| t.columns), picked: batch.is_some() }
}

/// Σ g², over all coordinates even where they share one value.
fn squared_norm(graph: &mut Graph, gradient: NodeId, dim: u32) -> NodeId {
    let square = graph.binary(Binary::Mul, gradient, gradient);
    graph.reduce(Reduction::Sum, square, Axis::vector(dim))
}

/// Composes a chain on a surface.
///
/// # Errors
/// [`Error::Formula`] for a mistake in an optimizer's text.
pub fn compose(surface: &Surface, chain: &Chain, bounds: Bounds, needs: StepNeeds) -> Result<Step, Error> {
    let n = surface.dim();
    let vector = Axes::one(Axis::vector(n));
    let (mut graph, f, gradient) = match (needs.batch, surface.table()) {
        (Some(batch), Some(table)) => {
            let roots = [surface.value_node(), surface.gradient_node()];
            let Simplified { graph, roots } = batched(surface.graph(), &roots, table.rows, batch);
            (graph, roots[0], roots[1])
        }
        _ => (surface.graph().clone(), surface.value_node(), surface.gradient_node()),
    };
    let x = graph.parameters(n);
    let [t, steps] = [Input::Step, Input::Steps].map(|i| graph.input(i, Axes::SCALAR));
    let dimension = graph.constant(f64::from(n));

    let (mut now_x, mut now_g) = (x, gradient);
    let mut sites = 0;
    let (mut lane_states, mut lane_initial) = (Vec::new(), Vec::new());
    let (mut host_next, mut host_initial) = (Vec::new(), Vec::new());
    for (index, stage) in chain.stages.iter().enumerate() {
        let parsed = stage.parsed();
        let on_host = host_states(chain, index);
        let slots = chain.hyper.iter().enumerate().filter(|(_, h)| h.stage == index);
        let hyper: Vec<(String, NodeId)> = slots
            .map(|(k, h)| {
                let input = if h.drawn { Input::DrawnHyper(k as u32) } else { Input::Hyper(k as u32) };
                (h.name.clone(), graph.input(input, Axes::SCALAR))
            })
            .collect();
        let mut states: Vec<(String, NodeId, bool)> = Vec::new();
        for state in &parsed.state {
            let name = &state.name.text;
            let host = on_host.contains(name);
            let number = if host {
                host_next.len() + states.iter().filter(|s| s.2).count()
            } else {
                lane_states.len() + states.iter().filter(|s| !s.2).count()
            } as u32;
            let (input, axes) =
                if host { (Input::HostState(number), Axes::SCALAR) } else { (Input::State(number), vector) };
            states.push((name.clone(), graph.input(input, axes), host));
        }
        let mut elaborator = Elaborator::new(&mut graph, stage.source(), &[]).with_draws(n, &mut sites);
        for (name, node) in [("t", t), ("T", steps), ("n", dimension), ("f", f)] {
            elaborator.define(name, node);
        }
        for (name, node) in &hyper {
            elaborator.define(name, *node);
        }
        // A state starts from a formula in the hyperparameters alone.
        let initial = parsed.state.iter().map(|s| elaborator.scalar(&s.value)).collect::<Result<Vec<_>, _>>()?;
        elaborator.define("x", now_x);
        elaborator.define("g", now_g);
        for (name, node, _) in &states {
            elaborator.define(name, *node);
        }
        for assignment in &parsed.assignments {
            let name = &assignment.name.text;
            let node = elaborator.value(&assignment.value)?;
            let shape = elaborator.graph_mut().axes(node);
            if !(shape.is_scalar() || shape == vector)
                && (["x", "g"].contains(&name.as_str()) || states.iter().any(|s| s.0 == *name))
            {
                let kind = DiagnosticKind::ShapeMismatch {
                    operation: format!("`{name} =`"),
                    left: vector.to_string(),
                    right: shape.to_string(),
                };
                return Err(Box::new(Diagnostic::new(kind, stage.source(), assignment.value.span)).into());
            }
            elaborator.define(name, node);
        }
        let now = |elaborator: &Elaborator<'_>, name: &str, otherwise| elaborator.lookup(name).unwrap_or(otherwise);
        now_x = now(&elaborator, "x", now_x);
        now_g = now(&elaborator, "g", now_g);
        for ((name, node, host), initial) in states.iter().zip(initial) {
            let next = now(&elaborator, name, *node);
            if *host {
                host_next.push(next);
                host_initial.push(initial);
            } else {
                lane_states.push(next);
                lane_initial.push(initial);
            }
        }
    }
    now_x = bounded(&mut graph, now_x, surface, bounds);
    let magnitude = |graph: &mut Graph, node: NodeId| {
        let magnitude = graph.unary(Unary::Magnitude, node);
        if graph.axes(magnitude).is_scalar() {
            magnitude
        } else {
            graph.reduce(Reduction::Max, magnitude, Axis::vector(n))
        }
    };
    let worst_x = magnitude(&mut graph, now_x);
    let worst_gradient = magnitude(&mut graph, gradient);
    let norm = squared_norm(&mut graph, gradient, n);

    let lanes = lane_states.len();
    let mut roots = vec![now_x, worst_x, worst_gradient];
    roots.extend(needs.value.then_some(f));
    roots.extend(needs.gradient_norm.then_some(norm));
    roots.extend(&lane_states);
    let given = roots.len();
    roots.extend(host_next.iter().chain(&host_initial).chain(&lane_initial));
    let Simplified { graph, roots } = simplify(&graph, &roots);
    let (lane, scalars) = split_host(&graph, &roots[..given]);
    let (host_part, rest) = roots[given..].split_at(host_next.len());
    let (host_start, lane_start) = rest.split_at(host_initial.len());
    let host = HostProgram::new(&graph, &scalars, host_part, host_start, lane_start);
    let mut take = lane.roots.into_iter();
    let mut next = || take.next().unwrap_or_default();
    let (x_next, worst_x, worst_gradient) = (next(), next(), next());
    let value = needs.value.then(&mut next);
    let gradient_norm = needs.gradient_norm.then(&mut next);
    let mut arrays = vec![(Array::Next, x_next)];
    arrays.extend((0..lanes as u32).map(|k| (Array::State(k), next())));
    Ok(Step {
        graph: lane.graph,
        arrays,
        worst_x,
        worst_gradient,
        value,
        gradient_norm,
        states: lanes,
        sites,
        host,
        rows: rows_of(surface, needs.batch),
    })
}

/// The parameters held to the domain.
fn bounded(graph: &mut Graph, x: NodeId, surface: &Surface, bounds: Bounds) -> NodeId {
    if bounds == Bounds::None {
        return x;
    }
    let domain = surface.domain();
    let axes = Axes::one(Axis::vector(surface.dim()));
    let mut table = |values: Vec<f64>| graph.table(values, axes);
    let lo = table(domain.lo.clone());
    let hi = table(domain.hi.clone());
    let width = table(domain.lo.iter().zip(&domain.hi).map(|(l, h)| h - l).collect());
    // An interval of one point is no turns wide.
    let turns = |(l, h): (&f64, &f64)| if h > l { 1.0 / (h - l) } else { 0.0 };
    let inverse = table(domain.lo.iter().zip(&domain.hi).map(turns).collect());
    let clip = |graph: &mut Graph, x| {
        let above = graph.binary(Binary::Max, x, lo);
        graph.binary(Binary::Min, above, hi)
    };
    match bounds {
        Bounds::None => x,
        Bounds::Clip => clip(graph, x),
        Bounds::Wrap => {
            let from = graph.binary(Binary::Sub, x, lo);
            let turns = graph.binary(Binary::Mul, from, inverse);
            let whole = graph.unary(Unary::Floor, turns);
            let back = graph.binary(Binary::Mul, whole, width);
            let wrapped = graph.binary(Binary::Sub, x, back);
            clip(graph, wrapped)
        }
        Bounds::Reflect => {
            // A triangle wave of period two widths: 1 - |2·frac(u/2) - 1| with u in widths.
            let from = graph.binary(Binary::Sub, x, lo);
            let half = graph.constant(0.5);
            let (one, two) = (graph.constant(1.0), graph.constant(2.0));
            let widths = graph.binary(Binary::Mul, from, inverse);
            let halves = graph.binary(Binary::Mul, half, widths);
            let whole = graph.unary(Unary::Floor, halves);
            let fraction = graph.binary(Binary::Sub, halves, whole);
            let double = graph.binary(Binary::Mul, two, fraction);
            let off = graph.binary(Binary::Sub, double, one);
            let off = graph.unary(Unary::Abs, off);
            let wave = graph.binary(Binary::Sub, one, off);
            let scaled = graph.binary(Binary::Mul, wave, width);
            let mirrored = graph.binary(Binary::Add, lo, scaled);
            // Inside the domain nothing is rounded.
            let low = graph.binary(Binary::Less, x, lo);
            let high = graph.binary(Binary::Less, hi, x);
            let outside = graph.binary(Binary::Or, low, high);
            let mirrored = clip(graph, mirrored);
            graph.select(outside, mirrored, x)
        }
    }
}

/// States of a stage that depend on the step and undrawn hyperparameters alone, found as the largest set that holds.
fn host_states(chain: &Chain, index: usize) -> HashSet<String> {
    let stage = &chain.stages[index];
    let parsed = stage.parsed();
    let drawn = |name: &str| chain.hyper.iter().any(|h| h.stage == index && h.name == name && h.drawn);
    let mut host: HashSet<String> = parsed.state.iter().map(|s| s.name.text.clone()).collect();
    loop {
        // Walks the assignments once: which names hold something of the restart's own?
        let mut lane: HashSet<String> = ["x", "g", "f"].iter().map(|s| (*s).to_owned()).collect();
        lane.extend(parsed.state.iter().map(|s| s.name.text.clone()).filter(|s| !host.contains(s)));
        lane.extend(parsed.hyper.iter().map(|h| h.name.text.clone()).filter(|h| drawn(h)));
        let mut fallen = false;
        for state in &parsed.state {
            if touches(&state.value, &lane) {
                fallen |= host.remove(&state.name.text);
            }
        }
        for assignment in &parsed.assignments {
            let name = &assignment.name.text;
            if touches(&assignment.value, &lane) {
                lane.insert(name.clone());
                fallen |= host.remove(name);
            }
        }
        if !fallen {
            return host;
        }
    }
}

/// Whether an expression mentions one of the names, or draws.
fn touches(expr: &Expr, names: &HashSet<String>) -> bool {
    let hits = |e: &Expr| touches(e, names);
    match &expr.kind {
        ExprKind::Number(_) => false,
        ExprKind::Name(name) => names.contains(name),
        ExprKind::Prefix(_, a) => hits(a),
        ExprKind::Chain(a, rest) => hits(a) || rest.iter().any(|(_, e)| hits(e)),
        ExprKind::Power(a, b) => hits(a) || hits(b),
        ExprKind::Call { function, arguments, .. } => {
            matches!(function.text.as_str(), "normal" | "uniform" | "range") || arguments.iter().any(hits)
        }
        ExprKind::Subscript(a, list) => hits(a) || list.iter().any(|s| matches!(s, Subscript::At(e) if hits(e))),
        ExprKind::List(_) => true,
    }
}
