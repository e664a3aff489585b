//! Alarms: registers that add up what tells of blow-ups.

use super::code::{Alarm, Item, Value, has_loops};
use super::emit::{Emitter, Watcher};
use super::encode::{self, Form, Source};

impl Emitter<'_> {
    /// Keeps registers for the alarms of `tiles` tiles. In loops they begin at zero, else with the first value watched.
    pub(super) fn watch(&mut self, tiles: usize, body: &[Item]) {
        let loops = has_loops(body);
        let watches = body.iter().filter(|i| matches!(i, Item::Watch { .. })).count();
        let each = if self.form() == Form::Avx512 && tiles == 1 && (loops || watches > 16) { 2 } else { 1 };
        for _ in 0..tiles {
            let mut watcher = || {
                let register = self.take();
                self.pinned[register as usize] = true;
                if loops {
                    self.asm.clear(register);
                }
                Watcher { register, begun: loops }
            };
            let mut some = |alarm| if has(body, alarm) { (0..each).map(|_| watcher()).collect() } else { Vec::new() };
            let both = [some(Alarm::Parameter), some(Alarm::Gradient)];
            self.watchers.push(both);
        }
    }

    /// The sums of a tile's alarms: that of the gradient, where it has one, then the parameters' with the gradient's added.
    pub(super) fn alarms(&mut self, tile: usize) -> (Option<u8>, u8) {
        let join = |this: &mut Self, k: usize| {
            let mut sum: Option<u8> = None;
            for w in &this.watchers[tile][k] {
                match sum {
                    _ if !w.begun => {}
                    None => sum = Some(w.register),
                    Some(sum) => this.asm.two(encode::ADD, sum, sum, Source::Register(w.register)),
                }
            }
            sum
        };
        let (parameter, gradient) = (join(self, 0), join(self, 1));
        let parameter = parameter.unwrap_or_else(|| {
            // Nothing is watched: every parameter stays where it is.
            let register = self.take();
            self.pinned[register as usize] = true;
            self.asm.clear(register);
            register
        });
        if let Some(gradient) = gradient {
            self.asm.two(encode::ADD, parameter, parameter, Source::Register(gradient));
        }
        (gradient, parameter)
    }

    pub(super) fn watched(&mut self, alarm: Alarm, tile: usize, value: Value) {
        let k = usize::from(alarm == Alarm::Gradient);
        let register = self.in_register(value);
        let zeros = self.zeros.map_or(Source::Vector(self.zero()), Source::Register);
        let all = self.watchers[tile][k].len();
        let watcher = &mut self.watchers[tile][k][self.turn[k] % all];
        self.turn[k] += 1;
        let op = if std::mem::replace(&mut watcher.begun, true) { encode::MULTIPLY_ADD } else { encode::MUL };
        let with = match alarm {
            // The sum of squares is at least the square of any of them; it is NaN where one is.
            Alarm::Parameter => Source::Register(register),
            // Infinity and NaN times 0 are NaN, all other numbers 0.
            Alarm::Gradient => zeros,
        };
        self.asm.two(op, watcher.register, register, with);
        self.release(value);
    }
}

/// Whether a body watches for this, in loops too.
fn has(body: &[Item], alarm: Alarm) -> bool {
    body.iter().any(|item| match item {
        Item::Watch { alarm: watched, .. } => *watched == alarm,
        Item::Loop(l) => has(&l.body, alarm),
        _ => false,
    })
}
