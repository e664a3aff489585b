//! Host scalars: what depends on the step and hyperparameters alone, computed once a step in `f64`.

use crate::graph::{Binary, Graph, Input, Node, NodeId, Unary};
use crate::optimizer::HyperValue;

/// One instruction over earlier results.
#[derive(Clone, Copy, Debug)]
enum Instruction {
    Constant(f64),
    Hyper(usize),
    State(usize),
    Step,
    Steps,
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    Select(usize, usize, usize),
}

/// A straight list of scalar instructions and which of their results are given out.
#[derive(Clone, Debug, Default)]
struct Scalars {
    list: Vec<Instruction>,
    outputs: Vec<usize>,
}

impl Scalars {
    /// What the roots need; every node there is a scalar over the step and hyperparameters.
    fn new(graph: &Graph, roots: &[NodeId]) -> Scalars {
        let needed = graph.needed(roots);
        let mut place = vec![usize::MAX; graph.len()];
        let mut list = Vec::new();
        for id in (0..graph.len()).filter(|&id| needed[id]) {
            let at = |a: NodeId| place[a.index()];
            let instruction = match graph.node(NodeId(id as u32)) {
                Node::Constant(bits) => Instruction::Constant(f64::from_bits(bits)),
                Node::Input(Input::Hyper(k) | Input::DrawnHyper(k), _) => Instruction::Hyper(k as usize),
                Node::Input(Input::HostState(k), _) => Instruction::State(k as usize),
                Node::Input(Input::Step, _) => Instruction::Step,
                Node::Input(Input::Steps, _) => Instruction::Steps,
                Node::Unary(op, a) => Instruction::Unary(op, at(a)),
                Node::Binary(op, a, b) => Instruction::Binary(op, at(a), at(b)),
                Node::Select(c, a, b) => Instruction::Select(at(c), at(a), at(b)),
                // The split gives the host nothing else.
                _ => Instruction::Constant(f64::NAN),
            };
            place[id] = list.len();
            list.push(instruction);
        }
        let outputs = roots.iter().map(|r| place[r.index()]).collect();
        Scalars { list, outputs }
    }

    fn evaluate(&self, hyper: &[f64], states: &[f64], step: u64, steps: u64, work: &mut Vec<f64>) {
        work.clear();
        for instruction in &self.list {
            let value = match *instruction {
                Instruction::Constant(v) => v,
                Instruction::Hyper(k) => hyper[k],
                Instruction::State(k) => states[k],
                Instruction::Step => step as f64,
                Instruction::Steps => steps as f64,
                Instruction::Unary(op, a) => op.value(work[a]),
                Instruction::Binary(op, a, b) => op.value(work[a], work[b]),
                Instruction::Select(c, a, b) => {
                    if work[c] != 0.0 {
                        work[a]
                    } else {
                        work[b]
                    }
                }
            };
            work.push(value);
        }
    }
}

/// The host's share of a step.
#[derive(Clone, Debug)]
pub struct HostProgram {
    scalars: Scalars,
    /// New values of the host states.
    next: Scalars,
    /// Their initial values.
    initial: Scalars,
    /// Initial values of the restarts' states.
    slots: Scalars,
    steady: bool,
}

impl HostProgram {
    pub(crate) fn new(
        graph: &Graph,
        scalars: &[NodeId],
        next: &[NodeId],
        initial: &[NodeId],
        slots: &[NodeId],
    ) -> HostProgram {
        let scalars = Scalars::new(graph, scalars);
        let varies = |i: &Instruction| matches!(i, Instruction::Step | Instruction::State(_));
        let steady = !scalars.list.iter().any(varies);
        HostProgram {
            scalars,
            next: Scalars::new(graph, next),
            initial: Scalars::new(graph, initial),
            slots: Scalars::new(graph, slots),
            steady,
        }
    }

    /// How many host scalars a step has.
    pub fn len(&self) -> usize {
        self.scalars.outputs.len()
    }

    /// Whether a step has none.
    pub fn is_empty(&self) -> bool {
        self.scalars.outputs.is_empty()
    }

    /// Which host scalars can differ from step to step, where those hyperparameters are `scheduled`.
    pub fn varying(&self, scheduled: &[bool]) -> Vec<bool> {
        let mut varies: Vec<bool> = Vec::with_capacity(self.scalars.list.len());
        for instruction in &self.scalars.list {
            varies.push(match *instruction {
                Instruction::Step | Instruction::State(_) => true,
                Instruction::Hyper(k) => scheduled.get(k).copied().unwrap_or(true),
                Instruction::Constant(_) | Instruction::Steps => false,
                Instruction::Unary(_, a) => varies[a],
                Instruction::Binary(_, a, b) => varies[a] || varies[b],
                Instruction::Select(c, a, b) => varies[c] || varies[a] || varies[b],
            });
        }
        self.scalars.outputs.iter().map(|&o| varies[o]).collect()
    }

    /// The host scalars of one configuration, step by step.
    pub fn run<'a>(&'a self, hyper: &'a [HyperValue], steps: u64) -> HostRun<'a> {
        let mut run = HostRun {
            program: self,
            hyper,
            steps,
            step: 1,
            values: vec![0.0; hyper.len()],
            states: Vec::new(),
            work: Vec::new(),
            steady: self.steady && !hyper.iter().any(|h| matches!(h, HyperValue::Schedule(_))),
        };
        run.rewind();
        run
    }
}

/// Host scalars of one configuration, in order of steps.
#[derive(Clone, Debug)]
pub struct HostRun<'a> {
    program: &'a HostProgram,
    hyper: &'a [HyperValue],
    steps: u64,
    step: u64,
    values: Vec<f64>,
    states: Vec<f64>,
    work: Vec<f64>,
    steady: bool,
}

impl HostRun<'_> {
    /// Whether every step has the same scalars.
    pub fn is_steady(&self) -> bool {
        self.steady
    }

    /// Back to the first step.
    pub fn rewind(&mut self) {
        self.step = 1;
        self.set_hyper(1);
        self.program.initial.evaluate(&self.values, &[], 1, self.steps, &mut self.work);
        self.states = self.program.initial.outputs.iter().map(|&o| self.work[o]).collect();
    }

    /// Initial values of the restarts' state slots.
    pub fn initial_states(&mut self) -> Vec<f64> {
        self.set_hyper(1);
        self.program.slots.evaluate(&self.values, &self.states, 1, self.steps, &mut self.work);
        self.program.slots.outputs.iter().map(|&o| self.work[o]).collect()
    }

    fn set_hyper(&mut self, step: u64) {
        for (value, hyper) in self.values.iter_mut().zip(self.hyper) {
            *value = match hyper {
                HyperValue::Constant(v) => *v,
                // A lane's own; nothing on the host depends on it.
                HyperValue::Drawn { .. } | HyperValue::Given(_) => f64::NAN,
                HyperValue::Schedule(s) => {
                    let inputs = crate::graph::Inputs { step, steps: self.steps, ..Default::default() };
                    crate::graph::evaluate::<f64>(&s.graph, &[s.node], &inputs)[0][0]
                }
            };
        }
    }

    /// Values of all hyperparameters at the step that comes next; NaN for drawn ones.
    pub fn hyper(&self) -> &[f64] {
        &self.values
    }

    /// Appends the scalars of the next `count` steps, step-major, and moves on.
    pub fn extend(&mut self, count: u64, out: &mut Vec<f64>) {
        for _ in 0..count {
            if !self.steady || self.step == 1 {
                self.set_hyper(self.step);
            }
            self.program.scalars.evaluate(&self.values, &self.states, self.step, self.steps, &mut self.work);
            out.extend(self.program.scalars.outputs.iter().map(|&o| self.work[o]));
            if !self.program.next.outputs.is_empty() {
                self.program.next.evaluate(&self.values, &self.states, self.step, self.steps, &mut self.work);
                for (state, &o) in self.states.iter_mut().zip(&self.program.next.outputs) {
                    *state = self.work[o];
                }
            }
            self.step += 1;
        }
    }
}
