//! How the numbers of a restart that lives in registers come from storage and go back there.

use super::buffers::Packing;
use std::fmt::Write;

/// From this many groups on a device that wants it moves them in a loop.
const LOOPED_FROM: u32 = 4;

/// The registers of one restart of an invocation: its parameters and states.
pub(super) struct Registers<'a> {
    pub(super) dim: u32,
    pub(super) states: u32,
    pub(super) packing: Packing,
    /// What the restart's names end in.
    pub(super) tail: &'a str,
    /// Whether many groups are moved by a loop that selects one of them at each turn. Mesa's rasterizer makes a loop over its
    /// lanes of every access to storage, and its compiler takes longer over hundreds of these than over a step (Adam in 100
    /// dimensions); of the loop's body it makes a few.
    pub(super) looped: bool,
}

/// An array in registers.
struct Held {
    buffer: String,
    /// The first of its groups in the buffer.
    first: u32,
    /// What its registers' names begin with.
    stem: String,
}

impl Registers<'_> {
    /// Groups of an array.
    fn groups(&self) -> u32 {
        self.dim.div_ceil(self.packing.0)
    }

    fn looped(&self) -> bool {
        self.looped && self.groups() >= LOOPED_FROM
    }

    fn held(&self) -> Vec<Held> {
        let prefix = if self.packing.0 > 1 { "packed_" } else { "" };
        let x = Held { buffer: format!("{prefix}xs"), first: 0, stem: "x".to_owned() };
        let states = (0..self.states).map(|k| Held {
            buffer: format!("{prefix}states"),
            first: k * self.groups(),
            stem: format!("s{k}_"),
        });
        std::iter::once(x).chain(states).collect()
    }

    /// The registers of an array's group.
    fn names(&self, held: &Held, group: u32) -> Vec<String> {
        let pack = self.packing.0;
        let all = group * pack..((group + 1) * pack).min(self.dim);
        all.map(|i| format!("{}{i}{}", held.stem, self.tail)).collect()
    }

    /// A group of so many numbers; those that are missing are 0.
    fn joined(&self, mut names: Vec<String>) -> String {
        names.resize(self.packing.0 as usize, "0.0".to_owned());
        match self.packing.0 {
            1 => names.remove(0),
            pack => format!("vec{pack}<f32>({})", names.join(", ")),
        }
    }

    /// The parts of a group that `name` holds.
    fn parts(&self, name: &str) -> Vec<String> {
        match self.packing.0 {
            1 => vec![name.to_owned()],
            pack => ["x", "y", "z", "w"][..pack as usize].iter().map(|part| format!("{name}.{part}")).collect(),
        }
    }

    fn turns(&self) -> String {
        let (t, groups) = (self.tail, self.groups());
        format!("for (var at{t} = 0u; at{t} < {groups}u + params.zero; at{t}++) {{\n")
    }

    /// Declares the registers and loads them.
    pub(super) fn load(&self) -> String {
        let (mut text, t) = (String::new(), self.tail);
        if !self.looped() {
            for held in &self.held() {
                for group in 0..self.groups() {
                    let place = format!("{}[{}u * params.count + slot{t}]", held.buffer, held.first + group);
                    let names = self.names(held, group);
                    let loaded = format!("{}_group", names[0]);
                    let _ = writeln!(text, "let {loaded} = {place};");
                    for (name, part) in names.iter().zip(self.parts(&loaded)) {
                        let _ = writeln!(text, "var {name} = {part};");
                    }
                }
            }
            return text;
        }
        let mut body = String::new();
        for held in &self.held() {
            let loaded = format!("{}group{t}", held.stem);
            let _ = writeln!(
                body,
                "    let {loaded} = {}[({}u + at{t}) * params.count + slot{t}];",
                held.buffer, held.first
            );
            for group in 0..self.groups() {
                for (name, part) in self.names(held, group).iter().zip(self.parts(&loaded)) {
                    let _ = writeln!(text, "var {name} = 0.0;");
                    let _ = writeln!(body, "    {name} = select({name}, {part}, at{t} == {group}u);");
                }
            }
        }
        text + &self.turns() + &body + "}\n"
    }

    /// Stores them.
    pub(super) fn store(&self) -> String {
        let (mut text, t) = (String::new(), self.tail);
        if !self.looped() {
            for held in &self.held() {
                for group in 0..self.groups() {
                    let place = format!("{}[{}u * params.count + slot{t}]", held.buffer, held.first + group);
                    let _ = writeln!(text, "{place} = {};", self.joined(self.names(held, group)));
                }
            }
            return text;
        }
        text += &self.turns();
        for held in &self.held() {
            let stored = format!("{}group{t}", held.stem);
            let _ = writeln!(text, "    var {stored} = {};", self.joined(self.names(held, 0)));
            for group in 1..self.groups() {
                let own = self.joined(self.names(held, group));
                let _ = writeln!(text, "    {stored} = select({stored}, {own}, at{t} == {group}u);");
            }
            let _ =
                writeln!(text, "    {}[({}u + at{t}) * params.count + slot{t}] = {stored};", held.buffer, held.first);
        }
        text + "}\n"
    }
}
