//! The module that descends: a step's generated code, for one restart or several abreast. Twin: shaders/descend.wgsl.

use super::buffers::Packing;
use super::library::{DESCEND, SPREAD, filled, with_library};
use super::print::{Alarm, Layout, Printer, fresh};
use super::registers::Registers;
use super::shader::{REGIONS, Shader, entries, looped, straight, tables};
use super::spread::{Home, Spread, lower_spread};
use super::spread_descent::{commit, enter, extra_rows, leave};
use super::spread_print::{declarations, joins};
use super::target::Target;
use crate::error::Error;
use crate::kernel::{Array, Kernel};
use crate::plan::{Plan, Program};
use crate::random::Purpose;
use crate::step::Step;
use std::fmt::Write;

/// What is printed for one restart of an invocation.
struct Restart<'a> {
    step: &'a Step,
    kernel: &'a Kernel,
    layout: Layout,
    /// How it is spread over a workgroup, where it is.
    spread: Option<&'a Spread>,
    angles: Angles,
    dim: u32,
    packing: Packing,
    /// Which of its invocation's restarts it is, of how many.
    place: (u32, u32),
    /// What its names end in.
    tail: String,
    /// Frozen by selection where it stops; otherwise the loop is left.
    freezes: bool,
    /// Numbers of hyperparameters drawn for each restart.
    drawn: &'a [usize],
    /// Whether restarts of several configurations run side by side.
    many: bool,
}

/// Which angles a module's sines, cosines and tangents know, and so which restarts it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Angles {
    /// All, and it takes all restarts.
    Any,
    /// Small ones. A step that meets another does not stand, and its restart goes on in the module of the rest.
    Small,
    /// All, and it takes those that were left to it, each at its own step.
    Rest,
}

/// A lowered step and where its arrays live.
struct Lowered {
    kernel: Kernel,
    spread: Option<Spread>,
    layout: Layout,
    packing: Packing,
}

/// The module that descends, for configurations `numbers` side by side.
///
/// In registers the state before a step is there until the step stands. So there a module whose formula has sines, cosines
/// or tangents knows small angles only (`leaves`), and [`remainder`] goes on with what is left. Which of the two makes a
/// step depends on what the restart has met so far and on nothing else.
pub(super) fn descent(plan: &Plan, program: &Program, numbers: &[usize], target: &Target) -> Result<Shader, Error> {
    let lowered = lowered(plan, program, target, true)?;
    let small = lowered.layout == Layout::Straight && lowered.kernel.has_angles();
    let angles = if small { Angles::Small } else { Angles::Any };
    Ok(module(plan, program, numbers, target, lowered, angles))
}

/// The module that goes on with restarts that have met a large angle, which lie as those of [`descent`] do.
pub(super) fn remainder(plan: &Plan, program: &Program, numbers: &[usize], target: &Target) -> Result<Shader, Error> {
    let first = lowered(plan, program, target, true)?;
    let own = lowered(plan, program, target, false)?;
    // Arrays in storage would lie otherwise.
    let lowered = match own.layout {
        Layout::Straight | Layout::Loops => Lowered { packing: first.packing, ..own },
        Layout::Storage | Layout::Spread => first,
    };
    Ok(module(plan, program, numbers, target, lowered, Angles::Rest))
}

fn lowered(plan: &Plan, program: &Program, target: &Target, small: bool) -> Result<Lowered, Error> {
    let (step, surface) = (&*program.step, plan.surface());
    let (dim, states) = (surface.dim(), step.states as u32);
    let held = (1 + states) * dim;
    let (graph, outputs) = (&step.graph, step.outputs());
    let spread = lower_spread(graph, &outputs, surface, target, states);
    let straight = straight(graph, &outputs, surface, target, held, small, target.straight_limit);
    if let Some(kernel) = straight.filter(|kernel| target.fits(kernel, held, spread.is_some())) {
        return Ok(Lowered { kernel, spread: None, layout: Layout::Straight, packing: Packing::widest(dim) });
    }
    if let Some((kernel, spread)) = spread {
        // A restart's lanes read neighbouring words.
        let packing = Packing::whole(dim);
        return Ok(Lowered { kernel, spread: Some(spread), layout: Layout::Spread, packing });
    }
    let kernel = looped(graph, &outputs, surface)?;
    let arrays = [2 * dim].into_iter().chain((0..states).map(|_| dim)).chain(kernel.scratch.iter().copied());
    let (layout, packing) =
        if target.private.holds(arrays) { (Layout::Loops, Packing::NONE) } else { (Layout::Storage, Packing::NONE) };
    Ok(Lowered { kernel, spread: None, layout, packing })
}

fn module(
    plan: &Plan,
    program: &Program,
    numbers: &[usize],
    target: &Target,
    lowered: Lowered,
    angles: Angles,
) -> Shader {
    let (step, surface) = (&*program.step, plan.surface());
    let (dim, states) = (surface.dim(), step.states as u32);
    let held = (1 + states) * dim;
    let Lowered { kernel, spread, layout, packing } = lowered;
    let scratch: u32 = kernel.scratch.iter().sum();
    // Those that are left begin at steps of their own.
    let alone = layout != Layout::Straight || kernel.turns() > 0 || angles == Angles::Rest;
    let weight = kernel.weight(angles == Angles::Small);
    let abreast = if alone { 1 } else { target.abreast(dim, held, weight) };
    let many = numbers.len() > 1;
    let scheduled = plan.scheduled(numbers);
    let varying = step.host.varying(&scheduled);
    let drawn: Vec<usize> = (0..program.chain.hyper.len()).filter(|&k| program.chain.hyper[k].drawn).collect();
    let restarts: Vec<Restart<'_>> = (0..abreast)
        .map(|r| Restart {
            step,
            kernel: &kernel,
            layout,
            spread: spread.as_ref(),
            angles,
            dim,
            packing,
            place: (r, abreast),
            tail: if abreast == 1 { String::new() } else { format!("_{r}") },
            freezes: target.freezes && layout == Layout::Straight,
            drawn: &drawn,
            many,
        })
        .collect();
    let all = |part: &dyn Fn(&Restart<'_>) -> String| restarts.iter().map(part).collect::<String>();
    // Where one configuration runs, all restarts share its scalars.
    let owners = if many { &restarts[..] } else { &restarts[..1] };
    let hosts = |wanted: bool| -> String {
        let own = owners.iter().flat_map(|r| {
            let numbers = varying.iter().enumerate().filter(move |(_, varies)| **varies == wanted).map(|(k, _)| k);
            numbers.map(|k| r.host(k, wanted))
        });
        own.collect()
    };
    let begins = if angles == Angles::Rest { "taken - params.step" } else { "0u" };
    let mut code = all(&|r| r.step(entries(surface)));
    if abreast > 1 {
        let running: Vec<String> = restarts.iter().map(|r| format!("running{}", r.tail)).collect();
        let _ = writeln!(code, "if (!({})) {{\n    break;\n}}", running.join(" | "));
    } else if restarts[0].freezes {
        code.push_str("if (!running) {\n    break;\n}\n");
    }
    let parts = [
        ("enter", all(&|r| r.enter())),
        ("begins", format!("let begins = {begins};")),
        ("steady", hosts(false)),
        ("host", hosts(true)),
        ("step", code),
        ("leave", all(&|r| r.leave())),
    ];
    let mut sizes = format!("const ABREAST = {abreast}u;\nconst HOST_SCALARS = {}u;\n", step.host.len());
    if let Some(draws) = plan.row_draws() {
        let _ = writeln!(
            sizes,
            "const ROWS = {}u;\nconst BATCH = {}u;\nconst REPLACEMENT = {};\nconst COLUMNS = {}u;\nconst ROW_TAG = {}u;",
            draws.rows,
            draws.batch,
            draws.replacement,
            step.rows.columns,
            Purpose::Batch.tag(0),
        );
    }
    if layout == Layout::Straight && packing.0 > 1 {
        for (binding, name) in [(1, "xs"), (2, "states")] {
            let _ = writeln!(
                sizes,
                "@group(0) @binding({binding}) var<storage, read_write> packed_{name}: array<vec{}<f32>>;",
                packing.0
            );
        }
    }
    if angles == Angles::Rest && layout == Layout::Loops {
        sizes += &packing.constant();
    }
    sizes.push('\n');
    let tables = tables(&kernel);
    let Some(spread) = spread else {
        let text = with_library(&(sizes + &filled(DESCEND, &parts)));
        let extra_rows = if layout == Layout::Storage { scratch } else { 0 };
        let double = layout == Layout::Storage;
        let turns = kernel.turns();
        return Shader { text, layout, tables, extra_rows, turns, abreast, packing, double };
    };
    let _ = writeln!(sizes, "const DIM = {dim}u;");
    let code = filled(SPREAD, &parts);
    let text = with_library(&(sizes + &declarations(&kernel, &spread) + &joins(&code, &spread) + &code));
    let extra_rows = extra_rows(&spread, &kernel);
    let double = spread.home(Array::X) == Home::Stored;
    Shader { text, layout, tables, extra_rows, turns: spread.turns, abreast, packing, double }
}

impl Restart<'_> {
    /// Whether steps ask for a stopping test.
    fn tested(&self) -> bool {
        self.step.value.is_some() || self.step.gradient_norm.is_some()
    }

    /// Reads a host scalar.
    fn host(&self, k: usize, every_step: bool) -> String {
        let tail = if self.many { &self.tail } else { "" };
        let row = if self.many { format!("row{tail} + ") } else { String::new() };
        let moving = if every_step { "k * params.advance * HOST_SCALARS + " } else { "" };
        format!("let h{k}{tail} = host[{row}{moving}{k}u];\n")
    }

    /// Takes the restart from the list and loads it.
    fn enter(&self) -> String {
        let (dim, states) = (self.dim, self.step.states as u32);
        let (t, (number, abreast)) = (&self.tail, self.place);
        let mut text = String::new();
        if let Some(spread) = self.spread {
            if self.many {
                text.push_str("let row = configuration * params.rows * HOST_SCALARS;\n");
            }
            if self.tested() {
                text.push_str("var before = bitcast<f32>(found.w);\n");
            }
            for k in self.drawn {
                let _ = writeln!(text, "let d{k} = values[{}u * params.count + slot];", REGIONS as usize + k);
            }
            return text + &enter(spread, self.kernel, states);
        }
        let place = if number == 0 { "first".to_owned() } else { format!("first + {}u", 64 * number) };
        if number == 0 {
            let _ = writeln!(text, "enter(queue.slots[params.list + first]);");
        } else {
            let _ = writeln!(text, "enter(queue.slots[params.list + min({place}, params.listed - 1u)]);");
        }
        if abreast > 1 {
            let _ = writeln!(text, "let slot{t} = slot;");
            if self.draws() {
                let _ = writeln!(text, "let restart{t} = restart;");
            }
        }
        if self.many {
            let _ = writeln!(text, "let row{t} = configuration * params.rows * HOST_SCALARS;");
        }
        if self.freezes {
            let listed = if number == 0 { String::new() } else { format!("({place} < params.listed) & ") };
            let _ = writeln!(text, "let begun{t} = {listed}((status[slot{t}] & 0xffu) == {});", self.takes());
            let _ = writeln!(text, "var code{t} = select(MAX_STEPS, RUNNING, begun{t});");
            if self.angles == Angles::Rest {
                text.push_str("let taken = status[params.count + slot];\n");
            }
        } else {
            let _ = writeln!(text, "if ((status[slot] & 0xffu) != {}) {{\n    return;\n}}", self.takes());
            text.push_str("var code = RUNNING;\nvar taken = status[params.count + slot];\n");
        }
        if self.step.value.is_some() {
            let _ = writeln!(text, "var before{t} = values[LAST_VALUE * params.count + slot{t}];");
        } else if self.tested() {
            let _ = writeln!(text, "let before{t} = 0.0;");
        }
        for k in self.drawn {
            let _ = writeln!(text, "let d{k}{t} = values[{}u * params.count + slot{t}];", REGIONS as usize + k);
        }
        match self.layout {
            Layout::Straight => text += &self.registers().load(),
            Layout::Loops => {
                let _ = writeln!(text, "var x: array<f32, {}>;\nvar here = 0;\nvar there = {dim};", 2 * dim);
                for k in 0..states {
                    let _ = writeln!(text, "var s{k}: array<f32, {dim}>;");
                }
                let _ = writeln!(text, "for (var i = 0; i < {dim}; i++) {{\n    x[i] = xs[{}];", self.stored(0));
                for k in 0..states {
                    let _ = writeln!(text, "    s{k}[i] = states[{}];", self.stored(k));
                }
                text.push_str("}\n");
                text += &Printer::new(self.kernel, self.layout, false, 0, 0).private_scratch();
            }
            Layout::Storage | Layout::Spread => {
                let _ = writeln!(text, "var here = 0;\nvar there = {dim};");
            }
        }
        text
    }

    /// The status of the restarts that it takes.
    fn takes(&self) -> &'static str {
        if self.angles == Angles::Rest { "BEYOND" } else { "RUNNING" }
    }

    /// Where element `i` of an array lies, of restarts in private arrays.
    fn stored(&self, array: u32) -> String {
        let first = array * self.packing.padded(self.dim);
        match self.packing {
            Packing::NONE if first == 0 => "u32(i) * params.count + slot".to_owned(),
            Packing::NONE => format!("u32({first} + i) * params.count + slot"),
            _ => format!("packed_place(u32({first} + i))"),
        }
    }

    fn registers(&self) -> Registers<'_> {
        let (dim, states, packing) = (self.dim, self.step.states as u32, self.packing);
        Registers { dim, states, packing, tail: &self.tail, looped: self.freezes }
    }

    /// Whether the step draws random numbers.
    fn draws(&self) -> bool {
        self.step.sites > 0
    }

    /// The test of whether a restart stops at its point, with the step's value and squared gradient norm as far as it gives them out.
    fn reason(&self, value: Option<&str>, norm: Option<&str>) -> String {
        format!("reason({}, {}, before{}, step > 1u)", value.unwrap_or("0.0"), norm.unwrap_or("1.0"), self.tail)
    }

    /// A step, and whether it stands.
    fn step(&self, first: u32) -> String {
        let t = &self.tail;
        let host_tail = if self.many { t.as_str() } else { "" };
        let printer = Printer::new(self.kernel, self.layout, false, 0, first);
        let small = self.angles == Angles::Small;
        let printer = printer.of_restart(t, host_tail).over(self.spread).of_small_angles(small);
        if self.layout == Layout::Straight
            && !self.freezes
            && let Some((text, alarm, scalars)) = printer.clone().print_alarmed()
        {
            return self.alarmed(text, &alarm, scalars);
        }
        let (mut text, scalars) = printer.print();
        if small {
            text.insert_str(0, &format!("var widest{t} = 0u;\n"));
        }
        if self.place.1 > 1 && self.draws() {
            text.insert_str(0, &format!("restart = restart{t};\n"));
        }
        let mut names = scalars.into_iter();
        let mut next = |wanted: bool| if wanted { names.next() } else { None };
        let (worst_x, worst_gradient) = (next(true).unwrap_or_default(), next(true).unwrap_or_default());
        let value = next(self.step.value.is_some());
        let norm = next(self.step.gradient_norm.is_some());
        let reason = self.reason(value.as_deref(), norm.as_deref());
        if self.freezes {
            let _ = writeln!(text, "let nonfinite{t} = {worst_gradient} >= INFINITE;");
            let (mut found, mut cause) = (String::new(), "DIVERGED".to_owned());
            if self.tested() {
                let _ = writeln!(text, "let found{t} = {reason};");
                found = format!("(found{t} != RUNNING) | ");
                cause = format!("select(found{t}, DIVERGED, found{t} == RUNNING)");
            }
            let (mut beyond, mut cause) = (String::new(), format!("select({cause}, NONFINITE, nonfinite{t})"));
            if small {
                let _ = writeln!(text, "let beyond{t} = widest{t} > M_SMALL_ANGLE_BITS;");
                beyond = format!("beyond{t} | ");
                cause = format!("select({cause}, BEYOND, beyond{t})");
            }
            // One number says how a restart stopped, and at which step: what changes from turn to turn costs this device a load, a
            // selection and a store.
            let stops = format!("{beyond}nonfinite{t} | {found}({worst_x} > GONE)");
            let _ = writeln!(text, "let stops{t} = (code{t} == RUNNING) & ({stops});");
            let _ = writeln!(text, "code{t} = select(code{t}, (k << 8u) | {cause}, stops{t});");
            let _ = writeln!(text, "let running{t} = code{t} == RUNNING;");
            if let Some(value) = value {
                let _ = writeln!(text, "before{t} = select(before{t}, {value}, running{t});");
            }
        } else {
            if small {
                // Before all else: whatever a step made of an angle that it does not know means nothing.
                text.push_str("if (widest > M_SMALL_ANGLE_BITS) {\n    code = BEYOND;\n    break;\n}\n");
            }
            let _ = writeln!(text, "if ({worst_gradient} >= INFINITE) {{\n    code = NONFINITE;\n    break;\n}}");
            if self.tested() {
                let _ = writeln!(text, "code = {reason};\nif (code != RUNNING) {{\n    break;\n}}");
            }
            if let Some(value) = value {
                let _ = writeln!(text, "before = {value};");
            }
            let _ = writeln!(text, "if ({worst_x} > GONE) {{\n    code = DIVERGED;\n    break;\n}}");
        }
        self.commit(&mut text);
        text
    }

    /// The same with an alarm in the place of the tests for blow-ups.
    ///
    /// A restart that stops keeps the point before the step, but nobody asks for its states: they are replaced before the alarm is
    /// looked at, so that old and new ones need not be held together. One that is left for the module of the rest keeps its states.
    fn alarmed(&self, mut text: String, alarm: &Alarm, scalars: Vec<String>) -> String {
        let mut names = scalars.into_iter();
        let mut next = |wanted: bool| if wanted { names.next() } else { None };
        let (value, norm) = (next(self.step.value.is_some()), next(self.step.gradient_norm.is_some()));
        let Alarm { before, sum, exact, worst_x, nonfinite } = alarm;
        // Whatever a step made of an angle that it does not know means nothing, so this comes before all else.
        let leaves = if self.angles == Angles::Small {
            "if (bitcast<u32>(widest) > M_SMALL_ANGLE_BITS) {\n    code = BEYOND;\n    break;\n}\n"
        } else {
            ""
        };
        text.push_str(before);
        let states = self.step.states as u32;
        if states > 0 {
            text.push_str(leaves);
        }
        self.take(&mut text, (0..states).map(|k| (format!("s{k}_"), Array::State(k))));
        let mut rings = if states > 0 { String::new() } else { leaves.to_owned() };
        let _ = writeln!(rings, "{exact}if ({nonfinite}) {{\n    code = NONFINITE;\n    break;\n}}");
        let gone = if self.tested() { "gone = true;" } else { "code = DIVERGED;\n    break;" };
        let _ = writeln!(rings, "if ({worst_x} > GONE) {{\n    {gone}\n}}");
        if self.tested() {
            text.push_str("var gone = false;\n");
        }
        let _ = writeln!(text, "if (bitcast<u32>({sum}) > GONE) {{");
        rings.lines().for_each(|line| text += &format!("    {line}\n"));
        text.push_str("}\n");
        if self.tested() {
            let reason = self.reason(value.as_deref(), norm.as_deref());
            let _ = writeln!(text, "code = {reason};\nif (code != RUNNING) {{\n    break;\n}}");
            if let Some(value) = value {
                let _ = writeln!(text, "before = {value};");
            }
            text.push_str("if (gone) {\n    code = DIVERGED;\n    break;\n}\n");
        }
        self.take(&mut text, [("x".to_owned(), Array::Next)]);
        text.push_str("taken += 1u;\n");
        text
    }

    /// Makes what a step has made of these arrays, whose elements' names begin so, the current one.
    fn take(&self, text: &mut String, arrays: impl IntoIterator<Item = (String, Array)>) {
        let t = &self.tail;
        for (name, array) in arrays {
            for i in 0..self.dim as i32 {
                let new = fresh(array, i, t);
                // Nobody asks for the states of a restart that has stopped, but where it is left for the module of the rest.
                let _ = match self.freezes && (array == Array::Next || self.angles == Angles::Small) {
                    true => writeln!(text, "{name}{i}{t} = select({name}{i}{t}, {new}, running{t});"),
                    false => writeln!(text, "{name}{i}{t} = {new};"),
                };
            }
        }
    }

    /// Makes new parameters and states the current ones.
    fn commit(&self, text: &mut String) {
        if self.layout == Layout::Straight {
            let states = (0..self.step.states as u32).map(|k| (format!("s{k}_"), Array::State(k)));
            self.take(text, [("x".to_owned(), Array::Next)].into_iter().chain(states));
        } else if let Some(spread) = self.spread {
            text.push_str(&commit(spread));
        } else {
            text.push_str("let turn = here;\nhere = there;\nthere = turn;\n");
        }
        if !self.freezes {
            text.push_str("taken += 1u;\n");
        }
    }

    /// Stores the restart.
    fn leave(&self) -> String {
        let (dim, states) = (self.dim, self.step.states as u32);
        let t = &self.tail;
        if let Some(spread) = self.spread {
            return leave(spread, dim, states, self.step.value.is_some());
        }
        let mut text = String::new();
        match self.layout {
            Layout::Straight => text += &self.registers().store(),
            Layout::Loops => {
                let _ = writeln!(text, "for (var i = 0; i < {dim}; i++) {{\n    xs[{}] = x[here + i];", self.stored(0));
                for k in 0..states {
                    let _ = writeln!(text, "    states[{}] = s{k}[i];", self.stored(k));
                }
                text.push_str("}\n");
            }
            Layout::Storage | Layout::Spread => {
                // Between dispatches the first half is the current one.
                let _ = writeln!(
                    text,
                    "if (here != 0) {{\n    for (var i = 0; i < {dim}; i++) {{\n        xs[u32(i) * params.count + slot] = xs[u32({dim} + i) * params.count + slot];\n    }}\n}}"
                );
            }
        }
        let (end, taken) = if self.freezes {
            let _ = writeln!(text, "let end{t} = code{t} & 0xffu;");
            let _ = writeln!(text, "let made{t} = select(code{t} >> 8u, params.steps, end{t} == RUNNING);");
            (format!("end{t}"), format!("params.step + made{t}"))
        } else {
            ("code".to_owned(), "taken".to_owned())
        };
        let status = match self.angles {
            Angles::Rest => format!("select({end}, BEYOND, {end} == RUNNING)"),
            _ => end.clone(),
        };
        let _ = writeln!(text, "status[slot{t}] = (params.epoch << 8u) | {status};");
        let _ = writeln!(text, "status[params.count + slot{t}] = {taken};");
        if self.step.value.is_some() {
            let _ = writeln!(text, "values[LAST_VALUE * params.count + slot{t}] = before{t};");
        }
        let ended = match self.angles {
            Angles::Small => {
                let _ = writeln!(text, "if ({end} == BEYOND) {{\n    atomicAdd(&queue.beyond, 1u);\n}}");
                format!("!runs({end})")
            }
            _ => format!("{end} != RUNNING"),
        };
        let _ = writeln!(text, "if ({ended}) {{\n    atomicAdd(&queue.ended, 1u);\n}}");
        if !self.freezes {
            return text;
        }
        let inner = text.lines().fold(String::new(), |all, line| all + "    " + line + "\n");
        format!("if (begun{t}) {{\n{inner}}}\n")
    }
}
