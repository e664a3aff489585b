//! What to run, fully checked: resolving a [`Plan`] is the last place where a user's mistake can surface.
//!
//! ```
//! use catchment::{Plan, Surface};
//! let plan = Plan::new(Surface::named("rastrigin", Some(2))?)
//!     .optimizer("sgd(lr=[0.001, 0.002])")
//!     .restarts(1000)
//!     .steps(200)
//!     .resolve()?;
//! assert_eq!(plan.configurations().len(), 2);
//! # Ok::<(), catchment::Error>(())
//! ```

use crate::error::Error;
use crate::graph::{Node, NodeId, simplify};
use crate::optimizer::{Chain, Configuration, HyperValue, configurations};
use crate::quota::Quota;
use crate::random::{RowDraws, Sampler, Starts, hyper_column};
use crate::step::{Bounds, Evaluation, Step, StepNeeds, compose};
use crate::surface::Surface;
use std::sync::Arc;

/// The number type of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Single, on every device.
    #[default]
    F32,
    /// Double, on the CPU.
    F64,
}

impl Precision {
    /// `f32` or `f64`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F64 => "f64",
        }
    }
}

/// When a restart stops before its last step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stopping {
    /// Stop as converged where the gradient's Euclidean norm is at most this.
    pub gradient: Option<f64>,
    /// Stop as stalled where a step changes the value by at most this times `max(1, |value|)`.
    pub change: Option<f64>,
    /// Stop at the target where the value is at most this.
    pub target: Option<f64>,
}

impl Stopping {
    /// Whether restarts may stop for another reason than a blow-up.
    pub(crate) fn any(&self) -> bool {
        *self != Stopping::default()
    }
}

/// Which points of a run are recorded on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Steps to record, ascending; step 0 is the start.
    pub steps: Vec<u64>,
    /// Record this many restarts of every configuration, from the first.
    pub restarts: u64,
}

/// A plan under construction; [`PlanBuilder::resolve`] checks it.
#[derive(Clone, Debug)]
pub struct PlanBuilder {
    surface: Surface,
    optimizers: Vec<String>,
    restarts: u64,
    steps: u64,
    seed: u64,
    first: u64,
    starts: Starts,
    bounds: Bounds,
    stopping: Stopping,
    success: f64,
    precision: Precision,
    chunk: Option<u64>,
    trace: Trace,
    points: bool,
    batch: Option<Minibatch>,
    quota: Quota,
    hyper: Vec<(String, Arc<[f64]>)>,
}

/// Steps that see a few rows of the surface's table each: minibatches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minibatch {
    /// How many rows a step draws, anew for every restart.
    pub rows: u32,
    /// Whether a row can be drawn again before all others have been.
    pub replacement: bool,
}

/// A checked plan: engines take nothing else.
#[derive(Clone, Debug)]
pub struct Plan {
    builder: PlanBuilder,
    configurations: Vec<Configuration>,
    programs: Vec<Program>,
    sampler: Arc<Sampler>,
    evaluation: Arc<Evaluation>,
    /// Whether nobody sees its batches.
    unseen: bool,
}

/// Configurations that share a kernel.
#[derive(Clone, Debug)]
pub struct Program {
    /// The chain.
    pub chain: Arc<Chain>,
    /// One step of it.
    pub step: Arc<Step>,
    /// Numbers of the configurations.
    pub configurations: Vec<usize>,
}

impl PlanBuilder {
    /// Adds an optimizer: a catalog name, a call, a chain or a path. Lists in it are a grid of configurations.
    pub fn optimizer(mut self, text: impl Into<String>) -> Self {
        self.optimizers.push(text.into());
        self
    }

    /// Restarts of every configuration (default 1000).
    pub fn restarts(mut self, restarts: u64) -> Self {
        self.restarts = restarts;
        self
    }

    /// Steps of every restart (default 1000).
    pub fn steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// The seed of all random numbers (default 0).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The number of the first restart (default 0): restart 500 is the same whether run alone or among a million.
    pub fn first(mut self, first: u64) -> Self {
        self.first = first;
        self
    }

    /// Where restarts start (default uniform in the domain).
    pub fn starts(mut self, starts: Starts) -> Self {
        self.starts = starts;
        self
    }

    /// What happens at the ends of the domain (default nothing).
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// When restarts stop early (default never, but for blow-ups).
    pub fn stopping(mut self, stopping: Stopping) -> Self {
        self.stopping = stopping;
        self
    }

    /// How near to the known minimum's value a success is (default 1e-3).
    pub fn success(mut self, tolerance: f64) -> Self {
        self.success = tolerance;
        self
    }

    /// The number type (default `f32`).
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// How many restarts run at once (default the engine's choice); changes no bit.
    pub fn chunk(mut self, restarts: u64) -> Self {
        self.chunk = Some(restarts);
        self
    }

    /// Records points on the way.
    pub fn trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }

    /// Whether final points, gradient norms and start values are given out (default yes). Without them only values are read back, and
    /// [`Best::x`](crate::Best) is empty: for timing, and for distributions of values.
    pub fn points(mut self, points: bool) -> Self {
        self.points = points;
        self
    }

    /// Lets each step see a few rows of the surface's table (default all rows). Stopping tests on the way see what the step
    /// sees; final values and traces see all rows.
    pub fn batch(mut self, batch: Minibatch) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Goes on with new starts until this is met (default: all restarts run). The number of restarts is then an upper bound.
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quota = quota;
        self
    }

    /// Gives every restart its own value of a hyperparameter, in the place of what the optimizers' texts say: restart `r` takes entry
    /// `r` modulo their number, rounded to f32. `label` is `lr`, or `stage.name` for a transform's.
    ///
    /// ```
    /// use catchment::{Engine, Plan, Surface};
    /// let plan = Plan::new(Surface::named("sphere", Some(1))?).optimizer("sgd").restarts(3).steps(100);
    /// let plan = plan.hyper("lr", [0.1, 0.9, 1.1]).resolve()?;
    /// let (_, batches) = Engine::cpu().collect(&plan)?;
    /// let far: Vec<bool> = (0..3).map(|r| batches[0].x.at(r).abs() > 10.0).collect();
    /// assert_eq!(far, [false, false, true]);
    /// # Ok::<(), catchment::Error>(())
    /// ```
    pub fn hyper(mut self, label: impl Into<String>, values: impl Into<Arc<[f64]>>) -> Self {
        self.hyper.push((label.into(), values.into()));
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// The first mistake, as [`Error`].
    pub fn resolve(self) -> Result<Plan, Error> {
        let setting = |name, value, expected| Err(Error::Setting { name, value, expected });
        let PlanBuilder { restarts, steps, .. } = self;
        if restarts == 0 || restarts > 1 << 40 {
            return setting("the number of restarts", restarts as f64, "between 1 and 2^40");
        }
        if self.first > 1 << 62 {
            return setting("the first restart", self.first as f64, "at most 2^62");
        }
        if steps == 0 || steps > 1 << 31 {
            return setting("the number of steps", steps as f64, "between 1 and 2^31");
        }
        if self.chunk == Some(0) {
            return setting("the chunk", 0.0, "at least 1 restart");
        }
        self.check_quota()?;
        let least = |name, value: Option<f64>, low: f64, expected| match value {
            Some(v) if !v.is_finite() || v < low => Err(Error::Setting { name, value: v, expected }),
            _ => Ok(()),
        };
        least("the gradient tolerance", self.stopping.gradient, 0.0, "a finite number of at least 0")?;
        least("the change tolerance", self.stopping.change, 0.0, "a finite number of at least 0")?;
        least("the target", self.stopping.target, f64::MIN, "a finite number")?;
        least("the success tolerance", Some(self.success), 0.0, "a finite number of at least 0")?;
        if let Some(&last) = self.trace.steps.last() {
            if last > steps {
                return setting("the last step of the trace", last as f64, "at most the number of steps");
            }
            if !self.trace.steps.is_sorted() {
                return setting("a step of the trace", last as f64, "steps in ascending order");
            }
        }
        let sampler =
            Sampler::new(&self.starts, self.surface.domain(), self.seed, self.first.saturating_add(restarts))?;
        let texts = if self.optimizers.is_empty() { vec!["adam".to_owned()] } else { self.optimizers.clone() };
        let mut all = Vec::new();
        for text in &texts {
            all.extend(configurations(text)?);
        }
        for configuration in &mut all {
            self.give_hyper(configuration)?;
        }
        self.check_batch()?;
        let needs = StepNeeds {
            batch: self.batch.map(|b| b.rows),
            value: self.stopping.change.is_some() || self.stopping.target.is_some(),
            gradient_norm: self.stopping.gradient.is_some(),
        };
        let mut programs: Vec<Program> = Vec::new();
        for (number, configuration) in all.iter().enumerate() {
            match programs.iter_mut().find(|p| *p.chain == *configuration.chain) {
                Some(program) => program.configurations.push(number),
                None => {
                    let step = compose(&self.surface, &configuration.chain, self.bounds, needs)?;
                    programs.push(Program {
                        chain: configuration.chain.clone(),
                        step: Arc::new(step),
                        configurations: vec![number],
                    });
                }
            }
        }
        for configuration in &all {
            check_hyper(configuration, steps)?;
        }
        let evaluation = Evaluation::new(&self.surface);
        if self.precision == Precision::F32 {
            let far = |v: &&f64| !(**v as f32).is_finite();
            if let Some(&value) = self.surface.table().and_then(|t| t.values.iter().find(far)) {
                return Err(Error::ConstantOutOfRange { value });
            }
            let graphs = programs.iter().map(|p| &p.step.graph).chain([&evaluation.graph]);
            for graph in graphs {
                for id in (0..graph.len() as u32).map(NodeId) {
                    if let Node::Constant(bits) = graph.node(id) {
                        let value = f64::from_bits(bits);
                        if !(value as f32).is_finite() {
                            return Err(Error::ConstantOutOfRange { value });
                        }
                    }
                }
            }
        }
        Ok(Plan {
            configurations: all,
            programs,
            sampler: Arc::new(sampler),
            evaluation: Arc::new(evaluation),
            builder: self,
            unseen: false,
        })
    }
}

impl PlanBuilder {
    /// Sets the hyperparameters that are given for every restart.
    fn give_hyper(&self, configuration: &mut Configuration) -> Result<(), Error> {
        for (label, values) in &self.hyper {
            let Some(k) = configuration.chain.hyper.iter().position(|slot| slot.label == *label) else {
                let known = configuration.chain.hyper.iter().map(|slot| slot.label.as_str());
                let nearest = crate::language::nearest(label, known);
                let optimizer = configuration.text.clone();
                return Err(Error::HyperUnknown { optimizer, name: label.clone(), nearest });
            };
            if values.is_empty() {
                let (name, expected) = ("the number of values of a hyperparameter", "at least 1");
                return Err(Error::Setting { name, value: 0.0, expected });
            }
            if let Some(&value) = values.iter().find(|v| !(**v as f32).is_finite()) {
                let optimizer = configuration.text.clone();
                return Err(Error::HyperNotFinite { optimizer, name: label.clone(), value, step: 1 });
            }
            let mut chain = (*configuration.chain).clone();
            chain.hyper[k].drawn = true;
            configuration.chain = Arc::new(chain);
            configuration.hyper[k] = HyperValue::Given(values.clone());
        }
        Ok(())
    }

    fn check_quota(&self) -> Result<(), Error> {
        let zero = |name, expected| Err(Error::Setting { name, value: 0.0, expected });
        match self.quota {
            Quota { found: Some(0), .. } => zero("the number of restarts to find", "at least 1"),
            Quota { budget: Some(0), .. } => zero("the budget", "at least 1 step"),
            Quota { found: Some(_), .. } if self.stopping.target.is_none() && self.surface.minima().is_empty() => {
                Err(Error::NothingToFind { surface: self.surface.name().to_owned() })
            }
            _ => Ok(()),
        }
    }

    fn check_batch(&self) -> Result<(), Error> {
        let (Some(batch), table) = (self.batch, self.surface.table()) else { return Ok(()) };
        let Some(table) = table else {
            return Err(Error::BatchWithoutTable { surface: self.surface.name().to_owned() });
        };
        if batch.rows == 0 || batch.rows > table.rows {
            return Err(Error::BatchSize { batch: batch.rows, rows: table.rows });
        }
        if batch.rows > RowDraws::MOST {
            let (name, value) = ("the batch", f64::from(batch.rows));
            return Err(Error::Setting { name, value, expected: "at most 2^25 rows" });
        }
        if !batch.replacement && self.steps.saturating_mul(u64::from(batch.rows)) > 1 << 32 {
            let value = self.steps as f64 * f64::from(batch.rows);
            let (name, expected) =
                ("rows drawn by a restart", "at most 2^32, where rows are drawn without replacement");
            return Err(Error::Setting { name, value, expected });
        }
        Ok(())
    }
}

/// A hyperparameter that is not finite is told before anything runs: constants at once, schedules at a few steps.
fn check_hyper(configuration: &Configuration, steps: u64) -> Result<(), Error> {
    for (slot, value) in configuration.chain.hyper.iter().zip(&configuration.hyper) {
        let fail = |value, step| {
            let optimizer = configuration.text.clone();
            Err(Error::HyperNotFinite { optimizer, name: slot.label.clone(), value, step })
        };
        match value {
            HyperValue::Constant(v) if !(*v as f32).is_finite() => return fail(*v, 1),
            HyperValue::Schedule(schedule) => {
                let small = simplify(&schedule.graph, &[schedule.node]);
                for step in [1, steps.div_ceil(2), steps] {
                    let inputs = crate::graph::Inputs { step, steps, ..Default::default() };
                    let v: f64 = crate::graph::evaluate(&small.graph, &small.roots, &inputs)[0][0];
                    if !v.is_finite() {
                        return fail(v, step);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

impl Plan {
    /// A plan on this surface with the defaults of [`PlanBuilder`].
    #[expect(
        clippy::new_ret_no_self,
        reason = "a plan is made by its builder, and `Plan::new(surface)` is how one begins"
    )]
    pub fn new(surface: Surface) -> PlanBuilder {
        PlanBuilder {
            surface,
            optimizers: Vec::new(),
            restarts: 1000,
            steps: 1000,
            seed: 0,
            first: 0,
            starts: Starts::Uniform,
            bounds: Bounds::None,
            stopping: Stopping::default(),
            success: 1e-3,
            precision: Precision::F32,
            chunk: None,
            trace: Trace::default(),
            points: true,
            batch: None,
            quota: Quota::default(),
            hyper: Vec::new(),
        }
    }

    /// The surface.
    pub fn surface(&self) -> &Surface {
        &self.builder.surface
    }

    /// All configurations, in the order that results have.
    pub fn configurations(&self) -> &[Configuration] {
        &self.configurations
    }

    /// The kernels to run, with their configurations.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// The surface's own value and gradient.
    pub fn evaluation(&self) -> &Arc<Evaluation> {
        &self.evaluation
    }

    /// Which hyperparameters any of these configurations of one program schedules.
    pub(crate) fn scheduled(&self, numbers: &[usize]) -> Vec<bool> {
        let configurations = || numbers.iter().map(|&n| &self.configurations[n]);
        let slots = configurations().map(|c| c.hyper.len()).max().unwrap_or(0);
        let is = |k: usize| configurations().any(|c| matches!(c.hyper.get(k), Some(HyperValue::Schedule(_))));
        (0..slots).map(is).collect()
    }

    /// Where restarts start.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// The name of the start sampler.
    pub fn starts(&self) -> &Starts {
        &self.builder.starts
    }

    /// Restarts of every configuration.
    pub fn restarts(&self) -> u64 {
        self.builder.restarts
    }

    /// Steps of every restart.
    pub fn steps(&self) -> u64 {
        self.builder.steps
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.builder.seed
    }

    /// The number of the first restart.
    pub fn first(&self) -> u64 {
        self.builder.first
    }

    /// The number type.
    pub fn precision(&self) -> Precision {
        self.builder.precision
    }

    /// What happens at the ends of the domain.
    pub fn bounds(&self) -> Bounds {
        self.builder.bounds
    }

    /// When restarts stop early.
    pub fn stopping(&self) -> Stopping {
        self.builder.stopping
    }

    /// How near to the known minimum's value a success is.
    pub fn success(&self) -> f64 {
        self.builder.success
    }

    /// How many restarts run at once, where the caller says.
    pub fn chunk(&self) -> Option<u64> {
        self.builder.chunk
    }

    /// What is recorded on the way.
    pub fn trace(&self) -> &Trace {
        &self.builder.trace
    }

    /// Whether final points are given out.
    pub fn points(&self) -> bool {
        self.builder.points
    }

    /// What ends a configuration before its last restart.
    pub fn quota(&self) -> Quota {
        self.builder.quota
    }

    /// One configuration of it, as number 0 of a plan without a quota; `chunk` stands where the caller says none.
    pub(crate) fn alone(&self, number: usize, chunk: Option<u64>) -> Option<Plan> {
        let program = self.programs.iter().find(|p| p.configurations.contains(&number))?;
        let mut plan = Plan {
            configurations: vec![self.configurations.get(number)?.clone()],
            programs: vec![Program { configurations: vec![0], ..program.clone() }],
            ..self.clone()
        };
        plan.builder.quota = Quota::default();
        plan.builder.chunk = plan.builder.chunk.or(chunk);
        Some(plan)
    }

    /// The same, of whose batches nobody sees any. A quota is met by what is in them.
    pub(crate) fn unseen(&self) -> Plan {
        let unseen = self.builder.quota.is_none();
        Plan { unseen, ..self.clone() }
    }

    /// Whether batches may be kept back.
    pub(crate) fn is_unseen(&self) -> bool {
        self.unseen
    }

    /// Some neighbouring restarts of this plan, in another precision: the same starts and draws.
    pub(crate) fn window(&self, first: u64, restarts: u64, precision: Precision) -> Plan {
        let mut plan = self.clone();
        (plan.builder.first, plan.builder.restarts, plan.builder.precision) = (first, restarts, precision);
        (plan.builder.trace, plan.builder.chunk) = (Trace::default(), None);
        plan
    }

    /// The first configuration alone, with so many restarts and steps and nothing recorded: for measuring.
    pub(crate) fn slice(&self, restarts: u64, steps: u64) -> Plan {
        let mut plan = self.alone(0, None).unwrap_or_else(|| self.clone());
        (plan.builder.restarts, plan.builder.steps) = (restarts, steps);
        plan.builder.trace = Trace::default();
        plan.builder.points = false;
        plan
    }

    /// How each step sees the surface's table, where it does not see all of it.
    pub fn batch(&self) -> Option<Minibatch> {
        self.builder.batch
    }

    /// How each step's rows are drawn, where it does not see all of them.
    pub fn row_draws(&self) -> Option<RowDraws> {
        let (batch, table) = (self.builder.batch?, self.surface().table()?);
        Some(RowDraws { rows: table.rows, batch: batch.rows, replacement: batch.replacement })
    }

    /// Hyperparameters drawn or given for a restart of a configuration, by slot; empty where none is. Each is an `f32`.
    pub fn drawn(&self, configuration: usize, restart: u64) -> Vec<f64> {
        let slots = self.configurations[configuration].hyper.len();
        let mut values = vec![f64::NAN; slots];
        let any = (0..slots).filter(|&slot| self.drawn_column(configuration, slot, restart, &mut values[slot..=slot]));
        if any.count() > 0 { values } else { Vec::new() }
    }

    /// The hyperparameter of a slot for the restarts from `first` on, as in [`drawn`](Plan::drawn); false where it is the
    /// same for all.
    pub(crate) fn drawn_column(&self, configuration: usize, slot: usize, first: u64, out: &mut [f64]) -> bool {
        match self.configurations[configuration].hyper[slot] {
            HyperValue::Drawn { log, lo, hi } => hyper_column(self.seed(), first, slot as u32, (log, lo, hi), out),
            HyperValue::Given(ref values) => {
                for (restart, value) in (first..).zip(out) {
                    *value = f64::from(values[(restart % values.len() as u64) as usize] as f32);
                }
            }
            _ => return false,
        }
        true
    }
}
