//! Exploratory landscape features of a sample: what its points and values alone tell of the surface they come from.
//!
//! Names and definitions are those of flacco (Kerschke & Trautmann 2019) as pflacco 1.2.2 computes them, so that features can be
//! compared with published ones. All is in `f64` and without chance; a feature that a sample does not define (a constant value
//! has no skewness, too few points no model) is NaN. Minimisation is understood: lower is better.
//!
//! ```
//! use catchment::features::{Sample, all};
//! let x: Vec<f64> = (0..50).map(f64::from).collect();
//! let y = x.iter().map(|x| 3.0 + 2.0 * x).collect();
//! let features = all(&Sample::new(1, x, y)?);
//! let slope = features.iter().find(|(name, _)| name == "ela_meta.lin_simple.coef.max").unwrap().1;
//! assert!((slope - 2.0).abs() < 1e-12);
//! # Ok::<(), catchment::features::FeatureError>(())
//! ```

mod dispersion;
mod distribution;
mod fitness_distance;
mod information;
mod level;
mod meta;
mod moments;
mod neighbours;
mod principal;

pub use dispersion::disp;
pub use distribution::{MomentType, ela_distr};
pub use fitness_distance::fitness_distance;
pub use information::{Tour, ic};
pub use level::ela_level;
pub use meta::ela_meta;
pub(crate) use moments::correlation;
pub use neighbours::nbc;
pub use principal::pca;

/// Named features in a fixed order; NaN where the sample does not define one.
pub type Features = Vec<(String, f64)>;

/// Points that a sample has at most: several features look at every pair.
pub const MOST_POINTS: usize = 20_000;
/// Points that a sample has at least.
pub const FEWEST_POINTS: usize = 4;

/// Why points and values make no sample.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FeatureError {
    /// Coordinates and values that do not go together.
    #[error(
        "{coordinates} coordinates and {values} values make no sample of points of {dim} coordinates with a value each"
    )]
    Lengths {
        /// Coordinates of a point.
        dim: usize,
        /// Coordinates of all points.
        coordinates: usize,
        /// Values.
        values: usize,
    },
    /// Too few points.
    #[error(
        "a sample of {points} points has no features: it takes {FEWEST_POINTS} at least, and some hundreds to mean something"
    )]
    TooFew {
        /// How many.
        points: usize,
    },
    /// More points than all pairs of which can be looked at.
    #[error(
        "features of {points} points: they look at all pairs, so {MOST_POINTS} points is the most; take a part of them"
    )]
    TooMany {
        /// How many.
        points: usize,
    },
    /// A number that is none.
    #[error("point {row} has {value} for its {what}: leave such points out")]
    NotFinite {
        /// Which point, from 1.
        row: usize,
        /// `value` or `coordinate`.
        what: &'static str,
        /// The number.
        value: f64,
    },
}

/// Points and their values, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    dim: usize,
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Sample {
    /// Points of `dim` coordinates, row-major, and a value for each.
    ///
    /// # Errors
    /// [`FeatureError`].
    pub fn new(dim: usize, x: Vec<f64>, y: Vec<f64>) -> Result<Sample, FeatureError> {
        if dim == 0 || x.len() != dim * y.len() {
            return Err(FeatureError::Lengths { dim, coordinates: x.len(), values: y.len() });
        }
        if y.len() < FEWEST_POINTS {
            return Err(FeatureError::TooFew { points: y.len() });
        }
        if y.len() > MOST_POINTS {
            return Err(FeatureError::TooMany { points: y.len() });
        }
        for (values, what, width) in [(&x, "coordinate", dim), (&y, "value", 1)] {
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                return Err(FeatureError::NotFinite { row: at / width + 1, what, value: values[at] });
            }
        }
        Ok(Sample { dim, x, y })
    }

    /// How many coordinates a point has.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many points.
    pub fn points(&self) -> usize {
        self.y.len()
    }

    /// A point.
    pub fn x(&self, point: usize) -> &[f64] {
        &self.x[point * self.dim..][..self.dim]
    }

    /// All values, in the points' order.
    pub fn y(&self) -> &[f64] {
        &self.y
    }

    /// One coordinate of all points.
    fn column(&self, i: usize) -> Vec<f64> {
        self.x.iter().skip(i).step_by(self.dim).copied().collect()
    }

    /// The Euclidean distance of two points.
    fn distance(&self, a: usize, b: usize) -> f64 {
        self.x(a).iter().zip(self.x(b)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
    }
}

/// All features, group by group: `ela_distr`, `ela_level`, `ela_meta`, `nbc`, `disp`, `ic` (from the first point to its
/// nearest neighbour, and so on), `fitness_distance` (of the best tenth) and `pca`.
pub fn all(sample: &Sample) -> Features {
    let groups = [
        ela_distr(sample, MomentType::Three),
        ela_level(sample),
        ela_meta(sample),
        nbc(sample),
        disp(sample),
        ic(sample, Tour::Nearest),
        fitness_distance(sample, 0.1),
        pca(sample),
    ];
    groups.into_iter().flatten().collect()
}

/// Features of one group.
fn named<'a>(group: &str, features: impl IntoIterator<Item = (&'a str, f64)>) -> Features {
    features.into_iter().map(|(name, value)| (format!("{group}.{name}"), value)).collect()
}
