//! The domain as the unit cube: u from 0 to 1 along every side, in the logarithm where an axis is logarithmic.

use super::norm;
use crate::random::Domain;

/// Sides of a box.
#[derive(Clone, Debug)]
pub(super) struct UnitBox {
    /// Lower end and width, of the coordinate or of its logarithm, and whether it is that.
    sides: Vec<(f64, f64, bool)>,
}

impl UnitBox {
    pub(super) fn new(domain: &Domain) -> UnitBox {
        let side = |i: usize| match (domain.lo[i], domain.hi[i], domain.log[i]) {
            (lo, hi, true) => (lo.ln(), (hi / lo).ln(), true),
            (lo, hi, false) => (lo, hi - lo, false),
        };
        UnitBox { sides: (0..domain.dim()).map(side).collect() }
    }

    pub(super) fn dim(&self) -> usize {
        self.sides.len()
    }

    /// The point at u.
    pub(super) fn point<'a>(&'a self, u: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.sides.iter().zip(u).map(|(&(lo, width, log), u)| {
            let x = lo + width * u;
            if log { x.exp() } else { x }
        })
    }

    /// `‖∂f/∂u‖` from the point and `∂f/∂x`.
    pub(super) fn slope(&self, x: &[f64], gradient: &[f64]) -> f64 {
        let one =
            |((&(_, width, log), x), g): ((&(f64, f64, bool), &f64), &f64)| g * width * if log { *x } else { 1.0 };
        let scaled: Vec<f64> = self.sides.iter().zip(x).zip(gradient).map(one).collect();
        norm(&scaled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_derivatives_along_u() {
        let domain = Domain { lo: vec![-1.0, 1e-3], hi: vec![3.0, 10.0], log: vec![false, true] };
        let unit = UnitBox::new(&domain);
        let f = |x: &[f64]| x[0] * x[0] + x[0] * x[1];
        let at = |u: &[f64]| f(&unit.point(u).collect::<Vec<f64>>());
        let u = [0.3, 0.8];
        let x: Vec<f64> = unit.point(&u).collect();
        let h = 1e-6;
        let by_differences = [[h, 0.0], [0.0, h]]
            .map(|d| (at(&[u[0] + d[0], u[1] + d[1]]) - at(&[u[0] - d[0], u[1] - d[1]])) / (2.0 * h));
        let slope = unit.slope(&x, &[2.0 * x[0] + x[1], x[0]]);
        assert!((slope / norm(&by_differences) - 1.0).abs() < 1e-8);
    }
}
