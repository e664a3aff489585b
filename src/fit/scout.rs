//! Which of several starts leads a group's fit lowest: found for all groups at once in `f32`, on any device, so that the exact
//! descent in `f64` need only be made from that one.

use super::batched::{BatchedFit, BatchedStatus, FitColumn, FitRows, MAX_PARAMETERS, run_batched};
use super::builder::{Fit, Task};
use super::loss::Loss;
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::DeviceInfo;

/// Below this many descents scouting does not pay.
const WORTHWHILE: usize = 1000;

/// What scouting found.
pub(super) struct Scouted {
    /// For each group the number of its best start and the point that it led to; none where no start led anywhere.
    pub(super) best: Vec<Option<(usize, Vec<f64>)>>,
    /// The device that did it.
    pub(super) device: DeviceInfo,
}

/// Descends from every start in every group; `None` where that is not worth it, or beyond what the batched form does:
/// plain least squares of at most [`MAX_PARAMETERS`] parameters.
pub(super) fn scout(
    fit: &Fit<'_>,
    task: &Task,
    engine: &Engine,
    order: &[usize],
    begins: &[usize],
    starts: &[Vec<f64>],
) -> Result<Option<Scouted>, Error> {
    let (groups, p) = (begins.len() - 1, task.model.parameters);
    let plain = task.settings.loss == Loss::Squared && p <= MAX_PARAMETERS;
    if !plain || starts.len() < 2 || groups * starts.len() < WORTHWHILE {
        return Ok(None);
    }
    let gathered = |column: &[f64]| order.iter().map(|&row| column[row] as f32).collect::<Vec<f32>>();
    let columns: Vec<Vec<f32>> = fit.columns().iter().map(|c| gathered(c)).collect();
    let roots = task.roots.as_deref().map(gathered);
    let lengths: Vec<u32> = begins.windows(2).map(|ends| (ends[1] - ends[0]) as u32).collect();
    let limits = &task.settings.limits;
    let bound = |j: usize| match limits.fixed[j] {
        Some(value) => [value as f32; 2],
        None => [limits.lo[j] as f32, limits.hi[j] as f32],
    };
    let mut best: Vec<Option<(f32, usize, Vec<f64>)>> = vec![None; groups];
    let mut device = engine.device();
    for (k, start) in starts.iter().enumerate() {
        let repeated: Vec<f32> = start.iter().flat_map(|&v| std::iter::repeat_n(v as f32, groups)).collect();
        let batched = BatchedFit {
            columns: columns.iter().map(|c| FitColumn::Own(c)).collect(),
            roots: roots.as_deref().map(FitColumn::Own),
            bounds: (0..p).map(bound).collect(),
            ..BatchedFit::new(fit.residuals(), FitRows::Lengths(&lengths), &repeated)
        };
        let outcome = run_batched(&batched, engine)?;
        for (g, slot) in best.iter_mut().enumerate() {
            let rss = outcome.rss[g];
            let lost = outcome.status[g] == BatchedStatus::Nonfinite || !rss.is_finite();
            if !lost && slot.as_ref().is_none_or(|b| rss < b.0) {
                *slot = Some((rss, k, outcome.fit(g).into_iter().map(f64::from).collect()));
            }
        }
        device = outcome.device;
    }
    let best = best.into_iter().map(|b| b.map(|(_, k, point)| (k, point))).collect();
    Ok(Some(Scouted { best, device }))
}
