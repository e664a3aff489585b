//! From a program to pipelines that are ready to run.

use super::buffers::{Buffers, Params, Sizes, filled, layout};
use super::cache::PipelineCache;
use super::descent::{descent, remainder};
use super::engine::GpuEngine;
use super::launch::Group;
use super::library::hidden;
use super::pace::Learned;
use super::shader::{Shader, beginning, entries, evaluation};
use super::submission::Submission;
use crate::error::{DeviceProblem, Error};
use crate::outcome::Flow;
use crate::plan::{Plan, Program};
use crate::surface::Surface;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;

/// Steps of a dispatch: a restart that is frozen says in 24 bits at which of them it stopped.
const MOST_STEPS: u64 = (1 << 24) - 1;

/// Pipelines that an engine keeps.
const MODULES: usize = 64;

/// A module, ready to dispatch.
#[derive(Clone, Debug)]
pub(super) struct Module {
    pub(super) pipeline: wgpu::ComputePipeline,
    /// What its dispatches cost when it last ran.
    pub(super) learned: Rc<Cell<Option<Learned>>>,
}

/// A program's modules and what they need.
pub(super) struct Compiled<'a> {
    pub(super) program: &'a Program,
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) begin: Module,
    pub(super) descend: Module,
    pub(super) evaluate: Module,
    /// The surface's table, then the constant tables of `descend` and `evaluate`.
    pub(super) tables: wgpu::Buffer,
    pub(super) shader: Shader,
    pub(super) evaluator: Shader,
    /// The most steps of a dispatch that the device runs to their end.
    pub(super) most_steps: u64,
    /// What goes on with restarts that have met a large angle: made when the first one does.
    rest: OnceCell<Rest>,
}

/// The module of restarts that another has left.
pub(super) struct Rest {
    pub(super) descend: Module,
    pub(super) tables: wgpu::Buffer,
    pub(super) shader: Shader,
    pub(super) most_steps: u64,
}

impl GpuEngine {
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

    pub(super) fn compile<'a>(&self, plan: &Plan, program: &'a Program, group: &Group) -> Result<Compiled<'a>, Error> {
        let layout = layout(&self.gpu);
        let dim = plan.surface().dim();
        let shader = descent(plan, program, &group.numbers(), &self.target)?;
        let first = entries(plan.surface()) + shader.tables.len() as u32;
        let evaluator = evaluation(plan.evaluation(), plan.surface(), false, first, shader.packing, &self.target)?;
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
    pub(super) fn rest<'c>(&self, plan: &Plan, compiled: &'c Compiled<'_>, group: &Group) -> Result<&'c Rest, Error> {
        if let Some(rest) = compiled.rest.get() {
            return Ok(rest);
        }
        let shader = remainder(plan, compiled.program, &group.numbers(), &self.target)?;
        let most_steps = self.most_steps(&shader, &compiled.evaluator, plan.surface().dim())?;
        let descend = self.module(&compiled.layout, "descend", &shader.text)?;
        let tables = self.tables(plan.surface(), &[&shader.tables])?;
        self.settle(&compiled.layout, &descend, &tables)?;
        Ok(compiled.rest.get_or_init(|| Rest { descend, tables, shader, most_steps }))
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
    pub(super) fn tables(&self, surface: &Surface, own: &[&[f32]]) -> Result<wgpu::Buffer, Error> {
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
        let Some(limit) = self.gpu.about.turn_limit() else { return Ok(MOST_STEPS) };
        // Loading and storing are loops too.
        let around = 2 * u64::from(dim) + 8;
        self.runs_to_the_end("a step", step.turns.saturating_add(around + 1))?;
        self.runs_to_the_end("an evaluation", evaluation.turns)?;
        Ok((limit.saturating_sub(around) / (step.turns + 1)).min(MOST_STEPS))
    }

    /// A device that bounds the turns of an invocation's loops ends them silently: what takes more is refused.
    pub(super) fn runs_to_the_end(&self, what: &str, turns: u64) -> Result<(), Error> {
        match self.gpu.about.turn_limit() {
            Some(limit) if turns >= limit => {
                let problem = format!("{what} takes {turns} loop turns, the device runs {limit}; use the CPU engine");
                Err(self.gpu.error(DeviceProblem::Refused(problem)))
            }
            _ => Ok(()),
        }
    }
}

/// A compiler's message without the shader's text: a user has not written it.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
