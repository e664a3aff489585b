//! What kind of point the end of a polish is.

use super::derivatives::Derivatives;
use super::polish::{End, Goal, Polisher, TOGETHER};
use super::probe::Scales;
use crate::linear::symmetric_eigen;
use crate::surface::Surface;
use rayon::prelude::*;

/// A Newton step shorter than this, in widths of the box, has arrived.
const ARRIVED: f64 = 1e-8;
/// An eigenvalue is zero where it is this much smaller than the largest there, or than is usual on the surface.
const ZERO: f64 = 1e-10;
/// Points about one, this far in widths of the box, tell whether the surface is flat there.
const AWAY: f64 = 1e-2;

/// What a point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// All eigenvalues of the matrix of second derivatives are positive; or, at a kink, nothing about the point is lower.
    Minimum,
    /// Eigenvalues of both signs.
    Saddle,
    /// All eigenvalues are negative.
    Maximum,
    /// The gradient vanishes and so does an eigenvalue: second derivatives do not tell.
    Degenerate,
    /// Not a critical point: the gradient is small, or only smaller than around, and does not vanish.
    GradientFlat,
}

impl Kind {
    /// Whether the gradient vanishes there, or a kink takes its place.
    pub fn is_critical(self) -> bool {
        self != Kind::GradientFlat
    }

    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Minimum => "minimum",
            Kind::Saddle => "saddle",
            Kind::Maximum => "maximum",
            Kind::Degenerate => "degenerate",
            Kind::GradientFlat => "gradient_flat",
        }
    }
}

/// A point with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CriticalPoint {
    /// Where it is, in `f64`.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// The Euclidean length of the gradient there.
    pub gradient_norm: f64,
    /// Eigenvalues of the matrix of second derivatives, ascending; beyond [`FULL_DIM`](super::FULL_DIM) dimensions the smallest and
    /// the largest. Empty at a kink.
    pub eigenvalues: Vec<f64>,
    /// What it is.
    pub kind: Kind,
    /// How many eigenvalues are negative; `None` at a kink and where only the ends of the spectrum are known.
    pub index: Option<usize>,
    /// Whether no gradient vanishes there, yet nothing about it is lower: the tip of a kink.
    pub kink: bool,
    /// Whether it lies in the box.
    pub inside: bool,
    /// How many coordinates the box holds; the eigenvalues that count are then those of the others.
    pub at_bounds: usize,
}

/// Tells what ends are; on a surface with kinks it looks for their tips first.
pub(crate) fn classify(polisher: &Polisher<'_>, ends: Vec<End>) -> Vec<CriticalPoint> {
    ends.into_par_iter().with_min_len(TOGETHER).map(|end| one(polisher, end)).collect()
}

fn one(polisher: &Polisher<'_>, mut end: End) -> CriticalPoint {
    let Polisher { derivatives, surface, scales, .. } = *polisher;
    let arrived = end.left <= ARRIVED || end.slope <= 1e-12 * scales.slope;
    if !arrived
        && end.value.is_finite()
        && !surface.is_smooth()
        && matches!(polisher.goal, Goal::Minimum { .. })
        && let Some(tip) = tip(derivatives, scales, &end.x, end.value)
    {
        end = tip;
        return point(surface, end, Kind::Minimum, Vec::new(), None, true);
    }
    let (n, free) = (end.x.len(), end.held.iter().filter(|h| !**h).count());
    let kept: Vec<usize> = (0..n).filter(|&i| !end.held[i]).collect();
    let part = |weight: &dyn Fn(usize) -> f64| -> Vec<f64> {
        let entry = |k: usize| {
            let (i, j) = (kept[k / free], kept[k % free]);
            end.hessian[i * n + j] * weight(i) * weight(j)
        };
        symmetric_eigen(free, &(0..free * free).map(entry).collect::<Vec<f64>>()).0
    };
    if end.hessian.is_empty() {
        return point(surface, end, Kind::GradientFlat, Vec::new(), None, false);
    }
    let scaled = part(&|i| scales.width[i]);
    let plain = part(&|_| 1.0);
    let largest = scaled.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let zero = ZERO * largest.max(scales.curvature);
    let vanishes = scaled.iter().any(|v| v.abs() <= zero);
    let negative = scaled.iter().filter(|v| **v < -zero).count();
    let flat = || largest <= ZERO * scales.curvature.max(f64::MIN_POSITIVE) && is_flat(derivatives, scales, &end);
    let kind = match () {
        _ if !arrived || scaled.iter().any(|v| v.is_nan()) || flat() => Kind::GradientFlat,
        _ if vanishes => Kind::Degenerate,
        _ if negative == 0 => Kind::Minimum,
        _ if negative == free => Kind::Maximum,
        _ => Kind::Saddle,
    };
    point(surface, end, kind, plain, Some(negative), false)
}

fn point(
    surface: &Surface,
    end: End,
    kind: Kind,
    eigenvalues: Vec<f64>,
    index: Option<usize>,
    kink: bool,
) -> CriticalPoint {
    CriticalPoint {
        value: end.value,
        gradient_norm: super::polish::norm(&end.gradient),
        eigenvalues,
        kind,
        index,
        kink,
        inside: inside(surface, &end.x),
        at_bounds: end.held.iter().filter(|h| **h).count(),
        x: end.x,
    }
}

/// Whether a point lies in the box, but for rounding.
pub(super) fn inside(surface: &Surface, x: &[f64]) -> bool {
    let domain = surface.domain();
    let within = |(x, (lo, hi)): (&f64, (&f64, &f64))| {
        let slack = 1e-9 * (hi - lo);
        (lo - slack..=hi + slack).contains(x)
    };
    x.iter().zip(domain.lo.iter().zip(&domain.hi)).all(within)
}

/// Directions that look about a point: along every axis, and as many across.
fn directions(n: usize) -> Vec<Vec<f64>> {
    let axis = |i: usize| (0..n).map(|j| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
    let across = |k: usize| {
        // An additive recurrence: fixed, and along no axis.
        let v: Vec<f64> = (0..n).map(|j| ((k * n + j + 1) as f64 * 0.618_033_988_749_895).fract() - 0.5).collect();
        let length = super::polish::norm(&v).max(f64::MIN_POSITIVE);
        v.into_iter().map(|a| a / length).collect()
    };
    let all = (0..n).map(axis).chain((0..n.max(2)).map(across));
    all.flat_map(|d: Vec<f64>| [d.clone(), d.into_iter().map(|a| -a).collect()]).collect()
}

/// Points about `x`, a step away in every direction; row-major.
fn around(scales: &Scales, directions: &[Vec<f64>], x: &[f64], step: f64) -> Vec<f64> {
    let moved = |d: &Vec<f64>| -> Vec<f64> { (0..x.len()).map(|i| x[i] + step * d[i] * scales.width[i]).collect() };
    directions.iter().flat_map(moved).collect()
}

/// Whether all values near a point are its own to rounding, measured by the surface's range.
fn is_flat(derivatives: &Derivatives, scales: &Scales, end: &End) -> bool {
    let near = derivatives.first(&around(scales, &directions(end.x.len()), &end.x, AWAY)).value;
    let noise = 8.0 * f64::EPSILON * end.value.abs().max(scales.value);
    near.iter().all(|v| (v - end.value).abs() <= noise)
}

/// The point itself as a flat place, where values about it differ by less than a descent in `f32` can see in the surface's range.
pub(crate) fn flat_place(polisher: &Polisher<'_>, x: &[f64]) -> Option<CriticalPoint> {
    let Polisher { derivatives, surface, scales, goal } = *polisher;
    let at = derivatives.first(x);
    let near = derivatives.first(&around(scales, &directions(x.len()), x, AWAY)).value;
    let noise = 8.0 * f64::from(f32::EPSILON) * scales.value;
    let flat = goal != Goal::Critical && near.iter().all(|v| (v - at.value[0]).abs() <= noise);
    let held = vec![false; x.len()];
    let (left, slope) = (f64::INFINITY, 0.0);
    let end = End { x: x.to_vec(), value: at.value[0], gradient: at.gradient, hessian: Vec::new(), left, slope, held };
    flat.then(|| point(surface, end, Kind::GradientFlat, Vec::new(), None, false))
}

/// The tip of a kink: a compass search (Kolda, Lewis & Torczon 2003) down to where nothing about the point is lower.
fn tip(derivatives: &Derivatives, scales: &Scales, from: &[f64], value: f64) -> Option<End> {
    let n = from.len();
    if n > MOST_TIP {
        return None;
    }
    let directions = directions(n);
    let (mut x, mut value, mut step) = (from.to_vec(), value, 1e-3);
    let mut turns = 0;
    while step > 1e-13 {
        let points = around(scales, &directions, &x, step);
        let values = derivatives.first(&points).value;
        let lowest =
            (0..values.len()).filter(|&k| values[k].is_finite()).min_by(|&a, &b| values[a].total_cmp(&values[b]))?;
        if values[lowest] < value {
            x = points[lowest * n..][..n].to_vec();
            value = values[lowest];
        } else {
            step *= 0.5;
        }
        turns += 1;
        if turns > 4000 {
            return None;
        }
    }
    let at = derivatives.first(&x);
    // A smooth slope would have carried the search on: it comes to rest at a tip alone, and a tip is steep on all sides.
    let near = derivatives.first(&around(scales, &directions, &x, 1e-6)).value;
    let steep = near.iter().all(|&v| v - value > 1e-9 * 1e-6 * scales.slope.max(f64::MIN_POSITIVE));
    steep.then(|| End {
        x,
        value,
        gradient: at.gradient,
        hessian: Vec::new(),
        left: 0.0,
        slope: 0.0,
        held: vec![false; n],
    })
}

/// A compass search in more dimensions than this takes too long.
const MOST_TIP: usize = 64;
