//! The GPU engine: cuts a plan into launches that fit the device, and launches into dispatches that no watchdog minds.

use super::buffers::{Buffers, Packing, Params, Sizes, filled, layout, mapped, read};
use super::cache::PipelineCache;
use super::crowd::Crowd;
use super::descent::{descent, remainder};
use super::device::Gpu;
use super::harvest::results;
use super::library::hidden;
use super::pace::{Learned, Pace};
use super::shader::{REGIONS, START_REGION, Shader, TRACE_REGION, beginning, compaction, entries, evaluation};
use super::submission::{Range, Submission};
use super::target::Target;
use crate::engine::{Backend, Evaluated, Receive};
use crate::error::{DeviceProblem, Error};
use crate::fit::{BatchedFit, BatchedOutcome};
use crate::host::HostRun;
use crate::outcome::{DeviceInfo, Event, Flow, Progress, Timing};
use crate::plan::{Plan, Precision, Program};
use crate::random::Starts;
use crate::step::Evaluation;
use crate::surface::Surface;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many slots a launch has at most.
pub(super) const MAX_SLOTS: u64 = 1 << 22;
/// Words of host scalars that a dispatch may take along.
const HOST_WORDS: u64 = 1 << 20;
/// Rows of the surface's table that all slots of a launch visit in a step.
const ROW_VISITS: u64 = 1 << 32;
/// Bytes that a launch's buffers may take in all.
pub(super) const LAUNCH_BYTES: u64 = 1 << 30;
/// Words of `queue` before its lists.
const COUNTERS: u64 = 3;
/// Bits that a value has until a kernel writes it.
pub(super) const POISON: u32 = 0x7fa5_a5a5;

/// Runs plans on one GPU.
#[derive(Debug)]
pub(crate) struct GpuEngine {
    pub(super) gpu: Gpu,
    epoch: Cell<u32>,
    /// Pipelines by their text: a surface and rule that run again are not compiled again.
    modules: RefCell<HashMap<String, Module>>,
    /// The last run's buffers: making them takes longer than a small run.
    buffers: RefCell<Option<(Sizes, Rc<Buffers>)>>,
    target: Target,
    /// What a restart's step is said to take, in place of the time that it takes: for tests.
    pretended: Option<Duration>,
    /// Restarts dispatched, times steps.
    #[cfg(test)]
    pub(super) dispatched: Cell<u64>,
}

/// Pipelines that an engine keeps.
const MODULES: usize = 64;

/// A module, ready to dispatch.
#[derive(Clone, Debug)]
pub(super) struct Module {
    pub(super) pipeline: wgpu::ComputePipeline,
    /// What its dispatches cost when it last ran.
    learned: Rc<Cell<Option<Learned>>>,
}

/// A program's modules and what they need.
struct Compiled<'a> {
    program: &'a Program,
    layout: wgpu::BindGroupLayout,
    begin: Module,
    descend: Module,
    evaluate: Module,
    /// The surface's table, then the constant tables of `descend` and `evaluate`.
    tables: wgpu::Buffer,
    shader: Shader,
    evaluator: Shader,
    /// The most steps of a dispatch that the device runs to their end.
    most_steps: u64,
    /// What goes on with restarts that have met a large angle: made when the first one does.
    rest: OnceCell<Rest>,
}

/// The module of restarts that another has left.
struct Rest {
    descend: Module,
    tables: wgpu::Buffer,
    shader: Shader,
    most_steps: u64,
}

/// Configurations of one program that stand side by side, and their launches.
struct Group {
    first: usize,
    count: usize,
}

impl GpuEngine {
    /// The best GPU, a software one only where that is allowed.
    pub(crate) fn best(software: bool) -> Result<GpuEngine, Error> {
        Ok(GpuEngine::of(Gpu::best(software)?))
    }

    /// The GPU of this number in [`devices`](crate::devices).
    pub(crate) fn by_index(index: usize) -> Result<GpuEngine, Error> {
        Ok(GpuEngine::of(Gpu::open(index)?))
    }

    pub(super) fn of(gpu: Gpu) -> GpuEngine {
        let target = Target::of(&gpu.about).clone();
        GpuEngine {
            gpu,
            target,
            epoch: Cell::new(0),
            modules: RefCell::default(),
            buffers: RefCell::default(),
            pretended: None,
            #[cfg(test)]
            dispatched: Cell::new(0),
        }
    }

    fn target(&self) -> &Target {
        &self.target
    }

    /// The same engine, which spreads restarts of `from` or more dimensions over workgroups of at most `most` invocations.
    pub(crate) fn spreading(self, from: u32, most: u32) -> GpuEngine {
        GpuEngine { target: self.target.spreading(from, most), ..self }
    }

    /// The same engine, which writes shaders for another kind of device.
    #[cfg(test)]
    pub(super) fn aiming(self, target: Target) -> GpuEngine {
        GpuEngine { target, ..self }
    }

    /// The same engine, which takes this for the time of a restart's step.
    #[cfg(test)]
    pub(super) fn pretending(self, cost: Duration) -> GpuEngine {
        GpuEngine { pretended: Some(cost), ..self }
    }

    pub(super) fn module(&self, layout: &wgpu::BindGroupLayout, entry: &str, text: &str) -> Result<Module, Error> {
        if let Some(known) = self.modules.borrow().get(text) {
            return Ok(known.clone());
        }
        let code = if self.target.hides { Cow::Owned(hidden(text)) } else { Cow::Borrowed(text) };
        let gpu = &self.gpu;
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let descriptor = wgpu::ShaderModuleDescriptor { label: Some(entry), source: wgpu::ShaderSource::Wgsl(code) };
        let checks = wgpu::ShaderRuntimeChecks {
            bounds_checks: cfg!(debug_assertions),
            force_loop_bounding: false,
            ..wgpu::ShaderRuntimeChecks::checked()
        };
        // SAFETY: every loop of a generated or hand-written shader has a known trip count, and every index is inside its
        // array by construction; builds with debug assertions check the indices.
        let module = unsafe { gpu.device.create_shader_module_trusted(descriptor, checks) };
        let pipeline_layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(layout)],
            immediate_size: 0,
        });
        let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(entry),
            compilation_options: Default::default(),
            cache: gpu.cache.as_ref().map(PipelineCache::get),
        });
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(gpu.error(DeviceProblem::Refused(first_line(&error.to_string()))));
        }
        gpu.check()?;
        if let Some(cache) = &gpu.cache {
            cache.save();
        }
        let module = Module { pipeline, learned: Rc::default() };
        let mut known = self.modules.borrow_mut();
        if known.len() >= MODULES {
            known.clear();
        }
        known.insert(text.to_owned(), module.clone());
        Ok(module)
    }

    /// The number of a launch, in 24 bits.
    pub(super) fn next_epoch(&self) -> u32 {
        self.epoch.set((self.epoch.get() + 1) & 0x00ff_ffff);
        self.epoch.get()
    }

    fn compile<'a>(&self, plan: &Plan, program: &'a Program, group: &Group) -> Result<Compiled<'a>, Error> {
        let layout = layout(&self.gpu);
        let dim = plan.surface().dim();
        let numbers: Vec<usize> = (group.first..group.first + group.count).collect();
        let shader = descent(plan, program, &numbers, self.target())?;
        let first = entries(plan.surface()) + shader.tables.len() as u32;
        let evaluator = evaluation(plan.evaluation(), plan.surface(), false, first, shader.packing, self.target())?;
        let most_steps = self.most_steps(&shader, &evaluator, dim)?;
        let tables = self.tables(plan.surface(), &[&shader.tables, &evaluator.tables])?;
        // The driver may compile these two while the third, which is the longest, is read.
        let begin = self.module(&layout, "begin", &beginning(dim, program.step.states, shader.packing))?;
        self.warm(&layout, &begin, &tables)?;
        let evaluate = self.module(&layout, "evaluate", &evaluator.text)?;
        self.warm(&layout, &evaluate, &tables)?;
        let descend = self.module(&layout, "descend", &shader.text)?;
        self.settle(&layout, &descend, &tables)?;
        let rest = OnceCell::new();
        Ok(Compiled { program, layout, begin, descend, evaluate, tables, shader, evaluator, most_steps, rest })
    }

    /// The module that goes on with restarts that the first has left.
    fn rest<'c>(&self, plan: &Plan, compiled: &'c Compiled<'_>, group: &Group) -> Result<&'c Rest, Error> {
        if let Some(rest) = compiled.rest.get() {
            return Ok(rest);
        }
        let numbers: Vec<usize> = (group.first..group.first + group.count).collect();
        let shader = remainder(plan, compiled.program, &numbers, self.target())?;
        let most_steps = self.most_steps(&shader, &compiled.evaluator, plan.surface().dim())?;
        let descend = self.module(&compiled.layout, "descend", &shader.text)?;
        let tables = self.tables(plan.surface(), &[&shader.tables])?;
        self.settle(&compiled.layout, &descend, &tables)?;
        Ok(compiled.rest.get_or_init(|| Rest { descend, tables, shader, most_steps }))
    }

    /// Buffers of at least these sizes.
    fn buffers(&self, sizes: Sizes) -> Result<Rc<Buffers>, Error> {
        let mut kept = self.buffers.borrow_mut();
        if let Some((held, buffers)) = &*kept
            && held.hold(&sizes)
        {
            return Ok(buffers.clone());
        }
        // The old ones go first, so that both are never there together.
        *kept = None;
        let buffers = Rc::new(Buffers::new(&self.gpu, sizes)?);
        *kept = Some((sizes, buffers.clone()));
        Ok(buffers)
    }

    /// Dispatches a module over no slot: some drivers compile at a pipeline's first use, and a run's time is not to hold that.
    fn warm(
        &self,
        layout: &wgpu::BindGroupLayout,
        module: &Module,
        tables: &wgpu::Buffer,
    ) -> Result<wgpu::SubmissionIndex, Error> {
        let buffers = Buffers::new(&self.gpu, Sizes::default())?;
        let mut alone = Submission::new(&self.gpu, &buffers);
        alone.add(module, &buffers.bind(&self.gpu, layout, tables), &Params::default(), 1);
        Ok(alone.submit(&[]))
    }

    /// The same, and waits for it.
    fn settle(&self, layout: &wgpu::BindGroupLayout, module: &Module, tables: &wgpu::Buffer) -> Result<(), Error> {
        let submission = self.warm(layout, module, tables)?;
        self.wait(submission, &mut || Flow::Continue)
    }

    /// The surface's table and constant tables in one buffer.
    fn tables(&self, surface: &Surface, own: &[&[f32]]) -> Result<wgpu::Buffer, Error> {
        let limits = self.gpu.about.limits;
        let mut words: Vec<f32> = surface.table().iter().flat_map(|t| t.values.iter().map(|&v| v as f32)).collect();
        words.extend(own.iter().flat_map(|t| t.iter()));
        let bytes = 4 * words.len() as u64;
        if bytes > limits.binding.min(limits.buffer) {
            let most = limits.binding.min(limits.buffer);
            let problem = format!("a table of {bytes} bytes, where a buffer holds {most}; use the CPU engine");
            return Err(self.gpu.error(DeviceProblem::Refused(problem)));
        }
        Ok(filled(&self.gpu, "tables", &words))
    }

    /// How many steps a dispatch may take on a device that bounds the turns of an invocation's loops.
    fn most_steps(&self, step: &Shader, evaluation: &Shader, dim: u32) -> Result<u64, Error> {
        let Some(limit) = self.gpu.about.turn_limit() else { return Ok(u64::MAX) };
        // Loading and storing are loops too.
        let around = 2 * u64::from(dim) + 8;
        self.runs_to_the_end("a step", step.turns.saturating_add(around + 1))?;
        self.runs_to_the_end("an evaluation", evaluation.turns)?;
        Ok(limit.saturating_sub(around) / (step.turns + 1))
    }

    /// A device that bounds the turns of an invocation's loops ends them silently: what takes more is refused.
    fn runs_to_the_end(&self, what: &str, turns: u64) -> Result<(), Error> {
        match self.gpu.about.turn_limit() {
            Some(limit) if turns >= limit => {
                let problem = format!("{what} takes {turns} loop turns, the device runs {limit}; use the CPU engine");
                Err(self.gpu.error(DeviceProblem::Refused(problem)))
            }
            _ => Ok(()),
        }
    }

    /// Words of a slot in every buffer.
    fn slot_words(&self, plan: &Plan, compiled: &Compiled<'_>) -> Sizes {
        let dim = u64::from(plan.surface().dim());
        let padded = u64::from(compiled.shader.packing.padded(plan.surface().dim()));
        let drawn = compiled.program.chain.hyper.iter().any(|h| h.drawn);
        Sizes {
            xs: if compiled.shader.double { 2 * dim } else { padded },
            states: compiled.program.step.states as u64 * padded,
            status: 2,
            values: u64::from(REGIONS) + if drawn { compiled.program.chain.hyper.len() as u64 } else { 0 },
            extra: u64::from(compiled.shader.extra_rows.max(compiled.evaluator.extra_rows)),
            // Two lists; the counters before them are few.
            queue: 2,
            host: 0,
        }
    }

    /// How many slots a launch takes.
    fn slots(&self, plan: &Plan, words: &Sizes, wanted: u64) -> u64 {
        let limits = self.gpu.about.limits;
        let largest = words.xs.max(words.states).max(words.values).max(words.extra).max(words.queue + COUNTERS);
        let all = words.xs + words.states + words.status + words.values + words.extra + words.queue;
        let by_binding = limits.binding.min(limits.buffer) / (4 * largest);
        let by_total = LAUNCH_BYTES / (4 * all);
        let chunk = plan.chunk().unwrap_or(u64::MAX);
        // A step over all rows of all slots must end before a watchdog does.
        let by_rows = ROW_VISITS / plan.surface().table().map_or(1, |t| u64::from(t.rows));
        wanted.min(chunk).min(by_rows.max(64)).min(MAX_SLOTS).min(by_binding).min(by_total).max(1)
    }

    fn params(&self, plan: &Plan, launch: &Launch) -> Params {
        let seed = plan.seed();
        let first = plan.first() + launch.shift;
        let stopping = plan.stopping();
        let test = |on: bool, bit: u32| if on { bit } else { 0 };
        Params {
            count: launch.slots as u32,
            restarts: launch.restarts,
            offset: launch.offset,
            first_low: first as u32,
            first_high: (first >> 32) as u32,
            seed_low: seed as u32,
            seed_high: (seed >> 32) as u32,
            epoch: launch.epoch,
            tests: test(stopping.gradient.is_some(), 1)
                | test(stopping.target.is_some(), 2)
                | test(stopping.change.is_some(), 4),
            gradient_squared: stopping.gradient.map_or(0.0, |g| (g * g) as f32),
            goal: stopping.target.unwrap_or_default() as f32,
            change: stopping.change.unwrap_or_default() as f32,
            rows: 1,
            ..Params::default()
        }
    }

    /// Waits for a submission; in between the receiver may stop the run.
    pub(super) fn wait(&self, submission: wgpu::SubmissionIndex, tell: &mut dyn FnMut() -> Flow) -> Result<(), Error> {
        let begun = Instant::now();
        let mut stopped = false;
        loop {
            let poll = wgpu::PollType::Wait {
                submission_index: Some(submission.clone()),
                timeout: Some(Duration::from_millis(50)),
            };
            match self.gpu.device.poll(poll) {
                Ok(_) => break,
                Err(wgpu::PollError::Timeout) => {
                    stopped |= tell() == Flow::Stop;
                    if begun.elapsed() > Duration::from_secs(120) {
                        return Err(self.gpu.error(DeviceProblem::Lost("no answer for two minutes".to_owned())));
                    }
                }
                Err(e) => return Err(self.gpu.error(DeviceProblem::Lost(e.to_string()))),
            }
        }
        self.gpu.check()?;
        if stopped { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// A compiler's message without the shader's text: a user has not written it.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// What `queue` of common.wgsl has counted in a launch.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    /// Restarts that have ended.
    ended: u32,
    /// Restarts that have ever been left for the module of the rest.
    beyond: u32,
}

/// Which restarts a launch runs.
pub(super) struct Launch {
    /// Number of the group's first configuration that it runs, and of its first restart among the configuration's.
    configuration: usize,
    /// Restarts that stand before the first slot in that configuration, beyond `shift`.
    offset: u32,
    /// Added to every restart's number: the place in a configuration too large for 32 bits.
    shift: u64,
    /// Restarts of a configuration, as the shader counts them.
    restarts: u32,
    pub(super) slots: u64,
    pub(super) epoch: u32,
}

/// Slots of a launch that belong to one configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) configuration: usize,
    /// The first restart, among the configuration's own.
    pub(super) restart: u64,
    /// The first slot.
    pub(super) slot: u64,
    pub(super) count: u64,
}

impl Piece {
    /// The same in pieces of at most so many slots.
    pub(super) fn cut(self, most: u64) -> impl Iterator<Item = Piece> {
        (0..self.count).step_by(most as usize).map(move |begin| {
            let (restart, slot) = (self.restart + begin, self.slot + begin);
            Piece { restart, slot, count: most.min(self.count - begin), ..self }
        })
    }
}

impl Launch {
    fn pieces(&self) -> Vec<Piece> {
        let mut out = Vec::new();
        let mut slot = 0;
        while slot < self.slots {
            let place = u64::from(self.offset) + slot;
            let (configuration, restart) = (place / u64::from(self.restarts), place % u64::from(self.restarts));
            let count = (u64::from(self.restarts) - restart).min(self.slots - slot);
            let configuration = self.configuration + configuration as usize;
            out.push(Piece { configuration, restart: self.shift + restart, slot, count });
            slot += count;
        }
        out
    }
}

impl Backend for GpuEngine {
    fn device(&self) -> DeviceInfo {
        let about = &self.gpu.about;
        DeviceInfo {
            kind: "gpu",
            name: about.name.clone(),
            backend: about.backend.clone(),
            driver: about.driver.clone(),
        }
    }

    fn layout(&self, plan: &Plan) -> Result<String, Error> {
        let program = &plan.programs()[0];
        Ok(descent(plan, program, &program.configurations[..1], self.target())?.layout.name().to_owned())
    }

    fn descend(&self, plan: &Plan, timing: &mut Timing, receive: &mut Receive<'_>) -> Result<(), Error> {
        if plan.precision() == Precision::F64 {
            return Err(Error::PrecisionOnGpu);
        }
        let total = plan.configurations().len() as f64 * plan.restarts() as f64 * plan.steps() as f64;
        let mut progress = Progress { done: 0.0, total };
        for group in groups(plan) {
            let begun = Instant::now();
            let Some(program) = plan.programs().iter().find(|p| p.configurations.contains(&group.first)) else {
                continue;
            };
            let compiled = self.compile(plan, program, &group)?;
            timing.compile += begun.elapsed().as_secs_f64();
            let begun = Instant::now();
            self.run_group(plan, &compiled, &group, &mut progress, receive)?;
            timing.run += begun.elapsed().as_secs_f64();
        }
        Ok(())
    }

    fn fit(&self, fit: &BatchedFit<'_>, tell: &mut dyn FnMut(Progress) -> Flow) -> Result<BatchedOutcome, Error> {
        self.run_fit(fit, tell)
    }

    fn evaluate(&self, surface: &Surface, points: &[f64], precision: Precision) -> Result<Evaluated, Error> {
        if precision == Precision::F64 {
            return Err(Error::PrecisionOnGpu);
        }
        let dim = surface.dim() as usize;
        let count = points.len() / dim;
        let shader =
            evaluation(&Evaluation::new(surface), surface, true, entries(surface), Packing::NONE, self.target())?;
        self.runs_to_the_end("an evaluation", shader.turns)?;
        let layout = layout(&self.gpu);
        let module = self.module(&layout, "evaluate", &shader.text)?;
        let tables = self.tables(surface, &[&shader.tables])?;
        let rows = u64::from(shader.extra_rows).max(dim as u64);
        let limits = self.gpu.about.limits;
        let most =
            (limits.binding.min(limits.buffer) / (4 * rows.max(u64::from(REGIONS)))).clamp(1, MAX_SLOTS) as usize;
        let mut out = Evaluated { value: Vec::with_capacity(count), gradient: Vec::with_capacity(count * dim) };
        for part in points.chunks(most.min(count.max(1)) * dim) {
            let slots = part.len() / dim;
            let words = slots as u64;
            let sizes = Sizes {
                xs: dim as u64 * words,
                status: 2 * words,
                values: u64::from(REGIONS) * words,
                extra: u64::from(shader.extra_rows) * words,
                ..Sizes::default()
            };
            let buffers = Buffers::new(&self.gpu, sizes)?;
            let bindings = buffers.bind(&self.gpu, &layout, &tables);
            let mut xs = vec![0f32; dim * slots];
            for (slot, point) in part.chunks(dim).enumerate() {
                for (i, &x) in point.iter().enumerate() {
                    xs[i * slots + slot] = x as f32;
                }
            }
            self.gpu.queue.write_buffer(&buffers.xs, 0, bytemuck::cast_slice(&xs));
            // A value may be anything, even what a driver makes of infinity; the status tells that it was written.
            let epoch = 1;
            let params =
                Params { count: slots as u32, restarts: u32::MAX, rows: 1, last: 1, epoch, ..Params::default() };
            let mut go_on = || Flow::Continue;
            let mut alone = Submission::new(&self.gpu, &buffers);
            alone.add(&module, &bindings, &params, shader.invocations(params.count));
            self.wait(alone.submit(&[]), &mut go_on)?;
            let ranges =
                [(&buffers.values, 0, words), (&buffers.extra, 0, dim as u64 * words), (&buffers.status, 0, words)];
            let back = read(&self.gpu, &ranges, &mut |s| self.wait(s, &mut go_on))?;
            if back[2].iter().any(|word| word >> 8 != epoch || word & 0xff == 0) {
                return Err(self.gpu.error(DeviceProblem::Unwritten));
            }
            out.value.extend(back[0].iter().map(|&w| f64::from(f32::from_bits(w))));
            for slot in 0..slots {
                out.gradient.extend((0..dim).map(|i| f64::from(f32::from_bits(back[1][i * slots + slot]))));
            }
        }
        Ok(out)
    }
}

/// Neighbouring configurations of one program.
fn groups(plan: &Plan) -> Vec<Group> {
    let program = |number: usize| plan.programs().iter().position(|p| p.configurations.contains(&number));
    let mut out: Vec<Group> = Vec::new();
    for number in 0..plan.configurations().len() {
        match out.last_mut() {
            Some(group) if program(group.first) == program(number) => group.count += 1,
            _ => out.push(Group { first: number, count: 1 }),
        }
    }
    out
}

impl GpuEngine {
    fn run_group(
        &self,
        plan: &Plan,
        compiled: &Compiled<'_>,
        group: &Group,
        progress: &mut Progress,
        receive: &mut Receive<'_>,
    ) -> Result<(), Error> {
        let restarts = plan.restarts();
        let words = self.slot_words(plan, compiled);
        let total = group.count as u64 * restarts;
        let most = self.slots(plan, &words, total);
        let scalars = compiled.program.step.host.len() as u64;
        let large = restarts >= 1 << 31;
        // A launch that holds many configurations takes rows of host scalars for each.
        let spans = if large { 1 } else { (most / restarts + 2).min(group.count as u64) };
        let rows = (HOST_WORDS / (spans * scalars).max(1)).clamp(1, plan.steps());
        let sizes = Sizes {
            xs: words.xs * most,
            states: words.states * most,
            status: words.status * most,
            values: words.values * most,
            extra: words.extra * most,
            queue: words.queue * most + COUNTERS,
            host: scalars * spans * rows,
        };
        let buffers = self.buffers(sizes)?;
        // The first dispatch of many rows is no longer than a watchdog allows.
        let visits = plan.surface().table().map_or(1, |t| u64::from(t.rows)).saturating_mul(most);
        let mut pace = Pace::new(compiled.most_steps).beginning((ROW_VISITS / visits).clamp(1, 8));
        pace = pace.knowing(compiled.descend.learned.get());
        let mut done = 0;
        while done < total {
            let (configuration, restart) = (group.first + (done / restarts) as usize, done % restarts);
            let left = if large { restarts - restart } else { total - done };
            let launch = Launch {
                configuration,
                offset: if large { 0 } else { restart as u32 },
                shift: if large { restart } else { 0 },
                restarts: if large { u32::MAX } else { restarts as u32 },
                slots: most.min(left),
                epoch: self.next_epoch(),
            };
            self.run_launch(plan, compiled, group, &buffers, &launch, rows, &mut pace, progress, receive)?;
            done += launch.slots;
        }
        compiled.descend.learned.set(pace.learned());
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a launch's parts meet")]
    fn run_launch(
        &self,
        plan: &Plan,
        compiled: &Compiled<'_>,
        group: &Group,
        buffers: &Buffers,
        launch: &Launch,
        rows: u64,
        pace: &mut Pace,
        progress: &mut Progress,
        receive: &mut Receive<'_>,
    ) -> Result<(), Error> {
        let (gpu, step) = (&self.gpu, &compiled.program.step);
        let dim = plan.surface().dim() as usize;
        let slots = launch.slots as usize;
        let packing = compiled.shader.packing;
        let pieces = launch.pieces();
        let mut hosts: Vec<HostRun<'_>> =
            pieces.iter().map(|p| step.host.run(&plan.configurations()[p.configuration].hyper, plan.steps())).collect();
        let steady = hosts.iter().all(HostRun::is_steady);

        // Starts and initial states.
        let mut table = Vec::new();
        let sampled = *plan.starts() == Starts::Uniform && (0..dim).all(|i| plan.sampler().affine(i).is_some());
        for part in 0..3 {
            table.extend((0..dim).map(|i| plan.sampler().affine(i).map_or(0.0, |a| a[part])));
        }
        for host in &mut hosts {
            table.extend(host.initial_states().iter().map(|&v| v as f32));
        }
        let begin_table = filled(gpu, "begin", &table);
        if !sampled {
            let mut xs = vec![0f32; packing.padded(dim as u32) as usize * slots];
            for &Piece { restart, slot, count, .. } in &pieces {
                let mut part = vec![0f32; dim * count as usize];
                plan.sampler().fill(plan.first() + restart, count as usize, &mut part);
                for i in 0..dim {
                    for (r, &x) in part[i * count as usize..][..count as usize].iter().enumerate() {
                        xs[packing.element(i, slot as usize + r, slots)] = x;
                    }
                }
            }
            gpu.queue.write_buffer(&buffers.xs, 0, bytemuck::cast_slice(&xs));
        }
        if compiled.program.chain.hyper.iter().any(|h| h.drawn) {
            self.upload_drawn(plan, buffers, &pieces, slots);
        }
        gpu.queue.write_buffer(&buffers.queue, 0, bytemuck::cast_slice(&[0u32; COUNTERS as usize]));

        let begin = buffers.bind(gpu, &compiled.layout, &begin_table);
        let bindings = buffers.bind(gpu, &compiled.layout, &compiled.tables);
        let base = *progress;
        let slot_count = launch.slots as f64;
        let mut params = self.params(plan, launch);
        params.sampled = u32::from(sampled);
        let mut ahead = Submission::new(gpu, buffers);
        ahead.add(&compiled.begin, &begin, &params, params.count);
        let evaluate = |ahead: &mut Submission<'_>, region: u32, last: u32| {
            let params = Params { region, last, ..params };
            ahead.add(&compiled.evaluate, &bindings, &params, compiled.evaluator.invocations(params.count));
        };
        if plan.points() {
            evaluate(&mut ahead, START_REGION, 0);
        }
        let wanted = &plan.trace().steps;
        let mut traces = Vec::new();
        if wanted.contains(&0) {
            evaluate(&mut ahead, TRACE_REGION, 0);
            ahead.submit(&[]);
            self.record(plan, packing, buffers, &pieces, slots, 0, &mut traces)?;
        }
        let results = results(plan, packing, buffers, launch);
        let room = buffers.staging.room(gpu, &results);
        let mut window: Vec<f32> = Vec::new();
        let stopping = plan.stopping();
        let may_stop = stopping.gradient.is_some() || stopping.target.is_some() || stopping.change.is_some();
        let mut crowd = Crowd::new(launch.slots, may_stop);
        let mut before = Counters::default();
        let (mut taken, mut settled) = (0u64, false);
        // How many restarts run that the first module has left, and how long their dispatches are.
        let (mut beyond, mut rest_pace) = (0u64, None);
        while taken < plan.steps() && crowd.running() > 0 {
            let next_trace = wanted.iter().copied().find(|&t| t > taken).unwrap_or(u64::MAX);
            let most = if steady { u64::MAX } else { rows };
            let listed = crowd.listed() as usize;
            let count = pace.steps(listed).min(crowd.steps(pace.least(listed)));
            let count = count.min(plan.steps() - taken).min(next_trace - taken).min(most);
            if !(steady && taken > 0) {
                window.clear();
                let mut scalars = Vec::new();
                for host in &mut hosts {
                    host.extend(if steady { 1 } else { count }, &mut scalars);
                }
                window.extend(scalars.iter().map(|&v| v as f32));
                if !window.is_empty() {
                    gpu.queue.write_buffer(&buffers.host, 0, bytemuck::cast_slice(&window));
                }
            }
            let params = Params {
                steps: count as u32,
                step: taken as u32,
                rows: if steady { 1 } else { count as u32 },
                advance: u32::from(!steady),
                listed: crowd.listed() as u32,
                list: crowd.list(launch.slots) as u32,
                ..params
            };
            let now = Progress { done: base.done + slot_count * taken as f64, ..base };
            let mut tell = || receive(&mut [Event::Progress(now).into()]);
            if beyond < crowd.running() {
                let begun = Instant::now();
                ahead.add(&compiled.descend, &bindings, &params, compiled.shader.invocations(params.listed));
                // The last steps' results may come with them. Where a restart turns out to be left, they come again.
                let last = taken + count == plan.steps() && beyond == 0 && !wanted.contains(&plan.steps());
                let copies: &[(&[Range<'_>], &wgpu::Buffer)] = if last { &[(&results, &room)] } else { &[] };
                if last {
                    evaluate(&mut ahead, 0, 1);
                }
                let counters = self.counted(&mut ahead, buffers, copies, &mut tell)?;
                pace.measured(listed, count, self.elapsed(begun, listed, count));
                #[cfg(test)]
                self.dispatched.set(self.dispatched.get() + crowd.listed() * count);
                beyond += u64::from(counters.beyond - before.beyond);
                before = counters;
                settled = last && beyond == 0;
            }
            if beyond > 0 {
                // Those that were left go on to the end of the same steps, in dispatches of their own length.
                let rest = self.rest(plan, compiled, group)?;
                let bindings = buffers.bind(gpu, &compiled.layout, &rest.tables);
                let pace = rest_pace.get_or_insert_with(|| pace.afresh(rest.most_steps));
                let mut done = 0;
                while done < count {
                    let more = pace.steps(listed).min(count - done);
                    done += more;
                    let begun = Instant::now();
                    let params = Params { steps: done as u32, ..params };
                    ahead.add(&rest.descend, &bindings, &params, rest.shader.invocations(params.listed));
                    let counters = self.counted(&mut ahead, buffers, &[], &mut tell)?;
                    pace.measured(listed, more, self.elapsed(begun, listed, more));
                    beyond = beyond.saturating_sub(u64::from(counters.ended - before.ended));
                    before = counters;
                }
            }
            taken += count;
            if crowd.left(launch.slots.saturating_sub(u64::from(before.ended)), count) && taken < plan.steps() {
                // The same list positions and the dispatch's own parameters.
                let compact = self.module(&compiled.layout, "compact", &compaction())?;
                gpu.queue.write_buffer(&buffers.queue, 4, bytemuck::bytes_of(&0u32));
                ahead.add(&compact, &bindings, &params, params.listed);
                crowd.compacted();
            }
            let now = Progress { done: base.done + slot_count * taken as f64, ..base };
            if receive(&mut [Event::Progress(now).into()]) == Flow::Stop {
                return Err(Error::Cancelled);
            }
            if wanted.contains(&taken) {
                evaluate(&mut ahead, TRACE_REGION, 0);
                ahead.submit(&[]);
                self.record(plan, packing, buffers, &pieces, slots, taken, &mut traces)?;
            }
        }
        if !settled {
            evaluate(&mut ahead, 0, 2);
            let submission = ahead.submit(&[(&results, &room)]);
            self.wait(submission, &mut || Flow::Continue)?;
        }
        progress.done = base.done + slot_count * plan.steps() as f64;
        self.give_out(plan, packing, &results, &room, launch, &pieces, traces, receive)
    }

    /// How long a dispatch of so many restarts and steps took that began then.
    fn elapsed(&self, begun: Instant, slots: usize, steps: u64) -> Duration {
        self.pretended.map_or_else(|| begun.elapsed(), |cost| cost.mul_f64(slots as f64 * steps as f64))
    }

    /// Submits what there is, with copies for the host behind it, and tells what has been counted.
    fn counted(
        &self,
        ahead: &mut Submission<'_>,
        buffers: &Buffers,
        copies: &[(&[Range<'_>], &wgpu::Buffer)],
        tell: &mut dyn FnMut() -> Flow,
    ) -> Result<Counters, Error> {
        let counters: &[Range<'_>] = &[(&buffers.queue, 0, COUNTERS)];
        let mut all = vec![(counters, &buffers.counters)];
        all.extend_from_slice(copies);
        let submission = ahead.submit(&all);
        self.wait(submission, tell)?;
        mapped(&self.gpu, &buffers.counters, |words| match words {
            &[ended, _, beyond, ..] => Counters { ended, beyond },
            _ => Counters::default(),
        })
    }

    fn upload_drawn(&self, plan: &Plan, buffers: &Buffers, pieces: &[Piece], slots: usize) {
        let mut all = vec![0f32; plan.configurations()[pieces[0].configuration].hyper.len() * slots];
        let mut column = Vec::new();
        for &Piece { configuration, restart, slot, count } in pieces {
            column.resize(count as usize, f64::NAN);
            for k in 0..plan.configurations()[configuration].hyper.len() {
                if plan.drawn_column(configuration, k, plan.first() + restart, &mut column) {
                    let to = &mut all[k * slots + slot as usize..][..count as usize];
                    to.iter_mut().zip(&column).for_each(|(to, &value)| *to = value as f32);
                }
            }
        }
        let place = 4 * u64::from(REGIONS) * slots as u64;
        self.gpu.queue.write_buffer(&buffers.values, place, bytemuck::cast_slice(&all));
    }
}
