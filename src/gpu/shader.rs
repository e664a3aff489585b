//! Shaders: a program's three modules, generated code joined with the hand-written.

use super::library::{BEGIN, DESCEND, EVALUATE, filled, with_library};
use super::print::{Layout, Printer, fresh};
use crate::cpu::{KERNEL_LIMIT, with_large_stack};
use crate::error::Error;
use crate::graph::Graph;
use crate::kernel::{Array, Kernel, Outputs, lower_nest, lower_straight};
use crate::plan::{Plan, Program};
use crate::random::Purpose;
use crate::step::Evaluation;
use crate::surface::Surface;
use std::fmt::Write;

/// Up to this dimension a restart lives in registers. Measured: beyond it spilling and compile time cost more than loops.
const STRAIGHT_DIM: u32 = 32;
/// Straight code of more instructions than this is laid out in loops.
const STRAIGHT_LIMIT: usize = 2500;
/// Numbers that a restart may keep in private arrays.
const PRIVATE_LIMIT: u32 = 2048;
/// Regions of `values`.
pub(super) const REGIONS: u32 = 7;
/// Region of start values, of values asked for by a trace.
pub(super) const START_REGION: u32 = 3;
pub(super) const TRACE_REGION: u32 = 5;

/// The text of one module and what its buffers need.
#[derive(Clone, Debug)]
pub(super) struct Shader {
    pub(super) text: String,
    pub(super) layout: Layout,
    /// Constant tables, one after the other.
    pub(super) tables: Vec<f32>,
    /// Rows of `extra`.
    pub(super) extra_rows: u32,
    /// Loop turns of one step or evaluation.
    pub(super) turns: u64,
}

fn lower(graph: &Graph, outputs: &Outputs, surface: &Surface) -> Result<(Kernel, bool), Error> {
    let dim = surface.dim();
    with_large_stack(|| {
        let straight = if dim <= STRAIGHT_DIM { lower_straight(graph, outputs, dim, STRAIGHT_LIMIT) } else { None };
        if let Some(kernel) = straight {
            return Some((kernel, true));
        }
        let looped = lower_nest(graph, outputs, dim).map(|k| (k, false));
        looped.or_else(|| lower_straight(graph, outputs, dim, KERNEL_LIMIT / 10).map(|k| (k, true)))
    })
    .filter(|(kernel, _)| kernel.len() <= KERNEL_LIMIT / 10)
    .ok_or_else(|| Error::TooLarge { surface: surface.name().to_owned(), dim, limit: KERNEL_LIMIT / 10 })
}

fn tables(kernel: &Kernel) -> Vec<f32> {
    kernel.tables.iter().flat_map(|t| t.values.iter().map(|&v| v as f32)).collect()
}

/// The module that evaluates.
///
/// Its own tables begin at entry `first` of `tables`, behind the surface's table.
pub(super) fn evaluation(
    evaluation: &Evaluation,
    surface: &Surface,
    gradient: bool,
    first: u32,
) -> Result<Shader, Error> {
    let (kernel, _) = lower(&evaluation.graph, &evaluation.outputs(gradient), surface)?;
    let scratch: u32 = kernel.scratch.iter().sum();
    let layout = if scratch <= PRIVATE_LIMIT { Layout::Loops } else { Layout::Storage };
    let gradient_rows = if gradient { surface.dim() } else { 0 };
    let (mut text, scalars) = Printer::new(&kernel, layout, true, gradient_rows, first).print();
    let _ = write!(text, "let value = {};\nlet squared_norm = {};", scalars[0], scalars[1]);
    let text = with_library(&filled(EVALUATE, &[("evaluate", text)]));
    let extra_rows = gradient_rows + if layout == Layout::Storage { scratch } else { 0 };
    Ok(Shader { text, layout, tables: tables(&kernel), extra_rows, turns: kernel.turns() })
}

/// How many numbers the surface's table has.
pub(super) fn entries(surface: &Surface) -> u32 {
    surface.table().map_or(0, |table| table.values.len() as u32)
}

/// The module that begins a launch.
pub(super) fn beginning(dim: u32, states: usize) -> String {
    let sizes = format!("const DIM = {dim}u;\nconst STATES = {states}u;\nconst REGIONS = {REGIONS}u;\n\n");
    with_library(&(sizes + BEGIN))
}

/// The module that descends.
pub(super) fn descent(plan: &Plan, program: &Program) -> Result<Shader, Error> {
    let step = &program.step;
    let surface = plan.surface();
    let dim = surface.dim();
    let (kernel, straight) = lower(&step.graph, &step.outputs(), surface)?;
    let scratch: u32 = kernel.scratch.iter().sum();
    let states = step.states as u32;
    let layout = if straight && dim <= STRAIGHT_DIM {
        Layout::Straight
    } else if (2 + states) * dim + scratch <= PRIVATE_LIMIT {
        Layout::Loops
    } else {
        Layout::Storage
    };
    let (mut body, scalars) = Printer::new(&kernel, layout, false, 0, entries(surface)).print();
    let mut names = scalars.into_iter();
    let mut give = |name: &str, wanted: bool| {
        if wanted && let Some(value) = names.next() {
            let _ = writeln!(body, "let {name} = {value};");
        }
    };
    give("worst_x", true);
    give("worst_gradient", true);
    give("value", step.value.is_some());
    give("squared_norm", step.gradient_norm.is_some());
    let parts = [
        ("load", loads(layout, dim, states)),
        ("step", body),
        ("tests", tests(step.value.is_some(), step.gradient_norm.is_some())),
        ("commit", commits(layout, dim, states)),
        ("store", stores(layout, dim, states)),
    ];
    let mut sizes = format!("const HOST_SCALARS = {}u;\n", step.host.len());
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
    sizes.push('\n');
    let text = with_library(&(sizes + &filled(DESCEND, &parts)));
    let extra_rows = if layout == Layout::Storage { scratch } else { 0 };
    Ok(Shader { text, layout, tables: tables(&kernel), extra_rows, turns: kernel.turns() })
}

fn tests(value: bool, norm: bool) -> String {
    if !value && !norm {
        return String::new();
    }
    let (value_name, norm_name) = (if value { "value" } else { "0.0" }, if norm { "squared_norm" } else { "1.0" });
    let mut text = format!(
        "code = reason({value_name}, {norm_name}, before, taken > 0u);\nif (code != RUNNING) {{\n    break;\n}}\n"
    );
    if value {
        text.push_str("before = value;\n");
    }
    text
}

fn loads(layout: Layout, dim: u32, states: u32) -> String {
    let mut text = String::new();
    match layout {
        Layout::Straight => {
            for i in 0..dim {
                let _ = writeln!(text, "var x{i} = xs[{i}u * params.count + slot];");
            }
            for k in 0..states {
                for i in 0..dim {
                    let _ = writeln!(text, "var s{k}_{i} = states[{}u * params.count + slot];", k * dim + i);
                }
            }
        }
        Layout::Loops => {
            let _ = writeln!(text, "var x: array<f32, {}>;\nvar here = 0;\nvar there = {dim};", 2 * dim);
            for k in 0..states {
                let _ = writeln!(text, "var s{k}: array<f32, {dim}>;");
            }
            let _ = writeln!(text, "for (var i = 0; i < {dim}; i++) {{\n    x[i] = xs[u32(i) * params.count + slot];");
            for k in 0..states {
                let _ = writeln!(text, "    s{k}[i] = states[u32({} + i) * params.count + slot];", k * dim);
            }
            text.push_str("}\n");
        }
        Layout::Storage => {
            let _ = writeln!(text, "var here = 0;\nvar there = {dim};");
        }
    }
    text
}

fn commits(layout: Layout, dim: u32, states: u32) -> String {
    let mut text = String::new();
    if layout != Layout::Straight {
        text.push_str("let turn = here;\nhere = there;\nthere = turn;\n");
        return text;
    }
    for i in 0..dim as i32 {
        let _ = writeln!(text, "x{i} = {};", fresh(Array::Next, i));
    }
    for k in 0..states {
        for i in 0..dim as i32 {
            let _ = writeln!(text, "s{k}_{i} = {};", fresh(Array::State(k), i));
        }
    }
    text
}

fn stores(layout: Layout, dim: u32, states: u32) -> String {
    let mut text = String::new();
    match layout {
        Layout::Straight => {
            for i in 0..dim {
                let _ = writeln!(text, "xs[{i}u * params.count + slot] = x{i};");
            }
            for k in 0..states {
                for i in 0..dim {
                    let _ = writeln!(text, "states[{}u * params.count + slot] = s{k}_{i};", k * dim + i);
                }
            }
        }
        Layout::Loops => {
            let _ = writeln!(
                text,
                "for (var i = 0; i < {dim}; i++) {{\n    xs[u32(i) * params.count + slot] = x[here + i];"
            );
            for k in 0..states {
                let _ = writeln!(text, "    states[u32({} + i) * params.count + slot] = s{k}[i];", k * dim);
            }
            text.push_str("}\n");
        }
        Layout::Storage => {
            // Between dispatches the first half is the current one.
            let _ = writeln!(
                text,
                "if (here != 0) {{\n    for (var i = 0; i < {dim}; i++) {{\n        xs[u32(i) * params.count + slot] = xs[u32({dim} + i) * params.count + slot];\n    }}\n}}"
            );
        }
    }
    text
}
