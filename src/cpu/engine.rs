//! The CPU engine: blocks of restarts over the cores, each running the tape from its start to its last step.

use super::cohort::{Workspace, descend, tiles_near};
use super::evaluator::Evaluator;
use super::lane::{CHUNK, Lane, Width};
use super::program::{Program as Compiled, Runner, program};
use super::run::TableRows;
use super::tile::{Line, Task, TileLayout, Work, lines};
use crate::engine::{Backend, Evaluated, Receive};
use crate::error::Error;
use crate::fit::{BatchedFit, BatchedOutcome};
use crate::graph::Graph;
use crate::kernel::{Kernel, Outputs, lower_nest, lower_straight};
use crate::outcome::{DeviceInfo, Event, Flow, Progress, Timing, TraceBatch};
use crate::plan::{Plan, Precision, Program};
use crate::random::RowDraws;
use crate::summary::Delivered;
use crate::surface::Surface;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError, mpsc};
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

/// Coordinates of restarts that machine code puts down itself where they converge.
const PUT_DOWN: usize = 64;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(40);
/// Restarts of a cohort whose restarts end at different steps, and the bytes that it may take.
const COHORT: u64 = 16384;
const COHORT_BYTES: u64 = 8 << 20;
/// Restarts of cohorts that are given out together.
const PARCEL: u64 = 8192;
/// Coordinates times steps of a run that the calling thread does alone: some 50 microseconds.
const SMALL: f64 = 2e5;

/// Runs plans on the cores of this machine.
#[derive(Debug)]
pub(crate) struct CpuEngine {
    threads: usize,
    width: Width,
    /// The threads of descents, kept from run to run: starting them takes longer than a small run.
    workers: Mutex<Option<rayon::ThreadPool>>,
    /// The threads of evaluations, which may be wanted while descents go on.
    pool: OnceLock<rayon::ThreadPool>,
}

impl CpuEngine {
    /// An engine on `threads` threads, 0 for one a core.
    pub(crate) fn new(threads: usize) -> CpuEngine {
        CpuEngine { threads, width: Width::detect(), workers: Mutex::new(None), pool: OnceLock::new() }
    }

    /// The same engine with vectors of a width that this machine has.
    #[cfg(test)]
    pub(super) fn with_width(self, width: Width) -> CpuEngine {
        CpuEngine { width, ..self }
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

    fn descend(&self, plan: &Plan, timing: &mut Timing, receive: &mut Receive<'_>) -> Result<(), Error> {
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
        let form = match plan.precision() {
            Precision::F32 => compile::<f32>(plan, program, self.width)?.0.form(),
            Precision::F64 => compile::<f64>(plan, program, self.width)?.0.form(),
        };
        Ok(format!("{}, {form}", if straight { "straight" } else { "loops" }))
    }
}

/// The processor's name, where the system tells it.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|l| l.strip_prefix("model name")).and_then(|l| l.split(':').nth(1));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |n| n.trim().to_owned())
}

/// One program, ready to run.
pub(super) struct Job<'a, F> {
    pub(super) plan: &'a Plan,
    pub(super) program: &'a Program,
    pub(super) step: &'a dyn Compiled<F>,
    pub(super) evaluation: &'a dyn Compiled<F>,
    pub(super) data: TableRows<'a, F>,
    /// Tiles that are stepped together.
    pub(super) near: usize,
    /// How many times a step does what one without rows does.
    pub(super) weight: u64,
    pub(super) done: &'a AtomicU64,
    pub(super) stop: &'a AtomicBool,
}

/// The host scalars of one configuration: of every step, or of the one step that all are like, or none kept.
pub(super) struct HostTable<F> {
    pub(super) values: Vec<F>,
    pub(super) stride: usize,
    pub(super) whole: bool,
    pub(super) initial: Vec<F>,
}

/// What a thread sends: cohorts that follow each other, so that few messages wake the thread that gathers.
struct Finished {
    index: u64,
    cohorts: Vec<(Delivered, Vec<TraceBatch>)>,
}

impl Finished {
    /// Gives everything out, in order.
    fn give(self, tell: &mut impl FnMut(Delivered)) {
        for (batch, traces) in self.cohorts {
            tell(batch);
            traces.into_iter().for_each(|trace| tell(Event::Trace(trace).into()));
        }
    }
}

impl<F: Lane> Job<'_, F> {
    /// Values and gradient norms at `count` points; `column` fills in a coordinate of all of them.
    pub(super) fn values(
        &self,
        evaluator: &mut dyn Runner<F>,
        count: usize,
        column: impl Fn(usize, &mut [F]),
    ) -> (Vec<F>, Vec<F>) {
        let mut memory = loaded(self.evaluation, count, column);
        self.evaluate(evaluator, &mut memory, 0);
        self.outputs(&memory, count)
    }

    /// Tiles that go together, in the step and where it is evaluated.
    pub(super) fn together(&self) -> usize {
        self.step.together().max(self.evaluation.together())
    }

    /// Whether a step's tiles can be evaluated where they lie.
    pub(super) fn in_place(&self) -> bool {
        self.step.lanes() == self.evaluation.lanes() && self.step.layout() == self.evaluation.layout()
    }

    /// Evaluates tiles at the parameters that `flip` says.
    pub(super) fn evaluate(&self, evaluator: &mut dyn Runner<F>, memory: &mut [Line], flip: usize) {
        evaluate_tiles(self.evaluation, evaluator, memory, flip);
    }

    /// Values and gradient norms of the first `count` restarts of evaluated tiles.
    pub(super) fn outputs(&self, memory: &[Line], count: usize) -> (Vec<F>, Vec<F>) {
        let (layout, lanes) = (self.evaluation.layout(), self.evaluation.lanes());
        let row = |row: usize| -> Vec<F> {
            let mut all = vec![F::default(); count];
            for (to, tile) in all.chunks_mut(lanes).zip(F::numbers(memory).chunks_exact(layout.len() * lanes)) {
                to.copy_from_slice(&tile[layout.row(row, lanes)][..to.len()]);
            }
            all
        };
        let mut norm = row(layout.outputs() + 1);
        norm.iter_mut().for_each(|v| *v = v.root());
        (row(layout.outputs()), norm)
    }
}

/// Tiles that hold `count` points; lanes behind the last repeat it.
pub(super) fn loaded<F: Lane>(program: &dyn Compiled<F>, count: usize, column: impl Fn(usize, &mut [F])) -> Vec<Line> {
    let (layout, lanes) = (program.layout(), program.lanes());
    let tiles = count.div_ceil(lanes).next_multiple_of(program.together());
    let mut memory = vec![Line::default(); lines::<F>(layout, lanes, tiles)];
    let mut numbers = vec![F::default(); count];
    for i in 0..layout.dim {
        column(i, &mut numbers);
        let all = F::numbers_mut(&mut memory).chunks_exact_mut(layout.len() * lanes);
        for (tile, first) in all.zip((0..).step_by(lanes)) {
            let row = &mut tile[layout.row(i, lanes)];
            let here = &numbers[first.min(count - 1)..(first + lanes).min(count).max(1)];
            row[..here.len()].copy_from_slice(here);
            row[here.len()..].fill(here[here.len() - 1]);
        }
    }
    memory
}

/// Evaluates all tiles.
pub(super) fn evaluate_tiles<F: Lane>(
    program: &dyn Compiled<F>,
    evaluator: &mut dyn Runner<F>,
    memory: &mut [Line],
    flip: usize,
) {
    let bytes = program.layout().len() * program.lanes() * size_of::<F>();
    for tiles in memory.chunks_mut(tiles_near(bytes, program.together()) * bytes / size_of::<Line>()) {
        evaluator.run(Work { tiles, flip, host: &[], stride: 0, step: 0, steps: 1 }, &mut |_| {});
    }
}

impl CpuEngine {
    /// The vector instructions it uses.
    pub(super) fn width(&self) -> Width {
        self.width
    }

    pub(super) fn pool_size(&self) -> usize {
        if self.threads > 0 { self.threads } else { std::thread::available_parallelism().map_or(1, usize::from) }
    }

    /// Threads for evaluations.
    fn pool(&self) -> Result<&rayon::ThreadPool, Error> {
        match self.pool.get() {
            Some(pool) => Ok(pool),
            None => self.new_pool().map(|made| self.pool.get_or_init(|| made)),
        }
    }

    pub(super) fn new_pool(&self) -> Result<rayon::ThreadPool, Error> {
        let built = rayon::ThreadPoolBuilder::new().num_threads(self.pool_size()).stack_size(8 << 20).build();
        built.map_err(|e| Error::Device {
            device: "cpu".to_owned(),
            problem: crate::error::DeviceProblem::Open(e.to_string()),
        })
    }

    fn descend_in<F: Lane>(&self, plan: &Plan, timing: &mut Timing, receive: &mut Receive<'_>) -> Result<(), Error> {
        let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let values = table_values::<F>(plan.surface());
        let data = table_rows(plan.surface(), &values, plan.row_draws());
        let mut compiled: Vec<Option<Pair<F>>> = plan.programs().iter().map(|_| None).collect();
        for number in 0..plan.configurations().len() {
            let Some(index) = plan.programs().iter().position(|p| p.configurations.contains(&number)) else { continue };
            let program = &plan.programs()[index];
            let begun = Instant::now();
            let (step, evaluation) = match &mut compiled[index] {
                Some(pair) => pair,
                slot => slot.insert(compile::<F>(plan, program, self.width)?),
            };
            let host = host_table::<F>(plan, program, number);
            timing.compile += begun.elapsed().as_secs_f64();
            let begun = Instant::now();
            let near = tiles_near(step.layout().len() * step.lanes() * size_of::<F>(), step.together());
            let rows = plan.surface().table().map_or(1, |t| u64::from(t.rows));
            let weight = plan.row_draws().map_or(rows, |d| u64::from(d.batch));
            let (step, evaluation) = (&**step, &**evaluation);
            let job = Job { plan, program, step, evaluation, data, near, weight, done: &done, stop: &stop };
            self.run_configuration(&job, number, &host, receive)?;
            timing.run += begun.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// Runs one configuration, some cohorts at a time; the calling thread gives out what is done, in order.
    fn run_configuration<F: Lane>(
        &self,
        job: &Job<'_, F>,
        number: usize,
        host: &HostTable<F>,
        receive: &mut Receive<'_>,
    ) -> Result<(), Error> {
        let plan = job.plan;
        let threads = self.pool_size() as u64;
        let cohort = cohort_size(job, threads);
        // Cohorts in one message.
        let run = (PARCEL.min(plan.restarts() / (4 * threads)) / cohort).max(1);
        let run = plan.chunk().map_or(run, |chunk| run.min(chunk / cohort).max(1));
        let size = cohort * run;
        let parcels = plan.restarts().div_ceil(size);
        // No thread runs further ahead than this of what has been given out: memory stays bounded.
        let ahead = plan.chunk().map_or((64 / run).max(2) * threads, |chunk| (chunk / size).max(1));
        let total = plan.restarts() as f64 * plan.steps() as f64 * plan.configurations().len() as f64;
        let (next, given) = (&AtomicU64::new(0), &Given::default());
        let parcel = |space: &mut Workspace<'_, F>, index: u64| {
            let end = (index * size + size).min(plan.restarts());
            let firsts = (index * size..end).step_by(cohort as usize);
            let descents = firsts.map(|first| {
                let count = cohort.min(end - first) as usize;
                let (batch, traces) = descend(job, space, number, host, first, count)?;
                Some((Delivered::batch(plan, batch), traces))
            });
            descents.collect::<Option<Vec<_>>>().map(|cohorts| Finished { index, cohorts })
        };
        let mut stopped = false;
        let mut tell = |mut event: Delivered| {
            if !stopped && receive(std::slice::from_mut(&mut event)) == Flow::Stop {
                job.stop.store(true, Ordering::Relaxed);
                given.advance(u64::MAX);
                stopped = true;
            }
        };
        let progress = || {
            let done = job.done.load(Ordering::Relaxed) as f64;
            Delivered::from(Event::Progress(Progress { done, total }))
        };
        let work = plan.restarts() as f64 * plan.steps() as f64 * f64::from(plan.surface().dim()) * job.weight as f64;
        if work <= SMALL {
            // Done before a thread would have begun.
            let mut space = Workspace::new(job);
            for finished in (0..parcels).map_while(|index| parcel(&mut space, index)) {
                finished.give(&mut tell);
            }
            tell(progress());
            return if stopped { Err(Error::Cancelled) } else { Ok(()) };
        }
        let mut kept = self.workers.try_lock();
        let workers = match &mut kept {
            Ok(kept) => match &mut **kept {
                Some(workers) => workers,
                none => none.insert(self.new_pool()?),
            },
            // Another run has them: this one is made from within it, or beside it.
            Err(_) => &mut self.new_pool()?,
        };
        let (send, results) = mpsc::channel::<Finished>();
        workers.in_place_scope(|scope| {
            for _ in 0..threads.min(parcels) {
                let (send, parcel) = (send.clone(), &parcel);
                scope.spawn(move |_| {
                    let _release = Release(given, job.stop);
                    let mut space = Workspace::new(job);
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= parcels {
                            return;
                        }
                        given.wait_for((index + 1).saturating_sub(ahead));
                        if job.stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let Some(finished) = parcel(&mut space, index) else { return };
                        // The receiver is gone only when the run is being stopped.
                        let _ = send.send(finished);
                    }
                });
            }
            drop(send);
            let mut waiting: HashMap<u64, Finished> = HashMap::new();
            let (mut wanted, mut told) = (0, Instant::now());
            loop {
                match results.recv_timeout(PROGRESS) {
                    Ok(finished) => {
                        waiting.insert(finished.index, finished);
                        while let Some(finished) = waiting.remove(&wanted) {
                            finished.give(&mut tell);
                            wanted += 1;
                            given.advance(wanted);
                        }
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                }
                if told.elapsed() > PROGRESS {
                    told = Instant::now();
                    tell(progress());
                }
            }
            tell(progress());
        });
        if stopped { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn evaluate_in<F: Lane>(&self, surface: &Surface, points: &[f64]) -> Result<Evaluated, Error> {
        let evaluator = Evaluator::<F>::new(surface, self.width)?;
        Ok(self.pool()?.install(|| evaluator.at(points)))
    }
}

/// Lets the other threads go when one panics: nobody would give out what they wait for.
struct Release<'a>(&'a Given, &'a AtomicBool);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.1.store(true, Ordering::Relaxed);
            self.0.advance(u64::MAX);
        }
    }
}

/// How many parcels have been given out.
#[derive(Default)]
struct Given {
    count: Mutex<u64>,
    more: Condvar,
}

impl Given {
    /// Counts up to `count`, never down.
    fn advance(&self, count: u64) {
        let mut now = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *now = count.max(*now);
        self.more.notify_all();
    }

    fn wait_for(&self, count: u64) {
        let mut now = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *now < count {
            now = self.more.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Restarts of a cohort: as many as are stepped together, or more where they end at different steps and so can take each
/// other's places; few enough that every thread has some.
fn cohort_size<F: Lane>(job: &Job<'_, F>, threads: u64) -> u64 {
    let (layout, lanes) = (job.step.layout(), job.step.lanes() as u64);
    let tile = (layout.len() * job.step.lanes() * size_of::<F>()) as u64;
    let near = job.near as u64 * lanes;
    let size = if job.plan.stopping().any() { near.max((COHORT_BYTES / tile * lanes).min(COHORT)) } else { near };
    let each = job.plan.restarts().div_ceil(4 * threads).next_multiple_of(lanes);
    size.min(each).min(job.plan.chunk().unwrap_or(u64::MAX)).max(1)
}

/// A program's step and the surface's evaluation.
pub(super) type Pair<F> = (Box<dyn Compiled<F>>, Box<dyn Compiled<F>>);

/// Compiles them.
pub(super) fn compile<F: Lane>(plan: &Plan, program_of: &Program, width: Width) -> Result<Pair<F>, Error> {
    let (surface, step) = (plan.surface(), &program_of.step);
    let stopping = plan.stopping();
    let task = Task::Descend {
        gradient_squared: stopping.gradient.map(|g| g * g),
        target: stopping.target,
        change: stopping.change,
        value: step.value.is_some(),
    };
    with_large_stack(|| {
        let (dim, name) = (surface.dim(), surface.name());
        let kernel = lower(&step.graph, &step.outputs(), dim, name)?;
        let evaluation = lower(&plan.evaluation().graph, &plan.evaluation().outputs(false), dim, name)?;
        let dim = dim as usize;
        let hyper = &program_of.chain.hyper;
        let drawn = if hyper.iter().any(|h| h.drawn) { hyper.len() } else { 0 };
        let puts_down = F::puts_down(width, task) && dim <= PUT_DOWN;
        let layout = TileLayout { dim, states: step.states, drawn, gradient: false, puts_down };
        // The same tiles, so that they can be evaluated where they lie.
        let step = program(kernel, layout.clone(), width, task);
        Ok((step, program(evaluation, layout, width, Task::Evaluate)))
    })
}

/// The surface's table in a lane's number type, row-major.
pub(super) fn table_values<F: Lane>(surface: &Surface) -> Vec<F> {
    surface.table().map_or_else(Vec::new, |table| table.values.iter().map(|&v| F::of(v)).collect())
}

pub(super) fn table_rows<'a, F>(surface: &Surface, values: &'a [F], draws: Option<RowDraws>) -> TableRows<'a, F> {
    match surface.table() {
        None => TableRows::NONE,
        Some(table) => TableRows { values, columns: table.columns as usize, draws: draws.unwrap_or(RowDraws::NONE) },
    }
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
