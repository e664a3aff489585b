//! The order in which fits are worked on: fits of like length stand together, so that little is padded.

use super::batched::{BatchedFit, FitRows};

/// Fits by length, the longest first; equal ones keep their order.
#[derive(Clone, Debug)]
pub(crate) struct FitOrder {
    /// Fit at each place; none where all have the same length and the order is theirs.
    fits: Option<Vec<u32>>,
    /// First row of each fit in a column of its own.
    first: Vec<usize>,
}

impl FitOrder {
    pub(crate) fn new(fit: &BatchedFit<'_>) -> FitOrder {
        let FitRows::Lengths(lengths) = fit.rows else { return FitOrder { fits: None, first: Vec::new() } };
        let mut end = 0;
        let begins = lengths.iter().map(|&n| {
            end += n as usize;
            end - n as usize
        });
        let first = begins.collect();
        let mut fits: Vec<u32> = (0..lengths.len() as u32).collect();
        fits.sort_by_key(|&k| std::cmp::Reverse(lengths[k as usize]));
        FitOrder { fits: Some(fits), first }
    }

    /// The fit at a place, and its first row in a column of its own.
    pub(crate) fn at(&self, fit: &BatchedFit<'_>, place: usize) -> (usize, usize) {
        match &self.fits {
            None => (place, place * fit.rows_of(place)),
            Some(fits) => (fits[place] as usize, self.first[fits[place] as usize]),
        }
    }

    /// Rows of the fit at a place; 0 where there is none.
    pub(crate) fn rows(&self, fit: &BatchedFit<'_>, place: usize) -> usize {
        if place >= fit.len() { 0 } else { fit.rows_of(self.at(fit, place).0) }
    }
}
