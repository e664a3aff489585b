//! Numbers of the batched Levenberg–Marquardt that both engines share: the CPU reads them, the GPU's text has them printed.

/// First λ, in units of the scaled normal matrix' diagonal, which is 1.
pub(crate) const FIRST: f32 = 1e-3;
/// Least λ: below it a singular matrix could not be told from a regular one in single precision.
pub(crate) const LEAST: f32 = 1e-7;
/// A λ above it makes steps that single precision cannot see.
pub(crate) const MOST: f32 = 1e10;
/// Pivots of the damped matrix are raised to this.
pub(crate) const PIVOT: f32 = 1e-6;
/// A pivot of the scaled matrix below this is rounding: the matrix is singular.
pub(crate) const SINGULAR: f32 = 2e-6;
/// A step that makes the sum of squares larger by less than this part of it is rounding, and is taken.
pub(crate) const SLACK: f32 = 1e-6;
/// A parameter whose diagonal element is below this has no influence.
pub(crate) const SMALLEST: f32 = 1e-37;

/// Place of element `(i, j)`, `i <= j`, in the upper triangle of an `m × m` matrix, row by row.
pub(crate) fn triangle(m: usize, i: usize, j: usize) -> usize {
    i * m + j - i * (i + 1) / 2
}

#[cfg(test)]
mod tests {
    #[test]
    fn triangles_are_dense() {
        let m = 5;
        let places: Vec<usize> = (0..m).flat_map(|i| (i..m).map(move |j| super::triangle(m, i, j))).collect();
        assert!(places.iter().copied().eq(0..m * (m + 1) / 2));
    }
}
