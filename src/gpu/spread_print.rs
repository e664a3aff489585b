//! Prints a spread kernel: shared loops, sums over the lanes of a workgroup, barriers. Twins: shaders/spread.wgsl and
//! shaders/evaluate_spread.wgsl.

use super::print::{Printer, place};
use super::spread::{Home, Spread};
use crate::graph::Binary;
use crate::kernel::{Array, Index, Instruction, Kernel, Loop, Statement, ValueId};
use std::collections::BTreeSet;
use std::fmt::Write;

/// What lanes have read and written of each other's since the last barrier.
#[derive(Default)]
struct Pending {
    read: BTreeSet<Array>,
    written: BTreeSet<Array>,
}

impl Pending {
    /// What a statement touches of arrays that lanes share.
    fn of(statement: &Statement, spread: &Spread) -> Pending {
        let mut pending = Pending::default();
        pending.touch(std::slice::from_ref(statement), spread);
        pending
    }

    fn touch(&mut self, body: &[Statement], spread: &Spread) {
        let shared = |array: &Array| spread.homes.get(array).is_some_and(|h| *h != Home::Own);
        for statement in body {
            match statement {
                Statement::Let(_, Instruction::Load(array, _)) if shared(array) => {
                    self.read.insert(*array);
                }
                Statement::Store(array, ..) if shared(array) => {
                    self.written.insert(*array);
                }
                Statement::Loop(l) => self.touch(&l.body, spread),
                _ => {}
            }
        }
    }

    /// Whether a barrier must stand between. No element is written twice in a step.
    fn forbids(&self, next: &Pending) -> bool {
        !self.written.is_disjoint(&next.read) || !self.read.is_disjoint(&next.written)
    }

    fn add(&mut self, more: Pending) {
        self.read.extend(more.read);
        self.written.extend(more.written);
    }

    fn is_empty(&self) -> bool {
        self.read.is_empty() && self.written.is_empty()
    }
}

impl Printer<'_> {
    /// All statements of a spread kernel. After those of a step no lane waits for another.
    pub(super) fn shared(&mut self, spread: &Spread) {
        let mut pending = Pending::default();
        let kernel: &Kernel = self.kernel;
        for statement in &kernel.body {
            let touched = Pending::of(statement, spread);
            if pending.forbids(&touched) {
                self.barrier(spread);
                pending = Pending::default();
            }
            pending.add(touched);
            match statement {
                Statement::Loop(l) => {
                    self.shared_loop(spread, l);
                    if self.join_lanes(spread, l) {
                        pending = Pending::default();
                    }
                }
                Statement::Store(array, ..) if spread.home(*array) != Home::Own => {
                    // Every lane has the value, one writes it.
                    self.line("if (lane == 0u) {");
                    self.depth += 1;
                    self.body(std::slice::from_ref(statement));
                    self.depth -= 1;
                    self.line("}");
                }
                other => self.body(std::slice::from_ref(other)),
            }
        }
        if !pending.is_empty() && !self.evaluation {
            self.barrier(spread);
        }
    }

    fn barrier(&mut self, spread: &Spread) {
        if spread.any_stored() {
            self.line("storageBarrier();");
        }
        self.line("workgroupBarrier();");
    }

    /// A loop whose turns the lanes share: each adds up its own.
    fn shared_loop(&mut self, spread: &Spread, l: &Loop) {
        for c in &l.carried {
            let init = self.initial(c.value, c.init);
            let begins = match spread.folds.get(&c.value).copied().flatten() {
                None => {
                    self.names[c.value as usize] = init;
                    continue;
                }
                Some(Binary::Add) => "0.0".to_owned(),
                Some(Binary::Mul) => "1.0".to_owned(),
                // An extremum may meet its start many times.
                Some(_) => init,
            };
            let name = format!("v{}", c.value);
            self.line(&format!("var {name} = {begins};"));
            self.names[c.value as usize] = name;
        }
        let (var, width, count) = (l.var, spread.width, l.count);
        let start = spread.starts.get(&var).copied().unwrap_or(0);
        let (from, to) = spread.rounds(l);
        self.line(&format!("for (var t{var} = {from}; t{var} < {to}; t{var}++) {{"));
        self.depth += 1;
        let shift = if start == 0 { String::new() } else { format!(" - {start}") };
        self.line(&format!("let i{var} = t{var} * {width} + own{shift};"));
        let mut tests = Vec::new();
        if start % width != 0 {
            tests.push(format!("i{var} >= 0"));
        }
        if (start + count) % width != 0 {
            tests.push(format!("i{var} < {count}"));
        }
        if !tests.is_empty() {
            self.line(&format!("if ({}) {{", tests.join(" && ")));
            self.depth += 1;
        }
        self.turn(l);
        if !tests.is_empty() {
            self.depth -= 1;
            self.line("}");
        }
        self.depth -= 1;
        self.line("}");
    }

    /// An accumulator's start.
    fn initial(&self, value: ValueId, init: ValueId) -> String {
        match self.magnitudes[value as usize] {
            true => self.magnitude(init),
            false => self.name(init).to_owned(),
        }
    }

    /// Joins what the lanes have added up; whether there was anything.
    fn join_lanes(&mut self, spread: &Spread, l: &Loop) -> bool {
        let (width, groups) = (spread.width, spread.groups);
        let joined: Vec<(ValueId, ValueId, Binary)> = l
            .carried
            .iter()
            .filter_map(|c| Some((c.value, c.init, spread.folds.get(&c.value).copied().flatten()?)))
            .collect();
        if joined.is_empty() {
            return false;
        }
        for (r, &(value, ..)) in joined.iter().enumerate() {
            let name = self.name(value);
            let word = if self.magnitudes[value as usize] { name.to_owned() } else { format!("bitcast<u32>({name})") };
            self.line(&format!("lane_words[{}u + lane] = {word};", r as u32 * width));
        }
        self.barrier(spread);
        // Each accumulator has lanes of its own, in another warp where there is one.
        let apart = (width / joined.len() as u32).min(32).max(groups);
        for (r, &(value, _, op)) in joined.iter().enumerate() {
            let first = r as u32 * apart % width;
            let kind = kind(op, self.magnitudes[value as usize]);
            let sum = format!("lanes_{kind}({}u + lane - {first}u)", r as u32 * width);
            let word = if kind == "top" { sum } else { format!("bitcast<u32>({sum})") };
            let here = match first {
                0 => format!("lane < {groups}u"),
                _ => format!("lane >= {first}u && lane < {}u", first + groups),
            };
            self.line(&format!("if ({here}) {{"));
            self.line(&format!("    group_words[{}u + lane - {first}u] = {word};", r as u32 * groups));
            self.line("}");
        }
        self.line("workgroupBarrier();");
        for (r, (value, init, op)) in joined.into_iter().enumerate() {
            let kind = kind(op, self.magnitudes[value as usize]);
            let all = format!("groups_{kind}({}u)", r as u32 * groups);
            let init = self.initial(value, init);
            let total = match op {
                Binary::Add if init != "0.0f" => format!("{init} + {all}"),
                Binary::Mul if init != "1.0f" => format!("{init} * {all}"),
                _ => all,
            };
            let name = format!("v{value}_all");
            self.line(&format!("let {name} = {total};"));
            self.names[value as usize] = name;
        }
        true
    }

    /// The text of an array's element.
    pub(super) fn shared_element(&self, spread: &Spread, array: Array, index: Index) -> String {
        let at = place(index);
        match array {
            Array::Gradient => return format!("extra[u32({at}) * params.count + slot]"),
            Array::X if self.evaluation => return format!("xs[packed_place(u32({at}))]"),
            _ => {}
        }
        let name = register(array);
        match (spread.home(array), array) {
            (Home::Own, _) => match index.terms().next() {
                None => pinned(array, index.offset),
                Some((var, _)) => {
                    let (grain, offset) = (spread.grain, index.offset.rem_euclid(spread.grain as i32));
                    let number = if grain == 1 { format!("t{var}") } else { format!("{grain} * t{var} + {offset}") };
                    match array {
                        Array::X if spread.halves => format!("x[here + {number}]"),
                        Array::Next if spread.halves => format!("x[there + {number}]"),
                        _ => format!("{name}[{number}]"),
                    }
                }
            },
            (Home::Group, Array::X) => format!("x_group[here + u32({at})]"),
            (Home::Group, Array::Next) => format!("x_group[there + u32({at})]"),
            (Home::Group, _) => format!("{name}_group[{at}]"),
            (Home::Stored, Array::Next) => format!("xs[there + u32({at})]"),
            (Home::Stored, Array::State(_)) => format!("states[{name}_first + u32({at})]"),
            (Home::Stored, Array::Scratch(k)) => {
                format!("extra[scratch_first + {}u + u32({at})]", self.scratch[k as usize])
            }
            (Home::Stored, _) => format!("xs[here + u32({at})]"),
        }
    }
}

/// What an array is called where it lies in lanes.
pub(super) fn register(array: Array) -> String {
    match array {
        Array::Next => "x_new".to_owned(),
        Array::State(k) => format!("s{k}"),
        Array::Scratch(k) => format!("scratch{k}"),
        Array::X | Array::Gradient => "x".to_owned(),
    }
}

/// An element of it that every lane keeps.
pub(super) fn pinned(array: Array, place: i32) -> String {
    format!("{}_at_{place}", register(array))
}

/// The suffix of the functions that join by an operator.
fn kind(op: Binary, magnitudes: bool) -> &'static str {
    match op {
        Binary::Mul => "product",
        Binary::Min => "least",
        Binary::Max if magnitudes => "top",
        Binary::Max => "most",
        _ => "sum",
    }
}

/// A module's constants, workgroup memory, and functions that join words of lanes in a balanced tree.
pub(super) fn declarations(kernel: &Kernel, spread: &Spread) -> String {
    let (width, groups, dim) = (spread.width, spread.groups, kernel.dim);
    let mut text = format!("const WIDTH = {width}u;\n");
    if spread.sums > 0 {
        let _ = writeln!(text, "var<workgroup> lane_words: array<u32, {}>;", spread.sums * width);
        let _ = writeln!(text, "var<workgroup> group_words: array<u32, {}>;", spread.sums * groups);
    }
    for (&array, _) in spread.homes.iter().filter(|h| *h.1 == Home::Group) {
        let _ = match array {
            Array::X => writeln!(text, "var<workgroup> x_group: array<f32, {}>;", 2 * dim),
            Array::Scratch(k) => {
                writeln!(text, "var<workgroup> scratch{k}_group: array<f32, {}>;", kernel.scratch[k as usize])
            }
            Array::State(k) => writeln!(text, "var<workgroup> s{k}_group: array<f32, {dim}>;"),
            Array::Next | Array::Gradient => Ok(()),
        };
    }
    text.push('\n');
    text
}

/// The functions that `code` calls to join words.
pub(super) fn joins(code: &str, spread: &Spread) -> String {
    let mut text = String::new();
    for (words, count, stride) in [("lane", spread.width / spread.groups, spread.groups), ("group", spread.groups, 1)] {
        for (kind, join) in [
            ("sum", "($ + @)"),
            ("product", "($ * @)"),
            ("least", "min($, @)"),
            ("most", "max($, @)"),
            ("top", "max($, @)"),
        ] {
            let name = format!("{words}s_{kind}(");
            if !code.contains(&name) {
                continue;
            }
            let (result, read) = if kind == "top" { ("u32", "$") } else { ("f32", "bitcast<f32>($)") };
            let mut items: Vec<String> =
                (0..count).map(|k| read.replace('$', &format!("{words}_words[first + {}u]", k * stride))).collect();
            while items.len() > 1 {
                items = items.chunks(2).map(|p| join.replace('$', &p[0]).replace('@', &p[1])).collect();
            }
            let _ = write!(text, "fn {name}first: u32) -> {result} {{\n    return {};\n}}\n\n", items[0]);
        }
    }
    text
}

/// Private arrays and pinned elements of some arrays.
pub(super) fn private(spread: &Spread, wanted: impl Fn(Array) -> bool) -> String {
    let mut text = String::new();
    let own = spread.homes.iter().filter(|h| *h.1 == Home::Own && wanted(*h.0));
    for (&array, _) in own {
        let numbers = spread.numbers();
        let _ = match array {
            Array::X if spread.halves => {
                writeln!(text, "var x: array<f32, {}>;\nvar here = 0;\nvar there = {numbers};", 2 * numbers)
            }
            Array::Next if spread.halves => Ok(()),
            _ => writeln!(text, "var {}: array<f32, {numbers}>;", register(array)),
        };
        for p in spread.pins(array) {
            let _ = writeln!(text, "var {} = 0.0;", pinned(array, p));
        }
    }
    text
}
