//! Which engine runs a plan where nobody says: the CPU's, unless a GPU is predicted to be done sooner.
//!
//! A prediction is a measured slice of the plan itself, scaled. The CPU is measured first, for milliseconds; only a run that
//! takes longer than opening a GPU does has one opened, and measured too. Restarts that stop early count as if they went on.
//! As CPU and GPU differ in the last bits of their results, so may the results of two such runs: every record names its device.

use crate::engine::Backend;
use crate::error::Error;
use crate::outcome::{Event, Flow, Timing};
use crate::plan::{Plan, Precision};
use crate::summary::Delivered;
use std::fmt;
use std::time::Instant;

/// Seconds that finding and opening a GPU and compiling for it take at least; a shorter run stays on the CPU.
const OPENING: f64 = 0.25;
/// A measurement ends at the first sign of progress after this many seconds.
const LONG: f64 = 0.04;
/// A measurement shorter than this is repeated with a larger slice: threads start and caches fill in the first milliseconds.
const SHORT: f64 = 0.005;

/// Why a device was taken. It shows as one line, such as `auto: cpu, 3 ms predicted, opening a GPU costs more`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AutoChoice {
    /// `CATCHMENT_GPU` is `off`.
    Off,
    /// `CATCHMENT_GPU` is `require`.
    Required,
    /// Double precision runs on the CPU alone.
    Double,
    /// The CPU needs so few seconds that opening a GPU would take longer.
    Small {
        /// Seconds predicted on the CPU.
        cpu: f64,
    },
    /// There is no GPU that can run it, but for software.
    NoGpu {
        /// Seconds predicted on the CPU.
        cpu: f64,
    },
    /// Both were measured.
    Measured {
        /// Seconds predicted on the CPU.
        cpu: f64,
        /// Seconds predicted on the GPU, now that it is open.
        gpu: f64,
    },
}

impl AutoChoice {
    /// From what was measured: seconds predicted on the CPU, and on the GPU where one was opened.
    fn of(cpu: f64, gpu: Option<f64>) -> AutoChoice {
        match gpu {
            _ if cpu < OPENING => AutoChoice::Small { cpu },
            None => AutoChoice::NoGpu { cpu },
            Some(gpu) => AutoChoice::Measured { cpu, gpu },
        }
    }

    /// Whether the GPU was taken.
    pub fn is_gpu(&self) -> bool {
        match *self {
            AutoChoice::Required => true,
            AutoChoice::Measured { cpu, gpu } => gpu < cpu,
            _ => false,
        }
    }
}

impl fmt::Display for AutoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            AutoChoice::Off => write!(f, "auto: cpu, as CATCHMENT_GPU=off asks"),
            AutoChoice::Required => write!(f, "auto: gpu, as CATCHMENT_GPU=require asks"),
            AutoChoice::Double => write!(f, "auto: cpu, where double precision runs"),
            AutoChoice::Small { cpu } => write!(f, "auto: cpu, {} predicted, opening a GPU costs more", Seconds(cpu)),
            AutoChoice::NoGpu { cpu } => write!(f, "auto: cpu, {} predicted, and there is no GPU for it", Seconds(cpu)),
            AutoChoice::Measured { cpu, gpu } if gpu < cpu => {
                write!(f, "auto: gpu, {} predicted, {} on the CPU", Seconds(gpu), Seconds(cpu))
            }
            AutoChoice::Measured { cpu, gpu } => {
                write!(f, "auto: cpu, {} predicted, {} on the GPU", Seconds(cpu), Seconds(gpu))
            }
        }
    }
}

/// A time in two digits: a prediction has no more.
struct Seconds(f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s >= 9.5 => write!(f, "{s:.0} s"),
            s if s >= 0.95 => write!(f, "{s:.1} s"),
            s if s >= 1e-3 => write!(f, "{:.0} ms", 1e3 * s),
            _ => write!(f, "under 1 ms"),
        }
    }
}

/// What was measured: seconds of compiling, and of one restart's step.
#[derive(Clone, Copy, Debug)]
struct Rate {
    compile: f64,
    step: f64,
    /// Seconds that the measurement ran.
    ran: f64,
}

impl Rate {
    fn predict(self, work: f64) -> f64 {
        self.compile + self.step * work
    }
}

/// Runs a slice of a plan: so many restarts of one configuration, and of their steps the first.
fn measure(backend: &dyn Backend, plan: &Plan, restarts: u64, steps: u64) -> Result<Rate, Error> {
    let all = plan.restarts().saturating_mul(plan.configurations().len() as u64);
    let slice = plan.slice(restarts.min(all), steps.min(plan.steps()));
    let mut timing = Timing::default();
    let mut done = 0.0;
    let begun = Instant::now();
    let came = backend.descend(&slice, &mut timing, &mut |given| match given {
        [Delivered { event: Some(Event::Progress(progress)), .. }]
            if progress.done > 0.0 && begun.elapsed().as_secs_f64() > LONG =>
        {
            done = progress.done;
            Flow::Stop
        }
        _ => Flow::Continue,
    });
    let ran = match came {
        Ok(()) => {
            done = slice.restarts() as f64 * slice.steps() as f64;
            timing.run
        }
        Err(Error::Cancelled) => begun.elapsed().as_secs_f64() - timing.compile,
        Err(error) => return Err(error),
    };
    Ok(Rate { compile: timing.compile, step: ran / done, ran })
}

/// Restart steps that a plan takes: all of them, or no more than its quota.
fn work(plan: &Plan) -> f64 {
    let (steps, quota) = (plan.steps() as f64, plan.quota());
    let all = plan.restarts() as f64 * steps;
    let budget = quota.budget.map_or(f64::INFINITY, |budget| budget as f64 + steps);
    // How many starts one that is found takes, nobody knows: ten is a guess.
    let found = quota.found.map_or(f64::INFINITY, |found| 10.0 * found as f64 * steps);
    all.min(budget).min(found) * plan.configurations().len() as f64
}

/// Chooses between the CPU's engine and a GPU's, which `open` opens where there is one; gives it back where it is chosen.
pub(crate) fn choose<G: Backend>(
    cpu: &dyn Backend,
    threads: u64,
    plan: &Plan,
    open: impl FnOnce() -> Option<G>,
) -> Result<(AutoChoice, Option<G>), Error> {
    if plan.precision() == Precision::F64 {
        return Ok((AutoChoice::Double, None));
    }
    let work = work(plan);
    let mut rate = measure(cpu, plan, 512 * threads, 64)?;
    if rate.predict(work) >= OPENING && rate.ran < SHORT {
        rate = measure(cpu, plan, 8192 * threads, 256)?;
    }
    let seconds = rate.predict(work);
    if seconds < OPENING {
        return Ok((AutoChoice::of(seconds, None), None));
    }
    let opened = open().and_then(|gpu| {
        // The first slice wakes the device and its compiler; a plan that it refuses is the CPU's.
        measure(&gpu, plan, 1024, 8).ok()?;
        let rate = measure(&gpu, plan, 1 << 18, 64).ok()?;
        Some((gpu, rate.predict(work)))
    });
    let choice = AutoChoice::of(seconds, opened.as_ref().map(|(_, gpu)| *gpu));
    let gpu = opened.map(|(gpu, _)| gpu).filter(|_| choice.is_gpu());
    Ok((choice, gpu))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::CpuEngine;
    use crate::{Quota, Surface};

    #[test]
    fn the_faster_one_is_taken_and_small_runs_stay() {
        for (cpu, gpu, choice, line) in [
            (0.003, None, false, "auto: cpu, 3 ms predicted, opening a GPU costs more"),
            (1e-5, Some(1e-9), false, "auto: cpu, under 1 ms predicted, opening a GPU costs more"),
            (12.3, None, false, "auto: cpu, 12 s predicted, and there is no GPU for it"),
            (12.3, Some(0.4), true, "auto: gpu, 400 ms predicted, 12 s on the CPU"),
            (1.24, Some(3.0), false, "auto: cpu, 1.2 s predicted, 3.0 s on the GPU"),
        ] {
            let came = AutoChoice::of(cpu, gpu);
            assert_eq!((came.is_gpu(), came.to_string()), (choice, line.to_owned()));
        }
    }

    #[test]
    fn a_small_run_opens_nothing_and_a_large_one_asks() {
        let plan = |restarts| Plan::new(Surface::named("sphere", Some(2)).unwrap()).restarts(restarts).steps(100);
        let cpu = CpuEngine::new(1);
        let none = || -> Option<CpuEngine> { panic!("opened a device for a small run") };
        let (choice, gpu) = choose(&cpu, 1, &plan(10).resolve().unwrap(), none).unwrap();
        assert!(matches!(choice, AutoChoice::Small { .. }) && gpu.is_none(), "{choice}");
        // A quota bounds what is predicted.
        let quota = plan(1 << 40).quota(Quota { found: Some(3), budget: None }).resolve().unwrap();
        assert!(matches!(choose(&cpu, 1, &quota, none).unwrap().0, AutoChoice::Small { .. }));
        let large = plan(1 << 40).resolve().unwrap();
        let (choice, _) = choose(&cpu, 1, &large, || None::<CpuEngine>).unwrap();
        assert!(matches!(choice, AutoChoice::NoGpu { cpu } if cpu > 1e3), "{choice}");
        // Another engine in the GPU's place is measured.
        let (choice, other) = choose(&cpu, 1, &large, || Some(CpuEngine::new(1))).unwrap();
        assert!(matches!(choice, AutoChoice::Measured { .. }) && other.is_some() == choice.is_gpu(), "{choice}");
        let double = large_in_double();
        assert_eq!(choose(&cpu, 1, &double, none).unwrap().0, AutoChoice::Double);
    }

    fn large_in_double() -> Plan {
        let plan = Plan::new(Surface::named("sphere", Some(2)).unwrap()).restarts(1 << 40);
        plan.precision(Precision::F64).resolve().unwrap()
    }
}
