//! Places: positions along an axis as functions of loop counters.

use super::super::{Index, LoopVar};
use crate::graph::{Axis, MAX_RANK};

/// One counter's share of a place; a step of 0 is no term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Term {
    var: LoopVar,
    step: i32,
    turns: u32,
    level: usize,
}

/// A place along an axis: `offset + Σ step·turn`, for the turns of the loops that its terms name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    offset: i32,
    /// By counter, absent ones last.
    terms: [Term; MAX_RANK],
}

/// Where each axis stands.
pub(super) type Places = Vec<(Axis, Place)>;

impl Place {
    pub(super) fn constant(offset: i32) -> Place {
        Place { offset, terms: [Term::default(); MAX_RANK] }
    }

    /// `offset + step·turn` for the turns of a loop whose body lies at `level`.
    pub(super) fn moving(offset: i32, step: i32, var: LoopVar, turns: u32, level: usize) -> Place {
        let mut place = Place::constant(offset);
        place.terms[0] = Term { var, step, turns, level };
        place
    }

    fn terms(&self) -> impl Iterator<Item = &Term> {
        self.terms.iter().take_while(|t| t.step != 0)
    }

    /// The level of the innermost loop that it moves with.
    pub(super) fn level(&self) -> usize {
        self.terms().map(|t| t.level).max().unwrap_or(0)
    }

    /// `start + step·self`
    pub(super) fn mapped(self, start: i32, step: i32) -> Place {
        if step == 0 {
            return Place::constant(start);
        }
        let mut place = Place { offset: start + step * self.offset, ..self };
        for term in &mut place.terms {
            term.step *= step;
        }
        place
    }

    /// The sum of both; `None` for more counters than an index holds.
    pub(super) fn plus(self, other: Place) -> Option<Place> {
        let mut place = Place { offset: self.offset + other.offset, ..self };
        for &term in other.terms() {
            let same = place.terms.iter().position(|t| t.step != 0 && t.var == term.var);
            let slot = same.or_else(|| place.terms.iter().position(|t| t.step == 0))?;
            let step = place.terms[slot].step + term.step;
            place.terms[slot] = if step == 0 { Term::default() } else { Term { step, ..term } };
        }
        place.terms.sort_by_key(|t| (t.step == 0, t.var));
        Some(place)
    }

    /// The smallest and the largest position.
    fn range(&self) -> (i64, i64) {
        let offset = i64::from(self.offset);
        self.terms().fold((offset, offset), |(low, high), t| {
            let reach = i64::from(t.step) * (i64::from(t.turns) - 1);
            (low + reach.min(0), high + reach.max(0))
        })
    }

    /// The `q` with `self = start + step·q`, if there is one in `0..len` at every turn; `Some(None)` if at no turn.
    pub(super) fn solved(self, start: i32, step: i32, len: u32) -> Option<Option<Place>> {
        let shifted = Place { offset: self.offset - start, ..self };
        if step == 0 {
            let (low, high) = shifted.range();
            let single = shifted.terms().count() == 1;
            return match (low, high) {
                (0, 0) => Some(Some(Place::constant(0))),
                _ if low > 0 || high < 0 => Some(None),
                _ if single && shifted.offset % shifted.terms[0].step != 0 => Some(None),
                _ => None,
            };
        }
        if shifted.terms().any(|t| t.step % step != 0) {
            return None;
        }
        if shifted.offset % step != 0 {
            return Some(None);
        }
        let mut q = Place { offset: shifted.offset / step, ..shifted };
        for term in &mut q.terms {
            term.step /= step;
        }
        match q.range() {
            (low, high) if low >= 0 && high < i64::from(len) => Some(Some(q)),
            (low, high) if high < 0 || low >= i64::from(len) => Some(None),
            _ => None,
        }
    }

    /// Which four draws the place belongs to, and which of them it is: the same at every turn, or `None`.
    pub(super) fn quarter(self) -> Option<(Place, u8)> {
        if self.terms().any(|t| t.step % 4 != 0) {
            return None;
        }
        let mut block = Place { offset: self.offset.div_euclid(4), ..self };
        for term in &mut block.terms {
            term.step /= 4;
        }
        Some((block, self.offset.rem_euclid(4) as u8))
    }

    pub(super) fn index(&self) -> Index {
        self.terms().fold(Index::constant(self.offset), |index, t| index.plus(Index::moving(0, t.var, t.step), 1))
    }
}

/// The row-major place in an array over these axes; `None` for more counters than an index holds.
pub(super) fn flat(places: &[(Axis, Place)]) -> Option<Place> {
    places.iter().try_fold(Place::constant(0), |flat, (axis, place)| flat.mapped(0, axis.len as i32).plus(*place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_solved_or_refused() {
        let loop_place = Place::moving(1, 2, 0, 4, 1);
        // 1, 3, 5, 7 = 1 + 2q
        assert_eq!(loop_place.solved(1, 2, 4).flatten().map(|p| (p.offset, p.terms[0].step)), Some((0, 1)));
        assert_eq!(loop_place.solved(0, 2, 4), Some(None), "odd places never hit an even stride");
        assert_eq!(loop_place.solved(1, 1, 3), None, "hits at some turns only");
        assert_eq!(loop_place.solved(9, 1, 3), Some(None));
    }

    #[test]
    fn places_of_two_loops_add() {
        let (row, column) = (Place::moving(1, 1, 0, 3, 1), Place::moving(0, 1, 1, 5, 2));
        let place = row.mapped(0, 5).plus(column).unwrap();
        assert_eq!((place.range(), place.level()), ((5, 19), 2));
        assert_eq!(place.solved(5, 1, 15).flatten().map(|q| q.range()), Some((0, 14)));
        assert_eq!(place.solved(6, 1, 15), None, "the first place is outside");
        assert_eq!(place.plus(column.mapped(0, -1)).map(|p| p.terms().count()), Some(1));
    }
}
