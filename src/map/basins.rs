//! Basins of attraction: a descent from every pixel of a plane, and the stationary point where each arrives.

use super::group::{NONE, group};
use super::polish::Polish;
use super::{Descents, Kind, Plane, Watch, check_size};
use crate::analysis::CriticalPoint;
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::{Batch, Column, DeviceInfo, Event, Flow, Status};
use crate::random::{Points, Starts};
use crate::surface::Surface;
use std::sync::Arc;

/// A descent that was still on its way after its last step.
pub const NOT_ARRIVED: u32 = u32::MAX;
/// One that grew beyond all bounds.
pub const RAN_AWAY: u32 = u32::MAX - 1;
/// One that came to where the surface is not defined.
pub const NOT_DEFINED: u32 = u32::MAX - 2;

/// Where descents from a part of the plane arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Basin {
    /// The point: the best end, made exact in `f64`.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// The gradient's norm there.
    pub gradient_norm: f64,
    /// What it is.
    pub kind: Kind,
    /// Pixels from which descents arrived there.
    pub pixels: u64,
    /// Steps that they took, in the mean.
    pub mean_steps: f64,
}

/// What became of the descents from every pixel.
#[derive(Clone, Debug)]
pub struct BasinMap {
    /// Pixels of a side.
    pub size: u32,
    /// For each pixel, row by row from the upper left, the number of its basin or one of [`NOT_ARRIVED`], [`RAN_AWAY`],
    /// [`NOT_DEFINED`].
    pub label: Vec<u32>,
    /// Steps that each took.
    pub steps: Vec<u32>,
    /// Basins, the lowest first; those of equal depth by their points.
    pub basins: Vec<Basin>,
    /// Pixels that are in no basin: not arrived, ran away, not defined.
    pub elsewhere: [u64; 3],
    /// Where it was computed.
    pub device: DeviceInfo,
    /// Seconds of descending.
    pub seconds: f64,
}

/// Cells of the grouping to a side of the domain.
const CELLS: f64 = 1000.0;
/// Values nearer than this, relative to max(1, |value|), are one depth.
const SAME_DEPTH: f64 = 1e-6;

/// Descends from the middle of each of `size` × `size` pixels.
///
/// Ends are told apart by a grid of 1000 cells along each side of the domain, touching cells joined; each group's best end is
/// made exact by Newton's steps, and groups that then coincide are one, and so are flat places of one depth. A descent that takes all its steps has arrived where
/// a known minimum is within two cells, else nowhere.
///
/// # Errors
/// As [`Engine::run`]; [`MapError`](super::MapError) for the size; [`Error::Cancelled`] where `watch` says stop.
pub fn basins(
    engine: &Engine,
    surface: &Surface,
    plane: &Plane,
    size: u32,
    descents: &Descents,
    watch: &mut Watch<'_>,
) -> Result<BasinMap, Error> {
    check_size(size, surface.dim())?;
    let dim = plane.dim();
    let pixels = size as usize * size as usize;
    let mut starts = Vec::with_capacity(pixels * dim);
    (0..size).for_each(|row| plane.row(row, [size, size], &mut starts));
    let starts = Starts::Points(Arc::new(Points::new(dim, starts)?));
    let plan = descents.plan(surface).starts(starts).restarts(pixels as u64).resolve()?;
    one_configuration(&plan, &descents.optimizer)?;
    let cell = cells(surface);
    let mut ends = Ends {
        dim,
        x: Vec::with_capacity(pixels * dim),
        rank: Vec::with_capacity(pixels),
        label: Vec::new(),
        steps: Vec::new(),
    };
    let outcome = engine.stream(&plan, |event| match event {
        Event::Batch(batch) => {
            ends.take(batch, surface, &cell);
            Flow::Continue
        }
        other => watch.event(other),
    })?;
    let seconds = outcome.timing.run;
    let Ends { x, rank, mut label, steps, .. } = ends;
    let groups = group(dim, &x, &rank, &cell);
    watch.tell(1.0)?;
    let (basins, of_group) = told_apart(surface, &groups, &x, dim, &cell)?;
    let mut map =
        BasinMap { size, label: Vec::new(), steps, basins, elsewhere: [0; 3], device: outcome.device, seconds };
    for ((label, group), &steps) in label.iter_mut().zip(&groups.label).zip(&map.steps) {
        match *group {
            NONE => map.elsewhere[(NOT_ARRIVED - *label) as usize] += 1,
            group => {
                *label = of_group[group as usize];
                let basin = &mut map.basins[*label as usize];
                basin.pixels += 1;
                basin.mean_steps += f64::from(steps);
            }
        }
    }
    map.basins.iter_mut().for_each(|basin| basin.mean_steps /= basin.pixels as f64);
    map.label = label;
    Ok(map)
}

/// A map shows one configuration.
pub(super) fn one_configuration(plan: &crate::Plan, optimizer: &str) -> Result<(), Error> {
    match plan.configurations().len() {
        1 => Ok(()),
        several => {
            let problem = format!("`{optimizer}` is {several} of them: give lists one number each");
            Err(super::MapError::Several { problem }.into())
        }
    }
}

/// Widths of the grouping's cells.
fn cells(surface: &Surface) -> Vec<f64> {
    let domain = surface.domain();
    let width = |(lo, hi): (&f64, &f64)| if hi > lo { (hi - lo) / CELLS } else { 1.0 / CELLS };
    domain.lo.iter().zip(&domain.hi).map(width).collect()
}

/// Whether an end lies within two cells of a point.
fn is_near(point: &[f64], end: impl ExactSizeIterator<Item = f64>, cell: &[f64]) -> bool {
    point.len() == end.len() && point.iter().zip(end).zip(cell).all(|((m, x), w)| (m - x).abs() <= 2.0 * w)
}

/// Ends of the descents, as they come.
struct Ends {
    dim: usize,
    /// Row-major.
    x: Vec<f32>,
    /// The gradient's norm, NaN for those that did not arrive.
    rank: Vec<f32>,
    label: Vec<u32>,
    steps: Vec<u32>,
}

impl Ends {
    fn take(&mut self, batch: &Batch, surface: &Surface, cell: &[f64]) {
        let count = batch.len();
        let at = |column: &Column, i: usize| match column {
            Column::F32(v) => v[i],
            Column::F64(v) => v[i] as f32,
        };
        for r in 0..count {
            let begin = self.x.len();
            self.x.extend((0..self.dim).map(|i| at(&batch.x, i * count + r)));
            let end = || self.x[begin..].iter().map(|&v| f64::from(v));
            let known = || surface.minima().iter().any(|m| is_near(&m.x, end(), cell));
            let (arrived, label) = match batch.status[r] {
                Status::Converged | Status::Target | Status::Stalled => (true, NOT_ARRIVED),
                Status::MaxSteps => (known(), NOT_ARRIVED),
                Status::Diverged => (false, RAN_AWAY),
                Status::Nonfinite => (false, NOT_DEFINED),
            };
            self.rank.push(if arrived { at(&batch.gradient_norm, r) } else { f32::NAN });
            self.label.push(label);
        }
        self.steps.extend(&batch.steps);
    }
}

/// One exact point for each group, ordered, and which of them each group has.
fn told_apart(
    surface: &Surface,
    groups: &super::Groups,
    ends: &[f32],
    dim: usize,
    cell: &[f64],
) -> Result<(Vec<Basin>, Vec<u32>), Error> {
    let polish = Polish::new(surface)?;
    let reach: Vec<f64> = cell.iter().map(|width| 4.0 * width).collect();
    let mut basins: Vec<Basin> = Vec::new();
    let mut first: Vec<usize> = Vec::with_capacity(groups.best.len());
    for &best in &groups.best {
        let end: Vec<f64> = ends[best * dim..(best + 1) * dim].iter().map(|&v| f64::from(v)).collect();
        // A plateau falls into as many groups as there are starts on it; its points are as good as any.
        let exact = match basins.len() < MOST_POLISHED {
            true => polish.point(&end, &reach),
            false => polish.as_it_is(&end),
        };
        // Where a descent goes round a kink, the known minimum is the point.
        let known = surface.minima().iter().find(|m| is_near(&m.x, end.iter().copied(), cell));
        let exact = match known {
            Some(known) if exact.gradient_norm > 0.0 => {
                let (it, near) = (polish.as_it_is(&known.x), polish.point(&known.x, &reach));
                // The catalog's digits are fewer than Newton's.
                if near.gradient_norm < it.gradient_norm { near } else { CriticalPoint { kind: Kind::Minimum, ..it } }
            }
            _ => exact,
        };
        let CriticalPoint { mut x, value, gradient_norm, kind, .. } = exact;
        x.iter_mut().zip(cell).filter(|(v, w)| v.abs() < 1e-9 * **w).for_each(|(v, _)| *v = 0.0);
        let flat = |b: &Basin| {
            let level = (b.value - value).abs() <= SAME_DEPTH * value.abs().max(1.0);
            kind == Kind::Degenerate && b.kind == kind && level
        };
        let same = |b: &Basin| flat(b) || b.x.iter().zip(&x).zip(cell).all(|((a, b), w)| (a - b).abs() <= 0.5 * w);
        match basins.iter().position(same) {
            Some(known) => first.push(known),
            None => {
                first.push(basins.len());
                basins.push(Basin { x, value, gradient_norm, kind, pixels: 0, mean_steps: 0.0 });
            }
        }
    }
    let mut order: Vec<usize> = (0..basins.len()).collect();
    order.sort_by(|&a, &b| basins[a].value.total_cmp(&basins[b].value));
    let same = |a: f64, b: f64| (a - b).abs() <= SAME_DEPTH * a.abs().max(1.0);
    let mut from = 0;
    while from < order.len() {
        let depth = basins[order[from]].value;
        let long = order[from..].iter().take_while(|&&b| same(depth, basins[b].value)).count().max(1);
        order[from..from + long].sort_by(|&a, &b| {
            let pairs = basins[a].x.iter().zip(&basins[b].x);
            pairs.map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        from += long;
    }
    let mut place = vec![0u32; basins.len()];
    order.iter().enumerate().for_each(|(rank, &b)| place[b] = rank as u32);
    let sorted = order.iter().map(|&b| basins[b].clone()).collect();
    Ok((sorted, first.into_iter().map(|b| place[b]).collect()))
}

/// So many groups are made exact.
const MOST_POLISHED: usize = 10_000;

impl BasinMap {
    /// The label of the pixel that holds a place, given in parts of the width and height from the lower left corner.
    pub fn label_at(&self, [x, y]: [f64; 2]) -> Option<u32> {
        let inside = |v: f64| (0.0..1.0).contains(&v).then(|| (v * f64::from(self.size)) as usize);
        let (column, row) = (inside(x)?, self.size as usize - 1 - inside(y)?);
        self.label.get(row * self.size as usize + column).copied()
    }

    /// The part of all pixels that is in a basin.
    pub fn share(&self, basin: usize) -> f64 {
        self.basins.get(basin).map_or(0.0, |b| b.pixels as f64) / self.label.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minimum_is_in_its_own_basin_and_symmetry_holds() {
        let surface = Surface::named("six_hump_camel", None).unwrap();
        let plane = Plane::of_two(&surface).unwrap();
        let descents = Descents::suited(&surface, &plane).unwrap();
        let map = basins(&Engine::cpu(), &surface, &plane, 96, &descents, &mut Watch::none()).unwrap();
        let minima: Vec<&Basin> = map.basins.iter().filter(|b| b.kind == Kind::Minimum).collect();
        assert_eq!(minima.len(), 6, "{:?}", map.basins);
        for (i, basin) in map.basins.iter().enumerate().filter(|(_, b)| b.kind == Kind::Minimum) {
            assert!(basin.gradient_norm < 1e-9, "{basin:?}");
            assert_eq!(map.label_at(plane.place([basin.x[0], basin.x[1]])), Some(i as u32), "{basin:?}");
            let mirrored = map.label_at(plane.place([-basin.x[0], -basin.x[1]])).unwrap() as usize;
            assert!((map.basins[mirrored].value - basin.value).abs() < 1e-9 && mirrored != i);
            assert_eq!(map.basins[mirrored].pixels, basin.pixels);
        }
        let all: u64 = map.basins.iter().map(|b| b.pixels).chain(map.elsewhere).sum();
        assert_eq!(all, 96 * 96);
    }

    #[test]
    fn what_does_not_arrive_is_told() {
        let saddle = Surface::named("saddle", None).unwrap();
        let plane = Plane::of_two(&saddle).unwrap();
        let descents = Descents { optimizer: "sgd(lr=0.1)".to_owned(), ..Descents::suited(&saddle, &plane).unwrap() };
        let map = basins(&Engine::cpu(), &saddle, &plane, 32, &descents, &mut Watch::none()).unwrap();
        assert_eq!(map.elsewhere, [0, 32 * 32, 0]);
        let few = Descents { steps: 2, ..descents };
        let map = basins(&Engine::cpu(), &saddle, &plane, 32, &few, &mut Watch::none()).unwrap();
        assert_eq!((map.elsewhere, map.label[0]), ([32 * 32, 0, 0], NOT_ARRIVED));
        let list = Descents { optimizer: "sgd(lr=[0.1, 0.2])".to_owned(), ..few };
        assert!(basins(&Engine::cpu(), &saddle, &plane, 32, &list, &mut Watch::none()).is_err());
    }
}
