//! The ways of a few descents, step by step.

use super::{Descents, Watch};
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::{DeviceInfo, Event, Flow, Status};
use crate::plan::{Stopping, Trace};
use crate::random::{Points, Starts};
use crate::surface::Surface;
use std::sync::Arc;

/// One descent.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The optimizer.
    pub optimizer: String,
    /// Which configuration it is, and which start it has.
    pub configuration: usize,
    /// The number of its start.
    pub start: usize,
    /// The point at each step, the start first.
    pub points: Vec<Vec<f64>>,
    /// The value at the end.
    pub value: f64,
    /// Steps taken.
    pub steps: u32,
    /// How it ended.
    pub status: Status,
}

/// The most points of all tracks together.
const MOST_POINTS: u64 = 10_000_000;

/// Descends with every optimizer from every start, and keeps each step.
///
/// # Errors
/// As [`Engine::run`]; [`Error::Setting`] for more than ten million points; [`Error::Cancelled`].
pub fn tracks(
    engine: &Engine,
    surface: &Surface,
    optimizers: &[String],
    starts: &Points,
    descents: &Descents,
    watch: &mut Watch<'_>,
) -> Result<(Vec<Track>, DeviceInfo), Error> {
    let count = starts.rows() as u64;
    let mut plan = crate::Plan::new(surface.clone())
        .steps(descents.steps)
        .stopping(Stopping { gradient: Some(descents.gtol), ..Stopping::default() })
        .bounds(descents.bounds)
        .seed(descents.seed)
        .precision(descents.precision)
        .restarts(count)
        .starts(Starts::Points(Arc::new(starts.clone())));
    let points = count.saturating_mul(descents.steps).saturating_mul(optimizers.len().max(1) as u64);
    if points > MOST_POINTS {
        let name = "the number of points on all ways (starts × steps × optimizers)";
        return Err(Error::Setting { name, value: points as f64, expected: "at most 10 million" });
    }
    for optimizer in optimizers {
        plan = plan.optimizer(optimizer);
    }
    let plan = plan.trace(Trace { steps: (0..=descents.steps).collect(), restarts: count }).resolve()?;
    let track = |(k, configuration): (usize, &crate::optimizer::Configuration)| {
        let optimizer = configuration.text.clone();
        (0..count as usize).map(move |start| Track {
            optimizer: optimizer.clone(),
            configuration: k,
            start,
            points: Vec::new(),
            value: f64::NAN,
            steps: 0,
            status: Status::MaxSteps,
        })
    };
    let mut all: Vec<Track> = plan.configurations().iter().enumerate().flat_map(track).collect();
    let outcome = engine.stream(&plan, |event| {
        match event {
            Event::Trace(trace) => {
                let here = trace.restarts.len();
                for (r, &restart) in trace.restarts.iter().enumerate() {
                    let track = &mut all[trace.configuration * count as usize + restart as usize];
                    track.points.push((0..plan.surface().dim() as usize).map(|i| trace.x.at(i * here + r)).collect());
                }
            }
            Event::Batch(batch) => {
                for r in 0..batch.len() {
                    let track = &mut all[batch.configuration * count as usize + batch.first as usize + r];
                    (track.value, track.steps, track.status) = (batch.value.at(r), batch.steps[r], batch.status[r]);
                }
            }
            Event::Progress(_) => return watch.event(event),
        }
        Flow::Continue
    })?;
    Ok((all, outcome.device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Plane;

    #[test]
    fn a_track_has_every_step() {
        let surface = Surface::named("sphere", Some(2)).unwrap();
        let descents = Descents { steps: 10, ..Descents::suited(&surface, &Plane::of_two(&surface).unwrap()).unwrap() };
        let starts = Points::new(2, vec![1.0, 2.0, -4.0, 0.5]).unwrap();
        let names = ["sgd(lr=0.25)".to_owned(), "momentum".to_owned()];
        let (all, _) = tracks(&Engine::cpu(), &surface, &names, &starts, &descents, &mut Watch::none()).unwrap();
        assert_eq!(all.len(), 4);
        assert_eq!((all[0].points.len(), &all[0].optimizer[..], all[3].start), (11, "sgd(lr=0.25)", 1));
        assert_eq!((&all[1].points[0][..], &all[1].points[2][..]), (&[-4.0, 0.5][..], &[-1.0, 0.125][..]));
    }
}
