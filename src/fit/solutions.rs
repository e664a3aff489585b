//! Which ends of descents are one solution.
//!
//! Two ends are one where their costs agree and the way between them, seen through the model's own slopes, changes no
//! residual to speak of: `‖R (a − b)‖² ≤ 1e-8 cost`, which is 1e-4 √(n − p) standard errors. Directions that the data
//! do not determine do not part solutions.

use super::dense::Factor;
use super::descend::{Descender, End, Settings, Stop, hidden};
use super::rows::Data;

/// A place where descents ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The parameters.
    pub parameters: Vec<f64>,
    /// What the residuals cost there; for plain least squares the same as `rss`.
    pub cost: f64,
    /// The (weighted) sum of squared residuals.
    pub rss: f64,
    /// How many starts led here.
    pub hits: u64,
    /// The same as a part of all starts.
    pub fraction: f64,
    /// The first start that led here: given starts come first, then the random ones.
    pub first_start: u64,
    /// Whether descents converged here; a solution that did not is listed only if it is the best.
    pub stop: Stop,
}

/// A solution, and what tells others apart from it.
struct Place {
    end: End,
    factor: Factor,
    within: f64,
    hits: u64,
    first: u64,
}

impl Place {
    fn new(descender: &mut Descender<'_>, data: &Data<'_>, settings: &Settings, end: &End, first: u64) -> Place {
        let mut end = end.clone();
        descender.polish(data, settings, &mut end);
        let mut factor = Factor::default();
        descender.work.linearize(data, &end.x, settings.loss, &mut factor);
        let within = 1e-8 * end.cost + 1e3 * hidden(&factor, &end.x, end.cost);
        Place { end, factor, within, hits: 0, first }
    }

    fn holds(&self, end: &End, way: &mut Vec<f64>, image: &mut Vec<f64>) -> bool {
        if !((end.cost - self.end.cost).abs() <= self.within) {
            return false;
        }
        way.clear();
        way.extend(end.x.iter().zip(&self.end.x).map(|(a, b)| a - b));
        if way.iter().zip(&self.end.x).all(|(d, x)| d.abs() <= 1e-6 * x.abs()) {
            return true;
        }
        self.factor.apply(way, image);
        super::dense::dot(image, image) <= self.within
    }
}

/// Gathers ends, by number of their start, into solutions, the lowest cost first and of equal costs the one with more hits.
pub(crate) fn gather(
    descender: &mut Descender<'_>,
    data: &Data<'_>,
    settings: &Settings,
    ends: &[End],
) -> Vec<Solution> {
    let mut order: Vec<usize> = (0..ends.len()).filter(|&k| ends[k].stop != Stop::NonFinite).collect();
    order.sort_by(|&a, &b| ends[a].cost.total_cmp(&ends[b].cost).then(a.cmp(&b)));
    let mut places: Vec<Place> = Vec::new();
    let (mut way, mut image) = (Vec::new(), Vec::new());
    let (converged, others): (Vec<usize>, Vec<usize>) =
        order.into_iter().partition(|&k| ends[k].stop == Stop::Converged);
    for (list, opens) in [(&converged, true), (&others, false)] {
        for &k in list {
            // Costs come in order: the last places are the nearest.
            let near = places.iter().rposition(|p| p.holds(&ends[k], &mut way, &mut image));
            let place = match near {
                Some(place) => place,
                None if opens => {
                    places.push(Place::new(descender, data, settings, &ends[k], k as u64));
                    places.len() - 1
                }
                None => continue,
            };
            places[place].hits += 1;
            places[place].first = places[place].first.min(k as u64);
        }
    }
    // What did not converge is no solution, but the best there is must not be kept back.
    if let Some(&k) = others.first() {
        let end = &ends[k];
        if places.iter().all(|p| end.cost < p.end.cost - p.within) {
            let mut place = Place::new(descender, data, settings, end, k as u64);
            place.hits = 1;
            places.push(place);
        }
    }
    places.sort_by(|a, b| a.end.cost.total_cmp(&b.end.cost).then(a.first.cmp(&b.first)));
    // Costs that differ by rounding, as those of one sum with its terms in another order, are told apart by hits.
    for tied in places.chunk_by_mut(|a, b| b.end.cost - a.end.cost <= a.within) {
        tied.sort_by_key(|p| (std::cmp::Reverse(p.hits), p.first));
    }
    let solution = |place: Place| Solution {
        rss: match settings.loss {
            super::Loss::Squared => place.end.cost,
            _ => descender.work.evaluate(data, &place.end.x, super::Loss::Squared),
        },
        parameters: place.end.x,
        cost: place.end.cost,
        hits: place.hits,
        fraction: place.hits as f64 / ends.len() as f64,
        first_start: place.first,
        stop: place.end.stop,
    };
    places.into_iter().map(solution).collect()
}
