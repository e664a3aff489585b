//! How many registers a step's straight code needs: the numbers that are alive at once where each output is computed as early as it
//! can be.

use super::{Array, Instruction, Kernel, Statement, ValueId};
use crate::graph::Unary;
use std::collections::{HashMap, HashSet};

impl Kernel {
    /// The most numbers alive at once in a step, in the order of [`by_outputs`](Kernel::by_outputs). Parameters are held to the end,
    /// beside the new ones; states until they are replaced; the first two scalars, which only find the largest magnitudes, do not
    /// count. `None` of a kernel with loops.
    pub fn live(&self) -> Option<usize> {
        let code = Code::of(self)?;
        let mut order = Order::new(&code);
        for value in code.outputs().chain(self.scalars.iter().copied().skip(2)) {
            order.compute(value);
        }
        let mut last: HashMap<ValueId, usize> = HashMap::new();
        let place: HashMap<ValueId, usize> = order.sequence.iter().copied().zip(1..).collect();
        for (&value, at) in order.sequence.iter().zip(1..) {
            code.defined.get(&value).into_iter().flat_map(Instruction::operands).for_each(|operand| {
                last.insert(operand, at);
            });
        }
        // What is stored stays to the end.
        let end = order.sequence.len();
        code.outputs().for_each(|value| {
            last.insert(value, end);
        });
        let mut change = vec![0i64; end + 2];
        for (value, &begin) in &place {
            let until = last.get(value).map_or(begin, |&end| end.max(begin));
            let (begin, until) = match code.defined.get(value) {
                Some(Instruction::Load(Array::X, _)) => (0, end),
                Some(Instruction::Load(Array::State(_), _)) => (0, until),
                Some(Instruction::Constant(_) | Instruction::Host(_) | Instruction::Table(..)) | None => continue,
                _ => (begin, until),
            };
            change[begin] += 1;
            change[until + 1] -= 1;
        }
        let alive = change.iter().scan(0, |alive, change| {
            *alive += change;
            Some(*alive)
        });
        alive.max().map(|most| most as usize)
    }

    /// The statements in an order that computes output after output and what each needs just before it, so that few numbers are alive
    /// at once; sine and cosine of one angle come together. `None` of a kernel with loops or drawn rows.
    pub fn by_outputs(&self) -> Option<Vec<Statement>> {
        let code = Code::of(self)?;
        let mut order = Order::new(&code);
        let (mut out, mut printed) = (Vec::with_capacity(self.body.len()), 0);
        let mut until = |order: &Order<'_>, out: &mut Vec<Statement>| {
            for value in &order.sequence[printed..] {
                out.extend(code.defined.get(value).map(|instruction| Statement::Let(*value, *instruction)));
            }
            printed = order.sequence.len();
        };
        for (store, value) in &code.stores {
            order.compute(*value);
            until(&order, &mut out);
            out.push((*store).clone());
        }
        self.scalars.iter().for_each(|&scalar| order.compute(scalar));
        until(&order, &mut out);
        Some(out)
    }
}

/// Straight code.
struct Code<'k> {
    defined: HashMap<ValueId, Instruction>,
    /// Sines and cosines by their angles.
    partners: HashMap<(ValueId, bool), Vec<ValueId>>,
    /// In the order of the coordinates.
    stores: Vec<(&'k Statement, ValueId)>,
}

impl<'k> Code<'k> {
    fn of(kernel: &'k Kernel) -> Option<Code<'k>> {
        let mut code = Code { defined: HashMap::new(), partners: HashMap::new(), stores: Vec::new() };
        for statement in &kernel.body {
            match statement {
                Statement::Let(value, instruction) => {
                    code.defined.insert(*value, *instruction);
                    if let Some(angle) = angle(instruction) {
                        code.partners.entry(angle).or_default().push(*value);
                    }
                }
                Statement::Store(_, _, value) => code.stores.push((statement, *value)),
                Statement::Pick(_) | Statement::Loop(_) => return None,
            }
        }
        code.stores.sort_by_key(|(store, _)| match store {
            Statement::Store(_, index, _) => index.offset,
            _ => 0,
        });
        Some(code)
    }

    fn outputs(&self) -> impl Iterator<Item = ValueId> {
        self.stores.iter().map(|(_, value)| *value)
    }
}

/// What has a sine and a cosine, and whether its unit is half a turn.
fn angle(instruction: &Instruction) -> Option<(ValueId, bool)> {
    match *instruction {
        Instruction::Unary(Unary::Sin | Unary::Cos, a) => Some((a, false)),
        Instruction::Unary(Unary::SinPi | Unary::CosPi, a) => Some((a, true)),
        _ => None,
    }
}

struct Order<'c> {
    code: &'c Code<'c>,
    done: HashSet<ValueId>,
    sequence: Vec<ValueId>,
}

impl<'c> Order<'c> {
    fn new(code: &'c Code<'c>) -> Order<'c> {
        Order { code, done: HashSet::new(), sequence: Vec::new() }
    }

    /// Computes a value and what it needs, where that has not been done.
    fn compute(&mut self, value: ValueId) {
        // Operands first: a value stands twice on the way, the second time to be computed.
        let mut open = vec![(value, false)];
        while let Some((value, ready)) = open.pop() {
            let Some(instruction) = self.code.defined.get(&value) else { continue };
            if self.done.contains(&value) {
                continue;
            }
            if !ready {
                open.push((value, true));
                let operands: Vec<ValueId> = instruction.operands().collect();
                open.extend(operands.into_iter().rev().map(|operand| (operand, false)));
                continue;
            }
            let together = angle(instruction).and_then(|angle| self.code.partners.get(&angle));
            for &value in together.map_or(&[value][..], |all| &all[..]) {
                if self.done.insert(value) {
                    self.sequence.push(value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::lower_straight;
    use crate::{Plan, Surface};

    /// Of a surface and a rule without stopping tests.
    fn live(surface: &str, dim: u32, rule: &str) -> usize {
        let plan = Plan::new(Surface::named(surface, Some(dim)).unwrap()).optimizer(rule).resolve().unwrap();
        let step = &plan.programs()[0].step;
        let kernel = lower_straight(&step.graph, &step.outputs(), dim, 100_000).unwrap();
        println!("{surface} {dim} {rule}: {}", kernel.live().unwrap());
        kernel.live().unwrap()
    }

    #[test]
    fn terms_apart_need_little_more_than_what_is_held() {
        for (rule, held) in [("sgd", 2), ("momentum", 3), ("adam", 4)] {
            for surface in ["sphere", "rastrigin", "rosenbrock", "styblinski_tang"] {
                let live = live(surface, 50, rule);
                assert!((50 * held..=50 * held + 12).contains(&live), "{surface} by {rule}: {live}");
            }
        }
    }

    #[test]
    fn what_outlives_a_sum_is_counted() {
        // The sines wait for the sum of the cosines, and then give way to new coordinates; a product keeps three
        // numbers of each coordinate.
        assert!((100..=115).contains(&live("ackley", 50, "sgd")));
        assert!((190..=210).contains(&live("griewank", 50, "sgd")));
    }
}
