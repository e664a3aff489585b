//! Passes over rows: a loop whose body is a nest of its own, and the sums that it leaves behind.
//!
//! A scalar sum is an accumulator of the loop. An array of sums is added to in place; many rows are taken in blocks, and each
//! level of blocks has an array of partial sums, so that no chain of additions is long (see `Builder::open_rows`).

use super::schedule::{Stages, Write, share};
use super::{Array, Lowered, Nest, ValueId};
use crate::graph::{Axis, NodeId};
use crate::kernel::Statement;
use crate::kernel::passes::inside;
use std::collections::HashMap;

impl Nest<'_> {
    /// One loop over rows for sums that wait for nothing more.
    pub(super) fn sum_rows(&mut self, sums: &[(NodeId, NodeId)]) -> Lowered<()> {
        let graph = self.graph;
        let Some(len) = sums.first().and_then(|s| graph.axes(s.1).row()).map(|row| row.len) else { return Ok(()) };
        let row = self.b.open_rows(len, self.access);
        self.memo.resize_with(self.b.frames.len(), HashMap::new);
        let level = row.level;
        let size = |sum: NodeId| graph.axes(sum).size() as u32;
        let (arrays, scalars): (Vec<_>, Vec<_>) = sums.iter().copied().partition(|s| !graph.axes(s.0).is_scalar());
        // By array of sums: the whole, then the partial sums of every level of blocks.
        let totals: Vec<Vec<Array>> =
            arrays.iter().map(|s| (0..row.depth()).map(|_| self.allocate(size(s.0))).collect()).collect();

        let ids = inside(graph, sums);
        let stages = Stages::new(graph, &ids, &self.sites);
        let mut schedule = stages.schedule(graph, &ids, &self.sites);
        for (&(sum, item), total) in arrays.iter().zip(&totals) {
            let axes: Vec<Axis> = graph.axes(sum).iter().collect();
            let lens = axes.iter().map(|a| a.len).collect();
            let write = Write { holds: None, pull: item, axes, array: total.last().copied(), adds: true };
            schedule.groups.entry((stages.ready(item), lens)).or_default().stores.push(write);
        }
        share(graph, &ids, &self.sites, &mut [&mut schedule])?;
        self.row = Some(row.clone());
        self.region(level, &schedule)?;
        let mut items = scalars.iter().map(|s| self.value(s.1, &[])).collect::<Lowered<Vec<ValueId>>>()?;
        for &id in &ids {
            self.scalars.remove(&id);
            self.stored.remove(&id);
        }
        self.row = None;

        let mut rest = row;
        for depth in (0..rest.depth()).rev() {
            let (sums, statement) = self.b.close_innermost(&mut rest, items);
            items = sums;
            self.memo.pop();
            for (&(sum, _), total) in arrays.iter().zip(&totals) {
                self.clear(depth, total[depth], size(sum))?;
            }
            self.b.frames[depth].statements.push(statement);
            if depth > 0 {
                for (&(sum, _), total) in arrays.iter().zip(&totals) {
                    self.add_up(depth, total[depth], total[depth - 1], size(sum))?;
                }
            }
        }
        self.scalars.extend(scalars.iter().map(|s| s.0).zip(items));
        self.stored.extend(arrays.iter().map(|s| s.0).zip(totals.iter().map(|t| t[0])));
        Ok(())
    }

    /// Puts zeros into an array.
    fn clear(&mut self, level: usize, array: Array, size: u32) -> Lowered<()> {
        let zero = self.b.constant(0.0);
        self.along(level, size, &mut |nest, place, level| {
            nest.b.frames[level].statements.push(Statement::Store(array, place.index(), zero));
            Ok(())
        })
    }

    /// Adds one array to another.
    fn add_up(&mut self, level: usize, from: Array, to: Array, size: u32) -> Lowered<()> {
        self.along(level, size, &mut |nest, place, level| {
            let part = nest.read(level, from, place.index());
            nest.store(level, to, place.index(), part, true);
            Ok(())
        })
    }
}
