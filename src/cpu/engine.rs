//! The CPU engine: blocks of restarts over the cores, each running the tape from its start to its last step.

use super::lane::{CHUNK, Lane, Width};
use super::run::{Block, Given, TableRows, run};
use super::tape::{Tape, compile};
use crate::engine::{Backend, Evaluated};
use crate::error::Error;
use crate::fit::{BatchedFit, BatchedOutcome};
use crate::graph::DIVERGED;
use crate::graph::Graph;
use crate::kernel::{Kernel, Outputs, lower_nest, lower_straight};
use crate::outcome::{Batch, DeviceInfo, Event, Flow, Progress, Status, Timing, TraceBatch};
use crate::plan::{Plan, Precision, Program};
use crate::random::{RowDraws, key_of};
use crate::step::Evaluation;
use crate::surface::Surface;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Above this many instructions code is laid out in loops.
const STRAIGHT_LIMIT: usize = 3000;
/// The same for a surface with rows. Measured on networks of 33 to 1,185 parameters: straight code runs 1.1 to 1.7 times as
/// fast up to 10,000 instructions, and about as fast from 20,000 on.
const STRAIGHT_LIMIT_ROWS: usize = 12_000;
/// A formula of more instructions than this, loops counted once, is refused.
pub(crate) const KERNEL_LIMIT: usize = 400_000;
/// The most lanes of a block.
pub(crate) const LANES_MOST: usize = 256;
/// Host scalars that are computed once for all blocks; beyond it each block computes its own.
const TABLE_LIMIT: u64 = 1 << 24;

/// Runs plans on the cores of this machine.
#[derive(Debug)]
pub(crate) struct CpuEngine {
    threads: usize,
    width: Width,
}

impl CpuEngine {
    /// An engine on `threads` threads, 0 for one a core.
    pub(crate) fn new(threads: usize) -> CpuEngine {
        CpuEngine { threads, width: Width::detect() }
    }
}

/// Straight where that is short, else in loops; `name` is what messages call the formula.
pub(crate) fn lower(graph: &Graph, outputs: &Outputs, dim: u32, name: &str) -> Result<Kernel, Error> {
    lower_straight(graph, outputs, dim, straight_limit(outputs))
        .or_else(|| lower_nest(graph, outputs, dim))
        .or_else(|| lower_straight(graph, outputs, dim, KERNEL_LIMIT))
        .filter(|k| k.len() <= KERNEL_LIMIT)
        .ok_or_else(|| Error::TooLarge { surface: name.to_owned(), dim, limit: KERNEL_LIMIT })
}

/// How long straight code may be.
fn straight_limit(outputs: &Outputs) -> usize {
    if outputs.rows.columns > 0 { STRAIGHT_LIMIT_ROWS } else { STRAIGHT_LIMIT }
}

/// Runs a task where recursion may go deep.
pub(crate) fn with_large_stack<T: Send>(task: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        match std::thread::Builder::new().stack_size(256 << 20).spawn_scoped(scope, task) {
            Ok(handle) => handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // The closure is gone with the failed spawn: a system that cannot start one thread cannot run anything.
            Err(error) => std::panic::panic_any(error.to_string()),
        }
    })
}

impl Backend for CpuEngine {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: "cpu",
            name: processor(),
            backend: "cpu".to_owned(),
            driver: format!("{} threads, {}", self.pool_size(), self.width.name()),
        }
    }

    fn descend(&self, plan: &Plan, timing: &mut Timing, receive: &mut dyn FnMut(Event) -> Flow) -> Result<(), Error> {
        match plan.precision() {
            Precision::F32 => self.descend_in::<f32>(plan, timing, receive),
            Precision::F64 => self.descend_in::<f64>(plan, timing, receive),
        }
    }

    fn evaluate(&self, surface: &Surface, points: &[f64], precision: Precision) -> Result<Evaluated, Error> {
        match precision {
            Precision::F32 => self.evaluate_in::<f32>(surface, points),
            Precision::F64 => self.evaluate_in::<f64>(surface, points),
        }
    }

    fn fit(&self, fit: &BatchedFit<'_>, tell: &mut dyn FnMut(Progress) -> Flow) -> Result<BatchedOutcome, Error> {
        self.run_fit(fit, tell)
    }

    fn layout(&self, plan: &Plan) -> Result<String, Error> {
        let program = &plan.programs()[0];
        let outputs = program.step.outputs();
        let limit = straight_limit(&outputs);
        let straight = lower_straight(&program.step.graph, &outputs, plan.surface().dim(), limit).is_some();
        Ok(if straight { "straight" } else { "loops" }.to_owned())
    }
}

/// The processor's name, where the system tells it.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|l| l.strip_prefix("model name")).and_then(|l| l.split(':').nth(1));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |n| n.trim().to_owned())
}

/// One program, ready to run.
struct Job<'a, F> {
    plan: &'a Plan,
    program: &'a Program,
    step: &'a Tape<F>,
    evaluation: &'a Tape<F>,
    data: TableRows<'a, F>,
    width: Width,
    lanes: usize,
    done: &'a AtomicU64,
    stop: &'a AtomicBool,
}

/// The host scalars of one configuration: of every step, or of the one step that all are like, or none kept.
struct HostTable<F> {
    values: Vec<F>,
    stride: usize,
    whole: bool,
    initial: Vec<F>,
}

/// What a block sends when it is done.
struct Finished {
    index: usize,
    batch: Batch,
    traces: Vec<TraceBatch>,
}

impl CpuEngine {
    /// The vector instructions it uses.
    pub(super) fn width(&self) -> Width {
        self.width
    }

    pub(super) fn pool_size(&self) -> usize {
        if self.threads > 0 { self.threads } else { std::thread::available_parallelism().map_or(1, usize::from) }
    }

    pub(super) fn pool(&self) -> Result<rayon::ThreadPool, Error> {
        let built = rayon::ThreadPoolBuilder::new().num_threads(self.pool_size()).stack_size(8 << 20).build();
        built.map_err(|e| Error::Device {
            device: "cpu".to_owned(),
            problem: crate::error::DeviceProblem::Open(e.to_string()),
        })
    }

    fn descend_in<F: Lane>(
        &self,
        plan: &Plan,
        timing: &mut Timing,
        receive: &mut dyn FnMut(Event) -> Flow,
    ) -> Result<(), Error> {
        let pool = self.pool()?;
        let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let values = table_values::<F>(plan.surface());
        let data = table_rows(plan.surface(), &values, plan.row_draws());
        let mut compiled: Vec<Option<(Tape<F>, Tape<F>)>> = plan.programs().iter().map(|_| None).collect();
        for number in 0..plan.configurations().len() {
            let Some(index) = plan.programs().iter().position(|p| p.configurations.contains(&number)) else { continue };
            let program = &plan.programs()[index];
            let begun = Instant::now();
            let (step, evaluation) = match &mut compiled[index] {
                Some(tapes) => tapes,
                slot => slot.insert(tapes(plan, program)?),
            };
            let host = host_table::<F>(plan, program, number);
            timing.compile += begun.elapsed().as_secs_f64();
            let begun = Instant::now();
            let lanes = lanes_for::<F>(step.rows.max(evaluation.rows));
            let job = Job { plan, program, step, evaluation, data, width: self.width, lanes, done: &done, stop: &stop };
            self.run_configuration(&pool, &job, number, &host, receive)?;
            timing.run += begun.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// Runs one configuration chunk by chunk; the calling thread gives out what is done, in order.
    fn run_configuration<F: Lane>(
        &self,
        pool: &rayon::ThreadPool,
        job: &Job<'_, F>,
        number: usize,
        host: &HostTable<F>,
        receive: &mut dyn FnMut(Event) -> Flow,
    ) -> Result<(), Error> {
        let plan = job.plan;
        let lanes = job.lanes as u64;
        let chunk = plan.chunk().unwrap_or(lanes * 64 * self.pool_size() as u64);
        let total = plan.restarts() as f64 * plan.steps() as f64 * plan.configurations().len() as f64;
        let mut from = 0;
        while from < plan.restarts() {
            let to = (from + chunk).min(plan.restarts());
            let blocks = (to - from).div_ceil(lanes) as usize;
            let (send, results) = mpsc::channel::<Finished>();
            let outcome = std::thread::scope(|scope| -> Result<(), Error> {
                scope.spawn(move || {
                    pool.install(|| {
                        (0..blocks).into_par_iter().for_each_with(send, |send, index| {
                            let first = from + index as u64 * lanes;
                            let count = lanes.min(to - first) as usize;
                            if let Some((batch, traces)) = job.block(number, host, first, count) {
                                // The receiver is gone only when the run is being stopped.
                                let _ = send.send(Finished { index, batch, traces });
                            }
                        });
                    });
                });
                let mut waiting: Vec<Option<Finished>> = (0..blocks).map(|_| None).collect();
                let mut next = 0;
                let mut stopped = false;
                let mut tell = |event: Event, stopped: &mut bool| {
                    if !*stopped && receive(event) == Flow::Stop {
                        job.stop.store(true, Ordering::Relaxed);
                        *stopped = true;
                    }
                };
                loop {
                    match results.recv_timeout(Duration::from_millis(40)) {
                        Ok(finished) => {
                            let index = finished.index;
                            waiting[index] = Some(finished);
                            while let Some(finished) = waiting.get_mut(next).and_then(Option::take) {
                                tell(Event::Batch(finished.batch), &mut stopped);
                                for trace in finished.traces {
                                    tell(Event::Trace(trace), &mut stopped);
                                }
                                next += 1;
                            }
                        }
                        Err(mpsc::RecvTimeoutError::Timeout) => {
                            let done = job.done.load(Ordering::Relaxed) as f64;
                            tell(Event::Progress(Progress { done, total }), &mut stopped);
                        }
                        Err(mpsc::RecvTimeoutError::Disconnected) => break,
                    }
                }
                if stopped { Err(Error::Cancelled) } else { Ok(()) }
            });
            outcome?;
            let done = job.done.load(Ordering::Relaxed) as f64;
            if receive(Event::Progress(Progress { done, total })) == Flow::Stop {
                return Err(Error::Cancelled);
            }
            from = to;
        }
        Ok(())
    }

    fn evaluate_in<F: Lane>(&self, surface: &Surface, points: &[f64]) -> Result<Evaluated, Error> {
        let dim = surface.dim() as usize;
        let count = points.len() / dim;
        let evaluation = Evaluation::new(surface);
        let kernel =
            with_large_stack(|| lower(&evaluation.graph, &evaluation.outputs(true), surface.dim(), surface.name()))?;
        let tape = compile::<F>(&kernel, 0, 0);
        let lanes = lanes_for::<F>(tape.rows);
        let values = table_values::<F>(surface);
        let data = table_rows(surface, &values, None);
        let pool = self.pool()?;
        let parts: Vec<Evaluated> = pool.install(|| {
            (0..count.div_ceil(lanes))
                .into_par_iter()
                .map(|index| {
                    let rows = &points[index * lanes * dim..((index + 1) * lanes * dim).min(points.len())];
                    evaluate_block(&tape, self.width, data, lanes, dim, rows)
                })
                .collect()
        });
        let mut all = Evaluated { value: Vec::with_capacity(count), gradient: Vec::with_capacity(count * dim) };
        for part in parts {
            all.value.extend(part.value);
            all.gradient.extend(part.gradient);
        }
        Ok(all)
    }
}

/// A program's step and the surface's evaluation, compiled.
fn tapes<F: Lane>(plan: &Plan, program: &Program) -> Result<(Tape<F>, Tape<F>), Error> {
    let (surface, step) = (plan.surface(), &program.step);
    with_large_stack(|| {
        let (dim, name) = (surface.dim(), surface.name());
        let kernel = lower(&step.graph, &step.outputs(), dim, name)?;
        let evaluation = lower(&plan.evaluation().graph, &plan.evaluation().outputs(false), dim, name)?;
        Ok((compile(&kernel, step.states, program.chain.hyper.len()), compile(&evaluation, 0, 0)))
    })
}

/// The surface's table in a lane's number type, row-major.
fn table_values<F: Lane>(surface: &Surface) -> Vec<F> {
    surface.table().map_or_else(Vec::new, |table| table.values.iter().map(|&v| F::of(v)).collect())
}

fn table_rows<'a, F>(surface: &Surface, values: &'a [F], draws: Option<RowDraws>) -> TableRows<'a, F> {
    match surface.table() {
        None => TableRows::NONE,
        Some(table) => TableRows { values, columns: table.columns as usize, draws: draws.unwrap_or(RowDraws::NONE) },
    }
}

fn evaluate_block<F: Lane>(
    tape: &Tape<F>,
    width: Width,
    data: TableRows<'_, F>,
    lanes: usize,
    dim: usize,
    rows: &[f64],
) -> Evaluated {
    let mut block = Block::<F>::new(tape.rows, tape.vars, lanes, [0, 0]);
    let count = rows.len() / dim;
    for i in 0..dim {
        let first = tape.x[0] + i;
        for (lane, x) in block.row_mut(first).iter_mut().enumerate() {
            *x = F::of(rows[lane.min(count - 1) * dim + i]);
        }
    }
    run(width, tape, &mut block, Given { host: &[], data, step: 0 });
    let value = block.output(tape, tape.scalars[0], &[]);
    let value = (0..count).map(|lane| value.at(lane).to()).collect();
    let gradient = (0..count)
        .flat_map(|lane| (0..dim).map(move |i| (lane, i)))
        .map(|(lane, i)| block.row(tape.gradient + i)[lane].to());
    Evaluated { value, gradient: gradient.collect() }
}

/// Lanes of a block: as many as keep its slab near the first-level cache.
pub(crate) fn lanes_for<F>(rows: usize) -> usize {
    let bytes = rows * size_of::<F>();
    [LANES_MOST, 128, 64].into_iter().find(|lanes| lanes * bytes <= 48 << 10).unwrap_or(CHUNK.max(32))
}

fn host_table<F: Lane>(plan: &Plan, program: &Program, number: usize) -> HostTable<F> {
    let hyper = &plan.configurations()[number].hyper;
    let mut host = program.step.host.run(hyper, plan.steps());
    let initial: Vec<F> = host.initial_states().into_iter().map(F::of).collect();
    let stride = program.step.host.len();
    let steps = if host.is_steady() { 1 } else { plan.steps() };
    let whole = steps * stride as u64 <= TABLE_LIMIT;
    let mut values = Vec::new();
    if whole {
        host.extend(steps, &mut values);
    }
    HostTable {
        values: values.into_iter().map(F::of).collect(),
        stride: if steps == 1 { 0 } else { stride },
        whole,
        initial,
    }
}

/// The state of a block's restarts beside their slab.
struct Lanes<F> {
    status: Vec<u8>,
    steps: Vec<u32>,
    last_value: Vec<F>,
    running: usize,
}

impl<F: Lane> Job<'_, F> {
    /// Descends restarts `first..first + count` of a configuration; `None` where the run was stopped.
    fn block(&self, number: usize, host: &HostTable<F>, first: u64, count: usize) -> Option<(Batch, Vec<TraceBatch>)> {
        let plan = self.plan;
        let dim = plan.surface().dim() as usize;
        let key = key_of(plan.seed());
        let id = plan.first() + first;
        let mut block = Block::<F>::new(self.step.rows, self.step.vars, self.lanes, key);
        let mut evaluator = Block::<F>::new(self.evaluation.rows, self.evaluation.vars, self.lanes, key);
        block.first = id;
        let mut starts = vec![0f32; dim * count];
        plan.sampler().fill(id, count, &mut starts);
        for i in 0..dim {
            let row = self.step.x[0] + i;
            for (lane, x) in block.row_mut(row).iter_mut().enumerate() {
                // Lanes behind the last restart repeat it.
                *x = F::from_start(starts[i * count + lane.min(count - 1)]);
            }
        }
        for (state, &initial) in self.step.states.clone().into_iter().zip(&host.initial) {
            for i in 0..dim {
                block.row_mut(state + i).fill(initial);
            }
        }
        self.draw_hyper(number, &mut block, id, count);
        let mut lanes = Lanes {
            status: vec![0; count],
            steps: vec![0; count],
            last_value: vec![F::default(); count],
            running: count,
        };
        let (start_value, _) = self.values(&block, &mut evaluator, dim);
        let traced = |lane: usize| first + (lane as u64) < plan.trace().restarts;
        let mut traces = Vec::new();
        let mut record = |block: &Block<F>, evaluator: &mut Block<F>, lanes: &Lanes<F>, step: u64| {
            let kept: Vec<usize> = (0..count).filter(|&l| lanes.status[l] == 0 && traced(l)).collect();
            if kept.is_empty() {
                return;
            }
            let (value, norm) = self.values(block, evaluator, dim);
            let mut x = Vec::with_capacity(dim * kept.len());
            for i in 0..dim {
                x.extend(kept.iter().map(|&l| block.x(self.step, i)[l]));
            }
            traces.push(TraceBatch {
                configuration: number,
                step,
                restarts: kept.iter().map(|&l| id + l as u64).collect(),
                value: F::column(kept.iter().map(|&l| value[l]).collect()),
                gradient_norm: F::column(kept.iter().map(|&l| norm[l]).collect()),
                x: F::column(x),
            });
        };
        let wanted = &plan.trace().steps;
        if wanted.contains(&0) {
            record(&block, &mut evaluator, &lanes, 0);
        }
        let mut own =
            (!host.whole).then(|| self.program.step.host.run(&plan.configurations()[number].hyper, plan.steps()));
        let mut window: Vec<F> = Vec::new();
        let stride = self.program.step.host.len();
        let mut counted = 0u64;
        // A step over a table takes long: the wish to stop is heard after each.
        let often = if self.data.columns > 0 { 1 } else { 64 };
        for t in 1..=plan.steps() {
            if t % often == 0 {
                if self.stop.load(Ordering::Relaxed) {
                    return None;
                }
                self.done.fetch_add(often * count as u64, Ordering::Relaxed);
                counted += often;
            }
            let scalars: &[F] = match &mut own {
                None => &host.values[(t as usize - 1) * host.stride..][..stride],
                Some(run) => {
                    let mut row = Vec::with_capacity(stride);
                    run.extend(1, &mut row);
                    window.clear();
                    window.extend(row.into_iter().map(F::of));
                    &window
                }
            };
            run(self.width, self.step, &mut block, Given { host: scalars, data: self.data, step: t as u32 });
            self.settle(&mut block, scalars, &mut lanes, t, dim);
            block.flip = 1 - block.flip;
            if lanes.running == 0 {
                break;
            }
            if wanted.contains(&t) {
                record(&block, &mut evaluator, &lanes, t);
            }
        }
        self.done.fetch_add((plan.steps() - counted) * count as u64, Ordering::Relaxed);
        let batch = self.finish(&block, &mut evaluator, lanes, number, id, count, start_value);
        Some((batch, traces))
    }

    fn draw_hyper(&self, number: usize, block: &mut Block<F>, id: u64, count: usize) {
        for lane in 0..count {
            for (slot, drawn) in self.plan.drawn(number, id + lane as u64).into_iter().enumerate() {
                block.row_mut(self.step.drawn + slot)[lane] = F::of(drawn);
            }
        }
    }

    /// Values and gradient norms at the block's points.
    fn values(&self, block: &Block<F>, evaluator: &mut Block<F>, dim: usize) -> (Vec<F>, Vec<F>) {
        for i in 0..dim {
            let row = self.evaluation.x[0] + i;
            evaluator.row_mut(row).copy_from_slice(block.x(self.step, i));
        }
        run(self.width, self.evaluation, evaluator, Given { host: &[], data: self.data, step: 0 });
        let value = evaluator.output(self.evaluation, self.evaluation.scalars[0], &[]);
        let norm = evaluator.output(self.evaluation, self.evaluation.scalars[1], &[]);
        let all = 0..self.lanes;
        (all.clone().map(|l| value.at(l)).collect(), all.map(|l| F::of(norm.at(l).to().sqrt())).collect())
    }

    /// After a step: latches who stopped, and keeps their points.
    fn settle(&self, block: &mut Block<F>, host: &[F], lanes: &mut Lanes<F>, t: u64, dim: usize) {
        let tape = self.step;
        let stopping = self.plan.stopping();
        let diverged = F::of(DIVERGED);
        let huge = F::of(HUGE);
        let worst_x = block.output(tape, tape.scalars[0], host);
        let worst_gradient = block.output(tape, tape.scalars[1], host);
        let tests = tape.scalars.len() > 2;
        let frozen = lanes.running < lanes.status.len();
        if !tests && !frozen && !worst_x.any_above(diverged) && !worst_gradient.any_above(huge) {
            return;
        }
        let has_value = self.program.step.value.is_some();
        let value = has_value.then(|| block.output(tape, tape.scalars[2], host));
        let norm = stopping.gradient.map(|_| block.output(tape, tape.scalars[2 + usize::from(has_value)], host));
        let mut newly = Vec::new();
        for lane in 0..lanes.status.len() {
            if lanes.status[lane] != 0 {
                continue;
            }
            let now = value.as_ref().map(|v| v.at(lane));
            let norm = norm.as_ref().map(|n| n.at(lane));
            let status = if worst_gradient.at(lane) > huge {
                Some(Status::Nonfinite)
            } else if let Some(status) =
                stops(&self.plan.stopping(), now, norm, (t > 1).then_some(lanes.last_value[lane]))
            {
                Some(status)
            } else if worst_x.at(lane) > diverged {
                Some(Status::Diverged)
            } else {
                None
            };
            if let Some(now) = now {
                lanes.last_value[lane] = now;
            }
            match status {
                Some(status) => newly.push((lane, status)),
                None => lanes.steps[lane] = t as u32,
            }
        }
        for &(lane, status) in &newly {
            lanes.status[lane] = status as u8;
            lanes.steps[lane] = (t - 1) as u32;
            lanes.running -= 1;
        }
        if lanes.running < lanes.status.len() {
            let (before, after) = (tape.x[block.flip], tape.x[1 - block.flip]);
            for i in 0..dim {
                for lane in 0..lanes.status.len() {
                    if lanes.status[lane] != 0 {
                        block.slab[(after + i) * self.lanes + lane] = block.slab[(before + i) * self.lanes + lane];
                    }
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a block's parts become its batch")]
    fn finish(
        &self,
        block: &Block<F>,
        evaluator: &mut Block<F>,
        mut lanes: Lanes<F>,
        number: usize,
        id: u64,
        count: usize,
        start_value: Vec<F>,
    ) -> Batch {
        let plan = self.plan;
        let dim = plan.surface().dim() as usize;
        let (value, norm) = self.values(block, evaluator, dim);
        let mut status = Vec::with_capacity(count);
        for lane in 0..count {
            let latched = Status::from_code(u32::from(lanes.status[lane]));
            status.push(latched.unwrap_or_else(|| {
                lanes.steps[lane] = plan.steps() as u32;
                let last = lanes.last_value[lane];
                let bad = !value[lane].to().is_finite() || norm[lane].to().is_nan();
                let square = F::of(norm[lane].to() * norm[lane].to());
                if bad {
                    return Status::Nonfinite;
                }
                stops(&plan.stopping(), Some(value[lane]), Some(square), Some(last)).unwrap_or(Status::MaxSteps)
            }));
        }
        let mut x = Vec::new();
        if plan.points() {
            x.reserve(dim * count);
            for i in 0..dim {
                x.extend_from_slice(&block.x(self.step, i)[..count]);
            }
        }
        let cut = |mut v: Vec<F>| {
            v.truncate(count);
            F::column(v)
        };
        Batch {
            configuration: number,
            first: id,
            dim,
            value: cut(value),
            gradient_norm: cut(norm),
            steps: lanes.steps,
            status,
            start_value: if plan.points() { cut(start_value) } else { F::column(Vec::new()) },
            x: F::column(x),
        }
    }
}

/// A gradient beyond this is not finite: [`Unary::Magnitude`](crate::graph::Unary) reads infinities as the largest number.
pub(crate) const HUGE: f64 = 3.4e38;

/// Whether a restart stops at its point, for a reason other than a blow-up.
fn stops<F: Lane>(
    stopping: &crate::plan::Stopping,
    value: Option<F>,
    squared_norm: Option<F>,
    last_value: Option<F>,
) -> Option<Status> {
    if let (Some(tolerance), Some(norm)) = (stopping.gradient, squared_norm)
        && norm <= F::of(tolerance * tolerance)
    {
        return Some(Status::Converged);
    }
    let now = value?;
    if stopping.target.is_some_and(|target| now <= F::of(target)) {
        return Some(Status::Target);
    }
    if let (Some(tolerance), Some(last)) = (stopping.change, last_value) {
        let change = (now.to() - last.to()).abs();
        if change <= tolerance * now.to().abs().max(1.0) {
            return Some(Status::Stalled);
        }
    }
    None
}
