//! The order of instructions: each just before what needs it, so that few values wait in registers.

use super::code::{Alarm, Base, Definition, Item, Op, Place, Value, has_loops};
use std::collections::{HashMap, HashSet, VecDeque};

/// Puts a body in order; `ends` are the values that are needed at its end.
pub(super) fn arrange(body: Vec<Item>, definitions: &[Definition], ends: &[Value]) -> Vec<Item> {
    let mut waiting = HashSet::new();
    let mut roots = Vec::new();
    // Loads of what this body may change, in their order.
    let mut loads: Vec<(Value, Place)> = Vec::new();
    let mut watches = [HashMap::new(), HashMap::new()];
    let mut gradients = VecDeque::new();
    let straight = !has_loops(&body);
    let mut seen = 0;
    for item in body {
        match item {
            Item::Value(value) => {
                waiting.insert(value);
                if let Definition::Op(Op::Load(place)) = definitions[value as usize]
                    && matches!(place.base, Base::Tile | Base::Scratch | Base::Next)
                {
                    loads.push((value, place));
                }
            }
            // In straight code a new parameter is watched when it is stored, and a gradient beside it.
            Item::Watch { alarm, value, .. } if straight => match alarm {
                Alarm::Parameter => {
                    watches[0].insert(value, seen);
                    seen += 1;
                }
                Alarm::Gradient => gradients.push_back(value),
            },
            item => roots.push((item, loads.len())),
        }
    }
    let mut order = Order { definitions, waiting, out: Vec::new(), stack: Vec::new() };
    let mut forced = vec![false; loads.len()];
    let first_moving = loads.iter().position(|l| l.1.moves()).unwrap_or(usize::MAX);
    let mut by_place: HashMap<Place, Vec<usize>> = HashMap::new();
    for (k, &(_, place)) in loads.iter().enumerate() {
        by_place.entry(place).or_default().push(k);
    }
    for (item, before) in roots {
        match item {
            Item::Store(place, value) => {
                order.need(value);
                if !place.moves() && before <= first_moving {
                    for &k in by_place.get(&place).into_iter().flatten().filter(|&&k| k < before) {
                        order.need(loads[k].0);
                    }
                } else {
                    for k in 0..before {
                        if !forced[k] && loads[k].1.base == place.base {
                            forced[k] = true;
                            order.need(loads[k].0);
                        }
                    }
                }
                order.out.push(Item::Store(place, value));
                if watches[0].remove(&value).is_some() {
                    order.watch(Alarm::Parameter, value);
                }
                if place.base == Base::Next
                    && let Some(gradient) = gradients.pop_front()
                {
                    order.need(gradient);
                    order.watch(Alarm::Gradient, gradient);
                }
            }
            Item::Watch { value, .. } => {
                order.need(value);
                order.out.push(item);
            }
            Item::Loop(mut l) => {
                for k in 0..before {
                    if !std::mem::replace(&mut forced[k], true) {
                        order.need(loads[k].0);
                    }
                }
                let ends: Vec<Value> = l.carried.iter().map(|c| c.next).collect();
                l.body = arrange(l.body, definitions, &ends);
                for c in &l.carried {
                    order.need(c.init);
                }
                let mut reads = Vec::new();
                collect(&l.body, definitions, &mut reads);
                reads.extend(ends);
                for value in reads {
                    order.need(value);
                }
                order.out.push(Item::Loop(l));
            }
            Item::Value(_) => {}
        }
    }
    let mut left: Vec<(usize, Value)> = watches[0].drain().map(|(value, k)| (k, value)).collect();
    left.sort_unstable();
    for (_, value) in left {
        order.need(value);
        order.watch(Alarm::Parameter, value);
    }
    for gradient in gradients {
        order.need(gradient);
        order.watch(Alarm::Gradient, gradient);
    }
    for &value in ends {
        order.need(value);
    }
    order.out
}

/// All values that a body reads.
pub(super) fn collect(body: &[Item], definitions: &[Definition], reads: &mut Vec<Value>) {
    for item in body {
        match item {
            Item::Value(value) => {
                if let Definition::Op(op) = definitions[*value as usize] {
                    reads.extend(op.reads());
                }
            }
            Item::Store(_, value) | Item::Watch { value, .. } => reads.push(*value),
            Item::Loop(l) => {
                reads.extend(l.carried.iter().flat_map(|c| [c.init, c.next]));
                collect(&l.body, definitions, reads);
            }
        }
    }
}

struct Order<'d> {
    definitions: &'d [Definition],
    /// Values of this body that have no place yet.
    waiting: HashSet<Value>,
    out: Vec<Item>,
    stack: Vec<(Value, bool)>,
}

impl Order<'_> {
    fn watch(&mut self, alarm: Alarm, value: Value) {
        self.out.push(Item::Watch { alarm, tile: 0, value });
    }

    /// Places a value and what it reads. Without recursion: chains may be thousands long.
    fn need(&mut self, value: Value) {
        self.stack.push((value, false));
        while let Some((value, ready)) = self.stack.pop() {
            if !self.waiting.contains(&value) {
                continue;
            }
            if ready {
                self.waiting.remove(&value);
                self.out.push(Item::Value(value));
                continue;
            }
            self.stack.push((value, true));
            if let Definition::Op(op) = self.definitions[value as usize] {
                let reads: Vec<Value> = op.reads().collect();
                self.stack.extend(reads.into_iter().rev().map(|read| (read, false)));
            }
        }
    }
}
