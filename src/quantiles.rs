//! The distribution of many values in bounded memory: exact up to [`EXACT`] of them, then counts in fine buckets.
//!
//! A bucket holds the values `v` whose height `v - low` above the lowest of the first [`EXACT`] begins with the same sign,
//! exponent and [`MANTISSA`] bits. A quantile is then off by less than 2^-[`MANTISSA`] of its height, 0.1 %; smallest,
//! largest and mean stay exact. Values count in their order alone, so batches take no part in the result.

use crate::outcome::Quantiles;

/// How many values are kept as they are.
pub(crate) const EXACT: usize = 1 << 22;
/// Values of a piece that takes no others.
const SHORT: usize = 1 << 12;
/// Bits of a height's mantissa that tell buckets apart.
const MANTISSA: u32 = 10;
/// What is left of a double's bits.
const SHIFT: u32 = 52 - MANTISSA;
/// Sign, exponent and mantissa.
const BUCKETS: usize = 1 << (12 + MANTISSA);

/// A number of either precision.
pub(crate) trait Real: Copy + Default + Into<f64> + Send + Sync + 'static {
    /// The total order.
    fn order(a: &Self, b: &Self) -> std::cmp::Ordering;
}

impl Real for f32 {
    fn order(a: &f32, b: &f32) -> std::cmp::Ordering {
        a.total_cmp(b)
    }
}

impl Real for f64 {
    fn order(a: &f64, b: &f64) -> std::cmp::Ordering {
        a.total_cmp(b)
    }
}

/// Finite values, as they are or counted.
#[derive(Debug)]
pub(crate) enum Values<T> {
    Exact(Pieces<T>),
    Counted(Counts),
}

/// Values in the order in which they came, in pieces that need not be copied when they come.
#[derive(Debug)]
pub(crate) struct Pieces<T> {
    all: Vec<Vec<T>>,
    len: usize,
}

impl<T: Real> Pieces<T> {
    fn new() -> Pieces<T> {
        Pieces { all: Vec::new(), len: 0 }
    }

    fn push(&mut self, piece: Vec<T>) {
        self.len += piece.len();
        match self.all.last_mut() {
            Some(last) if last.len() + piece.len() <= SHORT => last.extend_from_slice(&piece),
            _ => self.all.push(piece),
        }
    }

    fn iter(&self) -> impl Iterator<Item = T> {
        self.all.iter().flatten().copied()
    }

    /// All of them in one.
    fn whole(&mut self) -> &mut Vec<T> {
        if self.all.len() != 1 {
            self.all = vec![self.all.concat()];
        }
        &mut self.all[0]
    }
}

/// Counts of heights above `low` by their leading bits.
#[derive(Debug)]
pub(crate) struct Counts {
    low: f64,
    total: u64,
    /// Pages that nobody counts in are never touched.
    counts: Vec<u64>,
}

impl<T: Real> Values<T> {
    pub(crate) fn new() -> Values<T> {
        Values::Exact(Pieces::new())
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Values::Exact(all) => all.len as u64,
            Values::Counted(counts) => counts.total,
        }
    }

    /// Adds finite values.
    pub(crate) fn push(&mut self, mut new: Vec<T>) {
        if let Values::Exact(all) = self {
            let behind = new.split_off(new.len().min(EXACT - all.len));
            all.push(new);
            if behind.is_empty() {
                return;
            }
            let mut counts = Counts::above(all.iter());
            all.all.iter().for_each(|piece| counts.extend(piece));
            *self = Values::Counted(counts);
            new = behind;
        }
        if let Values::Counted(counts) = self {
            counts.extend(&new);
        }
    }

    /// Quantiles by linear interpolation between order statistics (type 7 of Hyndman and Fan 1996), which counts give to
    /// within their bucket; `None` where there is no value.
    pub(crate) fn quantiles(&mut self, min: f64, max: f64, sum: f64) -> Option<Quantiles> {
        const SHARES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];
        let total = self.len();
        if total == 0 {
            return None;
        }
        let position = |share: f64| share * (total - 1) as f64;
        let [q05, q25, q50, q75, q95] = match self {
            Values::Exact(pieces) => {
                let all = pieces.whole();
                let mut sorted = 0;
                SHARES.map(|share| {
                    let (low, part) = (position(share).floor() as usize, position(share).fract());
                    let mut at = |place: usize| -> f64 {
                        // What lies before `sorted` is no larger than what lies behind.
                        if place >= sorted {
                            all[sorted..].select_nth_unstable_by(place - sorted, T::order);
                            sorted = place + 1;
                        }
                        all[place].into()
                    };
                    let a = at(low);
                    if part == 0.0 { a } else { a + part * (at(low + 1) - a) }
                })
            }
            Values::Counted(counts) => counts.at(SHARES.map(position), min, max),
        };
        Some(Quantiles { min, q05, q25, q50, q75, q95, max, mean: sum / total as f64 })
    }

    /// How many values lie from each of these ascending edges to below the next: one count fewer than edges. Counted values
    /// stand at the lower end of their bucket.
    pub(crate) fn histogram(&self, edges: &[f64]) -> Vec<u64> {
        let mut out = vec![0; edges.len().saturating_sub(1)];
        let mut count = |value: f64, times: u64| {
            let above = edges.partition_point(|&edge| edge <= value);
            if let Some(bin) = above.checked_sub(1).and_then(|at| out.get_mut(at)) {
                *bin += times;
            }
        };
        match self {
            Values::Exact(all) => all.iter().for_each(|value| count(value.into(), 1)),
            Values::Counted(counts) => {
                let filled = counts.counts.iter().enumerate().filter(|(_, times)| **times > 0);
                filled.for_each(|(at, &times)| count(counts.low + edge(at).max(-f64::MAX), times));
            }
        }
        out
    }
}

/// The finite ones among values, of which there are so many.
pub(crate) fn finite_of<T: Real>(values: &[T], count: usize) -> Vec<T> {
    if count == values.len() {
        return values.to_vec();
    }
    let mut out = vec![T::default(); count];
    let mut next = 0;
    for &value in values {
        // What is not finite is overwritten by the next that is, or falls behind the last place.
        if let Some(place) = out.get_mut(next) {
            *place = value;
        }
        next += usize::from(value.into().abs() <= f64::MAX);
    }
    out
}

impl Counts {
    /// Empty ones of heights above the lowest of these.
    fn above<T: Real>(values: impl Iterator<Item = T>) -> Counts {
        let low = values.fold(f64::INFINITY, |low, v| low.min(v.into()));
        Counts { low, total: 0, counts: vec![0; BUCKETS] }
    }

    fn extend<T: Real>(&mut self, values: &[T]) {
        for &value in values {
            self.counts[bucket(value.into() - self.low)] += 1;
        }
        self.total += values.len() as u64;
    }

    /// The values at these positions in ascending order, which ascend themselves.
    fn at<const N: usize>(&self, positions: [f64; N], min: f64, max: f64) -> [f64; N] {
        let last = bucket(max - self.low);
        let mut at = bucket(min - self.low);
        let mut before = 0;
        positions.map(|position| {
            while at < last && (before + self.counts[at]) as f64 <= position {
                before += self.counts[at];
                at += 1;
            }
            let [begin, end] = [at, at + 1].map(edge);
            let share = ((position - before as f64 + 0.5) / self.counts[at].max(1) as f64).clamp(0.0, 1.0);
            let height = if end.is_finite() { begin + share * (end - begin) } else { begin };
            (self.low + height).clamp(min, max)
        })
    }
}

/// The bucket of a height: its order as a number, without the last bits.
#[inline]
fn bucket(height: f64) -> usize {
    let bits = height.to_bits() as i64;
    // A negative number's bits all turn, a positive one's sign: then their order is that of the numbers.
    let turned = bits ^ ((bits >> 63) | i64::MIN);
    (turned as u64 >> SHIFT) as usize
}

/// The lowest height of a bucket.
fn edge(bucket: usize) -> f64 {
    let turned = ((bucket as u64) << SHIFT) as i64;
    let bits = if turned < 0 { turned ^ i64::MIN } else { !turned };
    f64::from_bits(bits as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_of_counted_values_are_those_of_exact_ones_but_for_buckets() {
        let mut exact = Values::new();
        exact.push(spread(50_000).collect());
        let mut counts = Counts::above(spread(10));
        counts.extend(&spread(50_000).collect::<Vec<f64>>());
        let edges = [f64::NEG_INFINITY, 0.0, 0.2, 0.5, 0.9, 2.0];
        let (exactly, roughly) = (exact.histogram(&edges), Values::<f64>::Counted(counts).histogram(&edges));
        assert_eq!((exactly.iter().sum::<u64>(), exactly[0]), (50_000, 0));
        for (a, b) in exactly.iter().zip(&roughly) {
            assert!(a.abs_diff(*b) < 100, "{exactly:?} {roughly:?}");
        }
        exact.push(vec![3.0, -1.0]);
        assert_eq!(
            (exact.histogram(&edges)[0], exact.histogram(&[2.0, 3.0]), exact.histogram(&[])),
            (1, vec![0], vec![])
        );
    }

    /// Numbers between 0 and 1 in an order that no rule sees through.
    fn spread(count: usize) -> impl Iterator<Item = f64> {
        (0..count as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1u64 << 53) as f64)
    }

    fn of<T: Real>(values: &[T], piece: usize) -> Quantiles {
        let mut all = Values::new();
        values.chunks(piece).for_each(|piece| all.push(piece.to_vec()));
        assert_eq!(all.len(), values.len() as u64);
        let ends = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| {
            let v: f64 = v.into();
            (lo.min(v), hi.max(v))
        });
        all.quantiles(ends.0, ends.1, values.iter().map(|&v| -> f64 { v.into() }).sum()).unwrap()
    }

    fn five(q: Quantiles) -> [f64; 5] {
        [q.q05, q.q25, q.q50, q.q75, q.q95]
    }

    #[test]
    fn few_values_are_exact() {
        let values: Vec<f64> = (0..101).map(|i| f64::from((i * 37) % 101)).collect();
        assert_eq!(five(of(&values, 7)), [5.0, 25.0, 50.0, 75.0, 95.0]);
        assert_eq!(five(of(&[3.0f32], 1)), [3.0; 5]);
        assert_eq!(of(&[1.0f64, 2.0], 1).q25, 1.25);
        assert!(Values::<f32>::new().quantiles(0.0, 0.0, 0.0).is_none());
    }

    #[test]
    fn many_values_are_within_a_thousandth_of_their_height() {
        let count = EXACT + EXACT / 4;
        // Heights over 40 decades, above an offset that dwarfs most of them, and after a higher beginning.
        for offset in [0.0, -837.97] {
            let values: Vec<f64> = spread(count).map(|u| offset + 10f64.powf(40.0 * u - 30.0)).collect();
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let close = of(&values, 1 << 16);
            for (got, share) in five(close).into_iter().zip([0.05, 0.25, 0.5, 0.75, 0.95]) {
                let exact = sorted[(share * (count - 1) as f64) as usize];
                let height = exact - sorted[0];
                assert!((got - exact).abs() <= 1e-3 * height, "{share}: {got} for {exact}");
            }
            // Pieces take no part.
            assert_eq!(close, of(&values, 99_991));
        }
    }

    #[test]
    fn equal_values_and_lower_ones_that_come_late() {
        let mut values = vec![2.0f32; EXACT + 1000];
        assert_eq!(five(of(&values, 4096)), [2.0; 5]);
        values.extend(std::iter::repeat_n(-1.0f32, EXACT));
        let q = of(&values, 4096);
        assert!((q.q05 + 1.0).abs() < 3e-3 && (q.q25 + 1.0).abs() < 3e-3 && q.q75 == 2.0, "{q:?}");
    }

    #[test]
    fn buckets_are_in_order() {
        let heights =
            [f64::NEG_INFINITY, -1e300, -1.0, -1e-300, -0.0, 0.0, 1e-310, 1.0, 1.5, 2.0, 1e300, f64::INFINITY];
        assert!(heights.map(bucket).is_sorted());
        assert!(heights[1..].iter().all(|&h| bucket(h) < BUCKETS && (edge(bucket(h)) <= h || h == 0.0)));
    }
}
