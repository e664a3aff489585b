//! Directions through a point, and points worth looking at.

use super::plane::find_coordinate;
use super::polish::Polish;
use super::{Descents, MapError, Plane, Span, Watch};
use crate::engine::Engine;
use crate::error::Error;
use crate::linear::symmetric_eigen;
use crate::outcome::{Event, Flow};
use crate::random::{Purpose, Stream, normal_pair_f64};
use crate::surface::Surface;

/// How directions are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directions {
    /// At random, orthonormal.
    Random,
    /// Eigenvectors of the matrix of second derivatives with its largest and smallest eigenvalues.
    Hessian,
    /// Coordinates by name.
    Coordinates(Vec<String>),
}

/// The most dimensions in which the matrix of second derivatives is decomposed.
const HESSIAN_DIM: u32 = 512;

impl Directions {
    /// Reads `random`, `hessian` or names with commas between.
    pub fn parse(text: &str) -> Directions {
        match text {
            "random" => Directions::Random,
            "hessian" => Directions::Hessian,
            names => Directions::Coordinates(names.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    /// `count` (1 or 2) orthonormal directions at a point, with their names and, for the Hessian, their eigenvalues.
    ///
    /// # Errors
    /// [`MapError`], for names that are none, for another number of them, and for too many dimensions.
    pub fn at(
        &self,
        surface: &Surface,
        point: &[f64],
        count: usize,
        seed: u64,
    ) -> Result<Vec<(String, Vec<f64>)>, Error> {
        let dim = surface.dim() as usize;
        let wrong =
            |text: &str, problem: String| -> Error { MapError::Directions { text: text.to_owned(), problem }.into() };
        if point.len() != dim {
            return Err(MapError::PointLength { expected: dim, got: point.len() }.into());
        }
        if dim < count {
            return Err(MapError::OneCoordinate { surface: surface.label().to_owned() }.into());
        }
        match self {
            Directions::Coordinates(names) => {
                if names.len() != count {
                    let problem = format!("{count} are wanted, with commas between, and {} given", names.len());
                    return Err(wrong(&names.join(","), problem));
                }
                let mut found: Vec<(String, Vec<f64>)> = Vec::new();
                for name in names {
                    let i = find_coordinate(surface, name)?;
                    let unit: Vec<f64> = (0..dim).map(|k| f64::from(u8::from(k == i))).collect();
                    if found.iter().any(|(_, other)| *other == unit) {
                        return Err(wrong(&names.join(","), "the two must differ".to_owned()));
                    }
                    found.push((super::coordinate_names(surface)[i].clone(), unit));
                }
                Ok(found)
            }
            Directions::Random => {
                let names = ["random direction 1", "random direction 2"];
                Ok(names.into_iter().take(count).map(str::to_owned).zip(random(dim, count, seed)).collect())
            }
            Directions::Hessian => {
                if surface.dim() > HESSIAN_DIM {
                    let surface = surface.label().to_owned();
                    return Err(MapError::HessianTooLarge { surface, dim: dim as u32, most: HESSIAN_DIM }.into());
                }
                let hessian = surface.hessian(point);
                if hessian.iter().any(|v| !v.is_finite()) {
                    return Err(wrong(
                        "hessian",
                        "it is not finite at the point: take another, or `random`".to_owned(),
                    ));
                }
                let (values, vectors) = symmetric_eigen(dim, &hessian);
                let vector = |k: usize| vectors[k * dim..][..dim].to_vec();
                let name = |k: usize| {
                    format!("eigenvector of {}", crate::optimizer::number(super::descents::rounded(values[k])))
                };
                let (first, last) = (name(0), name(dim - 1));
                let mut out = vec![(last, vector(dim - 1))];
                if count == 2 {
                    out.push((first, vector(0)));
                }
                Ok(out)
            }
        }
    }
}

/// Orthonormal directions, by Gram and Schmidt from normal numbers.
fn random(dim: usize, count: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut all: Vec<Vec<f64>> = Vec::new();
    for k in 0..count {
        let stream = Stream::new(seed, k as u64, 0, Purpose::Scramble);
        let mut v: Vec<f64> =
            (0..dim as u32).map(|i| normal_pair_f64(stream.word(2 * i), stream.word(2 * i + 1)).0).collect();
        // Twice, for orthogonality to the last bit but one.
        for _ in 0..2 {
            for other in &all {
                let along: f64 = v.iter().zip(other).map(|(a, b)| a * b).sum();
                v.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
            }
            let length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
            v.iter_mut().for_each(|v| *v /= length);
        }
        all.push(v);
    }
    all
}

/// How far to look along a direction: for a coordinate its domain, else to the domain's border on the nearer side, and at
/// least a quarter of its mean width. Counted from the point.
///
/// # Errors
/// [`MapError::Range`], where single precision cannot tell its ends apart.
pub fn reach(surface: &Surface, name: &str, point: &[f64], direction: &[f64]) -> Result<Span, MapError> {
    let domain = surface.domain();
    let own: Vec<usize> = (0..direction.len()).filter(|&i| direction[i] != 0.0).collect();
    if let [i] = own[..]
        && domain.lo[i] < point[i]
        && point[i] < domain.hi[i]
    {
        return Span::new(name, domain.lo[i] - point[i], domain.hi[i] - point[i], false);
    }
    let mut most = f64::INFINITY;
    let mut square = 0.0;
    for (i, d) in direction.iter().enumerate() {
        let room = (domain.hi[i] - point[i]).min(point[i] - domain.lo[i]).max(0.0);
        square += (domain.hi[i] - domain.lo[i]).powi(2) / direction.len() as f64;
        if d.abs() > 1e-9 {
            most = most.min(room / d.abs());
        }
    }
    let least = 0.25 * square.sqrt();
    let far = if most.is_finite() { most.max(least) } else { least };
    let far = if far > 0.0 { super::descents::rounded(far) } else { 1.0 };
    Span::new(name, -far, far, false)
}

/// Restarts of the search for a low point.
const SEARCH: u64 = 2000;

/// The lowest point that 2000 descents find, made exact.
///
/// # Errors
/// As [`Engine::run`]; [`MapError::NothingFinite`] where all of them blow up.
pub fn best_point(engine: &Engine, surface: &Surface, seed: u64, watch: &mut Watch<'_>) -> Result<Vec<f64>, Error> {
    let domain = surface.domain();
    let middle: Vec<f64> = domain.lo.iter().zip(&domain.hi).map(|(lo, hi)| 0.5 * (lo + hi)).collect();
    // Any plane serves to measure the scales: the domain's diagonal, and across it.
    let half: Vec<f64> = domain.lo.iter().zip(&domain.hi).map(|(lo, hi)| 0.5 * (hi - lo)).collect();
    let across: Vec<f64> = half.iter().enumerate().map(|(i, h)| if i % 2 == 0 { *h } else { -h }).collect();
    let span = |name: &str| Span::new(name, -0.9, 0.9, false);
    let plane = Plane::through(&middle, &half, &across, span("a")?, span("b")?)?;
    let descents = Descents { seed, ..Descents::suited(surface, &plane)? };
    let plan = descents.plan(surface).restarts(SEARCH).resolve()?;
    let outcome = engine.stream(&plan, |event| match event {
        Event::Batch(_) => Flow::Continue,
        other => watch.event(other),
    })?;
    match outcome.configurations.into_iter().next().and_then(|c| c.best) {
        Some(best) => {
            let reach: Vec<f64> = half.iter().map(|h| 0.02 * h).collect();
            Ok(Polish::new(surface)?.point(&best.x, &reach).x)
        }
        None => {
            let (surface, view) = (surface.label().to_owned(), "its domain".to_owned());
            Err(MapError::NothingFinite { surface, view }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_orthonormal() {
        let surface = Surface::named("styblinski_tang", Some(5)).unwrap();
        let point = [-2.903534; 5];
        for text in ["random", "hessian", "x0,x3", "x[1],x4"] {
            let found = Directions::parse(text).at(&surface, &point, 2, 7).unwrap();
            let dot = |a: usize, b: usize| -> f64 { found[a].1.iter().zip(&found[b].1).map(|(a, b)| a * b).sum() };
            assert!((dot(0, 0) - 1.0).abs() < 1e-12 && (dot(1, 1) - 1.0).abs() < 1e-12 && dot(0, 1).abs() < 1e-12);
        }
        let other = Directions::Random.at(&surface, &point, 2, 8).unwrap();
        assert_ne!(other, Directions::Random.at(&surface, &point, 2, 7).unwrap());
        for text in ["x0", "x0,x0", "x0,x9", "x0,x1,x2", ""] {
            assert!(Directions::parse(text).at(&surface, &point, 2, 7).is_err(), "{text}");
        }
    }

    #[test]
    fn the_best_point_of_an_easy_surface_is_its_minimum() {
        let surface = Surface::named("styblinski_tang", Some(3)).unwrap();
        let best = best_point(&Engine::cpu(), &surface, 1, &mut Watch::none()).unwrap();
        assert!(best.iter().all(|x| (x + 2.903534).abs() < 1e-5), "{best:?}");
    }
}
