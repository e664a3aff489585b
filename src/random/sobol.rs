//! Sobol' points with Owen scrambling, addressed by index.
//!
//! Bit-reversed, the word of point `i` in coordinate `c` is `scramble_c(⊕ v_cj over the set bits j
//! of i)`: points stand in the sequence's natural order, so any one is reached directly. Directions
//! are Joe and Kuo's for the first 1,024 coordinates. The scramble is a hash in which bit `j`
//! depends on the bits before it alone, which makes it a nested uniform scramble and keeps every
//! (t, m, s)-net (Owen 1995; Laine and Karras 2011; constants of Vegdahl 2021).
//!
//! Coordinates beyond 1,024 are *padded*: coordinate `1024 g + c` uses the directions of `c` with
//! its own scramble, at an index that group `g` shuffles by another nested scramble (Burley,
//! "Practical hash-based Owen scrambling", JCGT 9, 2020). Within each group the points are a net;
//! across groups they are independent.
//!
//! The index is 32 bits wide: restart ids count modulo 2^32.

use super::philox::{LANES, Purpose, Stream};

const TABLE: &str = include_str!("sobol.txt");
/// Coordinates with directions of their own.
const TABULATED: usize = 1024;

/// The directions of one tabulated coordinate, each word bit-reversed.
fn directions(row: Option<&str>) -> [u32; 32] {
    let Some(row) = row else {
        return std::array::from_fn(|j| 1 << j); // van der Corput: reversing the index is all
    };
    let mut numbers = row.split_ascii_whitespace().filter_map(|number| number.parse::<u32>().ok());
    let polynomial = numbers.next().unwrap_or(1);
    let degree = polynomial.ilog2() as usize;
    let mut v = [0_u32; 32];
    for (j, m) in numbers.take(degree).enumerate() {
        v[j] = m << (31 - j);
    }
    for j in degree..32 {
        v[j] = v[j - degree] ^ (v[j - degree] >> degree);
        for k in 1..degree {
            if polynomial >> (degree - k) & 1 == 1 {
                v[j] ^= v[j - k];
            }
        }
    }
    v.map(u32::reverse_bits)
}

/// Two random words that choose one scramble.
#[derive(Clone, Copy, Debug)]
struct Scramble([u32; 2]);

impl Scramble {
    /// `number` counts coordinates (`kind` 0) or groups (`kind` 1).
    fn draw(seed: u64, number: usize, kind: u32) -> Self {
        let [a, b, ..] = Stream::new(seed, number as u64, kind, Purpose::Scramble).block(0);
        Self([a, b])
    }

    /// Scrambles a bit-reversed word: each bit of the result is that bit, flipped or not by the
    /// lower bits alone.
    #[inline(always)]
    fn reversed(self, mut x: u32) -> u32 {
        x ^= x.wrapping_mul(0x3d20_adea);
        x = x.wrapping_add(self.0[0]);
        x = x.wrapping_mul(self.0[1] | 1);
        x ^= x.wrapping_mul(0x0552_6c56);
        x ^ x.wrapping_mul(0x53a2_2864)
    }
}

/// Scrambled Sobol' points of one dimension and seed.
#[derive(Clone, Debug)]
pub(super) struct Sobol {
    /// Bit-reversed directions of the tabulated coordinates in use.
    vectors: Vec<[u32; 32]>,
    /// `⊕` of the first four directions over the bits of 0 to 15, for the same coordinates.
    low: Vec<[u32; LANES]>,
    /// One for each coordinate.
    scrambles: Vec<Scramble>,
    /// One for each group after the first.
    shuffles: Vec<Scramble>,
}

/// Point `index` before its scramble, bit-reversed.
#[inline]
fn plain(vectors: &[u32; 32], mut index: u32) -> u32 {
    let mut x = 0;
    while index != 0 {
        x ^= vectors[index.trailing_zeros() as usize % 32];
        index &= index - 1;
    }
    x
}

impl Sobol {
    pub(super) fn new(dim: usize, seed: u64) -> Self {
        let rows = std::iter::once(None).chain(TABLE.lines().filter(|line| !line.starts_with('#')).map(Some));
        let vectors: Vec<[u32; 32]> = rows.take(dim.min(TABULATED)).map(directions).collect();
        let low = vectors.iter().map(|v| std::array::from_fn(|i| plain(v, i as u32))).collect();
        let scrambles = (0..dim).map(|c| Scramble::draw(seed, c, 0)).collect();
        let shuffles = (1..dim.div_ceil(TABULATED)).map(|group| Scramble::draw(seed, group, 1)).collect();
        Self { vectors, low, scrambles, shuffles }
    }

    /// The word of point `index` in a coordinate below `dim`.
    pub(super) fn word(&self, index: u32, coordinate: usize) -> u32 {
        let index = match coordinate / TABULATED {
            0 => index,
            group => self.shuffles[group - 1].reversed(index.reverse_bits()).reverse_bits(),
        };
        self.scrambles[coordinate].reversed(plain(&self.vectors[coordinate % TABULATED], index)).reverse_bits()
    }

    /// The words of points `base` to `base + 15`, `base` being a multiple of 16.
    #[inline]
    pub(super) fn lanes(&self, base: u32, coordinate: usize) -> [u32; LANES] {
        if coordinate >= TABULATED {
            return std::array::from_fn(|lane| self.word(base + lane as u32, coordinate));
        }
        let high = plain(&self.vectors[coordinate], base);
        let scramble = self.scrambles[coordinate];
        let mut words = self.low[coordinate];
        for word in &mut words {
            *word = scramble.reversed(*word ^ high).reverse_bits();
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_word(sobol: &Sobol, index: u32, coordinate: usize) -> u32 {
        plain(&sobol.vectors[coordinate], index).reverse_bits()
    }

    #[test]
    fn plain_points_agree_with_scipy() {
        let sobol = Sobol::new(TABULATED, 0);
        assert_eq!(sobol.vectors.len(), TABULATED);
        // scipy.stats.qmc.Sobol(1024, scramble=False, bits=32): point 2^20 + 777, which stands
        // there at the Gray code's place,
        let index = (1 << 20) + 777;
        for (coordinate, word) in SCIPY {
            assert_eq!(plain_word(&sobol, index ^ (index >> 1), coordinate), word, "coordinate {coordinate}");
        }
        // and FNV-1a over its whole table of directions, 1,024 by 32.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in sobol.vectors.iter().flatten().flat_map(|v| v.reverse_bits().to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        assert_eq!(hash, SCIPY_DIRECTIONS);
    }

    /// How many points of 2^k share the leading bits that they should not.
    fn collisions(words: impl Iterator<Item = u32>, k: u32) -> usize {
        let mut seen = vec![false; 1 << k];
        words.filter(|word| std::mem::replace(&mut seen[(word >> (32 - k)) as usize], true)).count()
    }

    #[test]
    fn each_projection_has_one_point_per_dyadic_interval() {
        let sobol = Sobol::new(TABULATED + 40, 5);
        for k in [1, 4, 9] {
            for coordinate in (0..40).chain(TABULATED - 10..TABULATED + 40) {
                assert_eq!(collisions((0..1 << k).map(|i| sobol.word(i, coordinate)), k), 0, "{coordinate} at 2^{k}");
            }
        }
        // The alarm: an index twice, and a plain random sequence.
        assert_eq!(collisions((0..16).map(|i| sobol.word(i.min(14), 3)), 4), 1);
        assert!(collisions((0..16).map(|i| Stream::new(0, 0, 0, Purpose::Start).word(i)), 4) > 0);
    }

    #[test]
    fn the_first_two_coordinates_are_a_zero_two_sequence() {
        let sobol = Sobol::new(2, 77);
        let k = 10;
        for first in [0, 3 << k] {
            for split in 0..=k {
                let cells = (first..first + (1 << k)).map(|i| {
                    let [x, y] = [sobol.word(i, 0), sobol.word(i, 1)].map(u64::from);
                    (((x << split >> 32) << (k - split) | (y << (k - split) >> 32)) << (32 - k)) as u32
                });
                assert_eq!(collisions(cells, k), 0, "2^{split} by 2^{} cells", k - split);
            }
        }
    }

    #[test]
    fn scrambling_is_nested_and_random() {
        // Over seeds: bit j flips half the time, and flips independently under two prefixes that
        // differ.
        let seeds = 4096_u32;
        let flip = |x: u32, seed: u64, j: u32| {
            ((Scramble::draw(seed, 0, 0).reversed(x.reverse_bits()).reverse_bits() ^ x) >> (31 - j)) & 1
        };
        for j in [0, 1, 3, 8, 20, 31] {
            for prefix in [0_u32, 0x1234_5678, 0xdead_beef, 0xffff_ffff] {
                let keep = u32::MAX.checked_shl(32 - j).unwrap_or(0);
                let (a, b) = (prefix & keep, if j == 0 { 0 } else { (prefix & keep) ^ (1 << (32 - j)) });
                let (mut ones, mut equal) = (0, 0);
                for seed in 0..u64::from(seeds) {
                    let bit = flip(a, seed, j);
                    assert_eq!(bit, flip(prefix, seed, j), "a later bit changed bit {j}");
                    ones += bit;
                    equal += u32::from(bit == flip(b, seed, j));
                }
                let off = |count: u32| (f64::from(count) - f64::from(seeds) / 2.0) / (f64::from(seeds) / 4.0).sqrt();
                assert!(off(ones).abs() < 4.5, "bit {j} under {prefix:#x}: {} deviations", off(ones));
                assert!(j == 0 || off(equal).abs() < 4.5, "bit {j} beside {prefix:#x}: {} deviations", off(equal));
            }
        }
    }

    #[test]
    fn lanes_are_words() {
        let sobol = Sobol::new(TABULATED + 2, 9);
        for coordinate in [0, 1, 1000, TABULATED + 1] {
            let base = 0xffff_fff0;
            let words: [u32; LANES] = std::array::from_fn(|lane| sobol.word(base + lane as u32, coordinate));
            assert_eq!(sobol.lanes(base, coordinate), words);
        }
    }

    const SCIPY: [(usize, u32); 6] = [
        (0, 0xb140_1800),
        (1, 0x97c0_7800),
        (2, 0x8438_7800),
        (40, 0x056d_e800),
        (500, 0x944e_4800),
        (1023, 0x2c1a_8800),
    ];
    const SCIPY_DIRECTIONS: u64 = 0x3139_1f5a_f958_55c8;
}
