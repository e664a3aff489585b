//! Refilling: a run that goes on with new starts until its quota is met.
//!
//! The restarts that count are the shortest prefix, by number, that meets the quota; each configuration has its own.
//! Whatever an engine ran beyond is thrown away, so chunk, threads and device take no part in where a run ends.
//!
//! ```
//! use catchment::{Engine, Plan, Quota, Surface};
//! let plan = Plan::new(Surface::named("rastrigin", Some(1))?)
//!     .optimizer("sgd(lr=0.002)")
//!     .steps(500)
//!     .restarts(100_000)
//!     .quota(Quota { found: Some(10), budget: None })
//!     .resolve()?;
//! let came = &Engine::cpu().run(&plan)?.configurations[0];
//! // One start in ten lies in the basin of the global minimum.
//! assert_eq!((came.success.unwrap().count, came.quota_met), (10, Some(true)));
//! assert!(came.restarts < 1000);
//! # Ok::<(), catchment::Error>(())
//! ```

use crate::engine::{Backend, Receive};
use crate::error::Error;
use crate::outcome::{Batch, Event, Flow, Progress, Status, Timing};
use crate::plan::Plan;
use std::time::Instant;

/// What ends a configuration before its last restart; where both are given, the first that is met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// So many restarts are found. With [`Stopping::target`](crate::Stopping::target) a restart is found that ended at the
    /// target, else one that is a [`Success`](crate::Success).
    pub found: Option<u64>,
    /// The restarts have taken so many steps in all.
    pub budget: Option<u64>,
}

impl Quota {
    /// Whether nothing is asked.
    pub fn is_none(self) -> bool {
        self.found.is_none() && self.budget.is_none()
    }

    /// Whether a configuration that has found so many restarts in so many steps is done.
    pub(crate) fn is_met(self, found: u64, steps: u64) -> bool {
        self.found.is_some_and(|quota| found >= quota) || self.budget.is_some_and(|quota| steps >= quota)
    }

    /// The share that is done, at most 1.
    fn share(self, found: u64, steps: u64) -> f64 {
        let share = |done: u64, quota: Option<u64>| quota.map_or(0.0, |quota| done as f64 / quota as f64);
        share(found, self.found).max(share(steps, self.budget)).min(1.0)
    }

    /// Restarts that a GPU runs at once where nobody says: no fewer than the quota takes, nor many more.
    fn chunk(self, steps: u64) -> u64 {
        let least = self.found.unwrap_or(0).max(self.budget.map_or(0, |budget| budget / steps));
        least.clamp(1 << 16, 1 << 22)
    }
}

/// Which restarts are found.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Target,
    Near { minimum: f64, tolerance: f64 },
    None,
}

impl Goal {
    fn of(plan: &Plan) -> Goal {
        match (plan.stopping().target, plan.surface().minima().first()) {
            (Some(_), _) => Goal::Target,
            (None, Some(known)) => Goal::Near { minimum: known.value, tolerance: plan.success() },
            (None, None) => Goal::None,
        }
    }

    fn holds(self, batch: &Batch, r: usize) -> bool {
        match self {
            Goal::Target => batch.status[r] == Status::Target,
            Goal::Near { minimum, tolerance } => (batch.value.at(r) - minimum).abs() <= tolerance,
            Goal::None => false,
        }
    }
}

/// The restarts of a configuration so far.
#[derive(Debug)]
struct Prefix {
    quota: Quota,
    goal: Goal,
    found: u64,
    steps: u64,
    /// The number of the first restart beyond it.
    end: u64,
}

impl Prefix {
    fn is_met(&self) -> bool {
        self.quota.is_met(self.found, self.steps)
    }

    /// Counts the restarts of a batch up to the one that meets the quota, and cuts off those behind; says whether there are any.
    fn take(&mut self, batch: &mut Batch) -> bool {
        let mut kept = 0;
        while kept < batch.len() && !self.is_met() {
            self.found += u64::from(self.goal.holds(batch, kept));
            self.steps += u64::from(batch.steps[kept]);
            kept += 1;
        }
        let cut = kept < batch.len();
        batch.truncate(kept);
        self.end = batch.first + kept as u64;
        cut
    }
}

/// Runs the configurations one after the other, each until its quota is met.
pub(crate) fn descend(
    backend: &dyn Backend,
    plan: &Plan,
    timing: &mut Timing,
    receive: &mut Receive<'_>,
) -> Result<(), Error> {
    let quota = plan.quota();
    let chunk = (backend.device().kind == "gpu").then(|| quota.chunk(plan.steps()));
    let mut before = 0.0;
    for number in 0..plan.configurations().len() {
        let Some(alone) = plan.alone(number, chunk) else { continue };
        let left = (plan.configurations().len() - number) as f64;
        let mut prefix = Prefix { quota, goal: Goal::of(plan), found: 0, steps: 0, end: plan.first() };
        let (begun, spent) = (Instant::now(), *timing);
        let mut stopped = false;
        let came = backend.descend(&alone, timing, &mut |all| {
            for given in all {
                let mut last = false;
                match &mut given.event {
                    None => {}
                    Some(Event::Batch(_) | Event::Progress(_)) if prefix.is_met() => return Flow::Stop,
                    Some(Event::Batch(batch)) => {
                        batch.configuration = number;
                        let cut = prefix.take(batch);
                        given.seen = given.seen.take().filter(|_| !cut).map(|seen| seen.of_configuration(number));
                        // A batch's trace follows it.
                        let traced =
                            !plan.trace().steps.is_empty() && batch.first - plan.first() < plan.trace().restarts;
                        last = prefix.is_met() && !traced;
                    }
                    Some(Event::Trace(trace)) => {
                        trace.configuration = number;
                        trace.keep_below(prefix.end);
                        if trace.restarts.is_empty() {
                            continue;
                        }
                    }
                    Some(Event::Progress(progress)) => {
                        let share = quota.share(prefix.found, prefix.steps);
                        let whole = if share > 0.0 {
                            (prefix.steps as f64 / share).min(progress.total)
                        } else {
                            progress.total
                        };
                        let done = before + progress.done.min(whole);
                        *progress = Progress { done, total: before + left * whole };
                    }
                }
                stopped = receive(std::slice::from_mut(given)) == Flow::Stop;
                if stopped || last {
                    return Flow::Stop;
                }
            }
            Flow::Continue
        });
        match came {
            // The engine was told to stop because all is done.
            Err(Error::Cancelled) if prefix.is_met() && !stopped => {
                let compiling = timing.compile - spent.compile;
                timing.run = spent.run + (begun.elapsed().as_secs_f64() - compiling).max(0.0);
            }
            other => other?,
        }
        before += prefix.steps as f64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Column;

    fn batch(first: u64, status: &[Status], steps: &[u32]) -> Batch {
        let numbers = |n: usize| Column::F32((0..n).map(|i| i as f32).collect());
        let n = status.len();
        Batch {
            configuration: 0,
            first,
            dim: 2,
            value: numbers(n),
            gradient_norm: numbers(n),
            steps: steps.to_vec(),
            status: status.to_vec(),
            start_value: numbers(n),
            x: numbers(2 * n),
        }
    }

    #[test]
    fn the_shortest_prefix_is_kept() {
        use Status::{MaxSteps, Target};
        let mut prefix =
            Prefix { quota: Quota { found: Some(2), budget: None }, goal: Goal::Target, found: 0, steps: 0, end: 5 };
        let mut one = batch(5, &[Target, MaxSteps, MaxSteps], &[1, 9, 9]);
        prefix.take(&mut one);
        assert_eq!((one.len(), prefix.end, prefix.is_met()), (3, 8, false));
        let mut two = batch(8, &[MaxSteps, Target, Target], &[9, 2, 2]);
        prefix.take(&mut two);
        assert_eq!((two.len(), prefix.end, prefix.is_met()), (2, 10, true));
        // Coordinate-major columns are cut coordinate by coordinate.
        assert_eq!(two.x, Column::F32(vec![0.0, 1.0, 3.0, 4.0]));
        let mut three = batch(10, &[Target], &[1]);
        prefix.take(&mut three);
        assert!(three.is_empty());
    }

    #[test]
    fn a_budget_ends_with_the_restart_that_reaches_it() {
        let quota = Quota { found: None, budget: Some(10) };
        for (steps, kept) in [([4, 6, 1], 2), ([4, 5, 1], 3), ([11, 1, 1], 1)] {
            let mut prefix = Prefix { quota, goal: Goal::None, found: 0, steps: 0, end: 0 };
            let mut all = batch(0, &[Status::MaxSteps; 3], &steps);
            prefix.take(&mut all);
            assert_eq!((all.len(), prefix.is_met()), (kept, true), "{steps:?}");
        }
    }
}
