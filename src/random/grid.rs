//! A regular grid of at least as many cells as there are restarts, and its cell centres.
//!
//! With `k = ⌈N^(1/d)⌉`, the first axes have `k` levels and the others `k - 1`, as few of the
//! former as give `N` cells: a dimension too high for two levels everywhere keeps its last axes at
//! their middle. Restart `r` is read in that mixed radix, axis 0 fastest. Where the cells outnumber
//! the restarts the last layers stay partly empty.

/// The levels of each axis.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// Levels and stride of each axis.
    axes: Vec<(u64, u64)>,
}

/// `base^exponent`, or the largest number.
fn power(base: u64, exponent: usize) -> u128 {
    u32::try_from(exponent).map_or(u128::MAX, |exponent| u128::from(base).saturating_pow(exponent))
}

impl Grid {
    pub(super) fn new(dim: usize, restarts: u64) -> Self {
        let wanted = u128::from(restarts.max(1));
        let (mut below, mut k) = (0, restarts.max(1)); // below^dim < wanted <= k^dim
        while k - below > 1 {
            let middle = below + (k - below) / 2;
            if power(middle, dim) >= wanted { k = middle } else { below = middle }
        }
        let enough = |finer: &usize| power(k, *finer).saturating_mul(power(k - 1, dim - finer)) >= wanted;
        let finer = (0..dim).find(enough).unwrap_or(dim);
        let mut stride = 1_u64;
        let axes = (0..dim).map(|axis| {
            let levels = if axis < finer { k } else { (k - 1).max(1) };
            let entry = (levels, stride);
            stride = stride.saturating_mul(levels);
            entry
        });
        Self { axes: axes.collect() }
    }

    /// Where restart `restart` stands on an axis, as a number in (0, 1).
    #[inline]
    pub(super) fn unit(&self, restart: u64, coordinate: usize) -> f64 {
        let (levels, stride) = self.axes[coordinate];
        ((restart / stride % levels) as f64 + 0.5) / levels as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(dim: usize, restarts: u64) -> Vec<u64> {
        Grid::new(dim, restarts).axes.iter().map(|axis| axis.0).collect()
    }

    #[test]
    fn levels_are_the_fewest_that_hold_the_restarts() {
        assert_eq!(levels(2, 100), [10, 10]);
        assert_eq!(levels(2, 101), [11, 10]);
        assert_eq!(levels(2, 111), [11, 11]);
        assert_eq!(levels(3, 1), [1, 1, 1]);
        assert_eq!(levels(1, 7), [7]);
        assert_eq!(levels(5, 9), [2, 2, 2, 2, 1]);
        assert_eq!(levels(100, 1000)[9..12], [2, 1, 1]);
        assert_eq!(levels(1, u64::MAX >> 1), [u64::MAX >> 1]);
        assert_eq!(levels(2, u64::MAX >> 1)[0], 3_037_000_500);
    }

    #[test]
    fn restarts_stand_in_different_cells() {
        for (dim, restarts) in [(1, 9), (2, 100), (3, 50), (4, 81), (6, 65)] {
            let grid = Grid::new(dim, restarts);
            let cell = |r| (0..dim).map(|c| grid.unit(r, c).to_bits()).collect::<Vec<_>>();
            let cells: std::collections::BTreeSet<_> = (0..restarts).map(cell).collect();
            assert_eq!(cells.len() as u64, restarts);
        }
        assert_eq!(Grid::new(2, 4).unit(1, 0), 0.75);
        assert_eq!(Grid::new(2, 4).unit(1, 1), 0.25);
    }
}
