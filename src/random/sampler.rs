//! Starting points, every one found from its restart's id alone.
//!
//! Uniform, Sobol' and Latin starts reduce to one word `w` for each (restart, coordinate), and then
//! `x = clamp(lo + width · uniform(w), lo, hi)` in f32, a product rounded and then a sum rounded:
//! `start_uniform` in `shaders/starts.wgsl` gives the same bits. Everything else is computed here
//! in f64 and rounded once. Either way a start is a point that f32 holds, the same for every engine
//! and precision.
//!
//! ```
//! use catchment::random::{Domain, Sampler, Starts};
//! let sampler = Sampler::new(&Starts::Grid, &Domain::cube(2, -1.0, 1.0), 42, 9)?;
//! let mut x = [0.0; 2 * 3];
//! sampler.fill(3, 3, &mut x); // the middle row, coordinate by coordinate
//! assert_eq!(x, [-0.6666667, 0.0, 0.6666667, 0.0, 0.0, 0.0]);
//! # Ok::<(), catchment::random::StartsError>(())
//! ```

use std::sync::Arc;

use super::axis::Axis;
use super::grid::Grid;
use super::latin::{Permutation, stratify};
use super::normal::normal_pair_f64;
use super::philox::{LANES, Purpose, Stream, key_of, philox_lanes};
use super::points::Points;
use super::sobol::Sobol;
use super::starts::{Domain, Starts, StartsError};
use crate::cpu::{Vectorised, Width, vectorised};

/// A rule with what it needs ready.
#[derive(Clone, Debug)]
enum Rule {
    Uniform,
    Normal(f64),
    Sobol(Sobol),
    Latin(u64, Vec<Permutation>),
    Grid(Grid),
    Points(Arc<Points>),
}

/// The starts of a whole run, ready to be asked for any window of restarts by any thread.
#[derive(Clone, Debug)]
pub struct Sampler {
    seed: u64,
    axes: Vec<Axis>,
    rule: Rule,
    width: Width,
}

impl Sampler {
    /// Prepares the starts of `restarts` restarts. Only Latin hypercubes and grids depend on that
    /// number.
    ///
    /// # Errors
    ///
    /// Those of [`Domain::check`]; [`StartsError::PointsDim`]; [`StartsError::TooMany`] for a Latin
    /// hypercube of more than 2^32 restarts; [`StartsError::Spread`] for a standard deviation that
    /// is not positive and finite.
    pub fn new(starts: &Starts, domain: &Domain, seed: u64, restarts: u64) -> Result<Self, StartsError> {
        domain.check()?;
        let dim = domain.dim();
        let rule = match starts {
            Starts::Uniform => Rule::Uniform,
            Starts::Normal { sd } if sd.is_finite() && *sd > 0.0 => Rule::Normal(*sd),
            Starts::Normal { sd } => {
                return Err(StartsError::Spread { text: sd.to_string() });
            }
            Starts::Sobol => Rule::Sobol(Sobol::new(dim, seed)),
            Starts::LatinHypercube => {
                let (count, limit) = (restarts.max(1), 1 << 32);
                if count > limit {
                    return Err(StartsError::TooMany { restarts, limit });
                }
                Rule::Latin(count, (0..dim).map(|c| Permutation::draw(count, seed, c)).collect())
            }
            Starts::Grid => Rule::Grid(Grid::new(dim, restarts)),
            Starts::Points(points) if points.dim() == dim => Rule::Points(Arc::clone(points)),
            Starts::Points(points) => {
                return Err(StartsError::PointsDim { expected: dim, got: points.dim() });
            }
        };
        let ends = domain.lo.iter().zip(&domain.hi).zip(&domain.log);
        let axes = ends.map(|((&lo, &hi), &log)| Axis::new(lo, hi, log)).collect();
        Ok(Self { seed, axes, rule, width: Width::detect() })
    }

    /// How many coordinates a start has.
    pub fn dim(&self) -> usize {
        self.axes.len()
    }

    /// The word from which a start's coordinate is made, where the rule is uniform, Sobol' or
    /// Latin.
    ///
    /// Sobol' counts restarts modulo 2^32, a Latin hypercube modulo their total.
    pub fn word(&self, restart: u64, coordinate: usize) -> Option<u32> {
        let random = || Stream::new(self.seed, restart, 0, Purpose::Start).word(coordinate as u32);
        match &self.rule {
            _ if coordinate >= self.dim() => None,
            Rule::Uniform => Some(random()),
            Rule::Sobol(sobol) => Some(sobol.word(restart as u32, coordinate)),
            Rule::Latin(count, permutations) => {
                Some(stratify(permutations[coordinate].at((restart % count) as u32), *count, random()))
            }
            Rule::Normal(_) | Rule::Grid(_) | Rule::Points(_) => None,
        }
    }

    /// `[lo, width, hi]` from which `start_uniform` in `shaders/starts.wgsl` makes a coordinate of
    /// its [`word`](Self::word), or `None` where only [`fill`](Self::fill) can: rules without
    /// words, logarithmic axes, no such coordinate.
    ///
    /// A device may flush numbers below 2^-126 to zero: the bits are the same if `lo` is 0 or at
    /// least 2^-100 in size, and so is the width.
    pub fn affine(&self, coordinate: usize) -> Option<[f32; 3]> {
        let axis = self.axes.get(coordinate).filter(|axis| !axis.log)?;
        let reduces = matches!(self.rule, Rule::Uniform | Rule::Sobol(_) | Rule::Latin(..));
        reduces.then_some([axis.lo, axis.width, axis.hi])
    }

    /// Writes the starts of restarts `first` to `first + count - 1`: coordinate `i` of restart
    /// `first + r` to `out[i * count + r]`. Any window gives the same bits as any other. Ids are
    /// below 2^63.
    ///
    /// # Panics
    ///
    /// If `out` does not hold `dim · count` numbers.
    pub fn fill(&self, first: u64, count: usize, out: &mut [f32]) {
        assert_eq!(out.len(), self.dim() * count, "the output must hold dim * count numbers");
        if count == 0 {
            return;
        }
        match &self.rule {
            Rule::Grid(grid) => {
                for (coordinate, (axis, column)) in self.axes.iter().zip(out.chunks_exact_mut(count)).enumerate() {
                    for (r, x) in column.iter_mut().enumerate() {
                        *x = axis.at(grid.unit(first + r as u64, coordinate));
                    }
                }
            }
            Rule::Points(points) => {
                for r in 0..count {
                    for (coordinate, &value) in points.row(first + r as u64).iter().enumerate() {
                        out[coordinate * count + r] = value as f32;
                    }
                }
            }
            Rule::Uniform => {
                for (block, (axes, columns)) in self.axes.chunks(4).zip(out.chunks_mut(4 * count)).enumerate() {
                    let tag = Purpose::Start.tag(block as u32);
                    vectorised(self.width, Uniform { key: key_of(self.seed), tag, axes, first, count, columns });
                }
            }
            rule => self.fill_lanes(rule, first, count, out),
        }
    }

    /// [`fill`](Self::fill) by blocks of four coordinates and aligned groups of restarts.
    fn fill_lanes(&self, rule: &Rule, first: u64, count: usize, out: &mut [f32]) {
        let end = first + count as u64;
        for (block, (axes, columns)) in self.axes.chunks(4).zip(out.chunks_mut(4 * count)).enumerate() {
            let mut base = first - first % LANES as u64;
            while base < end {
                let values = self.lanes(rule, base, block, axes);
                // The part of the group that lies inside the window.
                let from = first.saturating_sub(base) as usize;
                let to = (end - base).min(LANES as u64) as usize;
                let at = (base + from as u64 - first) as usize;
                for (column, values) in columns.chunks_exact_mut(count).zip(&values) {
                    column[at..at + to - from].copy_from_slice(&values[from..to]);
                }
                base += LANES as u64;
            }
        }
    }

    /// Four coordinates of the restarts `base` to `base + 15`.
    #[inline]
    fn lanes(&self, rule: &Rule, base: u64, block: usize, axes: &[Axis]) -> [[f32; LANES]; 4] {
        let mut values = [[0.0; LANES]; 4];
        if let Rule::Sobol(sobol) = rule {
            for (j, axis) in axes.iter().enumerate() {
                values[j] = axis.of_words(&sobol.lanes(base as u32, 4 * block + j));
            }
            return values;
        }
        let ids = std::array::from_fn(|lane| (base as u32) | lane as u32);
        let tag = Purpose::Start.tag(block as u32);
        let mut words = philox_lanes(ids, (base >> 32) as u32, 0, tag, key_of(self.seed));
        match rule {
            Rule::Normal(sd) => {
                for lane in 0..LANES {
                    let (a, b) = normal_pair_f64(words[0][lane], words[1][lane]);
                    let (c, d) = normal_pair_f64(words[2][lane], words[3][lane]);
                    for ((axis, column), z) in axes.iter().zip(&mut values).zip([a, b, c, d]) {
                        column[lane] = axis.about_middle(sd * z);
                    }
                }
                return values;
            }
            Rule::Latin(total, permutations) => {
                for (permutation, words) in permutations[4 * block..].iter().zip(&mut words) {
                    for (lane, word) in words.iter_mut().enumerate() {
                        let index = ((base + lane as u64) % total) as u32;
                        *word = stratify(permutation.at(index), *total, *word);
                    }
                }
            }
            _ => {}
        }
        for ((axis, words), column) in axes.iter().zip(&words).zip(&mut values) {
            *column = axis.of_words(words);
        }
        values
    }
}

/// Uniform starts in up to four coordinates: 2 to 4 ns a restart where vectors are wide.
struct Uniform<'a> {
    key: [u32; 2],
    tag: u32,
    axes: &'a [Axis],
    first: u64,
    count: usize,
    columns: &'a mut [f32],
}

impl Vectorised for Uniform<'_> {
    #[inline(always)]
    fn run(self) {
        let Uniform { key, tag, axes, first, count, columns } = self;
        let mut at = 0;
        while at < count {
            // Groups that begin at a multiple of their size share the restarts' high word; the first may be cut short.
            let id = first + at as u64;
            let skip = id as usize % LANES;
            let base = id - skip as u64;
            let mut ids = [base as u32; LANES];
            ids.iter_mut().zip(0..).for_each(|(id, lane)| *id |= lane);
            let words = philox_lanes(ids, (base >> 32) as u32, 0, tag, key);
            let size = (LANES - skip).min(count - at);
            for ((axis, words), column) in axes.iter().zip(&words).zip(columns.chunks_exact_mut(count)) {
                let values = axis.of_words(words);
                match column[at..at + size].as_mut_array::<LANES>() {
                    Some(whole) => *whole = values,
                    None => column[at..at + size].copy_from_slice(&values[skip..skip + size]),
                }
            }
            at += size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every rule, on a domain with plain, fixed, lopsided and logarithmic axes and more than one
    /// block of coordinates.
    fn rows(restarts: u64) -> Vec<(String, Sampler)> {
        let domain = Domain {
            lo: vec![-5.12, 3.0, 1e-4, 0.1, -1e6, -0.0],
            hi: vec![5.12, 3.0, 1e2, 0.3, 0.0, 7e-3],
            log: vec![false, false, true, false, false, false],
        };
        let points = Points::new(6, (0..30).map(|i| f64::from(i) * 0.1).collect()).unwrap();
        let all = [
            Starts::Uniform,
            Starts::Normal { sd: 0.7 },
            Starts::Sobol,
            Starts::LatinHypercube,
            Starts::Grid,
            Starts::Points(Arc::new(points)),
        ];
        let sampler = |starts: Starts| (starts.to_string(), Sampler::new(&starts, &domain, 2024, restarts).unwrap());
        all.into_iter().map(sampler).collect()
    }

    fn filled(sampler: &Sampler, first: u64, count: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; sampler.dim() * count];
        sampler.fill(first, count, &mut out);
        out
    }

    #[test]
    fn any_window_gives_the_same_bits() {
        for (name, sampler) in rows(100) {
            for start in [0, (1 << 32) - 40, (1 << 63) - 100] {
                let whole = filled(&sampler, start, 100);
                assert!(whole.iter().all(|x| x.is_finite()), "{name}");
                for (offset, count) in [(0, 1), (0, 16), (1, 15), (15, 2), (37, 50), (99, 1), (50, 0)] {
                    let part = filled(&sampler, start + offset as u64, count);
                    for c in 0..sampler.dim() {
                        let bits = |xs: &[f32]| xs.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                        let expected = bits(&whole[c * 100 + offset..][..count]);
                        assert_eq!(bits(&part[c * count..][..count]), expected, "{name} {start} {offset} {count} {c}");
                    }
                }
            }
        }
    }

    #[test]
    fn words_place_the_starts_inside_the_domain() {
        for (name, sampler) in rows(1000) {
            for first in [0, (1 << 32) - 40, (5 << 32) + 3] {
                let out = filled(&sampler, first, 1000);
                for (c, axis) in sampler.axes.iter().enumerate() {
                    for r in 0..1000 {
                        let x = out[c * 1000 + r];
                        if let Some(word) = sampler.word(first + r as u64, c) {
                            let (got, expected) = (x.to_bits(), axis.of_word(word).to_bits());
                            assert_eq!(got, expected, "{name}: restart {first} + {r}, coordinate {c}");
                        }
                        let free = matches!(sampler.rule, Rule::Normal(_) | Rule::Points(_));
                        assert!(free || (x >= axis.lo && x <= axis.hi), "{name}: {x}");
                    }
                }
            }
            assert_eq!(sampler.word(0, sampler.dim()), None);
        }
    }

    #[test]
    fn wide_vectors_draw_the_scalar_numbers() {
        for (_, mut sampler) in rows(1).into_iter().take(1) {
            for width in Width::all() {
                sampler.width = width;
                for (first, count) in [(0, 256), (7, 100), ((1 << 32) - 9, 33), (5, 3)] {
                    let out = filled(&sampler, first, count);
                    for (i, x) in out.iter().enumerate() {
                        let (coordinate, restart) = (i / count, first + (i % count) as u64);
                        let word = Stream::new(2024, restart, 0, Purpose::Start).word(coordinate as u32);
                        let expected = sampler.axes[coordinate].of_word(word);
                        assert_eq!(x.to_bits(), expected.to_bits(), "{width:?} {restart} {coordinate}");
                    }
                }
            }
        }
    }

    #[test]
    fn half_of_the_starts_lie_below_the_middle() {
        let middles = [0.0, f64::NAN, 0.1, 0.2, -5e5, 3.5e-3]; // 0.1 is the geometric middle
        for (name, sampler) in rows(4096).into_iter().take(4) {
            let out = filled(&sampler, 0, 4096);
            for c in [0, 2, 3, 4, 5] {
                let below = out[c * 4096..][..4096].iter().filter(|&&x| f64::from(x) < middles[c]).count();
                let even = matches!(sampler.rule, Rule::Sobol(_) | Rule::Latin(..));
                assert!(below.abs_diff(2048) <= if even { 0 } else { 144 }, "{name}, coordinate {c}: {below}");
            }
        }
    }

    #[test]
    fn seeds_and_coordinates_differ() {
        let domain = Domain::cube(3, 0.0, 1.0);
        for starts in [Starts::Uniform, Starts::Normal { sd: 1.0 }, Starts::Sobol, Starts::LatinHypercube] {
            let draw = |seed| filled(&Sampler::new(&starts, &domain, seed, 64).unwrap(), 0, 64);
            let (one, two) = (draw(1), draw(2));
            assert_eq!(one, draw(1));
            assert_ne!(one, two);
            assert_ne!(one[..64], one[64..128]);
        }
    }

    #[test]
    fn bits_stay_as_they_are() {
        // Results are replayed from seeds: a change of these bits is a change of every recorded
        // run.
        let hash = |sampler: &Sampler| {
            let bytes = filled(sampler, 3, 50).into_iter().flat_map(|x| x.to_bits().to_le_bytes());
            bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
        };
        let hashes: Vec<(String, u32)> = rows(60).iter().map(|(name, sampler)| (name.clone(), hash(sampler))).collect();
        let expected = BITS.map(|(name, hash)| (name.to_owned(), hash));
        assert_eq!(hashes, expected);
    }

    const BITS: [(&str, u32); 6] = [
        ("uniform", 0xca67_83b3),
        ("normal:0.7", 0xa38f_5bfa),
        ("sobol", 0x9320_d5c7),
        ("lhs", 0xb4ce_75fd),
        ("grid", 0x0515_219c),
        ("points", 0x3a48_78e5),
    ];

    #[test]
    fn what_does_not_fit_is_refused() {
        let domain = Domain::cube(2, 0.0, 1.0);
        let points = Starts::Points(Arc::new(Points::new(3, vec![0.0; 3]).unwrap()));
        assert!(matches!(Sampler::new(&points, &domain, 0, 1), Err(StartsError::PointsDim { expected: 2, got: 3 })));
        let many = Sampler::new(&Starts::LatinHypercube, &domain, 0, (1 << 32) + 1);
        assert!(matches!(many, Err(StartsError::TooMany { .. })));
        let flat = Sampler::new(&Starts::Normal { sd: 0.0 }, &domain, 0, 1);
        assert!(matches!(flat, Err(StartsError::Spread { .. })));
    }
}
