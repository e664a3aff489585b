//! Where restarts went, without keeping them: final points counted on a grid, one pass, bounded memory.
//!
//! A point falls into the cell nearest to it; afterwards a cell beside one with more hits is taken for a part of it, so
//! that a minimum on the border of two cells is one place.
//!
//! ```
//! use catchment::random::Domain;
//! use catchment::report::Places;
//! let mut places = Places::new(&Domain::cube(2, -5.0, 5.0), 1000);
//! places.add(&[0.049, 0.0], 1.0);
//! places.add(&[0.051, 0.0], 0.5);
//! places.add(&[3.0, 1.0], 7.0);
//! let reached = places.finish();
//! assert_eq!((reached.places.len(), reached.places[0].hits, reached.places[0].value), (2, 2, 0.5));
//! ```

use crate::cpu::{Vectorised, Width, vectorised};
use crate::random::Domain;
use crate::{Batch, Column, Status};
use std::collections::HashMap;

/// The most coordinates of a grid.
const MOST: usize = 4;
/// Restarts that are looked at together.
const GROUP: usize = 128;

type Cell = [i32; MOST];

/// One axis of the grid.
#[derive(Clone, Copy, Debug)]
struct GridAxis {
    /// Width of a cell, and one by it.
    width: f64,
    inverse: f64,
    log: bool,
}

/// A cell that has been hit, and its lowest point's value.
#[derive(Clone, Debug)]
struct Hit {
    cell: Cell,
    hits: u64,
    value: f64,
}

/// Final points, being counted.
#[derive(Clone, Debug)]
pub struct Places {
    axes: Vec<GridAxis>,
    /// In the order of their first hits.
    cells: Vec<Hit>,
    /// The lowest point of each cell, one after the other.
    points: Vec<f64>,
    /// Open addressing with linear probing: 1 + the number of a cell, or 0; at least four times as many as cells.
    slots: Vec<u32>,
    limit: usize,
    elsewhere: u64,
    width: Width,
}

/// A place where restarts ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// How many.
    pub hits: u64,
    /// The lowest value among them.
    pub value: f64,
    /// The point with that value.
    pub x: Vec<f64>,
}

/// Where restarts went.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// Places, the most visited first.
    pub places: Vec<Place>,
    /// Restarts that ended where the grid had no room left.
    pub elsewhere: u64,
}

impl Places {
    /// The most coordinates that a surface may have for this; beyond, hardly two points share a cell.
    pub const MOST_DIMENSIONS: usize = MOST;

    /// An empty grid of 100 to 250 cells an axis, of which at most `limit` (below 2^31) are kept.
    pub fn new(domain: &Domain, limit: usize) -> Places {
        let axis = |i: usize| {
            let log = domain.log[i];
            let range = if log { (domain.hi[i] / domain.lo[i]).ln() } else { domain.hi[i] - domain.lo[i] };
            let width = round_down(range / 100.0);
            GridAxis { width, inverse: 1.0 / width, log }
        };
        Places {
            axes: (0..domain.dim().min(MOST)).map(axis).collect(),
            cells: Vec::new(),
            points: Vec::new(),
            slots: vec![0; 256],
            limit,
            elsewhere: 0,
            width: Width::detect(),
        }
    }

    /// The widest cell: what points are rounded to.
    pub fn rounding(&self) -> f64 {
        self.axes.iter().fold(0.0, |widest, axis| axis.width.max(widest))
    }

    /// Counts a final point, of which the first four coordinates count.
    pub fn add(&mut self, x: &[f64], value: f64) {
        let mut cell = Cell::default();
        for ((index, &x), axis) in cell.iter_mut().zip(x).zip(&self.axes) {
            *index = axis.index(x);
        }
        self.hit(cell, hash(cell, self.axes.len()), value, |i| x[i]);
    }

    /// Counts the final points of a batch, but for those that blew up. About 5 ns a restart where places are few.
    pub fn take(&mut self, batch: &Batch) {
        let (count, dim) = (batch.len(), self.axes.len().min(batch.dim));
        if batch.x.is_empty() {
            return;
        }
        let mut group = Group { cells: [Cell::default(); GROUP], hashes: [0; GROUP] };
        for from in (0..count).step_by(GROUP) {
            let size = GROUP.min(count - from);
            for (i, axis) in self.axes.iter().enumerate().take(dim) {
                let places = i * count + from..i * count + from + size;
                let (axis, group) = (*axis, &mut group);
                match &batch.x {
                    Column::F32(x) => vectorised(self.width, Locate { axis, i, x: &x[places], group }),
                    Column::F64(x) => vectorised(self.width, Locate { axis, i, x: &x[places], group }),
                }
            }
            for r in 0..size {
                let value = batch.value.at(from + r);
                let blown = matches!(batch.status[from + r], Status::Diverged | Status::Nonfinite);
                if value.is_finite() && !blown {
                    self.hit(group.cells[r], group.hashes[r], value, |i| batch.x.at(i * count + from + r));
                }
            }
        }
    }

    /// Counts a point of this cell.
    #[inline]
    fn hit(&mut self, cell: Cell, hash: u32, value: f64, x: impl Fn(usize) -> f64) {
        let dim = self.axes.len();
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                0 if self.cells.len() < self.limit => {
                    self.cells.push(Hit { cell, hits: 1, value });
                    self.points.extend((0..dim).map(x));
                    self.slots[slot] = self.cells.len() as u32;
                    if 4 * self.cells.len() > self.slots.len() {
                        self.grow();
                    }
                    return;
                }
                0 => {
                    self.elsewhere += 1;
                    return;
                }
                number => {
                    let number = number as usize - 1;
                    let hit = &mut self.cells[number];
                    if hit.cell == cell {
                        hit.hits += 1;
                        if value < hit.value {
                            hit.value = value;
                            self.points[number * dim..][..dim].iter_mut().enumerate().for_each(|(i, p)| *p = x(i));
                        }
                        return;
                    }
                    slot = (slot + 1) & mask;
                }
            }
        }
    }

    /// Twice as many slots.
    #[cold]
    fn grow(&mut self) {
        let mask = 2 * self.slots.len() - 1;
        self.slots = vec![0; mask + 1];
        for (number, hit) in (1..).zip(&self.cells) {
            let mut slot = hash(hit.cell, self.axes.len()) as usize & mask;
            while self.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = number;
        }
    }

    /// Joins neighbours and sorts.
    pub fn finish(self) -> Reached {
        let dim = self.axes.len();
        let place = |(hit, x): (Hit, &[f64])| (hit.cell, Place { hits: hit.hits, value: hit.value, x: x.to_vec() });
        let mut cells: Vec<(Cell, Place)> =
            self.cells.into_iter().zip(self.points.chunks(dim.max(1))).map(place).collect();
        cells.sort_unstable_by(|a, b| b.1.hits.cmp(&a.1.hits).then(a.0.cmp(&b.0)));
        let mut heads: HashMap<Cell, usize> = HashMap::new();
        let mut places: Vec<Place> = Vec::new();
        for (cell, place) in cells {
            match neighbours(cell, dim).find_map(|near| heads.get(&near)) {
                Some(&head) => {
                    let head = &mut places[head];
                    head.hits += place.hits;
                    if place.value < head.value {
                        (head.value, head.x) = (place.value, place.x);
                    }
                }
                None => {
                    heads.insert(cell, places.len());
                    places.push(place);
                }
            }
        }
        places.sort_by(|a, b| b.hits.cmp(&a.hits).then(a.value.total_cmp(&b.value)));
        Reached { places, elsewhere: self.elsewhere }
    }
}

impl GridAxis {
    /// The cell nearest to a coordinate. What lies beyond the grid's numbers shares its last cells.
    #[inline(always)]
    fn index(self, x: f64) -> i32 {
        const FAR: f64 = (1 << 30) as f64;
        // Added to a number below 2^51 it leaves the nearest whole one in the low bits, and rounds as vectors can.
        const WHOLE: f64 = (3u64 << 51) as f64;
        let place = (if self.log { x.max(0.0).ln() } else { x }) * self.inverse;
        (place.clamp(-FAR, FAR) + WHOLE).to_bits() as i32
    }
}

/// The cells of restarts that are looked at together, and their hashes.
struct Group {
    cells: [Cell; GROUP],
    hashes: [u32; GROUP],
}

/// Finds the place along one axis; the first axis begins the hashes, and each adds to them.
struct Locate<'a, T> {
    axis: GridAxis,
    i: usize,
    x: &'a [T],
    group: &'a mut Group,
}

impl<T: Copy + Into<f64>> Vectorised for Locate<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Locate { axis, i, x, group } = self;
        let mut places = [0i32; GROUP];
        match axis.log {
            true => places.iter_mut().zip(x).for_each(|(place, &x)| *place = axis.index(x.into())),
            false => {
                let axis = GridAxis { log: false, ..axis };
                places.iter_mut().zip(x).for_each(|(place, &x)| *place = axis.index(x.into()));
            }
        }
        if i == 0 {
            group.hashes = [SEED; GROUP];
        }
        group.hashes.iter_mut().zip(places).for_each(|(hash, place)| *hash = mix(*hash, place));
        group.cells.iter_mut().zip(places).for_each(|(cell, place)| cell[i] = place);
    }
}

/// What hashes begin with.
const SEED: u32 = 0x9e37_79b9;

/// Adds an index to a hash: the finisher of MurmurHash3 (Appleby 2011), whose products are in every vector's instructions.
#[inline(always)]
fn mix(hash: u32, index: i32) -> u32 {
    let mixed = (hash ^ index as u32).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35);
    mixed ^ (mixed >> 16)
}

/// A cell's hash, as [`Locate`] makes it axis by axis; indices beyond the last axis are 0.
fn hash(cell: Cell, dim: usize) -> u32 {
    cell[..dim].iter().fold(SEED, |hash, &index| mix(hash, index))
}

/// The cells that touch this one, itself included, in a fixed order.
fn neighbours(cell: Cell, dim: usize) -> impl Iterator<Item = Cell> {
    (0..3usize.pow(dim as u32)).map(move |mut code| {
        let mut near = cell;
        for index in near.iter_mut().take(dim) {
            *index = index.saturating_add((code % 3) as i32 - 1);
            code /= 3;
        }
        near
    })
}

/// The next lower of 1, 2 and 5 times a power of ten.
fn round_down(value: f64) -> f64 {
    if value <= 0.0 {
        return f64::MIN_POSITIVE;
    }
    let power = 10f64.powf(value.log10().floor());
    [5.0, 2.0].into_iter().map(|m| m * power).find(|&v| v <= value).unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_nothing_is_lost() {
        let mut places = Places::new(&Domain::cube(1, 0.0, 1.0), 10);
        assert_eq!(places.rounding(), 0.01);
        for i in 0..1000 {
            places.add(&[f64::from(i) * 0.05], f64::from(i));
        }
        places.add(&[f64::INFINITY], 0.0);
        let reached = places.finish();
        assert_eq!(reached.places.iter().map(|p| p.hits).sum::<u64>() + reached.elsewhere, 1001);
        assert_eq!(reached.places.len(), 10);
    }

    #[test]
    fn a_batch_counts_as_its_points_do() {
        let domain = Domain { lo: vec![-5.0, 1e-3], hi: vec![5.0, 10.0], log: vec![false, true] };
        let n = 1000;
        let x = |r: usize| [(r as f64 * 0.37).sin() * 6.0, (r as f64 * 0.11).cos().abs() + 1e-4].map(|v| v as f32);
        let value = |r: usize| if r % 50 == 7 { f32::NAN } else { (r as f32 * 0.7).sin() };
        let batch = Batch {
            configuration: 0,
            first: 0,
            dim: 2,
            value: Column::F32((0..n).map(value).collect()),
            gradient_norm: Column::F32(vec![0.0; n]),
            steps: vec![1; n],
            status: (0..n).map(|r| if r % 30 == 4 { Status::Diverged } else { Status::MaxSteps }).collect(),
            start_value: Column::F32(Vec::new()),
            x: Column::F32((0..2).flat_map(|i| (0..n).map(move |r| x(r)[i])).collect()),
        };
        for limit in [1 << 17, 20] {
            let (mut together, mut apart) = (Places::new(&domain, limit), Places::new(&domain, limit));
            together.take(&batch);
            for r in (0..n).filter(|&r| value(r).is_finite() && batch.status[r] == Status::MaxSteps) {
                apart.add(&x(r).map(f64::from), f64::from(value(r)));
            }
            let (together, apart) = (together.finish(), apart.finish());
            assert_eq!(together, apart);
            assert!(together.places.len() > 5 && (together.elsewhere > 0) == (limit == 20));
        }
    }

    #[test]
    fn rounding_is_to_round_numbers() {
        for (value, rounded) in [(0.1024, 0.1), (0.65, 0.5), (2.0, 2.0), (0.3, 0.2)] {
            assert!((round_down(value) - rounded).abs() < 1e-12);
        }
        assert!(round_down(0.0) > 0.0);
    }
}
