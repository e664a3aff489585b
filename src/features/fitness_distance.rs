//! `fitness_distance`: does the value grow with the distance to the best point (Jones & Forrest 1995; Müller & Sbalzarini 2011)?

use super::moments::{deviation, mean, product};
use super::{Features, Sample, named};

/// `fd_correlation`, `fd_cov`, `distance_mean`, `distance_std`, `fitness_mean` and `fitness_std` of the best `share` of the points
/// (0.1 is pflacco's; 1 takes all), with the distances to the best of them.
///
/// The covariance has n below and the deviations n − 1, so a perfect correlation is (n − 1)/n. NaN for fewer than two points.
pub fn fitness_distance(sample: &Sample, share: f64) -> Features {
    const NAMES: [&str; 6] =
        ["fd_correlation", "fd_cov", "distance_mean", "distance_std", "fitness_mean", "fitness_std"];
    let y = sample.y();
    let kept = (share.clamp(0.0, 1.0) * y.len() as f64).round_ties_even() as usize;
    if kept < 2 {
        return named("fitness_distance", NAMES.map(|name| (name, f64::NAN)));
    }
    let mut order: Vec<usize> = (0..y.len()).collect();
    order.sort_by(|&i, &j| y[i].total_cmp(&y[j]));
    order.truncate(kept);
    let values: Vec<f64> = order.iter().map(|&i| y[i]).collect();
    let distances: Vec<f64> = order.iter().map(|&i| sample.distance(order[0], i)).collect();
    let covariance = product(&values, &distances) / kept as f64;
    let (spread, reach) = (deviation(&values), deviation(&distances));
    let found = [covariance / (spread * reach), covariance, mean(&distances), reach, mean(&values), spread];
    named("fitness_distance", NAMES.into_iter().zip(found))
}
