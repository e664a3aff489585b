//! Laws of landscapes: basin shares in closed form, edges of stability, saddles' escape times, random fields.

mod support;

use catchment::analysis::{Escape, Kind, Search, Stationary};
use catchment::random::{Domain, Points, Starts};
use catchment::{Engine, Event, Flow, Plan, Precision, Status, Surface, wilson};
use std::sync::Arc;

/// Rastrigin's centre drains 0.098153 of each axis under small steps (between the maxima beside it).
const CENTRE: f64 = 0.098_153;

#[test]
fn basin_shares_of_rastrigin() {
    for dim in [1, 2, 3] {
        let surface = Surface::named("rastrigin", Some(dim)).expect("rastrigin");
        let plan = Plan::new(surface)
            .optimizer("sgd(lr=0.002)")
            .optimizer("momentum(lr=0.002)")
            .optimizer("adam(lr=0.05)")
            .restarts(200_000)
            .steps(600)
            .resolve()
            .expect("a plan");
        let search = Search { audit: 0, ..Search::default() };
        let minima = search.minima(&Engine::cpu(), &plan, |_| Flow::Continue).expect("minima");
        let centre = &minima.points[0];
        assert!(centre.point.x.iter().all(|x| x.abs() < 1e-9) && centre.point.value.abs() < 1e-12);
        let share = CENTRE.powi(dim as i32);
        let [lo, hi] = wilson(centre.hits_by[0], 200_000);
        // Twice the interval's half width: one in ten thousand tests would fail by chance.
        let (middle, half) = (0.5 * (lo + hi), hi - lo);
        assert!((middle - share).abs() < half, "{dim}: {lo} to {hi}, {share} expected");
        let shares: Vec<f64> = centre.hits_by.iter().map(|&h| h as f64 / 200_000.0).collect();
        println!("rastrigin {dim}-D, closed form {share:.6}: sgd, momentum, adam {shares:?}");
        if dim < 3 {
            let inside = minima.points.iter().filter(|p| p.point.inside).count();
            assert_eq!(inside, 11usize.pow(dim));
        }
    }
}

/// The learning rate between convergence and divergence on `curvature/2 x²`, from sweeps that close in on it.
fn edge(rule: &str, curvature: f64) -> f64 {
    let surface = Surface::formula(&format!("{curvature}/2*sum(x^2)"), Domain::cube(1, -1.0, 1.0)).expect("a parabola");
    let points = Arc::new(Points::new(1, vec![0.5]).expect("a point"));
    let (mut lo, mut hi) = (0.0, 8.0 / curvature);
    while hi - lo > 1e-6 * hi {
        let rates: Vec<f64> = (1..=32).map(|k| lo + (hi - lo) * f64::from(k) / 33.0).collect();
        // A restart for each rate.
        let plan = Plan::new(surface.clone())
            .optimizer(rule)
            .hyper("lr", rates.to_vec())
            .restarts(rates.len() as u64)
            .steps(1 << 16)
            .precision(Precision::F64)
            .starts(Starts::Points(points.clone()))
            .resolve()
            .expect("a plan");
        let mut grown = Vec::new();
        Engine::cpu()
            .stream(&plan, |event| {
                if let Event::Batch(batch) = event {
                    let far = |r: usize| batch.status[r] == Status::Diverged || batch.x.at(r).abs() > 0.5;
                    grown.extend((0..batch.len()).map(far));
                }
                Flow::Continue
            })
            .expect("runs");
        let first = grown.iter().position(|&g| g).unwrap_or(rates.len());
        assert!(grown[first..].iter().all(|&g| g), "one edge: {grown:?}");
        (lo, hi) = (if first == 0 { lo } else { rates[first - 1] }, rates.get(first).copied().unwrap_or(hi));
    }
    0.5 * (lo + hi)
}

#[test]
fn edges_of_stability() {
    let curvature = 3.0;
    let close = |rule: &str, expected: f64| {
        let found = edge(rule, curvature);
        println!("{rule}: {found:.7}, {expected:.7} expected");
        assert!((found / expected - 1.0).abs() < 1e-4, "{rule}: {found}, {expected} expected");
    };
    close("sgd", 2.0 / curvature);
    for beta in [0.5, 0.9] {
        close(&format!("momentum(beta={beta})"), 2.0 * (1.0 + beta) / curvature);
        close(&format!("nesterov(beta={beta})"), (2.0 + 2.0 * beta) / ((1.0 + 2.0 * beta) * curvature));
    }
}

#[test]
fn rastrigin_is_stable_below_its_edge() {
    // 2/(2 + 40 π²): the curvature at every minimum's bottom is at most the centre's.
    let settles = |rate: f64| {
        let surface = Surface::named("rastrigin", Some(1)).expect("rastrigin");
        let points = Arc::new(Points::new(1, vec![1e-3]).expect("a point"));
        let plan = Plan::new(surface).optimizer(format!("sgd(lr={rate:e})")).restarts(1).steps(20_000);
        let plan = plan.precision(Precision::F64).starts(Starts::Points(points)).resolve().expect("a plan");
        let (_, batches) = Engine::cpu().collect(&plan).expect("runs");
        batches[0].x.at(0).abs() < 1e-4
    };
    assert!(settles(0.00504));
    assert!(!settles(0.005041));
}

#[test]
fn descent_leaves_a_saddle_in_the_time_of_its_curvature() {
    let (up, down, rate, radius) = (2.0, 0.5, 0.01, 0.1);
    let surface = Surface::formula(&format!("({up}*x[0]^2 - {down}*x[1]^2)/2"), Domain::cube(2, -1.0, 1.0));
    let surface = surface.expect("a saddle");
    let heights: Vec<f64> = (1..=200).map(|k| 10f64.powf(-6.0 + 4.9 * f64::from(k) / 200.0)).collect();
    for &height in &heights {
        assert!(height < radius);
    }
    let values: Vec<f64> = heights.iter().flat_map(|&y| [0.0, y]).collect();
    let points = Points::new(2, values).expect("points");
    let escape = Escape { optimizers: vec![format!("sgd(lr={rate})")], steps: 10_000, ..Escape::default() };
    let below = -0.5 * down * radius * radius;
    let left = escape.from(&Engine::cpu(), &surface, points, below, &mut |_| Flow::Continue).expect("runs");
    assert_eq!(left[0].left, 200);
    // The highest start leaves first; a step is counted whole, and f32 loses about one in 1e4.
    for (&taken, &height) in left[0].steps.iter().zip(heights.iter().rev()) {
        let expected = (radius / height).ln() / (1.0 + rate * down).ln();
        assert!((f64::from(taken) - expected.ceil()).abs() <= 1.0, "{height}: {taken}, {expected} expected");
    }
}

#[test]
fn noise_and_kicks_leave_saddles_that_descent_does_not() {
    let surface = Surface::named("saddle", None).expect("saddle");
    let found = Stationary { starts: 200, ..Stationary::default() };
    let found = found.find(&Engine::cpu(), &surface, |_| Flow::Continue).expect("finds");
    let saddle = &found.points[0].point;
    assert_eq!((saddle.kind, saddle.index), (Kind::Saddle, Some(1)));
    let escape = Escape { near: 1e-30, restarts: 500, steps: 600, ..Escape::default() };
    let left = escape.measure(&Engine::cpu(), &surface, saddle, |_| Flow::Continue).expect("runs");
    let shares: Vec<(String, u64)> = left.iter().map(|e| (e.optimizer.clone(), e.left)).collect();
    println!("{shares:?}");
    assert_eq!(left[0].left, 0, "plain descent from 1e-30 of the saddle needs thousands of steps");
    assert!(left[1].left > 480 && left[2].left > 480);
}

#[test]
fn random_fields_have_the_index_law_of_kac_and_rice() {
    // Shares of minima among critical points, and the correlation of index and value, of a Gaussian field with covariance
    // exp(-r²/2): a Kac-Rice calculation.
    let expected = [(1, 0.500, 0.63), (2, 0.250, 0.74), (3, 0.124, 0.80), (4, 0.060, 0.83), (5, 0.028, 0.86)];
    for (dim, share, correlation) in expected {
        // Sides that hold some hundred critical points a field, and fields of other seeds until there are enough.
        let (side, starts, fields) =
            [(300.0, 6_000, 3), (20.0, 8_000, 3), (8.0, 8_000, 3), (5.5, 6_000, 2), (4.2, 7_000, 2)][dim - 1];
        let (mut index, mut value) = (Vec::new(), Vec::new());
        for seed in 0..fields {
            let name = format!("random_field(terms=150, seed={seed}, side={side})");
            let surface = Surface::named(&name, Some(dim as u32)).expect("a field");
            let search = Stationary { starts, ..Stationary::default() };
            let found = search.find(&Engine::cpu(), &surface, |_| Flow::Continue).expect("finds");
            let inside = || found.points.iter().filter(|p| p.point.inside && p.point.kind.is_critical());
            for p in inside() {
                index.push(p.point.index.expect("an index") as f64);
                value.push(p.point.value);
            }
            let (once, all) = (inside().filter(|p| p.hits == 1).count() as f64, inside().map(|p| p.hits).sum::<u64>());
            assert!(once / (all as f64) < 0.01, "{dim}-D, seed {seed}: {once} of {all} seen once");
        }
        let minima = index.iter().filter(|&&i| i == 0.0).count() as u64;
        let [lo, hi] = wilson(minima, index.len() as u64);
        let n = index.len() as f64;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
        let (mi, mv) = (mean(&index), mean(&value));
        let cov: f64 = index.iter().zip(&value).map(|(i, v)| (i - mi) * (v - mv)).sum();
        let var = |v: &[f64], m: f64| v.iter().map(|v| (v - m) * (v - m)).sum::<f64>();
        let r = cov / (var(&index, mi) * var(&value, mv)).sqrt();
        println!(
            "{dim}-D: {} critical points, minima {:.4} ({lo:.4} to {hi:.4}), {share}; correlation {r:.3}, {correlation}",
            n,
            minima as f64 / n
        );
        // Neighbours repel, so the spread is below the binomial; fields of finite terms and size add to it.
        assert!(
            lo - 0.25 * (hi - lo) <= share && share <= hi + 0.25 * (hi - lo),
            "{dim}-D: {lo} to {hi}, {share} expected"
        );
        let z = |r: f64| r.atanh();
        assert!((z(r) - z(correlation)).abs() < 4.0 / (n - 3.0).sqrt() + 0.03, "{dim}-D: {r}, {correlation} expected");
        // The index law of independent signs is far off from three dimensions on.
        if dim >= 3 {
            assert!(0.5f64.powi(dim as i32 + 1) < lo || hi < 0.5f64.powi(dim as i32) * 1.2);
        }
    }
}
