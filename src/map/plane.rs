//! A plane through a surface: two axes with ranges, and the point of the surface that belongs to each pixel.
//!
//! `x(a, b) = origin + a·u + b·v`; pixel (0, 0) is the upper left one, and a pixel stands for its centre.

use super::MapError;
use crate::error::Error;
use crate::surface::Surface;

/// A named range of numbers, spread evenly or by the logarithm.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// What is along it.
    pub name: String,
    /// The lower end.
    pub lo: f64,
    /// The upper end.
    pub hi: f64,
    /// Whether equal ratios are equal lengths; the lower end is then above 0.
    pub log: bool,
}

impl Span {
    /// A checked range.
    ///
    /// # Errors
    /// [`MapError::Range`] for one that is empty or not finite, or too narrow for `f32` to tell its points apart.
    pub fn new(name: &str, lo: f64, hi: f64, log: bool) -> Result<Span, MapError> {
        let fail = |problem| Err(MapError::Range { name: name.to_owned(), lo, hi, problem });
        let finite = |v: f64| (v as f32).is_finite();
        match (lo, hi) {
            _ if !(finite(lo) && finite(hi)) => fail("is not finite"),
            _ if lo >= hi => fail("is empty: its lower end comes first"),
            _ if log && lo <= 0.0 => fail("is logarithmic and must begin above 0"),
            _ if hi - lo < 1e-5 * lo.abs().max(hi.abs()) => fail("is too narrow for single precision"),
            _ => Ok(Span { name: name.to_owned(), lo, hi, log }),
        }
    }

    /// The number at a place between 0 (the lower end) and 1.
    pub fn at(&self, place: f64) -> f64 {
        match self.log {
            true => (self.lo.ln() + place * (self.hi.ln() - self.lo.ln())).exp(),
            false => self.lo + place * (self.hi - self.lo),
        }
    }

    /// Where a number stands: 0 at the lower end, 1 at the upper one.
    pub fn place(&self, value: f64) -> f64 {
        match self.log {
            true => (value.ln() - self.lo.ln()) / (self.hi.ln() - self.lo.ln()),
            false => (value - self.lo) / (self.hi - self.lo),
        }
    }

    /// The middle of part `i` of `n` equal ones.
    pub fn middle(&self, i: u32, n: u32) -> f64 {
        self.at((f64::from(i) + 0.5) / f64::from(n))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let log = if self.log { ":log" } else { "" };
        write!(f, "{}={}:{}{log}", self.name, self.lo, self.hi)
    }
}

/// A plane in the surface's space.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Across.
    pub x: Span,
    /// Upward.
    pub y: Span,
    origin: Vec<f64>,
    u: Vec<f64>,
    v: Vec<f64>,
}

impl Plane {
    /// All of a surface of two coordinates, over its domain.
    ///
    /// # Errors
    /// [`MapError::NotTwo`], [`MapError::OneCoordinate`], [`MapError::Range`].
    pub fn of_two(surface: &Surface) -> Result<Plane, Error> {
        let names = coordinate_names(surface);
        match surface.dim() {
            1 => Err(MapError::OneCoordinate { surface: surface.label().to_owned() }.into()),
            2 => Plane::of_coordinates(surface, domain_span(surface, 0)?, domain_span(surface, 1)?, &[]),
            dim => {
                let surface = surface.label().to_owned();
                Err(MapError::NotTwo { surface, dim, first: names[0].clone(), second: names[1].clone() }.into())
            }
        }
    }

    /// Two coordinates, called as the spans are; all others must be held at a value.
    ///
    /// # Errors
    /// [`MapError::UnknownCoordinate`], [`MapError::NotHeld`].
    pub fn of_coordinates(surface: &Surface, x: Span, y: Span, at: &[(String, f64)]) -> Result<Plane, Error> {
        let names = coordinate_names(surface);
        let (i, j) = (find_coordinate(surface, &x.name)?, find_coordinate(surface, &y.name)?);
        if i == j {
            let (text, problem) = (format!("{},{}", x.name, y.name), "the two must differ".to_owned());
            return Err(MapError::Directions { text, problem }.into());
        }
        let mut held: Vec<Option<f64>> = vec![None; names.len()];
        for (name, value) in at {
            held[find_coordinate(surface, name)?] = Some(*value);
        }
        (held[i], held[j]) = (Some(0.0), Some(0.0));
        let missing: Vec<String> =
            names.iter().zip(&held).filter(|(_, value)| value.is_none()).map(|(name, _)| name.clone()).collect();
        if !missing.is_empty() {
            return Err(MapError::NotHeld { missing }.into());
        }
        let unit = |k: usize| (0..names.len()).map(|c| f64::from(u8::from(c == k))).collect();
        Ok(Plane { x, y, origin: held.into_iter().flatten().collect(), u: unit(i), v: unit(j) })
    }

    /// Through a point along two directions; `x` and `y` say how far along each.
    ///
    /// # Errors
    /// [`MapError::PointLength`].
    pub fn through(point: &[f64], u: &[f64], v: &[f64], x: Span, y: Span) -> Result<Plane, Error> {
        match [u, v].into_iter().find(|d| d.len() != point.len()) {
            Some(other) => Err(MapError::PointLength { expected: other.len(), got: point.len() }.into()),
            None => Ok(Plane { x, y, origin: point.to_vec(), u: u.to_vec(), v: v.to_vec() }),
        }
    }

    /// How many coordinates its points have.
    pub fn dim(&self) -> usize {
        self.origin.len()
    }

    /// The point at `a` along the first direction and `b` along the second.
    pub fn point(&self, a: f64, b: f64) -> Vec<f64> {
        self.origin.iter().zip(&self.u).zip(&self.v).map(|((o, u), v)| o + a * u + b * v).collect()
    }

    /// Appends the points of all pixels of a row of a picture of this size; row 0 is the uppermost.
    pub fn row(&self, row: u32, size: [u32; 2], out: &mut Vec<f64>) {
        let b = self.y.middle(size[1] - 1 - row, size[1]);
        for column in 0..size[0] {
            let a = self.x.middle(column, size[0]);
            out.extend(self.origin.iter().zip(&self.u).zip(&self.v).map(|((o, u), v)| o + a * u + b * v));
        }
    }

    /// Where the plane's nearest point to `x` stands along the two directions, and how far `x` is from it.
    pub fn project(&self, x: &[f64]) -> ([f64; 2], f64) {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let step: Vec<f64> = x.iter().zip(&self.origin).map(|(x, o)| x - o).collect();
        // The directions are orthogonal: coordinates, or orthonormal vectors.
        let at = [dot(&step, &self.u) / dot(&self.u, &self.u), dot(&step, &self.v) / dot(&self.v, &self.v)];
        let foot = self.point(at[0], at[1]);
        (at, foot.iter().zip(x).map(|(f, x)| (f - x).powi(2)).sum::<f64>().sqrt())
    }

    /// Where two coordinates stand in the picture, from its lower left corner, each between 0 and 1 inside.
    pub fn place(&self, at: [f64; 2]) -> [f64; 2] {
        [self.x.place(at[0]), self.y.place(at[1])]
    }
}

/// The range of a coordinate's domain.
pub(crate) fn domain_span(surface: &Surface, i: usize) -> Result<Span, MapError> {
    let domain = surface.domain();
    Span::new(&coordinate_names(surface)[i], domain.lo[i], domain.hi[i], domain.log[i])
}

/// Names of the coordinates as they are typed: `x0` for `x[0]`, others as [`Surface::coordinates`] has them.
pub fn coordinate_names(surface: &Surface) -> Vec<String> {
    let short = |name: String| match name.strip_suffix(']').and_then(|n| n.split_once('[')) {
        Some((vector, index)) if !index.contains(',') => format!("{vector}{index}"),
        _ => name,
    };
    surface.coordinates().into_iter().map(short).collect()
}

/// The coordinate of this name, in either form.
pub(crate) fn find_coordinate(surface: &Surface, name: &str) -> Result<usize, MapError> {
    let known = coordinate_names(surface);
    let long = surface.coordinates();
    known.iter().position(|n| n == name).or_else(|| long.iter().position(|n| n == name)).ok_or_else(|| {
        MapError::UnknownCoordinate { surface: surface.label().to_owned(), name: name.to_owned(), known }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_points_agree() {
        let surface = Surface::named("sphere", Some(4)).unwrap();
        let (x, y) = (Span::new("x2", 1.0, 100.0, true).unwrap(), Span::new("x0", -1.0, 1.0, false).unwrap());
        let held = [("x1".to_owned(), 5.0), ("x[3]".to_owned(), 6.0)];
        let plane = Plane::of_coordinates(&surface, x.clone(), y.clone(), &held).unwrap();
        let mut row = Vec::new();
        plane.row(0, [2, 4], &mut row);
        assert_eq!(row.len(), 8);
        assert_eq!((row[0], row[1], row[3]), (0.75, 5.0, 6.0));
        assert!((row[2] - 10f64.powf(0.5)).abs() < 1e-12);
        let (at, far) = plane.project(&[0.5, 8.0, 10.0, 10.0]);
        assert_eq!((at, far), ([10.0, 0.5], 5.0));
        assert!((plane.place(at)[0] - 0.5).abs() < 1e-12 && plane.place(at)[1] == 0.75);
        assert!(matches!(
            Plane::of_coordinates(&surface, x, y, &held[..1]),
            Err(Error::Map(MapError::NotHeld { missing })) if missing == ["x3"]
        ));
        assert!(Span::new("x", 1.0, 1.0, false).is_err() && Span::new("x", 0.0, 1.0, true).is_err());
        assert!(Span::new("x", f64::NAN, 1.0, false).is_err() && Span::new("x", 1.0, 1.0 + 1e-9, false).is_err());
    }
}
