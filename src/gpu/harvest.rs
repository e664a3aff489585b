//! What a launch leaves in its buffers, read back, checked, and given out as batches and traces.

use super::buffers::{Buffers, Packing, mapped, parts, read};
use super::engine::{GpuEngine, POISON};
use super::launch::{Launch, Piece};
use super::shader::{START_REGION, TRACE_REGION};
use super::submission::Range;
use crate::cpu::{Vectorised, Width, vectorised};
use crate::engine::Receive;
use crate::error::{DeviceProblem, Error};
use crate::outcome::{Batch, Column, Event, Flow, Status, TraceBatch};
use crate::plan::Plan;
use crate::summary::{Delivered, Seen};
use rayon::prelude::*;
use std::cell::RefCell;

/// `BEYOND` of common.wgsl: a restart that runs on.
const BEYOND: u32 = 7;
/// Restarts of a batch at most: its columns stay in the cache while they are made, summarised and given out.
const BATCH: u64 = 1 << 13;
/// Batches that are made side by side: 3 MB without points.
const TOGETHER: usize = 32;

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

    /// Takes a launch's results, which were copied to the host, checks that the kernels wrote them, and gives them out.
    #[expect(clippy::too_many_arguments, reason = "a launch's parts")]
    pub(super) fn give_out(
        &self,
        plan: &Plan,
        packing: Packing,
        ranges: &[Range<'_>],
        room: &wgpu::Buffer,
        launch: &Launch,
        pieces: &[Piece],
        traces: Vec<TraceBatch>,
        receive: &mut Receive<'_>,
    ) -> Result<(), Error> {
        let given = mapped(&self.gpu, room, |words| {
            let written = Written { plan, packing, launch, back: &parts(words, ranges) };
            let unwritten = || self.gpu.error(DeviceProblem::Unwritten);
            let parts: Vec<Piece> = pieces.iter().flat_map(|piece| piece.cut(BATCH)).collect();
            if plan.is_unseen() {
                let seen: Option<Vec<Delivered>> = parts.par_iter().map(|&part| written.seen(part)).collect();
                return match receive(&mut seen.ok_or_else(unwritten)?) {
                    Flow::Continue => Ok(()),
                    Flow::Stop => Err(Error::Cancelled),
                };
            }
            for parts in parts.chunks(TOGETHER.max(rayon::current_num_threads())) {
                let made = parts.par_iter().map(|&part| {
                    let mut batch = Batch::default();
                    written.fill(part, &mut batch).then(|| Delivered::batch(plan, batch))
                });
                let mut given: Vec<Delivered> = made.collect::<Option<_>>().ok_or_else(unwritten)?;
                if receive(&mut given) == Flow::Stop {
                    return Err(Error::Cancelled);
                }
            }
            Ok(())
        })?;
        given?;
        for trace in traces {
            if receive(&mut [Event::Trace(trace).into()]) == Flow::Stop {
                return Err(Error::Cancelled);
            }
        }
        Ok(())
    }
}

/// What the host reads of a launch: status and steps, values and norms, values of starts, points.
pub(super) fn results<'b>(plan: &Plan, packing: Packing, buffers: &'b Buffers, launch: &Launch) -> [Range<'b>; 4] {
    let count = launch.slots;
    let points = if plan.points() { count } else { 0 };
    [
        (&buffers.status, 0, 2 * count),
        (&buffers.values, 0, count + points),
        (&buffers.values, u64::from(START_REGION) * count, points),
        (&buffers.xs, 0, u64::from(packing.padded(plan.surface().dim())) * points),
    ]
}

/// Those words of a launch.
struct Written<'a> {
    plan: &'a Plan,
    packing: Packing,
    launch: &'a Launch,
    back: &'a [&'a [u32]],
}

impl Written<'_> {
    /// What a batch tells that is made in this thread's cache and seen by nobody else; `None` where a kernel has not written what it
    /// should have.
    fn seen(&self, piece: Piece) -> Option<Delivered> {
        thread_local! { static OWN: RefCell<Batch> = RefCell::default(); }
        OWN.with_borrow_mut(|batch| {
            let written = self.fill(piece, batch);
            written.then(|| Delivered { event: None, seen: Some(Seen::of(self.plan, batch)) })
        })
    }

    /// Fills a batch; false where a kernel has not written what it should have.
    fn fill(&self, piece: Piece, batch: &mut Batch) -> bool {
        let Written { plan, packing, launch, back } = *self;
        let dim = plan.surface().dim() as usize;
        let slots = launch.slots as usize;
        let range = piece.slot as usize..(piece.slot + piece.count) as usize;
        let points = plan.points();
        let mut written = false;
        let columns = Columns {
            status: &back[0][range.clone()],
            steps: &back[0][slots..][range.clone()],
            value: &back[1][range.clone()],
            norm: if points { &back[1][slots..][range.clone()] } else { &[] },
            start: if points { &back[2][range.clone()] } else { &[] },
            epoch: launch.epoch,
            all_steps: u32::try_from(plan.steps()).unwrap_or(u32::MAX),
            batch: &mut *batch,
            written: &mut written,
        };
        vectorised(Width::detect(), columns);
        batch.configuration = piece.configuration;
        batch.first = plan.first() + piece.restart;
        batch.dim = dim;
        let x = numbers(&mut batch.x);
        if points {
            for i in 0..dim {
                x.extend(range.clone().map(|s| f32::from_bits(back[3][packing.element(i, s, slots)])));
            }
        }
        written
    }
}

/// Columns of a batch as the device has written them, to be checked and copied. Loops without a branch, over one or two columns
/// each, become vector instructions.
struct Columns<'a> {
    status: &'a [u32],
    steps: &'a [u32],
    value: &'a [u32],
    norm: &'a [u32],
    start: &'a [u32],
    epoch: u32,
    all_steps: u32,
    batch: &'a mut Batch,
    written: &'a mut bool,
}

impl Vectorised for Columns<'_> {
    #[inline(always)]
    fn run(self) {
        let Columns { status, steps, value, norm, start, epoch, all_steps, batch, written } = self;
        let mut bad = 0;
        for (&word, &taken) in status.iter().zip(steps) {
            let code = word & 0xff;
            let known = u32::from(word >> 8 == epoch) & u32::from(code.wrapping_sub(1) < Status::ALL.len() as u32);
            let complete = u32::from(code != Status::MaxSteps as u32) | u32::from(taken == all_steps);
            bad |= (known & complete) ^ 1;
        }
        batch.status.clear();
        // One that is not known is told by `written`.
        let code = |&word: &u32| Status::from_code(word & 0xff).unwrap_or(Status::Nonfinite);
        batch.status.extend(status.iter().map(code));
        batch.steps.clear();
        batch.steps.extend_from_slice(steps);
        for (column, words) in
            [(&mut batch.value, value), (&mut batch.gradient_norm, norm), (&mut batch.start_value, start)]
        {
            for &word in words {
                bad |= u32::from(word == POISON);
            }
            numbers(column).extend_from_slice(bytemuck::cast_slice(words));
        }
        *written = bad == 0;
    }
}

/// A column's numbers, none yet.
fn numbers(column: &mut Column) -> &mut Vec<f32> {
    match column {
        Column::F32(numbers) => {
            numbers.clear();
            numbers
        }
        other => {
            *other = Column::F32(Vec::new());
            numbers(other)
        }
    }
}
