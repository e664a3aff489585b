//! What a surface is like before anybody descends: values and slopes of a sample, how far values stay alike along random
//! walks, and which way it bends where it is high and where it is low.
//!
//! Points fill the surface's domain as starts do (in the logarithm where an axis is logarithmic) and are evaluated on the
//! engine's device in pieces, so that memory stays bounded; Hessians are exact and in `f64`. Slopes are also measured *across the
//! box*: in coordinates u that run from 0 to 1 along every side, so that sides of any length compare.
//!
//! ```
//! use catchment::survey::{Settings, survey};
//! use catchment::{Engine, Flow, Surface};
//! let surface = Surface::named("sphere", Some(2))?; // the box is [-5.12, 5.12]²
//! let settings = Settings { samples: 10_000, seed: 1, ..Settings::default() };
//! let found = survey(&Engine::cpu(), &surface, &settings, &mut |_| Flow::Continue)?;
//! let mean = found.value.unwrap().mean;
//! assert!((mean - 2.0 * 5.12f64.powi(2) / 3.0).abs() < 0.3);
//! assert_eq!(found.curvature.unwrap().index, [1000, 0, 0]); // a bowl everywhere
//! # Ok::<(), catchment::Error>(())
//! ```

mod curvature;
pub mod goe;
mod histogram;
mod unit_box;
mod walk;

use curvature::MOST_ENDS;
pub use curvature::{Curvature, Decile, MOST_DIMENSIONS, SpectrumEnds};
pub use histogram::Histogram;
pub use walk::{WalkSettings, Walks};

use crate::error::Error;
use crate::features::{MOST_POINTS, Sample};
use crate::fit::dense::Sum;
use crate::graph::{Binary, Node, NodeId, Reduction, Spread, Unary};
use crate::quantiles::Values;
use crate::random::{Sampler, Starts};
use crate::{Engine, Flow, Precision, Quantiles, Surface, wilson};
use unit_box::UnitBox;

/// Below this share of the range of values, what a slope across the whole box would come to counts as flat.
pub const FLAT: f64 = 1e-3;
/// Samples at most.
pub const MOST_SAMPLES: u64 = 1 << 40;
/// Points at a time, of few coordinates.
const PIECE: usize = 1 << 16;
/// Coordinates at a time.
const PIECE_COORDINATES: usize = 1 << 22;

/// What to look at.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Points to sample, at least 2.
    pub samples: u64,
    /// Seed of all random numbers.
    pub seed: u64,
    /// How the points fill the domain.
    pub starts: Starts,
    /// The number type of values and gradients.
    pub precision: Precision,
    /// Points at which the Hessian is computed, evenly picked from the sample; 0 for none.
    pub hessians: usize,
    /// Random walks.
    pub walks: WalkSettings,
    /// Points kept for [`Surveyed::sample`], evenly picked; 0 for none.
    pub kept: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            samples: 100_000,
            seed: 0,
            starts: Starts::Uniform,
            precision: Precision::F32,
            hessians: 1000,
            walks: WalkSettings::default(),
            kept: 0,
        }
    }
}

/// What a survey tells while it goes on.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Points have been evaluated.
    Points(Piece<'a>),
    /// So much of the work is done, in evaluations of a value and gradient.
    Progress {
        /// Done.
        done: u64,
        /// In all.
        total: u64,
    },
}

/// Evaluated points, in order and without a gap.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The number of the first.
    pub first: u64,
    /// Row-major, the surface's dimension each.
    pub x: &'a [f64],
    /// One a point; may be infinite or NaN.
    pub value: &'a [f64],
    /// Euclidean; may be infinite or NaN.
    pub gradient_norm: &'a [f64],
}

/// The share of points that are flat: those where the gradient across the box, `‖∂f/∂u‖`, is below [`FLAT`] times the range of
/// values in the sample. Points with a value or gradient that is not finite are left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flatness {
    /// How many are flat.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// Their share.
    pub fraction: f64,
    /// 95 % Wilson interval of the share, for independent points.
    pub interval: [f64; 2],
}

/// What a survey found.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// Points in all.
    pub samples: u64,
    /// Points whose value or gradient is infinite or NaN.
    pub nonfinite: u64,
    /// The finite values.
    pub value: Option<Quantiles>,
    /// The finite gradient norms.
    pub gradient_norm: Option<Quantiles>,
    /// The finite values, counted.
    pub values: Option<Histogram>,
    /// The finite gradient norms, counted.
    pub gradient_norms: Option<Histogram>,
    /// `None` where no point is finite or the surface is not bounded in `f64`.
    pub flat: Option<Flatness>,
    /// `None` where none were asked for.
    pub walks: Option<Walks>,
    /// `None` where no Hessian was asked for, or the surface has more than [`MOST_DIMENSIONS`] dimensions.
    pub curvature: Option<Curvature>,
    /// The ends of the spectra beyond [`MOST_DIMENSIONS`] dimensions; `None` where no Hessian was asked for.
    pub ends: Option<SpectrumEnds>,
    /// The points that were kept, those with a finite value; `None` where fewer than a sample takes are left.
    pub sample: Option<Sample>,
    /// Operators in the formula across which it may jump or bend sharply: slopes and Hessians are those between the places.
    pub kinks: Vec<&'static str>,
}

/// Surveys a surface, and tells of points and progress as it goes.
///
/// # Errors
/// [`Error::Setting`], those of [`Sampler::new`] and [`Engine::evaluate`], and [`Error::Cancelled`] where `tell` says stop.
pub fn survey(
    engine: &Engine,
    surface: &Surface,
    settings: &Settings,
    tell: &mut dyn FnMut(&Event) -> Flow,
) -> Result<Surveyed, Error> {
    let sampler = settings.sampler(surface)?;
    let dim = surface.dim() as usize;
    let whole = dim <= MOST_DIMENSIONS;
    let bent = if whole { settings.hessians } else { settings.hessians.min(MOST_ENDS) };
    let products = if whole { bent * dim } else { bent };
    let mut work = Work { done: 0, total: settings.samples + settings.walks.evaluations() + products as u64, tell };
    let mut points = Points::default();
    let mut bends = Picks::new(settings.samples, bent);
    let mut kept = Picks::new(settings.samples, settings.kept.min(MOST_POINTS));
    let unit = UnitBox::new(surface.domain());
    let piece = (PIECE_COORDINATES / dim).clamp(1, PIECE) as u64;
    let mut first = 0;
    while first < settings.samples {
        let count = piece.min(settings.samples - first) as usize;
        let x = rows(&sampler, first, count);
        let found = engine.evaluate(surface, &x, settings.precision)?;
        let norms: Vec<f64> = found.gradient.chunks_exact(dim).map(norm).collect();
        points.take(&unit, &x, &found.value, &found.gradient, &norms);
        for picks in [&mut bends, &mut kept] {
            picks.take(first, dim, &x, &found.value);
        }
        work.tell(&Event::Points(Piece { first, x: &x, value: &found.value, gradient_norm: &norms }))?;
        work.advance(count as u64)?;
        first += count as u64;
    }
    let walks = walk::walks(engine, surface, &unit, settings, &mut work)?;
    let (mut curvature, mut ends) = (None, None);
    match whole {
        _ if bent == 0 => {}
        true => curvature = Some(curvature::look(engine, surface, &bends, &mut work)?),
        false => ends = Some(curvature::ends(engine, surface, &bends, &mut work)?),
    }
    let Found { value, gradient_norm, values, gradient_norms, flat } = points.finish();
    Ok(Surveyed {
        samples: settings.samples,
        nonfinite: points.nonfinite,
        value,
        gradient_norm,
        values,
        gradient_norms,
        flat,
        walks,
        curvature,
        ends,
        sample: if settings.kept > 0 { Sample::new(dim, kept.x, kept.value).ok() } else { None },
        kinks: kinks(surface),
    })
}

impl Settings {
    /// Whether this surface can be surveyed so; [`survey`] asks first of all.
    ///
    /// # Errors
    /// [`Error::Setting`], and those of [`Sampler::new`].
    pub fn check(&self, surface: &Surface) -> Result<(), Error> {
        self.sampler(surface).map(|_| ())
    }

    fn sampler(&self, surface: &Surface) -> Result<Sampler, Error> {
        self.ranges()?;
        Ok(Sampler::new(&self.starts, surface.domain(), self.seed, self.samples)?)
    }

    fn ranges(&self) -> Result<(), Error> {
        let outside = |name, value: f64, expected| Err(Error::Setting { name, value, expected });
        match self {
            s if s.samples < 2 => outside("the number of samples", s.samples as f64, "at least 2 make a distribution"),
            s if s.samples > MOST_SAMPLES => outside("the number of samples", s.samples as f64, "at most 2^40"),
            s if s.hessians > 1 << 20 => outside("the number of Hessians", s.hessians as f64, "at most 2^20"),
            s => s.walks.check(),
        }
    }
}

/// Points as rows.
fn rows(sampler: &Sampler, first: u64, count: usize) -> Vec<f64> {
    let dim = sampler.dim();
    let mut columns = vec![0f32; dim * count];
    sampler.fill(first, count, &mut columns);
    let mut x = vec![0.0; dim * count];
    for (i, column) in columns.chunks_exact(count).enumerate() {
        column.iter().enumerate().for_each(|(r, &v)| x[r * dim + i] = f64::from(v));
    }
    x
}

/// The Euclidean norm; what overflows on the way is measured by its largest part.
fn norm(v: &[f64]) -> f64 {
    let plain = v.iter().map(|g| g * g).sum::<f64>().sqrt();
    if plain > 0.0 && plain.is_finite() {
        return plain;
    }
    let largest = v.iter().fold(0.0f64, |most, g| if g.is_nan() { f64::NAN } else { most.max(g.abs()) });
    if largest == 0.0 || !largest.is_finite() || v.iter().any(|g| g.is_nan()) {
        return if v.iter().any(|g| g.is_nan()) { f64::NAN } else { largest };
    }
    largest * v.iter().map(|g| (g / largest).powi(2)).sum::<f64>().sqrt()
}

/// Progress, and whether to go on.
struct Work<'a> {
    done: u64,
    total: u64,
    tell: &'a mut dyn FnMut(&Event) -> Flow,
}

impl Work<'_> {
    fn tell(&mut self, event: &Event) -> Result<(), Error> {
        match (self.tell)(event) {
            Flow::Continue => Ok(()),
            Flow::Stop => Err(Error::Cancelled),
        }
    }

    fn advance(&mut self, evaluations: u64) -> Result<(), Error> {
        self.done += evaluations;
        self.tell(&Event::Progress { done: self.done, total: self.total })
    }
}

/// The distributions so far.
#[derive(Default)]
struct Points {
    nonfinite: u64,
    values: Gathered,
    norms: Gathered,
    slopes: Gathered,
}

/// What the points told.
struct Found {
    value: Option<Quantiles>,
    gradient_norm: Option<Quantiles>,
    values: Option<Histogram>,
    gradient_norms: Option<Histogram>,
    flat: Option<Flatness>,
}

impl Points {
    fn take(&mut self, unit: &UnitBox, x: &[f64], value: &[f64], gradient: &[f64], norms: &[f64]) {
        let dim = unit.dim();
        let (mut values, mut finite, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
        for (r, (&value, &norm)) in value.iter().zip(norms).enumerate() {
            self.nonfinite += u64::from(!value.is_finite() || !norm.is_finite());
            values.extend(Some(value).filter(|v| v.is_finite()));
            finite.extend(Some(norm).filter(|v| v.is_finite()));
            let slope = unit.slope(&x[r * dim..][..dim], &gradient[r * dim..][..dim]);
            slopes.extend(Some(slope).filter(|s| s.is_finite() && value.is_finite()));
        }
        self.values.extend(&values);
        self.norms.extend(&finite);
        self.slopes.extend(&slopes);
    }

    fn finish(&mut self) -> Found {
        let (value, gradient_norm) = (self.values.quantiles(), self.norms.quantiles());
        let count_of = |gathered: &Gathered, q: Option<Quantiles>| q.map(|q| Histogram::new(&gathered.all, &q));
        let range = value.map(|q| q.max - q.min).filter(|range| range.is_finite());
        let flat = range.filter(|_| self.slopes.all.len() > 0).map(|range| {
            let of = self.slopes.all.len();
            // A constant surface has no range, and is flat all over.
            let count = match range {
                0.0 => of,
                range => self.slopes.all.histogram(&[f64::NEG_INFINITY, FLAT * range])[0],
            };
            Flatness { count, of, fraction: count as f64 / of as f64, interval: wilson(count, of) }
        });
        Found {
            values: count_of(&self.values, value),
            gradient_norms: count_of(&self.norms, gradient_norm),
            value,
            gradient_norm,
            flat,
        }
    }
}

/// Finite numbers in bounded memory.
struct Gathered {
    all: Values<f64>,
    min: f64,
    max: f64,
    sum: Sum,
}

impl Default for Gathered {
    fn default() -> Gathered {
        Gathered { all: Values::new(), min: f64::INFINITY, max: f64::NEG_INFINITY, sum: Sum::default() }
    }
}

impl Gathered {
    fn extend(&mut self, values: &[f64]) {
        for &v in values {
            (self.min, self.max) = (self.min.min(v), self.max.max(v));
            self.sum.add(v);
        }
        self.all.push(values.to_vec());
    }

    fn quantiles(&mut self) -> Option<Quantiles> {
        self.all.quantiles(self.min, self.max, self.sum.total())
    }
}

/// Some quantiles of few numbers; `None` of none.
fn quantiles(values: &[f64]) -> Option<Quantiles> {
    let mut all = Gathered::default();
    all.extend(values);
    all.quantiles()
}

/// Points of a sample, evenly picked by their number, those with a finite value.
struct Picks {
    of: u64,
    count: u64,
    next: u64,
    x: Vec<f64>,
    value: Vec<f64>,
}

impl Picks {
    fn new(of: u64, count: usize) -> Picks {
        Picks { of, count: (count as u64).min(of), next: 0, x: Vec::new(), value: Vec::new() }
    }

    /// Takes its points of a piece.
    fn take(&mut self, first: u64, dim: usize, x: &[f64], value: &[f64]) {
        let end = first + value.len() as u64;
        while self.next < self.count {
            // Numbers up to 2^40 times counts up to 2^20 fit.
            let number = self.next * self.of / self.count;
            if number >= end {
                return;
            }
            let r = (number - first) as usize;
            if value[r].is_finite() {
                self.x.extend_from_slice(&x[r * dim..][..dim]);
                self.value.push(value[r]);
            }
            self.next += 1;
        }
    }
}

/// Names of the operators in a formula that jump or have a kink, each once.
fn kinks(surface: &Surface) -> Vec<&'static str> {
    let graph = surface.graph();
    let needed = graph.needed(&[surface.value_node()]);
    let mut names = Vec::new();
    for id in (0..needed.len()).filter(|&id| needed[id]) {
        let name = match graph.node(NodeId(id as u32)) {
            Node::Unary(Unary::Abs, _) => "abs",
            Node::Unary(op, _) if op.spread() == Spread::Steps => op.name(),
            Node::Binary(Binary::Min, ..) | Node::Reduce(Reduction::Min, ..) => "min",
            Node::Binary(Binary::Max, ..) | Node::Reduce(Reduction::Max, ..) => "max",
            Node::Select(..) => "where",
            _ => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_are_even_whatever_the_pieces() {
        let of = |pieces: &[usize]| {
            let mut picks = Picks::new(pieces.iter().sum::<usize>() as u64, 7);
            let mut first = 0;
            for &count in pieces {
                let x: Vec<f64> = (first..first + count).map(|i| i as f64).collect();
                picks.take(first as u64, 1, &x, &x);
                first += count;
            }
            picks.x
        };
        assert_eq!(of(&[100]), [0.0, 14.0, 28.0, 42.0, 57.0, 71.0, 85.0]);
        assert_eq!(of(&[1, 30, 69]), of(&[100]));
        assert_eq!(of(&[5]), [0.0, 1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn norms_of_any_size() {
        assert_eq!(norm(&[3.0, 4.0]), 5.0);
        assert!((norm(&[3e200, 4e200]) / 5e200 - 1.0).abs() < 1e-15);
        assert!((norm(&[3e-200, 4e-200]) / 5e-200 - 1.0).abs() < 1e-15);
        assert_eq!((norm(&[0.0, 0.0]), norm(&[1.0, f64::NEG_INFINITY])), (0.0, f64::INFINITY));
        assert!(norm(&[1.0, f64::NAN]).is_nan() && norm(&[f64::INFINITY, f64::NAN]).is_nan());
    }
}
