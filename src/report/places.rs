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

use crate::random::Domain;
use std::collections::HashMap;

/// The most coordinates of a grid.
const MOST: usize = 4;

type Cell = [i32; MOST];

/// Final points, being counted.
#[derive(Clone, Debug)]
pub struct Places {
    /// Width of a cell, and whether the axis is logarithmic.
    axes: Vec<(f64, bool)>,
    cells: HashMap<Cell, Place>,
    limit: usize,
    elsewhere: u64,
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

    /// An empty grid of 100 to 250 cells an axis, of which at most `limit` are kept.
    pub fn new(domain: &Domain, limit: usize) -> Places {
        let axis = |i: usize| match domain.log[i] {
            true => (round_down((domain.hi[i] / domain.lo[i]).ln() / 100.0), true),
            false => (round_down((domain.hi[i] - domain.lo[i]) / 100.0), false),
        };
        Places { axes: (0..domain.dim().min(MOST)).map(axis).collect(), cells: HashMap::new(), limit, elsewhere: 0 }
    }

    /// The widest cell: what points are rounded to.
    pub fn rounding(&self) -> f64 {
        self.axes.iter().fold(0.0, |widest, axis| axis.0.max(widest))
    }

    /// Counts a final point.
    pub fn add(&mut self, x: &[f64], value: f64) {
        let mut cell = Cell::default();
        for ((index, &x), &(width, log)) in cell.iter_mut().zip(x).zip(&self.axes) {
            // `as` saturates: what lies beyond the grid's numbers shares its last cells.
            *index = ((if log { x.max(0.0).ln() } else { x }) / width).round() as i32;
        }
        let room = self.cells.len() < self.limit;
        match self.cells.get_mut(&cell) {
            Some(place) => {
                place.hits += 1;
                if value < place.value {
                    place.value = value;
                    place.x.copy_from_slice(x);
                }
            }
            None if room => {
                self.cells.insert(cell, Place { hits: 1, value, x: x.to_vec() });
            }
            None => self.elsewhere += 1,
        }
    }

    /// Joins neighbours and sorts.
    pub fn finish(self) -> Reached {
        let dim = self.axes.len();
        let mut cells: Vec<(Cell, Place)> = self.cells.into_iter().collect();
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
    fn rounding_is_to_round_numbers() {
        for (value, rounded) in [(0.1024, 0.1), (0.65, 0.5), (2.0, 2.0), (0.3, 0.2)] {
            assert!((round_down(value) - rounded).abs() < 1e-12);
        }
        assert!(round_down(0.0) > 0.0);
    }
}
