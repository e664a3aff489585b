//! Critical points of every index: descents of `½|∇f|²` on a device, finished by Newton steps on the gradient.
//!
//! ```
//! use catchment::analysis::Stationary;
//! use catchment::{Engine, Surface};
//! let surface = Surface::named("himmelblau", None)?;
//! let found = Stationary { starts: 2_000, ..Stationary::default() }.find(&Engine::cpu(), &surface, |_| catchment::Flow::Continue)?;
//! let inside = found.points.iter().filter(|p| p.point.inside && p.point.kind.is_critical());
//! assert_eq!(inside.count(), 9);
//! # Ok::<(), catchment::Error>(())
//! ```

use super::catalogue::{Catalogue, Place};
use super::coverage::Coverage;
use super::critical::Kind;
use super::minima::{Reached, sorted};
use super::polish::Goal;
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::{DeviceInfo, Event, Flow, Progress, Timing, wilson};
use crate::plan::Plan;
use crate::surface::Surface;
use std::time::Instant;

/// How critical points are looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Stationary {
    /// Starts, uniform in the box.
    pub starts: u64,
    /// Steps of each on `½|∇f|²`; 0 leaves all to Newton's steps.
    pub steps: u64,
    /// The optimizer of these steps, a chain of one configuration; `None` for Adam with a rate that falls from a hundredth of the
    /// narrowest side of the box to 0.
    pub optimizer: Option<String>,
    /// Points nearer than this are one, each coordinate in widths of the box.
    pub tolerance: f64,
    /// Coordinates that are angles.
    pub periodic: Vec<usize>,
    /// Seed of the starts.
    pub seed: u64,
}

impl Default for Stationary {
    fn default() -> Stationary {
        Stationary { starts: 10_000, steps: 200, optimizer: None, tolerance: 1e-6, periodic: Vec::new(), seed: 0 }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct StationaryPoints {
    /// All points, by their index and value; a place of [`Kind::GradientFlat`] is where `|∇f|²` is lowest among its
    /// neighbours and not 0, and the first thousand of these are listed.
    pub points: Vec<Reached>,
    /// Starts.
    pub starts: u64,
    /// Starts whose way led out of all bounds.
    pub lost: u64,
    /// Starts that ended where no gradient vanishes.
    pub flat: u64,
    /// How much was missed.
    pub coverage: Coverage,
    /// Where the descents ran.
    pub device: DeviceInfo,
    /// Of the descents.
    pub timing: Timing,
    /// Seconds that making exact and telling apart took beside.
    pub polish: f64,
}

impl Stationary {
    /// Looks for critical points.
    ///
    /// # Errors
    /// As [`Engine::run`]; [`Error::Setting`] for a bad tolerance or coordinate; [`Error::Dimension`] beyond
    /// [`FULL_DIM`](super::FULL_DIM) dimensions; [`Error::Cancelled`].
    pub fn find(
        &self,
        engine: &Engine,
        surface: &Surface,
        mut tell: impl FnMut(Progress) -> Flow,
    ) -> Result<StationaryPoints, Error> {
        let dim = surface.dim() as usize;
        if dim > super::FULL_DIM {
            let rule = crate::error::DimensionRule::AtMost(super::FULL_DIM as u32);
            return Err(Error::Dimension { surface: surface.name().to_owned(), dim: surface.dim(), rule });
        }
        super::minima::check_metric(self.tolerance, &self.periodic, dim)?;
        let domain = surface.domain();
        let narrowest =
            (0..dim).map(|i| domain.hi[i] - domain.lo[i]).filter(|w| *w > 0.0).fold(f64::INFINITY, f64::min);
        let rate = 0.01 * if narrowest.is_finite() { narrowest } else { 1.0 };
        let falling = format!("adam(lr = {rate:e}*0.5*(1 + cos(pi*t/T)))");
        let plan = Plan::new(surface.half_squared_gradient()?)
            .optimizer(self.optimizer.as_deref().unwrap_or(&falling))
            .restarts(self.starts)
            .steps(self.steps.max(1))
            .seed(self.seed)
            .resolve()?;
        if plan.configurations().len() != 1 {
            let (name, expected) = ("the number of optimizers", "one, without lists of hyperparameters");
            return Err(Error::Setting { name, value: plan.configurations().len() as f64, expected });
        }
        let mut catalogue = Catalogue::new(surface, Goal::Critical, self.tolerance, &self.periodic)?;
        let (mut hits, mut first): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        let (mut lost, mut flat, mut polish) = (0, 0, 0.0);
        let mut count = |places: Vec<Place>, begin: u64| {
            for (place, number) in places.into_iter().zip(begin..) {
                let point = match place {
                    Place::Point(point) => Some(point),
                    Place::Flat(point) => {
                        flat += 1;
                        point
                    }
                    Place::Lost => {
                        lost += 1;
                        None
                    }
                };
                if let Some(at) = point.map(|p| p as usize) {
                    hits.resize(hits.len().max(at + 1), 0);
                    first.resize(first.len().max(at + 1), u64::MAX);
                    hits[at] += 1;
                    first[at] = first[at].min(number);
                }
            }
        };
        let mut timing = Timing::default();
        if self.steps > 0 {
            let outcome = engine.stream(&plan, |event| match event {
                Event::Batch(batch) => {
                    let begun = Instant::now();
                    count(catalogue.ends(batch), batch.first);
                    polish += begun.elapsed().as_secs_f64();
                    Flow::Continue
                }
                Event::Progress(progress) => tell(*progress),
                Event::Trace(_) => Flow::Continue,
            })?;
            timing = Timing { run: (outcome.timing.run - polish).max(0.0), ..outcome.timing };
        } else {
            let begun = Instant::now();
            for begin in (0..self.starts).step_by(PIECE) {
                let some = begin..self.starts.min(begin + PIECE as u64);
                let points: Vec<f64> = some.flat_map(|k| super::start(plan.sampler(), k, dim)).collect();
                count(catalogue.add(&points), begin);
                let (done, total) = (begin as f64, self.starts as f64);
                if tell(Progress { done, total }) == Flow::Stop {
                    return Err(Error::Cancelled);
                }
            }
            polish = begun.elapsed().as_secs_f64();
        }
        let ended = self.starts - lost;
        let joined = catalogue.joined(&hits, &first);
        let mut points: Vec<Reached> = joined
            .into_iter()
            .map(|(point, hits, first_restart)| Reached {
                point,
                hits,
                fraction: hits as f64 / ended.max(1) as f64,
                interval: wilson(hits, ended),
                hits_by: vec![hits],
                first_restart,
            })
            .collect();
        sorted(&mut points);
        points.sort_by_key(|p| (p.point.kind == Kind::GradientFlat, p.point.index));
        let critical = points.iter().filter(|p| p.point.kind.is_critical());
        let counted: Vec<u64> = critical.map(|p| p.hits).collect();
        Ok(StationaryPoints {
            coverage: Coverage::of(&counted),
            points,
            starts: self.starts,
            lost,
            flat,
            device: engine.device(),
            timing,
            polish,
        })
    }
}

/// Starts that Newton's steps take together, between looks for a wish to stop.
const PIECE: usize = 1 << 14;
