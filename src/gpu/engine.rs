//! The GPU engine: a device, what is kept from run to run, and its answers to the rest of the program.

use super::buffers::{Buffers, Packing, Params, Settles, Sizes, layout, read};
use super::compile::Module;
use super::descent::descent;
use super::device::Gpu;
use super::launch::groups;
use super::shader::{REGIONS, entries, evaluation};
use super::submission::Submission;
use super::target::Target;
use crate::engine::{Backend, Evaluated, Receive};
use crate::error::{DeviceProblem, Error};
use crate::fit::{BatchedFit, BatchedOutcome};
use crate::outcome::{DeviceInfo, Flow, Progress, Timing};
use crate::plan::{Plan, Precision};
use crate::step::Evaluation;
use crate::surface::Surface;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many slots a launch has at most.
pub(super) const MAX_SLOTS: u64 = 1 << 22;
/// Bytes that a launch's buffers may take in all.
pub(super) const LAUNCH_BYTES: u64 = 1 << 30;
/// Bits that a value has until a kernel writes it.
pub(super) const POISON: u32 = 0x7fa5_a5a5;

/// Runs plans on one GPU.
#[derive(Debug)]
pub(crate) struct GpuEngine {
    pub(super) gpu: Gpu,
    epoch: Cell<u32>,
    /// Pipelines by their text: a surface and rule that run again are not compiled again.
    pub(super) modules: RefCell<HashMap<String, Module>>,
    /// The last run's buffers: making them takes longer than a small run.
    buffers: RefCell<Option<(Sizes, Rc<Buffers>)>>,
    pub(super) target: Target,
    /// What a restart's step is said to take, in place of the time that it takes: for tests.
    pub(super) pretended: Option<Duration>,
    /// Restarts dispatched, times steps.
    #[cfg(test)]
    pub(super) dispatched: Cell<u64>,
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

    /// The number of a launch, in 24 bits.
    pub(super) fn next_epoch(&self) -> u32 {
        self.epoch.set((self.epoch.get() + 1) & 0x00ff_ffff);
        self.epoch.get()
    }

    /// Buffers of at least these sizes.
    pub(super) fn buffers(&self, sizes: Sizes) -> Result<Rc<Buffers>, Error> {
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
        Ok(descent(plan, program, &program.configurations[..1], &self.target)?.layout.name().to_owned())
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
            evaluation(&Evaluation::new(surface), surface, true, entries(surface), Packing::NONE, &self.target)?;
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
            let (count, settles) = (slots as u32, Settles::All as u32);
            let params = Params { count, restarts: u32::MAX, rows: 1, settles, epoch, ..Params::default() };
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
