//! What a launch leaves in its buffers, read back, checked, and given out as batches and traces.

use super::buffers::{Buffers, Packing, read, read_with};
use super::engine::{GpuEngine, Launch, POISON, Piece};
use super::shader::{START_REGION, TRACE_REGION};
use crate::error::{DeviceProblem, Error};
use crate::outcome::{Batch, Column, Event, Flow, Status, TraceBatch};
use crate::plan::Plan;
use rayon::prelude::*;

/// `BEYOND` of common.wgsl: a restart that runs on.
const BEYOND: u32 = 7;
/// Restarts of a batch at most: its columns stay in the cache while they are made, summarised and given out.
const BATCH: u64 = 1 << 15;

impl GpuEngine {
    /// Reads a trace back: points of restarts that have not stopped.
    #[expect(clippy::too_many_arguments, reason = "a launch's parts")]
    pub(super) fn record(
        &self,
        plan: &Plan,
        packing: Packing,
        buffers: &Buffers,
        pieces: &[Piece],
        slots: usize,
        step: u64,
        traces: &mut Vec<TraceBatch>,
    ) -> Result<(), Error> {
        let dim = plan.surface().dim() as usize;
        if !pieces.iter().any(|p| p.restart < plan.trace().restarts) {
            return Ok(());
        }
        let count = slots as u64;
        let region = u64::from(TRACE_REGION) * count;
        let padded = u64::from(packing.padded(dim as u32));
        let ranges =
            [(&buffers.status, 0, count), (&buffers.values, region, 2 * count), (&buffers.xs, 0, padded * count)];
        let back = read(&self.gpu, &ranges, &mut |s| self.wait(s, &mut || Flow::Continue))?;
        let number = |word: u32| f32::from_bits(word);
        for &Piece { configuration, restart, slot, count } in pieces {
            let traced = plan.trace().restarts.saturating_sub(restart).min(count);
            let kept: Vec<usize> = (slot..slot + traced)
                .map(|s| s as usize)
                .filter(|&s| matches!(back[0][s] & 0xff, 0 | BEYOND))
                .collect();
            if kept.is_empty() {
                continue;
            }
            let mut x = Vec::with_capacity(dim * kept.len());
            for i in 0..dim {
                x.extend(kept.iter().map(|&s| number(back[2][packing.element(i, s, slots)])));
            }
            traces.push(TraceBatch {
                configuration,
                step,
                restarts: kept.iter().map(|&s| plan.first() + restart + s as u64 - slot).collect(),
                value: Column::F32(kept.iter().map(|&s| number(back[1][s])).collect()),
                gradient_norm: Column::F32(kept.iter().map(|&s| number(back[1][slots + s])).collect()),
                x: Column::F32(x),
            });
        }
        Ok(())
    }

    /// Reads a launch back, checks that the kernels wrote it, and gives it out.
    #[expect(clippy::too_many_arguments, reason = "a launch's parts")]
    pub(super) fn give_out(
        &self,
        plan: &Plan,
        packing: Packing,
        buffers: &Buffers,
        launch: &Launch,
        pieces: &[Piece],
        traces: Vec<TraceBatch>,
        receive: &mut dyn FnMut(Event) -> Flow,
    ) -> Result<(), Error> {
        let dim = plan.surface().dim() as usize;
        let count = launch.slots;
        let points = if plan.points() { count } else { 0 };
        let ranges = [
            (&buffers.status, 0, 2 * count),
            (&buffers.values, 0, 2 * count),
            (&buffers.values, u64::from(START_REGION) * count, points),
            (&buffers.xs, 0, u64::from(packing.padded(dim as u32)) * points),
        ];
        let mut wait = |s| self.wait(s, &mut || Flow::Continue);
        let given = read_with(&self.gpu, Some(&buffers.staging), &ranges, &mut wait, |back| {
            let written = Written { plan, packing, launch, back };
            for piece in pieces {
                let part = |begin: u64| {
                    let (restart, slot) = (piece.restart + begin, piece.slot + begin);
                    Piece { restart, slot, count: BATCH.min(piece.count - begin), ..*piece }
                };
                let parts: Vec<Piece> = (0..piece.count).step_by(BATCH as usize).map(part).collect();
                for some in parts.chunks(rayon::current_num_threads()) {
                    let batches: Vec<Option<Batch>> = some.par_iter().map(|&part| written.batch(part)).collect();
                    for batch in batches {
                        let batch = batch.ok_or_else(|| self.gpu.error(DeviceProblem::Unwritten))?;
                        if receive(Event::Batch(batch)) == Flow::Stop {
                            return Err(Error::Cancelled);
                        }
                    }
                }
            }
            Ok(())
        })?;
        given?;
        for trace in traces {
            if receive(Event::Trace(trace)) == Flow::Stop {
                return Err(Error::Cancelled);
            }
        }
        Ok(())
    }
}

/// A launch's words on the host: status and steps, values and norms, values of starts, points.
struct Written<'a> {
    plan: &'a Plan,
    packing: Packing,
    launch: &'a Launch,
    back: &'a [&'a [u32]],
}

impl Written<'_> {
    /// A batch, or `None` where a kernel has not written what it should have.
    fn batch(&self, piece: Piece) -> Option<Batch> {
        let Written { plan, packing, launch, back } = *self;
        let dim = plan.surface().dim() as usize;
        let slots = launch.slots as usize;
        let range = piece.slot as usize..(piece.slot + piece.count) as usize;
        let of = |words: &[u32]| -> Option<Column> {
            (!words.contains(&POISON)).then(|| Column::F32(bytemuck::cast_slice(words).to_vec()))
        };
        let status = |&word: &u32| (word >> 8 == launch.epoch).then(|| Status::from_code(word & 0xff)).flatten();
        let status: Vec<Status> = back[0][range.clone()].iter().map(status).collect::<Option<_>>()?;
        let steps: Vec<u32> = back[0][slots..][range.clone()].to_vec();
        let complete = |(&s, &t): (&Status, &u32)| s != Status::MaxSteps || u64::from(t) == plan.steps();
        if !status.iter().zip(&steps).all(complete) {
            return None;
        }
        let mut x = Vec::new();
        if plan.points() {
            x.reserve_exact(dim * range.len());
            for i in 0..dim {
                x.extend(range.clone().map(|s| f32::from_bits(back[3][packing.element(i, s, slots)])));
            }
        }
        Some(Batch {
            configuration: piece.configuration,
            first: plan.first() + piece.restart,
            dim,
            value: of(&back[1][range.clone()])?,
            gradient_norm: of(&back[1][slots..][range.clone()])?,
            steps,
            status,
            start_value: of(if plan.points() { &back[2][range] } else { &[] })?,
            x: Column::F32(x),
        })
    }
}
