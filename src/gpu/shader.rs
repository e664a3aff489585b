//! Shaders: a program's three modules, generated code joined with the hand-written.

use super::buffers::Packing;
use super::library::{BEGIN, COMPACT, EVALUATE, EVALUATE_SPREAD, filled, with_library};
use super::print::{Layout, Printer};
use super::spread::{Spread, lower_spread};
use super::spread_descent::{extra_rows, scratch_first};
use super::spread_print::{declarations, joins, private};
use super::target::Target;
use crate::cpu::{KERNEL_LIMIT, with_large_stack};
use crate::error::Error;
use crate::graph::Graph;
use crate::kernel::{Kernel, Outputs, lower_shared, lower_straight};
use crate::step::Evaluation;
use crate::surface::Surface;
use std::fmt::Write;

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
    /// Restarts of an invocation.
    pub(super) abreast: u32,
    /// How parameters and states lie.
    pub(super) packing: Packing,
    /// Whether parameters before and after a step both lie in storage.
    pub(super) double: bool,
}

impl Shader {
    /// Invocations, 64 to be a workgroup, that run this many restarts.
    pub(super) fn invocations(&self, restarts: u32) -> u32 {
        match self.layout {
            Layout::Spread => 64 * restarts,
            _ => 64 * restarts.div_ceil(64 * self.abreast),
        }
    }
}

/// Lowers to straight code for a restart of `numbers` numbers, whose sines know `small` angles only or all, where the target allows
/// that and the code is no heavier than `most`.
pub(super) fn straight(
    graph: &Graph,
    outputs: &Outputs,
    surface: &Surface,
    target: &Target,
    numbers: u32,
    small: bool,
    most: usize,
) -> Option<Kernel> {
    let dim = surface.dim();
    if !target.straight(dim, numbers) {
        return None;
    }
    with_large_stack(|| lower_straight(graph, outputs, dim, most)).filter(|kernel| kernel.weight(small) <= most)
}

/// Lowers to loops where there is such a form, else to straight code.
pub(super) fn looped(graph: &Graph, outputs: &Outputs, surface: &Surface) -> Result<Kernel, Error> {
    let (dim, limit) = (surface.dim(), KERNEL_LIMIT / 10);
    let too_large = || Error::TooLarge { surface: surface.name().to_owned(), dim, limit };
    let lowered = || lower_shared(graph, outputs, dim).or_else(|| lower_straight(graph, outputs, dim, limit));
    with_large_stack(lowered).filter(|kernel| kernel.len() <= limit).ok_or_else(too_large)
}

pub(super) fn tables(kernel: &Kernel) -> Vec<f32> {
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
    packing: Packing,
    target: &Target,
) -> Result<Shader, Error> {
    let outputs = evaluation.outputs(gradient);
    if let Some((kernel, spread)) = lower_spread(&evaluation.graph, &outputs, surface, target, 0) {
        return Ok(spread_evaluation(&kernel, &spread, gradient, first, packing));
    }
    let straight =
        straight(&evaluation.graph, &outputs, surface, target, surface.dim(), false, target.evaluation_limit);
    let kernel = match straight {
        Some(kernel) => kernel,
        None => looped(&evaluation.graph, &outputs, surface)?,
    };
    let scratch: u32 = kernel.scratch.iter().sum();
    let layout = if target.private.holds(kernel.scratch.iter().copied()) { Layout::Loops } else { Layout::Storage };
    let gradient_rows = if gradient { surface.dim() } else { 0 };
    let printer = Printer::new(&kernel, layout, true, gradient_rows, first);
    let mut text = printer.private_scratch();
    let (printed, scalars) = printer.print();
    text += &printed;
    let _ = write!(text, "let value = {};\nlet squared_norm = {};", scalars[0], scalars[1]);
    let text = with_library(&(packing.constant() + &filled(EVALUATE, &[("evaluate", text)])));
    let extra_rows = gradient_rows + if layout == Layout::Storage { scratch } else { 0 };
    let (tables, turns) = (tables(&kernel), kernel.turns());
    Ok(Shader { text, layout, tables, extra_rows, turns, abreast: 1, packing, double: false })
}

fn spread_evaluation(kernel: &Kernel, spread: &Spread, gradient: bool, first: u32, packing: Packing) -> Shader {
    let rows = if gradient { kernel.dim } else { 0 };
    let (printed, scalars) = Printer::new(kernel, Layout::Spread, true, 0, first).over(Some(spread)).print();
    let mut body = private(spread, |_| true) + &scratch_first(spread, kernel, rows) + &printed;
    let _ = write!(body, "let value = {};\nlet squared_norm = {};", scalars[0], scalars[1]);
    let code = filled(EVALUATE_SPREAD, &[("evaluate", body)]);
    let text = packing.constant() + &declarations(kernel, spread) + &joins(&code, spread) + &code;
    Shader {
        text: with_library(&text),
        layout: Layout::Spread,
        tables: tables(kernel),
        extra_rows: rows + extra_rows(spread, kernel),
        turns: spread.turns,
        abreast: 1,
        packing,
        double: false,
    }
}

/// How many numbers the surface's table has.
pub(super) fn entries(surface: &Surface) -> u32 {
    surface.table().map_or(0, |table| table.values.len() as u32)
}

/// The module that begins a launch.
pub(super) fn beginning(dim: u32, states: usize, packing: Packing) -> String {
    let padded = packing.padded(dim);
    let sizes = format!(
        "const DIM = {dim}u;\nconst PADDED = {padded}u;\nconst STATES = {states}u;\nconst REGIONS = {REGIONS}u;\n"
    );
    with_library(&(sizes + &packing.constant() + BEGIN))
}

/// The module that lists who still runs.
pub(super) fn compaction() -> String {
    with_library(COMPACT)
}
