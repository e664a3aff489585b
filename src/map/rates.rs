//! Where training converges and where it runs away, over the learning rate and one more number; the border between the two is
//! a fractal for many surfaces (Sohl-Dickstein 2024, arXiv:2402.06184).
//!
//! All pixels are restarts of one configuration: each has its own learning rate, and its own start or second hyperparameter
//! ([`PlanBuilder::hyper`](crate::PlanBuilder::hyper)).

use super::basins::one_configuration;
use super::{Descents, Span, Watch, check_size};
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::{DeviceInfo, Event, Flow, Status};
use crate::random::{Points, Starts};
use crate::surface::Surface;
use std::sync::Arc;

/// What stands along the other axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Against {
    /// A coordinate of the start, by its number; the others are those of the start.
    Coordinate(usize),
    /// A hyperparameter, by its label.
    Hyper(String),
}

/// How a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Converged,
    /// It ran away, or to where the surface is not defined.
    Diverged,
    /// It was still on its way, or goes around for ever.
    Undecided,
}

/// What became of the descents of all pixels.
#[derive(Clone, Debug)]
pub struct RateMap {
    /// Pixels of a side.
    pub size: u32,
    /// Across: the learning rate, or the hyperparameter that was chosen.
    pub x: Span,
    /// Upward.
    pub y: Span,
    /// Row by row from the upper left.
    pub fate: Vec<Fate>,
    /// Steps until it was known.
    pub steps: Vec<u32>,
    /// Pixels by fate: converged, diverged, undecided.
    pub counts: [u64; 3],
    /// Where it was computed.
    pub device: DeviceInfo,
    /// Seconds of descending.
    pub seconds: f64,
}

/// Descends once for each of `size` × `size` pixels: hyperparameter `x.name` across, `against` upward, all else from `start` and
/// `descents`.
///
/// # Errors
/// As [`Engine::run`]; [`Error::HyperUnknown`] for a hyperparameter that the optimizer does not have;
/// [`MapError`](super::MapError) for the size; [`Error::Cancelled`] where `watch` says stop.
#[expect(clippy::too_many_arguments, reason = "two axes, a start, and what every map takes")]
pub fn rates(
    engine: &Engine,
    surface: &Surface,
    start: &[f64],
    x: &Span,
    y: &Span,
    against: &Against,
    size: u32,
    descents: &Descents,
    watch: &mut Watch<'_>,
) -> Result<RateMap, Error> {
    check_size(size, surface.dim())?;
    if start.len() != surface.dim() as usize {
        return Err(super::MapError::PointLength { expected: surface.dim() as usize, got: start.len() }.into());
    }
    let across: Vec<f64> = (0..size).map(|column| x.middle(column, size)).collect();
    let upward = (0..size).rev().map(|row| y.middle(row, size));
    let pixels = u64::from(size) * u64::from(size);
    let mut plan = descents.plan(surface).restarts(pixels).points(false).hyper(&x.name, across);
    let points = match against {
        Against::Coordinate(i) => {
            let mut points = Vec::with_capacity(pixels as usize * start.len());
            for value in upward {
                let mut point = start.to_vec();
                point[*i] = value;
                (0..size).for_each(|_| points.extend_from_slice(&point));
            }
            points
        }
        Against::Hyper(label) => {
            let all: Vec<f64> = upward.flat_map(|value| (0..size).map(move |_| value)).collect();
            plan = plan.hyper(label, all);
            start.to_vec()
        }
    };
    let plan = plan.starts(Starts::Points(Arc::new(Points::new(start.len(), points)?))).resolve()?;
    one_configuration(&plan, &descents.optimizer)?;
    let (mut fate, mut steps) = (Vec::with_capacity(pixels as usize), Vec::with_capacity(pixels as usize));
    let outcome = engine.stream(&plan, |event| match event {
        Event::Batch(batch) => {
            steps.extend(&batch.steps);
            fate.extend(batch.status.iter().map(|status| match status {
                Status::Converged | Status::Target => Fate::Converged,
                Status::Diverged | Status::Nonfinite => Fate::Diverged,
                Status::Stalled | Status::MaxSteps => Fate::Undecided,
            }));
            Flow::Continue
        }
        other => watch.event(other),
    })?;
    let mut counts = [0; 3];
    fate.iter().for_each(|fate| counts[*fate as usize] += 1);
    let (device, seconds) = (outcome.device, outcome.timing.run);
    Ok(RateMap { size, x: x.clone(), y: y.clone(), fate, steps, counts, device, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Plane;

    fn bowl() -> (Surface, Descents) {
        let domain = crate::random::Domain::cube(2, -1.0, 1.0);
        let bowl = Surface::formula("2*x[0]^2 + 0.5*x[1]^2", domain).unwrap();
        let plane = Plane::of_two(&bowl).unwrap();
        let descents = Descents { optimizer: "sgd".to_owned(), ..Descents::suited(&bowl, &plane).unwrap() };
        (bowl, descents)
    }

    #[test]
    fn a_bowl_converges_up_to_two_by_its_curvature() {
        let (bowl, descents) = bowl();
        let x = Span::new("lr", 0.1, 0.9, false).unwrap();
        let y = Span::new("x0", 0.1, 1.0, false).unwrap();
        let size = 80;
        let against = Against::Coordinate(0);
        let map =
            rates(&Engine::cpu(), &bowl, &[0.0, 0.3], &x, &y, &against, size, &descents, &mut Watch::none()).unwrap();
        for (i, fate) in map.fate.iter().enumerate() {
            let lr = x.middle(i as u32 % size, size);
            // The curvature is 4.
            let known = if lr < 0.5 { Fate::Converged } else { Fate::Diverged };
            assert!(*fate == known || (lr - 0.5).abs() < 0.011, "{lr}: {fate:?}");
        }
    }

    #[test]
    fn heavy_balls_converge_up_to_their_own_border() {
        let (bowl, descents) = bowl();
        let descents = Descents { optimizer: "momentum".to_owned(), ..descents };
        let x = Span::new("lr", 0.05, 2.0, true).unwrap();
        let y = Span::new("beta", 0.0, 0.9, false).unwrap();
        let size = 48;
        let against = Against::Hyper("beta".to_owned());
        let map =
            rates(&Engine::cpu(), &bowl, &[0.4, 0.3], &x, &y, &against, size, &descents, &mut Watch::none()).unwrap();
        let mut wrong = 0;
        for (i, fate) in map.fate.iter().enumerate() {
            let (lr, beta) = (x.middle(i as u32 % size, size), y.middle(size - 1 - i as u32 / size, size));
            // lr < 2 (1 + beta)/curvature.
            let border = 2.0 * (1.0 + beta) / 4.0;
            let known = if lr < border { Fate::Converged } else { Fate::Diverged };
            wrong += u32::from(*fate != known && (lr / border - 1.0).abs() > 0.05);
        }
        assert_eq!(wrong, 0);
        let wrong = Against::Hyper("gamma".to_owned());
        assert!(
            rates(&Engine::cpu(), &bowl, &[0.4, 0.3], &x, &y, &wrong, size, &descents, &mut Watch::none()).is_err()
        );
    }
}
