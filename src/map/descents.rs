//! How maps descend: the optimizer, its steps and when it stops, with numbers that suit a surface where none are given.

use super::Plane;
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::Flow;
use crate::plan::{Plan, PlanBuilder, Precision, Stopping};
use crate::step::Bounds;
use crate::surface::Surface;

/// Descents of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Descents {
    /// A configuration: one name, call or chain without lists.
    pub optimizer: String,
    /// The most steps.
    pub steps: u64,
    /// A descent has arrived where the gradient's norm is at most this.
    pub gtol: f64,
    /// What happens at the ends of the domain.
    pub bounds: Bounds,
    /// The seed of all random numbers.
    pub seed: u64,
    /// The number type.
    pub precision: Precision,
}

/// What is looked at for a surface's scales, across and up.
const LOOKS: u32 = 12;
/// Turns of the power iteration.
const TURNS: usize = 6;

/// A surface's scales in a view, by 12 × 12 points: the 95 % quantile of its curvature (the largest eigenvalue, in magnitude, of
/// the second derivatives), and a gradient's norm that is small for it: 1e-4 of the least, or 1e-6 of the median where that is
/// more, below which single precision may not come. Where nothing is finite they are 1 and 1e-4.
///
/// # Errors
/// As [`Engine::evaluate`].
pub fn measure(surface: &Surface, plane: &Plane) -> Result<(f64, f64), Error> {
    let dim = plane.dim();
    let mut points = Vec::new();
    for row in 0..LOOKS {
        plane.row(row, [LOOKS, LOOKS], &mut points);
    }
    let engine = Engine::cpu();
    let slopes = |points: &[f64]| engine.evaluate(surface, points, Precision::F64).map(|found| found.gradient);
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let gradient = slopes(&points)?;
    let norms: Vec<f64> = gradient.chunks(dim).map(norm).collect();
    // Power iteration by central differences along the present direction, which begins near the gradient's.
    let mut direction: Vec<f64> = gradient.clone();
    for (i, d) in direction.iter_mut().enumerate() {
        *d = if d.is_finite() { *d } else { 0.0 } + 1e-3 * (1.0 + i as f64).sin();
    }
    let scale: Vec<f64> =
        points.chunks(dim).map(|x| 1e-5 * x.iter().fold(1e-2, |most: f64, v| most.max(v.abs()))).collect();
    let mut curvature = vec![f64::NAN; scale.len()];
    for _ in 0..TURNS {
        for d in direction.chunks_mut(dim) {
            let length = norm(d).max(1e-300);
            d.iter_mut().for_each(|v| *v /= length);
        }
        let moved = |sign: f64| -> Vec<f64> {
            let step = |i: usize| sign * scale[i / dim] * direction[i];
            points.iter().enumerate().map(|(i, x)| x + step(i)).collect()
        };
        let (up, down) = (slopes(&moved(1.0))?, slopes(&moved(-1.0))?);
        for (i, (up, down)) in up.chunks(dim).zip(down.chunks(dim)).enumerate() {
            let bent: Vec<f64> = up.iter().zip(down).map(|(a, b)| (a - b) / (2.0 * scale[i])).collect();
            curvature[i] = norm(&bent);
            if curvature[i].is_finite() && curvature[i] > 0.0 {
                direction[i * dim..(i + 1) * dim].copy_from_slice(&bent);
            }
        }
    }
    // What is flat in single precision has no curvature.
    let width = (plane.x.hi - plane.x.lo).max(plane.y.hi - plane.y.lo);
    let flat = 1e-12 / (width * width);
    curvature.retain(|v| *v > flat);
    let norms: Vec<f64> = norms.into_iter().filter(|v| *v > flat * width).collect();
    Ok((quantile(curvature, 0.95), (1e-4 * quantile(norms.clone(), 0.0)).max(1e-6 * quantile(norms, 0.5))))
}

/// Of the finite numbers above 0; 1 where there are none.
fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.retain(|v| v.is_finite() && *v > 0.0);
    values.sort_by(f64::total_cmp);
    values.get(((values.len() as f64 - 1.0) * part).round().max(0.0) as usize).copied().unwrap_or(1.0)
}

/// In two digits.
pub(super) fn rounded(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

impl Descents {
    /// Gradient descent with the learning rate 1/curvature, to a small gradient, both as [`measure`] finds them.
    ///
    /// # Errors
    /// As [`measure`].
    pub fn suited(surface: &Surface, plane: &Plane) -> Result<Descents, Error> {
        let (curvature, small) = measure(surface, plane)?;
        Ok(Descents {
            optimizer: format!("sgd(lr={})", crate::optimizer::number(rounded(1.0 / curvature))),
            steps: 2000,
            gtol: rounded(small),
            bounds: Bounds::None,
            seed: 0,
            precision: Precision::F32,
        })
    }

    /// As a plan.
    pub(super) fn plan(&self, surface: &Surface) -> PlanBuilder {
        Plan::new(surface.clone())
            .optimizer(&self.optimizer)
            .steps(self.steps)
            .stopping(Stopping { gradient: Some(self.gtol), ..Stopping::default() })
            .bounds(self.bounds)
            .seed(self.seed)
            .precision(self.precision)
    }
}

/// Hears how far the work is, and may stop it.
#[derive(Default)]
pub struct Watch<'a> {
    receive: Option<&'a mut dyn FnMut(f64) -> Flow>,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl<'a> Watch<'a> {
    /// Calls `receive` with the part that is done, from 0 to 1, now and then.
    pub fn new(receive: &'a mut dyn FnMut(f64) -> Flow) -> Watch<'a> {
        Watch { receive: Some(receive) }
    }

    /// Hears nothing and never stops.
    pub fn none() -> Watch<'a> {
        Watch { receive: None }
    }

    /// Tells the receiver.
    pub(super) fn tell(&mut self, done: f64) -> Result<(), Error> {
        match self.flow(done) {
            Flow::Continue => Ok(()),
            Flow::Stop => Err(Error::Cancelled),
        }
    }

    /// Tells the receiver of an engine's event.
    pub(super) fn event(&mut self, event: &crate::Event) -> Flow {
        match event {
            crate::Event::Progress(p) => self.flow(p.done / p.total.max(1.0)),
            _ => Flow::Continue,
        }
    }

    fn flow(&mut self, done: f64) -> Flow {
        self.receive.as_mut().map_or(Flow::Continue, |receive| receive(done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_those_of_the_surface() {
        // Curvatures 1 and 40, gradient norms as the box says.
        let domain = crate::random::Domain::cube(2, -1.0, 1.0);
        let bowl = Surface::formula("0.5*x[0]^2 + 20*x[1]^2", domain).unwrap();
        let (curvature, small) = measure(&bowl, &Plane::of_two(&bowl).unwrap()).unwrap();
        assert!((curvature - 40.0).abs() < 0.1, "{curvature}");
        // The points nearest to the middle are 1/12 away along both axes.
        assert!((small / (1e-4 * 1f64.hypot(40.0) / 12.0) - 1.0).abs() < 1e-3, "{small}");
    }
}
