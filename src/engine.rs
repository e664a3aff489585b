//! Engines: the CPU's and the GPU's behind one handle.
//!
//! ```
//! use catchment::{Engine, Plan, Surface};
//! let plan = Plan::new(Surface::named("sphere", Some(3))?).optimizer("sgd(lr=0.1)").restarts(100).steps(50).resolve()?;
//! let outcome = Engine::cpu().run(&plan)?;
//! assert_eq!(outcome.configurations[0].success.unwrap().count, 100);
//! # Ok::<(), catchment::Error>(())
//! ```

use crate::analysis::{FULL_DIM, derivatives, lanczos};
use crate::auto::{self, AutoChoice};
use crate::cpu::CpuEngine;
use crate::error::{DimensionRule, Error};
use crate::fit::{BatchedFit, BatchedOutcome};
use crate::gpu::{self, GpuEngine};
use crate::outcome::{Batch, DeviceInfo, Event, Flow, Outcome, Progress, Timing};
use crate::plan::{Plan, Precision};
use crate::quota;
use crate::summary::{Delivered, Summary};
use crate::surface::Surface;

/// What takes a backend's events, several at a time where they are there together.
pub(crate) type Receive<'a> = dyn FnMut(&mut [Delivered]) -> Flow + 'a;

/// What an engine does; both do it with the same bits for every chunk and thread count.
pub(crate) trait Backend {
    /// Where it runs.
    fn device(&self) -> DeviceInfo;
    /// Descends, giving out batches by configuration and restart, in order; the trace of a restart comes after its batch
    /// and before another chunk's. What a part took is added to `timing` when it is done, so that a run which is stopped
    /// has told at least of its compiling.
    fn descend(&self, plan: &Plan, timing: &mut Timing, receive: &mut Receive<'_>) -> Result<(), Error>;
    /// Values and gradients at points, row-major.
    fn evaluate(&self, surface: &Surface, points: &[f64], precision: Precision) -> Result<Evaluated, Error>;
    /// How restarts are laid out for this plan: what `bench` prints.
    fn layout(&self, plan: &Plan) -> Result<String, Error>;
    /// Runs checked fits.
    fn fit(&self, fit: &BatchedFit<'_>, tell: &mut dyn FnMut(Progress) -> Flow) -> Result<BatchedOutcome, Error>;
}

/// Values and gradients at points.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// One a point.
    pub value: Vec<f64>,
    /// Row-major, one row a point.
    pub gradient: Vec<f64>,
}

/// Which device to run on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best real GPU, else the CPU; a software GPU only where `CATCHMENT_GPU=require`. For a plan
    /// ([`Engine::open_for`]) the faster of the two.
    #[default]
    Auto,
    /// The CPU engine.
    Cpu,
    /// The best GPU, a software one included.
    Gpu,
    /// By index in [`devices`](crate::devices), part of its name, or `pci:BUS`.
    Named(String),
}

impl DeviceChoice {
    /// Reads `auto`, `cpu`, `gpu`, an index, a name or `pci:BUS`.
    pub fn parse(text: &str) -> DeviceChoice {
        match text {
            "auto" => DeviceChoice::Auto,
            "cpu" => DeviceChoice::Cpu,
            "gpu" => DeviceChoice::Gpu,
            other => DeviceChoice::Named(other.to_owned()),
        }
    }
}

/// An engine, opened.
pub struct Engine {
    backend: Box<dyn Backend>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("device", &self.device()).finish()
    }
}

impl Engine {
    /// The best real GPU, else the CPU.
    ///
    /// # Errors
    /// [`Error::NoDevice`] where `CATCHMENT_GPU=require` and there is no GPU.
    pub fn auto() -> Result<Engine, Error> {
        Engine::open(&DeviceChoice::Auto, 0)
    }

    /// The CPU engine on all cores.
    pub fn cpu() -> Engine {
        Engine { backend: Box::new(CpuEngine::new(0)) }
    }

    /// Opens a device; `threads` is the CPU engine's, 0 for all cores.
    ///
    /// # Errors
    /// [`Error::NoDevice`] or [`Error::Device`].
    pub fn open(choice: &DeviceChoice, threads: usize) -> Result<Engine, Error> {
        let cpu = || Engine { backend: Box::new(CpuEngine::new(threads)) };
        let gpu = |engine: GpuEngine| Engine { backend: Box::new(engine) };
        match choice {
            DeviceChoice::Cpu => Ok(cpu()),
            DeviceChoice::Gpu => GpuEngine::best(true).map(gpu),
            DeviceChoice::Named(name) => match gpu::find(name)? {
                None => Ok(cpu()),
                Some(index) => GpuEngine::by_index(index).map(gpu),
            },
            DeviceChoice::Auto => match std::env::var("CATCHMENT_GPU").as_deref() {
                Ok("off") => Ok(cpu()),
                Ok("require") => GpuEngine::best(true).map(gpu),
                _ => Ok(GpuEngine::best(false).map_or_else(|_| cpu(), gpu)),
            },
        }
    }

    /// Opens a device for one plan. [`DeviceChoice::Auto`] takes the engine that is predicted to be done first, from a few
    /// milliseconds of the plan itself, and says why; a run shorter than the opening of a GPU opens none. Without
    /// `CATCHMENT_GPU=require` a software GPU is never taken.
    ///
    /// # Errors
    /// As [`Engine::open`] and [`Engine::run`].
    pub fn open_for(choice: &DeviceChoice, threads: usize, plan: &Plan) -> Result<(Engine, Option<AutoChoice>), Error> {
        if *choice != DeviceChoice::Auto {
            return Ok((Engine::open(choice, threads)?, None));
        }
        let cpu = CpuEngine::new(threads);
        match std::env::var("CATCHMENT_GPU").as_deref() {
            Ok("off") => Ok((Engine { backend: Box::new(cpu) }, Some(AutoChoice::Off))),
            Ok("require") if plan.precision() == Precision::F32 => {
                Ok((Engine::open(choice, threads)?, Some(AutoChoice::Required)))
            }
            _ => {
                let cores =
                    if threads > 0 { threads } else { std::thread::available_parallelism().map_or(1, usize::from) };
                let (why, gpu) = auto::choose(&cpu, cores as u64, plan, || GpuEngine::best(false).ok())?;
                let backend: Box<dyn Backend> = match gpu {
                    Some(gpu) => Box::new(gpu),
                    None => Box::new(cpu),
                };
                Ok((Engine { backend }, Some(why)))
            }
        }
    }

    /// An engine of its own making.
    pub(crate) fn of(backend: Box<dyn Backend>) -> Engine {
        Engine { backend }
    }

    /// Where it runs.
    pub fn device(&self) -> DeviceInfo {
        self.backend.device()
    }

    /// How the kernel of this plan is laid out: `straight`, `loops`, `storage`, `spread`; on the CPU also whether it is machine code or a
    /// tape.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn layout(&self, plan: &Plan) -> Result<String, Error> {
        self.backend.layout(plan)
    }

    /// Runs a plan and summarises it.
    ///
    /// # Errors
    /// [`Error::Device`], [`Error::TooLarge`], [`Error::PrecisionOnGpu`].
    pub fn run(&self, plan: &Plan) -> Result<Outcome, Error> {
        self.watch(plan, |_| Flow::Continue)
    }

    /// Runs a plan, summarises it and tells how far it is. Batches that nobody sees need not be made.
    ///
    /// # Errors
    /// As [`Engine::stream`].
    pub fn watch(&self, plan: &Plan, mut tell: impl FnMut(Progress) -> Flow) -> Result<Outcome, Error> {
        self.stream(&plan.unseen(), |event| match event {
            Event::Progress(progress) => tell(*progress),
            _ => Flow::Continue,
        })
    }

    /// Runs a plan, summarises it and keeps every batch.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn collect(&self, plan: &Plan) -> Result<(Outcome, Vec<Batch>), Error> {
        let mut batches = Vec::new();
        let outcome = self.stream(plan, |event| {
            if let Event::Batch(batch) = event {
                batches.push(batch.clone());
            }
            Flow::Continue
        })?;
        Ok((outcome, batches))
    }

    /// Runs a plan and hands out batches, traces and progress as they come; memory stays bounded.
    ///
    /// # Errors
    /// As [`Engine::run`], and [`Error::Cancelled`] where `receive` says stop.
    pub fn stream(&self, plan: &Plan, mut receive: impl FnMut(&Event) -> Flow) -> Result<Outcome, Error> {
        let mut summary = Summary::new(plan);
        let mut timing = Timing::default();
        let mut take = |given: &mut [Delivered]| {
            summary.take(given);
            let stops = given.iter().filter_map(|given| given.event.as_ref()).any(|event| receive(event) == Flow::Stop);
            if stops { Flow::Stop } else { Flow::Continue }
        };
        match plan.quota().is_none() {
            true => self.backend.descend(plan, &mut timing, &mut take)?,
            false => quota::descend(&*self.backend, plan, &mut timing, &mut take)?,
        }
        Ok(summary.finish(self.device(), timing))
    }

    /// Values and gradients at points (row-major, `surface.dim()` numbers each).
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn evaluate(&self, surface: &Surface, points: &[f64], precision: Precision) -> Result<Evaluated, Error> {
        self.backend.evaluate(surface, points, precision)
    }

    /// Matrices of second derivatives at points (row-major, `surface.dim()` numbers each): `dim × dim` numbers a point, row-major,
    /// symmetric. All products with unit vectors are evaluated together on the device.
    ///
    /// ```
    /// use catchment::{Engine, Precision, Surface};
    /// let hessians = Engine::cpu().hessians(&Surface::named("saddle", None)?, &[0.5, 0.5], Precision::F64)?;
    /// assert_eq!(hessians, [2.0, 0.0, 0.0, -2.0]);
    /// # Ok::<(), catchment::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Engine::evaluate`]; [`Error::Dimension`] beyond [`FULL_DIM`](crate::analysis::FULL_DIM) dimensions, where
    /// [`Engine::extreme_eigenvalues`] tells the ends of the spectra.
    pub fn hessians(&self, surface: &Surface, points: &[f64], precision: Precision) -> Result<Vec<f64>, Error> {
        let n = surface.dim() as usize;
        if n > FULL_DIM {
            let rule = DimensionRule::AtMost(FULL_DIM as u32);
            return Err(Error::Dimension { surface: surface.name().to_owned(), dim: surface.dim(), rule });
        }
        let along = surface.directional()?;
        derivatives::matrices(n, points, |pairs| self.evaluate(&along, pairs, precision))
    }

    /// Smallest and largest eigenvalue of the matrix of second derivatives at each point (row-major), by the method of Lanczos
    /// with exact products, all points in step; an end counts as found when it moves by less than a millionth of the
    /// spectrum's reach in `f32`, and by 1e-9 in `f64`.
    ///
    /// # Errors
    /// As [`Engine::evaluate`].
    pub fn extreme_eigenvalues(
        &self,
        surface: &Surface,
        points: &[f64],
        precision: Precision,
    ) -> Result<Vec<[f64; 2]>, Error> {
        let n = surface.dim() as usize;
        let along = surface.directional()?;
        let tolerance = if precision == Precision::F32 { 1e-6 } else { 0.0 };
        lanczos::ends(n, points.len() / n, tolerance, |which, vectors| {
            let pair = |(&k, v): (&usize, &[f64])| points[k * n..][..n].iter().chain(v).copied().collect::<Vec<f64>>();
            let pairs: Vec<f64> = which.iter().zip(vectors.chunks_exact(n)).flat_map(pair).collect();
            let found = self.evaluate(&along, &pairs, precision)?;
            Ok(found.gradient.chunks_exact(2 * n).flat_map(|row| &row[..n]).copied().collect())
        })
    }

    /// Runs fits that have been checked.
    pub(crate) fn fit(
        &self,
        fit: &BatchedFit<'_>,
        tell: &mut dyn FnMut(Progress) -> Flow,
    ) -> Result<BatchedOutcome, Error> {
        self.backend.fit(fit, tell)
    }
}
