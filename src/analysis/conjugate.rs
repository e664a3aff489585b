//! Ends made exact where matrices are too large: Newton steps by conjugate gradients within a trust region (Steihaug 1983), from
//! products with exact second derivatives. What the box holds stays out of the system.

use super::critical::{CriticalPoint, Kind, inside};
use super::lanczos;
use super::polish::{Goal, Polisher, norm};
use rayon::prelude::*;

/// Newton steps at most.
const STEPS: usize = 60;
/// Products a step at most.
const PRODUCTS: usize = 300;
/// The first and largest step, in widths of the box, a coordinate.
const RADIUS: f64 = 0.02;
/// A step this short ends the way; one shorter than the second has arrived.
const SHORT: f64 = 1e-13;
const ARRIVED: f64 = 1e-8;
/// An end of the spectrum is zero where it is this much smaller than the other.
const ZERO: f64 = 1e-9;

/// Makes points exact, row-major, and tells what they are by the ends of their spectra.
pub(crate) fn polish(polisher: &Polisher<'_>, points: &[f64]) -> Vec<CriticalPoint> {
    let n = polisher.derivatives.dim();
    points.par_chunks(n).map(|x| one(polisher, x)).collect()
}

/// The problem in widths of the box.
struct Scaled<'a, 'b> {
    polisher: &'a Polisher<'b>,
    held: Vec<bool>,
}

impl Scaled<'_, '_> {
    fn free(&self, i: usize) -> f64 {
        if self.held[i] { 0.0 } else { self.polisher.scales.width[i] }
    }

    fn slope(&self, gradient: &[f64]) -> Vec<f64> {
        gradient.iter().enumerate().map(|(i, g)| g * self.free(i)).collect()
    }

    fn product(&self, x: &[f64], v: &[f64]) -> Vec<f64> {
        let plain: Vec<f64> = v.iter().enumerate().map(|(i, v)| v * self.free(i)).collect();
        self.slope(&self.polisher.derivatives.products(x, &plain))
    }

    /// A step towards where the model is lowest, within a radius; and the length of the whole Newton step as far as it was
    /// solved for.
    fn step(&self, x: &[f64], slope: &[f64], radius: f64) -> Vec<f64> {
        let n = x.len();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut step = vec![0.0; n];
        let mut rest: Vec<f64> = slope.iter().map(|g| -g).collect();
        let mut way = rest.clone();
        let mut left = dot(&rest, &rest);
        let goal = left * 1e-10f64.min(left.sqrt()).powi(2).max(1e-30);
        for _ in 0..PRODUCTS.min(2 * n) {
            if !(left > goal) {
                break;
            }
            let curved = self.product(x, &way);
            let curvature = dot(&way, &curved);
            let to_edge = |step: &[f64]| {
                let (a, b, c) = (dot(&way, &way), dot(step, &way), dot(step, step) - radius * radius);
                (-b + (b * b - a * c).max(0.0).sqrt()) / a
            };
            if curvature <= 0.0 {
                let t = to_edge(&step);
                step.iter_mut().zip(&way).for_each(|(s, w)| *s += t * w);
                return step;
            }
            let t = left / curvature;
            let next: Vec<f64> = step.iter().zip(&way).map(|(s, w)| s + t * w).collect();
            if norm(&next) >= radius {
                let t = to_edge(&step);
                step.iter_mut().zip(&way).for_each(|(s, w)| *s += t * w);
                return step;
            }
            step = next;
            rest.iter_mut().zip(&curved).for_each(|(r, c)| *r -= t * c);
            let now = dot(&rest, &rest);
            way.iter_mut().zip(&rest).for_each(|(w, r)| *w = r + now / left * *w);
            left = now;
        }
        step
    }
}

fn one(polisher: &Polisher<'_>, from: &[f64]) -> CriticalPoint {
    let n = from.len();
    let domain = polisher.surface.domain();
    let holds = polisher.goal == Goal::Minimum { held: true };
    let mut x = from.to_vec();
    let mut at = polisher.derivatives.first(&x);
    let reach = RADIUS * (n as f64).sqrt();
    let (mut radius, mut arrived) = (reach, false);
    let mut scaled = Scaled { polisher, held: vec![false; n] };
    for _ in 0..STEPS {
        let held = |i: usize| {
            holds && (x[i] <= domain.lo[i] && at.gradient[i] > 0.0 || x[i] >= domain.hi[i] && at.gradient[i] < 0.0)
        };
        scaled.held = (0..n).map(held).collect();
        let slope = scaled.slope(&at.gradient);
        if !at.value[0].is_finite() || norm(&slope) == 0.0 {
            arrived = norm(&slope) == 0.0;
            break;
        }
        let step = scaled.step(&x, &slope, radius);
        let length = norm(&step);
        arrived = length <= ARRIVED;
        let to = |i: usize| {
            let to = x[i] + step[i] * polisher.scales.width[i];
            if holds { to.clamp(domain.lo[i], domain.hi[i]) } else { to }
        };
        let trial: Vec<f64> = (0..n).map(to).collect();
        if trial == x {
            break;
        }
        let there = polisher.derivatives.first(&trial);
        let noise = 8.0 * f64::EPSILON * at.value[0].abs().max(there.value[0].abs());
        let flatter = norm(&scaled.slope(&there.gradient)) < norm(&slope);
        let finite = there.value[0].is_finite() && there.gradient.iter().all(|g| g.is_finite());
        if finite && (there.value[0] < at.value[0] - noise || (there.value[0] - at.value[0]).abs() <= noise && flatter)
        {
            (x, at) = (trial, there);
            radius = (2.0 * length).max(radius).min(reach);
            if length <= SHORT {
                break;
            }
        } else {
            radius = 0.25 * length.min(radius);
            if radius <= SHORT {
                break;
            }
        }
    }
    let spectrum = |scaled: &Scaled<'_, '_>, widths: bool| -> [f64; 2] {
        let found = lanczos::ends(n, 1, 0.0, |_, v| {
            let product = if widths { scaled.product(&x, v) } else { polisher.derivatives.products(&x, v) };
            Ok::<_, std::convert::Infallible>(product)
        });
        found.map_or([f64::NAN; 2], |ends| ends[0])
    };
    let [low, high] = spectrum(&scaled, true);
    let zero = ZERO * low.abs().max(high.abs());
    let kind = match () {
        _ if !arrived || low.is_nan() => Kind::GradientFlat,
        _ if low > zero => Kind::Minimum,
        _ if high < -zero => Kind::Maximum,
        _ if low < -zero && high > zero => Kind::Saddle,
        _ => Kind::Degenerate,
    };
    CriticalPoint {
        value: at.value[0],
        gradient_norm: norm(&at.gradient),
        eigenvalues: spectrum(&scaled, false).to_vec(),
        kind,
        index: match kind {
            Kind::Minimum => Some(0),
            Kind::Maximum => Some(n),
            _ => None,
        },
        kink: false,
        inside: inside(polisher.surface, &x),
        at_bounds: scaled.held.iter().filter(|h| **h).count(),
        x,
    }
}
