//! Saddles, and how long optimizers take to leave them.

use super::critical::{CriticalPoint, Kind};
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::{Event, Flow, Progress, Status, wilson};
use crate::plan::{Plan, Stopping};
use crate::random::{Points, Purpose, Starts, Stream, normal_pair_f64};
use crate::surface::Surface;
use std::sync::Arc;

/// Descents that start about a saddle and stop when they have left it.
#[derive(Clone, Debug, PartialEq)]
pub struct Escape {
    /// Optimizers; lists of hyperparameters are a grid.
    pub optimizers: Vec<String>,
    /// Restarts of each.
    pub restarts: u64,
    /// Steps of each, at most.
    pub steps: u64,
    /// Standard deviation of the starts about the saddle, in widths of the box.
    pub near: f64,
    /// A restart has left when its value is as far below the saddle's as a point this far along the steepest way down, in widths of the
    /// box, by the saddle's own curvature.
    pub far: f64,
    /// Seed of starts and noise.
    pub seed: u64,
}

impl Default for Escape {
    fn default() -> Escape {
        let noisy = ["noise(sigma=0.1) | sgd(lr=0.01)", "perturb(every=20, radius=0.01) | sgd(lr=0.01)"];
        let optimizers = ["sgd(lr=0.01)"].into_iter().chain(noisy).map(str::to_owned).collect();
        Escape { optimizers, restarts: 1000, steps: 1000, near: 1e-6, far: 1e-2, seed: 0 }
    }
}

/// How one optimizer left a saddle.
#[derive(Clone, Debug, PartialEq)]
pub struct Escaped {
    /// The optimizer.
    pub optimizer: String,
    /// Restarts that left within the steps they had.
    pub left: u64,
    /// All restarts.
    pub restarts: u64,
    /// 95 % Wilson interval of the share.
    pub interval: [f64; 2],
    /// Steps until restarts had left, ascending, of those that did.
    pub steps: Vec<u32>,
}

impl Escaped {
    /// The number of steps within which this share of all restarts has left; `None` where fewer did.
    pub fn quantile(&self, share: f64) -> Option<u32> {
        let place = (share * self.restarts as f64).ceil().max(1.0) as usize - 1;
        self.steps.get(place).copied()
    }
}

impl Escape {
    /// Runs all optimizers from the same starts about a saddle.
    ///
    /// # Errors
    /// [`Error::Setting`] where the point has no way down, or a distance is not positive; as [`Engine::run`].
    pub fn measure(
        &self,
        engine: &Engine,
        surface: &Surface,
        saddle: &CriticalPoint,
        mut tell: impl FnMut(Progress) -> Flow,
    ) -> Result<Vec<Escaped>, Error> {
        let setting = |name, value, expected| Err(Error::Setting { name, value, expected });
        for (name, value) in [("the distance of starts", self.near), ("the distance to leave", self.far)] {
            if !(value > 0.0 && value <= 1.0) {
                return setting(name, value, "above 0 and at most 1 width of the box");
            }
        }
        let lowest = saddle.eigenvalues.first().copied().unwrap_or(f64::NAN);
        if !(lowest < 0.0) || saddle.kind == Kind::GradientFlat {
            return setting("the lowest eigenvalue of the saddle", lowest, "below 0: a point that has a way down");
        }
        let domain = surface.domain();
        let width: Vec<f64> = domain.lo.iter().zip(&domain.hi).map(|(lo, hi)| hi - lo).collect();
        let mean = width.iter().sum::<f64>() / width.len() as f64;
        let drop = -0.5 * lowest * (self.far * mean).powi(2);
        let coordinate = |r: u64, i: usize| {
            let stream = Stream::new(self.seed, r, i as u32, Purpose::Scramble);
            saddle.x[i] + self.near * width[i] * normal_pair_f64(stream.word(0), stream.word(1)).0
        };
        let dim = width.len();
        let starts = (0..self.restarts).flat_map(|r| (0..dim).map(move |i| (r, i))).map(|(r, i)| coordinate(r, i));
        let points = Points::new(dim, starts.collect())?;
        self.from(engine, surface, points, saddle.value - drop, &mut tell)
    }

    /// Runs all optimizers from given points until their values are at most `below`; `restarts`, `near` and `far` play no part.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn from(
        &self,
        engine: &Engine,
        surface: &Surface,
        points: Points,
        below: f64,
        tell: &mut dyn FnMut(Progress) -> Flow,
    ) -> Result<Vec<Escaped>, Error> {
        let mut plan = Plan::new(surface.clone())
            .restarts(points.rows() as u64)
            .steps(self.steps)
            .seed(self.seed)
            .starts(Starts::Points(Arc::new(points)))
            .stopping(Stopping { target: Some(below), ..Stopping::default() });
        for text in &self.optimizers {
            plan = plan.optimizer(text);
        }
        let plan = plan.resolve()?;
        let mut all: Vec<Escaped> = plan
            .configurations()
            .iter()
            .map(|c| Escaped {
                optimizer: c.text.clone(),
                left: 0,
                restarts: plan.restarts(),
                interval: [0.0; 2],
                steps: Vec::new(),
            })
            .collect();
        engine.stream(&plan, |event| match event {
            Event::Batch(batch) => {
                let left = (0..batch.len()).filter(|&r| batch.status[r] == Status::Target);
                all[batch.configuration].steps.extend(left.map(|r| batch.steps[r]));
                Flow::Continue
            }
            Event::Progress(progress) => tell(*progress),
            Event::Trace(_) => Flow::Continue,
        })?;
        for one in &mut all {
            one.steps.sort_unstable();
            one.left = one.steps.len() as u64;
            one.interval = wilson(one.left, one.restarts);
        }
        Ok(all)
    }
}
