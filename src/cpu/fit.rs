//! Batched fits on the CPU: a lane is one fit from its start to its end, and takes the next fit when it is done.

use super::engine::CpuEngine;
use super::lane::Width;
use super::marquardt::{Accumulate, Advance, LANES, Lanes};
use super::run::{Block, Given, run};
use super::tape::{Op, Space, Tape, compile};
use super::vector::vectorised;
use crate::engine::Backend;
use crate::error::Error;
use crate::fit::{BatchedFit, BatchedOutcome, BatchedStatus, FitColumn, FitOrder, RowCode};
use crate::kernel::{Loop, Statement};
use crate::outcome::{Flow, Progress, Timing};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Bytes of a block's slab: near the first-level cache, and long enough rows that reading the tape costs little.
const SLAB: usize = 64 << 10;
/// Rows of a fit that are evaluated at once.
const MOST_ROWS: usize = 16;
/// Fits of a task.
const TASK: usize = 8192;

/// The row function as two tapes over one slab.
struct RowTape {
    prologue: Tape<f32>,
    row: Tape<f32>,
    /// Rows of the slab where the slopes and the residual are.
    outputs: Vec<usize>,
    /// Outputs that are the same number everywhere: their rows are filled once.
    constants: Vec<(usize, f32)>,
    rows: usize,
}

impl RowTape {
    fn new(code: &RowCode) -> RowTape {
        let mut kernel = code.kernel.clone();
        // A loop of one turn keeps what the prologue computes alive behind its last use.
        let body = kernel.body.split_off(code.prologue);
        kernel.body.push(Statement::Loop(Box::new(Loop { var: 0, count: 1, block: None, carried: Vec::new(), body })));
        let tape: Tape<f32> = compile(&kernel, 0, 0);
        let cut = tape.ops.iter().position(|op| matches!(op, Op::Loop { .. })).unwrap_or(tape.ops.len());
        let prologue = Tape { ops: tape.ops[..cut].to_vec(), ..tape.clone() };
        let row = tape.ops[cut..].iter().filter(|op| !matches!(op, Op::Loop { .. } | Op::End { .. })).copied();
        let row = Tape { ops: row.collect(), ..tape.clone() };
        let (mut rows, mut constants) = (tape.rows, Vec::new());
        let outputs = tape.scalars.iter().map(|operand| match operand.space {
            Space::Row => operand.base as usize,
            Space::X | Space::Next => tape.x[0] + operand.base as usize,
            Space::Shared | Space::Host | Space::Data => {
                constants.push((rows, tape.shared[operand.base as usize]));
                rows += 1;
                rows - 1
            }
        });
        let outputs = outputs.collect();
        RowTape { prologue, row, outputs, constants, rows }
    }

    /// Rows of a fit that stand side by side in the slab: few left over, then many at once.
    fn together(&self, rows: usize) -> usize {
        let most = (SLAB / (self.rows * LANES * size_of::<f32>())).clamp(1, MOST_ROWS);
        let cost = |r: usize| rows.div_ceil(r) as f64 * (r as f64 + 0.5);
        (1..=most).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(1)
    }
}

/// What all tasks share.
struct Job<'a> {
    fit: &'a BatchedFit<'a>,
    order: &'a FitOrder,
    tape: &'a RowTape,
    ends: Vec<[f32; 2]>,
    own: Vec<&'a [f32]>,
    width: Width,
    together: usize,
    stop: &'a AtomicBool,
    done: &'a AtomicU64,
}

/// One fit's end.
struct Ended {
    fit: usize,
    rss: f32,
    iterations: u32,
    status: BatchedStatus,
}

/// What a task sends: ends, and their parameters one after the other.
#[derive(Default)]
struct Finished {
    ends: Vec<Ended>,
    parameters: Vec<f32>,
}

impl CpuEngine {
    /// Runs fits that have been checked.
    pub(super) fn run_fit(
        &self,
        fit: &BatchedFit<'_>,
        tell: &mut dyn FnMut(Progress) -> Flow,
    ) -> Result<BatchedOutcome, Error> {
        let begun = Instant::now();
        let pool = self.new_pool()?;
        let (count, p) = (fit.len(), fit.residuals.parameters.len());
        let tape = RowTape::new(&RowCode::new(fit.residuals, fit.roots.is_some())?);
        let order = FitOrder::new(fit);
        let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
        let job = Job {
            fit,
            order: &order,
            ends: (0..p).map(|i| fit.ends(i)).collect(),
            own: fit.inputs().filter_map(FitColumn::own).collect(),
            width: self.width(),
            together: tape.together(order.rows(fit, 0)),
            tape: &tape,
            stop: &stop,
            done: &done,
        };
        let compile = begun.elapsed().as_secs_f64();
        let mut outcome = BatchedOutcome::empty(p, count, self.device(), Timing { compile, run: 0.0 });
        let begun = Instant::now();
        let even = count.div_ceil(8 * self.pool_size()).next_multiple_of(LANES);
        let task = fit.chunk.unwrap_or(even.min(TASK)).max(1);
        let (send, results) = mpsc::channel::<Finished>();
        let mut stopped = false;
        std::thread::scope(|scope| {
            let job = &job;
            scope.spawn(move || {
                pool.install(|| {
                    (0..count.div_ceil(task)).into_par_iter().for_each_with(send, |send, index| {
                        // The receiver is gone only when the run is being stopped.
                        let _ = send.send(Worker::new(job).run(index * task..((index + 1) * task).min(count)));
                    });
                });
            });
            let mut told = Instant::now();
            loop {
                match results.recv_timeout(Duration::from_millis(40)) {
                    Ok(finished) => {
                        for (end, x) in finished.ends.iter().zip(finished.parameters.chunks(p)) {
                            outcome.rss[end.fit] = end.rss;
                            outcome.iterations[end.fit] = end.iterations;
                            outcome.status[end.fit] = end.status;
                            for (i, x) in x.iter().enumerate() {
                                outcome.parameters[i * count + end.fit] = *x;
                            }
                        }
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                }
                let progress = Progress { done: done.load(Ordering::Relaxed) as f64, total: count as f64 };
                if !stopped && told.elapsed() > Duration::from_millis(40) {
                    told = Instant::now();
                    stopped = tell(progress) == Flow::Stop;
                    stop.store(stopped, Ordering::Relaxed);
                }
            }
        });
        if stopped {
            return Err(Error::Cancelled);
        }
        outcome.timing.run = begun.elapsed().as_secs_f64();
        Ok(outcome)
    }
}

/// One thread's block of fits.
struct Worker<'a> {
    job: &'a Job<'a>,
    lanes: Lanes,
    block: Block<f32>,
    /// Own columns of the fits on the lanes: column, row, lane.
    data: Vec<f32>,
    /// Rows that `data` has room for.
    room: usize,
    /// Slopes and residuals with rows that a shorter fit lacks set to 0.
    masked: Vec<f32>,
    fits: [usize; LANES],
    rows: [usize; LANES],
}

impl<'a> Worker<'a> {
    fn new(job: &'a Job<'a>) -> Worker<'a> {
        let lanes = LANES * job.together;
        let mut block = Block::new(job.tape.rows, job.tape.row.vars, lanes, [0, 0]);
        for &(row, value) in &job.tape.constants {
            block.row_mut(row).fill(value);
        }
        Worker {
            job,
            lanes: Lanes::new(job.ends.len()),
            block,
            data: Vec::new(),
            room: 0,
            masked: Vec::new(),
            fits: [0; LANES],
            rows: [0; LANES],
        }
    }

    /// Runs a range of fits, in the order of their lengths.
    fn run(mut self, range: Range<usize>) -> Finished {
        let job = self.job;
        let p = job.ends.len();
        let mut out = Finished::default();
        self.room = range.clone().next().map_or(0, |first| job.order.rows(job.fit, first));
        self.data = vec![0.0; job.own.len() * self.room * LANES];
        let mut waiting = range;
        let mut running = 0;
        for lane in 0..LANES {
            running += usize::from(self.refill(lane, &mut waiting));
        }
        while running > 0 && !job.stop.load(Ordering::Relaxed) {
            self.evaluate();
            let advance = Advance { lanes: &mut self.lanes, ends: &job.ends, settings: job.fit.settings };
            vectorised(job.width, advance);
            let before = out.ends.len();
            for lane in 0..LANES {
                // A lane without a fit has no rows and is not refilled.
                if self.lanes.code[lane] != 0 && self.fits[lane] != usize::MAX {
                    out.ends.push(self.end(lane));
                    out.parameters.extend((0..p).map(|i| self.lanes.point[i][lane]));
                    running -= usize::from(!self.refill(lane, &mut waiting));
                }
            }
            job.done.fetch_add((out.ends.len() - before) as u64, Ordering::Relaxed);
        }
        out
    }

    /// Puts the next fit on a lane, if there is one.
    fn refill(&mut self, lane: usize, waiting: &mut Range<usize>) -> bool {
        let job = self.job;
        let Some(place) = waiting.next() else {
            (self.fits[lane], self.rows[lane]) = (usize::MAX, 0);
            return false;
        };
        let (fit, first) = job.order.at(job.fit, place);
        let rows = job.order.rows(job.fit, place);
        (self.fits[lane], self.rows[lane]) = (fit, rows);
        for (c, values) in job.own.iter().enumerate() {
            let to = &mut self.data[c * self.room * LANES..];
            for (r, value) in values[first..first + rows].iter().enumerate() {
                to[r * LANES + lane] = *value;
            }
        }
        self.lanes.begin(lane, |i| job.fit.start(i, fit));
        true
    }

    fn end(&self, lane: usize) -> Ended {
        let job = self.job;
        let status = BatchedStatus::from_code(self.lanes.code[lane]).unwrap_or(BatchedStatus::Nonfinite);
        let bad = status == BatchedStatus::Nonfinite;
        let singular = !bad && (self.rows[lane] < job.ends.len() || self.lanes.singular(lane));
        Ended {
            fit: self.fits[lane],
            rss: if bad { f32::NAN } else { self.lanes.rss(lane) },
            iterations: self.lanes.taken[lane] - 1,
            status: if singular { BatchedStatus::Singular } else { status },
        }
    }

    /// Sums of all lanes at their trial points.
    fn evaluate(&mut self) {
        let (job, tape) = (self.job, self.job.tape);
        let (p, together) = (job.ends.len(), job.together);
        let x = tape.row.x[0];
        for (i, trial) in self.lanes.trial.iter().enumerate() {
            for part in self.block.row_mut(x + i).chunks_exact_mut(LANES) {
                part.copy_from_slice(trial);
            }
        }
        run(job.width, &tape.prologue, &mut self.block, Given::NOTHING);
        self.lanes.sums.fill([0.0; LANES]);
        let longest = self.rows.iter().copied().max().unwrap_or(0);
        let shortest = self.rows.iter().copied().min().unwrap_or(0);
        let width = together * LANES;
        let outputs: Vec<usize> = tape.outputs.iter().map(|row| row * width).collect();
        let all: Vec<usize> = (0..=p).map(|k| k * width).collect();
        for first in (0..longest).step_by(together) {
            let used = together.min(longest - first);
            let mut own = 0;
            for (c, column) in job.fit.inputs().enumerate() {
                let to = self.block.row_mut(x + p + c);
                match column {
                    FitColumn::Shared(values) => {
                        for (part, value) in to.chunks_exact_mut(LANES).zip(&values[first..first + used]) {
                            part.fill(*value);
                        }
                    }
                    FitColumn::Own(_) => {
                        let from = &self.data[(own * self.room + first) * LANES..][..used * LANES];
                        to[..used * LANES].copy_from_slice(from);
                        own += 1;
                    }
                }
            }
            run(job.width, &tape.row, &mut self.block, Given::NOTHING);
            let sums = &mut self.lanes.sums;
            if first + used <= shortest {
                let task = Accumulate { numbers: &self.block.slab, at: &outputs, used, sums };
                vectorised(job.width, task);
            } else {
                mask(&self.block.slab, &outputs, &mut self.masked, width, first, used, &self.rows);
                vectorised(job.width, Accumulate { numbers: &self.masked, at: &all, used, sums });
            }
        }
    }
}

/// Copies outputs, with 0 where a fit has no such row: whatever a model makes of stale numbers counts for nothing.
fn mask(
    slab: &[f32],
    outputs: &[usize],
    masked: &mut Vec<f32>,
    width: usize,
    first: usize,
    used: usize,
    rows: &[usize; LANES],
) {
    masked.resize(outputs.len() * width, 0.0);
    for (&from, to) in outputs.iter().zip(masked.chunks_exact_mut(width)) {
        let parts = slab[from..from + used * LANES].chunks_exact(LANES).zip(to.chunks_exact_mut(LANES));
        for (r, (from, to)) in parts.enumerate() {
            for l in 0..LANES {
                to[l] = if first + r < rows[l] { from[l] } else { 0.0 };
            }
        }
    }
}
