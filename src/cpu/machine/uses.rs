//! Where each value is read: what decides which register is given up.

use super::code::{Definition, Item, Value};
use super::emit::Emitter;

impl Emitter<'_> {
    /// Numbers all items and notes where each value is read; `ends` are read behind the body.
    pub(super) fn survey(&mut self, body: &[Item], ends: &[Value]) {
        let mut defined = vec![0u32; self.definitions.len()];
        let mut place = 0;
        self.walk(body, &mut place, &mut defined, &mut Vec::new());
        place += 1;
        for &value in ends {
            self.uses[value as usize].push(place);
        }
        for list in &mut self.uses {
            list.sort_unstable();
            list.dedup();
        }
    }

    /// `loops` holds, for every loop around, where it begins and every value read from outside of it so far.
    pub(super) fn walk(
        &mut self,
        body: &[Item],
        place: &mut u32,
        defined: &mut [u32],
        loops: &mut Vec<(u32, Vec<Value>)>,
    ) {
        for item in body {
            *place += 1;
            let at = *place;
            let mut note = |this: &mut Self, value: Value, defined: &[u32]| {
                this.uses[value as usize].push(at);
                for (begin, outside) in loops.iter_mut() {
                    if defined[value as usize] < *begin {
                        outside.push(value);
                    }
                }
            };
            match item {
                Item::Value(value) => {
                    if let Definition::Op(op) = self.definitions[*value as usize] {
                        for read in op.reads() {
                            note(self, read, defined);
                        }
                    }
                    defined[*value as usize] = at;
                }
                Item::Store(_, value) | Item::Watch { value, .. } => note(self, *value, defined),
                Item::Loop(l) => {
                    for c in &l.carried {
                        note(self, c.init, defined);
                        defined[c.value as usize] = at;
                    }
                    loops.push((at, Vec::new()));
                    self.walk(&l.body, place, defined, loops);
                    *place += 1;
                    let end = *place;
                    for c in &l.carried {
                        self.uses[c.next as usize].push(end);
                        self.uses[c.value as usize].push(end);
                        for (begin, outside) in loops.iter_mut() {
                            if defined[c.next as usize] < *begin {
                                outside.push(c.next);
                            }
                        }
                    }
                    // What comes from outside is needed again at the next turn.
                    if let Some((_, outside)) = loops.pop() {
                        for value in outside {
                            self.uses[value as usize].push(end);
                        }
                    }
                }
            }
        }
    }

    /// The next place, behind this one, that reads a value.
    pub(super) fn next_use(&self, value: Value) -> Option<u32> {
        let list = &self.uses[value as usize];
        list.get(list.partition_point(|&u| u <= self.place)).copied()
    }
}
