//! Points where descents end, as they come: each made exact once, and known again.

use super::critical::{CriticalPoint, Kind, classify, flat_place};
use super::derivatives::Derivatives;
use super::distinct::{Distinct, Metric, cell_of};
use super::polish::{Goal, Polisher};
use super::probe::Scales;
use super::{FULL_DIM, conjugate};
use crate::error::Error;
use crate::outcome::{Batch, Status};
use crate::surface::Surface;
use std::collections::HashMap;

/// Ends that fall into one of so many cells a width are made exact together, by the first of them.
const CELLS: f64 = 16_384.0;
/// Cells that are remembered.
const REMEMBERED: usize = 1 << 23;
/// Flat places that are told apart; more of them are only counted.
const FLAT_PLACES: usize = 1000;

/// Where a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At this point.
    Point(u32),
    /// Where the gradient is small and does not vanish; at this point, if it is one of those told apart.
    Flat(Option<u32>),
    /// It blew up, or the way down has no end.
    Lost,
}

/// Makes single points of a surface exact.
pub(crate) struct Exact<'a> {
    surface: &'a Surface,
    derivatives: Derivatives,
    scales: Scales,
}

impl<'a> Exact<'a> {
    /// # Errors
    /// As for compiling the surface and its directional derivative.
    pub(crate) fn new(surface: &'a Surface) -> Result<Exact<'a>, Error> {
        let derivatives = Derivatives::new(surface)?;
        let scales = Scales::of(surface, &derivatives)?;
        Ok(Exact { surface, derivatives, scales })
    }

    /// The critical point below `x`.
    pub(crate) fn point(&self, x: &[f64]) -> CriticalPoint {
        let goal = Goal::Minimum { held: false };
        let Exact { surface, derivatives, scales } = self;
        let polisher = Polisher { derivatives, surface, scales, goal };
        let mut found = found(&polisher, x);
        found.swap_remove(0)
    }
}

/// Newton's steps that lead further than this from where a descent stood still on flat ground are not its own way, widths of the box.
const STRAYED: f64 = 0.1;

/// Points made exact, row-major, and what they are. A descent that ended on flat ground has not come to what lies far from there.
fn found(polisher: &Polisher<'_>, points: &[f64]) -> Vec<CriticalPoint> {
    let mut all = match polisher.derivatives.dim() <= FULL_DIM {
        true => classify(polisher, polisher.polish(points)),
        false => conjugate::polish(polisher, points),
    };
    for (found, start) in all.iter_mut().zip(points.chunks_exact(polisher.derivatives.dim())) {
        let pairs = found.x.iter().zip(start).zip(&polisher.scales.width);
        let moved: f64 = pairs.map(|((a, b), w)| ((a - b) / w).powi(2)).sum::<f64>().sqrt();
        if !(moved <= STRAYED)
            && let Some(flat) = flat_place(polisher, start)
        {
            *found = flat;
        }
    }
    all
}

/// All points so far.
pub(crate) struct Catalogue<'a> {
    surface: &'a Surface,
    derivatives: Derivatives,
    scales: Scales,
    goal: Goal,
    metric: Metric,
    distinct: Distinct,
    /// Where the way from a cell leads.
    cells: HashMap<u128, Place>,
    points: Vec<CriticalPoint>,
    flat: usize,
}

impl<'a> Catalogue<'a> {
    /// # Errors
    /// As for compiling the surface and its directional derivative.
    pub(crate) fn new(
        surface: &'a Surface,
        goal: Goal,
        tolerance: f64,
        periodic: &[usize],
    ) -> Result<Catalogue<'a>, Error> {
        let derivatives = Derivatives::new(surface)?;
        let scales = Scales::of(surface, &derivatives)?;
        let metric = Metric::new(surface.domain(), periodic);
        let distinct = Distinct::new(metric.clone(), tolerance);
        Ok(Catalogue {
            surface,
            derivatives,
            scales,
            goal,
            metric,
            distinct,
            cells: HashMap::new(),
            points: Vec::new(),
            flat: 0,
        })
    }

    /// Where each restart of a batch ended.
    pub(crate) fn ends(&mut self, batch: &Batch) -> Vec<Place> {
        let n = batch.dim;
        let mut keys: Vec<Option<u128>> = Vec::with_capacity(batch.len());
        let mut fresh: HashMap<u128, usize> = HashMap::new();
        let mut starts = Vec::new();
        for r in 0..batch.len() {
            let x = batch.point(r);
            let lost = matches!(batch.status[r], Status::Diverged | Status::Nonfinite);
            let whole = !lost && batch.value.at(r).is_finite() && x.iter().all(|v| v.is_finite());
            if !whole {
                keys.push(None);
                continue;
            }
            let key = cell_of(&self.metric.place(&x), CELLS);
            keys.push(Some(key));
            if !self.cells.contains_key(&key) && !fresh.contains_key(&key) {
                fresh.insert(key, starts.len() / n);
                starts.extend(x);
            }
        }
        let places = self.add(&starts);
        let known = |key: &u128| match fresh.get(key) {
            Some(&at) => places[at],
            None => self.cells.get(key).copied().unwrap_or(Place::Lost),
        };
        let out = keys.iter().map(|key| key.as_ref().map_or(Place::Lost, known)).collect();
        if self.cells.len() + fresh.len() <= REMEMBERED {
            self.cells.extend(fresh.into_iter().map(|(key, at)| (key, places[at])));
        }
        out
    }

    /// Makes points exact, row-major, and tells where each came to rest.
    pub(crate) fn add(&mut self, starts: &[f64]) -> Vec<Place> {
        let polisher =
            Polisher { derivatives: &self.derivatives, surface: self.surface, scales: &self.scales, goal: self.goal };
        let found = found(&polisher, starts);
        found.into_iter().map(|point| self.place(point)).collect()
    }

    fn place(&mut self, mut point: CriticalPoint) -> Place {
        // Downhill without end is no place.
        let far = point.x.iter().zip(&self.scales.width).any(|(x, w)| !(x.abs() <= 1e6 * w.max(1.0)));
        if far || !point.value.is_finite() {
            return Place::Lost;
        }
        point.x = self.metric.home(&point.x);
        if point.kind == Kind::GradientFlat {
            if self.flat >= FLAT_PLACES {
                return Place::Flat(None);
            }
            self.flat += 1;
            self.points.push(point);
            return Place::Flat(Some(self.distinct.apart()));
        }
        let (number, new) = self.distinct.insert(&point.x);
        if new {
            self.points.push(point);
        } else if point.gradient_norm < self.points[number as usize].gradient_norm {
            self.points[number as usize] = point;
        }
        Place::Point(number)
    }

    /// The first of the points that are one with this.
    pub(crate) fn root(&mut self, point: u32) -> u32 {
        self.distinct.root(point)
    }

    /// Every point, by its number.
    pub(crate) fn into_points(self) -> Vec<CriticalPoint> {
        self.points
    }

    /// Points that were hit, with their hits and the first of these, after all unions.
    pub(crate) fn joined(mut self, hits: &[u64], first: &[u64]) -> Vec<(CriticalPoint, u64, u64)> {
        let mut all = vec![(0, u64::MAX); self.points.len()];
        for (number, (&hits, &first)) in hits.iter().zip(first).enumerate() {
            let (sum, least) = &mut all[self.distinct.root(number as u32) as usize];
            (*sum, *least) = (*sum + hits, first.min(*least));
        }
        let counted = self.points.into_iter().zip(all).filter(|(_, (hits, _))| *hits > 0);
        counted.map(|(point, (hits, first))| (point, hits, first)).collect()
    }
}
