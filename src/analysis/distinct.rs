//! Points told apart: a hash grid over random projections, and unions of what lies near.
//!
//! Two points are one where they are nearer than the tolerance in the box's own metric: each coordinate measured by its
//! width, a periodic one along its circle. Three orthonormal projections never lengthen a distance, so that near points stand in
//! neighbouring cells of a cubic grid over them, whatever the dimension; the whole distance then decides.

use super::polish::norm;
use crate::random::{Domain, Purpose, Stream, normal_pair_f64};
use std::collections::HashMap;

/// Points that have been told apart.
#[derive(Debug)]
pub(crate) struct Distinct {
    metric: Metric,
    tolerance: f64,
    projections: Vec<Vec<f64>>,
    /// Points by cell.
    cells: HashMap<[i64; 3], Vec<u32>>,
    /// Every representative in the metric.
    points: Vec<Vec<f64>>,
    /// Which representative each is one with.
    parents: Vec<u32>,
}

/// The metric of a box.
#[derive(Clone, Debug)]
pub(crate) struct Metric {
    lo: Vec<f64>,
    width: Vec<f64>,
    periodic: Vec<bool>,
}

impl Metric {
    pub(crate) fn new(domain: &Domain, periodic: &[usize]) -> Metric {
        let width = domain.lo.iter().zip(&domain.hi).map(|(lo, hi)| if hi > lo { hi - lo } else { 1.0 }).collect();
        let periodic = (0..domain.dim()).map(|i| periodic.contains(&i) && domain.hi[i] > domain.lo[i]).collect();
        Metric { lo: domain.lo.clone(), width, periodic }
    }

    /// A point with its periodic coordinates in the box.
    pub(crate) fn home(&self, x: &[f64]) -> Vec<f64> {
        let home = |i: usize| {
            if !self.periodic[i] {
                return x[i];
            }
            let turn = ((x[i] - self.lo[i]) / self.width[i]).rem_euclid(1.0);
            // Rounding may leave a point just below the upper end that stands for the lower one.
            self.lo[i] + self.width[i] * if turn > 1.0 - 1e-12 { 0.0 } else { turn }
        };
        (0..x.len()).map(home).collect()
    }

    /// A point where distances are Euclidean: widths as units, a circle for a periodic coordinate.
    pub(crate) fn place(&self, x: &[f64]) -> Vec<f64> {
        let mut out = Vec::with_capacity(x.len());
        for (i, x) in x.iter().enumerate() {
            let unit = (x - self.lo[i]) / self.width[i];
            if self.periodic[i] {
                let turn = std::f64::consts::TAU;
                out.extend([(turn * unit).cos() / turn, (turn * unit).sin() / turn]);
            } else {
                out.push(unit);
            }
        }
        out
    }
}

impl Distinct {
    pub(crate) fn new(metric: Metric, tolerance: f64) -> Distinct {
        let dim = metric.width.len() + metric.periodic.iter().filter(|p| **p).count();
        Distinct {
            projections: projections(dim),
            metric,
            tolerance,
            cells: HashMap::new(),
            points: Vec::new(),
            parents: Vec::new(),
        }
    }

    /// The number of the point that this one is, and whether it is new.
    pub(crate) fn insert(&mut self, x: &[f64]) -> (u32, bool) {
        let place = self.metric.place(x);
        let mut cell = [0i64; 3];
        for (cell, direction) in cell.iter_mut().zip(&self.projections) {
            let along: f64 = place.iter().zip(direction).map(|(p, d)| p * d).sum();
            *cell = (along / self.tolerance).floor() as i64;
        }
        let mut found: Option<u32> = None;
        for offset in 0..27 {
            let shift = [offset % 3 - 1, offset / 3 % 3 - 1, offset / 9 - 1];
            let near =
                [cell[0].saturating_add(shift[0]), cell[1].saturating_add(shift[1]), cell[2].saturating_add(shift[2])];
            for k in self.cells.get(&near).cloned().unwrap_or_default() {
                let apart: Vec<f64> = self.points[k as usize].iter().zip(&place).map(|(a, b)| a - b).collect();
                if norm(&apart) <= self.tolerance {
                    let root = self.root(k);
                    found = Some(match found {
                        None => root,
                        Some(other) => self.join(other, root),
                    });
                }
            }
        }
        if let Some(root) = found {
            return (root, false);
        }
        let number = self.points.len() as u32;
        self.points.push(place);
        self.parents.push(number);
        self.cells.entry(cell).or_default().push(number);
        (number, true)
    }

    /// The number of a point that no other is one with.
    pub(crate) fn apart(&mut self) -> u32 {
        let number = self.points.len() as u32;
        self.points.push(Vec::new());
        self.parents.push(number);
        number
    }

    /// The first of the points that are one with this.
    pub(crate) fn root(&mut self, mut k: u32) -> u32 {
        while self.parents[k as usize] != k {
            self.parents[k as usize] = self.parents[self.parents[k as usize] as usize];
            k = self.parents[k as usize];
        }
        k
    }

    fn join(&mut self, a: u32, b: u32) -> u32 {
        let (low, high) = (a.min(b), a.max(b));
        self.parents[high as usize] = low;
        low
    }
}

/// At most three orthonormal directions that no lattice is aligned with.
fn projections(dim: usize) -> Vec<Vec<f64>> {
    let stream = Stream::new(0x6d69_6e69, 0, 0, Purpose::Scramble);
    let mut all: Vec<Vec<f64>> = Vec::new();
    let mut word = 0;
    while all.len() < dim.min(3) {
        let mut v: Vec<f64> = (0..dim)
            .map(|_| {
                word += 2;
                normal_pair_f64(stream.word(word - 2), stream.word(word - 1)).0
            })
            .collect();
        for before in &all {
            let along: f64 = before.iter().zip(&v).map(|(a, b)| a * b).sum();
            v.iter_mut().zip(before).for_each(|(v, b)| *v -= along * b);
        }
        let length = norm(&v);
        if length > 1e-3 {
            all.push(v.into_iter().map(|a| a / length).collect());
        }
    }
    all
}

/// A cell of a grid with this many cells a width, as 128 bits: two cells that meet by chance are not to be expected.
pub(crate) fn cell_of(place: &[f64], cells: f64) -> u128 {
    let (mut a, mut b) = (0x9e37_79b9_7f4a_7c15u64, 0xc2b2_ae3d_27d4_eb4fu64);
    for p in place {
        let k = (p * cells).floor() as i64 as u64;
        a = mixed(a ^ k);
        b = mixed(b.wrapping_add(k.rotate_left(32)) ^ 0x1656_67b1_9e37_79f9);
    }
    u128::from(a) << 64 | u128::from(b)
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014).
fn mixed(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distinct(dim: usize, periodic: &[usize], tolerance: f64) -> Distinct {
        Distinct::new(Metric::new(&Domain::cube(dim, -2.0, 2.0), periodic), tolerance)
    }

    #[test]
    fn near_points_are_one_and_others_are_not() {
        for dim in [1, 2, 5, 40] {
            let mut all = distinct(dim, &[], 1e-3);
            let at = |k: usize| (0..dim).map(|i| ((k >> (i % 4)) % 3) as f64 - 1.0).collect::<Vec<f64>>();
            let first: Vec<u32> = (0..16).map(|k| all.insert(&at(k)).0).collect();
            for (k, &first) in first.iter().enumerate() {
                let mut near = at(k);
                near[dim - 1] += 3.9e-3;
                assert_eq!(all.insert(&near), (first, false), "{dim}: a width is 4, so 3.9e-3 is within");
                near[dim - 1] += 4.3e-3;
                assert_ne!(all.insert(&near).0, first);
            }
        }
    }

    #[test]
    fn a_periodic_coordinate_meets_itself() {
        let mut all = distinct(2, &[0], 1e-4);
        assert_eq!(all.insert(&[-2.0, 1.0]), (0, true));
        assert_eq!(all.insert(&[2.0, 1.0]), (0, false));
        assert_eq!(all.insert(&[6.0001, 1.0]), (0, false));
        assert_eq!(all.insert(&[0.0, 1.0]), (1, true));
        assert_eq!(Metric::new(&Domain::cube(2, -2.0, 2.0), &[0]).home(&[7.0, 7.0]), [-1.0, 7.0]);
    }

    #[test]
    fn a_bridge_joins_two() {
        let mut all = distinct(1, &[], 1e-2);
        let (a, b) = (all.insert(&[0.0]).0, all.insert(&[0.06]).0);
        assert_ne!(all.root(a), all.root(b));
        all.insert(&[0.03]);
        assert_eq!(all.root(a), all.root(b));
    }
}
