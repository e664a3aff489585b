//! A plain, slow interpreter of kernels, so that both lowerings can be checked without any machine's printer.
//!
//! Values are `None` until they are assigned, and again after the loop turn that they belong to: a value used outside its
//! place is a panic. Arrays that a kernel fills begin as NaN.

use catchment::graph::{Binary, Scalar};
use catchment::kernel::{Array, Fused, Index, Instruction, Kernel, Statement, ValueId};
use std::collections::BTreeMap;

/// What a restart brings to a kernel.
#[derive(Clone, Debug)]
pub struct Lane<S> {
    pub x: Vec<S>,
    pub states: Vec<Vec<S>>,
    /// Host scalars.
    pub host: Vec<S>,
    /// Hyperparameters by slot.
    pub hyper: Vec<S>,
    /// Draws by site and coordinate.
    pub draws: Vec<Vec<S>>,
    /// The surface's table, row-major.
    pub data: Vec<S>,
    /// Rows of the step's batch by draw, and how many columns a row has.
    pub picks: Vec<usize>,
    pub columns: usize,
}

impl<S> Lane<S> {
    /// A point and nothing else.
    pub fn at(x: Vec<S>) -> Lane<S> {
        Lane {
            x,
            states: Vec::new(),
            host: Vec::new(),
            hyper: Vec::new(),
            draws: Vec::new(),
            data: Vec::new(),
            picks: Vec::new(),
            columns: 0,
        }
    }
}

/// What a kernel leaves behind.
#[derive(Debug)]
pub struct Left<S> {
    pub arrays: BTreeMap<Array, Vec<S>>,
    pub scalars: Vec<S>,
    /// How many arithmetic instructions were executed.
    pub operations: u64,
}

/// Four draws are kept as their place.
#[derive(Clone, Copy)]
enum Value<S> {
    One(S),
    Four { site: usize, block: usize },
}

struct Machine<'a, S> {
    kernel: &'a Kernel,
    lane: &'a Lane<S>,
    values: Vec<Option<Value<S>>>,
    counters: BTreeMap<u32, i32>,
    arrays: BTreeMap<Array, Vec<S>>,
    picked: Option<usize>,
    operations: u64,
}

/// Runs a kernel on one restart.
pub fn interpret<S: Scalar>(kernel: &Kernel, lane: &Lane<S>) -> Left<S> {
    let dim = kernel.dim as usize;
    let poison = |n: usize| vec![S::constant(f64::NAN); n];
    let mut arrays =
        BTreeMap::from([(Array::X, lane.x.clone()), (Array::Next, poison(dim)), (Array::Gradient, poison(dim))]);
    arrays.extend(lane.states.iter().enumerate().map(|(k, s)| (Array::State(k as u32), s.clone())));
    arrays.extend(kernel.scratch.iter().enumerate().map(|(k, &n)| (Array::Scratch(k as u32), poison(n as usize))));
    let values = vec![None; kernel.types.len()];
    let mut machine = Machine { kernel, lane, values, counters: BTreeMap::new(), arrays, picked: None, operations: 0 };
    machine.run(&kernel.body);
    let scalars = kernel.scalars.iter().map(|&s| machine.one(s)).collect();
    Left { arrays: machine.arrays, scalars, operations: machine.operations }
}

impl<S: Scalar> Machine<'_, S> {
    fn run(&mut self, body: &[Statement]) {
        for statement in body {
            match statement {
                Statement::Let(value, instruction) => {
                    let arithmetic = matches!(
                        instruction,
                        Instruction::Unary(..)
                            | Instruction::Binary(..)
                            | Instruction::Select(..)
                            | Instruction::Fused(..)
                    );
                    self.operations += u64::from(arithmetic);
                    self.values[*value as usize] = Some(self.instruction(instruction));
                }
                Statement::Store(array, index, value) => {
                    let (place, value) = (self.place(index), self.one(*value));
                    self.arrays.get_mut(array).expect("an array that the kernel has")[place] = value;
                }
                Statement::Pick(draw) => self.picked = Some(self.lane.picks[self.place(draw)]),
                Statement::Loop(l) => {
                    for c in &l.carried {
                        self.values[c.value as usize] = self.values[c.init as usize];
                    }
                    let (from, to) = match l.block {
                        None => (0, l.count),
                        Some((outer, total)) => {
                            let from = self.counters[&outer] as u32 * l.count;
                            (from, (from + l.count).min(total))
                        }
                    };
                    for turn in from..to {
                        self.counters.insert(l.var, turn as i32);
                        self.run(&l.body);
                        let next: Vec<_> = l.carried.iter().map(|c| self.values[c.next as usize]).collect();
                        self.forget(&l.body);
                        for (c, next) in l.carried.iter().zip(next) {
                            self.values[c.value as usize] = next;
                        }
                    }
                    self.counters.remove(&l.var);
                }
            }
        }
    }

    /// What a turn assigned belongs to that turn.
    fn forget(&mut self, body: &[Statement]) {
        for statement in body {
            match statement {
                Statement::Let(value, _) => self.values[*value as usize] = None,
                Statement::Loop(l) => l.carried.iter().for_each(|c| self.values[c.value as usize] = None),
                Statement::Store(..) | Statement::Pick(_) => {}
            }
        }
    }

    fn place(&self, index: &Index) -> usize {
        let terms: i32 = index.terms().map(|(var, step)| step * self.counters[&var]).sum();
        usize::try_from(index.offset + terms).expect("a place inside its array")
    }

    fn one(&self, value: ValueId) -> S {
        match self.values[value as usize] {
            Some(Value::One(v)) => v,
            Some(Value::Four { .. }) => panic!("value {value} is four draws, not a number"),
            None => panic!("value {value} is used before it is assigned"),
        }
    }

    fn instruction(&self, instruction: &Instruction) -> Value<S> {
        Value::One(match *instruction {
            Instruction::Constant(bits) => S::constant(f64::from_bits(bits)),
            Instruction::Host(k) => self.lane.host[k as usize],
            Instruction::Drawn(k) => self.lane.hyper[k as usize],
            Instruction::Load(array, index) => self.arrays[&array][self.place(&index)],
            Instruction::Table(table, index) => {
                S::constant(self.kernel.tables[table as usize].values[self.place(&index)])
            }
            Instruction::Data(index) => self.lane.data[self.place(&index)],
            Instruction::Picked(index) => {
                let row = self.picked.expect("a row that was picked");
                self.lane.data[row * self.lane.columns + self.place(&index)]
            }
            Instruction::Position(index) => S::constant(self.place(&index) as f64),
            Instruction::Unary(op, a) => S::unary(op, self.one(a)),
            Instruction::Binary(op, a, b) => S::binary(op, self.one(a), self.one(b)),
            Instruction::Select(c, a, b) => S::select(self.one(c), self.one(a), self.one(b)),
            // A kernel is interpreted before products are contracted; what is tested of a contracted one is its value alone.
            Instruction::Fused(op, a, b, c) => {
                let product = S::binary(Binary::Mul, self.one(a), self.one(b));
                match op {
                    Fused::Add => S::binary(Binary::Add, product, self.one(c)),
                    Fused::Subtract => S::binary(Binary::Sub, product, self.one(c)),
                    Fused::SubtractFrom => S::binary(Binary::Sub, self.one(c), product),
                }
            }
            Instruction::Draw { site, block, .. } => {
                return Value::Four { site: site as usize, block: self.place(&block) };
            }
            Instruction::Component(four, k) => match self.values[four as usize] {
                // Draws come in fours; those beyond the last coordinate belong to nobody.
                Some(Value::Four { site, block }) => {
                    self.lane.draws[site].get(4 * block + usize::from(k)).copied().unwrap_or(S::constant(f64::NAN))
                }
                _ => panic!("value {four} is not four draws"),
            },
        })
    }
}
