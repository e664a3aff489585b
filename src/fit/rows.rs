//! Residuals and slopes of all rows at one point: the CPU engine's tape with a row of the table in every lane.
//!
//! A table of few rows stays in one block of lanes from one evaluation to the next, and the rows' slopes wait in a
//! buffer until the point is accepted. A long table goes through piece by piece, the pieces over the cores, each reduced to
//! its triangle at once; pieces have a fixed size and are joined in order, so that no thread takes part in a result.

use super::dense::{Factor, Sum};
use super::loss::Loss;
use super::residuals::Residuals;
use crate::cpu::{
    Block, CHUNK, Given, LANES_MOST, Output, Tape, Width, compile, lanes_for, lower, run, with_large_stack,
};
use crate::error::Error;
use crate::graph::{Graph, NodeId, simplify};
use crate::kernel::Outputs;
use rayon::prelude::*;

/// Numbers in a piece's buffer: a quarter of a megabyte, which second-level caches hold.
const BUFFER: usize = 1 << 15;
/// Rows whose squares are summed plainly before the compensated sum takes over.
const STRETCH: usize = 256;

/// A model's residual, compiled.
#[derive(Debug)]
pub(crate) struct Model {
    /// Residual and slopes.
    full: Tape<f64>,
    /// The residual alone.
    value: Tape<f64>,
    /// What is modelled, where it is known.
    observed: Option<Tape<f64>>,
    width: Width,
    lanes: usize,
    /// How many parameters.
    pub(crate) parameters: usize,
}

/// The rows of a table as a fit sees them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data<'a> {
    /// How many.
    pub(crate) rows: usize,
    /// Columns of that many numbers each.
    pub(crate) columns: &'a [&'a [f64]],
    /// Square roots of the weights.
    pub(crate) roots: Option<&'a [f64]>,
}

impl Model {
    /// Simplifies and lowers the formulas.
    pub(crate) fn new(residuals: &Residuals) -> Result<Model, Error> {
        let dim = (residuals.parameters.len() + residuals.columns.len()) as u32;
        let tape = |nodes: &[NodeId]| with_large_stack(|| tape(&residuals.graph, nodes, dim));
        let mut all = vec![residuals.value];
        all.extend(&residuals.slopes);
        let full = tape(&all)?;
        let lanes = lanes_for::<f64>(full.rows);
        Ok(Model {
            lanes,
            value: tape(&all[..1])?,
            observed: residuals.observed.map(|y| tape(&[y])).transpose()?,
            full,
            width: Width::detect(),
            parameters: residuals.parameters.len(),
        })
    }

    /// Rows of a piece.
    fn piece(&self) -> usize {
        (BUFFER / (self.parameters + 1) / LANES_MOST).max(1) * LANES_MOST
    }
}

fn tape(graph: &Graph, nodes: &[NodeId], dim: u32) -> Result<Tape<f64>, Error> {
    let simple = simplify(graph, nodes);
    let outputs = Outputs { scalars: simple.roots, ..Outputs::default() };
    Ok(compile(&lower(&simple.graph, &outputs, dim, "the model")?, 0, 0))
}

/// What one thread needs to evaluate a model; reused from point to point and from table to table.
pub(crate) struct Work<'m> {
    model: &'m Model,
    /// One block for each number of lanes that was needed.
    blocks: Vec<Block<f64>>,
    /// Which of them is in use, and the row that its columns begin with.
    block: usize,
    loaded: Option<usize>,
    /// `parameters + 1` columns of `stride` numbers: slopes, and the residual last.
    buffer: Vec<f64>,
    stride: usize,
    /// The point that the buffer belongs to; empty where it belongs to none.
    held: Vec<f64>,
}

impl<'m> Work<'m> {
    pub(crate) fn new(model: &'m Model) -> Work<'m> {
        Work { model, blocks: Vec::new(), block: 0, loaded: None, buffer: Vec::new(), stride: 0, held: Vec::new() }
    }

    /// Prepares for another table; to be called before anything else.
    pub(crate) fn bind(&mut self, data: &Data<'_>) {
        let lanes = data.rows.next_multiple_of(CHUNK).clamp(CHUNK, self.model.lanes);
        self.block = self.blocks.iter().position(|b| b.lanes == lanes).unwrap_or_else(|| {
            let tapes = [Some(&self.model.full), Some(&self.model.value), self.model.observed.as_ref()];
            let most = |f: fn(&Tape<f64>) -> usize| tapes.into_iter().flatten().map(f).max().unwrap_or(0);
            self.blocks.push(Block::new(most(|t| t.rows), most(|t| t.vars), lanes, [0, 0]));
            self.blocks.len() - 1
        });
        self.loaded = None;
        self.held.clear();
        self.stride = data.rows.min(self.model.piece()).next_multiple_of(CHUNK);
        self.buffer.resize(self.stride * (self.model.parameters + 1), 0.0);
    }

    /// Runs a tape over the rows `from` to `to` and hands each scalar's numbers of each block on: which scalar, the place
    /// from `from`, and the numbers.
    fn each(
        &mut self,
        tape: &Tape<f64>,
        data: &Data<'_>,
        theta: &[f64],
        (from, to): (usize, usize),
        mut take: impl FnMut(&mut [f64], usize, usize, &Output<'_, f64>, usize),
    ) {
        let block = &mut self.blocks[self.block];
        let lanes = block.lanes;
        for first in (from..to).step_by(lanes) {
            let count = lanes.min(to - first);
            if self.loaded != Some(first) {
                for (i, column) in data.columns.iter().enumerate() {
                    let row = block.row_mut(tape.x[0] + theta.len() + i);
                    row[..count].copy_from_slice(&column[first..first + count]);
                    // Lanes behind the last row repeat it.
                    row[count..].fill(column[first + count - 1]);
                }
                self.loaded = Some(first);
            }
            for (i, &value) in theta.iter().enumerate() {
                block.row_mut(tape.x[0] + i).fill(value);
            }
            run(self.model.width, tape, block, Given::NOTHING);
            for (k, &scalar) in tape.scalars.iter().enumerate() {
                take(&mut self.buffer, k, first - from, &block.output(tape, scalar, &[]), count);
            }
        }
    }

    /// Weighted residuals and slopes of a piece, into the buffer.
    fn fill(&mut self, data: &Data<'_>, theta: &[f64], from: usize, to: usize) {
        let (stride, p) = (self.stride, self.model.parameters);
        let model = self.model;
        self.each(&model.full, data, theta, (from, to), |buffer, k, at, output, count| {
            let column = if k == 0 { p } else { k - 1 };
            put(&mut buffer[column * stride + at..][..count], output);
        });
        if let Some(roots) = data.roots {
            for column in self.buffer.chunks_exact_mut(stride) {
                for (v, root) in column.iter_mut().zip(&roots[from..to]) {
                    *v *= root;
                }
            }
        }
    }

    /// The cost at a point: what all rows' residuals cost together; not finite where a residual is not.
    pub(crate) fn evaluate(&mut self, data: &Data<'_>, theta: &[f64], loss: Loss) -> f64 {
        let piece = self.model.piece();
        if data.rows <= piece {
            self.fill(data, theta, 0, data.rows);
            self.held.clear();
            self.held.extend(theta);
            let residuals = &self.buffer[self.model.parameters * self.stride..][..data.rows];
            return cost(residuals, loss).total();
        }
        let sums = self.pieces(data, |work, from, to| {
            let mut sum = Sum::default();
            work.residuals(data, theta, (from, to), |r| sum.add(cost(r, loss).total()));
            sum.total()
        });
        let mut sum = Sum::default();
        sums.into_iter().for_each(|s| sum.add(s));
        sum.total()
    }

    /// Weighted residuals of the rows `from` to `to`, a stretch at a time.
    pub(crate) fn residuals(
        &mut self,
        data: &Data<'_>,
        theta: &[f64],
        (from, to): (usize, usize),
        mut take: impl FnMut(&[f64]),
    ) {
        let mut stretch = [0.0; LANES_MOST];
        let model = self.model;
        self.held.clear();
        self.each(&model.value, data, theta, (from, to), |_, _, at, output, count| {
            put(&mut stretch[..count], output);
            if let Some(roots) = data.roots {
                stretch.iter_mut().zip(&roots[from + at..][..count]).for_each(|(r, root)| *r *= root);
            }
            take(&stretch[..count]);
        });
    }

    /// What is modelled, of all rows; `None` where it is not known apart from the model.
    pub(crate) fn observed(&mut self, data: &Data<'_>, theta: &[f64]) -> Option<Vec<f64>> {
        let model = self.model;
        let tape = model.observed.as_ref()?;
        let mut y = vec![0.0; data.rows];
        self.each(tape, data, theta, (0, data.rows), |_, _, at, output, count| put(&mut y[at..][..count], output));
        Some(y)
    }

    /// The triangle at a point: what a step needs to know of all rows.
    pub(crate) fn linearize(&mut self, data: &Data<'_>, theta: &[f64], loss: Loss, out: &mut Factor) {
        if data.rows <= self.model.piece() {
            if self.held != theta {
                self.fill(data, theta, 0, data.rows);
            }
            self.held.clear();
            return self.reduce(data.rows, loss, out);
        }
        let factors = self.pieces(data, |work, from, to| {
            let mut factor = Factor::default();
            work.fill(data, theta, from, to);
            work.reduce(to - from, loss, &mut factor);
            factor
        });
        *out = Factor::default();
        factors.iter().for_each(|f| out.join(f));
    }

    /// The triangle of the rows in the buffer.
    fn reduce(&mut self, rows: usize, loss: Loss, out: &mut Factor) {
        let (stride, p) = (self.stride, self.model.parameters);
        if loss != Loss::Squared {
            for i in 0..rows {
                let (on_residual, on_slopes) = loss.correction(self.buffer[p * stride + i]);
                for j in 0..p {
                    self.buffer[j * stride + i] *= on_slopes;
                }
                self.buffer[p * stride + i] *= on_residual;
            }
        }
        out.reduce(&mut self.buffer, stride, rows, p);
    }

    /// One result for each piece of a long table, in order.
    fn pieces<T: Send>(&self, data: &Data<'_>, each: impl Fn(&mut Work<'m>, usize, usize) -> T + Sync) -> Vec<T> {
        let (model, piece) = (self.model, self.model.piece());
        let prepared = || {
            let mut work = Work::new(model);
            work.bind(data);
            work
        };
        let task = |work: &mut Work<'m>, k: usize| each(work, k * piece, ((k + 1) * piece).min(data.rows));
        (0..data.rows.div_ceil(piece)).into_par_iter().map_init(prepared, task).collect()
    }
}

fn put(to: &mut [f64], output: &Output<'_, f64>) {
    match output {
        Output::Row(row) => to.copy_from_slice(&row[..to.len()]),
        Output::Shared(value) => to.fill(*value),
    }
}

/// What residuals cost together.
fn cost(residuals: &[f64], loss: Loss) -> Sum {
    let mut sum = Sum::default();
    for stretch in residuals.chunks(STRETCH) {
        sum.add(match loss {
            Loss::Squared => super::dense::dot(stretch, stretch),
            _ => stretch.iter().map(|&r| loss.cost(r)).sum(),
        });
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_table_gives_what_a_short_one_gives() {
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let residuals =
            Residuals::parse("a*exp(-k*t) + 1 + 0*b", "y", &names(&["a", "k", "b"]), &names(&["t", "y"])).unwrap();
        let model = Model::new(&residuals).unwrap();
        let rows = 3 * model.piece() + 17;
        let t: Vec<f64> = (0..rows).map(|i| (i as f64 * 0.618) % 3.0).collect();
        let y: Vec<f64> = t.iter().map(|t| 2.0 * (-0.7 * t).exp() + 1.0 + 0.1 * (50.0 * t).sin()).collect();
        let theta = [1.9, 0.8, 5.0];
        for loss in [Loss::Squared, Loss::Huber(0.1)] {
            let (mut whole, mut parts, mut part) = (Factor::default(), Factor::default(), Factor::default());
            let columns = [&t[..], &y[..]];
            let data = Data { rows, columns: &columns, roots: None };
            let mut work = Work::new(&model);
            work.bind(&data);
            let cost = work.evaluate(&data, &theta, loss);
            work.linearize(&data, &theta, loss, &mut whole);
            let mut sum = 0.0;
            for from in (0..rows).step_by(1000) {
                let to = (from + 1000).min(rows);
                let columns = [&t[from..to], &y[from..to]];
                let data = Data { rows: to - from, columns: &columns, roots: None };
                work.bind(&data);
                sum += work.evaluate(&data, &theta, loss);
                work.linearize(&data, &theta, loss, &mut part);
                parts.join(&part);
            }
            let exact: f64 = t.iter().zip(&y).map(|(t, y)| loss.cost(theta[0] * (-theta[1] * t).exp() + 1.0 - y)).sum();
            assert!((cost / exact - 1.0).abs() < 1e-12 && (sum / exact - 1.0).abs() < 1e-12);
            for j in 0..2 {
                assert!((whole.length(j) / parts.length(j) - 1.0).abs() < 1e-12);
                assert!((whole.gradient(j) / parts.gradient(j) - 1.0).abs() < 1e-10);
            }
            assert_eq!(whole.length(2), 0.0);
        }
    }
}
