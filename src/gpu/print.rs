//! Prints a kernel as WGSL: flat assignments of generated names, loops with known trip counts.

use super::spread::Spread;
use crate::graph::{Binary, Law, Unary};
use crate::kernel::{Array, Fused, Index, Instruction, Kernel, Loop, Statement, Type, ValueId, carried};
use crate::random::Purpose;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// Where a restart's arrays live while it descends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One named variable for each element: registers.
    Straight,
    /// Private arrays, in loops.
    Loops,
    /// Storage buffers, in loops.
    Storage,
    /// Over the invocations of a workgroup.
    Spread,
}

impl Layout {
    /// The name in results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Layout::Straight => "straight",
            Layout::Loops => "loops",
            Layout::Storage => "storage",
            Layout::Spread => "spread",
        }
    }
}

/// What stands in for the tests for blow-ups: while the sum of all new coordinates' magnitudes, and of the slopes' in units that
/// keep theirs small, is moderate, none is too large or not finite. The sum costs an addition for each, where magnitudes compared as
/// integers cost two instructions of half the rate (measured on an H100, Rosenbrock's function in two dimensions by sgd: 2.8e12
/// coordinate steps a second, where it was 2.2e12). A sum of numbers one of which is not finite is not finite, and is looked at by its
/// bits. Where it rings, `exact` tells what is the matter.
pub(super) struct Alarm {
    /// Statements before it.
    pub(super) before: String,
    pub(super) sum: String,
    /// Statements that find the largest magnitudes.
    pub(super) exact: String,
    pub(super) worst_x: String,
    /// Whether a slope is not finite.
    pub(super) nonfinite: String,
}

/// Up to this many coordinates, slopes are looked at one by one where an alarm rings, and those that tell by their coordinates
/// have no term. Beyond, registers are short, and each slope would hold one to the end of the step: a sum tells of all.
const FEW: usize = 48;

/// The sum of two.
fn sum(left: &str, right: &str) -> String {
    format!("{left} + {right}")
}

/// The larger of two.
fn larger(left: &str, right: &str) -> String {
    format!("max({left}, {right})")
}

/// Terms joined in pairs, so that no operation waits for many; 0 of none.
fn paired(terms: &[String], join: fn(&str, &str) -> String) -> String {
    match terms {
        [] => "0.0".to_owned(),
        [one] => one.clone(),
        _ => {
            let (left, right) = terms.split_at(terms.len() / 2);
            join(&paired(left, join), &paired(right, join))
        }
    }
}

/// A sum in pairs.
fn sum_of(terms: &[String]) -> String {
    paired(terms, |left, right| format!("({})", sum(left, right)))
}

/// Sums or largest of some of an alarm's terms each, side by side, so that no operation waits for many.
#[derive(Default)]
struct Terms {
    last: Vec<String>,
    count: usize,
}

impl Terms {
    const SIDES: usize = 4;

    /// Adds a number to the side whose turn it is.
    fn add(&mut self, printer: &mut Printer<'_>, name: &str, number: &str, join: fn(&str, &str) -> String) {
        let name = format!("{name}{}", self.count);
        let side = self.count % Terms::SIDES;
        self.count += 1;
        match self.last.get_mut(side) {
            Some(before) => {
                printer.line(&format!("let {name} = {};", join(before, number)));
                *before = name;
            }
            None => {
                printer.line(&format!("let {name} = {number};"));
                self.last.push(name);
            }
        }
    }
}

/// Prints one kernel's statements.
#[derive(Clone)]
pub(super) struct Printer<'k> {
    pub(super) kernel: &'k Kernel,
    layout: Layout,
    /// How the kernel is spread over a workgroup, where it is.
    pub(super) spread: Option<&'k Spread>,
    /// Whether the kernel is an evaluation: parameters are read where they are stored.
    pub(super) evaluation: bool,
    /// First row of the scratch arrays in `extra`.
    pub(super) scratch: Vec<u32>,
    /// First entries of the tables in `tables`.
    tables: Vec<u32>,
    pub(super) names: Vec<String>,
    /// Which values are magnitudes: bits of non-negative numbers, kept as `u32`.
    pub(super) magnitudes: Vec<bool>,
    /// Negative constants.
    below: HashSet<ValueId>,
    /// Values that only tell which coordinate (0) or slope (1) is the largest: computed where an alarm rings and nowhere else.
    rare: Vec<Option<usize>>,
    rare_texts: [String; 2],
    /// Whether sines, cosines and tangents know small angles only: then `widest` becomes the largest of the angles' magnitudes,
    small: bool,
    /// at each of them, or where an alarm is printed in one expression.
    alarmed: bool,
    /// The angles that `widest` has seen.
    angles: HashSet<ValueId>,
    /// What follows every name of a restart, where an invocation runs several; and every name of a host scalar.
    tails: (String, String),
    text: String,
    pub(super) depth: usize,
}

impl<'k> Printer<'k> {
    /// `first` is the entry of `tables` at which the kernel's own tables begin: the surface's table stands before them.
    pub(super) fn new(
        kernel: &'k Kernel,
        layout: Layout,
        evaluation: bool,
        gradient_rows: u32,
        first: u32,
    ) -> Printer<'k> {
        let mut row = gradient_rows;
        let scratch = kernel
            .scratch
            .iter()
            .map(|len| {
                row += len;
                row - len
            })
            .collect();
        let mut entry = first;
        let tables = kernel
            .tables
            .iter()
            .map(|t| {
                entry += t.values.len() as u32;
                entry - t.values.len() as u32
            })
            .collect();
        Printer {
            kernel,
            layout,
            spread: None,
            evaluation,
            scratch,
            tables,
            names: vec![String::new(); kernel.types.len()],
            magnitudes: magnitudes(kernel),
            below: HashSet::new(),
            rare: vec![None; kernel.types.len()],
            rare_texts: Default::default(),
            small: false,
            alarmed: false,
            angles: HashSet::new(),
            tails: Default::default(),
            text: String::new(),
            depth: 0,
        }
    }

    /// The same for one of several restarts, whose names end so; host scalars' names end in `host`.
    pub(super) fn of_restart(mut self, tail: &str, host: &str) -> Self {
        self.tails = (tail.to_owned(), host.to_owned());
        self
    }

    /// The same, whose sines, cosines and tangents know small angles only where this is so.
    pub(super) fn of_small_angles(self, small: bool) -> Self {
        Printer { small, ..self }
    }

    /// The same, spread over a workgroup.
    pub(super) fn over(mut self, spread: Option<&'k Spread>) -> Self {
        self.spread = spread;
        self
    }

    /// Declares scratch arrays where they are private. Outside of all loops: a declaration sets every element to zero.
    pub(super) fn private_scratch(&self) -> String {
        if self.spread.is_some() || self.scratch_stored() {
            return String::new();
        }
        let lengths = self.kernel.scratch.iter().enumerate();
        lengths.map(|(k, len)| format!("var scratch{k}: array<f32, {len}>;\n")).collect()
    }

    /// Whether scratch arrays lie in `extra`.
    fn scratch_stored(&self) -> bool {
        self.layout == Layout::Storage
    }

    /// The statements; then the scalar outputs' texts. The first two of a step are magnitudes.
    pub(super) fn print(mut self) -> (String, Vec<String>) {
        if let Some(spread) = self.spread {
            self.shared(spread);
        }
        if self.spread.is_none() {
            self.body(&self.kernel.body);
        }
        let text = |(k, &s): (usize, &ValueId)| match k < 2 && !self.evaluation {
            true => self.magnitude(s),
            false => self.name(s).to_owned(),
        };
        let scalars = self.kernel.scalars.iter().enumerate().map(text).collect();
        (self.text, scalars)
    }

    /// The statements of a straight step, an [`Alarm`] in the place of the tests for blow-ups, and the scalar outputs' texts; `None`
    /// where the kernel has loops or does not take magnitudes of single numbers.
    pub(super) fn print_alarmed(mut self) -> Option<(String, Alarm, Vec<String>)> {
        let kernel = self.kernel;
        let defined: HashMap<ValueId, Instruction> = kernel
            .body
            .iter()
            .filter_map(|s| match *s {
                Statement::Let(value, instruction) => Some((value, instruction)),
                _ => None,
            })
            .collect();
        let mut leaves = [Vec::new(), Vec::new()];
        for ((kind, leaves), &root) in leaves.iter_mut().enumerate().zip(&kernel.scalars) {
            let mut open = vec![root];
            while let Some(value) = open.pop() {
                match defined.get(&value)? {
                    Instruction::Unary(Unary::Magnitude, a) => leaves.push(*a),
                    Instruction::Binary(Binary::Max, a, b) if self.magnitudes[value as usize] => open.extend([*b, *a]),
                    // What the largest of none begins with.
                    Instruction::Constant(_) => continue,
                    _ => return None,
                }
                self.rare[value as usize].get_or_insert(kind);
            }
        }
        let [coordinates, mut slopes] = leaves;
        let few = slopes.len() <= FEW;
        if few {
            // A slope with which a coordinate is not finite needs no term of its own.
            let carries = carried(&kernel.body, &slopes.iter().copied().collect());
            let told: HashSet<ValueId> = coordinates.iter().filter_map(|x| carries.get(x).copied()).collect();
            slopes.retain(|slope| !told.contains(slope));
        }
        self.alarmed = true;
        let ordered = kernel.by_outputs();
        // A term follows the number that it looks at, so that nothing is held for the alarm's sake.
        let (mut far, mut steep, mut wide) = (Terms::default(), Terms::default(), Terms::default());
        let watched: [HashSet<ValueId>; 2] = [&coordinates, &slopes].map(|all| all.iter().copied().collect());
        for statement in ordered.as_deref().unwrap_or(&kernel.body) {
            self.body(std::slice::from_ref(statement));
            let &Statement::Let(value, instruction) = statement else { continue };
            if watched[0].contains(&value) {
                let number = format!("abs({})", self.name(value));
                far.add(&mut self, "far", &number, sum);
            }
            if watched[1].contains(&value) {
                let number = format!("abs({}) * FAINT", self.name(value));
                steep.add(&mut self, "steep", &number, sum);
            }
            if let Instruction::Unary(op, angle) = instruction
                && op.is_of_angle()
                && self.small
                && self.angles.insert(angle)
            {
                let number = format!("abs({})", self.name(angle));
                wide.add(&mut self, "wide", &number, larger);
            }
        }
        let mut before = String::new();
        let mut terms = far.last.clone();
        let worst_gradient = self.magnitude(kernel.scalars[1]);
        let mut exact = self.rare_texts[0].clone();
        let nonfinite = if few {
            terms.extend(steep.last);
            exact += &self.rare_texts[1];
            format!("{worst_gradient} >= INFINITE")
        } else {
            // None that is finite makes the sum infinite.
            let _ = writeln!(before, "let slopes = {};", sum_of(&steep.last));
            terms.push("slopes".to_owned());
            "magnitude(slopes) >= INFINITE".to_owned()
        };
        if !wide.last.is_empty() {
            let _ = writeln!(before, "let widest = {};", paired(&wide.last, larger));
            terms.push("widest * FAR".to_owned());
        }
        let worst_x = self.magnitude(kernel.scalars[0]);
        let scalars = kernel.scalars.iter().skip(2).map(|&s| self.name(s).to_owned()).collect();
        let alarm = Alarm { before, sum: sum_of(&terms), exact, worst_x, nonfinite };
        Some((self.text, alarm, scalars))
    }

    /// A magnitude's text.
    pub(super) fn magnitude(&self, value: ValueId) -> String {
        let name = &self.names[value as usize];
        match self.magnitudes[value as usize] {
            true => name.clone(),
            // What the largest of none begins with.
            false if self.below.contains(&value) || name == "0.0f" => "0u".to_owned(),
            false => format!("magnitude({name})"),
        }
    }

    /// The first `cut` statements, the others, and the scalar outputs' texts.
    pub(super) fn print_split(mut self, cut: usize) -> (String, String, Vec<String>) {
        self.body(&self.kernel.body[..cut]);
        let front = std::mem::take(&mut self.text);
        self.body(&self.kernel.body[cut..]);
        let scalars = self.kernel.scalars.iter().map(|&s| self.names[s as usize].clone()).collect();
        (front, self.text, scalars)
    }

    pub(super) fn line(&mut self, line: &str) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(super) fn name(&self, value: ValueId) -> &str {
        &self.names[value as usize]
    }

    pub(super) fn body(&mut self, body: &[Statement]) {
        for statement in body {
            match statement {
                Statement::Let(value, instruction) => self.assign(*value, *instruction),
                Statement::Store(array, index, value) => {
                    let line = if self.layout == Layout::Straight && !self.evaluation {
                        format!("let {} = {};", fresh(*array, index.offset, &self.tails.0), self.name(*value))
                    } else {
                        format!("{} = {};", self.element(*array, *index), self.name(*value))
                    };
                    self.line(&line);
                }
                Statement::Pick(draw) => {
                    self.line(&format!("let picked = pick_row(step, u32({})) * COLUMNS;", place(*draw)));
                }
                Statement::Loop(l) => {
                    for c in &l.carried {
                        let init = match self.magnitudes[c.value as usize] {
                            true => self.magnitude(c.init),
                            false => self.name(c.init).to_owned(),
                        };
                        let name = format!("v{}{}", c.value, self.tails.0);
                        let line = format!("var {name} = {init};");
                        self.names[c.value as usize] = name;
                        self.line(&line);
                    }
                    let (var, count) = (l.var, l.count);
                    let (from, to) = match l.block {
                        None => ("0".to_owned(), count.to_string()),
                        Some((outer, total)) => {
                            (format!("i{outer} * {count}"), format!("min(i{outer} * {count} + {count}, {total})"))
                        }
                    };
                    self.line(&format!("for (var i{var} = {from}; i{var} < {to}; i{var}++) {{"));
                    self.depth += 1;
                    self.turn(l);
                    self.depth -= 1;
                    self.line("}");
                }
            }
        }
    }

    /// One turn of a loop.
    pub(super) fn turn(&mut self, l: &Loop) {
        self.body(&l.body);
        // An accumulator may be read by another's next value: all are computed by now.
        let moves: Vec<String> = l
            .carried
            .iter()
            .filter(|c| self.name(c.next) != self.name(c.value))
            .map(|c| format!("{} = {};", self.name(c.value), self.name(c.next)))
            .collect();
        for line in moves {
            self.line(&line);
        }
    }

    fn assign(&mut self, value: ValueId, instruction: Instruction) {
        let text = match instruction {
            Instruction::Constant(bits) => {
                let number = f64::from_bits(bits) as f32;
                self.names[value as usize] = literal(number);
                if number < 0.0 {
                    self.below.insert(value);
                }
                return;
            }
            Instruction::Host(k) => {
                self.names[value as usize] = format!("h{k}{}", self.tails.1);
                return;
            }
            Instruction::Drawn(k) => {
                self.names[value as usize] = format!("d{k}{}", self.tails.0);
                return;
            }
            Instruction::Load(array, index) => {
                let element = self.element(array, index);
                if self.layout == Layout::Straight && !self.evaluation {
                    // A register is its own name: nothing writes to it before `commit`.
                    self.names[value as usize] = element;
                    return;
                }
                element
            }
            Instruction::Table(t, index) => format!("tables[{} + {}]", self.tables[t as usize], place(index)),
            Instruction::Data(index) => format!("tables[{}]", place(index)),
            Instruction::Picked(index) => format!("tables[picked + u32({})]", place(index)),
            Instruction::Position(index) => format!("f32({})", place(index)),
            Instruction::Unary(op, a) if self.small && op.is_of_angle() => {
                if !self.alarmed && self.angles.insert(a) {
                    let widest = format!("widest{}", self.tails.0);
                    self.line(&format!("{widest} = max({widest}, magnitude({}));", self.name(a)));
                }
                op.wgsl().replace("($)", "_small($)").replace('$', self.name(a))
            }
            Instruction::Unary(op, a) => op.wgsl().replace('$', self.name(a)),
            Instruction::Binary(Binary::Max, a, b) if self.magnitudes[value as usize] => {
                format!("max({}, {})", self.magnitude(a), self.magnitude(b))
            }
            Instruction::Binary(op, a, b) => {
                let mut text = String::new();
                for c in op.wgsl().chars() {
                    match c {
                        '$' => text.push_str(self.name(a)),
                        '@' => text.push_str(self.name(b)),
                        c => text.push(c),
                    }
                }
                text
            }
            Instruction::Select(c, a, b) => format!("select({}, {}, {})", self.name(b), self.name(a), self.name(c)),
            Instruction::Fused(op, a, b, c) => {
                let (a, b, c) = (self.name(a), self.name(b), self.name(c));
                match op {
                    Fused::Add => format!("fma({a}, {b}, {c})"),
                    Fused::Subtract => format!("fma({a}, {b}, -({c}))"),
                    Fused::SubtractFrom => format!("fma(-({a}), {b}, {c})"),
                }
            }
            Instruction::Draw { site, law, block } => {
                let function = match law {
                    Law::Normal => "draw_normal",
                    Law::Uniform => "draw_uniform",
                };
                format!("{function}(step, {}u + u32({}))", Purpose::Draw(site as u8).tag(0), place(block))
            }
            Instruction::Component(four, k) => {
                self.names[value as usize] =
                    format!("{}.{}", self.name(four), ["x", "y", "z", "w"][usize::from(k) % 4]);
                return;
            }
        };
        let prefix = match self.kernel.types[value as usize] {
            Type::Boolean => 'b',
            Type::Four => 'q',
            Type::Number => 'v',
        };
        let name = format!("{prefix}{value}{}", self.tails.0);
        // The text may be wrapped in brackets of its own.
        let bare = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).filter(|t| !t.contains(['(', ')']));
        let line = format!("let {name} = {};", bare.unwrap_or(&text));
        match self.rare[value as usize] {
            Some(kind) => self.rare_texts[kind] += &(line + "\n"),
            None => self.line(&line),
        }
        self.names[value as usize] = name;
    }

    /// The text of an array's element.
    fn element(&self, array: Array, index: Index) -> String {
        let at = place(index);
        let stored = |buffer: &str, row: &str| {
            let row = if row.is_empty() { at.clone() } else { format!("{row} + {at}") };
            format!("{buffer}[u32({row}) * params.count + slot]")
        };
        let dim = self.kernel.dim;
        if let Some(spread) = self.spread {
            return self.shared_element(spread, array, index);
        }
        if self.evaluation {
            return match array {
                Array::X => format!("xs[packed_place(u32({at}))]"),
                Array::Gradient => stored("extra", ""),
                Array::Scratch(k) if self.scratch_stored() => stored("extra", &self.scratch[k as usize].to_string()),
                Array::Scratch(k) => format!("scratch{k}[{at}]"),
                // An evaluation has no states and makes no step.
                Array::Next | Array::State(_) => stored("xs", ""),
            };
        }
        match (self.layout, array) {
            (Layout::Straight, Array::X) => format!("x{}{}", index.offset, self.tails.0),
            (Layout::Straight, Array::State(k)) => format!("s{k}_{}{}", index.offset, self.tails.0),
            (Layout::Straight, _) => fresh(array, index.offset, &self.tails.0),
            (Layout::Loops, Array::X) => format!("x[here + {at}]"),
            (Layout::Loops, Array::Next) => format!("x[there + {at}]"),
            (Layout::Loops, Array::State(k)) => format!("s{k}[{at}]"),
            (Layout::Loops, Array::Scratch(k)) => format!("scratch{k}[{at}]"),
            (Layout::Storage, Array::X) => stored("xs", "here"),
            (Layout::Storage, Array::Next) => stored("xs", "there"),
            (Layout::Storage, Array::State(k)) => stored("states", &(k * dim).to_string()),
            (Layout::Storage, Array::Scratch(k)) => stored("extra", &self.scratch[k as usize].to_string()),
            // A spread kernel's elements are found above.
            (_, Array::Gradient) | (Layout::Spread, _) => stored("extra", ""),
        }
    }
}

/// The name of a register's new value.
pub(super) fn fresh(array: Array, i: i32, tail: &str) -> String {
    match array {
        Array::State(k) => format!("s{k}_{i}{tail}_new"),
        Array::Scratch(k) => format!("scratch{k}_{i}{tail}"),
        _ => format!("x{i}{tail}_new"),
    }
}

/// Which values are magnitudes, or the largest of magnitudes: bits, and never read as numbers.
fn magnitudes(kernel: &Kernel) -> Vec<bool> {
    let mut found = vec![false; kernel.types.len()];
    // An accumulator is known by what its loop's body makes of it.
    while mark(&kernel.body, &mut found) {}
    found
}

fn mark(body: &[Statement], found: &mut [bool]) -> bool {
    let mut changed = false;
    for statement in body {
        match statement {
            Statement::Let(value, instruction) => {
                let is = match *instruction {
                    Instruction::Unary(op, _) => op == Unary::Magnitude,
                    Instruction::Binary(Binary::Max, a, b) => found[a as usize] || found[b as usize],
                    _ => false,
                };
                changed |= is && !std::mem::replace(&mut found[*value as usize], true);
            }
            Statement::Loop(l) => {
                changed |= mark(&l.body, found);
                for c in &l.carried {
                    let is = found[c.next as usize];
                    changed |= is && !std::mem::replace(&mut found[c.value as usize], true);
                }
            }
            Statement::Store(..) | Statement::Pick(_) => {}
        }
    }
    changed
}

/// An index as an `i32` expression.
pub(super) fn place(index: Index) -> String {
    let mut text = String::new();
    for (var, step) in index.terms() {
        if !text.is_empty() {
            text.push_str(" + ");
        }
        let _ = if step == 1 { write!(text, "i{var}") } else { write!(text, "{step} * i{var}") };
    }
    if text.is_empty() {
        return index.offset.to_string();
    }
    if index.offset != 0 {
        let _ = write!(text, " + {}", index.offset);
    }
    format!("({text})")
}

/// A number as a literal that is read back as the same `f32`.
pub(super) fn literal(v: f32) -> String {
    if !v.is_finite() {
        // WGSL has no literal for it, and must not fold one.
        return format!("bitcast<f32>({}u ^ params.zero)", v.to_bits());
    }
    let text = format!("{v:?}f");
    if v < 0.0 { format!("({text})") } else { text }
}
