//! Which rows of the surface's table a step sees: draws addressed by (seed, restart, step), so that any restart can be
//! replayed alone.
//!
//! With replacement, draw `j` of a step is `⌊w·rows/2³²⌋` of word `j` of the step's stream; a row's probability is off by at
//! most 2⁻³². Without, the draws of all steps follow one another, and every `rows` of them are a permutation of the
//! rows, keyed by (seed, restart, epoch): the swap-or-not shuffle (Hoang, Morris and Rogaway, "An enciphering scheme based on
//! a card shuffle", CRYPTO 2012), which permutes any number of rows, place by place. `shaders/rows.wgsl` is the twin.
//!
//! ```
//! use catchment::random::RowDraws;
//! let draws = RowDraws { rows: 10, batch: 5, replacement: false };
//! let mut epoch: Vec<u32> = (1..=2).flat_map(|step| (0..5).map(move |j| draws.row(7, 0, step, j))).collect();
//! epoch.sort_unstable();
//! assert_eq!(epoch, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
//! ```

use super::{Purpose, key_of, philox4x32};

/// How the rows of each step's batch are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDraws {
    /// Rows of the table.
    pub rows: u32,
    /// Rows of a batch.
    pub batch: u32,
    /// Whether a row can be drawn again before all others have been.
    pub replacement: bool,
}

/// The block of the stream that belongs to an epoch; batches are too small to reach it.
const EPOCH_BLOCK: u32 = 0x00ff_ffff;
/// After a round a row is anywhere with probability 1/2: what is left of its old place after all is 2⁻²⁴.
const SHUFFLE_ROUNDS: u32 = 24;

impl RowDraws {
    /// The largest batch.
    pub const MOST: u32 = 1 << 25;

    pub(crate) const NONE: RowDraws = RowDraws { rows: 1, batch: 0, replacement: true };

    /// Draw `draw` of a batch, at a step that counts from 1: a row, from 0.
    pub fn row(&self, seed: u64, restart: u64, step: u32, draw: u32) -> u32 {
        let address = self.address(step, draw);
        self.choose(words(key_of(seed), restart, address), step, draw)
    }

    /// Third and fourth word of the counter whose four words a draw takes: neighbouring draws share it.
    #[inline]
    pub(crate) fn address(&self, step: u32, draw: u32) -> [u32; 2] {
        if self.replacement {
            [step, Purpose::Batch.tag(draw / 4)]
        } else {
            [self.position(step, draw) / self.rows, Purpose::Batch.tag(EPOCH_BLOCK)]
        }
    }

    /// The row that a draw's words choose.
    #[inline]
    pub(crate) fn choose(&self, words: [u32; 4], step: u32, draw: u32) -> u32 {
        if self.replacement {
            return ((u64::from(words[draw as usize % 4]) * u64::from(self.rows)) >> 32) as u32;
        }
        shuffled(self.position(step, draw) % self.rows, self.rows, words)
    }

    /// How many draws stand before this one; a plan is refused where that passes 2³².
    #[inline]
    fn position(&self, step: u32, draw: u32) -> u32 {
        (step - 1).wrapping_mul(self.batch).wrapping_add(draw)
    }
}

/// Four words of a restart's stream.
#[inline]
pub(crate) fn words(key: [u32; 2], restart: u64, address: [u32; 2]) -> [u32; 4] {
    philox4x32([restart as u32, (restart >> 32) as u32, address[0], address[1]], key)
}

/// Where a permutation of `0..rows` puts a place: every round pairs each place `x` with `K - x` and swaps a pair or not.
#[inline]
fn shuffled(mut place: u32, rows: u32, words: [u32; 4]) -> u32 {
    for round in 0..SHUFFLE_ROUNDS {
        let key = hash(words[round as usize % 4].wrapping_add(0x9e37_79b9_u32.wrapping_mul(round + 1)));
        let sum = ((u64::from(key) * u64::from(rows)) >> 32) as u32;
        let partner = if sum >= place { sum - place } else { sum + (rows - place) };
        let coin = hash(place.max(partner) ^ hash(key)) >> 31;
        place = if coin == 1 { partner } else { place };
    }
    place
}

/// A bijection of words whose every bit depends on all (Wellons' lowbias32).
#[inline]
fn hash(value: u32) -> u32 {
    let a = (value ^ (value >> 16)).wrapping_mul(0x7feb_352d);
    let b = (a ^ (a >> 15)).wrapping_mul(0x846c_a68b);
    b ^ (b >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_each_row_once() {
        for (rows, batch) in [(1, 1), (2, 1), (3, 2), (10, 5), (100, 7), (1000, 1000), (4097, 64)] {
            let draws = RowDraws { rows, batch, replacement: false };
            let all: Vec<u32> =
                (1..=(2 * rows).div_ceil(batch)).flat_map(|t| (0..batch).map(move |j| draws.row(3, 9, t, j))).collect();
            for epoch in all.chunks_exact(rows as usize).take(2) {
                let mut sorted = epoch.to_vec();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..rows).collect::<Vec<_>>(), "{rows} rows by {batch}");
            }
            if rows >= 100 {
                assert_ne!(all[..rows as usize], all[rows as usize..2 * rows as usize], "epochs differ");
            }
        }
    }

    #[test]
    fn rows_are_drawn_evenly() {
        for replacement in [true, false] {
            let draws = RowDraws { rows: 13, batch: 4, replacement };
            let mut counts = [0f64; 13];
            for restart in 0..20_000 {
                for draw in 0..4 {
                    counts[draws.row(1, restart, 5, draw) as usize] += 1.0;
                }
            }
            let mean = 80_000.0 / 13.0;
            let chi2: f64 = counts.iter().map(|c| (c - mean) * (c - mean) / mean).sum();
            assert!(chi2 < 32.9, "χ² of 12 degrees of freedom is {chi2} (0.1 % above 32.9), replacement {replacement}");
        }
    }

    /// χ² of the ordered pair (first row, second row) of an epoch over many restarts, in standard deviations.
    fn pairs(rows: u32, restarts: u64) -> f64 {
        let draws = RowDraws { rows, batch: 2, replacement: false };
        let mut counts = vec![0f64; (rows * rows) as usize];
        for restart in 0..restarts {
            counts[(rows * draws.row(0, restart, 1, 0) + draws.row(0, restart, 1, 1)) as usize] += 1.0;
        }
        let cells = f64::from(rows * (rows - 1));
        let mean = restarts as f64 / cells;
        let off = (0..rows * rows).filter(|p| p / rows != p % rows).map(|p| counts[p as usize] - mean);
        let chi2: f64 = off.map(|c| c * c / mean).sum();
        (chi2 - (cells - 1.0)) / (2.0 * (cells - 1.0)).sqrt()
    }

    #[test]
    fn neighbours_in_a_permutation_are_independent() {
        for rows in [3, 4, 5, 7, 13, 40] {
            let off = pairs(rows, 400_000);
            assert!(off.abs() < 4.5, "{rows} rows: χ² off by {off} standard deviations");
        }
    }
}
