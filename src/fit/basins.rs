//! Where first-order descents on a device lead from random starts: the basins that exact descents then finish.
//!
//! Each parameter's box becomes [0, 1] (by its logarithm where it is drawn so), so that one learning rate suits all; the
//! descents stay inside. With more than [`MANY_ROWS`] rows every step sees a minibatch.

use super::{Loss, Residuals};
use crate::engine::Engine;
use crate::error::Error;
use crate::graph::{Axes, Axis, Binary, Graph, Input, Inputs, Node, NodeId, Reduction, Unary, evaluate};
use crate::outcome::{Event, Flow};
use crate::plan::{Minibatch, Plan};
use crate::random::Domain;
use crate::step::Bounds;
use crate::surface::{Rows, Surface};
use std::sync::Arc;

/// Above this many rows a step sees [`BATCH`] of them.
const MANY_ROWS: u32 = 20_000;
const BATCH: u32 = 1024;
/// Rows that the scale of the observations is told from.
const SAMPLE: usize = 1000;

/// How descents look for basins.
#[derive(Clone, Debug, PartialEq)]
pub struct Basins {
    /// The optimizer, a chain of one configuration; its learning rate is in units of the boxes.
    pub optimizer: String,
    /// Restarts.
    pub restarts: u64,
    /// The number of the first restart.
    pub first: u64,
    /// Steps of each.
    pub steps: u64,
    /// Seed of starts and batches.
    pub seed: u64,
}

impl Default for Basins {
    fn default() -> Basins {
        let optimizer = "adam(lr = 0.03*0.5*(1 + cos(pi*t/T)))".to_owned();
        Basins { optimizer, restarts: 1000, first: 0, steps: 200, seed: 0 }
    }
}

impl Basins {
    /// Descends on a device from uniform starts in the boxes; gives the ends in order of restarts, as starts for
    /// [`Fit::starts`](super::Fit::starts). A restart that blows up gives its last finite point.
    ///
    /// # Errors
    /// [`Error::Starts`] for bad boxes, [`Error::TableSize`] for bad columns, and whatever a plan or a device refuses.
    pub fn find(&self, surface: &Surface, boxes: &Domain, engine: &Engine) -> Result<Vec<Vec<f64>>, Error> {
        let mut plan = Plan::new(surface.clone())
            .optimizer(&self.optimizer)
            .restarts(self.restarts)
            .first(self.first)
            .steps(self.steps)
            .seed(self.seed)
            .bounds(Bounds::Clip);
        if surface.table().is_some_and(|t| t.rows > MANY_ROWS) {
            plan = plan.batch(Minibatch { rows: BATCH, replacement: false });
        }
        let plan = plan.resolve()?;
        let configurations = plan.configurations().len();
        if configurations != 1 {
            let (name, expected) = ("the number of optimizers for a fit", "one, without lists of hyperparameters");
            return Err(Error::Setting { name, value: configurations as f64, expected });
        }
        let dim = boxes.dim();
        let mut ends = vec![Vec::new(); plan.restarts() as usize];
        engine.stream(&plan, |event| {
            if let Event::Batch(batch) = event {
                for r in 0..batch.len() {
                    let place = (batch.first - plan.first()) as usize + r;
                    ends[place] = (0..dim).map(|i| natural(boxes, i, batch.x.at(i * batch.len() + r))).collect();
                }
            }
            Flow::Continue
        })?;
        Ok(ends)
    }
}

/// A coordinate of the unit cube as a parameter.
fn natural(boxes: &Domain, i: usize, z: f64) -> f64 {
    let (lo, hi) = (boxes.lo[i], boxes.hi[i]);
    let value = if boxes.log[i] { lo * ((hi / lo).ln() * z).exp() } else { lo + (hi - lo) * z };
    value.clamp(lo, hi)
}

impl Residuals {
    /// The mean cost of the rows as a surface over the unit cube of the boxes, in units of the observations' mean square;
    /// for [`Basins::find`]. `columns` are those of [`Residuals::columns`]; a box of one point fixes its parameter.
    ///
    /// # Errors
    /// [`Error::TableSize`] for columns of unequal length, [`Error::Starts`] for bad boxes.
    pub fn surface(
        &self,
        columns: &[&[f64]],
        weights: Option<&[f64]>,
        loss: Loss,
        boxes: &Domain,
    ) -> Result<Surface, Error> {
        boxes.check()?;
        let mut all = columns.to_vec();
        all.extend(weights);
        let rows = Rows::from_columns(&all)?;
        let p = self.parameters.len() as u32;
        let row = Axis::rows(rows.rows);
        let mut out = Graph::new();
        let z = out.parameters(p);
        let mut parts = Vec::new();
        for i in 0..p {
            let z = out.view(z, Axis::vector(p), i as i32, 0, None);
            parts.push(spread(&mut out, boxes, i as usize, z));
        }
        parts.extend((0..columns.len() as u32).map(|c| out.input(Input::Data(c), Axes::one(row))));
        let residual = self.over(&mut out, &parts);
        // The weight is inside the loss.
        let residual = match weights {
            None => residual,
            Some(_) => {
                let weight = out.input(Input::Data(columns.len() as u32), Axes::one(row));
                let root = out.unary(Unary::Sqrt, weight);
                out.binary(Binary::Mul, root, residual)
            }
        };
        let cost = costed(&mut out, residual, loss);
        let sum = if out.axes(cost).contains(row) { out.reduce(Reduction::Sum, cost, row) } else { cost };
        let unit = out.constant(f64::from(rows.rows) * self.observed_square(columns));
        let value = out.binary(Binary::Div, sum, unit);
        Surface::assembled("fit", out, value, Domain::cube(p as usize, 0.0, 1.0), Some(Arc::new(rows)))
    }

    /// The residual with other nodes in the places of parameters and columns.
    fn over(&self, out: &mut Graph, parts: &[NodeId]) -> NodeId {
        let needed = self.graph.needed(&[self.value]);
        let mut map = vec![NodeId::default(); self.graph.len()];
        for id in (0..self.graph.len() as u32).map(NodeId).filter(|id| needed[id.index()]) {
            map[id.index()] = match self.graph.node(id) {
                // Only views of it are used.
                Node::Input(Input::X, _) => parts[0],
                Node::View { source, start, step, to, .. }
                    if matches!(self.graph.node(source), Node::Input(Input::X, _)) =>
                {
                    let at = |q: u32| parts[(start + step * q as i32) as usize];
                    match to {
                        None => at(0),
                        Some(to) => {
                            let spread = (0..to.len).map(|q| out.pad(at(q), None, q as i32, 0, to)).collect::<Vec<_>>();
                            spread.into_iter().reduce(|a, b| out.binary(Binary::Add, a, b)).unwrap_or(parts[0])
                        }
                    }
                }
                _ => out.copied(&self.graph, id, |a| map[a.index()]),
            };
        }
        map[self.value.index()]
    }

    /// The mean square of what is modelled, over a few rows; 1 where that is not known apart from the model.
    fn observed_square(&self, columns: &[&[f64]]) -> f64 {
        let Some(observed) = self.observed else { return 1.0 };
        let rows = columns.first().map_or(0, |c| c.len());
        let stride = rows.div_ceil(SAMPLE).max(1);
        let squares: Vec<f64> = (0..rows)
            .step_by(stride)
            .map(|r| {
                let parameters = std::iter::repeat_n(1.0, self.parameters.len());
                let x: Vec<f64> = parameters.chain(columns.iter().map(|c| c[r])).collect();
                let y = evaluate::<f64>(&self.graph, &[observed], &Inputs { x: &x, ..Inputs::default() })[0][0];
                y * y
            })
            .collect();
        let mean = squares.iter().sum::<f64>() / squares.len().max(1) as f64;
        if mean.is_finite() && mean > 0.0 { mean } else { 1.0 }
    }
}

/// A parameter as a formula of its coordinate in the unit cube.
fn spread(out: &mut Graph, boxes: &Domain, i: usize, z: NodeId) -> NodeId {
    let (lo, hi) = (boxes.lo[i], boxes.hi[i]);
    if lo == hi {
        return out.constant(lo);
    }
    if boxes.log[i] {
        let (lo, decades) = (out.constant(lo), out.constant((hi / lo).ln()));
        let power = out.binary(Binary::Mul, decades, z);
        let factor = out.unary(Unary::Exp, power);
        return out.binary(Binary::Mul, lo, factor);
    }
    let (lo, width) = (out.constant(lo), out.constant(hi - lo));
    let above = out.binary(Binary::Mul, width, z);
    out.binary(Binary::Add, lo, above)
}

/// What a residual costs.
fn costed(out: &mut Graph, r: NodeId, loss: Loss) -> NodeId {
    let square = out.binary(Binary::Mul, r, r);
    let Some(scale) = loss.scale() else { return square };
    let (unit, one, two) = (out.constant(scale * scale), out.constant(1.0), out.constant(2.0));
    let z = out.binary(Binary::Div, square, unit);
    let rho = match loss {
        Loss::Squared => z,
        Loss::Huber(_) => {
            let root = out.unary(Unary::Sqrt, z);
            let double = out.binary(Binary::Mul, two, root);
            let line = out.binary(Binary::Sub, double, one);
            let inside = out.binary(Binary::LessEqual, z, one);
            out.select(inside, z, line)
        }
        Loss::Cauchy(_) => out.unary(Unary::Log1p, z),
        Loss::SoftL1(_) => {
            let sum = out.binary(Binary::Add, one, z);
            let root = out.unary(Unary::Sqrt, sum);
            let rest = out.binary(Binary::Sub, root, one);
            out.binary(Binary::Mul, two, rest)
        }
    };
    out.binary(Binary::Mul, unit, rho)
}
