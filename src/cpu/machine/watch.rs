//! Alarms: registers that add up what tells of blow-ups.

use super::code::{Alarm, Item, Value};
use super::emit::{Emitter, Watcher};
use super::encode::{self, Form, Source};

impl Emitter<'_> {
    /// Keeps registers for the alarms of `tiles` tiles. In loops they begin at zero, else with the first value watched.
    pub(super) fn watch(&mut self, tiles: usize, body: &[Item]) {
        let loops = body.iter().any(|i| matches!(i, Item::Loop(_)));
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
            let mut some = || (0..each).map(|_| watcher()).collect();
            let both = [some(), some()];
            self.watchers.push(both);
        }
    }

    /// The sums of a tile's alarms: that of the gradient, then the parameters' with the gradient's added.
    pub(super) fn alarms(&mut self, tile: usize) -> (u8, u8) {
        let mut join = |k: usize| {
            let mut sum: Option<u8> = None;
            for w in &self.watchers[tile][k] {
                match sum {
                    _ if !w.begun => {}
                    None => sum = Some(w.register),
                    Some(sum) => self.asm.two(encode::ADD, sum, sum, Source::Register(w.register)),
                }
            }
            sum.unwrap_or_else(|| {
                let register = self.watchers[tile][k][0].register;
                self.asm.clear(register);
                register
            })
        };
        let (parameter, gradient) = (join(0), join(1));
        self.asm.two(encode::ADD, parameter, parameter, Source::Register(gradient));
        (gradient, parameter)
    }

    pub(super) fn watched(&mut self, alarm: Alarm, tile: usize, value: Value) {
        let k = usize::from(alarm == Alarm::Gradient);
        let register = self.in_register(value);
        let zeros = self.zeros.map_or(Source::Vector(self.zero()), Source::Register);
        let all = self.watchers[tile][k].len();
        let watcher = &mut self.watchers[tile][k][self.turn / 2 % all];
        self.turn += 1;
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
