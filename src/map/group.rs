//! Which of many end points belong together: cells of a fine grid, joined where they touch.

use std::collections::HashMap;

/// End points told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The group of each point; `u32::MAX` for one that was left out.
    pub label: Vec<u32>,
    /// For each group, the number of its best point.
    pub best: Vec<usize>,
}

/// Left out.
pub(super) const NONE: u32 = u32::MAX;
/// Up to this many dimensions a cell's neighbours are looked up, beyond that found by sorting.
const LOOKED_UP: usize = 4;

/// Groups points (row-major, `dim` numbers each) whose cells of widths `cell` touch, corners included; only those with a finite `rank`
/// take part, and a group's best point has the lowest. Groups are numbered by their first point.
///
/// ```
/// let points = [0.0, 1.0, 0.1, 7.0, 0.2];
/// let groups = catchment::map::group(1, &points, &[3.0, 0.0, 2.0, f32::NAN, 2.0], &[0.1]);
/// assert_eq!((&groups.label[..], &groups.best[..]), (&[0, 1, 0, u32::MAX, 0][..], &[2, 1][..]));
/// ```
pub fn group(dim: usize, points: &[f32], rank: &[f32], cell: &[f64]) -> Groups {
    let inverse: Vec<f64> = cell.iter().map(|width| 1.0 / width).collect();
    let mut cells: HashMap<Vec<i32>, u32> = HashMap::new();
    let mut keys: Vec<Vec<i32>> = Vec::new();
    let mut label = vec![NONE; rank.len()];
    let mut key = vec![0i32; dim];
    let mut last = NONE;
    for (i, point) in points.chunks_exact(dim).enumerate() {
        if !rank[i].is_finite() {
            continue;
        }
        // Conversion saturates: far points share the last cell.
        key.iter_mut().zip(point).zip(&inverse).for_each(|((k, x), w)| *k = (f64::from(*x) * w).round() as i32);
        // Neighbours in the picture mostly end at the same place.
        if last == NONE || keys[last as usize] != key {
            last = *cells.entry(key.clone()).or_insert_with(|| {
                keys.push(key.clone());
                keys.len() as u32 - 1
            });
        }
        label[i] = last;
    }
    let mut parent: Vec<u32> = (0..keys.len() as u32).collect();
    join_neighbours(dim, &keys, &cells, &mut parent);
    let mut number: HashMap<u32, u32> = HashMap::new();
    let mut best: Vec<usize> = Vec::new();
    for (i, label) in label.iter_mut().enumerate().filter(|(_, label)| **label != NONE) {
        let root = find(&mut parent, *label);
        let group = *number.entry(root).or_insert_with(|| {
            best.push(i);
            best.len() as u32 - 1
        });
        let known = &mut best[group as usize];
        if rank[i] < rank[*known] {
            *known = i;
        }
        *label = group;
    }
    Groups { label, best }
}

fn find(parent: &mut [u32], mut cell: u32) -> u32 {
    while parent[cell as usize] != cell {
        parent[cell as usize] = parent[parent[cell as usize] as usize];
        cell = parent[cell as usize];
    }
    cell
}

fn union(parent: &mut [u32], a: u32, b: u32) {
    let (a, b) = (find(parent, a), find(parent, b));
    let (low, high) = (a.min(b), a.max(b));
    parent[high as usize] = low;
}

fn join_neighbours(dim: usize, keys: &[Vec<i32>], cells: &HashMap<Vec<i32>, u32>, parent: &mut [u32]) {
    if dim <= LOOKED_UP {
        let around = 3usize.pow(dim as u32);
        let mut near = vec![0; dim];
        for (number, key) in keys.iter().enumerate() {
            // Half of the neighbours: the other half finds this cell.
            for code in around / 2 + 1..around {
                let mut rest = code;
                for (to, &from) in near.iter_mut().zip(key) {
                    *to = from.saturating_add((rest % 3) as i32 - 1);
                    rest /= 3;
                }
                if let Some(&other) = cells.get(&near) {
                    union(parent, number as u32, other);
                }
            }
        }
        return;
    }
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| keys[a as usize].cmp(&keys[b as usize]));
    for (i, &a) in order.iter().enumerate() {
        let key = &keys[a as usize];
        for &b in order[i + 1..].iter().take_while(|&&b| keys[b as usize][0] <= key[0].saturating_add(1)) {
            if key.iter().zip(&keys[b as usize]).all(|(a, b)| a.abs_diff(*b) <= 1) {
                union(parent, a, b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_dimensions_group_as_few_do() {
        // A chain of touching cells and one that is apart, in every dimension.
        for dim in 1..8 {
            let point = |t: f32| vec![t; dim];
            let points: Vec<f32> = [point(0.0), point(0.1), point(0.2), point(0.5), point(0.52), point(-1e30)].concat();
            let groups = group(dim, &points, &[0.0; 6], &vec![0.1; dim]);
            assert_eq!(groups.label, [0, 0, 0, 1, 1, 2], "{dim}");
        }
    }
}
