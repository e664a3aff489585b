//! Looped lowering: code whose length does not grow with the dimension or with the number of rows.
//!
//! An array is a function of its place: lowering pulls, from every loop's results, the values that they need at the
//! loop's place, so that elementwise work fuses by itself. Reductions and scans are loops of their own, put in stages; loops
//! of one stage and shape are one loop. A loop is cut where a pad begins or ends, and takes several places a turn where a
//! stride or a draw of four asks for it: so no place needs a test at run time.
//!
//! A pass over the rows of the surface's table is a loop whose body is lowered in the same way, at the loop's level: before
//! it stands what does not change from row to row.

mod keep;
mod loops;
mod place;
mod pull;
mod regroup;
mod rows;
mod schedule;

use super::builder::{Builder, RowLoop, prune};
use super::passes::Passes;
use super::{Array, Index, Instruction, Kernel, Outputs, RowAccess, Statement, Type, ValueId};
use crate::graph::{Axis, Graph, Input, Node, NodeId, Table, depends_on};
use place::Place;
use schedule::{Schedule, Stages, Write, share};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Reductions of at most this many elements are written out.
const WRITTEN_OUT: u32 = 8;
/// The largest array, in elements, that is made for lack of another way.
const LARGEST: usize = 1 << 20;

/// A node that cannot be pulled as the loops stand, and is stored by a loop of its own instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Undecided(NodeId);

type Lowered<T> = Result<T, Undecided>;

/// Which nodes have loops of their own.
#[derive(Clone, Debug)]
struct Sites {
    /// Arrays that are computed once and kept.
    stored: Vec<bool>,
    /// Nodes whose elements take a loop each.
    looped: Vec<bool>,
}

impl Sites {
    fn new(graph: &Graph) -> Sites {
        let mut looped = vec![false; graph.len()];
        for id in (0..graph.len() as u32).map(NodeId) {
            if graph.axes(id).within_row().is_scalar() {
                continue;
            }
            let long = matches!(graph.node(id), Node::Reduce(_, _, axis) if axis.len > WRITTEN_OUT);
            looped[id.index()] = long || graph.arguments(id).any(|a| looped[a.index()]);
        }
        Sites { stored: vec![false; graph.len()], looped }
    }

    /// Scalar reductions that are not written out, scans, sums over rows, and what is stored.
    fn own(&self, graph: &Graph, id: NodeId) -> bool {
        match graph.node(id) {
            _ if self.stored[id.index()] || self.sums_rows(graph, id) => true,
            Node::Reduce(_, a, axis) => {
                graph.axes(id).within_row().is_scalar() && (axis.len > WRITTEN_OUT || self.looped[a.index()])
            }
            Node::Scan(..) => true,
            _ => false,
        }
    }

    fn sums_rows(&self, graph: &Graph, id: NodeId) -> bool {
        graph.summed_rows(id).is_some()
    }

    /// The axes of a node's own loop, outermost first, that over rows left out.
    fn loops(&self, graph: &Graph, id: NodeId) -> Option<Vec<Axis>> {
        if !self.own(graph, id) {
            return None;
        }
        let axes = graph.axes(id).within_row();
        Some(match graph.node(id) {
            Node::Scan(_, _, axis) => axes.without(axis).iter().chain([axis]).collect(),
            Node::Merge { outer, inner, into, .. } => axes.without(into).iter().chain([outer, inner]).collect(),
            Node::Reduce(_, _, axis) if axes.is_scalar() && !self.sums_rows(graph, id) => vec![axis],
            _ => axes.iter().collect(),
        })
    }
}

/// Lowering under way.
struct Nest<'g> {
    graph: &'g Graph,
    b: Builder,
    memo: Vec<HashMap<(NodeId, Vec<Place>), ValueId>>,
    sites: Sites,
    /// Scalars whose loops are over.
    scalars: HashMap<NodeId, ValueId>,
    /// Nodes that an array holds.
    stored: HashMap<NodeId, Array>,
    scratch: Vec<u32>,
    tables: Vec<Arc<Table>>,
    table_ids: HashMap<u32, u32>,
    access: RowAccess,
    /// The loop over rows under construction.
    row: Option<RowLoop>,
    /// Whether the largest of magnitudes begins at 0 and not at its first element, which then has no code of its own.
    whole: bool,
}

/// Lowers to loops; `None` where a step would need arrays larger than any device should hold for one restart.
pub fn lower_nest(graph: &Graph, outputs: &Outputs, dim: u32) -> Option<Kernel> {
    regrouped(graph, outputs, dim, false)
}

/// The same for machines where several share a restart's loops: no loop leaves its first place to code of its own where
/// it need not.
pub fn lower_shared(graph: &Graph, outputs: &Outputs, dim: u32) -> Option<Kernel> {
    regrouped(graph, outputs, dim, true)
}

fn regrouped(graph: &Graph, outputs: &Outputs, dim: u32, whole: bool) -> Option<Kernel> {
    match regroup::regrouped(graph, outputs) {
        Some((graph, outputs)) => lowered(&graph, &outputs, dim, whole),
        None => lowered(graph, outputs, dim, whole),
    }
}

fn lowered(graph: &Graph, outputs: &Outputs, dim: u32, whole: bool) -> Option<Kernel> {
    let mut forced = HashSet::new();
    loop {
        match Nest::new(graph, outputs.rows, whole).lower(outputs, dim, &forced) {
            Ok(kernel) => return Some(kernel),
            Err(Undecided(id)) => {
                let storable = graph.axes(id).within_row().size() <= LARGEST && !graph.is_boolean(id);
                if !storable || !forced.insert(id) {
                    return None;
                }
            }
        }
    }
}

impl<'g> Nest<'g> {
    fn new(graph: &'g Graph, access: RowAccess, whole: bool) -> Nest<'g> {
        Nest {
            graph,
            b: Builder::new(),
            memo: vec![HashMap::new()],
            sites: Sites::new(graph),
            scalars: HashMap::new(),
            stored: HashMap::new(),
            scratch: Vec::new(),
            tables: Vec::new(),
            table_ids: HashMap::new(),
            access,
            row: None,
            whole,
        }
    }

    fn lower(mut self, outputs: &Outputs, dim: u32, forced: &HashSet<NodeId>) -> Lowered<Kernel> {
        let graph = self.graph;
        let arrays: Vec<NodeId> = outputs.arrays.iter().map(|a| a.1).collect();
        let roots: Vec<NodeId> = arrays.iter().chain(&outputs.scalars).copied().collect();
        let needed = graph.needed(&roots);
        let ids: Vec<NodeId> = (0..graph.len()).filter(|&id| needed[id]).map(|id| NodeId(id as u32)).collect();
        keep::choose(graph, &ids, &arrays, dim, forced, &mut self.sites);

        // Before each pass over rows, and after the last, what does not range over rows.
        let passes = Passes::new(graph, &ids);
        let outside = |pass: usize| -> Vec<NodeId> {
            ids.iter().copied().filter(|&id| passes.is_outside(graph, id, pass)).collect()
        };
        let mut schedules: Vec<Schedule> = Vec::new();
        let mut copies = Vec::new();
        for pass in 0..=passes.last() {
            let ids = outside(pass);
            let mut stages = Stages::new(graph, &ids, &self.sites);
            if pass < passes.last() {
                schedules.push(stages.schedule(graph, &ids, &self.sites));
                continue;
            }
            let last = stages.delay(graph, &ids, &self.sites, &arrays);
            let mut schedule = stages.schedule(graph, &ids, &self.sites);
            if !arrays.is_empty() {
                let targets = self.harmless(outputs, dim);
                let changed = targets.iter().zip(&outputs.arrays).map(|(&target, o)| (target, o.0));
                copies = changed.filter(|c| c.0 != c.1).collect();
                let write = |(array, &pull)| Write {
                    holds: None,
                    pull,
                    axes: vec![Axis::vector(dim)],
                    array: Some(array),
                    adds: false,
                };
                schedule.groups.entry((last, vec![dim])).or_default().stores =
                    targets.into_iter().zip(&arrays).map(write).collect();
            }
            schedules.push(schedule);
        }
        let everything: Vec<NodeId> = ids.iter().copied().filter(|&id| graph.axes(id).row().is_none()).collect();
        share(graph, &everything, &self.sites, &mut schedules.iter_mut().collect::<Vec<_>>())?;

        for (pass, schedule) in schedules.iter().enumerate() {
            self.region(0, schedule)?;
            self.sum_rows(passes.sums(pass))?;
        }
        let scalars = outputs.scalars.iter().map(|&s| self.value(s, &Vec::new())).collect::<Lowered<Vec<_>>>()?;
        for (from, to) in copies {
            self.along(0, dim, &mut |nest, place, level| {
                let value = nest.b.emit(level, Type::Number, Instruction::Load(from, place.index()));
                nest.b.frames[level].statements.push(Statement::Store(to, place.index(), value));
                Ok(())
            })?;
        }
        let mut body = std::mem::take(&mut self.b.frames[0].statements);
        let mut used = vec![false; self.b.types.len()];
        for &s in &scalars {
            used[s as usize] = true;
        }
        prune(&mut body, &mut used);
        Ok(Kernel { dim, types: self.b.types, tables: self.tables, scratch: self.scratch, body, scalars })
    }

    /// The loops of a schedule, one after the other.
    fn region(&mut self, level: usize, schedule: &Schedule) -> Lowered<()> {
        let stages = schedule.groups.keys().map(|k| k.0).chain(schedule.scans.keys().copied());
        for at in 0..=stages.max().unwrap_or(0) {
            for ((_, lens), group) in schedule.groups.range((at, Vec::new())..(at + 1, Vec::new())) {
                self.group(level, lens, group)?;
            }
            for &id in schedule.scans.get(&at).map_or(&[][..], |s| s) {
                self.scan(level, id)?;
            }
        }
        Ok(())
    }

    /// Where the outputs go: states through scratch where a state is read at another place than it is written, or after the
    /// loop that writes it: a scalar whose reduction is written out.
    fn harmless(&mut self, outputs: &Outputs, dim: u32) -> Vec<Array> {
        let states = depends_on(self.graph, |input| matches!(input, Input::State(_)));
        let late = dim <= WRITTEN_OUT && outputs.scalars.iter().any(|s| states[s.index()]);
        let plain = !late && !self.crosses(outputs, dim);
        let arrays = outputs.arrays.iter().map(|&(array, _)| match array {
            Array::State(_) if !plain => self.allocate(dim),
            _ => array,
        });
        arrays.collect()
    }

    /// Whether the loop that stores the outputs reads a state at another place than its own.
    fn crosses(&self, outputs: &Outputs, dim: u32) -> bool {
        let graph = self.graph;
        let here = Axis::vector(dim);
        let mut seen = HashSet::new();
        let mut todo: Vec<(NodeId, bool)> = outputs.arrays.iter().map(|a| (a.1, true)).collect();
        while let Some((id, same)) = todo.pop() {
            if self.sites.own(graph, id) || !seen.insert((id, same)) {
                continue;
            }
            let same = same
                && match graph.node(id) {
                    Node::View { from, .. } => from != here,
                    Node::Pad { into, .. } | Node::Merge { into, .. } => into != here,
                    Node::Split { from, .. } => from != here,
                    Node::Reduce(_, _, axis) => axis != here,
                    _ => true,
                };
            if !same && matches!(graph.node(id), Node::Input(Input::State(_), _)) {
                return true;
            }
            todo.extend(graph.arguments(id).map(|a| (a, same)));
        }
        false
    }

    fn allocate(&mut self, len: u32) -> Array {
        self.scratch.push(len);
        Array::Scratch(self.scratch.len() as u32 - 1)
    }
}
