//! Which starts to draw, and from where.
//!
//! `uniform | normal:SD | sobol | lhs | grid | PATH` names a rule; a [`Domain`] is the box that it
//! fills; a [`Sampler`](super::Sampler) of both gives the points.
//!
//! ```
//! use catchment::random::Starts;
//! assert_eq!(Starts::parse("normal:0.5").unwrap(), Starts::Normal { sd: 0.5 });
//! let error = Starts::parse("sobl").unwrap_err().to_string();
//! assert_eq!(error, "there are no starts `sobl`, nor such a file; did you mean `sobol`?");
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::points::Points;

/// How starting points are chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Starts {
    /// Independent and uniform over the domain.
    Uniform,
    /// Independent and normal about the domain's middle; not held to the domain.
    Normal {
        /// Standard deviation of each coordinate, in the coordinate's own units (on a logarithmic
        /// axis: of its natural logarithm).
        sd: f64,
    },
    /// Scrambled Sobol' points over the domain.
    Sobol,
    /// A Latin hypercube over all restarts.
    LatinHypercube,
    /// The cell centres of a regular grid.
    Grid,
    /// Points given by the caller: restart `r` takes row `r` modulo the number of rows.
    Points(Arc<Points>),
}

/// The names that [`Starts::parse`] knows.
const NAMES: [&str; 5] = ["uniform", "normal:SD", "sobol", "lhs", "grid"];

impl Starts {
    /// Reads a rule's name, or else the file of points at that path (see [`Points::read`]).
    ///
    /// # Errors
    ///
    /// [`StartsError::Unknown`] for what is neither, [`StartsError::Spread`] for a bad SD, and the
    /// errors of [`Points::read`].
    pub fn parse(text: &str) -> Result<Self, StartsError> {
        match text {
            "uniform" => return Ok(Self::Uniform),
            "sobol" => return Ok(Self::Sobol),
            "lhs" => return Ok(Self::LatinHypercube),
            "grid" => return Ok(Self::Grid),
            "normal" => {
                return Err(StartsError::Spread { text: String::new() });
            }
            _ => {}
        }
        if let Some(sd) = text.strip_prefix("normal:") {
            return match sd.parse() {
                Ok(sd) if f64::is_finite(sd) && sd > 0.0 => Ok(Self::Normal { sd }),
                _ => Err(StartsError::Spread { text: sd.to_owned() }),
            };
        }
        let path = Path::new(text);
        if path.extension().is_none() && !path.exists() {
            let distance = |name: &&str| strsim::damerau_levenshtein(text, name);
            let nearest = NAMES.into_iter().min_by_key(distance).filter(|name| distance(name) <= 3);
            return Err(StartsError::Unknown { text: text.to_owned(), nearest });
        }
        Points::read(path).map(|points| Self::Points(Arc::new(points)))
    }
}

/// The name that [`Starts::parse`] reads; given points show as `points`.
impl fmt::Display for Starts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Normal { sd } => write!(f, "normal:{sd}"),
            Self::Sobol => f.write_str("sobol"),
            Self::LatinHypercube => f.write_str("lhs"),
            Self::Grid => f.write_str("grid"),
            Self::Points(_) => f.write_str("points"),
        }
    }
}

/// A box, and which of its axes are logarithmic. The three have one entry for each coordinate.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// Lower ends, in the coordinates' units.
    pub lo: Vec<f64>,
    /// Upper ends, not below the lower ones.
    pub hi: Vec<f64>,
    /// Whether the coordinate's logarithm is what is spread evenly; its lower end is then positive.
    pub log: Vec<bool>,
}

impl Domain {
    /// The cube `[lo, hi]^dim`, no axis logarithmic.
    pub fn cube(dim: usize, lo: f64, hi: f64) -> Self {
        Self { lo: vec![lo; dim], hi: vec![hi; dim], log: vec![false; dim] }
    }

    /// How many coordinates.
    pub fn dim(&self) -> usize {
        self.lo.len()
    }

    /// Checks what the fields promise, and that f32 holds both ends and the width.
    ///
    /// # Errors
    ///
    /// [`StartsError::Lengths`], [`StartsError::Bounds`] or [`StartsError::Log`].
    pub fn check(&self) -> Result<(), StartsError> {
        let (lo, hi, log) = (self.lo.len(), self.hi.len(), self.log.len());
        if lo == 0 || lo != hi || lo != log {
            return Err(StartsError::Lengths { lo, hi, log });
        }
        for (coordinate, ((&lo, &hi), &log)) in self.lo.iter().zip(&self.hi).zip(&self.log).enumerate() {
            let fits = [lo, hi, hi - lo].into_iter().all(|v| (v as f32).is_finite());
            if !fits || lo > hi {
                return Err(StartsError::Bounds { coordinate, lo, hi });
            }
            if log && lo as f32 <= 0.0 {
                return Err(StartsError::Log { coordinate, lo });
            }
        }
        Ok(())
    }
}

/// What is wrong with a choice of starts.
#[derive(Debug, Error)]
pub enum StartsError {
    /// Neither a rule nor a file.
    #[error("there are no starts `{text}`, nor such a file{}", suggestion(*nearest))]
    Unknown {
        /// What was asked for.
        text: String,
        /// The rule that is spelt most like it.
        nearest: Option<&'static str>,
    },
    /// `normal:` without a positive number behind.
    #[error("starts `normal:SD` need a positive standard deviation, as in `normal:0.5`, not `{text}`")]
    Spread {
        /// What stood for SD.
        text: String,
    },
    /// A file of points that could not be read.
    #[error("cannot read the points in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A cell of a file of points that is no number.
    #[error("{}:{line}: `{text}` is not a number", path.display())]
    Number {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The cell.
        text: String,
    },
    /// A point with too few or too many coordinates.
    #[error("point {row} has {got} coordinates where {expected} belong")]
    Ragged {
        /// Which point, from 1.
        row: usize,
        /// Coordinates of the points before.
        expected: usize,
        /// Its coordinates.
        got: usize,
    },
    /// No point at all.
    #[error("there are no points to start from")]
    NoPoints,
    /// A coordinate that f32 does not hold.
    #[error("point {row} has {value} in column {column}, which is not a finite 32-bit number")]
    NotFinite {
        /// Which point, from 1.
        row: usize,
        /// Which coordinate, from 1.
        column: usize,
        /// The coordinate.
        value: f64,
    },
    /// A domain without coordinates, or whose fields differ in length.
    #[error("a domain needs as many lower as upper ends and log marks, and at least one: got {lo}, {hi} and {log}")]
    Lengths {
        /// Lower ends.
        lo: usize,
        /// Upper ends.
        hi: usize,
        /// Marks.
        log: usize,
    },
    /// An interval that is empty or that f32 does not hold.
    #[error("coordinate {coordinate} cannot start in [{lo}, {hi}]: the ends must be ordered and finite 32-bit numbers")]
    Bounds {
        /// Which coordinate, from 0.
        coordinate: usize,
        /// Its lower end.
        lo: f64,
        /// Its upper end.
        hi: f64,
    },
    /// A logarithmic axis that reaches zero.
    #[error("coordinate {coordinate} is logarithmic and cannot start from {lo}: its lower end must be positive")]
    Log {
        /// Which coordinate, from 0.
        coordinate: usize,
        /// Its lower end.
        lo: f64,
    },
    /// Points of another dimension than the domain.
    #[error("the points have {got} coordinates, the surface has {expected}")]
    PointsDim {
        /// Coordinates of the domain.
        expected: usize,
        /// Coordinates of the points.
        got: usize,
    },
    /// More restarts than a Latin hypercube can hold.
    #[error("a Latin hypercube holds at most {limit} restarts, not {restarts}; take `sobol` or `uniform`")]
    TooMany {
        /// How many were asked for.
        restarts: u64,
        /// How many it holds.
        limit: u64,
    },
}

fn suggestion(nearest: Option<&'static str>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => format!("; the rules are {}", NAMES.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_shown() {
        for text in ["uniform", "normal:0.25", "sobol", "lhs", "grid"] {
            assert_eq!(Starts::parse(text).unwrap().to_string(), text);
        }
        for text in ["normal", "normal:", "normal:-1", "normal:0", "normal:nan", "normal:inf", "normal:x"] {
            assert!(matches!(Starts::parse(text), Err(StartsError::Spread { .. })), "{text}");
        }
        assert!(matches!(Starts::parse("unifrom"), Err(StartsError::Unknown { nearest: Some("uniform"), .. })));
        assert!(matches!(Starts::parse("hypercubical"), Err(StartsError::Unknown { nearest: None, .. })));
        assert!(matches!(Starts::parse("no/such/file.csv"), Err(StartsError::Read { .. })));
    }

    #[test]
    fn bad_domains_are_named() {
        assert!(Domain::cube(3, -1.0, 1.0).check().is_ok());
        assert!(Domain::cube(1, 2.0, 2.0).check().is_ok());
        assert!(matches!(Domain::cube(0, 0.0, 1.0).check(), Err(StartsError::Lengths { .. })));
        for (lo, hi) in [(1.0, -1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (0.0, 1e39), (-3e38, 3e38)] {
            assert!(
                matches!(Domain::cube(2, lo, hi).check(), Err(StartsError::Bounds { coordinate: 0, .. })),
                "{lo} {hi}"
            );
        }
        let mut domain = Domain::cube(2, 0.0, 1.0);
        domain.log[1] = true;
        assert!(matches!(domain.check(), Err(StartsError::Log { coordinate: 1, .. })));
    }
}
